//! The words that operators make up, and the addresses and host names that they give, checked alike wherever
//! they stand.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::faults::{Faults, Span, shown, suggestion};
use super::table::Item;
use crate::geo::Network;
use crate::wire::name::Name;

/// Addresses to listen on in one list, at the most.
const LISTEN_MAX: usize = 1_024;

/// Characters of the name of a monitor, a pool or an endpoint.
const LABEL_CHARACTERS_MAX: usize = 63;

/// Names that all faults of a file together are compared with, about: half a second's worth. Among a hundred
/// thousand pools the nearest is dear to find, and nobody reads the hundredth suggestion.
const SOUGHT_MAX: usize = 1_000_000;

/// Enters that nothing is called `name` of those that are `known`.
pub(super) fn unknown<'w>(
    span: Span,
    name: &str,
    what: &str,
    known: impl IntoIterator<Item = &'w str>,
    faults: &mut Faults<'_>,
) {
    let mut known: Vec<_> = if faults.is_full() { Vec::new() } else { known.into_iter().collect() };
    let worthwhile = known.len().saturating_mul(faults.errors()) <= SOUGHT_MAX;
    let note = faults.error(span, format!("there is no {what} `{}`", shown(name)));
    if worthwhile {
        known.sort_unstable();
        note.help(suggestion(name, known, &format!("the {what}s of this file")));
    }
}

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
    usable(address, item.span, faults)
}

/// `address`, if it names a single host.
fn usable(address: IpAddr, span: Span, faults: &mut Faults<'_>) -> Option<IpAddr> {
    let wrong = match address {
        _ if address.is_unspecified() => "is the unspecified address, which no client can reach",
        _ if address.is_multicast() => "is a multicast address, which no single host serves",
        IpAddr::V4(address) if address.is_broadcast() => "is the broadcast address, which no single host serves",
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            "is an IPv4 address mapped to IPv6, which never leaves a host"
        }
        _ => return Some(address),
    };
    let note = faults.error(span, format!("{address} {wrong}"));
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

/// What is probed of an endpoint where that is not what is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probed {
    /// Another address, if one is given.
    pub(super) address: Option<IpAddr>,
    /// Another port than the monitor's, if one is given.
    pub(super) port: Option<u16>,
}

