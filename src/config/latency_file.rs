//! The latency table: `network,pool,rtt_ms`, a line for each measurement.
//!
//! ```text
//! network,pool,rtt_ms          a line of headings may stand first
//! 203.0.113.0/24,frankfurt,12.5
//! AS64500,frankfurt,31         an AS number
//! DE,virginia,95               a country
//! # what begins so is passed over, as are empty lines
//! ```
//!
//! What a pool is called is seen when the zones are read: one table serves all of them.

use std::collections::HashMap;
use std::path::Path;

use super::FILE_OCTETS_MAX;
use super::faults::{Faults, Span, shown};
use super::words::check_label;
use crate::diagnostic::{Diagnostic, Place};
use crate::geo::{self, Claim, Country, Network, RTT_MS_MAX, RttTable, Sample, parse_asn};

/// Pools and endpoints that one table names, at the most: their numbers take two octets in each line held.
const POOLS_MAX: usize = 1 << 16;

/// Octets of a first field that is looked at: more than an IPv6 network takes in any form.
const CLIENTS_OCTETS_MAX: usize = 64;

const COLUMNS: [&str; 3] = ["network", "pool", "rtt_ms"];

/// What a table says.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    pub(super) table: RttTable,
    /// Where each of the table's pools is first named.
    pub(super) named: Vec<Place>,
}

/// Reads `text`, a latency table; `file` is where it lies. Comes with errors, on which there is nothing else, and
/// with warnings.
pub(super) fn read_latency(file: &Path, text: &str) -> (Option<Latency>, Vec<Diagnostic>) {
    if text.len() > FILE_OCTETS_MAX {
        let message = format!("a latency table cannot be longer than {FILE_OCTETS_MAX} octets");
        return (None, vec![Diagnostic::error(Place::of_file(file), message)]);
    }
    let mut faults = Faults::new(file, text);
    let mut reader = Reader { numbers: HashMap::new(), named: Vec::new(), lines: Vec::new() };
    let (mut start, mut first) = (0, true);
    for line in text.split_inclusive('\n') {
        // Spreadsheets begin a file with a mark of its encoding.
        let marked = line.trim_start_matches('\u{feff}');
        let row = trimmed(marked, start + line.len() - marked.len());
        start += line.len();
        if row.0.is_empty() || row.0.starts_with('#') {
            continue;
        }
        let is_heading = std::mem::take(&mut first) && row.0.split(',').map(|field| unquoted((field, 0)).0).eq(COLUMNS);
        if !is_heading {
            reader.line(row, &mut faults);
        }
    }
    let latency = reader.finish(&mut faults);
    (Some(latency).filter(|_| !faults.any_error()), faults.finish())
}

/// A part of the text and where it starts.
type Part<'a> = (&'a str, usize);

fn trimmed(text: &str, start: usize) -> Part<'_> {
    let kept = text.trim_start();
    (kept.trim_end(), start + text.len() - kept.len())
}

/// A field without the spaces around it, and without the quotes that some programs write.
fn unquoted((text, start): Part<'_>) -> Part<'_> {
    let (text, start) = trimmed(text, start);
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => (inner, start + 1),
        None => (text, start),
    }
}

fn span((text, start): Part<'_>) -> Span {
    Span::from(start..start + text.len())
}

