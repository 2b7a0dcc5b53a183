//! How much of a pool must live, at each level, and what that means for the TTL.

use super::*;

#[test]
fn a_pool_lives_while_enough_of_it_does() {
    let check = |line: &str, down: &[&str], expected: &str| {
        let mut case = Case::new(&[line, "spare failover/1 9", &format!("top failover/1 {} spare", &line[..1])]);
        for name in down {
            case.set(name, Health::DOWN);
        }
        assert_eq!(case.ask(Family::V4, ONE, 1), expected, "{line} without {down:?}");
    };
    check("p failover/2 1 2 3", &["1"], "2");
    check("p failover/2 1 2 3", &["1", "2"], "9");
    check("p failover/50% 1 2 3 4", &["1", "2"], "3");
    check("p failover/51% 1 2 3 4", &["1", "2"], "9");
    check("p failover/50%w 1*3 2*2 3*1", &["2", "3"], "1");
    check("p failover/51%w 1*3 2*2 3*1", &["2", "3"], "9");
    check("p failover/50%w 1*3 2*2 3*1", &["1"], "2");
    check("p failover/51%w 1*3 2*2 3*1", &["1"], "9");
    check("p weighted/100%w 1*3 2*2 3*0", &["3"], "1");
    check("p weighted/100%w 1*3 2*2 3*0", &["2"], "9");
    // A last resort weighs nothing, so it does not keep a pool alive that goes by weight.
    check("p weighted/1%w 1*3 2*0", &["1"], "9");
    check("p weighted/1 1*3 2*0", &["1"], "2");
    // Last resorts alone count alike.
    check("p weighted/50%w 1*0 2*0 3*0", &["1"], "2");
    check("p weighted/50%w 1*0 2*0 3*0", &["1", "2"], "9");
    // Only what is of the family counts.
    check("p failover/50%w 1*1 v2*9", &["v2"], "1");
    check("p failover/1%w 1*1048575 2*1048575", &["1"], "2");
}

#[test]
fn dead_branches_are_left_at_every_level() {
    // Three levels, with enough asked for at each: sites of endpoints, regions of sites, the world of regions.
    let world = &[
        "a rr/2 1 2 3",
        "b weighted/50%w 4*3 5*1",
        "c failover/1 6 7",
        "d rr/100% 8 9",
        "east failover/1 a b",
        "west failover/2 c d",
        "world failover/1 east west",
    ];
    let check = |down: &[&str], answers: Answers, expected: &str| {
        let mut case = Case::new(world);
        for name in down {
            case.set(name, Health::DOWN);
        }
        let queries = expected.split(' ').count();
        assert_eq!(case.ask(Family::V4, answers, queries), expected, "without {down:?}");
        // What is down comes back.
        for name in down {
            case.set(name, Health::UP);
        }
        assert_eq!(case.ask(Family::V4, Answers::Best(1), 1).len(), 1);
    };
    check(&[], ONE, "1 2 3");
    check(&["1"], ONE, "2 3 2");
    // One too few: the whole site is left, with what lives of it.
    check(&["1", "2"], ONE, "4 4 5 4");
    check(&["1", "2", "5"], ONE, "4 4");
    // The lighter half lives, which is not half of the weight.
    check(&["1", "2", "4"], ONE, "6 6");
    check(&["1", "2", "4", "6"], ONE, "7 7");
    // A region that needs both of its sites is dead with one of them.
    check(&["1", "2", "4", "8"], ONE, "");
    check(&["1", "2", "4", "6", "7"], ONE, "");
    check(&["6", "7"], Answers::Best(9), "1+2+3+4+5");
    check(&["1", "2"], Answers::Best(9), "4+5+6+7+8+9");
    check(&["1", "2", "8"], Answers::Best(9), "4+5");
}

#[test]
fn what_might_cost_a_pool_its_life_counts_for_the_flip() {
    let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
    let suspect = |seconds| Health { flip: at(seconds), ..Health::UP };
    let check = |line: &str, healths: &[(&str, Health)], expected: Moment| {
        let mut case = Case::new(&[line, "spare failover/1 9", "top failover/1 p spare"]);
        for &(name, health) in healths {
            case.set(name, health);
        }
        assert_eq!(case.picks(View::Living, Family::V4, ONE).flip(), expected, "{line} {healths:?}");
    };
    check("p failover/1 1 2 3", &[("2", suspect(9)), ("3", suspect(5))], Moment::NEVER);
    check("p failover/2 1 2 3", &[("3", suspect(5))], Moment::NEVER);
    check("p failover/2 1 2 3", &[("2", suspect(9)), ("3", suspect(5))], at(9));
    check("p failover/3 1 2 3", &[("2", suspect(9)), ("3", suspect(5))], at(5));
    check("p failover/2 1 2 3", &[("2", Health::DOWN), ("3", suspect(5))], at(5));
    check("p failover/60%w 1*1 2*2 3*7", &[("2", suspect(5)), ("3", suspect(9))], at(9));
    check("p hash/2 1 2", &[("1", suspect(5))], at(5));
}
