//! What was heard, put into words.

use std::net::IpAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::serialize::binary::BinEncodable as _;

use super::hearing::{Consulted, Found, Hearing};
use crate::admin::api::{Explanation, MemberConsidered, NameFound, PlaceFound, PoolConsulted, RecordGiven, TtlGiven};
use crate::answer::{Finding, Steered, TtlReason};
use crate::geo::Place;
use crate::health::{Board, ProbeId};
use crate::policy::{Family, Force, How, Member, Policy, PolicyName, Pool, Pools, Target};
use crate::snapshot::{Balanced, Served, Snapshot};
use crate::wire::header::Rcode;
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

/// Everything that an explanation is made of.
pub(super) struct Report<'a> {
    pub(super) name: &'a Name,
    pub(super) rtype: Rtype,
    pub(super) client: Option<(IpAddr, Place)>,
    pub(super) resolver: Option<(IpAddr, Place)>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) board: &'a Board,
    pub(super) probe: &'a dyn Fn(ProbeId) -> Option<String>,
    pub(super) hearing: &'a Hearing,
    pub(super) message: &'a Message,
    pub(super) rcode: Rcode,
}

/// A name for which endpoints were chosen.
#[derive(Clone, Copy)]
struct Choice<'a> {
    found: &'a Found,
    served: &'a Served,
    name: &'a Balanced,
    steered: Steered,
}

