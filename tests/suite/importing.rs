//! `import` as a black box: what was served elsewhere, the files that come of it, and what is said of the rest.

use std::fs;

use tempfile::TempDir;

use crate::support::server::run;

/// Imports `files` with `arguments`, and holds what is said and written against what is expected: every line of it has
/// to be there, in this order. What was written is in `out` of the folder that it hands back.
fn check(files: &[(&str, &str)], arguments: &[&str], said: &[&str], written: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let output = run(folder.path(), &[&["import"], arguments, &["--out", "out"]].concat());
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{stdout}");
    for line in said {
        assert!(stdout.lines().any(|printed| printed.trim() == *line), "{line:?} was not said:\n{stdout}");
    }
    for (name, expected) in written {
        let text = fs::read_to_string(folder.path().join("out").join(name)).expect(name);
        assert_eq!(text.trim(), expected.trim(), "{name}");
    }
    // And once more: nothing is written over unasked.
    let again = run(folder.path(), &[&["import"], arguments, &["--out", "out"]].concat());
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already; --force writes over it"));
    let forced = run(folder.path(), &[&["import"], arguments, &["--out", "out", "--force"]].concat());
    assert_eq!(forced.status.code(), Some(0));
    assert_eq!(run(folder.path(), &["check", "--zones", "out"]).status.code(), Some(0));
    folder
}

#[test]
fn bind_rotates_and_so_does_what_comes_of_it() {
    let named = r#"
        // Comments of all kinds /* here
        options { directory "data"; recursion no; listen-on { 127.0.0.1; }; rrset-order { order cyclic; }; };
        acl "inside" { 10.0.0.0/8; }; # and here
        zone "example.com" IN { type master; file "example.com.db"; allow-transfer { none; }; };
        /* the rest */ zone "example.net" { type slave; file "net"; masters { 192.0.2.1; }; };
        zone "." { type hint; file "root"; };
        include "../parts/*.conf";
    "#;
    let zone = r#"
$TTL 1h
@       SOA ns1 hostmaster 1 7200 900 1209600 300
        NS  ns1
        NS  ns2
ns1     A   192.0.2.53
ns1     A   192.0.2.54
ns2     A   192.0.2.55
www 300 A   192.0.2.1
    300 A   192.0.2.2
    300 AAAA 2001:db8::1
shop 60 A   192.0.2.2
     60 A   192.0.2.1
     60 AAAA 2001:db8::1
one     A   192.0.2.9
*.app   A   192.0.2.3
*.app   A   192.0.2.4
@       A   192.0.2.5
@       A   192.0.2.6
sub     NS  ns.sub
ns.sub  A   192.0.2.7
ns.sub  A   192.0.2.8
txt     TXT "a \"b\"" c
www     RRSIG A 13 3 300 20300101000000 20200101000000 1 example.com. AAAA
$GENERATE 1-2 h$ CNAME www
"#;
    let reverse =
        "@ 60 SOA ns1.example.net. h.example.net. 1 2 3 4 5\n@ 60 NS ns1.example.net.\n1 60 PTR www.example.com.\n";
    let policy = r#"
# example.com: what is balanced, imported from BIND

# Nothing here is monitored yet. Say how an endpoint is judged, and name it in the pools (monitor = "web"); then a
# name may state its budget (failover = "30s") in place of a range of TTLs:
#
# [monitors.web]
# http = { path = "/" }

[pools.www]
policy = "round-robin"
endpoints = [
  { name = "192.0.2.1", address = "192.0.2.1" },
  { name = "192.0.2.2", address = "192.0.2.2" },
  { name = "2001:db8::1", address = "2001:db8::1" },
]

[pools.any-app]
policy = "round-robin"
endpoints = [
  { name = "192.0.2.3", address = "192.0.2.3" },
  { name = "192.0.2.4", address = "192.0.2.4" },
]

[pools.apex]
policy = "round-robin"
endpoints = [
  { name = "192.0.2.5", address = "192.0.2.5" },
  { name = "192.0.2.6", address = "192.0.2.6" },
]

[names]
"www" = { pool = "www", ttl = { min = "5s", max = "300s" } }
"shop" = { pool = "www", ttl = { min = "5s", max = "60s" } }
"*.app" = { pool = "any-app", ttl = { min = "5s", max = "3600s" } }
"@" = { pool = "apex", ttl = { min = "5s", max = "3600s" } }
"#;
    let master = r#"
; example.com, imported from BIND
$ORIGIN example.com.
$TTL 3600
@      SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 300
@      NS ns1.example.com.
@      NS ns2.example.com.
ns1    A 192.0.2.53
ns1    A 192.0.2.54
ns2    A 192.0.2.55
one    A 192.0.2.9
sub    NS ns.sub.example.com.
ns.sub A 192.0.2.7
ns.sub A 192.0.2.8
txt    TXT "a \"b\"" "c"
h1     CNAME www.example.com.
h2     CNAME www.example.com.
"#;
    check(
        &[
            ("named.conf", named),
            ("data/example.com.db", zone),
            ("parts/b.conf", "zone \"0/25.2.0.192.in-addr.arpa\" { type master; file \"../reverse\"; };"),
            ("parts/a.conf", "zone \"/tmp/x.\\046\\046/y\" { type master; file \"../reverse\"; };"),
            ("parts/c.conf.old", "zone \"example.org\" { type master; file \"none\"; };"),
            ("reverse", reverse),
        ],
        &["bind", "named.conf"],
        &[
            "zone example.com.: 13 records, 4 balanced names",
            "zone 0/25.2.0.192.in-addr.arpa.: 3 records, 0 balanced names",
            "zone /tmp/x.\\.\\./y.: 3 records, 0 balanced names",
            "named.conf → out: 3 zones",
            "example.com: 1 record of DNSSEC (RRSIG, NSEC and the like): this server does not sign; take the DS record out \
             of the parent zone before it serves this one",
            "named.conf:3: listen-on: goes into listen of bellwether.toml",
            "named.conf:3: recursion: this server does not resolve",
            "named.conf:3: rrset-order: addresses rotate always",
            "named.conf:4: acl: access lists: of transfers in [transfer] allow of bellwether.toml, of other things not at all",
            "named.conf:5: allow-transfer of zone \"example.com\": goes into [transfer] allow of bellwether.toml",
            "named.conf:6: zone \"example.net\" (slave): only zones that the server is primary for are carried over",
        ],
        &[
            ("example.com.toml", policy),
            ("example.com.zone", master),
            ("0\\04725.2.0.192.in-addr.arpa.zone", &reversed("0/25.2.0.192.in-addr.arpa")),
            ("\\047tmp\\047x.\\.\\.\\047y.zone", &reversed("/tmp/x.\\.\\./y")),
        ],
    );
    check(
        &[("db", zone)],
        &["bind", "db", "--zone", "example.com"],
        &["zone example.com.: 13 records, 4 balanced names"],
        &[("example.com.toml", policy), ("example.com.zone", master)],
    );
}