struct Reader<'a> {
    numbers: HashMap<&'a str, u16>,
    named: Vec<(&'a str, Span)>,
    /// Each with the place of its network.
    lines: Vec<(Sample, Span)>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, row: Part<'a>, faults: &mut Faults<'_>) {
        let mut at = row.1;
        let mut fields = row.0.split(',').map(|field| {
            let part = unquoted((field, at));
            at += field.len() + 1;
            part
        });
        let (Some(network), Some(pool), Some(rtt), None) = (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            let count = row.0.split(',').count();
            let has = if count == 1 { "1 field".to_owned() } else { format!("{count} fields") };
            faults
                .error(span(row), format!("a line of the table has 3 fields, this one has {has}"))
                .help("write network,pool,rtt_ms, as 203.0.113.0/24,frankfurt,12.5");
            return;
        };
        let clients = clients(network, faults);
        let pool = self.pool(pool, faults);
        let rtt_us = rtt_us(rtt, faults);
        if let (Some(clients), Some(pool), Some(rtt_us)) = (clients, pool, rtt_us) {
            self.lines.push((Sample { clients, pool, rtt_us }, span(network)));
        }
    }

    /// The number of the pool of that name.
    fn pool(&mut self, part: Part<'a>, faults: &mut Faults<'_>) -> Option<u16> {
        if let Some(&number) = self.numbers.get(part.0) {
            return Some(number);
        }
        if !check_label(part.0, span(part), "a pool", faults) {
            return None;
        }
        let Some(number) = u16::try_from(self.named.len()).ok().filter(|_| self.named.len() < POOLS_MAX) else {
            faults.error(span(part), format!("a latency table can name {POOLS_MAX} pools, this is one more"));
            return None;
        };
        self.numbers.insert(part.0, number);
        self.named.push((part.0, span(part)));
        Some(number)
    }

    fn finish(mut self, faults: &mut Faults<'_>) -> Latency {
        // Stable, so that of equal ones the last in the file stays the last.
        self.lines.sort_by_key(|(sample, _)| (sample.clients, sample.pool));
        for pair in self.lines.windows(2) {
            let [(first, above), (second, below)] = pair else { continue };
            if (first.clients, first.pool) == (second.clients, second.pool) {
                let pool = self.named.get(usize::from(first.pool)).map_or("", |&(name, _)| name);
                faults
                    .warning(*above, format!("a later line says the same of these clients and `{pool}`: it counts"))
                    .other(*below, "this one counts");
            }
        }
        let samples = self.lines.into_iter().map(|(sample, _)| sample).collect();
        let pools = self.named.iter().map(|&(name, _)| name.into()).collect();
        let named = self.named.iter().map(|&(_, span)| faults.place(span)).collect();
        Latency { table: RttTable::of(pools, samples), named }
    }
}

/// A network, an AS number or a country.
fn clients(part: Part<'_>, faults: &mut Faults<'_>) -> Option<Claim> {
    let text = part.0;
    let digits = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let is_asn = text.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("AS")) && digits(&text[2..]);
    let read = if text.len() > CLIENTS_OCTETS_MAX || text.contains(char::is_control) {
        Err(geo::Fault {
            message: format!("`{}` is neither a network, an AS number nor a country", shown(text)),
            help: None,
        })
    } else if text.contains(['.', ':', '/']) {
        Network::parse(text).map(Claim::Network)
    } else if is_asn {
        parse_asn(text).map(Claim::Asn)
    } else if digits(text) {
        Err(geo::Fault {
            message: format!("`{text}` is no network"),
            help: Some(format!("an AS number is `AS{text}`")),
        })
    } else {
        Country::parse(text).map(Claim::Country)
    };
    match read {
        Ok(claim) => Some(claim),
        Err(fault) => {
            let help = fault
                .help
                .unwrap_or_else(|| "a network is `203.0.113.0/24`, an AS number `AS64500`, a country `DE`".to_owned());
            faults.error(span(part), fault.message).help(help);
            None
        }
    }
}

