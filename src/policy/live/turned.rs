//! A verdict compiles the pools that it touches and those above them that it changes, and gives what compiling all of
//! them would give.

use super::*;
use crate::policy::{Dependents, Given, Judged, Member};
use crate::random::Random;

fn endpoint(number: usize, probe: u32) -> Endpoint {
    let address = std::net::Ipv4Addr::from(0x7f00_0000 + number as u32);
    Endpoint {
        name: address.to_string().into(),
        given: Given::Address(address.into()),
        judged: Judged::by(ProbeId(probe)),
    }
}

fn member(target: Target) -> Member {
    Member { target, weight: 1 }
}

fn pool(name: String, policy: Policy, members: Vec<Target>) -> Pool {
    let members = members.into_iter().map(member).collect();
    Pool { name: name.into(), policy, members, min_alive: MinAlive::Count(1), depends: Box::default() }
}

/// `count` pools of two endpoints each, one of which is the same in all, and a tree of pools over pairs of them.
fn forest(count: usize) -> Pools {
    let mut endpoints = vec![endpoint(1, 0)];
    let mut pools = Vec::new();
    for number in 0..count {
        endpoints.push(endpoint(number + 2, number as u32 + 1));
        let own = Target::Endpoint(EndpointId(number as u32 + 1));
        pools.push(pool(format!("p{number}"), Policy::Weighted, vec![own, Target::Endpoint(EndpointId(0))]));
    }
    let mut level: Vec<usize> = (0..count).collect();
    while level.len() > 1 {
        let pairs: Vec<Vec<Target>> =
            level.chunks(2).map(|pair| pair.iter().map(|&id| Target::Pool(PoolId(id as u32))).collect()).collect();
        level = pairs
            .into_iter()
            .map(|members| {
                pools.push(pool(format!("t{}", pools.len()), Policy::Failover, members));
                pools.len() - 1
            })
            .collect();
    }
    Pools::new(pools, endpoints)
}

#[test]
fn a_verdict_compiles_what_it_touches() {
    let pools = forest(1_024);
    let dependents = Dependents::of(&pools);
    assert_eq!(dependents.probes().count(), 1_025);
    let mut board = Board::new();
    (0..1_025).for_each(|probe| board.set(ProbeId(probe), Health::UP));
    let live = Live::compile(&pools, &board, &Forced::default(), None);
    let mut check = |live: &Live, probe: u32, health: Health, expected: usize| {
        board.set(ProbeId(probe), health);
        let turned: Vec<PoolId> = dependents.of_probe(ProbeId(probe)).collect();
        let (live, compiled) = live.turned(&pools, &board, &turned);
        assert_eq!(compiled, expected, "probe {probe} {health:?}");
        live
    };
    // One of two of a pool: the pool of each family, and nothing above, which does not see it.
    let live = check(&live, 7, Health::DOWN, 2);
    // The other is in all pools. Where it was the last, its pool dies, and whatever is above that it changes: one of
    // two below it is dead now, one above that lives all the same. There are no addresses of IPv6 to change.
    let live = check(&live, 0, Health::DOWN, 2 * 1_024 + 1);
    // All back.
    let live = check(&live, 0, Health::UP, 2 * 1_024 + 1);
    let live = check(&live, 7, Health::UP, 2);
    // Nothing new.
    check(&live, 7, Health::UP, 2);
}

#[test]
fn turned_or_compiled_whole_is_the_same() {
    let pools = forest(37);
    let dependents = Dependents::of(&pools);
    let mut random = Random::new(7);
    let mut forced = Forced::default();
    forced.set(Target::Endpoint(EndpointId(3)), Force::Drain);
    forced.set(Target::Pool(PoolId(11)), Force::Up);
    for forced in [Forced::default(), forced] {
        let mut board = Board::new();
        let mut turned_live = Live::compile(&pools, &board, &forced, None);
        let mut whole = turned_live.clone();
        for round in 0..200 {
            let mut turned = Vec::new();
            for _ in 0..1 + random.next_u32() % 3 {
                let probe = ProbeId(random.next_u32() % 38);
                let base = if random.next_u32().is_multiple_of(2) { Health::UP } else { Health::DOWN };
                let flip = if random.next_u32().is_multiple_of(3) { Moment::from_nanos(round) } else { Moment::NEVER };
                board.set(probe, Health { flip, ..base });
                turned.extend(dependents.of_probe(probe));
            }
            turned_live = turned_live.turned(&pools, &board, &turned).0;
            whole = Live::compile(&pools, &board, &forced, Some(&whole));
            for family in Family::BOTH {
                let both = turned_live.families[family as usize].iter().zip(&*whole.families[family as usize]);
                for (number, (one, other)) in both.enumerate() {
                    assert_eq!(one, other, "pool {number} in {family:?}, round {round}");
                }
            }
        }
    }
}
