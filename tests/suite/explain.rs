//! `explain` as a black box: who gets which answer, and the reasons, over the committed database of places.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::server::run;

const POLICY: &str = r#"
[monitors.web]
tcp = { port = 80 }

[pools.frankfurt]
policy = "weighted"
monitor = "web"
place = { latitude = 50.1, longitude = 8.7 }
endpoints = [
  { name = "fra1", address = "192.0.2.10", weight = 4 },
  { name = "fra2", address = "192.0.2.11" },
  { name = "fra6", address = "2001:db8::10" },
]

[pools.virginia]
policy = "round-robin"
place = { latitude = 38.9, longitude = -77.4 }
endpoints = [{ name = "iad1", address = "198.51.100.10" }]

[pools.world]
policy = "geo"
members = [
  { pool = "frankfurt", continents = ["EU", "AF"] },
  { pool = "virginia", continents = ["NA"], networks = ["203.0.113.0/24", "192.0.2.9/32"] },
]

[pools.sticky]
policy = "hash"
members = ["frankfurt", "virginia"]

[pools.through]
policy = "failover"
endpoints = [{ name = "kept", cname = "host.example.com" }]

[pools.over]
policy = "failover"
endpoints = [{ name = "next", cname = "www.example.com" }]

[names]
"in" = { pool = "through", ttl = { min = "40s", max = "40s" } }
"twice" = { pool = "over", ttl = { min = "50s", max = "50s" } }
"www" = { pool = "world", failover = "30s" }
"sticky" = { pool = "sticky", failover = "30s" }
"svc" = { pool = "world", failover = "30s", hints = "pool" }
"private" = { pool = "world", failover = "30s", ecs = false }
"fails" = { pool = "world", failover = "30s", when-all-down = "servfail" }
"denies" = { pool = "frankfurt", failover = "30s", when-all-down = "nodata" }
"spare" = { pool = "frankfurt", failover = "30s", when-all-down = ["192.0.2.77"] }
"#;

const ZONE: &str = "$TTL 3600\n@ SOA ns1.example.net. hostmaster 1 7200 900 1209600 300\n@ NS ns1.example.net.\n\
                    shop CNAME www\nhost A 192.0.2.99\nsvc HTTPS 1 . alpn=h2\nmail MX 10 mx.example.net.\nlab NS ns.example.net.\n\
                    0/26 A 192.0.2.99\n\\@ A 192.0.2.99\na\\032b A 192.0.2.99\na\\;b A 192.0.2.99\n\\200 A 192.0.2.99\n";

