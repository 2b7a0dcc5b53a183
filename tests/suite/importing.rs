//! `import` as a black box: what was served elsewhere, the files that come of it, and what is said of the rest.

mod route53;

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
