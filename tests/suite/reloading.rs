//! Reloads of a running server, by the API, the command and a signal: what is read, what is said of it, and what goes
//! on as it was.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Output;

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::support::client::addresses;
use crate::support::server::{Launch, Server, run};
use crate::support::{PATIENCE, address, await_some};

/// A zone whose `www` has this address.
fn zone(address: &str) -> String {
    format!(
        "$TTL 60\n@ SOA ns1.example.net. hostmaster.example.net. 1 7200 900 1209600 60\n@ NS ns1.example.net.\n\
         www A {address}\n"
    )
}

const TURNS: &str = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                     [pools.p]\npolicy = \"weighted\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]\n\
                     [names]\nwww = \"p\"\n";

/// A server with the admin API, whose zones folder nobody watches for us: each reload is asked for.
struct Asked {
    server: Server,
    admin: SocketAddr,
}

impl Asked {
    fn start(files: &[(&str, &str)]) -> Self {
        let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
        let launch = Launch::new().config("bellwether.toml", &server_file(admin, ""));
        Self { server: files.iter().fold(launch, |launch, (name, text)| launch.file(name, text)).start(), admin }
    }

    fn config(&self) -> &std::path::Path {
        self.server.config.as_ref().expect("a server file").path()
    }

    fn command(&self, arguments: &[&str]) -> Output {
        run(self.config(), arguments)
    }

    /// What a reload by the API came to: the status and the body.
    fn reload(&self, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.admin).expect("the admin API listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let head = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).expect("it is taken");
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).expect("an answer");
        let answer = String::from_utf8(octets).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        assert_eq!(status >= 400, head.contains("application/problem+json"), "{head}");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    fn given(&self, name: &str) -> Vec<String> {
        let answer = self.server.client().ask(name, RecordType::A);
        addresses(&answer).iter().map(ToString::to_string).collect()
    }