/// `"10.0.0.5"`, `"10.0.0.5:8081"`, `"[2001:db8::5]:8081"`, or a port alone: `8081`.
pub(super) fn probed(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Probed> {
    if item.value.as_integer().is_some() {
        return item.integer(1..=u16::MAX, faults).map(|port| Probed { address: None, port: Some(port) });
    }
    let text = item.string("10.0.0.5:8081", faults)?;
    let (probed, port) = match text.parse::<SocketAddr>() {
        Ok(endpoint) => (Some(endpoint.ip()), Some(endpoint.port())),
        Err(_) => (text.parse().ok(), None),
    };
    match probed {
        Some(_) if port == Some(0) => {
            faults.error(item.span, "`probe` has the port 0, which nothing listens on");
            None
        }
        Some(address) => usable(address, item.span, faults).map(|address| Probed { address: Some(address), port }),
        None => {
            faults
                .error(
                    item.span,
                    format!("`probe` must be what is probed in this endpoint's stead, found \"{}\"", shown(text)),
                )
                .help("write an address, one with a port or a port alone: \"10.0.0.5\", \"10.0.0.5:8081\", 8081");
            None
        }
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
/// Addresses with ports to listen on, none twice; `port` is the usual one.
pub(super) fn sockets(item: Item<'_>, example: &str, port: u16, faults: &mut Faults<'_>) -> Option<Vec<SocketAddr>> {
    let elements = item.elements(example, faults)?;
    if elements.is_empty() || elements.len() > LISTEN_MAX {
        let count = elements.len();
        faults.error(
            item.span,
            format!("`{}` must list 1 to {LISTEN_MAX} addresses with ports, found {count}", item.key),
        );
        return None;
    }
    let mut seen = Seen::default();
    let mut sound = true;
    let mut listen = Vec::new();
    for element in elements {
        match socket(element, port, faults) {
            Some(address) => {
                sound &= seen.enter(address, element.span, &format!("the address {address}"), faults);
                listen.push(address);
            }
            None => sound = false,
        }
    }
    sound.then_some(listen)
}

pub(super) fn socket(item: Item<'_>, usual: u16, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let text = item.string(&format!("0.0.0.0:{usual}"), faults)?;
    let Ok(address) = text.parse::<SocketAddr>() else {
        let help = match (text.parse::<IpAddr>(), text.rsplit_once(':')) {
            (Ok(address), _) => format!("write \"{}\"", SocketAddr::new(address, usual)),
            (_, Some(("" | "*", port))) if port.parse::<u16>().is_ok() => {
                format!("for all addresses write \"0.0.0.0:{port}\" and \"[::]:{port}\"")
            }
            _ => format!("write an address with a port, such as \"0.0.0.0:{usual}\" or \"[::]:{usual}\""),
        };
        faults.error(item.span, format!("\"{}\" is not an IP address with a port", shown(text))).help(help);
        return None;
    };
    let wrong = if address.port() == 0 {
        "has port 0, which is no port to send queries to"
    } else if address.ip().is_multicast() {
        "is a multicast address, on which no DNS server is asked"
    } else {
        return Some(address);
    };
    faults.error(item.span, format!("{address} {wrong}"));
    None
}

/// A path, not empty; `of` says what it leads to.
pub(super) fn path(item: Item<'_>, example: &str, of: &str, faults: &mut Faults<'_>) -> Option<PathBuf> {
    let text = item.string(example, faults)?;
    if text.is_empty() || text.contains('\0') {
        faults.error(item.span, format!("`{}` must be the path of {of}, found \"{}\"", item.key, shown(text)));
        return None;
    }
    Some(text.into())
}

/// `sun_path` has room for 108 octets, the last of which is zero (`unix(7)`).
pub(super) const SOCKET_OCTETS_MAX: usize = 107;

/// The path of a Unix socket, relative to `folder`.
pub(super) fn socket_path(item: Item<'_>, example: &str, folder: &Path, faults: &mut Faults<'_>) -> Option<PathBuf> {
    let socket = folder.join(path(item, example, "a Unix socket", faults)?);
    let octets = socket.as_os_str().len();
    if octets > SOCKET_OCTETS_MAX {
        let message = format!("the path of a socket holds {SOCKET_OCTETS_MAX} octets at the most, found {octets}");
        faults.error(item.span, message).help(format!("one such as {example} is short enough"));
        return None;
    }
    Some(socket)
}

/// The number of `"50%"`: whole, and in digits alone.
pub(super) fn percent(text: &str) -> Option<u8> {
    let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|octet| octet.is_ascii_digit()));
    digits?.parse().ok()
}

/// A list of networks, so many of them.
pub(super) fn networks(item: Item<'_>, count: RangeInclusive<usize>, faults: &mut Faults<'_>) -> Option<Vec<Network>> {
    let elements = item.elements(r#"["127.0.0.1/32"]"#, faults)?;
    if !count.contains(&elements.len()) {
        let ((least, most), found) = (count.into_inner(), elements.len());
        faults.error(item.span, format!("`{}` must list {least} to {most} networks, found {found}", item.key));
        return None;
    }
    let networks = elements.into_iter().map(|element| match Network::parse(element.string("127.0.0.1/32", faults)?) {
        Ok(network) => Some(network),
        Err(fault) => {
            let note = faults.error(element.span, fault.message);
            if let Some(help) = fault.help {
                note.help(help);
            }
            None
        }
    });
    // All of them, so that every faulty one is told.
    let networks: Vec<_> = networks.collect();
    networks.into_iter().collect()
}
