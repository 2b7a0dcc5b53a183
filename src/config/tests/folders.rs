//! Whole folders: what zones come of them, and what is wrong with those.

use std::fs;

use super::check_fault;
use crate::config::{Loaded, load};
use crate::diagnostic::Severity;
use crate::health::ProbeId;

const SOA: &str = "$TTL 60\n@ SOA ns1.example.net. hostmaster.example.net. 1 3600 900 1209600 60\n";

/// A sound master file, to which more may be added from line 4 on.
fn master(more: &str) -> String {
    format!("{SOA}@ NS ns1.example.net.\n{more}")
}

const ZONE: &str = "[zone]\nnameservers = ['ns1.example.net']\ncontact = 'hostmaster.example.net'\n";

/// Balances `www` over one address without a monitor, of which there is a warning of its own.
const POOL: &str = "[pools.p]\npolicy = 'failover'\nendpoints = ['192.0.2.1']\n[names]\nwww = 'p'\n";

/// The warning of it, without its line.
const UNMONITORED: &str = "`p` has no monitor / give it monitor";

/// Loads a folder of these files and checks its errors, if there are any, or else its warnings. Each is "file "
/// and what [`check_fault`] expects; "file 0:0 …" is the whole file.
fn check(files: &[(&str, &str)], expected: &[&str]) -> Option<Loaded> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let (loaded, faults) = load(folder.path(), &crate::config::Atlas::default());
    let severity = if loaded.is_some() { Severity::Warning } else { Severity::Error };
    let faults: Vec<_> = faults.into_iter().filter(|fault| fault.severity == severity).collect();
    let listed: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), expected.len(), "of {files:?}:\n{}", listed.join("\n"));
    for (fault, expected) in faults.iter().zip(expected) {
        let (file, expected) = expected.split_once(' ').expect("a file and a fault");
        assert_eq!(fault.place.file, folder.path().join(file), "{fault}");
        check_fault(fault, expected);
    }
    loaded
}

#[test]
fn a_folder_without_zones_is_an_error() {
    assert!(check(&[], &[" 0:0 holds no zone / named after it"]).is_none());
    assert!(check(&[("README", ""), (".example.com.zone", "")], &[" 0:0 holds no zone / named after it"]).is_none());
}

#[test]
fn a_zone_is_said_once_and_whole() {
    let beside = format!("example.com.toml 1:8 {UNMONITORED}");
    let alone = format!("example.com.toml 4:8 {UNMONITORED}");
    let whole = format!("{ZONE}{POOL}");
    assert!(check(&[("example.com.zone", &master(""))], &[]).is_some());
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", POOL)], &[&beside]).is_some());
    assert!(check(&[("example.com.toml", &whole)], &[&alone]).is_some());
    let neither = "example.com.toml 0:0 neither a [zone] table here nor a master file example.com.zone beside it \
                   / [zone] with nameservers and contact";
    assert!(check(&[("example.com.toml", POOL)], &[neither]).is_none());
    let both = "example.com.toml 1:2 [zone] is said here / take the [zone] table out";
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", &whole)], &[both]).is_none());
    // One faulty zone, and nothing of the folder comes.
    let files = [("example.com.zone", &*master("")), ("example.org.zone", &*master("www A 192.0.2.999\n"))];
    assert!(check(&files, &["example.org.zone 4:7 must be an IPv4 address"]).is_none());
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_lacks_nothing_else() {
    let empty =
        ["example.com.zone 0:0 no SOA record / one SOA record", "example.com.zone 0:0 no NS record / two at least"];
    check(&[("example.com.zone", "")], &empty);
    check(
        &[("example.com.zone", "@ SAO x\n")],
        &["example.com.zone 1:3 `SAO` is not a record type / did you mean `SOA`?"],
    );
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("nowhere", folder.path().join("example.com.zone")).expect("a link");
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("example.com.toml")).expect("a link");
    let (loaded, faults) = load(folder.path(), &crate::config::Atlas::default());
    let faults: Vec<_> = faults.iter().map(|fault| fault.message.split(':').next().unwrap_or_default()).collect();
    assert_eq!((loaded.is_none(), &*faults), (true, &["cannot be read", "is not a file"][..]));
}

