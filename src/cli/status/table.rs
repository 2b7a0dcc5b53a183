//! How everything stands, as a table that fits a terminal.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::super::reload::outcome;
use super::super::steer::when;
use super::super::terminal::{cut, span};
use crate::admin::api::{
    EndpointStatus, Families, Force, Forced, LogStatus, NameStatus, PoolStatus, ReloadOutcome, Status, Target, Verdict,
    ZoneStatus,
};

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Escape sequences of ECMA-48.
    Colours,
    /// Text alone.
    Plain,
}

/// How good or bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    /// Not as it was wished, or not sure.
    Odd,
    Bad,
    /// Nothing to be said of it.
    Plain,
}

impl Mood {
    /// What stands before the line.
    const fn mark(self) -> char {
        match self {
            Self::Bad | Self::Odd => '!',
            Self::Good | Self::Plain => ' ',
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Good => "\x1b[32m",
            Self::Odd => "\x1b[33m",
            Self::Bad => "\x1b[31m",
            Self::Plain => "",
        }
    }
}

/// A line of the table: what it is about, what is given, how that stands, for how long, and what is to be said.
struct Row([String; 5], Mood);

const HEADS: [&str; 5] = ["pool/endpoint", "gives", "stands", "for", "why"];

/// What a server gives as the cause of its first load, of which nothing is to be said.
const START: &str = "start";

/// All of it, in lines of at most `width` characters, where there is such a width.
pub(super) fn table(status: &Status, width: Option<usize>, paint: Paint) -> String {
    let look = Look { width, paint };
    let mut text = String::new();
    for alarm in &status.alarms {
        for (at, line) in look.wrapped(alarm, 2).enumerate() {
            let mark = if at == 0 { '!' } else { ' ' };
            let _ = writeln!(text, "{}", look.painted(&format!("{mark} {line}"), 0..usize::MAX, Mood::Bad));
        }
    }
    if let Some(last) = status.reload.as_ref().filter(|last| last.outcome == ReloadOutcome::Done && last.cause != START)
    {
        let at = last.at.to_zoned(TimeZone::system()).strftime("%F %T").to_string();
        let line = format!("{at} {}, by: {}", outcome(last), last.cause);
        let _ = writeln!(text, "{}\n", cut(&line, width));
    }
    if let Some(log) = &status.dnstap {
        let _ = writeln!(text, "{}\n", cut(&query_log(log), width));
    }
    let mut zones: Vec<(bool, &ZoneStatus)> = status.zones.iter().map(|zone| (is_well(zone), zone)).collect();
    // What is bad comes first, else all stays in its order.
    zones.sort_by_key(|(well, _)| *well);
    for (_, zone) in zones {
        let _ = writeln!(text, "zone {}", zone.zone);
        names(&mut text, &zone.names, look);
        if !zone.pools.is_empty() {
            rows(&mut text, &pools(status, zone), look);
        }
        text.push('\n');
    }
    let unmatched = status.overrides.iter().filter(|known| !known.matched).map(|known| {
        let why = format!("there is no such thing now; {}", by(&known.forced));
        Row(
            [
                format!("{} {}", known.target.zone, known.target),
                String::new(),
                forced(known.forced.force),
                String::new(),
                why,
            ],
            Mood::Odd,
        )
    });
    let unmatched: Vec<Row> = unmatched.collect();
    if !unmatched.is_empty() {
        text += "forced, but not in the files\n";
        rows(&mut text, &unmatched, look);
    }
    text
}

/// What became of the query log, in a line.
fn query_log(log: &LogStatus) -> String {
    let LogStatus { open: _, opened, written, dropped_full, dropped_no_reader } = log;
    let opened = if *opened == 1 { "once".to_owned() } else { format!("{opened} times") };
    format!(
        "query log: {written} written, {dropped_full} dropped for want of room, {dropped_no_reader} for want of a \
         reader; opened {opened}"
    )
}

/// Whether nothing of a zone bears a mark.
fn is_well(zone: &ZoneStatus) -> bool {
    let well = |mood: Mood| mood.mark() == ' ';
    zone.names.iter().all(|name| well(name_mood(name)))
        && zone
            .pools
            .iter()
            .all(|pool| well(pool_mood(pool)) && pool.endpoints.iter().all(|endpoint| well(endpoint_mood(endpoint))))
}

fn name_mood(name: &NameStatus) -> Mood {
    if name.last_resort || !lives(name.alive) { Mood::Bad } else { Mood::Plain }
}

