//! The rankings as a table that fits.

use std::fmt::Write as _;

use super::super::terminal::cut;
use crate::admin::api::{Ranking, Top};

/// What the table must fit.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Characters of a line; `None` where it may be as long as it is.
    pub(super) width: Option<usize>,
    /// Lines; `None` where there may be as many as there are.
    pub(super) height: Option<usize>,
    pub(super) paint: Paint,
}

/// Whether headings stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
}

/// Lines of each ranking where nothing limits them.
const ROWS: usize = 20;

/// Two lines above the rankings, a blank one and a heading for each, a blank one and three below.
const LINES_AROUND: usize = 2 + 3 * 2 + 4;

/// All of it.
pub(super) fn table(top: &Top, shape: &Shape) -> String {
    let mut lines = vec![
        (Paint::Bold, format!("{} queries a second over {:.0} s, at {}", rate_text(top.rate), top.over, time(top))),
        (Paint::Plain, heard(top)),
    ];
    let rankings = [("names", &top.names), ("endpoints", &top.endpoints), ("clients", &top.clients)];
    let rows = rows(rankings.map(|(_, ranking)| lines_of(ranking)), shape.height);
    for ((heading, ranking), rows) in rankings.into_iter().zip(rows) {
        lines.push((Paint::Plain, String::new()));
        lines.push((Paint::Bold, heading.to_owned()));
        lines.extend(ranked(ranking, top.rate, rows).into_iter().map(|line| (Paint::Plain, line)));
    }
    lines.push((Paint::Plain, String::new()));
    for (heading, ranking) in [("types", &top.types), ("rcodes", &top.rcodes), ("by", &top.transports)] {
        lines.push((Paint::Plain, format!("{heading:6}  {}", in_line(ranking, top.rate))));
    }
    let mut text = String::new();
    for (paint, line) in lines {
        let line = cut(&line, shape.width);
        let _ = match (paint, shape.paint) {
            (Paint::Bold, Paint::Bold) => writeln!(text, "\x1b[1m{line}\x1b[0m"),
            _ => writeln!(text, "{line}"),
        };
    }
    text
}

/// How far the figures can be trusted.
fn heard(top: &Top) -> String {
    let mut text = match top.heard {
        0 => "nothing was asked".to_owned(),
        heard if top.sampled > 0.995 => format!("heard all of them, {}", grouped(heard)),
        heard => format!("heard {} of them, one in {:.0}, and counted up", grouped(heard), top.sampled.recip()),
    };
    if top.lost > 0 {
        let _ = write!(text, "; {} more found no room, so that rates are too low", grouped(top.lost));
    }
    text
}

/// Lines that a ranking would have.
fn lines_of(ranking: &Ranking) -> usize {
    ranking.first.len().max(1) + usize::from(ranking.others > 0.0)
}

/// How many each ranking gets of the `height`: as many as it wants, where others leave room, and 2 at the least.
fn rows(wanted: [usize; 3], height: Option<usize>) -> [usize; 3] {
    let mut rows = wanted.map(|wanted| wanted.min(ROWS));
    let Some(height) = height else { return rows };
    let room = height.saturating_sub(LINES_AROUND);
    while rows.iter().sum::<usize>() > room {
        // From the longest, of several the last.
        let Some(longest) = rows.iter_mut().rev().max_by_key(|rows| **rows).filter(|rows| **rows > 2) else { break };
        *longest -= 1;
    }
    rows
}

/// The first of a ranking, and a line for all others.
fn ranked(ranking: &Ranking, all: f64, rows: usize) -> Vec<String> {
    if ranking.first.is_empty() {
        return vec!["  none".to_owned()];
    }
    let line = |rate: f64, what: &str| {
        let share = if all > 0.0 { 100.0 * rate / all } else { 0.0 };
        format!("  {:>9}  {share:>5.1} %  {what}", rate_text(rate))
    };
    let has_rest = lines_of(ranking) > rows;
    let shown = if has_rest { rows.saturating_sub(1) } else { ranking.first.len() };
    let (first, rest) = ranking.first.split_at(shown.min(ranking.first.len()));
    let mut lines: Vec<String> = first.iter().map(|rate| line(rate.rate, &rate.what)).collect();
    let others = ranking.others + rest.iter().map(|rate| rate.rate).sum::<f64>();
    if others > 0.0 {
        lines.push(line(others, "all others"));
    }
    lines
}

