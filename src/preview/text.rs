//! Moves in words: who answered, who answers, how much.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Given, Move, Share, Shares};
use crate::policy::Family;

/// Shares that are named on one side, at most; the rest is counted.
const NAMED_MAX: usize = 4;

/// Places that are named, at most.
const PLACES_MAX: usize = 6;

/// A line of a move: answers of which families go from whom to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The family; `None` where it is so for both, or the name has one alone.
    pub family: Option<Family>,
    /// `frankfurt 75%, virginia 25%`
    pub old: String,
    /// `virginia 100%`
    pub new: String,
}

impl Move {
    /// A line, or one for each family.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for family in Family::BOTH {
            let (old, new) = (&self.old[family as usize], &self.new[family as usize]);
            if super::shares::is_same(old, new) {
                continue;
            }
            let grain = grain(old, new);
            let grain = if is_readdressed(old, new, grain) { Grain::Address } else { grain };
            lines.push(Line { family: Some(family), old: side(old, grain), new: side(new, grain) });
        }
        let lone = |family: Family| {
            let is_none = |shares: &Shares| shares.iter().all(|share| share.given == Given::NoAddress);
            is_none(&self.old[family as usize]) && is_none(&self.new[family as usize])
        };
        if let [one, other] = &lines[..]
            && (&one.old, &one.new) == (&other.old, &other.new)
        {
            lines.truncate(1);
            lines.iter_mut().for_each(|line| line.family = None);
        } else if Family::BOTH.into_iter().any(lone) {
            lines.iter_mut().for_each(|line| line.family = None);
        }
        lines
    }

    /// The places, as many as a line takes: `DE, FR, IT and 4 more`.
    pub fn places_text(&self) -> String {
        listed(&self.places, PLACES_MAX)
    }
}

/// As for logs and messages: `DE: frankfurt 100% → virginia 100%`.
impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.places_text())?;
        for (at, line) in self.lines().iter().enumerate() {
            let between = if at > 0 { "; " } else { "" };
            let family = line.family.map_or_else(String::new, |family| format!("{} ", rtype(family)));
            write!(f, "{between}{family}{} → {}", line.old, line.new)?;
        }
        Ok(())
    }
}

/// The type of record that has addresses of a family.
pub fn rtype(family: Family) -> &'static str {
    match family {
        Family::V4 => "A",
        Family::V6 => "AAAA",
    }
}

/// The first `most`, and how many more there are.
pub fn listed(words: &[String], most: usize) -> String {
    match words.get(..most).filter(|_| words.len() > most) {
        Some(first) => format!("{} and {} more", first.join(", "), words.len() - most),
        None => words.join(", "),
    }
}

/// A part as a percentage, with a decimal where it is small or not whole: `75%`, `0.5%`.
pub fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent > 0.0 && percent < 0.1 {
        return "<0.1%".to_owned();
    }
    let rounded = (percent * 10.0).round() / 10.0;
    if rounded.fract() == 0.0 { format!("{rounded:.0}%") } else { format!("{rounded:.1}%") }
}

/// What shares are said of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grain {
    Pool,
    Endpoint,
    /// Endpoints, with what they give.
    Address,
}

/// Pools, where within each of them everything stays as it is or all of it is on one side; else endpoints.
fn grain(old: &Shares, new: &Shares) -> Grain {
    let (before, after) = (within(old), within(new));
    let kept = before.iter().filter_map(|(pool, was)| Some((was, after.get(pool)?)));
    let mut any = false;
    for (was, is) in kept {
        let whole = |shares: &BTreeMap<&Given, u32>| f64::from(shares.values().sum::<u32>().max(1));
        let (was_whole, is_whole) = (whole(was), whole(is));
        let part = |share: Option<&u32>, whole: f64| share.map_or(0.0, |&ppm| f64::from(ppm) / whole);
        let differs = was
            .keys()
            .chain(is.keys())
            .any(|given| (part(was.get(given), was_whole) - part(is.get(given), is_whole)).abs() > 0.001);
        if differs {
            return Grain::Endpoint;
        }
        any |= (was_whole - is_whole).abs() > 1.0;
    }
    let same_pools = before.keys().eq(after.keys());
    if same_pools && !any { Grain::Endpoint } else { Grain::Pool }
}