fn pool_mood(pool: &PoolStatus) -> Mood {
    match &pool.forced {
        Some(_) => Mood::Odd,
        None if !lives(pool.alive) => Mood::Bad,
        None if [pool.alive.ipv4, pool.alive.ipv6].contains(&Some(false)) => Mood::Odd,
        None => Mood::Good,
    }
}

fn endpoint_mood(endpoint: &EndpointStatus) -> Mood {
    let ends_soon = endpoint.probes.iter().any(|probe| probe.certificate_ends_soon);
    match (&endpoint.forced, endpoint.judged) {
        (Some(_), _) => Mood::Odd,
        (None, Some(Verdict::Down)) => Mood::Bad,
        (None, Some(Verdict::Suspect | Verdict::Recovering)) => Mood::Odd,
        _ if ends_soon || endpoint.held_by_wave => Mood::Odd,
        (None, Some(Verdict::Up)) => Mood::Good,
        (None, Some(Verdict::Unknown) | None) => Mood::Plain,
    }
}

fn names(text: &mut String, names: &[NameStatus], look: Look) {
    let longest = names.iter().map(|name| name.name.chars().count()).max().unwrap_or(0);
    for name in names {
        let budget = match name.failover {
            Some(failover) => format!("failover {}", span(Duration::from_secs_f64(failover))),
            None => "nothing probed".to_owned(),
        };
        let note = match (name.last_resort, lives(name.alive)) {
            (true, _) => "answers with what is out: nothing else is left",
            (false, false) => "nothing lives",
            (false, true) => "",
        };
        let (owner, pool, mood) = (&name.name, &name.pool, name_mood(name));
        let line = format!(
            "{} {owner:longest$}  pool {pool}  ttl {}s to {}s  {budget}",
            mood.mark(),
            name.ttl_min,
            name.ttl_max
        );
        look.noted(text, &line, usize::MAX..usize::MAX, (note, mood), mood);
    }
}

fn pools(status: &Status, zone: &ZoneStatus) -> Vec<Row> {
    let mut rows = vec![Row(HEADS.map(str::to_owned), Mood::Plain)];
    for pool in &zone.pools {
        let target = Target { zone: zone.zone.clone(), pool: pool.pool.clone(), endpoint: None };
        let stands = pool.forced.as_ref().map_or_else(|| stands(pool.alive), |of| forced(of.force));
        rows.push(Row(
            [pool.pool.clone(), pool.policy.clone(), stands, String::new(), why_of_pool(status, &target, pool)],
            pool_mood(pool),
        ));
        for endpoint in &pool.endpoints {
            let target = Target { endpoint: Some(endpoint.endpoint.clone()), ..target.clone() };
            rows.push(row(status, &target, endpoint));
        }
    }
    rows
}

fn row(status: &Status, target: &Target, endpoint: &EndpointStatus) -> Row {
    let stands = match (&endpoint.forced, endpoint.judged) {
        (Some(of), Some(judged)) => format!("{} (probed {judged})", forced(of.force)),
        (Some(of), None) => forced(of.force),
        (None, Some(judged)) => judged.to_string(),
        (None, None) => "up, not probed".to_owned(),
    };
    let gives = if endpoint.gives == endpoint.endpoint { String::new() } else { endpoint.gives.clone() };
    let age = match &endpoint.forced {
        Some(of) => Some(status.at.duration_since(of.since).as_secs_f64()),
        None => endpoint.age,
    };
    let reason = reason(endpoint);
    let why = why(status, target, endpoint.forced.as_ref(), (!reason.is_empty()).then_some(&*reason));
    let cells = [format!("  {}", endpoint.endpoint), gives, stands, age.map(age_text).unwrap_or_default(), why];
    Row(cells, endpoint_mood(endpoint))
}

/// Why it stands so: what its probes found, and what it waits for.
fn reason(endpoint: &EndpointStatus) -> String {
    let mut words: Vec<String> = endpoint.reason.iter().cloned().collect();
    if endpoint.held_by_wave {
        words.push("down, but held: too many failed at once".to_owned());
    }
    for probe in &endpoint.probes {
        match probe.held {
            Some(held) => words.push(format!("held down for another {}", age_text(held))),
            None if probe.state == "awaiting" => words.push("well again, awaits `bellwether auto`".to_owned()),
            None => {}
        }
    }
    if let Some(share) = endpoint.share {
        words.push(format!("slow start, {:.0}% of its weight", share * 100.0));
    }
    let soon = endpoint.probes.iter().filter(|probe| probe.certificate_ends_soon);
    if let Some(days) = soon.filter_map(|probe| probe.certificate_days).reduce(f64::min) {
        // Whole days, as the log counts them.
        words.push(format!("its certificate ends in {:.0} days", days.floor()));
    }
    words.join("; ")
}

