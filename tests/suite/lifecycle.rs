//! How a server ends, and what a service manager hears of it.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::thread;
use std::time::Instant;

use hickory_proto::rr::RecordType;

use crate::support::client::addresses;
use crate::support::process::Signal;
use crate::support::server::{BELLWETHER, Launch};
use crate::support::{PATIENCE, address, await_some};

const ZONE: &str = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\n\
                    ns1 A 192.0.2.53\nwww A 192.0.2.1\n";

/// A service manager, as far as it listens.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket, folder }
    }

    fn watch(&self, launch: Launch) -> Launch {
        launch.environment("NOTIFY_SOCKET", &self.folder.path().join("notify").display().to_string())
    }

    /// Waits for a message with all of these; what came.
    fn hear(&self, words: &[&str]) -> String {
        let mut octets = [0; 4096];
        let mut heard = Vec::new();
        let start = Instant::now();
        loop {
            // Real time: the watchdog is patted for ever.
            assert!(start.elapsed() < PATIENCE, "{words:?} was not said: {heard:?}");
            let length = self.socket.recv(&mut octets).unwrap_or_else(|error| panic!("{words:?}: {error}; {heard:?}"));
            let text = String::from_utf8_lossy(&octets[..length]).into_owned();
            if words.iter().all(|word| text.contains(word)) {
                return text;
            }
            heard.push(text);
        }
    }
}

#[test]
fn a_service_manager_hears_of_everything() {
    let manager = Manager::new();
    let launch = Launch::new().file("example.com.zone", ZONE).controlled().environment("WATCHDOG_USEC", "1500000");
    let mut server = manager.watch(launch).start();
    manager.hear(&["READY=1", "STATUS=serving 1 zone, "]);
    for _ in 0..3 {
        manager.hear(&["WATCHDOG=1"]);
    }
    server.hang_up();
    let reloading = manager.hear(&["RELOADING=1", "MONOTONIC_USEC="]);
    let since = reloading.split("MONOTONIC_USEC=").nth(1).and_then(|rest| rest.lines().next()?.parse::<u64>().ok());
    assert!(since.is_some_and(|since| since > 0), "{reloading}");
    manager.hear(&["READY=1"]);
    server.zones.write("example.com.zone", &ZONE.replace("192.0.2.1", "192.0.2.999"));
    manager.hear(&["READY=1", "STATUS=not reloaded, 1 error in the files"]);
    server.zones.write("example.com.zone", ZONE);
    manager.hear(&["READY=1", "STATUS=serving 1 zone, "]);
    let (successor, (told, parent)) = thread::scope(|scope| {
        let hearing = scope.spawn(|| {
            let told = manager.hear(&["MAINPID="]);
            let pid = told.split("MAINPID=").nth(1).and_then(|rest| rest.lines().next()?.parse::<u32>().ok());
            let pid = pid.expect("a number");
            (pid, parent_of(pid))
        });
        (server.replace().expect("replaced"), hearing.join().expect("heard"))
    });
    assert_eq!(told, successor);
    // systemd looks once, now, and kills at a stop what is somebody else's child.
    assert!(parent.is_some_and(|parent| parent != server.process.pid()), "{parent:?}");
    assert!(server.process.await_end().success());
    manager.hear(&["READY=1"]);
    // The successor's own: its watchdog is not bound to the number of the process before.
    manager.hear(&["WATCHDOG=1"]);
    let command = format!("kill -TERM {successor}");
    assert!(Command::new("/bin/sh").args(["-c", &command]).status().expect("a shell").success());
    manager.hear(&["STOPPING=1"]);
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

#[test]
fn the_journal_hears_how_grave_a_line_is() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("example.com.zone"), ZONE.replace("192.0.2.1", "192.0.2.999")).expect("a zone");
    // A file stands for the journal's stream, which is known by its place.
    let said = |stream: Option<&str>| {
        let path = folder.path().join("stderr");
        let stderr = fs::File::create(&path).expect("a file");
        let of = stderr.metadata().expect("its place");
        let own = format!("{}:{}", of.dev(), of.ino());
        let mut command = Command::new(BELLWETHER);
        command.args(["serve", "--listen", &address::own_dns().to_string(), "--zones"]).arg(folder.path());
        command.env("JOURNAL_STREAM", stream.unwrap_or(&own)).stderr(stderr);
        assert_eq!(command.status().expect("it runs").code(), Some(1));
        fs::read_to_string(path).expect("what it said")
    };
    let heard = said(None);
    let lines: Vec<&str> = heard.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("<3>") || line.starts_with("<6>")), "{heard}");
    assert!(lines.iter().any(|line| line.starts_with("<3>error: ")), "{heard}");
    let elsewhere = said(Some("1:1"));
    assert!(elsewhere.lines().any(|line| line.starts_with("error: ")) && !elsewhere.contains("<3>"), "{elsewhere}");
}

fn readiness(admin: SocketAddr) -> Option<u16> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(admin).ok()?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {admin}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

#[test]
fn it_answers_on_for_the_delay_and_says_that_it_stops() {
    let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
    // Far longer than the test takes: the second signal ends it.
    let config = format!("[admin]\nlisten = \"{admin}\"\n[server]\nstop-delay = \"5m\"");
    let mut server = Launch::new().file("example.com.zone", ZONE).config("bellwether.toml", &config).start();
    assert_eq!(readiness(admin), Some(200));
    server.process.signal(Signal::Term);
    await_some("a route to be withdrawn", || (readiness(admin) == Some(503)).then_some(()));
    assert_eq!(addresses(&server.client().ask("www.example.com", RecordType::A)).len(), 1);
    assert_eq!(addresses(&server.client().ask_tcp("www.example.com", RecordType::A)).len(), 1);
    // What is saved meanwhile changes nothing any more, and nothing ends before its time.
    server.process.assert_running();
    server.process.signal(Signal::Int);
    assert!(server.process.await_end().success());
    server.process.await_said(&["ended at once"]);
}

#[test]
fn without_a_delay_it_ends_by_itself() {
    for signal in [Signal::Term, Signal::Int] {
        let config = "[server]\nstop-delay = \"50ms\"";
        let mut server = Launch::new().file("example.com.zone", ZONE).config("bellwether.toml", config).start();
        // A connection that says nothing holds nobody up.
        let _idle = std::net::TcpStream::connect(server.address).expect("a connection");
        assert_eq!(addresses(&server.client().ask_tcp("www.example.com", RecordType::A)).len(), 1);
        server.process.signal(signal);
        assert!(server.process.await_end().success());
        server.process.await_said(&["stopping", "requests:"]);
        assert!(!server.process.log().contains("ended at once"), "{}", server.process.log());
    }
}

#[test]
fn a_user_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let listen = address::own_dns();
    fs::create_dir(folder.path().join("zones")).expect("a folder");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    let text = format!("listen = [\"{listen}\"]\n[server]\nuser = \"no-such-user\"");
    fs::write(folder.path().join("bellwether.toml"), text).expect("a server file");
    let output = crate::support::server::run(folder.path(), &["serve"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("there is no user no-such-user") && output.status.code() == Some(1), "{said}");
}
