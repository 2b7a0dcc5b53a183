//! Addresses → the words for where they are: a continent, a country, a part of one, an AS number, a network.
//!
//! Nobody says which rule told two clients apart, so it is read off what they have in common: where all of a country
//! moves alike it is the country; where a part of it does, whatever that part and nothing else is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::geo::{Continent, Country, Place, Span, Subdivision};

/// Where a client is, as coarsely as a row says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Locality {
    Country(Country),
    Continent(Continent),
    /// An AS of which nothing else is known.
    Asn(u32),
    Unknown,
}

impl Locality {
    pub(super) fn of(place: &Place) -> Self {
        match (place.country, place.continent, place.asn) {
            (Some(country), ..) => Self::Country(country),
            (None, Some(continent), _) => Self::Continent(continent),
            (None, None, Some(asn)) => Self::Asn(asn),
            (None, None, None) => Self::Unknown,
        }
    }

    fn continent(self) -> Option<Continent> {
        match self {
            Self::Country(country) => Some(country.continent()),
            Self::Continent(continent) => Some(continent),
            Self::Asn(_) | Self::Unknown => None,
        }
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => f.write_str(country.code()),
            Self::Continent(continent) => f.write_str(continent.code()),
            Self::Asn(asn) => write!(f, "AS{asn}"),
            Self::Unknown => f.write_str("elsewhere"),
        }
    }
}

/// The first address of IPv4 that is no client's: multicast, and what is reserved.
pub(super) const CLIENTS_END: u32 = 224 << 24;

/// Stretches that are said one by one, at most: what an operator wrote as a network or two.
const STRETCHES_MAX: usize = 4;

/// Addresses of one locality: how many, and what they have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Extent {
    /// Of IPv4.
    pub(super) v4: u64,
    /// Of IPv6, in networks of 64 bits, rounded down.
    pub(super) v6: u64,
    /// The first few, neighbours joined.
    stretches: Vec<Span>,
    /// How many there are.
    count: usize,
    asn: Common<u32>,
    subdivision: Common<Subdivision>,
}

/// What all have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Common<T> {
    #[default]
    Nothing,
    All(T),
    Mixed,
}

impl<T: Copy + PartialEq> Common<T> {
    fn join(&mut self, other: Option<T>) {
        *self = match (*self, other) {
            (Self::Nothing, Some(one)) => Self::All(one),
            (Self::All(one), Some(other)) if one == other => Self::All(one),
            _ => Self::Mixed,
        };
    }
}

impl Extent {
    pub(super) fn add(&mut self, span: Span, place: &Place) {
        match span {
            Span::V4(first, last) => self.v4 += u64::from(last - first) + 1,
            Span::V6(first, last) => self.v6 = self.v6.saturating_add(((last - first) >> 64) as u64),
        }
        self.asn.join(place.asn);
        self.subdivision.join(place.subdivision);
        // Beyond the first few, which is the last does not show.
        let last = if self.count > self.stretches.len() { None } else { self.stretches.last_mut() };
        let joined = match (last, span) {
            (Some(Span::V4(_, end)), Span::V4(first, last)) if end.checked_add(1) == Some(first) => {
                *end = last;
                true
            }
            (Some(Span::V6(_, end)), Span::V6(first, last)) if end.checked_add(1) == Some(first) => {
                *end = last;
                true
            }
            _ => false,
        };
        if !joined {
            self.count += 1;
            if self.stretches.len() < STRETCHES_MAX {
                self.stretches.push(span);
            }
        }
    }

    /// What of `locality` this is, where all of it is `whole`.
    fn words(&self, locality: Locality, whole: &Self) -> Vec<String> {
        if self.v4 == whole.v4 && self.v6 == whole.v6 {
            return vec![locality.to_string()];
        }
        // What no client has was made up for a place, and says nothing.
        let real = |span: &Span| !matches!(span, Span::V4(first, _) if *first >= CLIENTS_END);
        if self.count <= STRETCHES_MAX && self.stretches.iter().all(real) {
            let texts: Option<Vec<String>> = self.stretches.iter().map(|&span| network(span)).collect();
            if let Some(texts) = texts {
                return texts;
            }
        }
        match (self.asn, self.subdivision) {
            (_, Common::All(subdivision)) => vec![subdivision.to_string()],
            (Common::All(asn), _) => vec![format!("AS{asn}")],
            _ if locality == Locality::Unknown => vec![locality.to_string()],
            _ => vec![format!("{locality} in part")],
        }
    }
}

/// A stretch as a network, where it is one.
fn network(span: Span) -> Option<String> {
    match span {
        Span::V4(first, last) => {
            let bits = (first ^ last).leading_zeros();
            let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
            (first & rest == 0 && last & rest == rest)
                .then(|| format!("{}/{bits}", std::net::Ipv4Addr::from_bits(first)))
        }
        Span::V6(first, last) => {
            let bits = (first ^ last).leading_zeros();
            let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
            (first & rest == 0 && last & rest == rest)
                .then(|| format!("{}/{bits}", std::net::Ipv6Addr::from_bits(first)))
        }
    }
}

/// The words for the `extents` of one change, where `all` says how much there is of each locality: continents where
/// they are whole, `everywhere` where everything is.
pub(super) fn words(extents: &BTreeMap<Locality, Extent>, all: &HashMap<Locality, Extent>) -> Vec<String> {
    let is_whole = |locality: &Locality| {
        let whole = all.get(locality);
        whole.zip(extents.get(locality)).is_some_and(|(whole, extent)| (whole.v4, whole.v6) == (extent.v4, extent.v6))
    };
    if all.keys().all(is_whole) {
        return vec!["everywhere".to_owned()];
    }
    let continents: Vec<Continent> = Continent::ALL
        .into_iter()
        .filter(|&continent| {
            let mut of_it = all.keys().filter(|locality| locality.continent() == Some(continent)).peekable();
            of_it.peek().is_some() && of_it.all(is_whole)
        })
        .collect();
    let mut words: Vec<String> = continents.iter().map(|continent| continent.code().to_owned()).collect();
    let mut seen: BTreeSet<String> = words.iter().cloned().collect();
    let mut rest: Vec<(&Locality, &Extent)> = extents.iter().collect();
    // The greatest first; of equal ones in their order.
    rest.sort_by_key(|(_, extent)| std::cmp::Reverse((extent.v4, extent.v6)));
    for (&locality, extent) in rest {
        if locality.continent().is_some_and(|continent| continents.contains(&continent)) {
            continue;
        }
        let Some(whole) = all.get(&locality) else { continue };
        let new = extent.words(locality, whole).into_iter().filter(|word| seen.insert(word.clone()));
        words.extend(new);
    }
    words
}
