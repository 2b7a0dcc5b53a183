//! The query log as the tools of others read it: fstrm's on the socket, dnstap-ldns and kdig in what it wrote.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use hickory_proto::rr::RecordType;

use crate::support::address::{DNS_PORT, own_ip};
use crate::support::await_some;
use crate::support::dig::{Dig, Program};
use crate::support::dnstap::{Logged, read_file};
use crate::support::peer::find;
use crate::support::process::{Process, Signal};
use crate::support::server::Launch;

const POLICY: &str = r#"
[zone]
nameservers = ["ns1.example.net"]
contact = "hostmaster.example.net"
[pools.fra]
policy = "weighted"
endpoints = [{ name = "fra1", address = "192.0.2.10", weight = 3 }, { name = "fra2", address = "192.0.2.11" }]
[names]
www = { pool = "fra", ttl = { min = "5s", max = "60s" } }
"#;

/// What a program prints of `file`.
fn says(program: &Path, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).output().expect("a program runs");
    assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn readers_of_others_understand_the_log() {
    let (Some(capture), Some(dump)) = (find("fstrm_capture", "fstrm-bin"), find("fstrm_dump", "fstrm-bin")) else {
        return;
    };
    let (Some(ldns), Some(kdig)) = (find("dnstap-ldns", "dnstap-ldns"), find("kdig", "knot-dnsutils")) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, captured) = (folder.path().join("tap.sock"), folder.path().join("captured"));
    let mut command = Command::new(capture);
    command.args(["-t", "protobuf:dnstap.Dnstap", "-u"]).arg(&socket).arg("-w").arg(&captured).stdin(Stdio::null());
    let mut reader = Process::spawn("fstrm_capture", &mut command);
    await_some("the reader's socket", || socket.exists().then_some(()));
    let mut server = Launch::new()
        .file("example.com.toml", POLICY)
        .config("bellwether.toml", &format!("dns.id = \"fra\"\n[dnstap]\nsocket = \"{}\"\n", socket.display()))
        .start();
    server.process.await_line(0, "a reader", |line| line.contains("dnstap: writing to "));
    let client = server.client();
    client.ask("www.example.com", RecordType::A);
    client.ask_tcp("www.example.com", RecordType::A);
    client.ask("missing.example.com", RecordType::AAAA);
    server.process.signal(Signal::Term);
    assert!(server.process.await_end().success());
    let log = server.process.log();
    assert!(log.contains("dnstap: written 6, opened 1"), "{log}");
    // It closes its file in order.
    reader.signal(Signal::Term);
    reader.await_end();

    let short = says(&ldns, &["-q", "-r"], &captured);
    let mut events: Vec<[&str; 4]> = short
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            [words[2], words[4], words[6], words[8]]
        })
        .collect();
    events.sort_unstable();
    let expected = [
        ["AQ", "TCP", "\"www.example.com.\"", "A"],
        ["AQ", "UDP", "\"missing.example.com.\"", "AAAA"],
        ["AQ", "UDP", "\"www.example.com.\"", "A"],
        ["AR", "TCP", "\"www.example.com.\"", "A"],
        ["AR", "UDP", "\"missing.example.com.\"", "AAAA"],
        ["AR", "UDP", "\"www.example.com.\"", "A"],
    ];
    assert_eq!(events, expected, "{short}");

    let long = says(&ldns, &["-y", "-r"], &captured);
    let count = |what: &str| long.lines().filter(|line| line.trim() == what).count();
    assert_eq!((count("type: AUTH_QUERY"), count("type: AUTH_RESPONSE")), (3, 3), "{long}");
    assert_eq!((count("socket_protocol: UDP"), count("socket_protocol: TCP")), (4, 2), "{long}");
    assert_eq!((count("identity: \"fra\""), count("query_zone: \"example.com.\"")), (6, 3), "{long}");
    assert_eq!(count(&format!("response_address: \"{}\"", server.address.ip())), 6, "{long}");
    assert_eq!(count(&format!("response_port: {}", server.address.port())), 6, "{long}");
    // Two workers, two turns that begin with the first.
    assert_eq!(count("www.example.com.\t60\tIN\tA\t192.0.2.10"), 2, "{long}");
    assert!(long.contains("rcode: NXDOMAIN"), "{long}");

    let kdig = says(&kdig, &["-G"], &captured);
    assert_eq!(kdig.matches("192.0.2.10").count(), 2, "{kdig}");
    assert!(kdig.contains("(TCP)") && kdig.contains("(UDP)"), "{kdig}");

    // Neither shows `extra`, which is in the frames as it is.
    let frames = Command::new(dump).arg(&captured).output().expect("a program runs");
    let frames = String::from_utf8_lossy(&frames.stdout).into_owned() + &String::from_utf8_lossy(&frames.stderr);
    let reason = "name=www.example.com pool=fra policy=weighted why=turn:1/4 endpoint=fra1 client=";
    assert_eq!(frames.matches(reason).count(), 2, "{frames}");
}