/// What is to be said of a pool: who forced it, and of which pools it is.
fn why_of_pool(status: &Status, target: &Target, pool: &PoolStatus) -> String {
    let members = (!pool.pools.is_empty()).then(|| format!("of {}", pool.pools.join(", ")));
    why(status, target, pool.forced.as_ref(), members.as_deref())
}

fn lives(alive: Families) -> bool {
    alive.ipv4.unwrap_or(false) || alive.ipv6.unwrap_or(false)
}

fn stands(alive: Families) -> String {
    match (alive.ipv4, alive.ipv6) {
        (Some(true), Some(false)) => "alive, not by IPv6",
        (Some(false), Some(true)) => "alive, not by IPv4",
        _ if lives(alive) => "alive",
        _ => "dead",
    }
    .to_owned()
}

fn forced(force: Force) -> String {
    match force {
        Force::Up => "forced up",
        Force::Down => "forced down",
        Force::Drain => "drained",
    }
    .to_owned()
}

fn by(forced: &Forced) -> String {
    let reason = forced.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("by {}{reason}", forced.who)
}

fn why(status: &Status, target: &Target, forced: Option<&Forced>, reason: Option<&str>) -> String {
    let Some(forced) = forced else { return reason.unwrap_or_default().to_owned() };
    let stop = status.overrides.iter().find(|known| known.target == *target).and_then(|known| known.stop.as_ref());
    // What it is waited for comes first: the end of a line may not fit.
    let stop = stop.map(|stop| format!("{}; ", when(stop))).unwrap_or_default();
    let reason = reason.map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("{stop}{}{reason}", by(forced))
}