/// Milliseconds with or without a fraction, in microseconds.
fn rtt_us(part: Part<'_>, faults: &mut Faults<'_>) -> Option<u32> {
    let text = part.0;
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    let ms = text.parse::<f64>().ok().filter(|_| is_number);
    if let Some(ms) = ms.filter(|&ms| ms > 0.0 && ms <= f64::from(RTT_MS_MAX)) {
        // What is shorter than a microsecond is one.
        return Some(((ms * 1_000.0).round() as u32).max(1));
    }
    let unit = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let help = match ms {
        None if unit.len() < text.len() && unit.parse::<f64>().is_ok() => {
            format!("write milliseconds without their unit: {}", shown(unit))
        }
        Some(ms) if ms > 0.0 => "milliseconds are meant; what takes longer than a minute is not reached".to_owned(),
        _ => "write milliseconds, as 23.5".to_owned(),
    };
    let message = format!("`rtt_ms` must be a number over 0 and up to {RTT_MS_MAX}, found \"{}\"", shown(text));
    faults.error(span(part), message).help(help);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that `text` has these faults, each "line:column part of the message / part of the help".
    fn check(text: &str, expected: &[&str]) {
        let (latency, faults) = read_latency(Path::new("t.csv"), text);
        let got: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(got.len(), expected.len(), "of {text:?}: {got:#?}");
        assert_eq!(latency.is_none(), got.iter().any(|fault| fault.contains(": error: ")), "{text:?}");
        for (got, expected) in got.iter().zip(expected) {
            let (at, rest) = expected.split_once(' ').expect("a place and a message");
            let (message, help) = rest.split_once(" / ").unwrap_or((rest, ""));
            assert!(got.starts_with(&format!("t.csv:{at}: ")), "{at} is not where: {got}");
            assert!(got.contains(message) && got.contains(help), "{expected:?} is not in: {got}");
        }
    }

    #[test]
    fn every_bad_line_is_listed() {
        check("", &[]);
        check(
            "network,pool,rtt_ms\n# a word\n\n 192.0.2.0/24 , fra , 12.5 \r\nAS64500,fra,1\nas64501,fra,60000\nDE,fra,0.0001",
            &[],
        );
        check("\u{feff}network,pool,rtt_ms\nDE,fra,1\nAS,fra,2\n\"FR\",\"fra\",\"3\"", &[]);
        check("DE,fra,1\nnetwork,pool,rtt_ms", &["2:1 `network` is not the code", "2:14 `rtt_ms` must be a number"]);
        check("192.0.2.1/24,fra,1", &["1:1 has bits set behind its prefix / the network is `192.0.2.0/24`"]);
        check("192.0.2.1,fra,1", &["1:1 has no prefix length / one address alone is `192.0.2.1/32`"]);
        check("UK,fra,1", &["1:1 `UK` is not the code / did you mean `GB`?"]);
        check("Germany,fra,1", &["1:1 `Germany` is not the code / an AS number `AS64500`, a country `DE`"]);
        check("64500,fra,1", &["1:1 `64500` is no network / an AS number is `AS64500`"]);
        check("AS0,fra,1", &["1:1 `AS0` is not an AS number / from 1 to"]);
        check(",fra,1", &["1:1 is not the code of a country"]);
        check(&format!("{},fra,1", "9".repeat(90)), &["1:1 is neither a network, an AS number nor a country / `203"]);
        check("DE,fra", &["1:1 has 3 fields, this one has 2 fields / write network,pool,rtt_ms"]);
        check("DE", &["1:1 this one has 1 field / write network,pool"]);
        check("DE,fra,1,2", &["1:1 this one has 4 fields"]);
        check("DE,,1", &["1:4 the name of a pool cannot be empty"]);
        check("DE,a/b,1", &["1:4 cannot have a `/`"]);
        check("DE,fra,0", &["1:8 over 0 and up to 60000, found \"0\" / as 23.5"]);
        check("DE,fra,-1", &["1:8 found \"-1\" / as 23.5"]);
        check("DE,fra,60000.1", &["1:8 found \"60000.1\" / longer than a minute"]);
        check("DE, fra,  25ms", &["1:11 found \"25ms\" / without their unit: 25"]);
        check("DE,fra,NaN", &["1:8 found \"NaN\""]);
        check("DE,fra,1e3", &["1:8 found \"1e3\""]);
        check(
            "DÉ,fra,1\nDE,fra,x,\nXX,fra,",
            &["1:1 `DÉ` is not the code", "2:1 this one has 4 fields", "3:1 `XX` is not the code", "3:8 found \"\""],
        );
    }

    #[test]
    fn a_line_that_comes_again_counts() {
        check(
            "192.0.2.0/24,fra,1\nDE,fra,2\n::ffff:192.0.2.0/120,fra,9\n192.0.2.0/24,iad,3",
            &["1:1 warning: a later line says the same of these clients and `fra`: it counts"],
        );
        let (latency, _) = read_latency(Path::new("t.csv"), "DE,fra,1\nDE,fra,2\nDE,iad,3");
        let latency = latency.expect("only warnings");
        assert_eq!(latency.table.samples().iter().map(|sample| sample.rtt_us).collect::<Vec<_>>(), [2_000, 3_000]);
        assert_eq!(latency.table.pools().iter().map(|name| &**name).collect::<Vec<_>>(), ["fra", "iad"]);
        assert_eq!(latency.named.iter().map(|place| (place.line, place.column)).collect::<Vec<_>>(), [(1, 4), (3, 4)]);
    }

    #[test]
    fn a_file_of_nothing_but_faults_stays_small() {
        let (latency, faults) = read_latency(Path::new("t.csv"), &"x\n".repeat(100_000));
        assert!(latency.is_none() && faults.len() == 1_001, "{}", faults.len());
    }
}