/// What `explain` says to these arguments, and how it ends.
fn explain(arguments: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    fs::create_dir(folder.path().join("zones")).expect("a folder");
    write("zones/example.com.toml", POLICY);
    write("zones/example.com.zone", ZONE);
    let database = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/geo/city.mmdb");
    write("bellwether.toml", &format!("[geo]\ndatabases = [{database:?}]\n"));
    let arguments: Vec<&str> = ["explain"].into_iter().chain(arguments.split_whitespace()).collect();
    let output = run(folder.path(), &arguments);
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_text_says_who_was_consulted_and_why() {
    let check = |arguments: &str, expected: &[&str]| {
        let (code, said, faults) = explain(arguments);
        assert_eq!((code, faults.as_str()), (Some(0), ""), "{arguments}");
        let mut lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        for part in expected {
            assert!(lines.any(|line| line.contains(part)), "{part:?} does not follow in\n{said}");
        }
    };
    check(
        "shop.example.com --client 192.0.2.1",
        &[
            "question shop.example.com. A",
            "client 192.0.2.1: EU DE",
            "zone example.com. says that shop.example.com. is an alias",
            "zone example.com. balances www.example.com. over the pool world",
            "pool world (geo): by the client's place",
            "→ pool frankfurt taken: 1st",
            "pool virginia up, not taken: 2nd",
            "pool frankfurt (weighted): step 1 of a turn of 5",
            "→ fra1 192.0.2.10 taken",
            "fra2 192.0.2.11 up, not taken: not its turn",
            "fra6 2001:db8::10 has no IPv4 address",
            "ttl 23 s: no verdict is forming",
            "scope /24",
            "answer NOERROR",
            "www.example.com. 23 IN A 192.0.2.10",
        ],
    );
    check(
        "www.example.com --client 192.0.2.1 --down frankfurt/fra1 --down frankfurt/192.0.2.11",
        &[
            "pool frankfurt down",
            "→ pool virginia taken: 2nd",
            "pool virginia (round-robin)",
            "→ iad1 198.51.100.10 taken",
        ],
    );
    check(
        "www.example.com --client 192.0.2.1 --drain frankfurt",
        &["pool frankfurt drained", "→ pool virginia taken: 2nd"],
    );
    check(
        "www.example.com --client 192.0.2.1 --drain frankfurt/fra1",
        &["→ pool frankfurt taken", "fra1 192.0.2.10 drained", "→ fra2 192.0.2.11 taken"],
    );
    check(
        "www.example.com --client 192.0.2.1 --drain frankfurt/fra1 --drain frankfurt/fra2 --drain virginia",
        &["→ fra1 192.0.2.10 drained, answered all the same: nothing else is left"],
    );
    // Names that hosts do not have, and zones do (RFC 2317 §4; RFC 2181 §11: any octets).
    for name in ["0/26", "\\@", "a\\032b", "a\\;b", "\\200"] {
        let name = format!("{name}.example.com");
        check(&name, &[&format!("question {name}. A"), "answer NOERROR", &format!("{name}. 3600 IN A 192.0.2.99")]);
    }
    check("www.example.com AAAA", &["client nobody in particular", "→ fra6 2001:db8::10 taken", "scope none"]);
    check(
        "svc.example.com HTTPS --client 192.0.2.1",
        &[
            "has svc.example.com.; its address hints are the living addresses of the pool world",
            "pool world (geo) for ipv4hint: by the client's place",
            "pool frankfurt (weighted) for ipv4hint: step 1 of a turn of 5",
            "→ fra1 192.0.2.10 taken",
            "pool frankfurt (weighted) for ipv6hint",
            "→ fra6 2001:db8::10 taken",
            "ttl 23 s: no verdict is forming",
            "scope /",
            "svc.example.com. 23 IN HTTPS 1 . alpn=h2, ipv4hint=192.0.2.10, ipv6hint=2001:db8::10",
        ],
    );
    // Where an alias leads does not change that it was balanced.
    check(
        "in.example.com",
        &[
            "balances in.example.com. over the pool through",
            "has host.example.com., the same for everybody",
            "pool through (failover): the first that lives",
            "→ kept taken",
            "ttl 40 s: no verdict is forming; its range is 40 s to 40 s",
            "in.example.com. 40 IN CNAME host.example.com.",
        ],
    );
    check(
        "twice.example.com --client 192.0.2.1",
        &[
            "balances twice.example.com. over the pool over",
            "balances www.example.com. over the pool world",
            "pool over (failover)",
            "→ next taken",
            "pool world (geo)",
            "pool frankfurt (weighted)",
            "ttl 23 s",
            "twice.example.com. 50 IN CNAME www.example.com.",
        ],
    );
    check("sticky.example.com --client 203.0.113.9", &["pool sticky (hash): by the ranking of slot", "scope /24"]);
    check("private.example.com --client 203.0.113.9", &["scope /0: the same for every client"]);
    // A resolver is known to the last bit, where it tells nothing or nobody listens.
    check(
        "www.example.com --resolver 192.0.2.9",
        &[
            "client nobody in particular: the resolver tells no subnet",
            "resolver 192.0.2.9:",
            "→ pool virginia taken: 1st",
        ],
    );
    check("www.example.com --client 192.0.2.9", &["→ pool frankfurt taken: 1st", "scope /24"]);
    check("private.example.com --client 192.0.2.1 --resolver 192.0.2.9", &["→ pool virginia taken: 1st", "scope /0"]);
    // Where nothing lives: which pools, whose members are why, and what is said in their place.
    let dead = "--down frankfurt/fra1 --drain frankfurt/fra2 --down virginia/iad1";
    let frankfurt =
        ["pool frankfurt (weighted): nothing of it answers", "fra1 192.0.2.10 down", "fra2 192.0.2.11 drained"];
    let check_dead = |name: &str, above: &[&str], below: &[&str]| {
        check(&format!("{name}.example.com {dead}"), &[above, &frankfurt, below].concat());
    };
    check_dead(
        "fails",
        &[
            "over the pool world, of which nothing lives: when-all-down says servfail",
            "pool world (geo): nothing of it answers",
            "pool frankfurt down",
            "pool virginia down",
        ],
        &["pool virginia (round-robin): nothing of it answers", "iad1 198.51.100.10 down", "answer SERVFAIL"],
    );
    check_dead(
        "denies",
        &["over the pool frankfurt, of which nothing lives: when-all-down says nodata"],
        &["ttl 5 s: nothing lives", "answer NOERROR", "example.com. 5 IN SOA"],
    );
    check_dead(
        "spare",
        &["when-all-down says 192.0.2.77"],
        &["ttl 5 s: nothing lives", "spare.example.com. 5 IN A 192.0.2.77"],
    );
    let (_, said, _) = explain(&format!("fails.example.com {dead}"));
    assert!(!said.contains("\nttl"), "no record has a TTL: {said}");
    check(
        &format!("www.example.com {dead}"),
        &["when-all-down says serve-all", "→ fra1 192.0.2.10 down, answered all the same", "ttl 5 s"],
    );
    check("mail.example.com mx", &["has mail.example.com., the same for everybody", "answer NOERROR"]);
    check("x.lab.example.com", &["delegates x.lab.example.com. away"]);
    check("mail.example.com", &["has mail.example.com., but no A records of it"]);
    check("nope.example.com", &["has no nope.example.com.", "answer NXDOMAIN"]);
    check("www.example.org", &["none: the name lies in no zone", "answer REFUSED"]);
}

#[test]
fn the_readme_shows_what_is_said() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(house.join("README.md")).expect("the README");
    let output = run(house, &["explain", "www.example.com", "--down", "frankfurt/fra1"]);
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(readme.contains(&said), "the README shows another text than\n{said}");
}