/// The reverse zone above as it is written.
fn reversed(apex: &str) -> String {
    format!(
        "; {apex}, imported from BIND\n$ORIGIN {apex}.\n$TTL 60\n@ SOA ns1.example.net. h.example.net. 1 2 3 4 5\n@ NS \
         ns1.example.net.\n1 PTR www.example.com.\n"
    )
}

/// BIND answers with all addresses of a name; a round-robin pool does with eight.
#[test]
fn bind_names_of_many_addresses_answer_with_all_of_them() {
    let many = |name: &str, count: usize| -> String {
        (1..=count).map(|last| format!("{name} 60 A 192.0.2.{last}\n")).collect()
    };
    let zone = format!(
        "$TTL 60\n@ SOA ns1.example.net. h 1 2 3 4 5\n@ NS ns1.example.net.\n{}{}{}eight 30 AAAA 2001:db8::1\n",
        many("eight", 8),
        many("nine", 9),
        many("lots", 65)
    );
    let folder = check(
        &[("db", &zone)],
        &["bind", "db", "--zone", "example.com"],
        &[
            "eight.example.com.: its addresses have TTLs of 30 s to 60 s: 30 s for all",
            "lots.example.com.: 65 addresses: 64 of them, in turn, are answered at a time",
        ],
        &[],
    );
    for (name, rtype, answers) in [("eight", "A", 8), ("eight", "AAAA", 1), ("nine", "A", 9), ("lots", "A", 64)] {
        let name = format!("{name}.example.com");
        assert_eq!(addresses(&folder, &name, rtype).len(), answers, "{name} {rtype}");
    }
}

/// What `explain` says that a name of the imported zone is answered with.
fn addresses(folder: &TempDir, name: &str, rtype: &str) -> Vec<String> {
    let output = run(folder.path(), &["explain", name, rtype, "--zones", "out"]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{name} {rtype}: {stdout}");
    let (_, answer) = stdout.split_once("answer ").expect("an answer");
    let records = answer.lines().filter(|line| line.contains(&format!(" IN {rtype} ")));
    records.filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect()
}

/// Where one file cannot be written, none is.
#[test]
fn zones_are_written_all_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    // More octets than the name of a file may have (255), of a name that may have as many.
    let long = format!("{0}.{0}.{0}", "\\001".repeat(60));
    let named = format!(
        "zone \"example.com\" {{ type primary; file \"db\"; }};\nzone \"{long}\" {{ type primary; file \"db\"; }};\n\
         zone \".\" {{ type primary; file \"root\"; }};\n"
    );
    let check = |named: &str, force: &[&str], code: i32, said: &str, left: &[&str]| {
        fs::write(folder.path().join("named.conf"), named).expect("a file");
        fs::write(folder.path().join("db"), "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS ns1.example.net.\n").expect("a file");
        let output = run(folder.path(), &[&["import", "bind", "named.conf", "--out", "out"], force].concat());
        let told = [&output.stdout[..], &output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(output.status.code() == Some(code) && told.contains(said), "{told}");
        let names = fs::read_dir(folder.path().join("out")).into_iter().flatten();
        let mut names: Vec<String> =
            names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, left, "{told}");
    };
    check(&named, &[], 1, "File name too long", &[]);
    let root = named.lines().last().expect("a line");
    check(root, &[], 1, "the root has no name\n\nerror: there is no zone to be imported", &[]);
    assert!(!folder.path().join("out").exists());
    let short = named.replace(&long, "example.net");
    let said = "zone \".\": zone files are named after their zone, and the root has no name";
    check(&short, &[], 0, said, &["example.com.zone", "example.net.zone"]);
    check(&named, &["--force"], 1, "File name too long", &["example.com.zone", "example.net.zone"]);
    fs::remove_file(folder.path().join("out/example.net.zone")).expect("taken away");
    fs::create_dir(folder.path().join("out/example.net.zone")).expect("a folder");
    check(&short, &["--force"], 1, "out/example.net.zone is a folder", &["example.com.zone", "example.net.zone"]);
}

