//! What is imported answers as what it was imported from: gdnsd's plugins, and BIND's rotation.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};

use crate::support::authority::{Authority, Kind};
use crate::support::client::Client;
use crate::support::process::Process;
use crate::support::server::{Launch, run};
use crate::support::{address, await_some, peer};

/// Every plugin that answers, without monitors: all that is compared is there at once.
const GDNSD: &str = r#"
plugins => {
  multifo => {
    trio => { a => 192.0.2.1, b => 192.0.2.2, c => 192.0.2.3 }
    both => { addrs_v4 => [ 192.0.2.4, 192.0.2.5 ], addrs_v6 => { one => 2001:db8::1 } }
  }
  simplefo => { pair => { primary => 192.0.2.6, secondary => 192.0.2.7 } }
  weighted => {
    heavy => { x => [ 192.0.2.8, 3 ], y => [ 192.0.2.9, 1 ] }
    names => { c => [ a.example.net., 2 ], d => [ b.example.net., 1 ] }
  }
  static => { fixed => 192.0.2.10 }
  metafo => { resources => {
    meta => { datacenters => [ one, two ], dcmap => { one => %multifo!trio, two => [ 192.0.2.11, 192.0.2.15, 192.0.2.16 ] } }
  } }
  geoip => {
    maps => { m => {
      datacenters => [ eu, us ]
      nets => { 127.0.0.0/8 => us, 198.51.100.0/24 => [ eu, us ] }
    } }
    resources => { geo => { map => m, dcmap => { eu => [ 192.0.2.12, 192.0.2.13 ], us => [ 192.0.2.14, 192.0.2.17 ] } } }
  }
}
"#;

const GDNSD_ZONE: &str = "@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
trio 60 DYNA multifo!trio
both 60/30 DYNA multifo!both
pair 60 DYNA simplefo!pair
heavy 60 DYNA weighted!heavy
fixed 60 DYNA static!fixed
names 60 DYNC weighted!names
meta 60 DYNA metafo!meta
two 60 DYNA metafo!meta/two
geo 120/5 DYNA geoip!geo
\tTXT \"beside it\"
mail MX 10 mx.example.net.
$INCLUDE parts/more more
\tTXT \"after it\"
here.@Z CNAME there.@F
";

/// What the zone includes: names hang on the origin that it gives, on the zone, or on what is set here.
const GDNSD_PART: &str = "$TTL 60
@ DYNA multifo!trio
$ORIGIN deep
a A 192.0.2.60
b.@F A 192.0.2.61
c.@z A 192.0.2.62
t TXT @Z
";

/// Asks so often that the rarest of the answers here, one in four, is missed once in 10¹² runs.
const ASKED: usize = 100;

/// All answers to one question that came in many, without the order of their records.
fn answers(server: SocketAddr, name: &str, rtype: RecordType) -> BTreeSet<Vec<String>> {
    let client = Client::to(server);
    let one = || {
        let reply = client.ask(name, rtype);
        let shown = reply.answers.iter().map(|record| match &record.data {
            RData::CNAME(target) => format!("CNAME {target}"),
            data => format!("{} {data}", record.record_type()),
        });
        let mut shown: Vec<String> = shown.collect();
        shown.sort();
        shown
    };
    (0..ASKED).map(|_| one()).collect()
}

/// Serves what `import` makes of `source` in `folder`, and holds its answers against those of `peer`.
fn check(folder: &Path, source: &[&str], peer: SocketAddr, questions: &[(&str, RecordType)]) {
    let output = run(folder, &[&["import"], source, &["--out", "imported"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut launch = Launch::new();
    for entry in fs::read_dir(folder.join("imported")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        launch = launch.file(&name, &fs::read_to_string(path).expect("a file"));
    }
    let server = launch.start();
    for &(name, rtype) in questions {
        assert_eq!(answers(server.address, name, rtype), answers(peer, name, rtype), "{name} {rtype}");
    }
}

#[test]
fn gdnsd_and_what_comes_of_it_answer_alike() {
    let Some(program) = peer::find("gdnsd", "gdnsd") else { return };
    let folder = tempfile::Builder::new().prefix("gdnsd-").tempdir().expect("a folder");
    let path = folder.path();
    let address = address::own_dns();
    fs::create_dir_all(path.join("g/zones")).expect("a folder");
    fs::create_dir_all(path.join("g/geoip")).expect("a folder");
    let shown = path.display();
    let options =
        format!("options => {{ listen => [ {address} ], run_dir => {shown}/run, state_dir => {shown}/state }}\n");
    fs::write(path.join("g/config"), format!("{options}{GDNSD}")).expect("a file");
    fs::write(path.join("g/zones/example.com"), GDNSD_ZONE).expect("a file");
    fs::create_dir_all(path.join("g/zones/parts")).expect("a folder");
    fs::write(path.join("g/zones/parts/more"), GDNSD_PART).expect("a file");
    let mut gdnsd = Process::spawn("gdnsd", Command::new(program).arg("-c").arg(path.join("g")).arg("start"));
    let client = Client::to(address);
    await_some("gdnsd to answer", || {
        gdnsd.assert_running();
        client.try_ask("example.com", RecordType::SOA, Duration::from_millis(200))
    });
    let (a, aaaa) = (RecordType::A, RecordType::AAAA);
    let questions = ["trio", "both", "pair", "heavy", "fixed", "names", "meta", "two", "geo"];
    let questions = questions.map(|name| (format!("{name}.example.com"), a));
    let mut questions: Vec<(&str, RecordType)> =
        questions.iter().map(|(name, rtype)| (name.as_str(), *rtype)).collect();
    questions.extend([
        ("both.example.com", aaaa),
        ("geo.example.com", RecordType::TXT),
        ("mail.example.com", RecordType::MX),
        ("nope.example.com", a),
        ("more.example.com", a),
        ("a.deep.more.example.com", a),
        ("b.more.example.com", a),
        ("c.example.com", a),
        ("t.deep.more.example.com", RecordType::TXT),
        ("mail.example.com", RecordType::TXT),
        ("here.example.com", RecordType::CNAME),
    ]);
    check(path, &["gdnsd", "g"], address, &questions);
}

#[test]
fn bind_and_what_comes_of_it_answer_alike() {
    let zone = "$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
@ A 192.0.2.1
@ A 192.0.2.2
www A 192.0.2.3
www A 192.0.2.4
www AAAA 2001:db8::1
www TXT \"beside it\"
*.app A 192.0.2.5
*.app A 192.0.2.6
one A 192.0.2.7
alias CNAME www
";
    let Some(bind) = Authority::serving(Kind::Bind, "example.com", zone) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("db"), zone).expect("a file");
    let (a, aaaa) = (RecordType::A, RecordType::AAAA);
    let questions = [
        ("example.com", a),
        ("www.example.com", a),
        ("www.example.com", aaaa),
        ("www.example.com", RecordType::TXT),
        ("x.app.example.com", a),
        ("x.app.example.com", aaaa),
        ("one.example.com", a),
        ("alias.example.com", a),
        ("nope.example.com", a),
    ];
    check(folder.path(), &["bind", "db", "--zone", "example.com"], bind.address, &questions);
}
