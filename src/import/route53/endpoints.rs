//! The values of a record set → endpoints.

use std::net::IpAddr;

use super::super::draft::{Endpoint, Gives, Pool, Share};
use super::export::RecordSet;
use super::unescaped;
use crate::wire::name::Name;

/// The values of a set, each named by what it gives. `monitor` judges addresses; nothing asks aliases.
pub(super) fn endpoints(set: &RecordSet, monitor: Option<&str>, share: &Share) -> Vec<Endpoint> {
    let endpoint = |value: &str| {
        let gives = match value.parse::<IpAddr>() {
            Ok(address) => Gives::Address(address),
            Err(_) => Gives::Alias(Name::from_host(&unescaped(value)).ok()?),
        };
        let monitor = monitor.filter(|_| matches!(gives, Gives::Address(_)));
        let monitors = monitor.map(|monitor| vec![monitor.to_owned()]);
        let name = spoken(value.trim_end_matches('.'), CHARACTERS_MAX);
        Some(Endpoint { name, gives, monitors, share: share.clone() })
    };
    set.resource_records.iter().filter_map(|record| endpoint(&record.value)).collect()
}

/// A name for an endpoint that no other of the pool has.
pub(super) fn distinct(identifier: &str, endpoint: &Endpoint, pool: &Pool) -> String {
    let taken = |name: &String| pool.endpoints.iter().any(|endpoint| endpoint.name == *name);
    let alone = spoken(identifier, CHARACTERS_MAX);
    let is_v6 = matches!(endpoint.gives, Gives::Address(IpAddr::V6(_)));
    let wishes = if is_v6 && taken(&alone) {
        [format!("{}-v6", spoken(identifier, CHARACTERS_MAX - 3)), endpoint.name.clone()]
    } else {
        [alone, endpoint.name.clone()]
    };
    let numbered = (2..).map(|number: u32| format!("{}-{number}", spoken(identifier, CHARACTERS_MAX - 11)));
    wishes.into_iter().chain(numbered).find(|wish| !taken(wish)).unwrap_or_default()
}

/// As much of `text` as the name of an endpoint may have.
pub(super) fn spoken(text: &str, characters_max: usize) -> String {
    let character = |c: char| if c == '/' || c.is_control() { '-' } else { c };
    text.chars().take(characters_max).map(character).collect()
}

/// Characters of an endpoint's name, at most. Route 53's identifiers have 128, and names 255.
pub(super) const CHARACTERS_MAX: usize = 63;
