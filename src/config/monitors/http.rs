//! `http = { … }` and `https = { … }`: a request and the answer that it must have.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::super::faults::{Faults, Span, shown, suggestion};
use super::super::table::{Item, Keys, Table};
use super::{given, host, tls};
use crate::probe::{BODY_OCTETS_MAX, HttpProbe, HttpVersion, Method};

const HTTP: Keys = Keys::only(&["path", "host", "port", "status", "body", "method", "headers", "version"]);
const HTTPS: Keys = Keys::only(&[
    "path",
    "host",
    "port",
    "status",
    "body",
    "method",
    "headers",
    "version",
    "verify",
    "server-name",
    "ca",
    "certificate",
    "key",
    "expires",
]);

/// Octets of a path with its query; servers refuse longer ones (nginx and Apache httpd stop near 8,000).
const PATH_OCTETS_MAX: usize = 2_048;

/// The status codes that a response can have (RFC 9110 §15).
const STATUS_RANGE: RangeInclusive<u16> = 100..=599;

/// What counts as a success where nothing is said.
const STATUS: RangeInclusive<u16> = 200..=299;

/// Fields that an operator may add: a token, a tenant, a trace. With [`HEADER_OCTETS_MAX`] they stay under the 8 KiB
/// that servers take for a head.
const HEADERS_MAX: usize = 16;

/// Octets of one field's value: a long token has some 2,000.
const HEADER_OCTETS_MAX: usize = 4_096;

/// Fields that a probe sets itself, or that would change how its request is read.
const HEADERS_OURS: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "proxy-connection",
];

/// Over what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

pub(super) fn read(item: Item<'_>, scheme: Scheme, faults: &mut Faults<'_>) -> Option<HttpProbe> {
    let (what, keys, port_default) = match scheme {
        Scheme::Http => ("`http`", &HTTP, 80),
        Scheme::Https => ("`https`", &HTTPS, 443),
    };
    let table = item.table(what, keys, r#"{ path = "/healthz" }"#, faults)?;
    let path = given(&table, "path", "/".to_owned(), |item| path(item, faults));
    let host = given(&table, "host", None, |item| host::read(item, faults).map(Some));
    let port = given(&table, "port", port_default, |item| item.integer(1..=u16::MAX, faults));
    let status = given(&table, "status", vec![STATUS], |item| status(item, faults));
    let body = given(&table, "body", None, |item| body(item, faults).map(Some));
    let method = method(&table, faults);
    let headers = given(&table, "headers", Vec::new(), |item| headers(item, faults));
    let version = given(&table, "version", HttpVersion::Http1, |item| version(item, scheme, faults));
    let tls = match scheme {
        Scheme::Http => Some(None),
        Scheme::Https => tls::check(&table, faults).map(Some),
    };
    Some(HttpProbe {
        port: port?,
        path: path?,
        host: host?,
        status: status?,
        body: body?,
        method: method?,
        headers: headers?,
        version: version?,
        tls: tls?,
    })
}

/// The method, which for a body to be looked into must have one.
fn method(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Method> {
    const METHODS: [(&str, Method); 3] = [("GET", Method::Get), ("HEAD", Method::Head), ("OPTIONS", Method::Options)];
    let Some(item) = table.get("method") else { return Some(Method::Get) };
    let text = item.string("GET", faults)?;
    let Some(&(_, method)) = METHODS.iter().find(|(name, _)| *name == text) else {
        let known = METHODS.map(|(name, _)| name);
        let help = suggestion(&text.to_ascii_uppercase(), known, "known methods");
        faults.error(item.span, format!("unknown method \"{}\"", shown(text))).help(help);
        return None;
    };
    if let (Method::Head, Some(body)) = (method, table.get("body")) {
        faults
            .error(body.span, "an answer to HEAD has no body to look into")
            .other(item.span, "the method")
            .help("ask with GET, or leave `body` out");
        return None;
    }
    Some(method)
}

fn version(item: Item<'_>, scheme: Scheme, faults: &mut Faults<'_>) -> Option<HttpVersion> {
    match item.string("2", faults)? {
        "1.1" => Some(HttpVersion::Http1),
        "2" => Some(HttpVersion::Http2),
        "auto" if scheme == Scheme::Https => Some(HttpVersion::Agreed),
        "auto" => {
            faults
                .error(item.span, "without TLS no version of HTTP can be agreed on")
                .help("write \"1.1\", or \"2\" where the endpoints are known to speak it");
            None
        }
        other => {
            faults
                .error(item.span, format!("\"{}\" is no version of HTTP that is probed", shown(other)))
                .help("write \"1.1\", \"2\", or over TLS \"auto\"");
            None
        }
    }
}

/// The fields, in the order of their names: equal sets are equal however written.
fn headers(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<(String, String)>> {
    if item.value.as_table().is_none() {
        item.mismatch("a table such as { Authorization = \"Bearer abc\" }", faults);
        return None;
    }
    let entries = item.entries("[monitors.web.http.headers]", faults);
    if entries.len() > HEADERS_MAX {
        faults.error(item.span, format!("`headers` has {} fields, and can have {HEADERS_MAX}", entries.len()));
        return None;
    }
    let mut headers: Vec<(String, String, Span)> = Vec::new();
    let mut sound = true;
    for entry in entries {
        match header(entry, faults) {
            Some((name, value)) => headers.push((name, value, entry.key_span)),
            None => sound = false,
        }
    }
    headers.sort_by(|(name, _, _), (other, _, _)| name.cmp(other));
    for pair in headers.windows(2) {
        let [(name, _, first), (other, _, second)] = pair else { continue };
        if name == other {
            faults.error(*second, format!("the header `{name}` stands twice")).other(*first, "the other one");
            sound = false;
        }
    }
    sound.then(|| headers.into_iter().map(|(name, value, _)| (name, value)).collect())
}

/// One field (RFC 9110 §5.1, §5.5).
fn header(item: Item<'_>, faults: &mut Faults<'_>) -> Option<(String, String)> {
    let value = item.string("Bearer abc", faults)?;
    let name = item.key.to_ascii_lowercase();
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    let shown_name = shown(item.key);
    let (span, wrong, help) = if name.is_empty() || name.len() > 100 || !name.bytes().all(is_token) {
        let wrong = format!("`{shown_name}` is no name of a header");
        (item.key_span, wrong, "letters, digits and hyphens, such as X-Probe")
    } else if name == "host" {
        (
            item.key_span,
            "the header Host is what `host` says".to_owned(),
            "write host = \"www.example.com\" beside `path`",
        )
    } else if HEADERS_OURS.contains(&name.as_str()) {
        (item.key_span, format!("the header `{shown_name}` is the probe's own"), "leave it out")
    } else if !value.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) || value.trim() != value {
        let wrong = format!("the header `{shown_name}` has a value that cannot be sent");
        (item.span, wrong, "printable ASCII, without spaces around it")
    } else if value.len() > HEADER_OCTETS_MAX {
        let wrong = format!("the header `{shown_name}` is longer than {HEADER_OCTETS_MAX} octets");
        (item.span, wrong, "servers refuse longer ones")
    } else {
        return Some((name, value.to_owned()));
    };
    faults.error(span, wrong).help(help);
    None
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
