//! What a restart keeps: verdicts as they were, in the first answer, before any probe could have ended.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use hickory_proto::rr::RecordType;

use crate::support::address::{self, HTTP_PORT};
use crate::support::await_some;
use crate::support::client::addresses;
use crate::support::server::{BELLWETHER, Launch, Server};
use crate::turning::{Endpoint, given, ips, policy};

/// Verdicts form quickly, and a probe that gets no answer takes for ever.
const TIMING: &str = "interval = \"1h\"\nfast = \"100ms\"\ntimeout = \"1h\"\nfall = 2\nrise = 2";

fn launch(policy: &str, folder: &Path, listen: SocketAddr) -> Server {
    let config = folder.join("bellwether.toml");
    fs::write(&config, "[state]\nfile = \"state.json\"\nmax-age = \"1h\"").expect("a server file");
    let launch = Launch::new().environment("BELLWETHER_LOG", "info,bellwether::probe=debug");
    launch.file("example.com.toml", policy).config_file(&config).listen(listen).start()
}

/// Takes connections on `ip` and never says a word.
fn mute(ip: IpAddr) -> TcpListener {
    await_some("the address of an endpoint that is gone", || TcpListener::bind((ip, HTTP_PORT)).ok())
}

#[test]
fn verdicts_survive_kill_9_and_are_in_the_first_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let listen = address::own_dns();
    let (up, down) = (address::own_ip(), address::own_ip());
    let text = policy(TIMING, [up.into(), down.into()], "www = { pool = \"web\", failover = \"3h\" }");
    let text = text.replace("failover = \"3h\"", "ttl = { min = \"7s\", max = \"1h\" }");
    // One answers; the other refuses, and so is down with the first probe.
    let listener = TcpListener::bind((up, HTTP_PORT)).expect("an address of our own");
    let answering = listener.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = answering.accept().expect("a probe");
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let mut server = launch(&text, folder.path(), listen);
    thread.join().expect("answered");
    assert_eq!(given(&server.client()), BTreeSet::from([IpAddr::V4(up)]));
    await_some("the state to be written", || {
        let text = fs::read_to_string(&state).ok()?;
        (text.contains("\"up\"") && text.contains("\"down\"")).then_some(())
    });
    // Nobody else may keep its state there meanwhile.
    let mut second = Command::new(BELLWETHER);
    second.current_dir(folder.path()).args(["serve", "--listen", &address::own_dns().to_string(), "--zones"]);
    let output = second.arg(server.zones.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: another server keeps its state in ") && said.contains("state.json;"), "{said}");
    server.process.kill();
    drop(server);
    drop(listener);

    // From here on nobody answers a probe: without what was kept it would never be ready.
    let _mute = [mute(up.into()), mute(down.into())];
    let server = launch(&text, folder.path(), listen);
    let answer = server.client().ask("www.example.com", RecordType::A);
    assert_eq!(addresses(&answer), [IpAddr::V4(up)], "{answer}");
    assert!(answer.answers.iter().all(|record| record.ttl == 7), "nothing is promised on it yet: {answer}");
    assert!(server.process.log().contains("taken up 2 verdicts, "), "{}", server.process.log());
}

