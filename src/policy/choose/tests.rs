//! Walks over pools that are written in a few words.

mod aliases;
mod forced;
mod min_alive;
mod slow_start;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::super::client::SCOPE_V4_MAX;
use super::super::{AliasId, Endpoint, Forced, Given, HASH_BITS, Judged, Member, MinAlive, Policy, Ranking};
use super::*;
use crate::health::{Board, Health, ProbeId};

/// Pools from a few words: `name policy member*weight…`, children first; a member is a pool's name, the last
/// number of an address (7 is 192.0.2.7, v7 is 2001:db8::7), or alias0 and on. Every address is probed by its own number.
fn pools(lines: &[&str]) -> Pools {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    let mut pools: Vec<Pool> = Vec::new();
    for line in lines {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let (policy, min_alive) = words.next().expect("a policy").split_once('/').unwrap_or(("", ""));
        let members = words.map(|word| {
            let (member, weight) = word.split_once('*').unwrap_or((word, "1"));
            let target = match pools.iter().position(|pool| *pool.name == *member) {
                Some(pool) => Target::Pool(PoolId(pool as u32)),
                None => {
                    let id = endpoints.len() as u32;
                    let (given, judged) = match member.strip_prefix("alias") {
                        Some(number) => (Given::Alias(AliasId(number.parse().expect("a number"))), Judged::default()),
                        None => (Given::Address(address(member)), Judged::by(ProbeId(id))),
                    };
                    endpoints.push(Endpoint { name: member.into(), given, judged });
                    Target::Endpoint(EndpointId(id))
                }
            };
            Member { target, weight: weight.parse().expect("a weight") }
        });
        let members = members.collect();
        let policy = match policy {
            "rr" => Policy::RoundRobin,
            "weighted" => Policy::Weighted,
            "random" => Policy::Random,
            "hash" => {
                let names = line.split(' ').skip(2).map(|member| (member, 1));
                Policy::Hash(Arc::new(Ranking::new(names, HASH_BITS)))
            }
            _ => Policy::Failover,
        };
        let percent = |text: &str| text.parse().expect("a percentage");
        let min_alive = match (min_alive.strip_suffix("%w"), min_alive.strip_suffix('%')) {
            (Some(share), _) => MinAlive::PercentOfWeight(percent(share)),
            (_, Some(share)) => MinAlive::Percent(percent(share)),
            _ => MinAlive::Count(min_alive.parse().expect("a count")),
        };
        pools.push(Pool { name: name.into(), policy, members, min_alive, depends: Box::default() });
    }
    Pools::new(pools, endpoints)
}

fn address(member: &str) -> IpAddr {
    let text = match member.strip_prefix('v') {
        Some(last) => format!("2001:db8::{last}"),
        None => format!("192.0.2.{member}"),
    };
    text.parse().expect("an address")
}

struct Case {
    pools: Pools,
    board: Board,
    live: Live,
    cursors: Vec<Cursor>,
    random: Random,
    client: Client,
}

