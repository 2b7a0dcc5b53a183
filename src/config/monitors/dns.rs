//! `dns = { … }`: a query and the response that it must have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::faults::{Faults, shown, suggestion};
use super::super::table::{Item, Keys};
use super::super::words::host;
use super::given;
use crate::probe::{DnsProbe, DnsTransport, Rcode};

const DNS: Keys = Keys::only(&["name", "type", "port", "rcode", "answer", "transport", "recursion"]);

/// The types that are asked for: those that a zone's own data has.
const TYPES: [&str; 10] = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];

/// Records that an answer may have to have; more than any check wants, and a bound on what a probe compares.
const ANSWER_MAX: usize = 100;

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<DnsProbe> {
    let table = item.table("`dns`", &DNS, r#"{ name = "www.example.com" }"#, faults)?;
    let name = table.require("name", "\"www.example.com\"", faults);
    let name = name.and_then(|item| host(item, "www.example.com", faults)).map(|name| name.to_string());
    let record_type =
        given(&table, "type", "A", |item| word(item, "A", "type", TYPES.iter().map(|&word| (word, word)), faults));
    let port = given(&table, "port", 53, |item| item.integer(1..=u16::MAX, faults));
    let rcode = given(&table, "rcode", Rcode(0), |item| word(item, "NOERROR", "rcode", Rcode::named(), faults));
    let transports = [("UDP", DnsTransport::Udp), ("TCP", DnsTransport::Tcp)].into_iter();
    let transport =
        given(&table, "transport", DnsTransport::Udp, |item| word(item, "udp", "transport", transports, faults));
    let recursion = given(&table, "recursion", false, |item| item.boolean(faults));
    let answer = given(&table, "answer", Vec::new(), |item| answer(item, record_type?, faults));
    Some(DnsProbe {
        port: port?,
        name: name?,
        record_type: record_type?.to_owned(),
        rcode: rcode?,
        answer: answer?,
        transport: transport?,
        recursion: recursion?,
    })
}

/// One of `known`, in any case.
fn word<T>(
    item: Item<'_>,
    example: &str,
    what: &str,
    known: impl Iterator<Item = (&'static str, T)> + Clone,
    faults: &mut Faults<'_>,
) -> Option<T> {
    let text = item.string(example, faults)?;
    let found = known.clone().find(|(word, _)| word.eq_ignore_ascii_case(text));
    if found.is_none() {
        let words: Vec<_> = known.map(|(word, _)| word).collect();
        let help = suggestion(&text.to_ascii_uppercase(), words, &format!("known {what}s"));
        faults.error(item.span, format!("unknown {what} \"{}\"", shown(text))).help(help);
    }
    found.map(|(_, value)| value)
}

/// One datum of a record, or several, all of which the answer must have.
fn answer(item: Item<'_>, record_type: &str, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    let elements = if item.value.as_array().is_some() { item.elements("[\"192.0.2.1\"]", faults)? } else { vec![item] };
    if elements.len() > ANSWER_MAX {
        faults.error(item.span, format!("`answer` can list {ANSWER_MAX} records, found {}", elements.len()));
        return None;
    }
    let mut sound = true;
    let mut data = Vec::new();
    for element in elements {
        match datum(element, record_type, faults) {
            Some(datum) => data.push(datum),
            None => sound = false,
        }
    }
    sound.then_some(data)
}

fn datum(item: Item<'_>, record_type: &str, faults: &mut Faults<'_>) -> Option<String> {
    let text = item.string("192.0.2.1", faults)?;
    let (datum, example) = match record_type {
        "A" => (text.parse().map(|address: Ipv4Addr| IpAddr::V4(address)), "192.0.2.1"),
        "AAAA" => (text.parse().map(|address: Ipv6Addr| IpAddr::V6(address)), "2001:db8::1"),
        _ if text.is_empty() => {
            faults.error(item.span, "`answer` is empty: leave it out");
            return None;
        }
        _ => return Some(text.to_owned()),
    };
    if datum.is_err() {
        faults
            .error(item.span, format!("`answer` must be data of type {record_type}, found \"{}\"", shown(text)))
            .help(format!("write an address such as \"{example}\", or give another `type`"));
    }
    datum.ok().map(|address| address.to_string())
}