/// A record set of an export: name, type, what it holds, and how it is chosen.
fn set(name: &str, rtype: &str, values: &[&str], rest: &str) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{{\"Value\": {value:?}}}")).collect();
    let held = match values.is_empty() {
        true => String::new(),
        false => format!("\"TTL\": 60, \"ResourceRecords\": [{}]", values.join(", ")),
    };
    let comma = if held.is_empty() || rest.is_empty() { "" } else { ", " };
    format!("{{\"Name\": \"{name}\", \"Type\": \"{rtype}\", {held}{comma}{rest}}}")
}

#[test]
fn route_53_policies_become_pools() {
    let ns = "ns-1.awsdns-00.example.org.";
    let soa = format!("{ns} hostmaster.example.org. 1 7200 900 1209600 86400");
    let check_id = "\"HealthCheckId\": \"abcdef01-2345\"";
    let alias = |to: &str| {
        format!("\"AliasTarget\": {{\"DNSName\": \"{to}\", \"HostedZoneId\": \"Z\", \"EvaluateTargetHealth\": true}}")
    };
    let sets = [
        set("example.com.", "SOA", &[&soa], ""),
        set("example.com.", "NS", &[ns], ""),
        set("example.com.", "A", &[], &alias("geo.example.com.")),
        set(
            "\\\\052.w.example.com.",
            "A",
            &["192.0.2.1"],
            &format!("\"SetIdentifier\": \"a\", \"Weight\": 3, {check_id}"),
        ),
        set("\\\\052.w.example.com.", "A", &["192.0.2.2"], "\"SetIdentifier\": \"b\", \"Weight\": 1"),
        set("\\\\052.w.example.com.", "AAAA", &["2001:db8::1"], "\"SetIdentifier\": \"a\", \"Weight\": 3"),
        set(
            "geo.example.com.",
            "A",
            &["192.0.2.3"],
            "\"SetIdentifier\": \"eu\", \"GeoLocation\": {\"ContinentCode\": \"EU\"}",
        ),
        set(
            "geo.example.com.",
            "A",
            &["192.0.2.4"],
            "\"SetIdentifier\": \"ca\", \"GeoLocation\": {\"CountryCode\": \"US\", \"SubdivisionCode\": \"CA\"}",
        ),
        set(
            "geo.example.com.",
            "A",
            &["192.0.2.5"],
            "\"SetIdentifier\": \"rest\", \"GeoLocation\": {\"CountryCode\": \"*\"}",
        ),
        set("fast.example.com.", "A", &["192.0.2.6"], "\"SetIdentifier\": \"i\", \"Region\": \"eu-west-1\""),
        set(
            "fast.example.com.",
            "A",
            &[],
            &format!("\"SetIdentifier\": \"u\", \"Region\": \"us-east-1\", {}", alias("pair.example.com.")),
        ),
        set("pair.example.com.", "A", &["192.0.2.8"], "\"SetIdentifier\": \"second\", \"Failover\": \"SECONDARY\""),
        set("pair.example.com.", "A", &["192.0.2.7"], "\"SetIdentifier\": \"first\", \"Failover\": \"PRIMARY\""),
        set("multi.example.com.", "A", &["192.0.2.9"], "\"SetIdentifier\": \"m1\", \"MultiValueAnswer\": true"),
        set("multi.example.com.", "A", &["192.0.2.10"], "\"SetIdentifier\": \"m2\", \"MultiValueAnswer\": true"),
        set("cdn.example.com.", "A", &[], &alias("d1.cdn.example.net.")),
        set("mx.example.com.", "MX", &["10 mail.example.com."], "\"SetIdentifier\": \"x\", \"Weight\": 1"),
        set("txt.example.com.", "TXT", &["\"caf\\303\\251\""], ""),
    ];
    let checks = "{\"HealthChecks\": [{\"Id\": \"abcdef01-2345\", \"HealthCheckConfig\": {\"Type\": \"HTTPS\", \"IPAddress\": \
                  \"192.0.2.1\", \"FullyQualifiedDomainName\": \"www.example.com\", \"ResourcePath\": \"/up\", \
                  \"RequestInterval\": 10, \"FailureThreshold\": 2}}]}";
    let policy = r#"
# example.com: what is balanced, imported from Route 53

[monitors.check-abcdef01]
https = { path = "/up", host = "www.example.com", status = ["200-399"], verify = false }
address = "192.0.2.1"
interval = "10s"
timeout = "6s"
fall = 2
rise = 2

[pools.any-w]
policy = "weighted"
endpoints = [
  { name = "a", address = "192.0.2.1", monitor = "check-abcdef01", weight = 3 },
  { name = "a-v6", address = "2001:db8::1", weight = 3 },
  { name = "b", address = "192.0.2.2", weight = 1 },
]

[pools.geo]
policy = "geo"
otherwise = "rest"
endpoints = [
  { name = "eu", address = "192.0.2.3", continents = ["EU"] },
  { name = "ca", address = "192.0.2.4", subdivisions = ["US-CA"] },
  { name = "rest", address = "192.0.2.5" },
]

[pools.apex]
policy = "failover"
members = [
  "geo",
]

[pools.fast-i]
policy = "round-robin"
place = { latitude = 53.0, longitude = -6.0 }
endpoints = [
  { name = "192.0.2.6", address = "192.0.2.6" },
]

[pools.pair]
policy = "failover"
place = { latitude = 39.0, longitude = -77.0 }
endpoints = [
  { name = "first", address = "192.0.2.7" },
  { name = "second", address = "192.0.2.8" },
]

[pools.fast]
policy = "latency"
members = [
  "fast-i",
  "pair",
]

[pools.multi]
policy = "random"
endpoints = [
  { name = "m1", address = "192.0.2.9" },
  { name = "m2", address = "192.0.2.10" },
]

[names]
"*.w" = { pool = "any-w", ttl = { min = "5s", max = "60s" } }
"@" = { pool = "apex", ttl = { min = "5s", max = "60s" } }
"fast" = { pool = "fast", ttl = { min = "5s", max = "60s" } }
"geo" = { pool = "geo", ttl = { min = "5s", max = "60s" } }
"multi" = { pool = "multi", ttl = { min = "5s", max = "60s" } }
"pair" = { pool = "pair", ttl = { min = "5s", max = "60s" } }
"#;
    let master = r#"
; example.com, imported from Route 53
$ORIGIN example.com.
$TTL 60
@   SOA ns-1.awsdns-00.example.org. hostmaster.example.org. 1 7200 900 1209600 86400
@   NS ns-1.awsdns-00.example.org.
txt TXT "caf\195\169"
cdn CNAME d1.cdn.example.net.
"#;
    let export = format!("{{\"ResourceRecordSets\": [{}]}}", sets.join(",\n"));
    check(
        &[("sets.json", &export), ("checks.json", checks)],
        &["route53", "sets.json", "--health-checks", "checks.json"],
        &[
            "zone example.com.: 4 records, 6 balanced names",
            "mx.example.com. MX x: only addresses and aliases are balanced here; as records without a policy others go into \
             the master file",
            "cdn.example.com.: alias of d1.cdn.example.net.: a CNAME record here, which clients see",
            "example.com.: NS and SOA records name Route 53's servers until they are changed to yours",
        ],
        &[("example.com.toml", policy), ("example.com.zone", master)],
    );
}

