//! The query log of a running server, read by a reader of our own.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;

use crate::support::client::{Client, addresses};
use crate::support::dnstap::{Logged, Reader, read_file};
use crate::support::process::Signal;
use crate::support::server::{Launch, Server, run};
use crate::support::{address, await_some};

const POLICY: &str = r#"
[zone]
nameservers = ["ns1.example.net"]
contact = "hostmaster.example.net"
[pools.fra]
policy = "weighted"
endpoints = [{ name = "fra1", address = "192.0.2.10", weight = 3 }, { name = "fra2", address = "192.0.2.11" }]
[pools.world]
policy = "failover"
members = ["fra"]
[names]
www = { pool = "world", ttl = { min = "5s", max = "60s" } }
"#;

/// A server that logs as `keys` say, in a folder of its own.
fn start(keys: &str) -> (Server, PathBuf) {
    let server = Launch::new()
        .file("example.com.toml", POLICY)
        .config("bellwether.toml", &format!("dns.id = \"fra\"\n[dnstap]\n{keys}\n"))
        .start();
    let folder = server.config.as_ref().expect("a server file").path().to_owned();
    (server, folder)
}

/// Stops it in order; the last word on the log.
fn stop(server: &mut Server) -> String {
    server.process.signal(Signal::Term);
    assert!(server.process.await_end().success());
    let log = server.process.log();
    log.lines().rfind(|line| line.contains("dnstap: ") && !line.contains(" to ")).expect("a last word").to_owned()
}

/// The figure behind `name` in the last word, 0 where it is not told.
fn figure(word: &str, name: &str) -> u64 {
    let found = word.split(&[' ', ','][..]).skip_while(|part| *part != name).nth(1);
    found.map_or(0, |figure| figure.parse().expect("a figure"))
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn a_server_on_all_addresses_logs_which_was_asked() {
    let mut server = Launch::new()
        .file("example.com.toml", POLICY)
        .listen("0.0.0.0:0".parse().expect("an address"))
        .config("bellwether.toml", "[dnstap]\nfile = \"log\"\n")
        .start();
    // The system has chosen the port.
    let ready = server.process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
    let port = ready.split_once(" on 0.0.0.0:").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let port = port.unwrap_or_else(|| panic!("no port: {ready}"));
    let asked: [IpAddr; 2] = [address::own_ip().into(), address::own_ip().into()];
    for ip in asked {
        let client = Client::to(SocketAddr::new(ip, port));
        client.ask("www.example.com", RecordType::A);
        client.ask_tcp("www.example.com", RecordType::A);
    }
    let word = stop(&mut server);
    let logged = read_file(&server.config.as_ref().expect("a folder").path().join("log"));
    assert_eq!((logged.len(), figure(&word, "written")), (8, 8), "{word}");
    for ip in asked {
        let IpAddr::V4(v4) = ip else { panic!("an IPv4 address") };
        for (kind, protocol) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
            let found = logged.iter().filter(|of| {
                (of.number(1), of.number(3), of.octets(5)) == (Some(kind), Some(protocol), Some(&v4.octets()[..]))
            });
            assert_eq!(found.count(), 1, "{ip}: {kind}, {protocol}");
        }
    }
    assert!(logged.iter().all(|of| of.number(7) == Some(port.into())), "the port");
}

