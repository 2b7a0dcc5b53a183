//! Secondaries of the real kind: NSD and Knot take the zone by AXFR with TSIG, hear by NOTIFY that it has moved on, and
//! have what we have; `dig`, `kdig` and `drill` verify each message of a transfer.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};

use crate::support::authority::{Authority, Kind, Primary};
use crate::support::client::{Client, exchange_tcp, octets_of, question};
use crate::support::dig::{Dig, Program};
use crate::support::server::{Launch, Server};
use crate::support::{address, await_some, peer};

const KEY: &str = "xfr.example.com";
const SECRET: &str = "nDMpMqTCpCkkYPMTmkRNFaKqcN4TGUB0sBT5ohPRnNE=";

/// More names than a message holds. Refreshes are far apart: whatever moves, moves by notification.
const ZONE: &str = "$TTL 300
@ SOA ns1 hostmaster 1 86400 86400 1209600 60
@ NS ns1
@ MX 10 mail
ns1 A 192.0.2.53
mail A 192.0.2.25
*.wild TXT \"any\"
sub NS ns.sub
ns.sub A 192.0.2.54
$GENERATE 1-5000 h$ A 192.0.2.1
";

const POLICY: &str = "[zone]\nserial = \"auto\"\n\
    [pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.80\", \"192.0.2.81\"]\n\
    [names]\nwww = \"web\"\n";

/// Records of [`ZONE`], the SOA at its end counted too.
const RECORDS: usize = 5_009;

fn primary(allow: &str, notify: &[SocketAddr]) -> Server {
    let told: Vec<String> =
        notify.iter().map(|address| format!("{{ address = \"{address}\", key = \"{KEY}\" }}")).collect();
    let configuration = format!(
        "[transfer]\nkeys = {{ \"{KEY}\" = {{ secret = \"{SECRET}\" }} }}\nallow = [{allow}]\nnotify = [{}]\n",
        told.join(", ")
    );
    Launch::new()
        .file("example.com.zone", ZONE)
        .file("example.com.toml", POLICY)
        .config("bellwether.toml", &configuration)
        .start()
}

fn signed_grant() -> String {
    format!("{{ network = \"127.0.0.0/8\", key = \"{KEY}\" }}")
}

/// A client of a command line that transfers zones and verifies them.
struct Taker {
    program: PathBuf,
    name: &'static str,
}

impl Taker {
    fn all() -> Vec<Self> {
        [("dig", "dnsutils"), ("kdig", "knot-dnsutils"), ("drill", "ldnsutils")]
            .into_iter()
            .filter_map(|(name, package)| Some(Self { program: peer::find(name, package)?, name }))
            .collect()
    }

