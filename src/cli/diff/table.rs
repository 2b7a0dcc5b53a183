//! What changes, as a table that fits a terminal.

use std::fmt::Write as _;

use super::super::terminal::cut;
use super::records;
use crate::diagnostic::plural;
use crate::preview::text::{percent, rtype};
use crate::preview::{Asked, Move, Moved, Moves, Record, RecordChange, Setting, Subject, Weight};
use crate::wire::name::Name;

/// Which rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// The first of each kind, [`ROWS_MAX`] of them.
    Weightiest,
    /// All.
    All,
}

/// Rows of each kind, where not all are wanted: together they fit a screen or two.
const ROWS_MAX: usize = 20;

/// Characters of a column that may be cut, where the terminal has no width.
const COLUMN_MAX: usize = 60;

/// All of it, in lines of at most `width` characters, where there is such a width.
pub(super) fn text(moves: &Moves, width: Option<usize>, rows: Rows) -> String {
    let mut page = Page { text: String::new(), width, rows };
    let _ = writeln!(page.text, "{}", summary(moves));
    page.moves(moves);
    page.names("zones that are new", '+', &moves.zones_added);
    page.names("zones that are gone", '-', &moves.zones_removed);
    page.names("balanced names that are new", '+', &moves.names_added);
    page.names("balanced names that are gone", '-', &moves.names_removed);
    page.settings(&moves.settings);
    page.records(&moves.records);
    page.text
}

/// One line for all.
fn summary(moves: &Moves) -> String {
    if moves.is_none() {
        return format!("nothing changes, in {}", plural(moves.names, "balanced name"));
    }
    let moving: usize = moves.moved.iter().map(|moved| moved.names.len()).sum();
    let mut words = match moving {
        0 => format!("no client moves, of {}", plural(moves.names, "balanced name")),
        _ => format!("clients of {moving} of {} move", plural(moves.names, "balanced name")),
    };
    if let Some(Asked { all, balanced, moved }) = moves.queries {
        let part = |count: f64| percent(count / (all as f64).max(1.0));
        let _ = write!(
            words,
            "; of {all} queries {} go elsewhere, {} were for these names",
            part(moved),
            part(balanced as f64)
        );
    }
    words
}

struct Page {
    text: String,
    width: Option<usize>,
    rows: Rows,
}

impl Page {
    /// Prints a heading and the first of `lines`, and how many there are behind them.
    fn list(&mut self, heading: &str, lines: impl ExactSizeIterator<Item = String>) {
        let count = lines.len();
        if count == 0 {
            return;
        }
        let _ = writeln!(self.text, "\n{heading}");
        let shown = if self.rows == Rows::All { count } else { count.min(ROWS_MAX) };
        for line in lines.take(shown) {
            let _ = writeln!(self.text, "{}", cut(&line, self.width));
        }
        if shown < count {
            let _ = writeln!(self.text, "  and {} more (--all)", count - shown);
        }
    }

    fn names(&mut self, heading: &str, mark: char, names: &[Name]) {
        self.list(heading, names.iter().map(|name| format!("  {mark} {name}")));
    }

