//! Which sets of a name are for which family, and whether A and AAAA are chosen alike.
//!
//! Route 53 chooses for each type by itself; a pool chooses by the same shares for both families. So A and AAAA share a
//! pool only where that says the same.

use std::collections::BTreeMap;

use super::export::RecordSet;
use super::shares::{all_zero, is_default, policy};
use super::{lower, unescaped};
use crate::wire::name::Name;

/// Which answers are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// All of a name's.
    Both,
    /// A alone.
    V4,
    /// AAAA alone.
    V6,
}

impl Family {
    /// What sets of these types are for.
    pub(super) fn of(sets: &[&RecordSet]) -> Self {
        let has = |rtype: &str| sets.iter().any(|set| set.rtype == rtype);
        match (has("A"), has("AAAA")) {
            (true, false) => Self::V4,
            (false, true) => Self::V6,
            (true, true) | (false, false) => Self::Both,
        }
    }

    fn has(self, set: &RecordSet) -> bool {
        match set.rtype.as_str() {
            "A" => self != Self::V6,
            "AAAA" => self != Self::V4,
            // It answers every type.
            "CNAME" => true,
            _ => false,
        }
    }

    /// What the pool of a family is called, behind its name.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Both => "",
            Self::V4 => "-v4",
            Self::V6 => "-v6",
        }
    }
}

/// The sets of a zone, by name.
pub(super) struct Source<'a> {
    pub(super) apex: &'a Name,
    /// Those that have a policy or are an alias.
    pub(super) steered: &'a BTreeMap<String, Vec<RecordSet>>,
    /// The others.
    pub(super) plain: &'a BTreeMap<&'a str, Vec<&'a RecordSet>>,
}

impl<'a> Source<'a> {
    /// The sets of a name that have a policy or are an alias.
    pub(super) fn steered(&self, name: &str, family: Family) -> Vec<&'a RecordSet> {
        self.steered.get(name).into_iter().flatten().filter(|set| family.has(set)).collect()
    }

    /// Those that have neither, of addresses and of CNAME.
    pub(super) fn plain(&self, name: &str, family: Family) -> Vec<&'a RecordSet> {
        self.beside(name).iter().filter(|set| family.has(set)).copied().collect()
    }

    /// Those that have neither, of all types.
    pub(super) fn beside(&self, name: &str) -> &'a [&'a RecordSet] {
        self.plain.get(name).map(|sets| &sets[..]).unwrap_or_default()
    }

    /// `family`, or both where `name` has sets of no other.
    pub(super) fn narrowest(&self, name: &str, family: Family) -> Family {
        let sets = [self.steered(name, Family::Both), self.plain(name, Family::Both)].concat();
        if Family::of(&sets) == family { Family::Both } else { family }
    }

    /// The name, where it is not of this zone.
    pub(super) fn outside(&self, name: &str) -> Option<Name> {
        let name = Name::from_host(&unescaped(name)).ok()?;
        (!name.is_at_or_below(self.apex)).then_some(name)
    }

    /// Whether one pool says what the A and the AAAA sets of `name` say. `known` holds what was found out.
    pub(super) fn is_alike(&self, name: &str, known: &mut BTreeMap<String, bool>) -> bool {
        if let Some(&known) = known.get(name) {
            return known;
        }
        // So that aliases which lead round in a circle come to an end; nothing is made of those.
        known.insert(name.to_owned(), true);
        let alike = match (self.steered(name, Family::V4), self.steered(name, Family::V6)) {
            (v4, v6) if v4.is_empty() && v6.is_empty() => true,
            (_, v6) if v6.is_empty() => self.plain(name, Family::V6).is_empty(),
            (v4, _) if v4.is_empty() => self.plain(name, Family::V4).is_empty(),
            (v4, v6) => self.are_alike(&v4, &v6, known),
        };
        known.insert(name.to_owned(), alike);
        alike
    }

    fn are_alike(&self, v4: &[&RecordSet], v6: &[&RecordSet], known: &mut BTreeMap<String, bool>) -> bool {
        let (fewer, more) = if v4.len() <= v6.len() { (v4, v6) } else { (v6, v4) };
        let policies = [fewer, more].map(|sets| sets.first().map(|set| policy(set)));
        let zeros = [fewer, more].map(|sets| all_zero(sets.iter().copied()));
        let defaults = [fewer, more].map(|sets| sets.iter().any(|set| is_default(set)));
        policies[0] == policies[1]
            && zeros[0] == zeros[1]
            && defaults[0] == defaults[1]
            && fewer.iter().all(|set| {
                let mate = more.iter().find(|mate| mate.set_identifier == set.set_identifier);
                mate.is_some_and(|mate| self.are_mates(set, mate, known))
            })
    }

    /// Whether two sets are one member: the same share, and the same target where they are aliases. The checks of
    /// addresses are the endpoints', so they may differ.
    fn are_mates(&self, one: &RecordSet, other: &RecordSet, known: &mut BTreeMap<String, bool>) -> bool {
        let share = |set: &RecordSet| {
            let proximity = (set.geo_location.clone(), set.geo_proximity_location.clone());
            (set.weight, set.region.clone(), set.failover.clone(), proximity)
        };
        let leads = match (&one.alias_target, &other.alias_target) {
            (None, None) => true,
            (Some(target), Some(mate)) => {
                lower(&target.name) == lower(&mate.name)
                    && target.evaluates_health == mate.evaluates_health
                    && one.health_check_id == other.health_check_id
                    && (self.outside(&target.name).is_some() || self.is_alike(&lower(&target.name), known))
            }
            _ => false,
        };
        share(one) == share(other) && leads
    }
}