/// A short ranking in one line, by shares.
fn in_line(ranking: &Ranking, all: f64) -> String {
    let shares = ranking.first.iter().filter(|_| all > 0.0);
    let words: Vec<String> = shares.map(|rate| format!("{} {:.1} %", rate.what, 100.0 * rate.rate / all)).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// `0.4`, `12.3`, `12,345`.
fn rate_text(rate: f64) -> String {
    if rate < 99.95 {
        return format!("{rate:.1}");
    }
    grouped(rate.round_ties_even() as u64)
}

/// `12,345`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(top: &Top) -> String {
    top.at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::api::Rate;

    fn ranking(count: usize, others: f64) -> Ranking {
        let first = (0..count).map(|at| Rate { what: format!("name{at}.example.com"), rate: 100.0 / (at + 1) as f64 });
        Ranking { first: first.collect(), others }
    }

    fn top(names: usize, others: f64) -> Top {
        Top {
            at: jiff::Timestamp::default(),
            over: 10.0,
            rate: 1_234.5,
            sampled: 0.01,
            heard: 123,
            lost: 0,
            names: ranking(names, others),
            types: ranking(2, 0.0),
            rcodes: ranking(1, 0.0),
            transports: ranking(1, 0.0),
            clients: ranking(3, 0.0),
            endpoints: ranking(4, 0.0),
        }
    }

    #[test]
    fn a_table_fits() {
        for (names, height) in [(100, 24), (100, 40), (3, 24), (0, 24), (100, 18), (5, 200)] {
            for width in [20, 80, 200] {
                let shape = Shape { width: Some(width), height: Some(height), paint: Paint::Plain };
                let text = table(&top(names, 5.0), &shape);
                assert!(text.lines().count() <= height, "{names} names in {height} lines:\n{text}");
                assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
                assert!(names == 0 || text.contains("name0"), "{text}");
            }
        }
    }

    #[test]
    fn all_is_shown_or_summed_up() {
        let check = |names: usize, others: f64, rows: usize, expected_lines: usize, expected_rest: f64| {
            let lines = ranked(&ranking(names, others), 1_000.0, rows);
            assert_eq!(lines.len(), expected_lines, "{lines:?}");
            let rest = lines.iter().find_map(|line| line.split_once(" %  all others"));
            let rest = rest
                .map_or(0.0, |(rate, _)| rate.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(-1.0));
            assert!((rest - expected_rest).abs() < 0.06, "{lines:?}");
        };
        check(0, 0.0, 5, 1, 0.0);
        check(3, 0.0, 5, 3, 0.0);
        check(5, 0.0, 5, 5, 0.0);
        check(5, 1.0, 6, 6, 1.0);
        check(5, 1.0, 5, 5, 20.0 + 1.0);
        check(5, 0.0, 3, 3, 33.3 + 25.0 + 20.0);
    }

    #[test]
    fn figures_are_honest() {
        let text = |top: Top| table(&top, &Shape { width: None, height: None, paint: Paint::Plain });
        assert!(text(top(1, 0.0)).contains("1,234 queries a second over 10 s"));
        assert!(text(top(1, 0.0)).contains("heard 123 of them, one in 100, and counted up\n"));
        assert!(text(Top { heard: 20_134, ..top(1, 0.0) }).contains("heard 20,134 of them"));
        assert!(text(Top { lost: 7, ..top(1, 0.0) }).contains("; 7 more found no room"));
        assert!(text(Top { sampled: 1.0, ..top(1, 0.0) }).contains("heard all of them, 123\n"));
        assert!(text(Top { heard: 0, rate: 0.0, ..top(0, 0.0) }).contains("nothing was asked"));
        let bold = table(&top(1, 0.0), &Shape { width: None, height: None, paint: Paint::Bold });
        assert!(bold.contains("\x1b[1mnames\x1b[0m\n") && !bold.contains("\x1b[1m  "));
        for (rate, expected) in [(0.04, "0.0"), (12.34, "12.3"), (99.96, "100"), (1_234.5, "1,234"), (1e6, "1,000,000")]
        {
            assert_eq!(rate_text(rate), expected);
        }
    }
}