/// What an alias leads to in the zone, and what it does not.
#[test]
fn route_53_aliases_within_the_zone_keep_what_stands_beside_them() {
    let soa = "ns.example.org. hostmaster.example.org. 1 7200 900 1209600 86400";
    let alias = |to: &str| format!("\"AliasTarget\": {{\"DNSName\": \"{to}\", \"HostedZoneId\": \"Z\"}}");
    let weighed = |rest: &str| format!("\"SetIdentifier\": \"x\", \"Weight\": 1{rest}");
    let sets = [
        set("example.com.", "SOA", &[soa], ""),
        set("example.com.", "NS", &["ns.example.org."], ""),
        set("six.example.com.", "AAAA", &["2001:db8::6"], ""),
        set("mixed.example.com.", "A", &["192.0.2.1", "192.0.2.2"], &weighed("")),
        set("mixed.example.com.", "AAAA", &[], &weighed(&format!(", {}", alias("six.example.com.")))),
        set("one.example.com.", "A", &[], &alias("other.example.com.")),
        set("other.example.com.", "A", &[], &alias("one.example.com.")),
    ];
    let policy = r#"
# example.com: what is balanced, imported from Route 53

# Nothing here is monitored yet. Say how an endpoint is judged, and name it in the pools (monitor = "web"); then a
# name may state its budget (failover = "30s") in place of a range of TTLs:
#
# [monitors.web]
# http = { path = "/" }

[pools.mixed-v4-x]
policy = "round-robin"
endpoints = [
  { name = "192.0.2.1", address = "192.0.2.1" },
  { name = "192.0.2.2", address = "192.0.2.2" },
]

[pools.mixed-v4]
policy = "weighted"
members = [
  { pool = "mixed-v4-x", weight = 1 },
]

[pools.six]
policy = "round-robin"
endpoints = [
  { name = "2001:db8::6", address = "2001:db8::6" },
]

[pools.mixed-v6]
policy = "weighted"
members = [
  { pool = "six", weight = 1 },
]

[pools.mixed]
policy = "failover"
members = [
  "mixed-v4",
  "mixed-v6",
]

[names]
"mixed" = { pool = "mixed", ttl = { min = "5s", max = "60s" }, answers = 2 }
"#;
    let export = format!("{{\"ResourceRecordSets\": [{}]}}", sets.join(",\n"));
    check(
        &[("sets.json", &export)],
        &["route53", "sets.json"],
        &[
            "one.example.com.: aliases lead round in a circle",
            "one.example.com.: alias of other.example.com.: nothing of that is carried over",
            "other.example.com.: alias of one.example.com.: nothing of that is carried over",
        ],
        &[("example.com.toml", policy)],
    );
}

