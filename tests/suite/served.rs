//! From a few words to something that answers: zones and pools in, a desk to ask at out.
//!
//! Everything is built by the library's own builders. Requests are hickory-proto's, so that what is read was
//! written by somebody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use bellwether::answer::{Counters, Outcome, Peer, Response, Transport, Worker, answer};
use bellwether::diagnostic::Severity;
use bellwether::geo::Places;
use bellwether::health::{Board, Health, ProbeId};
use bellwether::moment::Moment;
use bellwether::policy::{
    AliasId, Answers, Ecs, Endpoint, EndpointId, Force, Forced, Given, Judged, Live, Member, MinAlive, Pool, PoolId,
    Pools, Target, WhenAllDown,
};
use bellwether::snapshot::{Balanced, Served, Snapshot, Steering};
use bellwether::ttl::TtlRange;
use bellwether::wire::name::Name;
use bellwether::zone::{Beside, Builder, Origin, Zone, master};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::RecordType;

use crate::policies::{self, Seat};

/// A zone as words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words<'w> {
    pub(crate) apex: &'w str,
    /// A master file.
    pub(crate) zone: &'w str,
    /// A pool a line, children first: `name policy members…`. A member is a pool's name, an address, or an alias to
    /// a name with a final dot, with `*weight` where it is not 1, `@latitude,longitude` and its claims,
    /// `[EU,192.0.2.0/24]`, where it has them. The policy may have `:` and what it needs behind it
    /// (`crate::policies`), and `/count` or `/percent%`, how many must live.
    pub(crate) pools: &'w str,
    /// A balanced name a line: `owner pool answers ttl-min ttl-max when-all-down`. Answers are a number, `each` or
    /// `spread:` and a number; the last is a word of the policy file or addresses joined by commas. `no-ecs` and
    /// `hints` may follow.
    pub(crate) names: &'w str,
}

/// Endpoints are probed by their numbers: the first that is named is probe 0.
pub(crate) fn served(words: Words<'_>, board: &Board) -> Served {
    served_in(words, board, policies::sample())
}

/// As [`served`], with what is known of clients.
pub(crate) fn served_in(words: Words<'_>, board: &Board, places: &Places) -> Served {
    let apex = Name::from_host(words.apex).expect("an apex");
    let (pools, aliases) = pools(words.pools, places);
    let deciding = pools.deciding();
    let hints = |line: &str| line.split_whitespace().skip(6).any(|word| word == "hints");
    let hinting: Vec<u32> = (0..).zip(lines(words.names)).filter(|(_, line)| hints(line)).map(|(at, _)| at).collect();
    let names: Vec<(&str, Balanced)> = lines(words.names).map(|line| balanced(line, &pools)).collect();
    let mut builder = Builder::new(&apex);
    let read = master::read_text(Path::new("test.zone"), words.zone.as_bytes(), &apex, &mut |record| {
        let origin = Origin { file: record.file, line: record.line };
        builder.add(record.owner, record.rtype, record.ttl, record.rdata, origin);
    });
    assert_eq!(read.diagnostics, [], "{}", words.zone);
    for (index, (owner, balanced)) in (0..).zip(&names) {
        let may_be_alias = deciding[balanced.root.0 as usize].is_some();
        let beside = if may_be_alias { Beside::Nothing } else { Beside::OtherTypes };
        let owner = Name::from_text(owner.as_bytes(), Some(&apex)).expect("an owner");
        builder.balance(&owner, index, beside, Origin { file: 1, line: index + 1 });
        if hinting.contains(&index) {
            builder.hint(&owner, Origin { file: 1, line: index + 1 });
        }
    }
    let steering = Steering::new(names.into_iter().map(|(_, balanced)| balanced).collect(), pools, aliases.into());
    let live = Live::compile(&steering.pools, board, &Forced::default(), None);
    Served::new(Arc::new(finished(builder)), Arc::new(steering), Arc::new(live))
}

/// The zone that `builder` comes to.
pub(crate) fn finished(builder: Builder) -> Zone {
    let (zone, faults) = builder.finish();
    let errors: Vec<_> = faults.iter().filter(|fault| fault.severity == Severity::Error).collect();
    zone.unwrap_or_else(|| panic!("{errors:?}"))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn pools(text: &str, places: &Places) -> (Pools, Vec<Name>) {
    let mut aliases = Vec::new();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    let mut pools: Vec<Pool> = Vec::new();
    for line in lines(text) {
        let mut words = line.split_whitespace();
        let name = words.next().expect("a name");
        let (policy, min_alive) = words.next().map_or(("", "1"), |word| word.split_once('/').unwrap_or((word, "1")));
        let seats: Vec<Seat<'_>> = words.map(Seat::read).collect();
        let policy = policies::policy(policy, &seats, places);
        let members = seats.iter().map(|&Seat { member, weight, .. }| {
            let target = match pools.iter().position(|pool| *pool.name == *member) {
                Some(pool) => Target::Pool(PoolId(pool as u32)),
                None => {
                    let id = endpoints.len() as u32;
                    let (given, judged) = if member.ends_with('.') {
                        aliases.push(Name::from_host(member).expect("a name").to_lowercase());
                        (Given::Alias(AliasId(aliases.len() as u32 - 1)), Judged::default())
                    } else {
                        (Given::Address(member.parse().expect("an address")), Judged::by(ProbeId(id)))
                    };
                    endpoints.push(Endpoint { name: member.into(), given, judged });
                    Target::Endpoint(EndpointId(id))
                }
            };
            Member { target, weight }
        });
        let members = members.collect();
        let min_alive = match min_alive.strip_suffix('%') {
            Some(percent) => MinAlive::Percent(percent.parse().expect("a percentage")),
            None => MinAlive::Count(min_alive.parse().expect("a count")),
        };
        pools.push(Pool { name: name.into(), policy, members, min_alive, depends: Box::default() });
    }
    (Pools::new(pools, endpoints), aliases)
}

fn balanced<'w>(line: &'w str, pools: &Pools) -> (&'w str, Balanced) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (&[owner, pool, answers, min, max, when_all_down], rest) = words.split_first_chunk().expect("six words");
    let ecs = if rest.contains(&"no-ecs") { Ecs::Ignored } else { Ecs::Heeded };
    let root = pools.pools.iter().position(|other| *other.name == *pool).expect("a pool");
    let answers = match answers.strip_prefix("spread:") {
        Some(count) => Answers::Spread(count.parse().expect("a count")),
        None if answers == "each" => Answers::EachMember,
        None => Answers::Best(answers.parse().expect("a count")),
    };
    let when_all_down = match when_all_down {
        "serve-all" => WhenAllDown::ServeAll,
        "last-good" => WhenAllDown::LastGood,
        "nodata" => WhenAllDown::NoData,
        "servfail" => WhenAllDown::ServFail,
        "refused" => WhenAllDown::Refused,
        addresses => {
            WhenAllDown::Addresses(addresses.split(',').map(|address| address.parse().expect("an address")).collect())
        }
    };
    let ttl = TtlRange { min: min.parse().expect("seconds"), max: max.parse().expect("seconds") };
    let balanced = Balanced::new(PoolId(root as u32), answers, ttl, when_all_down, ecs);
    (owner, if rest.contains(&"hints") { balanced.hinting() } else { balanced })
}

