//! `[monitors.NAME]`: how endpoints are judged.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::duration;
use super::faults::{Faults, Span, shown};
use super::table::{Item, Keys, Table};
use super::words::check_label;
use crate::health::{Timing, limits};
use crate::probe::{BODY_OCTETS_MAX, HttpProbe, Monitor, Probe, TlsCheck};
use crate::wire::name::Name;

const MONITOR: Keys = Keys {
    known: &["http", "https", "tcp", "interval", "fast", "timeout", "fall", "rise"],
    later: &["icmp", "ping", "grpc", "dns", "udp", "exec", "script", "push", "tls"],
    later_is: "probe",
    instead: &PROBES,
};

/// The probes, of which a monitor has exactly one.
const PROBES: [&str; 3] = ["http", "https", "tcp"];

const HTTP: Keys = Keys::only(&["path", "host", "port", "status", "body"]);
const HTTPS: Keys = Keys::only(&["path", "host", "port", "status", "body", "verify"]);
const TCP: Keys = Keys::only(&["port"]);

/// Octets of a path with its query; servers refuse longer ones (nginx and Apache httpd stop near 8,000).
const PATH_OCTETS_MAX: usize = 2_048;

/// The status codes that a response can have (RFC 9110 §15).
const STATUS_RANGE: RangeInclusive<u16> = 100..=599;

/// What counts as a success where nothing is said.
const STATUS: RangeInclusive<u16> = 200..=299;

/// A monitor as it stands in the file. One with faults keeps its name, so that what uses it is not faulted too.
pub(super) struct Entry {
    pub(super) key_span: Span,
    pub(super) monitor: Option<Arc<Monitor>>,
}

/// Reads all monitors, by name.
pub(super) fn read<'a>(monitors: Option<Item<'a>>, faults: &mut Faults<'_>) -> HashMap<&'a str, Entry> {
    let entries = monitors.map(|item| item.entries("[monitors.web]", faults)).unwrap_or_default();
    let mut read = HashMap::new();
    for item in entries {
        let named = check_label(item.key, item.key_span, "a monitor", faults);
        let monitor = monitor(item, faults).filter(|_| named).map(Arc::new);
        read.insert(item.key, Entry { key_span: item.key_span, monitor });
    }
    read
}

