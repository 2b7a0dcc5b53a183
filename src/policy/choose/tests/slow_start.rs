//! A member that has just come back gets a part of its weight, wherever weights share load.

use std::collections::BTreeMap;

use super::*;
use crate::health::PerMille;

fn ramping(thousandths: u16) -> Health {
    Health { share: PerMille::new(thousandths), ..Health::UP }
}

/// Of so many queries, how many each endpoint got.
fn counts(case: &mut Case, queries: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in case.ask(Family::V4, ONE, queries).split(' ') {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn turns_give_it_its_part_exactly() {
    let check = |line: &str, name: &str, share: u16, queries: usize, expected: &[(&str, usize)]| {
        let mut case = Case::new(&[line]);
        case.set(name, ramping(share));
        let expected: BTreeMap<String, usize> =
            expected.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
        assert_eq!(counts(&mut case, queries), expected, "{line}: {name} at {share}");
    };
    check("p weighted/1 1*3 2*1", "2", 50, 61, &[("1", 60), ("2", 1)]);
    check("p weighted/1 1*3 2*1", "1", 500, 10, &[("1", 6), ("2", 4)]);
    check("p weighted/1 1*0 2*0", "1", 250, 5, &[("1", 1), ("2", 4)]);
    check("p rr/1 1 2 3", "2", 500, 5, &[("1", 2), ("2", 1), ("3", 2)]);
    // Nobody else lives, or all of them come back together.
    check("p rr/1 1", "1", 50, 3, &[("1", 3)]);
    check("p weighted/1 1*7", "1", 50, 3, &[("1", 3)]);
    // Where nothing is shared out there is no slow start.
    check("p failover/1 1 2", "1", 50, 3, &[("1", 3)]);
}

#[test]
fn a_whole_pool_that_comes_back_shares_as_ever() {
    for line in ["p rr/1 1 2 3", "p weighted/1 1*2 2*1", "p random/1 1 2 3", "p hash/1 1 2 3"] {
        let mut plain = Case::new(&[line]);
        let mut back = Case::new(&[line]);
        for name in ["1", "2", "3"] {
            back.set(name, ramping(300));
        }
        assert_eq!(plain.ask(Family::V4, ONE, 12), back.ask(Family::V4, ONE, 12), "{line}");
    }
}

#[test]
fn a_draw_gives_it_its_part() {
    let mut case = Case::new(&["p random/1 1 2 3"]);
    case.set("3", ramping(500));
    let counts = counts(&mut case, 10_000);
    // 2,000 of 10,000: four standard deviations are 4·√(10,000 · 0.2 · 0.8) = 160.
    assert!(counts["3"].abs_diff(2_000) < 160, "{counts:?}");
}

/// Who serves each of 2,000 networks.
fn served(case: &mut Case) -> Vec<String> {
    let mut served = Vec::new();
    for network in 0..2_000_u32 {
        case.client = Client::within(Ipv4Addr::from_bits(0x0100_0000 + (network << 8)).into());
        served.push(case.ask(Family::V4, ONE, 1));
    }
    served
}

#[test]
fn clients_of_a_hash_move_to_it_little_by_little_and_once() {
    let mut case = Case::new(&["p hash/1 1 2 3 4 5 6"]);
    let whole = served(&mut case);
    case.set("3", Health::DOWN);
    let mut before = served(&mut case);
    for share in (50..=1_000).step_by(50) {
        case.set("3", ramping(share));
        let after = served(&mut case);
        let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        assert!(moved.iter().all(|(_, after)| *after == "3"), "at {share}: {moved:?}");
        let (has, gets) =
            (after.iter().filter(|name| *name == "3").count(), whole.iter().filter(|name| *name == "3").count());
        // Of its 333 or so, the share; five standard deviations are at most 5·√(333/4) = 46.
        assert!(has.abs_diff(gets * usize::from(share) / 1_000) < 46, "{has} of {gets} at {share}");
        before = after;
    }
    assert_eq!(before, whole);
    // The others died: it serves everybody, whatever its share.
    case.set("3", ramping(50));
    for dead in ["1", "2", "4", "5", "6"] {
        case.set(dead, Health::DOWN);
    }
    assert!(served(&mut case).iter().all(|name| name == "3"));
}
