//! The corners of DNS as data (`tests/corners`), put to BIND, NSD and Knot: what they say must be what is written
//! there, or differ where a line of the case says so, and why. A line that nobody needs fails.
//!
//! Names are compared without their case, which some keep and some do not; the OPT record by whether it is there
//! and DO; the additional section in referrals, since elsewhere it is a courtesy (RFC 1034 §4.3.2 step 6); of an
//! answer that is cut, only the head (RFC 2181 §9). Whether a message without an answer repeats its question is
//! everybody's own choice.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::authority::{Authority, Kind};
use crate::support::client::{Client, exchange_tcp};
use crate::support::corners::{Case, Corners, shown};

#[test]
fn bind_says_what_is_written() {
    compare(Kind::Bind);
}

#[test]
fn nsd_says_what_is_written() {
    compare(Kind::Nsd);
}

#[test]
fn knot_says_what_is_written() {
    compare(Kind::Knot);
}

/// How long a make that may be silent is waited for.
const SILENCE: Duration = Duration::from_millis(300);

fn compare(kind: Kind) {
    let mut report = String::new();
    for corners in Corners::all().iter().filter(|corners| corners.ours_alone.is_none()) {
        let zones: Vec<(&str, &str)> = corners
            .files
            .iter()
            .filter_map(|(name, text)| Some((name.strip_suffix(".zone")?, text.as_str())))
            .collect();
        let Some(peer) = Authority::serving_all(kind, &zones) else { return };
        let client = Client::to(peer.address);
        for case in &corners.cases {
            let asked = case.ask();
            let comes_by = |door: &str| asked.over.is_empty() || asked.over.iter().any(|over| over == door);
            let response = if comes_by("udp") {
                client.exchange_within(&asked.octets, SILENCE).unwrap_or_default()
            } else if comes_by("tcp") {
                exchange_tcp(peer.address, &asked.octets).unwrap_or_default()
            } else {
                continue;
            };
            let found = shown(&asked.octets, &response);
            let differing = differing(&case.expected, &found);
            let unexplained = explained(case, kind, &differing, &mut report);
            if !unexplained.is_empty() {
                let place = format!("{}:{}", corners.path.display(), case.line);
                report += &format!("{place}: {} by {kind}: {unexplained:?}\n  {}\n", case.question, found.join("\n  "));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// What differs without a reason. A reason of this make's own that is not needed is reported.
fn explained<'d>(case: &Case, kind: Kind, differing: &BTreeSet<&'d str>, report: &mut String) -> BTreeSet<&'d str> {
    let mut left = differing.clone();
    for leeway in &case.leeway {
        if leeway.who == kind.to_string() && !leeway.parts.iter().any(|part| differing.contains(part.as_str())) {
            *report += &format!("{}: {kind} needs no leeway: {}\n", case.line, leeway.why);
        }
        if leeway.who == "all" || leeway.who == kind.to_string() {
            left.retain(|part| !leeway.parts.iter().any(|allowed| allowed == part));
        }
    }
    left
}

fn differing(expected: &[String], found: &[String]) -> BTreeSet<&'static str> {
    let head = |lines: &[String]| lines.first().cloned().unwrap_or_default();
    let part = |lines: &[String], part: &str| -> Vec<String> {
        let mut lines: Vec<_> =
            lines.iter().skip(1).filter(|line| line.starts_with(part)).map(|line| line.to_lowercase()).collect();
        lines.sort();
        lines
    };
    let opt = |lines: &[String]| part(lines, "opt ").first().map(|line| line.contains(" do"));
    let is_cut = head(expected).contains(" tc");
    let is_referral =
        !head(expected).contains(" aa") && !part(expected, "ns ").is_empty() || !part(expected, "ar ").is_empty();
    let mut differing = BTreeSet::new();
    if head(expected) != head(found) {
        differing.insert("head");
    }
    for name in ["an", "ns", "ar"] {
        let is_compared = !is_cut && (name != "ar" || is_referral);
        if is_compared && part(expected, &format!("{name} ")) != part(found, &format!("{name} ")) {
            differing.insert(name);
        }
    }
    if opt(expected) != opt(found) {
        differing.insert("opt");
    }
    differing
}