#[test]
fn what_is_damaged_or_of_another_monitor_is_probed_afresh() {
    let endpoint = Endpoint::start(false);
    let listen = address::own_dns();
    let text = policy(TIMING, ips(&[&endpoint]), "www = { pool = \"web\", when-all-down = \"nodata\" }");
    let start = |folder: &Path, fall: u8| {
        let timing = TIMING.replace("fall = 2", &format!("fall = {fall}")).replace("\"1h\"", "\"10s\"");
        launch(&text.replace(TIMING, &timing), folder, listen)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let mut server = start(folder.path(), 2);
    assert_eq!(given(&server.client()), BTreeSet::new());
    // It is written at the end, too.
    server.process.signal(crate::support::process::Signal::Term);
    server.process.await_end();
    let kept = fs::read_to_string(&state).expect("written");
    assert!(kept.contains("\"down\""), "{kept}");
    drop(server);

    // Restored, it takes two successes to be up again.
    endpoint.turn(true);
    let mut server = start(folder.path(), 2);
    await_some("the one that lives", || (given(&server.client()) == ips(&[&endpoint])).then_some(()));
    // That it is up is news, and it was down since before this process; that it is down was news there.
    let told = " INFO endpoint is up zone=\"example.com\" pool=\"web\" ";
    server.process.await_said(&["recovering (1 success) → up", told]);
    assert!(!server.process.log().contains("is down"), "{}", server.process.log());
    server.process.kill();
    drop(server);

    // Another monitor, and a file that is none: the first result decides, and the fault is told.
    fs::write(&state, &kept).expect("written back");
    let mut server = start(folder.path(), 3);
    assert_eq!(given(&server.client()), ips(&[&endpoint]));
    server.process.kill();
    drop(server);
    fs::write(&state, &kept[..kept.len() / 2]).expect("written");
    let server = start(folder.path(), 2);
    assert_eq!(given(&server.client()), ips(&[&endpoint]));
    assert!(server.process.log().contains("state.json is of no use: it is damaged"), "{}", server.process.log());
}

#[test]
fn the_last_good_set_survives_too() {
    let (one, other) = (Endpoint::start(false), Endpoint::start(true));
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let listen = address::own_dns();
    let timing = "interval = \"500ms\"\nfast = \"100ms\"\ntimeout = \"500ms\"\nfall = 2\nrise = 2";
    let names = "www = { pool = \"web\", when-all-down = \"last-good\" }\nall = \"web\"";
    let text = policy(timing, ips(&[&one, &other]), names);
    let mut server = launch(&text, folder.path(), listen);
    assert_eq!(given(&server.client()), ips(&[&other]));
    other.turn(false);
    await_some("the last good set in the file", || {
        fs::read_to_string(&state).ok().filter(|text| text.contains("\"members\"")).map(drop)
    });
    server.process.kill();
    drop(server);
    let server = launch(&text, folder.path(), listen);
    let client = server.client();
    assert_eq!(given(&client), ips(&[&other]), "what last lived");
    let all: BTreeSet<IpAddr> = addresses(&client.ask("all.example.com", RecordType::A)).into_iter().collect();
    assert_eq!(all, ips(&[&one, &other]), "all are down");
}

#[test]
fn what_is_forced_survives_kill_9_and_is_in_the_first_answer() {
    let endpoints = [Endpoint::start(true), Endpoint::start(true)];
    let [one, other] = &endpoints;
    let folder = tempfile::tempdir().expect("a folder");
    let (config, state) = (folder.path().join("bellwether.toml"), folder.path().join("state.json"));
    let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
    let keys = format!("[state]\nfile = \"state.json\"\n[admin]\nlisten = \"{admin}\"");
    fs::write(&config, keys).expect("a server file");
    let (listen, text) = (address::own_dns(), policy(TIMING, ips(&[one, other]), "www = \"web\""));
    let text = text.replace("\"1h\"", "\"10s\"");
    let start = || Launch::new().file("example.com.toml", &text).config_file(&config).listen(listen).start();
    let mut server = start();
    let out = ips(&[one]).into_iter().next().expect("an address");
    let mut command = Command::new(BELLWETHER);
    let output = command.current_dir(folder.path()).args(["drain", &format!("web/{out}"), "--as", "ada"]).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(given(&server.client()), ips(&[other]));
    await_some("the override in the file", || {
        fs::read_to_string(&state).ok().filter(|text| text.contains("\"drain\"")).map(drop)
    });
    server.process.kill();
    drop(server);

    let server = start();
    assert_eq!(given(&server.client()), ips(&[other]), "the first answer leaves it out");
    let output = Command::new(BELLWETHER).current_dir(folder.path()).args(["status"]).output().expect("it runs");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("drained (probed up)") && shown.contains("by ada"), "{shown}");
}
