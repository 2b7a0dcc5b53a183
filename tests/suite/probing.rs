//! The probes, each between an endpoint that is as its monitor wants it and one that is not: only the first is
//! answered, and the log says what was wrong with the other.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;

use hickory_proto::rr::RecordType;

use crate::support::address::own_ip;
use crate::support::client::addresses;
use crate::support::server::{Launch, Server};

/// Serves `www` as whatever of `good` and `bad` is up by `probe`: only `good`, and the log says `why`.
fn check(probe: &str, good: Ipv4Addr, bad: Ipv4Addr, why: &str) {
    let policy = format!(
        "[zone]\nnameservers = [\"ns1.example.com\"]\ncontact = \"hostmaster.example.com\"\n\
         [monitors.m]\n{probe}\ninterval = \"3s\"\ntimeout = \"2s\"\n\
         [pools.p]\npolicy = \"round-robin\"\nmonitor = \"m\"\nendpoints = [\"{good}\", \"{bad}\"]\n\
         [names]\nwww = \"p\"\n"
    );
    let server = Launch::new().file("example.com.toml", &policy).environment("BELLWETHER_LOG", "debug").start();
    let given = addresses(&server.client().ask("www.example.com", RecordType::A));
    let log = server.process.log();
    assert_eq!(given, [IpAddr::V4(good)], "{probe}\n{log}");
    assert!(log.contains(why), "the log does not say \"{why}\":\n{log}");
}

/// An endpoint that answers each line with `reply`, as long as the test runs.
fn line_server(reply: &'static str) -> Ipv4Addr {
    let ip = own_ip();
    let listener = TcpListener::bind((ip, 6379)).expect("an address of its own");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = [0; 6];
            let answered = stream.read_exact(&mut line).and_then(|()| stream.write_all(reply.as_bytes()));
            assert!(answered.is_ok() && line == *b"PING\r\n");
        }
    });
    ip
}

#[test]
fn what_is_said_over_tcp_decides() {
    check(
        r#"tcp = { port = 6379, send = "PING\r\n", expect = "+PONG" }"#,
        line_server("+PONG\r\n"),
        line_server("-LOADING the dataset\r\n"),
        "closed without \"+PONG\", said \"-LOADING the dataset\"",
    );
}

#[test]
fn what_a_name_server_answers_decides() {
    let zone = |address: &str| {
        let text = format!(
            "$TTL 60\n@ SOA ns1 hostmaster 1 3600 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\na A {address}\n"
        );
        Server::serving(&[("example.org.zone", &text)])
    };
    let (good, bad) = (zone("192.0.2.1"), zone("192.0.2.2"));
    let ip = |server: &Server| match server.address.ip() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => panic!("{ip} is no loopback address of a test"),
    };
    for transport in ["udp", "tcp"] {
        check(
            &format!(
                r#"dns = {{ port = 5300, name = "a.example.org", answer = "192.0.2.1", transport = "{transport}" }}"#
            ),
            ip(&good),
            ip(&bad),
            "answers 192.0.2.2, want 192.0.2.1",
        );
    }
}

#[test]
fn a_programs_exit_code_decides() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("check");
    let (good, bad) = (own_ip(), own_ip());
    let script =
        format!("#!/bin/sh\ntest \"$BELLWETHER_ADDRESS\" = {good} && exit 0\necho $LIMIT seats left >&2\nexit 2\n");
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("changed");
    let probe = format!("exec = {{ command = [{program:?}], environment = {{ LIMIT = \"no\" }} }}");
    check(&probe, good, bad, "exit code 2: no seats left");
}

#[test]
fn a_program_that_hangs_is_a_failure_in_its_time() {
    let (good, bad) = (own_ip(), own_ip());
    let script = format!("test $BELLWETHER_ADDRESS = {good} && exit 0; sleep 1000 & wait");
    check(&format!("exec.command = [\"/bin/sh\", \"-c\", {script:?}]"), good, bad, "timed out after 2s");
}
