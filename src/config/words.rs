//! The words that operators make up, and the addresses and host names that they give, checked alike wherever
//! they stand.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::faults::{Faults, Span, shown};
use super::table::Item;
use crate::wire::name::Name;

/// Characters of the name of a monitor, a pool or an endpoint.
const LABEL_CHARACTERS_MAX: usize = 63;

/// Whether `text` may be the name of `what`; it is printed in logs and given as POOL/ENDPOINT on the command
/// line.
pub(super) fn check_label(text: &str, span: Span, what: &str, faults: &mut Faults<'_>) -> bool {
    let wrong = if text.is_empty() {
        "cannot be empty".to_owned()
    } else if text.contains('/') {
        "cannot have a `/`, which parts pool from endpoint on the command line".to_owned()
    } else if text.chars().any(char::is_control) {
        "cannot have control characters".to_owned()
    } else if text.chars().count() > LABEL_CHARACTERS_MAX {
        format!("cannot be longer than {LABEL_CHARACTERS_MAX} characters")
    } else {
        return true;
    };
    faults.error(span, format!("the name of {what} {wrong}, found \"{}\"", shown(text)));
    false
}

/// An address that can be answered with: one that names a single host.
pub(super) fn address(item: Item<'_>, faults: &mut Faults<'_>) -> Option<IpAddr> {
    let text = item.string("192.0.2.10", faults)?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let help = if text.parse::<SocketAddr>().is_ok() {
            "leave the port out: what is probed is the monitor's to say, and DNS answers addresses alone"
        } else {
            "write an IPv4 or IPv6 address such as \"192.0.2.10\" or \"2001:db8::10\""
        };
        faults.error(item.span, format!("\"{}\" is not an IP address", shown(text))).help(help);
        return None;
    };
    let wrong = match address {
        _ if address.is_unspecified() => "is the unspecified address, which no client can reach",
        _ if address.is_multicast() => "is a multicast address, which no single host serves",
        IpAddr::V4(address) if address.is_broadcast() => "is the broadcast address, which no single host serves",
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            "is an IPv4 address mapped to IPv6, which never leaves a host"
        }
        _ => return Some(address),
    };
    let note = faults.error(item.span, format!("{address} {wrong}"));
    if let Some(mapped) = address_mapped(address) {
        note.help(format!("write \"{mapped}\""));
    }
    None
}

fn address_mapped(address: IpAddr) -> Option<std::net::Ipv4Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => address.to_ipv4_mapped(),
    }
}

/// A list of addresses, none of them twice; `None` when any is faulty.
pub(super) fn addresses(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<IpAddr>> {
    let elements = item.elements("[\"192.0.2.1\", \"2001:db8::1\"]", faults)?;
    let mut seen = Seen::default();
    let mut sound = true;
    let mut addresses = Vec::new();
    for element in elements {
        match address(element, faults) {
            Some(address) => {
                sound &= seen.enter(address, element.span, &format!("the address {address}"), faults);
                addresses.push(address);
            }
            None => sound = false,
        }
    }
    sound.then_some(addresses)
}

/// The absolute name of a host, whether or not it ends with a dot, in lower case; never the root.
pub(super) fn host(item: Item<'_>, example: &str, faults: &mut Faults<'_>) -> Option<Name> {
    let text = item.string(example, faults)?;
    let key = shown(item.key);
    // `@` alone would be read as the origin, which is the root here.
    let name = match Name::from_host(text) {
        Ok(name) if text != "@" && !name.is_root() => name.to_lowercase(),
        Ok(_) => {
            faults.error(item.span, format!("`{key}` must be a domain name such as \"{example}\", found \"{text}\""));
            return None;
        }
        Err(error) => {
            faults.error(item.span, format!("`{key}`: {error}, found \"{}\"", shown(text)));
            return None;
        }
    };
    if name.labels().count() == 1 {
        faults
            .warning(
                item.span,
                format!("`{key}`: names here are absolute, so \"{}\" is a top-level domain", shown(text)),
            )
            .help(format!("write the whole name, such as \"{example}\""));
    }
    Some(name)
}

/// What stood before, and where: finds what stands twice.
pub(super) struct Seen<K>(HashMap<K, Span>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + std::hash::Hash> Seen<K> {
    /// Enters `key`, called `what` in messages; whether it stood there for the first time.
    pub(super) fn enter(&mut self, key: K, span: Span, what: &str, faults: &mut Faults<'_>) -> bool {
        match self.0.get(&key) {
            Some(&first) => {
                faults.error(span, format!("{what} stands twice")).other(first, "here first");
                false
            }
            None => {
                self.0.insert(key, span);
                true
            }
        }
    }
}