    fn status(&self) -> Value {
        let output = self.command(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

fn server_file(admin: SocketAddr, more: &str) -> String {
    format!("[admin]\nlisten = \"{admin}\"\n{more}")
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("text")
}

#[test]
fn a_reload_that_is_asked_for_is_served_when_it_is_answered() {
    let asked = Asked::start(&[("example.com.zone", &zone("192.0.2.1")), ("example.org.zone", &zone("192.0.2.2"))]);
    for address in ["192.0.2.3", "192.0.2.4", "192.0.2.5"] {
        // The folder is watched as well, so this may have been read by the time that we ask.
        asked.server.zones.write("example.com.zone", &zone(address));
        let (status, report) = asked.reload("");
        assert_eq!((status, &report["outcome"]), (200, &"done".into()), "{report}");
        assert_eq!((&report["zones"]["total"], &report["names"]), (&2.into(), &0.into()), "{report}");
        assert!(report["zones"]["unchanged"].as_u64() >= Some(1), "the other zone was not read: {report}");
        assert_eq!(asked.given("www.example.com"), [address]);
    }
    asked.server.zones.write("example.net.zone", &zone("192.0.2.9"));
    let (_, report) = asked.reload("{}");
    assert_eq!(report["zones"]["total"], 3, "{report}");
    assert_eq!(asked.given("www.example.net"), ["192.0.2.9"]);
    fs::remove_file(asked.server.zones.path().join("example.net.zone")).expect("a file");
    let (_, report) = asked.reload("{\"force\": true}");
    assert_eq!(report["zones"]["total"], 2, "{report}");
    let (status, problem) = asked.reload("{\"farce\": true}");
    assert!(status == 422 && problem["detail"].as_str().is_some_and(|why| why.contains("farce")), "{problem}");
    let said = asked.command(&["reload"]);
    assert_eq!((said.status.code(), text(&said.stderr)), (Some(0), ""));
    let said = text(&said.stdout);
    assert!(said.starts_with("reloaded in ") && said.contains(": 2 zones (0 read, 2 unchanged), 0 balanced"), "{said}");
}

#[test]
fn a_refused_reload_says_why_and_status_remembers() {
    let asked = Asked::start(&[("example.com.zone", &zone("192.0.2.1"))]);
    asked.server.zones.write("example.com.zone", &zone("192.0.2.999"));
    let (status, report) = asked.reload("");
    assert_eq!((status, &report["outcome"], &report["status"]), (422, &"faulty".into(), &422.into()), "{report}");
    let fault = &report["faults"][0];
    assert_eq!((&fault["severity"], &fault["line"], &fault["column"]), (&"error".into(), &4.into(), &7.into()));
    assert!(fault["file"].as_str().is_some_and(|file| file.ends_with("example.com.zone")), "{fault}");
    // As `check` has it, and with its exit code.
    let check = asked.command(&["check", "--zones", asked.server.zones.path().to_str().expect("a path")]);
    let said = asked.command(&["reload"]);
    assert_eq!((said.status.code(), text(&said.stderr)), (Some(1), text(&check.stderr)));
    let refused = "not reloaded: the files have 1 error; the last good state keeps serving\n";
    assert_eq!(text(&said.stdout), refused);
    assert_eq!(asked.given("www.example.com"), ["192.0.2.1"]);
    let status = asked.status();
    assert_eq!(status["reload"]["outcome"], "faulty", "{status}");
    let alarm = text(&asked.command(&["status"]).stdout).lines().next().expect("a line").to_owned();
    assert!(alarm.starts_with("! the last reload was refused") && alarm.contains("example.com.zone:4:"), "{alarm}");
    asked.server.zones.write("example.com.zone", &zone("192.0.2.2"));
    assert_eq!(asked.reload("").0, 200);
    assert_eq!(
        (asked.given("www.example.com"), asked.status()["alarms"].clone()),
        (vec!["192.0.2.2".into()], Value::Array(vec![]))
    );
    let line = text(&asked.command(&["status"]).stdout).lines().next().expect("a line").to_owned();
    assert!(line.contains("reloaded in ") && line.contains(", by: "), "{line}");
}

#[test]
fn turns_go_on_over_a_reload_of_another_zone() {
    let asked = Asked::start(&[("example.com.toml", TURNS), ("example.org.zone", &zone("192.0.2.9"))]);
    let client = asked.server.client();
    let mut seen = Vec::new();
    for number in 0..9 {
        seen.extend(addresses(&client.ask("www.example.com", RecordType::A)));
        asked.server.zones.write("example.org.zone", &zone(&format!("192.0.2.{}", 100 + number)));
        let (status, report) = asked.reload("");
        assert_eq!(status, 200, "{report}");
        assert_eq!(client.ask("www.example.org", RecordType::A).answers.len(), 1);
    }
    // In each three answers each of the three: a turn that began anew would give the first again and again.
    for turn in seen.chunks(3) {
        let mut turn = turn.to_vec();
        turn.sort_unstable();
        turn.dedup();
        assert_eq!(turn.len(), 3, "{seen:?}");
    }
}

#[test]
fn the_server_file_is_read_too_and_what_takes_a_restart_is_said() {
    let mut asked = Asked::start(&[("example.com.zone", &zone("192.0.2.1"))]);
    let write = |asked: &Asked, more: &str| {
        fs::write(asked.config().join("bellwether.toml"), server_file(asked.admin, more)).expect("a file");
    };
    write(&asked, "[limits]\nidle = \"7s\"\n[dns]\nid = \"fra1\"\n");
    let (status, report) = asked.reload("");
    assert_eq!((status, &report["needs_restart"]), (200, &Value::from(vec!["limits"])), "{report}");
    let said = asked.command(&["reload"]);
    assert!(text(&said.stdout).ends_with("needs a restart: limits\n"), "{said:?}");
    assert!(asked.server.process.log().contains("the server file says something else of limits"));
    // A signal does the same; a faulty server file is as a faulty zone.
    write(&asked, "[limits]\nidel = \"7s\"\n");
    let before = asked.server.process.lines_said();
    asked.server.hang_up();
    asked.server.process.await_line(before, "that it did not reload", |line| line.starts_with("not reloaded"));
    let (status, report) = asked.reload("");
    assert!(
        status == 422 && report["faults"][0]["message"].as_str().is_some_and(|why| why.contains("idel")),
        "{report}"
    );
    write(&asked, "");
    await_some("a reload that needs nothing", || (asked.reload("").1["needs_restart"] == Value::Null).then_some(()));
}

/// Not once in the log and then forgotten: by each reload, and by the status for as long as it is so.
#[test]
fn a_file_whose_last_good_state_is_in_use_is_told_until_it_is_mended() {
    let asked = Asked::start(&[("example.com.zone", &zone("192.0.2.1"))]);
    let secrets = asked.config().join("secrets");
    fs::write(&secrets, "000102030405060708090a0b0c0d0e0f\n").expect("a file");
    let config = server_file(asked.admin, "[dns]\ncookie-secrets = \"secrets\"\n");
    fs::write(asked.config().join("bellwether.toml"), config).expect("a file");
    let check = |alarms: &[&str]| {
        let (status, report) = asked.reload("");
        let warnings = report["faults"].as_array().map_or(0, Vec::len);
        assert_eq!((status, &report["outcome"], warnings), (200, &"done".into(), alarms.len()), "{report}");
        let said = asked.command(&["reload"]);
        assert_eq!(said.status.code(), Some(0));
        let status = asked.status();
        let told: Vec<&str> = status["alarms"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(told.len(), alarms.len(), "{status}");
        for (alarm, told) in alarms.iter().zip(told) {
            assert!(told.contains(alarm), "{alarm:?}: {told}");
            assert!(text(&said.stderr).contains(alarm), "{said:?}");
        }
    };
    check(&[]);
    fs::write(&secrets, "none\n").expect("a file");
    let faulty = "a cookie secret must be 32 hexadecimal digits, found 4 octets; what it said before stays in use";
    check(&[faulty]);
    check(&[faulty]);
    fs::write(&secrets, "0f0e0d0c0b0a09080706050403020100\n").expect("a file");
    check(&[]);
}

#[test]
fn files_that_are_named_later_are_watched_too() {
    let asked = Asked::start(&[("example.com.zone", &zone("192.0.2.1"))]);
    let write = |name: &str, text: &str| fs::write(asked.config().join(name), text).expect("a file");
    write("secrets", "000102030405060708090a0b0c0d0e0f\n");
    write("bellwether.toml", &server_file(asked.admin, "[dns]\ncookie-secrets = \"secrets\"\n"));
    assert_eq!(asked.reload("").0, 200);
    // Nobody asks for this one.
    write("secrets", "none\n");
    asked.server.process.await_said(&["secrets", "what it said before stays in use"]);
}

#[test]
fn many_who_ask_at_once_are_all_answered() {
    let asked = Asked::start(&[("example.com.zone", &zone("192.0.2.1"))]);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(|| asked.reload("").0)).collect();
        for one in all {
            assert_eq!(one.join().expect("an answer"), 200);
        }
    });
}