    /// The records that `server` gives, a line each, in the order in which they came; and all that was said.
    fn take(&self, server: SocketAddr, secret: Option<&str>) -> (Vec<String>, String) {
        let mut command = Command::new(&self.program);
        command.env("HOME", "/nonexistent").stdin(Stdio::null());
        command.args(["-p", &server.port().to_string()]);
        if let Some(secret) = secret {
            command.arg("-y").arg(match self.name {
                "drill" => format!("{KEY}:{secret}:hmac-sha256"),
                _ => format!("hmac-sha256:{KEY}:{secret}"),
            });
        }
        command.args([&format!("@{}", server.ip()), "example.com", "AXFR"]);
        let output = command.output().expect("an installed program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let is_record = |line: &&str| line.contains("\tIN\t") || line.contains(" IN ");
        let lines = text.lines().filter(|line| !line.starts_with(';')).filter(is_record);
        (lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect(), text)
    }
}

fn serial(server: SocketAddr) -> Option<u32> {
    let answer = Client::to(server).try_ask("example.com", RecordType::SOA, Duration::from_secs(1))?;
    answer.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}

fn set(lines: &[String]) -> BTreeSet<&str> {
    lines.iter().map(String::as_str).collect()
}

#[test]
fn clients_verify_what_they_take() {
    let server = primary(&signed_grant(), &[]);
    let mut taken: Vec<(&str, Vec<String>)> = Vec::new();
    for taker in Taker::all() {
        let (lines, text) = taker.take(server.address, Some(SECRET));
        assert_eq!(lines.len(), RECORDS, "{}:\n{:.2000}", taker.name, text);
        assert_eq!(lines.first(), lines.last(), "{}: an SOA at both ends", taker.name);
        let lower = text.to_lowercase();
        assert!(!lower.contains("verif") && !lower.contains("warning"), "{}:\n{:.2000}", taker.name, text);
        assert!(!lines.iter().any(|line| line.contains("192.0.2.80")), "{}: balanced addresses", taker.name);
        taken.push((taker.name, lines));
        let (lines, text) = taker.take(server.address, None);
        assert_eq!(lines, Vec::<String>::new(), "{} without the key:\n{text}", taker.name);
        let (lines, text) = taker.take(server.address, Some("AAECAwQFBgcICQoLDA0ODw=="));
        assert_eq!(lines, Vec::<String>::new(), "{} with another secret:\n{text}", taker.name);
    }
    for pair in taken.windows(2) {
        assert_eq!(set(&pair[0].1), set(&pair[1].1), "{} and {}", pair[0].0, pair[1].0);
    }
}

#[test]
fn strangers_are_refused() {
    let server = primary("\"192.0.2.1\"", &[]);
    let ask = |zone: &str| {
        let answer = exchange_tcp(server.address, &octets_of(&question(zone, RecordType::AXFR))).expect("an answer");
        let answer = Message::from_vec(&answer).expect("a message");
        (answer.metadata.response_code, answer.answers.len())
    };
    assert_eq!(ask("example.com"), (ResponseCode::Refused, 0));
    assert_eq!(ask("example.net"), (ResponseCode::NotAuth, 0));
}

#[test]
fn a_signed_question_for_the_serial_is_answered_signed() {
    let server = primary(&signed_grant(), &[]);
    let key = format!("hmac-sha256:{KEY}:{SECRET}");
    for dig in Dig::installed() {
        for transport in ["+notcp", "+tcp"] {
            let reply = dig.ask(server.address, &["-y", &key, "example.com", "SOA", transport]);
            assert_eq!((reply.status.as_str(), reply.answer.len()), ("NOERROR", 1), "{}", reply.text);
            assert!(reply.text.to_lowercase().contains("tsig"), "{}", reply.text);
            let lower = reply.text.to_lowercase();
            assert!(!lower.contains("couldn't verify") && !lower.contains("warning"), "{}", reply.text);
        }
    }
    if let Some(dig) = Dig::find(Program::Dig) {
        let reply = dig.ask(server.address, &["-y", &format!("hmac-sha256:other.:{SECRET}"), "example.com", "SOA"]);
        assert_eq!(reply.status, "NOTAUTH", "{}", reply.text);
    }
}

#[test]
fn secondaries_follow() {
    let kinds = [Kind::Nsd, Kind::Knot].map(|kind| (kind, address::own_dns()));
    let server = primary(&signed_grant(), &kinds.map(|(_, address)| address));
    let primary = Primary { address: server.address, key: KEY, secret: SECRET };
    let secondaries: Vec<Authority> = kinds
        .iter()
        .filter_map(|&(kind, address)| Authority::secondary(kind, "example.com", address, &primary))
        .collect();
    let takers = Taker::all();
    let compare = |when: &str| {
        let now = serial(server.address).expect("a serial");
        for secondary in &secondaries {
            await_some(&format!("{} to have serial {now} {when}", secondary.kind), || {
                (serial(secondary.address) == Some(now)).then_some(())
            });
            let Some(taker) = takers.first() else { continue };
            let (ours, _) = taker.take(server.address, Some(SECRET));
            let (theirs, text) = taker.take(secondary.address, None);
            assert_eq!(set(&ours), set(&theirs), "{} {when}: {:.1000}", secondary.kind, text);
        }
        now
    };
    let mut last = compare("at the start");
    for round in 1..=2 {
        server.zones.write("example.com.zone", &format!("{ZONE}new{round} A 192.0.2.{round}\n"));
        await_some("the new record", || {
            let answer = server.client().ask(&format!("new{round}.example.com"), RecordType::A);
            (answer.answers.len() == 1).then_some(())
        });
        let next = compare("after a change");
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}
