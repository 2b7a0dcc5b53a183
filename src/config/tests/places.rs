//! What members claim of clients, and where they are.

use super::{check_faults as check, check_warnings, sound};
use crate::geo::Continent;
use crate::policy::Policy;

/// A `geo` pool over two endpoints, with their claims.
fn geo(first: &str, second: &str, rest: &str) -> String {
    format!(
        "[monitors.m]\ntcp = {{ port = 1 }}\n[pools.a]\npolicy = \"geo\"\nmonitor = \"m\"\nendpoints = [\n\
         {{ name = \"one\", address = \"192.0.2.1\", {first} }},\n\
         {{ name = \"two\", address = \"192.0.2.2\", {second} }},\n]\n{rest}[names]\n\"@\" = \"a\"\n"
    )
}

#[test]
fn claims_are_checked() {
    check(
        &geo("countries = [\"UK\"]", "weight = 1", ""),
        &["7:53 `UK` is not the code of a country / did you mean `GB`?"],
    );
    check(
        &geo("continents = [\"EUR\"]", "weight = 1", ""),
        &["7:54 `EUR` is not the code of a continent / one of `AF`"],
    );
    check(
        &geo("subdivisions = [\"California\"]", "weight = 1", ""),
        &["7:56 `California` is not the code of a subdivision / country, hyphen"],
    );
    check(&geo("asns = [0]", "weight = 1", ""), &["7:48 `asns` must be 1 to 4294967295"]);
    check(&geo("asns = [\"AS0\"]", "weight = 1", ""), &["7:48 `AS0` is not / from 1 to"]);
    check(
        &geo("networks = [\"203.0.113.1/24\"]", "weight = 1", ""),
        &["7:52 `203.0.113.1/24` has bits set behind / the network is `203.0.113.0/24`"],
    );
    check(&geo("bias = 100", "weight = 1", ""), &["7:47 `bias`"]);
    check(
        &geo("countries = [\"DE\"]", "countries = [\"FR\", \"DE\"]", ""),
        &["8:59 `one` and `two` claim the same clients / the more specific claim wins @ 7:53"],
    );
    check(
        &geo("weight = 1", "weight = 1", "otherwise = \"three\"\n"),
        &[
            "10:13 `otherwise` is neither a member of this pool nor a way to choose one / what it can be: nearest, failover, one, two",
        ],
    );
    check(
        &geo("weight = 1", "weight = 1", "otherwise = \"nearest\"\n"),
        &[
            "7:1 where `one` is has not been said, and this pool goes / give it place",
            "8:1 where `two` is has not been said, and this pool goes / give it place",
        ],
    );
}

#[test]
fn claims_are_read() {
    let text = geo(
        "networks = [\"203.0.113.0/24\"], continents = [\"EU\", \"AF\"]",
        "asns = [64500, \"AS64501\"]",
        "otherwise = \"two\"\n",
    );
    let (policies, _) = sound(&text);
    let Policy::Geo(map) = &policies.pools.pools[0].policy else { panic!("it is geo") };
    let class = |address: &str| {
        map.classes().get(map.lookup(address.parse::<std::net::IpAddr>().expect("an address")).class).to_vec()
    };
    assert_eq!(class("203.0.113.9"), [0, 1], "claimed by the first, and the second takes what is left");
    assert_eq!(class("198.51.100.9"), [1]);
    assert_eq!(Continent::ALL.len(), 7);
}

#[test]
fn what_cannot_matter_is_warned_of() {
    let no_database = "goes by clients' places, but no database tells them / name one in the server file";
    check_warnings(
        &geo("countries = [\"DE\"]", "weight = 1", "").replace(", weight = 1", ""),
        &[&format!("3:8 pool `a` {no_database}")],
    );
    check_warnings(&geo("networks = [\"203.0.113.0/24\"]", "weight = 1", "").replace(", weight = 1", ""), &[]);
    let failover =
        geo("countries = [\"DE\"]", "asns = [1]", "otherwise = \"two\"\n").replace("\"geo\"", "\"failover\"");
    check_warnings(
        &failover,
        &[
            "7:40 `countries` has no effect: the policy / write policy = \"geo\"",
            "8:40 `asns` has no effect: the policy / write policy = \"geo\"",
            "10:1 `otherwise` has no effect: the policy / write policy = \"geo\"",
        ],
    );
}