/// Route 53 chooses A and AAAA by themselves, each by its own shares, places and targets.
#[test]
fn route_53_types_share_a_pool_only_where_they_are_chosen_alike() {
    let soa = "ns.example.org. hostmaster.example.org. 1 7200 900 1209600 86400";
    let alias = |to: &str| format!("\"AliasTarget\": {{\"DNSName\": \"{to}.example.com.\", \"HostedZoneId\": \"Z\"}}");
    let weighed = |id: &str, weight: u8| format!("\"SetIdentifier\": \"{id}\", \"Weight\": {weight}");
    let located = |id: &str, country: &str| {
        format!("\"SetIdentifier\": \"{id}\", \"GeoLocation\": {{\"CountryCode\": \"{country}\"}}")
    };
    let sets = [
        set("example.com.", "SOA", &[soa], ""),
        set("example.com.", "NS", &["ns.example.org."], ""),
        // Other weights.
        set("a.example.com.", "A", &["192.0.2.1"], &weighed("a", 10)),
        set("a.example.com.", "A", &["192.0.2.2"], &weighed("b", 90)),
        set("a.example.com.", "AAAA", &["2001:db8::1"], &weighed("a", 90)),
        set("a.example.com.", "AAAA", &["2001:db8::2"], &weighed("b", 10)),
        // A policy beside an alias, of a name that has the other type too.
        set("b.example.com.", "A", &["192.0.2.1"], &weighed("a", 10)),
        set("b.example.com.", "A", &["192.0.2.2"], &weighed("b", 10)),
        set("b.example.com.", "AAAA", &[], &alias("six")),
        set("six.example.com.", "AAAA", &["2001:db8::6"], ""),
        set("six.example.com.", "A", &["192.0.2.99"], ""),
        // Aliases of two names.
        set("c.example.com.", "A", &[], &alias("six")),
        set("c.example.com.", "AAAA", &[], &alias("other")),
        set("other.example.com.", "AAAA", &["2001:db8::7"], ""),
        set("other.example.com.", "A", &["192.0.2.98"], ""),
        // A alone, of a name that has both.
        set("d.example.com.", "A", &[], &alias("six")),
        // The same places, and other ones.
        set("e.example.com.", "A", &["192.0.2.1"], &located("de", "DE")),
        set("e.example.com.", "A", &["192.0.2.2"], &located("rest", "*")),
        set("e.example.com.", "AAAA", &["2001:db8::1"], &located("de", "DE")),
        set("e.example.com.", "AAAA", &["2001:db8::2"], &located("rest", "*")),
        set("f.example.com.", "A", &["192.0.2.1"], &located("x", "DE")),
        set("f.example.com.", "A", &["192.0.2.2"], &located("rest", "*")),
        set("f.example.com.", "AAAA", &["2001:db8::1"], &located("x", "FR")),
        // A policy beside records.
        set("g.example.com.", "A", &["192.0.2.1"], &weighed("a", 1)),
        set("g.example.com.", "AAAA", &["2001:db8::1"], ""),
        // One address for two places.
        set("j.example.com.", "A", &["192.0.2.1"], &located("de", "DE")),
        set("j.example.com.", "A", &["192.0.2.1"], &located("at", "AT")),
        set("j.example.com.", "A", &["192.0.2.2"], &located("rest", "*")),
        // All values of the one that is chosen.
        set("h.example.com.", "A", &["192.0.2.1", "192.0.2.2"], &weighed("a", 1)),
        set("h.example.com.", "A", &["192.0.2.3", "192.0.2.4"], &weighed("b", 1)),
        set("i.example.com.", "A", &["192.0.2.1", "192.0.2.2"], &weighed("a", 1)),
        set("i.example.com.", "A", &["192.0.2.3"], &weighed("b", 1)),
    ];
    let folder = check(
        &[("sets.json", &format!("{{\"ResourceRecordSets\": [{}]}}", sets.join(",\n")))],
        &["route53", "sets.json"],
        &[
            "f.example.com.: it has no default location: clients elsewhere are answered all the same, by the first that \
             lives; Route 53 has no answer for them",
            "i.example.com.: answers: 1; Route 53 answers with all addresses of a set, up to 2 here",
            "Valid, with warnings:",
        ],
        &[],
    );
    let policy = fs::read_to_string(folder.path().join("out/example.com.toml")).expect("a file");
    for pool in [
        "[pools.a-v4]\npolicy = \"weighted\"\nendpoints = [\n  { name = \"a\", address = \"192.0.2.1\", weight = 10 },\n  \
         { name = \"b\", address = \"192.0.2.2\", weight = 90 },\n]\n",
        "[pools.a-v6]\npolicy = \"weighted\"\nendpoints = [\n  { name = \"a\", address = \"2001:db8::1\", weight = 90 },\n  \
         { name = \"b\", address = \"2001:db8::2\", weight = 10 },\n]\n",
        "[pools.a]\npolicy = \"failover\"\nmembers = [\n  \"a-v4\",\n  \"a-v6\",\n]\n",
        "[pools.b]\npolicy = \"failover\"\nmembers = [\n  \"b-v4\",\n  \"six-v6\",\n]\n",
        "[pools.e]\npolicy = \"geo\"\notherwise = \"e-rest\"\nmembers = [\n  { pool = \"e-de\", countries = [\"DE\"] },\n  \
         \"e-rest\",\n]\n",
    ] {
        assert!(policy.contains(pool), "{pool}\nis not in\n{policy}");
    }
    for (name, rtype, expected) in [
        ("b", "AAAA", &["2001:db8::6"][..]),
        ("c", "A", &["192.0.2.99"]),
        ("c", "AAAA", &["2001:db8::7"]),
        ("d", "A", &["192.0.2.99"]),
        ("d", "AAAA", &[]),
        ("e", "A", &["192.0.2.2"]),
        ("e", "AAAA", &["2001:db8::2"]),
        ("f", "A", &["192.0.2.2"]),
        ("f", "AAAA", &["2001:db8::1"]),
        ("g", "A", &["192.0.2.1"]),
        ("g", "AAAA", &["2001:db8::1"]),
        ("j", "A", &["192.0.2.2"]),
    ] {
        assert_eq!(addresses(&folder, &format!("{name}.example.com"), rtype), expected, "{name} {rtype}");
    }
    let both = addresses(&folder, "h.example.com", "A");
    let of_one = |set: [&str; 2]| set.iter().all(|address| both.contains(&(*address).to_owned()));
    assert!(both.len() == 2 && (of_one(["192.0.2.1", "192.0.2.2"]) || of_one(["192.0.2.3", "192.0.2.4"])), "{both:?}");
}