impl Report<'_> {
    pub(super) fn explanation(&self) -> Explanation {
        let found = self.hearing.found.iter().map(|found| NameFound {
            name: found.name.to_string(),
            zone: found.zone.to_string(),
            finding: word(found.finding).to_owned(),
            words: self.finding(found),
        });
        // Where an alias that was balanced leads to does not change why it was given.
        let last = self.choices().last();
        let ttl = last.and_then(|choice| Some((self.seconds(&choice)?, choice))).map(|(seconds, choice)| TtlGiven {
            seconds,
            min: choice.name.ttl.min,
            max: choice.name.ttl.max,
            reason: ttl_reason(seconds, choice.steered, choice.name),
        });
        Explanation {
            name: self.name.to_string(),
            rtype: self.rtype.to_string(),
            client: self.client.map(|(client, _)| client),
            resolver: self.resolver.map(|(resolver, _)| resolver),
            place: self.client.or(self.resolver).map(|(_, place)| place_found(&place)),
            resolver_place: self.resolver.map(|(_, place)| place_found(&place)),
            found: found.collect(),
            pools: self.pools(),
            ttl,
            scope: self.scope(),
            rcode: self.rcode.mnemonic().to_owned(),
            answers: self.message.answers.iter().map(record).collect(),
            authorities: self.message.authorities.iter().map(record).collect(),
        }
    }

    /// The names of the chain for which endpoints were chosen, in order.
    fn choices(&self) -> impl Iterator<Item = Choice<'_>> {
        self.hearing.found.iter().filter_map(|found| {
            let (served, name) = self.balanced(found)?;
            Some(Choice { found, served, name, steered: found.steered? })
        })
    }

    fn pools(&self) -> Vec<PoolConsulted> {
        let consulted = self.choices().flat_map(|choice| {
            let none = unasked(&choice);
            let consulted = choice.found.pools.iter().chain(&none);
            consulted.filter_map(|consulted| self.consulted(&choice, consulted)).collect::<Vec<_>>()
        });
        consulted.collect()
    }

    fn consulted(&self, choice: &Choice<'_>, consulted: &Consulted) -> Option<PoolConsulted> {
        let pool = choice.served.steering.pools.pools.get(consulted.pool.0 as usize)?;
        Some(PoolConsulted {
            name: pool.name.to_string(),
            policy: pool.policy.name().to_string(),
            how: how(consulted.how) + &self.missing(pool),
            hints: consulted.hints.map(|family| hint_word(family).to_owned()),
            members: self.members(choice, consulted, pool),
        })
    }

    /// The zone and the balanced name that a name came to.
    fn balanced(&self, found: &Found) -> Option<(&Served, &Balanced)> {
        let (Finding::Balanced(index) | Finding::Hinted(index)) = found.finding else { return None };
        let served = self.snapshot.served().iter().find(|served| *served.zone.apex() == found.zone)?;
        Some((served, served.steering.names.get(index as usize)?))
    }

    fn finding(&self, found: &Found) -> String {
        let name = &found.name;
        match found.finding {
            Finding::Static => format!("has {name}, the same for everybody"),
            Finding::Alias => format!("says that {name} is an alias"),
            Finding::NoData => format!("has {name}, but no {} records of it", self.rtype),
            Finding::Delegated => format!("delegates {name} away"),
            Finding::Missing => format!("has no {name}"),
            Finding::Balanced(_) => {
                format!("balances {name} over the pool {}{}", self.root(found), self.when_all_down(found))
            }
            Finding::Hinted(_) => {
                format!("has {name}; its address hints are the living addresses of the pool {}", self.root(found))
            }
        }
    }

    /// The name of the pool that a name came to.
    fn root(&self, found: &Found) -> &str {
        let balanced = self.balanced(found);
        let pool = balanced.and_then(|(served, name)| served.steering.pools.pools.get(name.root.0 as usize));
        pool.map_or("", |pool| &*pool.name)
    }

    /// What is said in place of what lives, where nothing does.
    fn when_all_down(&self, found: &Found) -> String {
        let dead = found.steered.filter(|steered| !steered.alive).and(self.balanced(found));
        dead.map_or_else(String::new, |(_, name)| {
            format!(", of which nothing lives: when-all-down says {}", name.when_all_down)
        })
    }

    /// The TTL that was given: that of a record with hints, or of a denial, may be shorter than theirs. `None` where no
    /// record was.
    fn seconds(&self, choice: &Choice<'_>) -> Option<u32> {
        let ttl = choice.steered.ttl;
        match (choice.found.finding, self.message.answers.last().or(self.message.authorities.first())) {
            (Finding::Hinted(_), record) => Some(record.map_or(ttl, |record| record.ttl)),
            (_, None) => None,
            (_, Some(_)) if !self.message.answers.is_empty() => Some(ttl),
            (_, Some(denial)) => Some(denial.ttl.min(ttl)),
        }
    }

    fn members(&self, choice: &Choice<'_>, consulted: &Consulted, pool: &Pool) -> Vec<MemberConsidered> {
        let family = consulted.hints.unwrap_or(choice.steered.family);
        let members = (0..).zip(&pool.members);
        members
            .filter_map(|(number, member)| self.judge(choice.served, consulted, pool, family, (number, member)))
            .collect()
    }

    fn judge(
        &self,
        served: &Served,
        consulted: &Consulted,
        pool: &Pool,
        family: Family,
        (number, member): (u16, &Member),
    ) -> Option<MemberConsidered> {
        let pools = &served.steering.pools;
        let taken = consulted.took.contains(&member.target);
        let (name, address, present, alive) = match member.target {
            Target::Endpoint(id) => {
                let endpoint = pools.endpoints.get(id.0 as usize)?;
                let health = endpoint.judged.health(self.board);
                let address = endpoint.given.address();
                // An alias stands for both families.
                let present = address.is_none_or(|address| family.holds(address));
                (endpoint.name.to_string(), address, present, health.alive)
            }
            Target::Pool(id) => {
                let live = served.live.pool(family, id);
                let (present, alive) = live.map_or((false, false), |live| (live.is_present(), live.is_alive()));
                (format!("pool {}", pools.pools.get(id.0 as usize)?.name), None, present, alive)
            }
        };
        let forced = served.live.forced().get(member.target).filter(|_| present);
        let reason = match (present, alive, taken) {
            _ if forced.is_some_and(Force::is_out) => {
                let word = if forced == Some(Force::Drain) { "drained" } else { "forced down" };
                let taken = if taken { ", answered all the same: nothing else is left (when-all-down)" } else { "" };
                format!("{word}{taken}")
            }
            (_, _, true) if forced == Some(Force::Up) => {
                format!("taken, forced up{}", self.rank(consulted, pool, number, ""))
            }
            (false, ..) => match family {
                Family::V4 => "has no IPv4 address".to_owned(),
                Family::V6 => "has no IPv6 address".to_owned(),
            },
            (_, false, true) => "down, answered all the same: nothing lives (when-all-down)".to_owned(),
            (_, false, false) => "down".to_owned(),
            (_, true, true) => format!("taken{}", self.rank(consulted, pool, number, "")),
            (_, true, false) => format!("up, not taken{}", self.rank(consulted, pool, number, why_not(pool, member))),
        };
        let reason = if present { reason + &self.judges(pools, member.target) } else { reason };
        Some(MemberConsidered { name, address, taken: taken && present, reason })
    }

    /// Which of several monitors say that an endpoint is down, and what of that on which a pool depends is.
    fn judges(&self, pools: &Pools, target: Target) -> String {
        match target {
            Target::Pool(id) => pools.pools.get(id.0 as usize).map(|pool| self.missing(pool)).unwrap_or_default(),
            Target::Endpoint(id) => {
                let Some(endpoint) = pools.endpoints.get(id.0 as usize) else { return String::new() };
                let (probes, down) = (&endpoint.judged.probes, self.down(&endpoint.judged.probes));
                if probes.len() < 2 || down.is_empty() {
                    return String::new();
                }
                format!(" (down by {} of {} monitors: {})", down.len(), probes.len(), down.join(", "))
            }
        }
    }

    /// What a pool depends on and is down.
    fn missing(&self, pool: &Pool) -> String {
        let down = self.down(&pool.depends);
        if down.is_empty() { String::new() } else { format!(" (it depends on {}: down)", down.join(", ")) }
    }

    /// Those of `probes` that are down, in words.
    fn down(&self, probes: &[ProbeId]) -> Vec<String> {
        let is_down = |probe: &&ProbeId| self.board.get(**probe).is_some_and(|health| !health.alive);
        probes.iter().filter(is_down).filter_map(|&probe| (self.probe)(probe)).collect()
    }

    /// Where a member stands in the client's class, for the policies that have classes; else what is said without.
    fn rank(&self, consulted: &Consulted, pool: &Pool, number: u16, otherwise: &str) -> String {
        let (Policy::Geo(map) | Policy::Nearest(map), How::Class { class, .. }) = (&pool.policy, consulted.how) else {
            return otherwise.to_owned();
        };
        let order = map.classes().get(class);
        match order.iter().position(|&member| member == number) {
            _ if order.is_empty() => {
                ": nothing tells of this client's place, so the pool's own order counts".to_owned()
            }
            Some(place) => format!(": {} in the order of this client's place", ordinal(place + 1)),
            None => ": not in the order of this client's place".to_owned(),
        }
    }

    fn scope(&self) -> Option<u8> {
        let edns = self.message.edns.as_ref()?;
        match edns.option(EdnsCode::Subnet)? {
            EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
            _ => None,
        }
    }
}