impl Case {
    fn new(lines: &[&str]) -> Self {
        let pools = pools(lines);
        let board = Board::new();
        let live = Live::compile(&pools, &board, &Forced::default(), None);
        let cursors = vec![Cursor::default(); pools.pools.len()];
        let client = Client::within(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Self { pools, board, live, cursors, random: Random::new(1), client }
    }

    fn set(&mut self, name: &str, health: Health) -> &mut Self {
        for endpoint in self.pools.endpoints.iter().filter(|endpoint| *endpoint.name == *name) {
            self.board.set(endpoint.judged.probes[0], health);
        }
        self.live = Live::compile(&self.pools, &self.board, self.live.forced(), Some(&self.live));
        self
    }

    fn picks(&mut self, view: View, family: Family, answers: Answers) -> Picks {
        let root = PoolId(self.pools.pools.len() as u32 - 1);
        let mut picks = Picks::default();
        let (low, client) = (PoolId(0), &self.client);
        let hand = Hand { cursors: &mut self.cursors, low, random: &mut self.random, client, witness: &mut () };
        choose(&self.pools, &self.live, Want { root, family, answers, view }, hand, &mut picks);
        picks
    }

    /// The answers to so many queries of the last pool: names joined by `+`, queries by a space.
    fn ask(&mut self, family: Family, answers: Answers, queries: usize) -> String {
        let one = |case: &mut Self| {
            let picks = case.picks(View::Living, family, answers);
            let name = |id: &EndpointId| case.pools.endpoints[id.0 as usize].name.to_string();
            picks.endpoints().iter().map(name).collect::<Vec<_>>().join("+")
        };
        (0..queries).map(|_| one(self)).collect::<Vec<_>>().join(" ")
    }
}

const ONE: Answers = Answers::Best(1);

/// Checks what the last pool answers, query by query, while the endpoints `down` are.
fn check(lines: &[&str], down: &[&str], answers: Answers, expected: &str) {
    let mut case = Case::new(lines);
    for name in down {
        case.set(name, Health::DOWN);
    }
    let queries = expected.split(' ').count();
    assert_eq!(case.ask(Family::V4, answers, queries), expected, "{lines:?} without {down:?}");
}

#[test]
fn each_policy_picks_among_the_living() {
    check(&["p rr/1 1 2 3"], &[], ONE, "1 2 3 1 2");
    check(&["p rr/1 1 2 3"], &[], Answers::EachMember, "1+2+3 2+3+1 3+1+2 1+2+3");
    check(&["p rr/1 1 2 3"], &["2"], Answers::EachMember, "1+3 3+1 1+3");
    check(&["p rr/1 1 2 3 4 5 6 7 8 9 10"], &[], Answers::EachMember, "1+2+3+4+5+6+7+8 2+3+4+5+6+7+8+9");
    check(&["p rr/1 1 2 3"], &["1", "2", "3"], ONE, "");
    check(&["p rr/2 1 2 3"], &["1", "2"], ONE, "");
    check(&["p rr/67% 1 2 3"], &["1"], ONE, "");
    check(&["p rr/66% 1 2 3"], &["1"], ONE, "2 3");
    check(&["p failover/1 1 2 3"], &[], ONE, "1 1 1");
    check(&["p failover/1 1 2 3"], &["1"], ONE, "2 2");
    check(&["p failover/1 1 2 3"], &["1"], Answers::Best(3), "2+3 2+3");
    check(&["p weighted/1 1*3 2*1"], &[], ONE, "1 1 2 1 1 1 2 1");
    check(&["p weighted/1 1*3 2*1"], &["1"], ONE, "2 2");
    check(&["p weighted/1 1*3 2*1"], &[], Answers::Best(2), "1+2 1+2 2+1 1+2");
    check(&["p weighted/1 1*0 2*2 3*0"], &[], ONE, "2 2 2");
    check(&["p weighted/1 1*0 2*2 3*0"], &["2"], ONE, "1 3 1");
    check(&["p weighted/1 1*0 2*0"], &[], ONE, "1 2 1");
}

#[test]
fn pools_nest_and_dead_branches_are_left() {
    let sites = &["a weighted/1 1*2 2*1", "b rr/1 3 4", "top failover/1 a b"];
    check(sites, &[], ONE, "1 2 1 1 2 1");
    check(sites, &["1"], ONE, "2 2");
    check(sites, &["1", "2"], ONE, "3 4 3");
    check(sites, &["1", "2", "3", "4"], ONE, "");
    check(sites, &[], Answers::Best(3), "1+2+3 2+1+4");
    let split = &["a rr/1 1 2", "b rr/1 3 4", "top weighted/1 a*2 b*1"];
    check(split, &[], ONE, "1 3 2 1 4 2");
    check(split, &["3", "4"], ONE, "1 2 1 2");
    let each = &["a rr/1 1 2", "b failover/1 3 4", "top rr/1 a b"];
    check(each, &[], Answers::EachMember, "1+3 3+2 1+3");
    let shared = &["a rr/1 1", "b rr/1 1 2", "top rr/1 a b"];
    check(shared, &[], Answers::Best(9), "1+2 2+1");
}

#[test]
fn families_are_judged_apart() {
    let mut case = Case::new(&["a rr/1 1 v1", "b rr/1 2 v2", "top failover/1 a b"]);
    case.set("v1", Health::DOWN);
    assert_eq!(case.ask(Family::V4, ONE, 2), "1 1");
    assert_eq!(case.ask(Family::V6, ONE, 2), "v2 v2");
    let case = Case::new(&["a rr/1 1"]);
    let pool = |family| case.live.pool(family, PoolId(0)).expect("a pool");
    assert!(pool(Family::V4).is_present() && !pool(Family::V6).is_present());
}

#[test]
fn the_flip_is_the_soonest_of_what_was_consulted() {
    let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
    let suspect = |seconds| Health { flip: at(seconds), ..Health::UP };
    let recovering = |seconds| Health { flip: at(seconds), ..Health::DOWN };
    let check = |lines: &[&str], healths: &[(&str, Health)], answers: Answers, expected: Moment| {
        let mut case = Case::new(lines);
        for &(name, health) in healths {
            case.set(name, health);
        }
        assert_eq!(case.picks(View::Living, Family::V4, answers).flip(), expected, "{lines:?} {healths:?}");
    };
    check(&["p rr/1 1 2"], &[], ONE, Moment::NEVER);
    check(&["p rr/1 1 2"], &[("2", suspect(9))], ONE, at(9));
    check(&["p rr/1 1 2"], &[("2", suspect(9)), ("1", recovering(5))], ONE, at(5));
    check(&["p failover/1 1 2"], &[("2", suspect(9))], ONE, Moment::NEVER);
    check(&["p failover/1 1 2"], &[("2", suspect(9))], Answers::Best(2), at(9));
    check(&["p failover/1 1 2"], &[("1", suspect(9))], ONE, at(9));
    check(&["p failover/1 1 2"], &[("1", recovering(9))], ONE, at(9));
    check(&["p weighted/1 1 2*0"], &[("2", suspect(9))], ONE, Moment::NEVER);
    check(&["p weighted/1 1 2*0"], &[("1", Health::DOWN), ("2", suspect(9))], ONE, at(9));
    check(&["a rr/1 1 2", "b rr/1 3", "t failover/1 a b"], &[("2", suspect(9)), ("3", suspect(1))], ONE, at(9));
    check(&["p rr/1 1 v1"], &[("v1", suspect(9))], ONE, Moment::NEVER);
}

#[test]
fn what_last_lived_is_remembered() {
    let mut case = Case::new(&["a rr/1 1 2", "b rr/1 3", "t failover/1 a b"]);
    for name in ["3", "1", "2"] {
        case.set(name, Health::DOWN);
    }
    assert_eq!(case.ask(Family::V4, ONE, 1), "");
    let picks = case.picks(View::LastGood, Family::V4, Answers::Best(9));
    let names: Vec<_> = picks.endpoints().iter().map(|id| &*case.pools.endpoints[id.0 as usize].name).collect();
    assert_eq!(names, ["2"], "the last that lived, and nothing of what died before");
    case.set("1", Health::UP);
    assert_eq!(case.ask(Family::V4, Answers::Best(9), 1), "1");
}

#[test]
fn shares_are_exact_from_any_change_on() {
    let mut case = Case::new(&["p weighted/1 1*4 2*3 3*2 4*1"]);
    case.ask(Family::V4, ONE, 7);
    case.set("2", Health::DOWN);
    let asked = case.ask(Family::V4, ONE, 700);
    let mut counts = BTreeMap::<&str, u32>::new();
    for name in asked.split(' ') {
        *counts.entry(name).or_default() += 1;
    }
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("1", 400), ("3", 200), ("4", 100)]);
}