/// A check asks what it asks, whatever the sets that it judges hold.
#[test]
fn route_53_health_checks_judge_what_they_are_associated_with() {
    let soa = "ns.example.org. hostmaster.example.org. 1 7200 900 1209600 86400";
    let alias = |to: &str, evaluate: bool| {
        let target = format!("\"DNSName\": \"{to}\", \"HostedZoneId\": \"Z\", \"EvaluateTargetHealth\": {evaluate}");
        format!(", \"AliasTarget\": {{{target}}}")
    };
    let (first, second) = (
        "\"SetIdentifier\": \"p\", \"Failover\": \"PRIMARY\"",
        "\"SetIdentifier\": \"s\", \"Failover\": \"SECONDARY\"",
    );
    let checked = |by: &str| format!("{first}, \"HealthCheckId\": \"{by}\"");
    let weighed = |id: &str| format!("\"SetIdentifier\": \"{id}\", \"Weight\": 1");
    let sets = [
        set("example.com.", "SOA", &[soa], ""),
        set("example.com.", "NS", &["ns.example.org."], ""),
        set("both.example.com.", "A", &["192.0.2.1"], &checked("fixed")),
        set("both.example.com.", "A", &["192.0.2.2"], second),
        set("both.example.com.", "AAAA", &["2001:db8::1"], &checked("fixed")),
        set("both.example.com.", "AAAA", &["2001:db8::2"], second),
        set("cname.example.com.", "CNAME", &["a.example.net"], &checked("fixed")),
        set("cname.example.com.", "CNAME", &["b.example.net"], second),
        set("alias.example.com.", "A", &[], &(checked("fixed") + &alias("one.example.com.", true))),
        set("alias.example.com.", "A", &["192.0.2.3"], second),
        set("one.example.com.", "A", &["192.0.2.4"], ""),
        set("host.example.com.", "CNAME", &["a.example.net"], &checked("named")),
        set("host.example.com.", "CNAME", &["b.example.net"], second),
        set("asked.example.com.", "A", &["192.0.2.1"], &checked("named")),
        set("asked.example.com.", "A", &["192.0.2.2"], second),
        set("lax.example.com.", "A", &[], &(weighed("x") + &alias("both.example.com.", false))),
        set("lb.example.com.", "A", &[], &(weighed("x") + &alias("lb.example.net.", true))),
        set("mix.example.com.", "A", &[], &(weighed("x") + &alias("lb.example.net.", false))),
        set("mix.example.com.", "A", &["192.0.2.5"], &weighed("y")),
        set("text.example.com.", "A", &[], &(weighed("x") + &alias("lb.example.net.", false))),
        set("text.example.com.", "TXT", &["\"x\""], ""),
        set(
            "near.example.com.",
            "A",
            &["192.0.2.6"],
            "\"SetIdentifier\": \"n\", \"GeoProximityLocation\": {\"Bias\": 1}",
        ),
    ];
    let checks = r#"{"HealthChecks": [
        {"Id": "fixed", "HealthCheckConfig": {"Type": "TCP", "IPAddress": "192.0.2.9", "Port": 80}},
        {"Id": "named", "HealthCheckConfig": {"Type": "TCP", "FullyQualifiedDomainName": "a.example.net", "Port": 80}}
    ]}"#;
    let folder = check(
        &[("sets.json", &format!("{{\"ResourceRecordSets\": [{}]}}", sets.join(",\n"))), ("checks.json", checks)],
        &["route53", "sets.json", "--health-checks", "checks.json"],
        &[
            "host.example.com.: health check of the alias p: what it asks has no address of its own, and an alias is not \
             asked, so it counts as up",
            "asked.example.com.: check-named: it asks whatever its domain name resolves to; here each endpoint is asked",
            "lax.example.com.: alias of both.example.com. without EvaluateTargetHealth: it counts as down here while nothing \
             of that lives",
            "lb.example.com.: the health of lb.example.net., which Route 53 goes by: an alias always counts as alive here",
            "mix.example.com.: mix-x: an alias of another name, and no weighted pool shares clients out among aliases and \
             addresses",
            "text.example.com.: an alias of another name cannot stand beside its TXT records: name the addresses as \
             endpoints",
            "near.example.com.: n: nearest goes by places, and its own is not known",
        ],
        &[],
    );
    let policy = fs::read_to_string(folder.path().join("out/example.com.toml")).expect("a file");
    for part in [
        "[monitors.check-fixed]\ntcp = { port = 80 }\naddress = \"192.0.2.9\"\ninterval = \"30s\"\n",
        "[monitors.check-named]\ntcp = { port = 80 }\ninterval = \"30s\"\n",
        "{ name = \"p\", address = \"192.0.2.1\", monitor = \"check-fixed\" },\n  { name = \"p-v6\", address = \
         \"2001:db8::1\", monitor = \"check-fixed\" },\n  { name = \"s\", address = \"192.0.2.2\" },\n",
        "[pools.cname-p-checked]\npolicy = \"failover\"\ndepends = \"check-fixed\"\nmembers = [\n  \"cname-p\",\n]\n",
        "[pools.cname]\npolicy = \"failover\"\nmembers = [\n  \"cname-p-checked\",\n  \"cname-s\",\n]\n",
        "[pools.alias-p-checked]\npolicy = \"failover\"\ndepends = \"check-fixed\"\nmembers = [\n  \"one\",\n]\n",
        "{ name = \"p\", address = \"192.0.2.1\", monitor = \"check-named\" },\n",
    ] {
        assert!(policy.contains(part), "{part}\nis not in\n{policy}");
    }
}

