//! Policy `latency` from its files to its answers.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use super::{check_faults, check_warnings, name};
use crate::config::{Atlas, read_policies};
use crate::diagnostic::{Diagnostic, Severity};
use crate::health::{Board, Health, ProbeId};
use crate::policy::{Answers, Client, Family, Forced, Hand, Live, Picks, PoolId, Pools, View, Want, choose};
use crate::random::Random;

const POOL: &str = r#"
[monitors.m]
tcp = { port = 1 }
[pools.world]
policy = "latency"
monitor = "m"
tolerance = "10ms"
endpoints = [
  { name = "fra", address = "192.0.2.1", weight = 3 },
  { name = "ams", address = "192.0.2.2" },
  { name = "iad", address = "192.0.2.3" },
  { name = "nrt", address = "192.0.2.4" },
]
[names]
"www" = "world"
"#;

const TABLE: &str = "network,pool,rtt_ms\n\
    198.51.100.0/24,fra,20\n198.51.100.0/24,ams,25.5\n198.51.100.0/24,iad,90\n198.51.100.0/24,nrt,200\n\
    198.51.0.0/16,fra,90\n198.51.0.0/16,iad,20\n2001:db8::/32,nrt,7\n";

/// A folder with a table in it, and an atlas of that.
fn atlas(table: &str) -> (tempfile::TempDir, PathBuf, Atlas) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("latency.csv");
    fs::write(&file, table).expect("a table");
    let atlas = Atlas::read(&[], Some(&file)).expect("a sound table");
    (folder, file, atlas)
}

fn read(text: &str, atlas: &Atlas) -> (Pools, Vec<Diagnostic>) {
    let mut probes = 0..;
    let mut register = |_| ProbeId(probes.next().expect("a number"));
    let (policies, faults) = read_policies("z.toml".as_ref(), text, &name("example.com"), atlas, &mut register);
    (policies.unwrap_or_else(|| panic!("{faults:?}")).pools, faults)
}

/// What `client` gets of `pools` while these are `down`: names joined by `+`, each with how often it came in 1,000; and
/// the scope.
fn ask(pools: &Pools, down: &[&str], client: &str, count: u8) -> (BTreeMap<String, u32>, u8) {
    let mut board = Board::new();
    for endpoint in pools.endpoints.iter().filter(|endpoint| down.contains(&&*endpoint.name)) {
        board.set(endpoint.judged.probes[0], Health::DOWN);
    }
    let live = Live::compile(pools, &board, &Forced::default(), None);
    let client: IpAddr = client.parse().expect("an address");
    let want = Want { root: PoolId(0), family: Family::V4, answers: Answers::Best(count), view: View::Living };
    let (mut random, mut picks, mut counts) = (Random::new(5), Picks::default(), BTreeMap::new());
    for _ in 0..1_000 {
        let client = Client::within(client);
        let hand = Hand { cursors: &mut [], low: PoolId(0), random: &mut random, client: &client, witness: &mut () };
        choose(pools, &live, want, hand, &mut picks);
        let names = picks.endpoints().iter().map(|id| &*pools.endpoints[id.0 as usize].name);
        *counts.entry(names.collect::<Vec<_>>().join("+")).or_default() += 1;
    }
    (counts, picks.scope())
}

#[test]
fn the_fastest_that_live_share_and_the_scope_says_for_whom() {
    let (_folder, _, atlas) = atlas(TABLE);
    let (pools, faults) = read(POOL, &atlas);
    assert_eq!(faults, []);
    let check = |down: &[&str], client: &str, count, expected: &[(&str, u32)], scope| {
        let (counts, found) = ask(&pools, down, client, count);
        assert_eq!(counts.keys().collect::<Vec<_>>(), expected.iter().map(|(names, _)| names).collect::<Vec<_>>());
        for (names, share) in expected {
            // Four standard deviations are at most 4·√(1,000/4) = 64.
            assert!(counts[*names].abs_diff(*share) < 64, "{client} without {down:?}: {counts:?}");
        }
        assert_eq!(found, scope, "{client} without {down:?}");
    };
    check(&[], "198.51.100.7", 1, &[("ams", 250), ("fra", 750)], 24);
    check(&[], "198.51.100.7", 3, &[("ams+fra+iad", 250), ("fra+ams+iad", 750)], 24);
    check(&["fra"], "198.51.100.7", 1, &[("ams", 1_000)], 24);
    check(&["fra", "ams"], "198.51.100.7", 2, &[("iad+nrt", 1_000)], 24);
    check(&["fra", "ams", "iad", "nrt"], "198.51.100.7", 1, &[("", 1_000)], 0);
    // The wider network knows nothing of the rest: they stand behind, in the order of the file.
    check(&[], "198.51.200.7", 4, &[("iad+fra+ams+nrt", 1_000)], 17);
    check(&[], "2001:db8::7", 1, &[("nrt", 1_000)], 32);
    check(&[], "203.0.113.7", 2, &[("fra+ams", 1_000)], 5);
}