/// Has kdig ask by these `switches`, each of which names a transport, and a reader of fstrm's write the log to `captured`.
/// The server's address and the ports of its encrypted doors: TLS and QUIC, and HTTPS.
fn capture(kdig: &Dig, reader: &Path, captured: &Path, switches: &[&str]) -> (Ipv4Addr, [u16; 2]) {
    let socket = captured.with_extension("sock");
    let mut command = Command::new(reader);
    command.args(["-t", "protobuf:dnstap.Dnstap", "-u"]).arg(&socket).arg("-w").arg(captured).stdin(Stdio::null());
    let mut reader = Process::spawn("fstrm_capture", &mut command);
    await_some("the reader's socket", || socket.exists().then_some(()));
    let (ip, [tls, https]) = (own_ip(), [8853, 8443]);
    let made = rcgen::generate_simple_self_signed(["ns1.example.com".to_owned()]).expect("a certificate");
    let doors = format!("dot = [\"{ip}:{tls}\"]\ndoh = [\"{ip}:{https}\"]\ndoq = [\"{ip}:{tls}\"]\n");
    let log = format!("[dnstap]\nsocket = \"{}\"\n", socket.display());
    let mut server = Launch::new()
        .file("example.com.toml", POLICY)
        .listen(SocketAddr::new(ip.into(), DNS_PORT))
        .config("bellwether.toml", &format!("[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n{doors}{log}"))
        .config("c.pem", &made.cert.pem())
        .config("k.pem", &made.signing_key.serialize_pem())
        .start();
    server.process.await_line(0, "a reader", |line| line.contains("dnstap: writing to "));
    for switch in switches {
        let port = if *switch == "+https" { https } else { tls };
        let reply = kdig.ask(SocketAddr::new(ip.into(), port), &["www.example.com", "A", switch]);
        assert_eq!(reply.status, "NOERROR", "{switch}: {}", reply.text);
    }
    server.process.signal(Signal::Term);
    assert!(server.process.await_end().success());
    reader.signal(Signal::Term);
    reader.await_end();
    (ip, [tls, https])
}

#[test]
fn every_transport_is_told_apart() {
    let Some(reader) = find("fstrm_capture", "fstrm-bin") else { return };
    let (Some(ldns), Some(kdig)) = (find("dnstap-ldns", "dnstap-ldns"), Dig::find(Program::Kdig)) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let captured = folder.path().join("captured");
    let (ip, [tls, https]) = capture(&kdig, &reader, &captured, &["+tls", "+https", "+quic"]);
    // dnstap-ldns 0.2 is older than these protocols: it shows their frames, with a mark in place of a name.
    let short = says(&ldns, &["-q", "-r"], &captured);
    let shown = |kind: &str| {
        let is_it = |line: &&str| line.contains(kind) && line.contains(" ? ") && line.contains("\"www.example.com.\"");
        short.lines().filter(is_it).count()
    };
    assert_eq!((shown(" AQ "), shown(" AR ")), (3, 3), "{short}");
    // Which they are, our own reader finds in what fstrm has written.
    let logged = read_file(&captured);
    assert_eq!(logged.len(), 6);
    for (protocol, port) in [(3, tls), (4, https), (7, tls)] {
        for kind in [1, 2] {
            let is_it = |of: &&Logged| (of.number(1), of.number(3)) == (Some(kind), Some(protocol));
            let found: Vec<&Logged> = logged.iter().filter(is_it).collect();
            let [of] = found[..] else { panic!("not one of {kind} by {protocol}: {logged:?}") };
            assert_eq!((of.octets(5), of.number(7)), (Some(&ip.octets()[..]), Some(port.into())), "{of:?}");
            assert_eq!(of.octets(4).map(<[u8]>::len), Some(4), "{of:?}");
            assert!(of.number(6).is_some_and(|port| port > 0), "{of:?}");
        }
    }
}