#[test]
fn balanced_names_and_records_do_not_contradict_each_other() {
    let check = |records: &str, expected: &[&str]| {
        check(&[("example.com.zone", &master(records)), ("example.com.toml", POOL)], expected);
    };
    check("www TXT text\n", &[&format!("example.com.toml 1:8 {UNMONITORED}")]);
    check(
        "www A 192.0.2.2\n",
        &["example.com.toml 5:1 is balanced and has A records in the zone file too / pool answers @ 4:1"],
    );
    check("www CNAME x\n", &["example.com.toml 5:1 has CNAME records / pool answers @ 4:1"]);
    check("www NS ns.example.net.\n", &["example.com.toml 5:1 is delegated away"]);
}

#[test]
fn servers_that_cannot_be_reached_are_told() {
    check(
        &[("example.com.zone", &master("lab NS ns.lab\n"))],
        &["example.com.zone 4:1 glue is missing: ns.lab.example.com. / add an A or AAAA record"],
    );
    let unaddressed =
        "the nameserver ns2.example.com. lies in the zone, which gives no address for it / that its parent's glue has";
    let at = |place: &str| format!("{place} {unaddressed}");
    let records = |more: &str| master(&format!("@ NS ns2\n{more}"));
    check(&[("example.com.zone", &records(""))], &[&at("example.com.zone 4:1")]);
    check(&[("example.com.zone", &records("ns2 AAAA 2001:db8::1\n"))], &[]);
    let balanced = POOL.replace("www", "ns2");
    check(
        &[("example.com.zone", &records("")), ("example.com.toml", &balanced)],
        &[&format!("example.com.toml 1:8 {UNMONITORED}")],
    );
    let zone = ZONE.replace("ns1.example.net", "ns2.example.com");
    check(&[("example.com.toml", &zone)], &[&at("example.com.toml 1:2")]);
    let addressed = zone.replace("'ns2.example.com'", "{ name = 'ns2.example.com', addresses = ['192.0.2.2'] }");
    check(&[("example.com.toml", &addressed)], &[]);
}

#[test]
fn a_zone_within_another_wants_a_delegation() {
    let child = master("");
    let warning = "lab.example.com.zone 0:0 example.com. does not delegate lab.example.com., which is served here too \
                   / give example.com. NS records at lab.example.com.";
    let check = |parent: &str, expected: &[&str]| {
        let parent = master(parent);
        check(&[("example.com.zone", &parent), ("lab.example.com.zone", &child)], expected)
    };
    assert!(check("", &[warning]).is_some());
    assert!(check("lab TXT text\n", &[warning]).is_some());
    assert!(check("* A 192.0.2.1\n", &[warning]).is_some());
    assert!(check("lab NS ns1.example.net.\n", &[]).is_some());
}

#[test]
fn equal_targets_of_all_zones_are_one() {
    let policy = |endpoints: &str, port: u16| {
        format!(
            "{}[monitors.m]\ntcp = {{ port = {port} }}\n[pools.p]\npolicy = 'failover'\nmonitor = 'm'\n\
             endpoints = [{endpoints}]\n[names]\nwww = 'p'\n",
            ZONE.replace("example.net", "example.edu"),
        )
    };
    let loaded = check(
        &[
            ("example.com.toml", &policy("'192.0.2.1', '192.0.2.2'", 80)),
            ("example.net.toml", &policy("'192.0.2.2', '192.0.2.3'", 80)),
            // The same address, judged otherwise.
            ("example.org.toml", &policy("'192.0.2.2'", 81)),
        ],
        &[],
    );
    let loaded = loaded.expect("the folder is sound");
    let probes: Vec<Vec<_>> =
        loaded.zones.iter().map(|zone| zone.pools.endpoints.iter().map(|endpoint| endpoint.probe).collect()).collect();
    let id = |number| Some(ProbeId(number));
    assert_eq!(probes, [vec![id(0), id(1)], vec![id(1), id(2)], vec![id(3)]]);
    let targets: Vec<String> = loaded.targets.iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["tcp://192.0.2.1:80", "tcp://192.0.2.2:80", "tcp://192.0.2.3:80", "tcp://192.0.2.2:81"]);
}