/// In the greatest unit that fits: `40s`, `12m`, `3h`, `5d`.
fn age_text(seconds: f64) -> String {
    match seconds as u64 {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// Characters that are left of what an endpoint gives, at the least, where there is no room for all of it.
const GIVES_LEAST: usize = 9;

fn rows(text: &mut String, rows: &[Row], look: Look) {
    let longest = |column: usize| rows.iter().map(|Row(cells, _)| cells[column].chars().count()).max().unwrap_or(0);
    let [a, mut b, c, d]: [usize; 4] = std::array::from_fn(longest);
    // How it stands and why is what is looked for, so room is made here.
    let rest = 2 + a + 2 + 2 + c + 2 + d;
    b = b.min(look.width.map_or(b, |width| width.saturating_sub(rest).max(GIVES_LEAST)));
    for Row([what, gives, stands, age, why], mood) in rows {
        let gives = cut(gives, Some(b));
        let line = format!("{} {what:a$}  {gives:b$}  {stands:c$}  {age:>d$}", mood.mark());
        let at = 2 + a + 2 + b + 2;
        if what == HEADS[0] {
            let _ = writeln!(text, "{}", cut(&format!("{line}  {why}"), look.width));
            continue;
        }
        look.noted(text, &line, at..at + stands.chars().count(), (why, Mood::Plain), *mood);
    }
}

/// How lines are to look.
#[derive(Clone, Copy)]
struct Look {
    width: Option<usize>,
    paint: Paint,
}

/// By how much a note is indented that has lines of its own.
const NOTE_INDENT: usize = 6;

impl Look {
    /// Writes `line`, with the characters of `part` in the colour of `mood`, and the note behind it; or below it, where
    /// there is no room.
    fn noted(self, text: &mut String, line: &str, part: Range<usize>, (note, of_note): (&str, Mood), mood: Mood) {
        let whole = format!("{line}  {note}");
        let (whole, end) = (whole.trim_end(), line.chars().count() + 2);
        if self.width.is_none_or(|width| whole.chars().count() <= width) {
            let part = if of_note == Mood::Plain { part } else { end..usize::MAX };
            let _ = writeln!(text, "{}", self.painted(whole, part, mood));
            return;
        }
        let _ = writeln!(text, "{}", self.painted(line.trim_end(), part, mood));
        for line in self.wrapped(note, NOTE_INDENT) {
            let line = format!("{:NOTE_INDENT$}{line}", "");
            let _ = writeln!(text, "{}", self.painted(&line, 0..usize::MAX, of_note));
        }
    }

    /// `text` in lines that leave room for `indent` characters.
    fn wrapped(self, text: &str, indent: usize) -> impl Iterator<Item = String> {
        let width = self.width.map_or(usize::MAX, |width| width.saturating_sub(indent));
        let mut lines: Vec<String> = Vec::new();
        for word in text.split(' ') {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.into_iter()
    }

    /// `line`, as much as fits, with the characters of `part` in the colour of `mood`.
    fn painted(self, line: &str, part: Range<usize>, mood: Mood) -> String {
        const PLAIN: &str = "\x1b[0m";
        let line = cut(line, self.width);
        if self.paint == Paint::Plain || mood == Mood::Plain {
            return line;
        }
        let octet = |character: usize| line.char_indices().nth(character).map_or(line.len(), |(octet, _)| octet);
        let (before, rest) = line.split_at(octet(part.start));
        let (within, after) = rest.split_at(octet(part.end) - before.len());
        if within.is_empty() {
            return line;
        }
        format!("{before}{}{within}{PLAIN}{after}", mood.colour())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_ages_fit() {
        for (seconds, text) in
            [(0.4, "0s"), (119.0, "119s"), (120.0, "2m"), (7_199.0, "119m"), (7_200.0, "2h"), (172_800.0, "2d")]
        {
            assert_eq!(age_text(seconds), text);
        }
        assert_eq!(cut("safe to stop", None), "safe to stop");
        assert_eq!(cut("safe to stop", Some(12)), "safe to stop");
        assert_eq!(cut("safe to stop", Some(11)), "safe to st…");
        let look = |width, paint| Look { width, paint };
        assert_eq!(look(None, Paint::Plain).painted("a down", 2..6, Mood::Bad), "a down");
        assert_eq!(look(None, Paint::Colours).painted("ä down x", 2..6, Mood::Bad), "ä \x1b[31mdown\x1b[0m x");
        assert_eq!(look(Some(4), Paint::Colours).painted("a down x", 2..6, Mood::Good), "a \x1b[32md…\x1b[0m");
        assert_eq!(look(Some(2), Paint::Colours).painted("a down x", 2..6, Mood::Good), "a…");
    }

    /// What is looked for is there however narrow the terminal is; what an endpoint gives has to go first.
    #[test]
    fn how_it_stands_and_why_is_never_cut_away() {
        let row = |cells: [&str; 5], mood| Row(cells.map(str::to_owned), mood);
        let drained = "safe to stop at 17:37:14 (in 21s); by ada: new kernel";
        let all = [
            row(HEADS, Mood::Plain),
            row(["site", "failover", "alive, not by IPv6", "", "of frankfurt, virginia"], Mood::Odd),
            row(["  fra1", "127.0.0.11", "drained (probed up)", "4s", drained], Mood::Odd),
            row(["  fra1-v6", "2001:db8::1234:5678:9abc", "down", "4s", "connection refused"], Mood::Bad),
        ];
        let lines = |width, paint| {
            let mut text = String::new();
            rows(&mut text, &all, Look { width, paint });
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            lines(Some(80), Paint::Plain),
            [
                "  pool/endpoint  gives                     stands               for  why",
                "! site           failover                  alive, not by IPv6",
                "      of frankfurt, virginia",
                "!   fra1         127.0.0.11                drained (probed up)   4s",
                "      safe to stop at 17:37:14 (in 21s); by ada: new kernel",
                "!   fra1-v6      2001:db8::1234:5678:9abc  down                  4s",
                "      connection refused",
            ]
        );
        assert_eq!(
            lines(Some(55), Paint::Plain)[2..],
            [
                "      of frankfurt, virginia",
                "!   fra1         127.0.0.11    drained (probed up)   4s",
                "      safe to stop at 17:37:14 (in 21s); by ada: new",
                "      kernel",
                "!   fra1-v6      2001:db8::1…  down                  4s",
                "      connection refused",
            ]
        );
        assert_eq!(lines(None, Paint::Plain).len(), all.len());
        assert!(lines(None, Paint::Plain)[2].ends_with(&format!("drained (probed up)   4s  {drained}")));
        assert!(lines(Some(80), Paint::Colours)[3].contains("\x1b[33mdrained (probed up)\x1b[0m"));
    }
}