/// A snapshot and a worker to ask.
pub(crate) struct Desk {
    pub(crate) snapshot: Snapshot,
    pub(crate) worker: Worker,
    pub(crate) now: Moment,
    /// Where requests come from.
    pub(crate) source: IpAddr,
    buffer: Box<[u8]>,
}

impl Desk {
    pub(crate) fn new(served: Vec<Served>) -> Self {
        let snapshot = Snapshot::new(1, served);
        let mut worker = Worker::new(Arc::new(Counters::default()), 1);
        worker.adopt(&snapshot);
        Self {
            snapshot,
            worker,
            now: Moment::START,
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            buffer: vec![0; usize::from(u16::MAX)].into(),
        }
    }

    /// Enters the health of probes and compiles the live pools anew, as the control plane does.
    #[allow(dead_code, reason = "the benches share this file and turn no verdict")]
    pub(crate) fn turn(&mut self, board: &mut Board, changes: &[(u32, Health)]) {
        for &(probe, health) in changes {
            board.set(ProbeId(probe), health);
        }
        self.snapshot = self.snapshot.with_live(|served| {
            Some(Arc::new(Live::compile(&served.steering.pools, board, served.live.forced(), Some(&served.live))))
        });
        self.worker.adopt(&self.snapshot);
    }

    /// Forces what `force` says of the endpoint of each number, in every zone, as an operator does.
    #[allow(dead_code, reason = "the benches share this file and force nothing")]
    pub(crate) fn force(&mut self, board: &Board, force: impl Fn(u32) -> Option<Force>) {
        self.snapshot = self.snapshot.with_live(|served| {
            let mut forced = Forced::default();
            for id in 0..served.steering.pools.endpoints.len() as u32 {
                force(id).into_iter().for_each(|force| forced.set(Target::Endpoint(EndpointId(id)), force));
            }
            Some(Arc::new(Live::compile(&served.steering.pools, board, &forced, Some(&served.live))))
        });
        self.worker.adopt(&self.snapshot);
    }

    /// The answer to `request`; no octets when nothing is sent.
    #[inline]
    pub(crate) fn ask(&mut self, transport: Transport, request: &[u8]) -> (Outcome, &[u8]) {
        let mut response = Response::new(&mut self.buffer);
        let peer = Peer { address: self.source, transport };
        let outcome = answer(&self.snapshot, &mut self.worker, peer, self.now, request, &mut response);
        let length = response.octets().len();
        (outcome, &self.buffer[..length])
    }
}

/// A query for `name`, whose case is kept, and the type of that number.
pub(crate) fn query(name: &str, rtype: u16, edns: Option<Edns>) -> Vec<u8> {
    let name = hickory_proto::rr::Name::from_ascii(name).expect("a name");
    let mut message = Message::new(0xbe11, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, RecordType::from(rtype)));
    if let Some(edns) = edns {
        message.set_edns(edns);
    }
    message.to_vec().expect("a message")
}

/// The OPT record of a usual resolver.
pub(crate) fn usual_edns() -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(1232).set_dnssec_ok(true);
    edns
}

/// A query with the data of a client subnet option (RFC 7871 §6), well formed or not, by a usual resolver.
pub(crate) fn query_with_ecs(name: &str, rtype: u16, data: &[u8]) -> Vec<u8> {
    let mut octets = query(name, rtype, None);
    let [high, low] = (data.len() as u16).to_be_bytes();
    let [above, below] = (data.len() as u16 + 4).to_be_bytes();
    octets[11] = 1;
    octets.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, above, below, 0, 8, high, low]);
    octets.extend(data);
    octets
}

/// The data of a client subnet option: `bits` of `address`, which has no others set.
pub(crate) fn subnet(address: IpAddr, bits: u8) -> Vec<u8> {
    let (family, octets) = match address {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    [&[0, family, bits, 0], &octets[..usize::from(bits).div_ceil(8)]].concat()
}

/// `address` without what lies behind its first `bits`.
pub(crate) fn cut(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !rest))
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !rest))
        }
    }
}