/// Whether both sides would name somebody alike who gives another thing than before: the name alone does not tell it.
fn is_readdressed(old: &Shares, new: &Shares, grain: Grain) -> bool {
    let given = |shares: &Shares| {
        let mut given: BTreeMap<String, BTreeSet<Given>> = BTreeMap::new();
        for share in shares.iter().filter(|share| !share.pool.is_empty()) {
            given.entry(name(share, grain)).or_default().insert(share.given.clone());
        }
        given
    };
    let after = given(new);
    given(old).iter().any(|(name, was)| after.get(name).is_some_and(|is| is.is_disjoint(was)))
}

/// By pool: what is given, and how much of it.
fn within(shares: &Shares) -> BTreeMap<&str, BTreeMap<&Given, u32>> {
    let mut within: BTreeMap<&str, BTreeMap<&Given, u32>> = BTreeMap::new();
    for share in shares {
        *within.entry(&share.pool).or_default().entry(&share.given).or_default() += share.ppm;
    }
    within
}

fn side(shares: &Shares, grain: Grain) -> String {
    let mut named: Vec<(String, u32)> = Vec::new();
    for share in shares {
        let name = name(share, grain);
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, ppm)) => *ppm += share.ppm,
            None => named.push((name, share.ppm)),
        }
    }
    named.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    if let [(name, _)] = &named[..]
        && shares.iter().any(|share| share.pool.is_empty())
    {
        return name.clone();
    }
    let words: Vec<String> =
        named.iter().map(|(name, ppm)| format!("{name} {}", percent(f64::from(*ppm) / 1_000_000.0))).collect();
    listed(&words, NAMED_MAX)
}

fn name(share: &Share, grain: Grain) -> String {
    match (&share.given, grain) {
        (Given::NoAddress, _) => "no address".to_owned(),
        (Given::Said(word), _) => (*word).to_owned(),
        (given, _) if share.pool.is_empty() => given_text(given),
        (_, Grain::Pool) => share.pool.to_string(),
        (_, Grain::Endpoint) => format!("{}/{}", share.pool, share.endpoint),
        // One that has no name of its own is called by its address.
        (given, Grain::Address) if given_text(given) == *share.endpoint => format!("{}/{}", share.pool, share.endpoint),
        (given, Grain::Address) => format!("{}/{} ({})", share.pool, share.endpoint, given_text(given)),
    }
}

/// An address, or the name that an alias leads to.
pub fn given_text(given: &Given) -> String {
    match given {
        Given::Address(address) => address.to_string(),
        Given::Alias(name) => name.to_string(),
        Given::NoAddress => "no address".to_owned(),
        Given::Said(word) => (*word).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::Weight;

    /// Shares of a half each, of the pool `a`.
    fn shares(endpoints: [(&str, &str); 2]) -> Shares {
        let share = |(name, address): (&str, &str)| Share {
            given: Given::Address(address.parse().expect("an address")),
            pool: "a".into(),
            endpoint: name.into(),
            ppm: 500_000,
        };
        endpoints.map(share).into()
    }

    #[test]
    fn an_address_is_said_where_the_name_does_not_tell_it() {
        let check = |old, new, expected: &str| {
            let sides = [shares(old), shares(new)];
            let [old, new] = sides.map(|shares| [shares.clone(), shares]);
            let moved = Move { places: vec!["DE".to_owned()], weight: Weight::Part(1.0), part: 1.0, old, new };
            let line = moved.to_string();
            assert_eq!(line, format!("DE: {expected}"));
        };
        let before = [("e1", "192.0.2.1"), ("e2", "192.0.2.2")];
        check(
            before,
            [("e1", "192.0.2.9"), ("e2", "192.0.2.2")],
            "a/e1 (192.0.2.1) 50%, a/e2 (192.0.2.2) 50% → a/e1 (192.0.2.9) 50%, a/e2 (192.0.2.2) 50%",
        );
        check(before, [("e3", "192.0.2.9"), ("e2", "192.0.2.2")], "a/e1 50%, a/e2 50% → a/e2 50%, a/e3 50%");
        let bare = [("192.0.2.1", "192.0.2.1"), ("e2", "192.0.2.3")];
        check(
            [("192.0.2.1", "192.0.2.1"), ("e2", "192.0.2.2")],
            bare,
            "a/192.0.2.1 50%, a/e2 (192.0.2.2) 50% → a/192.0.2.1 50%, a/e2 (192.0.2.3) 50%",
        );
    }
}
