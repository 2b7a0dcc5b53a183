//! What an endpoint is called: `host` and `server-name`.

use std::net::IpAddr;

use super::super::faults::{Faults, shown};
use super::super::table::Item;
use crate::wire::name::Name;

/// A host as the Host header and the TLS handshake name it: letters, digits and hyphens, no final dot
/// (RFC 6066 §3), lower case. An address is refused: every endpoint is asked for by its own.
pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<String> {
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
    faults.error(item.span, format!("`{}` {wrong}, found \"{}\"", item.key, shown(text))).help(help);
    None
}

/// Whether whoever reads it as a URL's would take `host` for an address: its last label is a number, decimal or
/// hexadecimal (WHATWG URL §3.5, "ends in a number").
fn is_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let digits = !last.is_empty() && last.bytes().all(|octet| octet.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|octet| octet.is_ascii_hexdigit()));
    digits || hexadecimal || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}