    fn moves(&mut self, moves: &Moves) {
        let log = moves.queries.map(|asked| asked.all);
        let mut rows: Vec<(f64, &Moved, &Move, Option<u64>)> = Vec::new();
        for moved in &moves.moved {
            for (at, row) in moved.change.moves.iter().enumerate() {
                let asked = moved.asked.get(at).copied().filter(|_| log.is_some());
                let weight = asked.map_or(row.weight.rank() * moved.names.len() as f64, |asked| asked as f64);
                rows.push((weight * row.part, moved, row, asked));
            }
        }
        rows.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| first(one.1).cmp(&first(other.1))));
        let weighed = if log.is_some() { "queries" } else { "clients" };
        let mut table = vec![["name", "where", weighed, "answers"].map(str::to_owned)];
        for (_, moved, row, asked) in rows {
            let clients = match (asked, log, row.weight) {
                (Some(asked), Some(all), _) => percent(asked as f64 / (all as f64).max(1.0)),
                (_, _, Weight::Part(part)) => percent(part),
                (_, _, Weight::OnlyIpv6) => "IPv6".to_owned(),
                (_, _, Weight::Unknown) => String::new(),
            };
            let name = match &moved.names[..] {
                [] => String::new(),
                [name] => name.to_string(),
                [name, rest @ ..] => format!("{name} +{}", rest.len()),
            };
            for line in row.lines() {
                let family = line.family.map_or_else(String::new, |family| format!("{} ", rtype(family)));
                let answers = format!("{family}{} → {}", line.old, line.new);
                table.push([name.clone(), row.places_text(), clients.clone(), answers]);
            }
        }
        if table.len() > 1 {
            // As wide as what is shown.
            let shown = if self.rows == Rows::All { table.len() } else { table.len().min(ROWS_MAX + 1) };
            let longest = |column: usize| {
                let cells = table.iter().take(shown).map(|row| row[column].chars().count());
                cells.max().unwrap_or(0).min(self.width.map_or(COLUMN_MAX, |width| width / 3))
            };
            let widths: [usize; 3] = std::array::from_fn(longest);
            let mut lines = table.iter().map(|row| aligned(row, widths));
            let heading = lines.next().unwrap_or_default();
            let lines: Vec<String> = lines.collect();
            self.list(&cut(&heading, self.width), lines.into_iter());
        }
    }

    fn settings(&mut self, settings: &[Setting]) {
        // A key that many names change alike is one line.
        let mut groups: Vec<(&Setting, usize)> = Vec::new();
        let mut known = std::collections::HashMap::new();
        for setting in settings {
            let kind = matches!(setting.of, Subject::Name(_));
            let at = *known.entry((kind, setting.what, &setting.old, &setting.new)).or_insert_with(|| {
                groups.push((setting, 0));
                groups.len() - 1
            });
            if let Some((_, count)) = groups.get_mut(at) {
                *count += 1;
            }
        }
        let lines = groups.iter().map(|(setting, count)| {
            let of = match &setting.of {
                Subject::Name(name) => name.to_string(),
                Subject::Pool(pool) => format!("pool {pool} of {}", setting.zone),
            };
            let more = if *count > 1 { format!(" +{}", count - 1) } else { String::new() };
            format!("  {of}{more}  {}: {} → {}", setting.what, setting.old, setting.new)
        });
        self.list("settings", lines);
    }

    fn records(&mut self, changes: &[RecordChange]) {
        let mut lines = Vec::new();
        for change in changes {
            let RecordChange { owner, rtype, old, new } = change;
            let line = |mark: char, set: &Record, rdata: &[u8]| {
                format!("  {mark} {owner} {} {rtype} {}", set.ttl, records::text(*rtype, rdata))
            };
            for (mark, set, other) in [('-', old, new), ('+', new, old)] {
                let Some(set) = set else { continue };
                // Of a set whose TTL is the same only what differs.
                let same_ttl = other.as_ref().filter(|other| other.ttl == set.ttl);
                let kept =
                    |rdata: &[u8]| same_ttl.is_some_and(|other| other.rdata.iter().any(|other| **other == *rdata));
                lines.extend(set.rdata.iter().filter(|rdata| !kept(rdata)).map(|rdata| line(mark, set, rdata)));
            }
        }
        self.list("records", lines.into_iter());
    }
}

/// The first of the names that move alike, for an order among those of one weight.
fn first(moved: &Moved) -> Option<&[u8]> {
    moved.names.first().map(Name::as_wire)
}

fn aligned([name, place, clients, answers]: &[String; 4], [a, b, c]: [usize; 3]) -> String {
    let (name, place) = (cut(name, Some(a)), cut(place, Some(b)));
    format!("  {name:a$}  {place:b$}  {clients:>c$}  {answers}")
}
