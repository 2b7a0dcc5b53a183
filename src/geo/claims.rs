//! What members claim of the clients: the operator's rules of policy `geo`.
//!
//! The more specific claim wins: network before AS number before subdivision before country before continent, and
//! of networks the longer. The claimants of less specific ones follow, so that when a member is dead the client
//! falls to the next claim that covers it.

use std::collections::HashMap;

use super::address::Network;
use super::classes::Numbers;
use super::continent::Continent;
use super::place::{Country, Place, Subdivision};

/// Which clients a member claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Claim {
    /// Those within.
    Network(Network),
    /// Those whose network it announces.
    Asn(u32),
    /// Those there.
    Subdivision(Subdivision),
    /// Those there.
    Country(Country),
    /// Those there.
    Continent(Continent),
}

/// One claim by two members, as indexes into the claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The claim that came first.
    pub first: usize,
    /// The one that repeats it for another member.
    pub second: usize,
}

/// The claims that another member has already made, in their order. Networks are equal when their clients are, in
/// whichever form they were written. A member that repeats itself is in conflict with nobody.
pub fn conflicts(claims: &[(Claim, u16)]) -> Vec<Conflict> {
    let mut sorted: Vec<u32> = (0..claims.len() as u32).collect();
    sorted.sort_unstable_by_key(|&at| (claims[at as usize].0, at));
    let mut found = Vec::new();
    for equal in sorted.chunk_by(|&a, &b| claims[a as usize].0 == claims[b as usize].0) {
        let first = equal[0] as usize;
        let others = equal.iter().map(|&at| at as usize).filter(|&at| claims[at].1 != claims[first].1);
        found.extend(others.map(|second| Conflict { first, second }));
    }
    found.sort_unstable_by_key(|conflict| conflict.second);
    found
}

/// The claims on places, ready to look up. Of equal ones the first counts.
#[derive(Debug, Default)]
pub(super) struct PlaceClaims {
    asns: HashMap<u32, u16>,
    subdivisions: HashMap<Subdivision, u16>,
    countries: HashMap<Country, u16>,
    continents: HashMap<Continent, u16>,
}

impl PlaceClaims {
    pub(super) fn of(claims: &[(Claim, u16)]) -> Self {
        let mut of = Self::default();
        for &(claim, member) in claims {
            match claim {
                Claim::Network(_) => continue,
                Claim::Asn(asn) => of.asns.entry(asn).or_insert(member),
                Claim::Subdivision(subdivision) => of.subdivisions.entry(subdivision).or_insert(member),
                Claim::Country(country) => of.countries.entry(country).or_insert(member),
                Claim::Continent(continent) => of.continents.entry(continent).or_insert(member),
            };
        }
        of
    }

    /// Who claims `place`, the most specific claim first.
    pub(super) fn claimants(&self, place: &Place) -> [Option<u16>; 4] {
        [
            place.asn.and_then(|asn| self.asns.get(&asn)),
            place.subdivision.and_then(|subdivision| self.subdivisions.get(&subdivision)),
            place.country.and_then(|country| self.countries.get(&country)),
            place.continent.and_then(|continent| self.continents.get(&continent)),
        ]
        .map(Option::<&u16>::copied)
    }
}

/// Who claims a network and those around it: each such sequence of members, known by a number. 0 is none.
#[derive(Debug, Default)]
pub(super) struct Nests {
    numbers: Numbers<(u32, u16)>,
    /// By number less one: the number of the networks around, and the member.
    nests: Vec<(u32, u16)>,
}

impl Nests {
    /// The sequence of `outer` with a network of `member` within.
    pub(super) fn within(&mut self, outer: u32, member: u16) -> u32 {
        if self.get(outer).is_some_and(|(_, claimant)| claimant == member) {
            // Two networks of one member, one around the other: the same preference.
            return outer;
        }
        let (number, is_new) = self.numbers.of_new((outer, member));
        if is_new {
            self.nests.push((outer, member));
        }
        number + 1
    }

    /// The members of a sequence, from the innermost network out.
    pub(super) fn members(&self, number: u32) -> impl Iterator<Item = u16> {
        let innermost = self.get(number);
        std::iter::successors(innermost, |&(outer, _)| self.get(outer)).map(|(_, member)| member)
    }

    fn get(&self, number: u32) -> Option<(u32, u16)> {
        self.nests.get((number as usize).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Claim {
        match text.split_once(' ') {
            Some(("net", text)) => Claim::Network(Network::parse(text).expect(text)),
            Some(("asn", text)) => Claim::Asn(text.parse().expect(text)),
            Some(("part", text)) => Claim::Subdivision(Subdivision::parse(text).expect(text)),
            Some(("country", text)) => Claim::Country(Country::parse(text).expect(text)),
            Some(("continent", text)) => Claim::Continent(Continent::parse(text).expect(text)),
            _ => unreachable!("{text}"),
        }
    }

    #[test]
    fn equal_claims_of_two_members_are_found() {
        let check = |claims: &[(&str, u16)], expected: &[(usize, usize)]| {
            let read: Vec<_> = claims.iter().map(|&(text, member)| (claim(text), member)).collect();
            let found: Vec<_> = conflicts(&read).iter().map(|conflict| (conflict.first, conflict.second)).collect();
            assert_eq!(found, expected, "{claims:?}");
        };
        check(&[], &[]);
        check(&[("country DE", 0), ("country FR", 1), ("continent EU", 0)], &[]);
        check(&[("country DE", 0), ("country DE", 0)], &[]);
        check(&[("country DE", 0), ("asn 64500", 1), ("country DE", 1)], &[(0, 2)]);
        check(&[("net 192.0.2.0/24", 0), ("net 192.0.2.0/25", 1)], &[]);
        check(&[("net 192.0.2.0/24", 0), ("net ::ffff:192.0.2.0/120", 1)], &[(0, 1)]);
        check(&[("part US-CA", 2), ("continent EU", 0), ("continent EU", 1), ("part US-CA", 1)], &[(1, 2), (0, 3)]);
        check(&[("asn 64500", 0), ("asn 64500", 0), ("asn 64500", 1), ("asn 64500", 2)], &[(0, 2), (0, 3)]);
    }

    #[test]
    fn a_million_claims_stay_small() {
        assert!(size_of::<(Claim, u16)>() <= 24);
    }

    #[test]
    fn sequences_run_from_the_inside_out() {
        let mut nests = Nests::default();
        let outer = nests.within(0, 7);
        let middle = nests.within(outer, 8);
        assert_eq!(nests.within(outer, 8), middle);
        assert_eq!(nests.within(middle, 8), middle);
        let inner = nests.within(middle, 7);
        assert_eq!(nests.members(inner).collect::<Vec<_>>(), [7, 8, 7]);
        assert_eq!(nests.members(0).count(), 0);
    }
}