#[test]
fn a_change_elsewhere_leaves_a_turn_alone() {
    let mut case = Case::new(&["a rr/1 1 2 3", "b rr/1 4", "t failover/1 a b"]);
    assert_eq!(case.ask(Family::V4, ONE, 1), "1");
    case.set("4", Health::DOWN);
    case.set("3", Health { flip: Moment::from_nanos(5), ..Health::UP });
    assert_eq!(case.ask(Family::V4, ONE, 2), "2 3");
}

#[test]
fn an_even_draw() {
    let mut case = Case::new(&["p random/1 1 2 3"]);
    let asked = case.ask(Family::V4, ONE, 3_000);
    for name in ["1", "2", "3"] {
        let count = asked.split(' ').filter(|&asked| asked == name).count();
        assert!((900..1_100).contains(&count), "{name} was drawn {count} times of 3,000");
    }
    case.set("2", Health::DOWN);
    assert!(!case.ask(Family::V4, ONE, 100).contains('2'));
    assert_eq!(case.ask(Family::V4, Answers::EachMember, 1).len(), 3);
}

#[test]
fn a_hashed_client_stays_and_the_scope_says_so() {
    let mut case = Case::new(&["p hash/1 1 2 3 4 5 6 7 8"]);
    let mut first_of = |last: u8, down: Option<&str>| {
        case.client = Client::within(IpAddr::V4(Ipv4Addr::new(198, 51, last, 7)));
        if let Some(down) = down {
            case.set(down, Health::DOWN);
        }
        assert_eq!(case.picks(View::Living, Family::V4, ONE).scope(), SCOPE_V4_MAX);
        case.ask(Family::V4, ONE, 1)
    };
    let before: Vec<String> = (0..100).map(|last| first_of(last, None)).collect();
    let after: Vec<String> = (0..100).map(|last| first_of(last, Some("3"))).collect();
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || before == "3"));
    assert!(!after.contains(&"3".to_owned()) && before.contains(&"3".to_owned()));
    for name in ["1", "2", "4", "5", "6", "7"] {
        case.set(name, Health::DOWN);
    }
    assert_eq!(case.ask(Family::V4, ONE, 2), "8 8");
}

#[test]
fn what_is_the_same_for_all_has_no_scope() {
    let mut case = Case::new(&["a hash/1 1 2", "b rr/1 3", "t failover/1 b a"]);
    assert_eq!(case.picks(View::Living, Family::V4, ONE).scope(), 0);
    case.set("3", Health::DOWN);
    assert_eq!(case.picks(View::Living, Family::V4, ONE).scope(), SCOPE_V4_MAX);
}

#[test]
fn answers_spread_over_branches_first() {
    let sites = &["a rr/1 1 2 3", "b rr/1 4 5", "t failover/1 a b"];
    let check = |answers, expected: &str| {
        let mut case = Case::new(sites);
        assert_eq!(case.ask(Family::V4, answers, expected.split(' ').count()), expected);
    };
    check(Answers::Best(3), "1+2+3 2+3+1");
    check(Answers::Spread(2), "1+4 2+5 3+4");
    check(Answers::Spread(3), "1+4+2");
    check(Answers::Spread(9), "1+4+2+3+5");
}