/// A policy file of before is not served with records that know nothing of it.
#[test]
fn an_older_policy_file_is_in_the_way_of_new_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let import = |zone: &str| {
        fs::write(folder.path().join("db"), zone).expect("a file");
        let output = run(folder.path(), &["import", "bind", "db", "--zone", "example.com", "--out", "out", "--force"]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let zone = |rest: &str| format!("$TTL 60\n@ SOA ns1.example.net. h 1 2 3 4 5\n@ NS ns1.example.net.\n{rest}");
    assert_eq!(import(&zone("www A 192.0.2.1\nwww A 192.0.2.2\n")), (Some(0), String::new()));
    assert!(folder.path().join("out/example.com.toml").exists());
    let (code, said) = import(&zone("www A 192.0.2.9\n"));
    let expected = "error: out/example.com.toml is there, and nothing is balanced in what is imported";
    assert!(code == Some(1) && said.contains(expected), "{said}");
    let kept = fs::read_to_string(folder.path().join("out/example.com.zone")).expect("a file");
    assert!(!kept.contains("192.0.2.9"), "nothing was written: {kept}");
    fs::remove_file(folder.path().join("out/example.com.toml")).expect("taken away");
    assert_eq!(import(&zone("www A 192.0.2.9\n")), (Some(0), String::new()));
}

#[test]
fn gdnsd_families_that_are_judged_apart_stay_so() {
    let config = r#"
service_types => { web => { plugin => http_status } }
plugins => {
  simplefo => {
    service_types => web
    apart => {
      addrs_v4 => { primary => 192.0.2.1, secondary => 192.0.2.2 }
      addrs_v6 => { primary => 2001:db8::1, secondary => 2001:db8::2, service_types => up }
    }
    alike => { primary => 192.0.2.1, secondary => 192.0.2.2 }
  }
  multifo => {
    halves => {
      addrs_v4 => { one => 192.0.2.3, up_thresh => 0.55 }
      addrs_v6 => { one => 2001:db8::3, up_thresh => 0.25 }
    }
  }
}
"#;
    let zone = "@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n\
                apart 60/30 DYNA simplefo!apart\nalike 60/30 DYNA simplefo!alike\nhalves 60/30 DYNA multifo!halves\n";
    // Who is up whatever happens is not probed: there may be nothing to be probed.
    let policy = r#"
# example.com: what is balanced, imported from gdnsd

[monitors.web]
http = { status = ["200"] }
interval = "10s"
timeout = "5s"
fall = 10
rise = 20

[pools.apart]
policy = "failover"
endpoints = [
  { name = "primary", address = "192.0.2.1", monitor = "web" },
  { name = "secondary", address = "192.0.2.2", monitor = "web" },
  { name = "primary-v6", address = "2001:db8::1" },
  { name = "secondary-v6", address = "2001:db8::2" },
]

[pools.alike]
policy = "failover"
monitor = "web"
endpoints = [
  { name = "primary", address = "192.0.2.1" },
  { name = "secondary", address = "192.0.2.2" },
]

[pools.halves]
policy = "round-robin"
min-alive = "55%"
endpoints = [
  { name = "one", address = "192.0.2.3" },
  { name = "one-v6", address = "2001:db8::3" },
]

[names]
"apart" = { pool = "apart", ttl = { min = "30s", max = "60s" } }
"alike" = { pool = "alike", ttl = { min = "30s", max = "60s" } }
"halves" = { pool = "halves", ttl = { min = "30s", max = "60s" } }
"#;
    check(
        &[("g/config", config), ("g/zones/example.com", zone)],
        &["gdnsd", "g"],
        &[
            "zone example.com.: 3 records, 3 balanced names",
            "g/config:13: up_thresh: the address families have several; here it is said of the whole pool, as of the first",
        ],
        &[("example.com.toml", policy)],
    );
}

/// Records come from all files, with the names that they have there, and of the configuration only what names lead to.
#[test]
fn gdnsd_files_that_others_include_are_read_and_what_nothing_uses_is_told() {
    let config = "service_types => { web => { plugin => http_status }, $include{more-types} }
options => { zones_default_ttl => 7200 }
plugins => {
  multifo => { service_types => web, duo => [ 192.0.2.1, 192.0.2.2 ], old => [ 192.0.2.3 ] }
  geoip => {
    maps => { m => { datacenters => [ a ] }, spare => { datacenters => [ a ] } }
    resources => { geo => { map => m, dcmap => { a => [ 192.0.2.4 ] } }
      gone => { map => spare, dcmap => { a => %multifo!old } } }
  }
  reflect => {}
  http_status => {}
}
";
    let zone = "@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
$INCLUDE ../parts/app app ; with an origin of its own
   TXT \"beside ns1\"
$ORIGIN deep.er
host.@z 300 A 192.0.2.54
@Z MX 10 mail.@F
";
    let app = "$TTL 60
www 90/30 DYNA multifo!duo
$ORIGIN eu
www 90/30 DYNA geoip!geo
@F TXT \"the file\"
txt TXT @Z x.@F
$INCLUDE \"low\"
";
    let master = r#"
; example.com, imported from gdnsd
$ORIGIN example.com.
$TTL 7200
@          SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 300
@          NS ns1.example.com.
ns1        A 192.0.2.53
app        60 TXT "the file"
txt.eu.app 60 TXT "@Z" "x.@F"
low.eu.app 60 CNAME app.example.com.
ns1        TXT "beside ns1"
host       300 A 192.0.2.54
@          MX 10 mail.example.com.
"#;
    let low = "low CNAME app.@Z\n";
    check(
        &[
            ("g/config", config),
            ("g/more-types", "tcp => { plugin => tcp_connect, port => 80 }\n"),
            ("g/zones/example.com", zone),
            ("g/parts/app", app),
            ("g/parts/low", low),
        ],
        &["gdnsd", "g"],
        &[
            "zone example.com.: 9 records, 2 balanced names",
            "g/config:4: multifo!old: no name leads to it",
            "g/config:6: map spare of geoip: nothing that a name leads to is chosen by it",
            "g/config:8: geoip!gone: no name leads to it",
            "g/config:10: plugin reflect: no name leads to it",
            "g/more-types:1: service type tcp: nothing that a name leads to is judged by it",
        ],
        &[("example.com.zone", master)],
    );
}

#[test]
fn what_cannot_be_read_is_told_and_nothing_is_written() {
    let check = |name: &str, text: &str, arguments: &[&str], expected: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
        let output = run(folder.path(), &[&["import"], arguments, &["--out", "out"]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        for part in expected {
            assert!(stderr.contains(part), "{part:?} was not said:\n{stderr}");
        }
        assert!(!folder.path().join("out").exists());
        assert!(stderr.ends_with("nothing was written\n"), "{stderr}");
    };
    check("db", "@ SOA a b 1 2 3 4\n", &["bind", "db", "--zone", "example.com"], &["db:1:", "nothing was written"]);
    check("named.conf", "zone \"a\" {\n type primary;", &["bind", "named.conf"], &["a brace is not closed"]);
    check(
        "db",
        "$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS a\n",
        &["bind", "db"],
        &["looks like a master file", "--zone NAME"],
    );
    check("named.conf", "include \"nowhere\";", &["bind", "named.conf"], &["nowhere: error: cannot be read"]);
    check(
        "named.conf",
        "# a\n /* zone \"a\" {};\n",
        &["bind", "named.conf"],
        &["a comment is not closed", "named.conf:2:2"],
    );
    check(
        "named.conf",
        "include \"*.none\";",
        &["bind", "named.conf"],
        &["named.conf:1 includes this, and no file matches"],
    );
    check("named.conf", "include \"n*\";", &["bind", "named.conf"], &["named.conf: error: this file includes itself"]);
    check("named.conf", "/*/ zone", &["bind", "named.conf"], &["a comment is not closed", "named.conf:1:1"]);
    check("x", "", &["gdnsd", "g"], &["g/zones: error: cannot be read"]);
    check("g/config", "a = {\n b", &["gdnsd", "g"], &["`=` or `=>` must follow the key `b`", "g/config:2"]);
    check(
        "g/zones/example.com",
        "@ SOA a b 1 2 3 4 5\n@ A 192.0.2.999\n",
        &["gdnsd", "g"],
        &["g/zones/example.com:2:"],
    );
    let zone = |rest: &str| format!("@ SOA a b 1 2 3 4 5\n@ NS a\n{rest}");
    check(
        "g/zones/example.com",
        &zone("$INCLUDE example.com\n"),
        &["gdnsd", "g"],
        &["g/zones/example.com includes itself", "g/zones/example.com:3:10"],
    );
    check(
        "g/zones/example.com",
        &zone("$INCLUDE /etc/passwd\n"),
        &["gdnsd", "g"],
        &["/etc/passwd leads out of the folder", "g/zones/example.com:3:10"],
    );
    check("g/zones/example.com", &zone("$INCLUDE none\n"), &["gdnsd", "g"], &["g/zones/none cannot be read"]);
    check("g/config", "a = { $include{ config } }", &["gdnsd", "g"], &["g/config includes itself", "g/config:1:7"]);
    let no_ttl = "options => { zones_default_ttl => often }";
    check("g/config", no_ttl, &["gdnsd", "g"], &["zones_default_ttl must be a number of seconds"]);
    check("sets.json", "{\n\"a\": 1}", &["route53", "sets.json"], &["not what `aws route53` prints", "sets.json:2:"]);
    check(
        "sets.json",
        "{\"ResourceRecordSets\": []}",
        &["route53", "sets.json"],
        &["there is no SOA record that would name the zone; --zone names it"],
    );
}