#[test]
fn json_says_the_same_to_programs() {
    let (code, said, _) = explain("www.example.com --client 203.0.113.9 --json");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(code, Some(0));
    let at = |pointer: &str| said.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(at("/name"), "www.example.com.");
    assert_eq!(at("/found/0/finding"), "balanced");
    assert_eq!(at("/pools/0/name"), "world");
    assert_eq!(at("/pools/0/policy"), "geo");
    assert_eq!(at("/pools/0/members/1/taken"), true);
    assert_eq!(at("/pools/1/members/0/address"), "198.51.100.10");
    assert_eq!(at("/ttl/seconds"), 23);
    assert_eq!(at("/scope"), 24);
    assert_eq!(at("/rcode"), "NOERROR");
    assert_eq!(at("/answers/0/data"), "198.51.100.10");
}

#[test]
fn what_cannot_be_explained_is_told() {
    let check = |arguments: &str, code: i32, expected: &str| {
        let (ended, said, faults) = explain(arguments);
        assert_eq!((ended, said.as_str()), (Some(code), ""), "{arguments}: {faults}");
        assert!(faults.contains(expected), "{expected:?} is not in {faults}");
    };
    check("www.example.com --down frankfurt/fra3", 1, "there is no such endpoint (did you mean frankfurt/fra1?)");
    check("www.example.com --down frankfurt", 2, "write POOL/ENDPOINT");
    check("www.example.com --drain frankfurt/fra3", 1, "no such pool or endpoint (did you mean frankfurt/fra1?)");
    check("www.example.com --zones nowhere", 1, "the zones folder cannot be read");
    check("www.example.com --client 192.0.2.300", 2, "invalid value '192.0.2.300'");
    check("www..example.com", 2, "two dots in a row");
    check("www.example.com WHAT", 2, "write a record type, such as A");
    check("example.com AXFR", 2, "AXFR asks for a whole zone");
    check("example.com TSIG", 2, "no name has records of TSIG");
}