/// The pools of a name that nobody was asked for, since nothing of them lives and the name says something else in their
/// place: each once, from its own pool down.
fn unasked(choice: &Choice<'_>) -> Vec<Consulted> {
    let Choice { found, served, name, steered } = choice;
    if steered.alive || !found.pools.is_empty() {
        return Vec::new();
    }
    let mut dead: Vec<Consulted> = Vec::new();
    let mut ahead = vec![name.root];
    while let Some(id) = ahead.pop() {
        let Some(pool) = served.steering.pools.pools.get(id.0 as usize) else { continue };
        if dead.iter().any(|known| known.pool == id) {
            continue;
        }
        dead.push(Consulted { pool: id, how: How::Dead, took: Vec::new(), hints: None });
        ahead.extend(pool.members.iter().rev().filter_map(|member| match member.target {
            Target::Pool(id) => Some(id),
            Target::Endpoint(_) => None,
        }));
    }
    dead
}

fn place_found(place: &Place) -> PlaceFound {
    PlaceFound {
        continent: place.continent.map(|continent| continent.code().to_owned()),
        country: place.country.map(|country| country.code().to_owned()),
        subdivision: place.subdivision.map(|subdivision| subdivision.to_string()),
        latitude: place.coordinates.map(|coordinates| coordinates.latitude()),
        longitude: place.coordinates.map(|coordinates| coordinates.longitude()),
        asn: place.asn,
        words: place.to_string(),
    }
}

