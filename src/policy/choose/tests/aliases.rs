//! Endpoints that are aliases.

use super::*;

#[test]
fn aliases_are_of_both_families() {
    let check = |lines: &[&str], family: Family, expected: &str| {
        let mut case = Case::new(lines);
        assert_eq!(case.ask(family, ONE, expected.split(' ').count()), expected, "{lines:?}");
    };
    for family in Family::BOTH {
        check(&["p rr/1 alias0 alias1"], family, "alias0 alias1 alias0");
        check(&["p weighted/1 alias0*2 alias1*1"], family, "alias0 alias1 alias0");
    }
    check(&["p failover/1 1 alias0"], Family::V4, "1 1");
    check(&["p failover/1 1 alias0"], Family::V6, "alias0");
    let mut case = Case::new(&["a rr/1 1 2", "p failover/1 a alias0"]);
    case.set("1", Health::DOWN).set("2", Health::DOWN);
    assert_eq!(case.ask(Family::V4, ONE, 2), "alias0 alias0");
}

#[test]
fn one_family_decides_what_is_an_alias() {
    let check = |lines: &[&str], expected: &[Option<Family>]| {
        assert_eq!(pools(lines).deciding(), expected, "{lines:?}");
    };
    check(&["p rr/1 1 v1"], &[None]);
    check(&["p rr/1 alias0"], &[Some(Family::V4)]);
    check(&["p failover/1 1 v1 alias0"], &[Some(Family::V4)]);
    check(&["p failover/1 v1 alias0"], &[Some(Family::V6)]);
    check(&["a rr/1 v1", "b rr/1 alias0", "p failover/1 a b"], &[None, Some(Family::V4), Some(Family::V6)]);
}