#[test]
fn what_became_of_the_log_is_told() {
    let admin = SocketAddr::new(address::own_ip().into(), 8053);
    let config = format!("[admin]\nlisten = \"{admin}\"\n[dnstap]\nsocket = \"tap.sock\"\n");
    let mut server = Launch::new().file("example.com.toml", POLICY).config("bellwether.toml", &config).start();
    let folder = server.config.as_ref().expect("a server file").path().to_owned();
    let status = || -> serde_json::Value {
        let output = run(&folder, &["status", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let client = server.client();
    // Each time two frames, which the listener hands on within milliseconds.
    let await_log = |what: &str, is_so: &dyn Fn(&serde_json::Value) -> bool| {
        await_some(what, || {
            client.ask("www.example.com", RecordType::A);
            let status = status();
            is_so(&status["dnstap"]).then_some(status)
        })
    };
    let gone = await_log("frames without a reader", &|log| log["dropped_no_reader"].as_u64() >= Some(2));
    assert_eq!((&gone["dnstap"]["open"], &gone["dnstap"]["opened"]), (&false.into(), &0.into()), "{gone}");
    assert!(gone["alarms"][0].as_str().is_some_and(|alarm| alarm.starts_with("dnstap: nobody reads")), "{gone}");
    let reader = Reader::at(&folder.join("tap.sock"));
    let mut greeted = reader.greet();
    let read = await_log("frames that are written", &|log| log["written"].as_u64() >= Some(2));
    assert_eq!((&read["dnstap"]["open"], &read["dnstap"]["opened"]), (&true.into(), &1.into()), "{read}");
    assert_eq!(read["alarms"], serde_json::json!([]));
    let shown = run(&folder, &["status"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("opened once"), "{shown:?}");
    // What is there is read, so that it can end in order.
    server.process.signal(Signal::Term);
    let mut frames = 0;
    while greeted.next().is_some() {
        frames += 1;
    }
    assert!(frames >= read["dnstap"]["written"].as_u64().expect("a count"), "{frames}");
    assert!(server.process.await_end().success());
}

/// What both frames of a query say of its ends.
fn check_ends(logged: &Logged, kind: u64, protocol: u64, client: SocketAddr, server: SocketAddr) {
    let IpAddr::V4(client_ip) = client.ip() else { panic!("an IPv4 client") };
    let IpAddr::V4(server_ip) = server.ip() else { panic!("an IPv4 server") };
    assert_eq!((logged.number(1), logged.number(2), logged.number(3)), (Some(kind), Some(1), Some(protocol)));
    assert_eq!(logged.octets(4), Some(&client_ip.octets()[..]));
    assert_eq!(logged.octets(5), Some(&server_ip.octets()[..]));
    assert_eq!(logged.number(7), Some(server.port().into()));
    assert!(logged.number(6).is_some_and(|port| client.port() == 0 || port == u64::from(client.port())));
    let seconds = logged.number(8).expect("a time");
    assert!(seconds.abs_diff(seconds_now()) < 60 && logged.number(9).is_some_and(|nanos| nanos < 1_000_000_000));
    assert_eq!(logged.text(1), Some("fra"));
    assert!(logged.text(2).is_some_and(|version| version.starts_with("bellwether ")));
}

fn question_of(octets: Option<&[u8]>) -> (u16, String) {
    let message = Message::from_vec(octets.expect("a message")).expect("one that can be read");
    (message.metadata.id, message.queries[0].name().to_string())
}

#[test]
fn a_file_has_what_was_asked_and_answered_and_why() {
    let (mut server, folder) = start("file = \"log\"");
    let client = server.client();
    let given = addresses(&client.ask("www.example.com", RecordType::A));
    client.ask_tcp("www.example.com", RecordType::A);
    client.ask("missing.example.com", RecordType::A);
    let word = stop(&mut server);
    let logged = read_file(&folder.join("log"));
    assert_eq!((logged.len(), figure(&word, "written")), (6, 6), "{word}");
    let udp = SocketAddr::from(([127, 0, 0, 1], 0));
    let ends = [(1, 1), (2, 1), (1, 2), (2, 2), (1, 1), (2, 1)];
    // Connections and datagrams are answered by two workers, whose order is not kept.
    let mut sorted = logged.clone();
    sorted.sort_by_key(|of| (of.number(8), of.number(9), of.number(1)));
    for (logged, (kind, protocol)) in sorted.iter().zip(ends) {
        let IpAddr::V4(ip) = client_ip(logged) else { panic!("an IPv4 client") };
        check_ends(logged, kind, protocol, SocketAddr::new(ip.into(), udp.port()), server.address);
        let name = if std::ptr::eq(logged, &sorted[4]) || std::ptr::eq(logged, &sorted[5]) { "missing" } else { "www" };
        let (id, question) = question_of(logged.octets(if kind == 1 { 10 } else { 14 }));
        assert_eq!(question, format!("{name}.example.com."));
        assert!(id > 0);
        assert_eq!(logged.octets(11), (kind == 2).then_some(&b"\x07example\x03com\0"[..]), "the zone");
        assert_eq!((logged.octets(10).is_some(), logged.octets(14).is_some()), (kind == 1, kind == 2));
        let reason = logged.text(3);
        assert_eq!(reason.is_some(), kind == 2 && name == "www");
    }
    let answer = Message::from_vec(sorted[1].octets(14).expect("a response")).expect("one that can be read");
    assert_eq!(addresses(&answer), given);
    assert_eq!(
        sorted[1].text(3),
        Some(&*format!(
            "name=www.example.com pool=world>fra policy=failover>weighted why=first>turn:1/4 endpoint=fra1 \
             client={}/32 scope=0 ttl=60 ttl-why=steady",
            client_ip(&sorted[1])
        ))
    );
    assert_eq!((sorted[1].number(12), sorted[1].number(13)), (sorted[0].number(8), sorted[0].number(9)));
}

fn client_ip(logged: &Logged) -> IpAddr {
    let octets: [u8; 4] = logged.octets(4).expect("an address").try_into().expect("of IPv4");
    octets.into()
}

#[test]
fn only_what_is_wanted_is_logged() {
    let (mut server, folder) =
        start("file = \"log\"\nmessages = [\"auth-response\"]\nidentity = \"\"\nversion = \"v\"\nsample = \"1/2\"");
    let client = server.client();
    let asked = 400;
    for _ in 0..asked {
        client.ask("www.example.com", RecordType::A);
    }
    stop(&mut server);
    let logged = read_file(&folder.join("log"));
    // Half, with a deviation of 10.
    assert!((130..=270).contains(&logged.len()), "{} of {asked}", logged.len());
    assert!(logged.iter().all(|of| (of.number(1), of.text(1), of.text(2)) == (Some(2), None, Some("v"))));
    // The lot knows nothing of turns: a quarter of what is heard is of the second, with a deviation of 6.
    let second = logged.iter().filter(|of| of.text(3).is_some_and(|why| why.contains("endpoint=fra2 "))).count();
    let expected = logged.len() / 4;
    assert!(second.abs_diff(expected) < 40, "{second} of {}", logged.len());
}

#[test]
fn a_file_that_is_moved_away_is_ended_and_one_that_is_there_is_kept() {
    let (mut server, folder) = start("file = \"log\"\nmessages = [\"auth-query\"]");
    let client = server.client();
    let ask = |name: &str| drop(client.ask(name, RecordType::A));
    let (log, old) = (folder.join("log"), folder.join("old"));
    ask("one.example.com");
    await_some("the first in the file", || std::fs::metadata(&log).is_ok_and(|of| of.len() > 80).then_some(()));
    std::fs::rename(&log, &old).expect("a file can be moved");
    server.hang_up();
    await_some("a new file", || log.exists().then_some(()));
    ask("two.example.com");
    // Nobody tells it: it looks by itself.
    await_some("the second in the file", || std::fs::metadata(&log).is_ok_and(|of| of.len() > 80).then_some(()));
    std::fs::rename(&log, folder.join("older")).expect("a file can be moved");
    // Nor is it too busy to look.
    await_some("a third file", || {
        ask("busy.example.com");
        log.exists().then_some(())
    });
    ask("three.example.com");
    stop(&mut server);
    let names = |file: &Path| -> Vec<String> {
        let mut names: Vec<String> = read_file(file).iter().map(|of| question_of(of.octets(10)).1).collect();
        names.dedup();
        names
    };
    assert_eq!(names(&old), ["one.example.com."]);
    let (second, third) = (names(&folder.join("older")), names(&log));
    assert_eq!((second.first().map(String::as_str), second.len() <= 2), (Some("two.example.com."), true), "{second:?}");
    assert_eq!((third.last().map(String::as_str), third.len() <= 2), (Some("three.example.com."), true), "{third:?}");
    // The next one finds a file there.
    let text = std::fs::read_to_string(folder.join("bellwether.toml")).expect("a server file");
    let mut next = Launch::new().file("example.com.toml", POLICY).config_file(&{
        let path = folder.join("again.toml");
        std::fs::write(&path, text).expect("the folder takes files");
        path
    });
    next = next.workers(1);
    let mut next = next.start();
    next.client().ask("four.example.com", RecordType::A);
    next.process.signal(Signal::Term);
    assert!(next.process.await_end().success());
    assert_eq!(read_file(&log).len(), 1);
    let kept =
        std::fs::read_dir(&folder).expect("a folder").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let kept: Vec<String> = kept.filter(|name| name.starts_with("log.")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(names(&folder.join(&kept[0])).last().map(String::as_str), Some("three.example.com."));
}

/// Queries go on as ever whether there is a reader, it is gone, or another has come; who comes gets what comes from then.
#[test]
fn a_reader_may_come_go_and_come_back() {
    let (mut server, folder) = start("socket = \"tap.sock\"\nmessages = [\"auth-query\"]");
    let client = server.client();
    let socket = folder.join("tap.sock");
    for _ in 0..20 {
        client.ask("nobody.example.com", RecordType::A);
    }
    for reader in ["one", "two"] {
        let listening = Reader::at(&socket);
        let mut greeted = listening.greet();
        // The writer tells its other threads a moment after START.
        let name = format!("{reader}.example.com");
        let logged = await_some("a query in the log", || {
            client.ask(&name, RecordType::A);
            greeted.next_within(Duration::from_millis(200))
        });
        assert_eq!(question_of(logged.octets(10)).1, format!("{name}."));
        drop((greeted, listening));
        std::fs::remove_file(&socket).expect("the socket's file");
    }
    for _ in 0..20 {
        client.ask("nobody.example.com", RecordType::A);
    }
    let word = stop(&mut server);
    assert!(figure(&word, "dropped-reader-gone") >= 20, "{word}");
    assert!(figure(&word, "written") >= 2, "{word}");
    assert_eq!(figure(&word, "opened"), 2, "{word}");
}

#[test]
fn a_stream_ends_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("tap.sock");
    let listening = Reader::at(&socket);
    let reading = std::thread::spawn(move || {
        let mut greeted = listening.greet();
        std::iter::from_fn(move || greeted.next()).count()
    });
    let (mut server, _) = start(&format!("socket = \"{}\"", socket.display()));
    await_some("a reader", || server.process.log().contains("dnstap: writing to ").then_some(()));
    let client = server.client();
    for _ in 0..50 {
        client.ask("www.example.com", RecordType::A);
    }
    let word = stop(&mut server);
    assert_eq!(reading.join().expect("no panic"), 100, "{word}");
    assert_eq!(figure(&word, "written"), 100, "{word}");
}

/// A reader that never reads costs the log its frames, and nobody an answer.
#[test]
fn a_reader_that_never_reads_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("tap.sock");
    let listening = Reader::at(&socket);
    let greeting = std::thread::spawn(move || (listening.greet(), listening));
    let (mut server, _) = start(&format!("socket = \"{}\"\nversion = \"{}\"", socket.display(), "v".repeat(255)));
    await_some("a reader", || server.process.log().contains("dnstap: writing to ").then_some(()));
    let _held = greeting.join().expect("no panic");
    let client = server.client();
    // Two frames of some 500 octets each: 25 MB, of which the socket's buffer and the queue hold 5 MB.
    let asked = 25_000;
    for _ in 0..asked {
        // Panics when there is no answer.
        client.ask("www.example.com", RecordType::A);
    }
    let word = stop(&mut server);
    assert!(server.process.log().contains(&format!("requests: noerror {asked}")), "{}", server.process.log());
    let (written, full) = (figure(&word, "written"), figure(&word, "dropped-full"));
    let gone = figure(&word, "dropped-reader-gone");
    assert!(full > 0, "it was never full: {word}");
    // Queries that find no room in a ring count once, frames that find none behind it each.
    assert!(written + full + gone <= 2 * asked && written + 2 * full + gone >= 2 * asked, "{word}");
}

#[test]
fn a_socket_that_is_no_reader_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("tap.sock");
    let other = std::os::unix::net::UnixListener::bind(&socket).expect("a socket of its own");
    let answering = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = other.accept().expect("a writer comes");
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let (mut server, _) = start(&format!("socket = \"{}\"", socket.display()));
    server.process.await_line(0, "what is wrong", |line| line.contains("not a reader of dnstap: it sends data"));
    server.client().ask("www.example.com", RecordType::A);
    answering.join().expect("no panic");
}