fn record(record: &Record) -> RecordGiven {
    // As names are written everywhere else: hickory escapes what need not be.
    let name = record.name.to_bytes().ok().and_then(|octets| Name::from_wire(&octets).ok());
    RecordGiven {
        name: name.map_or_else(|| record.name.to_string(), |name| name.to_string()),
        rtype: record.record_type().to_string(),
        ttl: record.ttl,
        data: record.data.to_string(),
    }
}

fn why_not(pool: &Pool, member: &Member) -> &'static str {
    match pool.policy.name() {
        PolicyName::Failover => ": behind the first that lives",
        PolicyName::Weighted | PolicyName::LeastLoad if member.weight == 0 => ": weight 0 is a last resort",
        PolicyName::Weighted | PolicyName::LeastLoad | PolicyName::RoundRobin => ": not its turn",
        PolicyName::Random => ": not drawn",
        PolicyName::Latency => ": slower for this client, or not drawn among the fastest",
        PolicyName::Hash => ": not first in the ranking of this client's network",
        _ => "",
    }
}

fn how(how: How) -> String {
    match how {
        How::Dead => "nothing of it answers".to_owned(),
        How::First => "the first that lives".to_owned(),
        How::Turn { step, steps } => format!("step {} of a turn of {steps}", u64::from(step) + 1),
        How::Drawn => "by lot".to_owned(),
        How::Class { bits: 0, .. } => "by the client's place, which is the same for all here".to_owned(),
        How::Class { bits, .. } => format!("by the client's place, as the /{bits} of its address tells it"),
        How::Expected { bits } => {
            format!("by lot among the fastest for this client, as the /{bits} of its address tells")
        }
        How::Slot { slot, bits } => {
            format!("by the ranking of slot {slot}, into which the /{bits} of the client's address falls")
        }
    }
}

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Static => "static",
        Finding::Balanced(_) => "balanced",
        Finding::Hinted(_) => "hinted",
        Finding::Alias => "alias",
        Finding::NoData => "nodata",
        Finding::Delegated => "delegated",
        Finding::Missing => "missing",
    }
}

fn hint_word(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4hint",
        Family::V6 => "ipv6hint",
    }
}

fn ttl_reason(seconds: u32, steered: Steered, name: &Balanced) -> String {
    let range = format!("its range is {} s to {} s", name.ttl.min, name.ttl.max);
    if seconds < steered.ttl && steered.alive {
        return format!("the record's own; for its hints {range}");
    }
    match steered.ttl_reason() {
        TtlReason::NothingLives => format!("nothing lives, so it is to be forgotten soon; {range}"),
        TtlReason::Stale => format!("probes are late, so no verdict is counted on; {range}"),
        TtlReason::Steady => format!("no verdict is forming; {range}"),
        TtlReason::Forming => format!("a verdict that is forming could change it; {range}"),
    }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals() {
        let words: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 112].into_iter().map(ordinal).collect();
        assert_eq!(words, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]);
    }
}
