//! One name, one class of clients: who begins how many of its answers, whatever lives of it.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::policy::{self, Family, Live, PoolId, Portion, Portions, WhenAllDown};
use crate::snapshot::{Balanced, Served};
use crate::wire::name::Name;

/// Parts in a whole: finer than anybody weighs, and coarse enough that what is computed in two ways comes out equal.
pub(super) const WHOLE: u32 = 1_000_000;

/// What is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Given {
    /// An address.
    Address(IpAddr),
    /// Another name.
    Alias(Box<str>),
    /// Nothing: the name has no address of the family.
    NoAddress,
    /// Nothing lives, so this is said in place of an address.
    Said(&'static str),
}

/// A part of a name's answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    /// What they begin with.
    pub given: Given,
    /// The pool that it is in; empty where it is in none.
    pub pool: Box<str>,
    /// What operators call it; empty as well.
    pub endpoint: Box<str>,
    /// How many of a million.
    pub ppm: u32,
}

/// All answers of one family, by what is given; at least one part.
pub type Shares = Box<[Share]>;

/// Who answers for one zone's names.
pub(super) struct Sharer<'s> {
    served: &'s Served,
    living: [Portions<'s>; 2],
    all: [Portions<'s>; 2],
}

impl<'s> Sharer<'s> {
    pub(super) fn new(served: &'s Served) -> Self {
        let of = |live: &'s Live| Family::BOTH.map(|family| Portions::new(live, family));
        let all = served.live.without_out().unwrap_or(&served.steering.all);
        Self { served, living: of(&served.live), all: of(all) }
    }

    /// The shares of `name` in `family`, for clients of the class that `class` says in each pool.
    pub(super) fn shares(&mut self, name: &Balanced, family: Family, class: impl Fn(PoolId) -> u32) -> Shares {
        let root = self.served.live.pool(family, name.root);
        if !root.is_some_and(policy::LivePool::is_present) {
            return lone(Given::NoAddress);
        }
        let of = match (root.is_some_and(policy::LivePool::is_alive), &name.when_all_down) {
            (true, _) => &mut self.living,
            // What last lived is as any other when nobody remembers it.
            (false, WhenAllDown::ServeAll | WhenAllDown::LastGood) => &mut self.all,
            (false, WhenAllDown::Addresses(addresses)) => {
                let first = addresses.iter().find(|&&address| family.holds(address));
                return lone(first.map_or(Given::Said("nodata"), |&address| Given::Address(address)));
            }
            (false, WhenAllDown::NoData) => return lone(Given::Said("nodata")),
            (false, WhenAllDown::ServFail) => return lone(Given::Said("servfail")),
            (false, WhenAllDown::Refused) => return lone(Given::Said("refused")),
        };
        let own = of[family as usize].of(name.root, &class);
        let Some(deciding) = name.deciding().filter(|&deciding| deciding != family) else { return self.sum(own) };
        let other = of[deciding as usize].of(name.root, &class);
        self.sum(self.decided(own, other))
    }

    /// What is left of a family's `own` portions where another decides whether the name is an alias.
    fn decided(&self, own: Vec<Portion>, deciding: Vec<Portion>) -> Vec<Portion> {
        let is_alias = |portion: &Portion| {
            let endpoint = self.served.steering.pools.endpoints.get(portion.endpoint.0 as usize);
            endpoint.is_some_and(|endpoint| endpoint.given.alias().is_some())
        };
        let aliases: Vec<Portion> = deciding.into_iter().filter(is_alias).collect();
        let rest = 1.0 - aliases.iter().map(|portion| portion.part).sum::<f64>();
        let own = own.into_iter().filter(|portion| !is_alias(portion));
        let own = own.map(|portion| Portion { part: portion.part * rest, ..portion });
        aliases.into_iter().chain(own).collect()
    }

    /// The portions by what is given, in its order; what none of them has is nothing.
    fn sum(&self, portions: Vec<Portion>) -> Shares {
        let steering = &self.served.steering;
        let mut shares: Vec<Share> = Vec::with_capacity(portions.len());
        let mut by_given: HashMap<Given, (usize, f64)> = HashMap::new();
        for portion in portions {
            let Some(endpoint) = steering.pools.endpoints.get(portion.endpoint.0 as usize) else { continue };
            let given = match endpoint.given {
                policy::Given::Address(address) => Given::Address(address),
                policy::Given::Alias(alias) => {
                    let target = steering.aliases.get(alias.0 as usize).map(Name::to_string);
                    Given::Alias(target.unwrap_or_default().into())
                }
            };
            let (_, part) = by_given.entry(given.clone()).or_insert_with(|| {
                let pool = steering.pools.pools.get(portion.pool.0 as usize);
                let pool = pool.map(|pool| pool.name.clone()).unwrap_or_default();
                shares.push(Share { given, pool, endpoint: endpoint.name.clone(), ppm: 0 });
                (shares.len() - 1, 0.0)
            });
            *part += portion.part;
        }
        for (at, part) in by_given.into_values() {
            if let Some(share) = shares.get_mut(at) {
                // At most 1, but for what floating point adds.
                share.ppm = ((part * f64::from(WHOLE)).round() as u32).min(WHOLE);
            }
        }
        shares.retain(|share| share.ppm > 0);
        if shares.is_empty() {
            return lone(Given::Said("nodata"));
        }
        shares.sort_by(|one, other| one.given.cmp(&other.given));
        shares.into()
    }
}

fn lone(given: Given) -> Shares {
    [Share { given, pool: Box::default(), endpoint: Box::default(), ppm: WHOLE }].into()
}

/// How much of a client's answers other endpoints begin, 0 to [`WHOLE`].
pub(super) fn moved(old: &[Share], new: &[Share]) -> u32 {
    let kept: u32 = old.iter().map(|share| share.ppm.min(part_of(&share.given, new))).sum();
    WHOLE.saturating_sub(kept.min(WHOLE))
}

fn part_of(given: &Given, shares: &[Share]) -> u32 {
    shares.binary_search_by(|share| share.given.cmp(given)).ok().and_then(|at| shares.get(at)).map_or(0, |s| s.ppm)
}

/// Whether both give the same, to a hundredth of a percent, in which the sum of many parts may differ.
pub(super) fn is_same(old: &[Share], new: &[Share]) -> bool {
    moved(old, new) <= WHOLE / 10_000
}