fn monitor(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Monitor> {
    let what = format!("monitor `{}`", shown(item.key));
    let table = item.table(&what, &MONITOR, r#"{ tcp = { port = 443 } }"#, faults)?;
    let timing = timing(&table, faults);
    let mut probes = PROBES.iter().filter_map(|key| table.get(key));
    let Some(first) = probes.next() else {
        if !table.is_meant(&PROBES) {
            faults
                .error(item.key_span, format!("{what} has no probe"))
                .help(format!("add one of {}, such as http = {{ path = \"/\" }}", PROBES.join(", ")));
        }
        return None;
    };
    if let Some(second) = probes.next() {
        faults
            .error(second.key_span, format!("{what} has two probes, `{}` and `{}`", first.key, second.key))
            .other(first.key_span, "the other one")
            .help("a monitor has exactly one: make two monitors of it");
        return None;
    }
    let probe = match first.key {
        "tcp" => tcp(first, faults),
        "https" => http(first, Scheme::Https, faults),
        _ => http(first, Scheme::Http, faults),
    };
    Some(Monitor { probe: probe?, timing: timing? })
}

/// The times and counts. What is not given is the default, or less where the interval is shorter than that.
fn timing(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Timing> {
    let interval_item = table.get("interval");
    let interval = given(table, "interval", limits::INTERVAL, |item| item.duration(limits::INTERVAL_RANGE, faults));
    let within = |default: Duration| interval.map_or(default, |interval| interval.min(default));
    let fast = given(table, "fast", within(limits::FAST), |item| item.duration(limits::FAST_RANGE, faults));
    let timeout = given(table, "timeout", within(limits::TIMEOUT), |item| item.duration(limits::TIMEOUT_RANGE, faults));
    let fall = given(table, "fall", limits::FALL, |item| item.integer(limits::TURN_RANGE, faults));
    let rise = given(table, "rise", limits::RISE, |item| item.integer(limits::TURN_RANGE, faults));
    let mut fits = true;
    for (key, span, reason) in [
        ("fast", fast, "fast is the shorter pace, kept while a verdict forms"),
        ("timeout", timeout, "a probe would still wait when the next one is due"),
    ] {
        let (Some(item), Some(span), Some(interval)) = (table.get(key), span, interval) else { continue };
        if span > interval {
            fits = false;
            let (span, interval) = (duration::text(span), duration::text(interval));
            let default = if interval_item.is_some() { "" } else { " (the default)" };
            let note = faults
                .error(item.span, format!("`{key}` of {span} is longer than the interval of {interval}{default}"))
                .help(format!("{reason}: give {interval} at the most, or a longer `interval`"));
            if let Some(interval) = interval_item {
                note.other(interval.span, "the interval");
            }
        }
    }
    let timing = Timing { interval: interval?, fast: fast?, timeout: timeout?, fall: fall?, rise: rise? };
    fits.then_some(timing)
}

/// What `read` makes of the value of `key`, or `default` where there is none.
fn given<'a, T>(table: &Table<'a>, key: &str, default: T, read: impl FnOnce(Item<'a>) -> Option<T>) -> Option<T> {
    table.get(key).map_or(Some(default), read)
}

fn tcp(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Probe> {
    let table = item.table("`tcp`", &TCP, "{ port = 443 }", faults)?;
    let port = table.require("port", "443", faults)?.integer(1..=u16::MAX, faults)?;
    Some(Probe::Tcp { port })
}

#[derive(Clone, Copy)]
enum Scheme {
    Http,
    Https,
}

fn http(item: Item<'_>, scheme: Scheme, faults: &mut Faults<'_>) -> Option<Probe> {
    let (what, keys, port_default) = match scheme {
        Scheme::Http => ("`http`", &HTTP, 80),
        Scheme::Https => ("`https`", &HTTPS, 443),
    };
    let table = item.table(what, keys, r#"{ path = "/healthz" }"#, faults)?;
    let path = given(&table, "path", "/".to_owned(), |item| path(item, faults));
    let host = given(&table, "host", None, |item| server_name(item, faults).map(Some));
    let port = given(&table, "port", port_default, |item| item.integer(1..=u16::MAX, faults));
    let status = given(&table, "status", vec![STATUS], |item| status(item, faults));
    let body = given(&table, "body", None, |item| body(item, faults).map(Some));
    let verify = given(&table, "verify", true, |item| item.boolean(faults));
    let tls = match (scheme, verify) {
        (Scheme::Http, _) => Some(None),
        (Scheme::Https, Some(true)) => Some(Some(TlsCheck::Verified)),
        (Scheme::Https, Some(false)) => Some(Some(TlsCheck::Unverified)),
        (Scheme::Https, None) => None,
    };
    Some(Probe::Http(HttpProbe { port: port?, path: path?, host: host?, status: status?, body: body?, tls: tls? }))
}

fn path(item: Item<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let text = item.string("/healthz", faults)?;
    let wrong = if !text.starts_with('/') {
        "must begin with `/`"
    } else if text.contains('#') {
        "cannot have a `#`: fragments are never sent"
    } else if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
        "can have only printable ASCII without spaces: write others as %XX"
    } else if text.len() > PATH_OCTETS_MAX {
        "cannot be longer than 2048 octets"
    } else {
        return Some(text.to_owned());
    };
    faults.error(item.span, format!("`path` {wrong}, found \"{}\"", shown(text)));
    None
}

/// A host as the Host header and the TLS handshake name it: letters, digits and hyphens, no final dot
/// (RFC 6066 §3), lower case. An address is refused: in a URL it would be where the probe connects to, and
/// every endpoint must be probed at its own.
fn server_name(item: Item<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let text = item.string("www.example.com", faults)?;
    let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let (wrong, help) = if is_address(&host) {
        ("must be a name, not an address", "leave it out, and each endpoint is asked for by its own address")
    } else if host.contains(':') {
        ("must be a name without a port", "the port has a key of its own: port = 8080")
    } else if !host.is_ascii() {
        ("must be in ASCII", "write an international name in its xn-- form")
    } else if !host.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_')) {
        ("can have only letters, digits, hyphens and dots", "write a host name such as \"www.example.com\"")
    } else if Name::from_host(&host).is_err() {
        ("must be a host name", "write a host name such as \"www.example.com\"")
    } else {
        return Some(host);
    };
    faults.error(item.span, format!("`host` {wrong}, found \"{}\"", shown(text))).help(help);
    None
}

/// Whether a URL would take `host` for an address: its last label is a number, decimal or hexadecimal (WHATWG
/// URL §3.5, "ends in a number").
fn is_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let digits = !last.is_empty() && last.bytes().all(|octet| octet.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|octet| octet.is_ascii_hexdigit()));
    digits || hexadecimal || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// The status codes, as ranges in order that neither overlap nor touch: equal sets are equal however written,
/// and there are no more than 250 of them.
fn status(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<RangeInclusive<u16>>> {
    let elements = item.elements(r#"["200-299", 304]"#, faults)?;
    if elements.is_empty() {
        faults
            .error(item.span, "`status` is empty, so that no answer would be a success")
            .help("leave it out for 200-299");
        return None;
    }
    let mut ranges = Vec::new();
    let mut sound = true;
    for element in elements {
        match status_range(element, faults) {
            Some(range) => ranges.push(range),
            None => sound = false,
        }
    }
    ranges.sort_by_key(|range| *range.start());
    ranges.dedup_by(|next, merged| {
        let joins = *next.start() <= merged.end().saturating_add(1);
        if joins {
            *merged = *merged.start()..=*merged.end().max(next.end());
        }
        joins
    });
    sound.then_some(ranges)
}

fn status_range(item: Item<'_>, faults: &mut Faults<'_>) -> Option<RangeInclusive<u16>> {
    if matches!(item.value, DeValue::Integer(_)) {
        return item.integer(STATUS_RANGE, faults).map(|code| code..=code);
    }
    let text = item.string("200-299", faults)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let code = |text: &str| text.trim().parse().ok().filter(|code| STATUS_RANGE.contains(code));
    match (code(first), code(last)) {
        (Some(first), Some(last)) if first <= last => Some(first..=last),
        _ => {
            faults
                .error(
                    item.span,
                    format!("\"{}\" is not a status code from 100 to 599, nor a range of them", shown(text)),
                )
                .help("write \"204\" or \"200-299\"");
            None
        }
    }
}

fn body(item: Item<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let text = item.string("ok", faults)?;
    let wrong = if text.is_empty() {
        "`body` is empty, which every body contains: leave it out".to_owned()
    } else if text.len() > BODY_OCTETS_MAX {
        format!("`body` is longer than the {BODY_OCTETS_MAX} octets of a body that are read")
    } else {
        return Some(text.to_owned());
    };
    faults.error(item.span, wrong);
    None
}
