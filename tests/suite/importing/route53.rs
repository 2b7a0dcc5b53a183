//! Exports of Route 53: its policies, aliases, types and health checks, and what becomes of them.

use std::fs;

use super::{addresses, check};

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
fn policies_become_pools() {
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
fn aliases_within_the_zone_keep_what_stands_beside_them() {
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
fn types_share_a_pool_only_where_they_are_chosen_alike() {
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
fn health_checks_judge_what_they_are_associated_with() {
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