#[test]
fn clients_within_one_scope_are_served_alike() {
    let (_folder, _, atlas) = atlas(TABLE);
    let (pools, _) = read(POOL, &atlas);
    for client in ["198.51.100.7", "198.51.101.1", "198.50.255.255", "198.52.0.0", "203.0.113.7", "0.0.0.1"] {
        let (served, scope) = ask(&pools, &["ams"], client, 4);
        let address: std::net::Ipv4Addr = client.parse().expect("an address");
        let rest = u32::MAX.checked_shr(scope.into()).unwrap_or(0);
        for other in [address.to_bits() & !rest, address.to_bits() | rest] {
            let other = std::net::Ipv4Addr::from_bits(other).to_string();
            assert_eq!(ask(&pools, &["ams"], &other, 4), (served.clone(), scope), "{client} and {other} in /{scope}");
        }
    }
}

#[test]
fn a_table_that_is_replaced_follows_and_a_bad_one_is_reported() {
    let (_folder, file, before) = atlas(TABLE);
    let served = |atlas: &Atlas| ask(&read(POOL, atlas).0, &[], "198.51.100.7", 1).0.into_keys().collect::<Vec<_>>();
    let (same, faults) = before.refreshed();
    assert_eq!((served(&same), faults), (vec!["ams".to_owned(), "fra".to_owned()], vec![]));
    // 5 ms more put nobody out of the band, though 30.5 − 20 would; 6 ms more do.
    fs::write(&file, TABLE.replace("25.5", "30.50")).expect("a table");
    let (near, faults) = before.refreshed();
    assert_eq!((served(&near), faults), (vec!["ams".to_owned(), "fra".to_owned()], vec![]));
    fs::write(&file, TABLE.replace("25.5", "31.500")).expect("a table");
    let (far, faults) = near.refreshed();
    assert_eq!((served(&far), faults), (vec!["fra".to_owned()], vec![]));
    fs::write(&file, "DE,fra,0\n").expect("a table");
    let (kept, faults) = far.refreshed();
    assert_eq!((served(&kept), faults.len()), (vec!["fra".to_owned()], 1));
    fs::remove_file(&file).expect("it was there");
    let faults = far.refreshed().1;
    assert!(faults[0].to_string().contains("latency.csv: error: the latency table cannot be read"), "{}", faults[0]);
    let read = Atlas::read(&[], Some(&file)).map(|_| ()).expect_err("it is missing");
    assert_eq!(read, faults);
}

#[test]
fn pools_of_the_table_that_are_nowhere_are_warned_of_once() {
    let (_folder, _, atlas) = atlas("DE,frq,1\nFR,frq,2\nDE,fra,3\nDE,fra,4\n");
    let check = |known: &[&str], expected: &[&str]| {
        let known: HashSet<&str> = known.iter().copied().collect();
        let warnings = atlas.latency_warnings(&known);
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert_eq!(warning.severity, Severity::Warning);
            assert!(warning.to_string().contains(expected), "{expected} is not in: {warning}");
        }
    };
    let twice = "latency.csv:3:1: warning: a later line says the same";
    check(&["fra", "frq"], &[twice]);
    check(
        &["fra"],
        &[twice, "csv:1:4: warning: no pool that goes by latency has a member `frq` (did you mean `fra`?)"],
    );
    check(&[], &[twice, "latency.csv: warning: no pool goes by latency: this table is for nothing"]);
}

#[test]
fn what_cannot_matter_is_warned_of() {
    check_warnings(
        POOL,
        &["4:8 pool `world` goes by latency, but nothing tells how far / name a table in the server file"],
    );
    check_warnings(
        &POOL.replace("\"latency\"", "\"weighted\""),
        &["7:1 `tolerance` has no effect: the policy / write policy = \"latency\""],
    );
    let many: Vec<String> = (0..17).map(|last| format!("\"192.0.2.{last}\"")).collect();
    let many = format!(
        "[monitors.m]\ntcp = {{ port = 1 }}\n[pools.a]\npolicy = \"latency\"\nmonitor = \"m\"\nendpoints = [{}]\n[names]\n\"@\" = \"a\"\n",
        many.join(", ")
    );
    let (_folder, _, atlas) = atlas("DE,192.0.2.3,4\n");
    let warnings = read(&many, &atlas).1;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("has 17 members, but each client is told only the 16 fastest"));
    check_faults(&POOL.replace("\"10ms\"", "10"), &["7:13 `tolerance` is a time and needs a unit / \"10ms\" for"]);
}
