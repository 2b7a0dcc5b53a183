//! What was heard, put into words: text for a ticket, JSON for a program.

use std::fmt::Write;
use std::net::IpAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use serde_json::{Value, json};

use super::hearing::{Consulted, Hearing};
use crate::answer::{Finding, Steered, TtlReason};
use crate::geo::Place;
use crate::health::Board;
use crate::policy::{Family, Force, How, Member, Policy, PolicyName, Pool, Target};
use crate::snapshot::{Balanced, Served, Snapshot};
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
    pub(super) hearing: &'a Hearing,
    pub(super) message: &'a Message,
}

/// A member of a pool that was consulted.
struct Judged {
    name: String,
    address: Option<IpAddr>,
    taken: bool,
    reason: String,
}

impl Report<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |head: &str, tail: &str| {
            let _ = writeln!(text, "{head:9}{tail}");
        };
        line("question", &format!("{} {}", self.name, self.rtype));
        match (self.client, self.resolver) {
            (Some((client, place)), _) => line("client", &format!("{client}: {place}")),
            (None, Some(_)) => line("client", "nobody in particular: the resolver tells no subnet"),
            (None, None) => line("client", "nobody in particular (name one with --client IP)"),
        }
        if let Some((resolver, place)) = self.resolver {
            line("resolver", &format!("{resolver}: {place}"));
        }
        for (name, zone, finding) in &self.hearing.found {
            line("zone", &format!("{zone} {}", self.finding(name, *finding)));
        }
        if self.hearing.found.is_empty() {
            line("zone", "none: the name lies in no zone that is served here");
        }
        if let (Some(steered), Some((_, name))) = (self.hearing.steered, self.balanced()) {
            self.pools_text(&mut text, steered);
            let mut line = |head: &str, tail: &str| {
                let _ = writeln!(text, "{head:9}{tail}");
            };
            let seconds = self.seconds(steered);
            line("ttl", &format!("{seconds} s: {}", ttl_reason(seconds, steered, name)));
            line("scope", &self.scope_text());
        }
        let _ = writeln!(text, "{:9}{}", "answer", self.message.metadata.response_code);
        for record in self.message.answers.iter().chain(&self.message.authorities) {
            let _ = writeln!(text, "{:9}{record}", "");
        }
        text
    }

    fn pools_text(&self, text: &mut String, steered: Steered) {
        for consulted in &self.hearing.pools {
            let Some(pool) = self.pool(consulted) else { continue };
            let hints = consulted.hints.map_or_else(String::new, |family| format!(" for {}", hint_word(family)));
            let _ = writeln!(text, "pool     {} ({}){hints}: {}", pool.name, pool.policy.name(), how(consulted.how));
            let members = self.members(consulted, pool, steered);
            let width = members.iter().map(|member| member.name.chars().count()).max().unwrap_or(0);
            for member in &members {
                let mark = if member.taken { "→" } else { " " };
                let address =
                    member.address.map(|address| address.to_string()).filter(|address| *address != member.name);
                let address = address.map_or_else(String::new, |address| format!("{address}  "));
                let _ = writeln!(text, "       {mark} {:width$}  {address}{}", member.name, member.reason);
            }
        }
    }

    pub(super) fn json(&self) -> String {
        let found: Vec<Value> = self.hearing.found.iter().map(|(name, zone, finding)| {
            json!({ "name": name.to_string(), "zone": zone.to_string(), "finding": word(*finding) })
        }).collect();
        let records = |records: &[hickory_proto::rr::Record]| -> Vec<Value> {
            records
                .iter()
                .map(|record| {
                    json!({
                        "name": record.name.to_string(),
                        "type": record.record_type().to_string(),
                        "ttl": record.ttl,
                        "data": record.data.to_string(),
                    })
                })
                .collect()
        };
        let value = json!({
            "name": self.name.to_string(),
            "type": self.rtype.to_string(),
            "client": self.client.map(|(client, _)| client),
            "resolver": self.resolver.map(|(resolver, _)| resolver),
            "place": self.client.or(self.resolver).map(|(_, place)| place_json(&place)),
            "found": found,
            "pools": self.pools_json(),
            "ttl": self.hearing.steered.zip(self.balanced()).map(|(steered, (_, name))| json!({
                "seconds": self.seconds(steered),
                "min": name.ttl.min,
                "max": name.ttl.max,
                "reason": ttl_reason(self.seconds(steered), steered, name),
            })),
            "scope": self.scope(),
            "rcode": self.message.metadata.response_code.to_string(),
            "answers": records(&self.message.answers),
            "authorities": records(&self.message.authorities),
        });
        format!("{value:#}\n")
    }

    fn pools_json(&self) -> Vec<Value> {
        let Some(steered) = self.hearing.steered else { return Vec::new() };
        let consulted = self.hearing.pools.iter().filter_map(|consulted| Some((consulted, self.pool(consulted)?)));
        consulted
            .map(|(consulted, pool)| {
                let members: Vec<Value> = self
                    .members(consulted, pool, steered)
                    .into_iter()
                    .map(|member| {
                        json!({
                            "name": member.name,
                            "address": member.address,
                            "taken": member.taken,
                            "reason": member.reason,
                        })
                    })
                    .collect();
                json!({
                    "name": &*pool.name,
                    "policy": pool.policy.name().to_string(),
                    "how": how(consulted.how),
                    "hints": consulted.hints.map(hint_word),
                    "members": members,
                })
            })
            .collect()
    }

    /// The zone and the balanced name that the question came to.
    fn balanced(&self) -> Option<(&Served, &Balanced)> {
        let (_, zone, finding) = self.hearing.found.last()?;
        let (Finding::Balanced(index) | Finding::Hinted(index)) = finding else { return None };
        let served = self.snapshot.served().iter().find(|served| served.zone.apex() == zone)?;
        Some((served, served.steering.names.get(*index as usize)?))
    }

    fn pool(&self, consulted: &Consulted) -> Option<&Pool> {
        self.balanced()?.0.steering.pools.pools.get(consulted.pool.0 as usize)
    }

    fn finding(&self, name: &Name, finding: Finding) -> String {
        match finding {
            Finding::Static => format!("has {name}, the same for everybody"),
            Finding::Alias => format!("says that {name} is an alias"),
            Finding::NoData => format!("has {name}, but no {} records of it", self.rtype),
            Finding::Delegated => format!("delegates {name} away"),
            Finding::Missing => format!("has no {name}"),
            Finding::Balanced(_) => format!("balances {name} over the pool {}", self.root()),
            Finding::Hinted(_) => {
                format!("has {name}; its address hints are the living addresses of the pool {}", self.root())
            }
        }
    }

    /// The name of the pool that the question came to.
    fn root(&self) -> &str {
        let balanced = self.balanced();
        let pool = balanced.and_then(|(served, name)| served.steering.pools.pools.get(name.root.0 as usize));
        pool.map_or("", |pool| &*pool.name)
    }

    /// The TTL that was given: that of a record with hints may be shorter than theirs.
    fn seconds(&self, steered: Steered) -> u32 {
        match self.hearing.found.last() {
            Some((.., Finding::Hinted(_))) => self.message.answers.last().map_or(steered.ttl, |record| record.ttl),
            _ => steered.ttl,
        }
    }

    fn members(&self, consulted: &Consulted, pool: &Pool, steered: Steered) -> Vec<Judged> {
        let steered = Steered { family: consulted.hints.unwrap_or(steered.family), ..steered };
        let members = (0..).zip(&pool.members);
        members.filter_map(|(number, member)| self.judge(consulted, pool, steered, number, member)).collect()
    }

    fn judge(
        &self,
        consulted: &Consulted,
        pool: &Pool,
        steered: Steered,
        number: u16,
        member: &Member,
    ) -> Option<Judged> {
        let (served, _) = self.balanced()?;
        let pools = &served.steering.pools;
        let taken = consulted.took.contains(&member.target);
        let (name, address, present, alive) = match member.target {
            Target::Endpoint(id) => {
                let endpoint = pools.endpoints.get(id.0 as usize)?;
                let health = endpoint.judged.health(self.board);
                let address = endpoint.given.address();
                // An alias stands for both families.
                let present = address.is_none_or(|address| steered.family.holds(address));
                (endpoint.name.to_string(), address, present, health.alive)
            }
            Target::Pool(id) => {
                let live = served.live.pool(steered.family, id);
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
            (false, ..) => match steered.family {
                Family::V4 => "has no IPv4 address".to_owned(),
                Family::V6 => "has no IPv6 address".to_owned(),
            },
            (_, false, true) => "down, answered all the same: nothing lives (when-all-down)".to_owned(),
            (_, false, false) => "down".to_owned(),
            (_, true, true) => format!("taken{}", self.rank(consulted, pool, number, "")),
            (_, true, false) => format!("up, not taken{}", self.rank(consulted, pool, number, why_not(pool, member))),
        };
        Some(Judged { name, address, taken: taken && present, reason })
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

    fn scope_text(&self) -> String {
        match self.scope() {
            None => "none: no client subnet was told".to_owned(),
            Some(0) => "/0: the same for every client".to_owned(),
            Some(bits) => format!("/{bits}: the answer depended on so many bits of the client's address"),
        }
    }
}

fn place_json(place: &Place) -> Value {
    json!({
        "continent": place.continent.map(|continent| continent.code()),
        "country": place.country.map(|country| country.code()),
        "subdivision": place.subdivision.map(|subdivision| subdivision.to_string()),
        "latitude": place.coordinates.map(|coordinates| coordinates.latitude()),
        "longitude": place.coordinates.map(|coordinates| coordinates.longitude()),
        "asn": place.asn,
    })
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
        How::Class { bits, .. } => format!("by the client's place, as {bits} bits of its address tell it"),
        How::Expected { bits } => {
            format!("by lot among the fastest for this client, as {bits} bits of its address tell")
        }
        How::Slot { slot, bits } => {
            format!("by the ranking of slot {slot}, into which {bits} bits of the client's address fall")
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
    if seconds < steered.ttl {
        return format!("the record's own; for its hints {range}");
    }
    match steered.ttl_reason() {
        TtlReason::NothingLives => format!("nothing lives, so it is to be forgotten soon; {range}"),
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
