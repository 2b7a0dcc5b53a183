//! From a few words to something that answers: zones and pools in, a desk to ask at out.
//!
//! Everything is built by the library's own builders. Requests are hickory-proto's, so that what is read was
//! written by somebody else.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use bellwether::answer::{Counters, Outcome, Peer, Response, Transport, Worker, answer};
use bellwether::diagnostic::Severity;
use bellwether::health::{Board, Health, ProbeId};
use bellwether::moment::Moment;
use bellwether::policy::{
    AliasId, Answers, Ecs, Endpoint, EndpointId, Given, Live, Member, MinAlive, Policy, Pool, PoolId, Pools, Target,
    WhenAllDown,
};
use bellwether::snapshot::{Balanced, Served, Snapshot, Steering};
use bellwether::ttl::TtlRange;
use bellwether::wire::name::Name;
use bellwether::zone::{Beside, Builder, Origin, Zone, master};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::RecordType;

/// A zone as words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words<'w> {
    pub(crate) apex: &'w str,
    /// A master file.
    pub(crate) zone: &'w str,
    /// A pool a line, children first: `name policy members…`. A member is a pool's name, an address, or an alias to
    /// a name with a final dot, with `*weight` where it is not 1. The policy may have `/count` behind it, how many must live.
    pub(crate) pools: &'w str,
    /// A balanced name a line: `owner pool answers ttl-min ttl-max when-all-down`. Answers are a number or
    /// `each`; the last is a word of the policy file or addresses joined by commas.
    pub(crate) names: &'w str,
}

/// Endpoints are probed by their numbers: the first that is named is probe 0.
pub(crate) fn served(words: Words<'_>, board: &Board) -> Served {
    let apex = Name::from_host(words.apex).expect("an apex");
    let (pools, aliases) = pools(words.pools);
    let deciding = pools.deciding();
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
    }
    let steering = Steering::new(names.into_iter().map(|(_, balanced)| balanced).collect(), pools, aliases.into());
    let live = Live::compile(&steering.pools, board, None);
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

fn pools(text: &str) -> (Pools, Vec<Name>) {
    let mut aliases = Vec::new();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    let mut pools: Vec<Pool> = Vec::new();
    for line in lines(text) {
        let mut words = line.split_whitespace();
        let name = words.next().expect("a name");
        let (policy, min_alive) = words.next().map_or(("", "1"), |word| word.split_once('/').unwrap_or((word, "1")));
        let policy = match policy {
            "round-robin" => Policy::RoundRobin,
            "weighted" => Policy::Weighted,
            "failover" => Policy::Failover,
            other => panic!("no policy: {other}"),
        };
        let members = words.map(|word| {
            let (member, weight) = word.split_once('*').unwrap_or((word, "1"));
            let target = match pools.iter().position(|pool| *pool.name == *member) {
                Some(pool) => Target::Pool(PoolId(pool as u32)),
                None => {
                    let id = endpoints.len() as u32;
                    let (given, probe) = if member.ends_with('.') {
                        aliases.push(Name::from_host(member).expect("a name").to_lowercase());
                        (Given::Alias(AliasId(aliases.len() as u32 - 1)), None)
                    } else {
                        (Given::Address(member.parse().expect("an address")), Some(ProbeId(id)))
                    };
                    endpoints.push(Endpoint { name: member.into(), given, probe });
                    Target::Endpoint(EndpointId(id))
                }
            };
            Member { target, weight: weight.parse().expect("a weight") }
        });
        let members = members.collect();
        let min_alive = MinAlive::Count(min_alive.parse().expect("a count"));
        pools.push(Pool { name: name.into(), policy, members, min_alive });
    }
    (Pools { pools: pools.into(), endpoints: endpoints.into() }, aliases)
}

fn balanced<'w>(line: &'w str, pools: &Pools) -> (&'w str, Balanced) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[owner, pool, answers, min, max, when_all_down] = words.as_slice() else { panic!("six words: {line}") };
    let root = pools.pools.iter().position(|other| *other.name == *pool).expect("a pool");
    let answers = match answers {
        "each" => Answers::EachMember,
        count => Answers::Best(count.parse().expect("a count")),
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
    (owner, Balanced::new(PoolId(root as u32), answers, ttl, when_all_down, Ecs::Heeded))
}

/// A snapshot and a worker to ask.
pub(crate) struct Desk {
    pub(crate) snapshot: Snapshot,
    pub(crate) worker: Worker,
    pub(crate) now: Moment,
    buffer: Box<[u8]>,
}

impl Desk {
    pub(crate) fn new(served: Vec<Served>) -> Self {
        let snapshot = Snapshot::new(1, served);
        let mut worker = Worker::new(Arc::new(Counters::default()), 1);
        worker.adopt(&snapshot);
        Self { snapshot, worker, now: Moment::START, buffer: vec![0; usize::from(u16::MAX)].into() }
    }

    /// Enters the health of probes and compiles the live pools anew, as the control plane does.
    #[allow(dead_code, reason = "the benches share this file and turn no verdict")]
    pub(crate) fn turn(&mut self, board: &mut Board, changes: &[(u32, Health)]) {
        for &(probe, health) in changes {
            board.set(ProbeId(probe), health);
        }
        self.snapshot = self
            .snapshot
            .with_live(|served| Some(Arc::new(Live::compile(&served.steering.pools, board, Some(&served.live)))));
        self.worker.adopt(&self.snapshot);
    }

    /// The answer to `request`; no octets when nothing is sent.
    #[inline]
    pub(crate) fn ask(&mut self, transport: Transport, request: &[u8]) -> (Outcome, &[u8]) {
        let mut response = Response::new(&mut self.buffer);
        let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport };
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
