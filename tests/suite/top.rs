//! What a running server is asked most: over the API, and by the command.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;

use crate::support::await_some;
use crate::support::process::{Process, Signal};
use crate::support::server::{BELLWETHER, Launch, Server, run};

const POLICY: &str = r#"
[zone]
nameservers = ["ns1.example.net"]
contact = "hostmaster.example.net"
[pools.web]
policy = "weighted"
endpoints = [{ name = "a", address = "192.0.2.10", weight = 3 }, { name = "b", address = "192.0.2.11" }]
[names]
www = { pool = "web", ttl = { min = "5s", max = "60s" } }
"#;

/// Asks `server` while `look` looks: `www` four times, once by TCP, and for a name that does not exist.
fn asked<T>(server: &Server, look: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let client = server.client();
            while !over.load(Ordering::Relaxed) {
                for _ in 0..4 {
                    client.ask("www.example.com", RecordType::A);
                }
                client.ask_tcp("www.example.com", RecordType::A);
                client.ask("missing.example.com", RecordType::AAAA);
                // So that the machine has time for others: the load need only be steady.
                thread::sleep(Duration::from_millis(5));
            }
        });
        let looked = look();
        over.store(true, Ordering::Relaxed);
        looked
    })
}

fn folder(server: &Server) -> &std::path::Path {
    server.config.as_ref().expect("a server file").path()
}

fn json(server: &Server) -> Value {
    let output = run(folder(server), &["top", "--once", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The rate of one line of a ranking; 0 where it is not there.
fn rate(top: &Value, ranking: &str, what: &str) -> f64 {
    let first = top[ranking]["first"].as_array().expect("a ranking");
    first.iter().find(|line| line["what"] == what).map_or(0.0, |line| line["rate"].as_f64().expect("a rate"))
}

#[test]
fn what_is_asked_is_ranked_by_rate() {
    let server = Launch::new().file("example.com.toml", POLICY).administered().start();
    // The first look finds out how many come.
    let top = asked(&server, || {
        json(&server);
        await_some("enough", || Some(json(&server)).filter(|top| top["heard"].as_u64() > Some(300)))
    });
    let all = top["rate"].as_f64().expect("a rate");
    let share = |ranking, what| rate(&top, ranking, what) / all;
    let near = |got: f64, expected: f64| assert!((got - expected).abs() < 0.12, "{got}, not {expected}: {top:#}");
    near(share("names", "www.example.com"), 5.0 / 6.0);
    near(share("names", "missing.example.com"), 1.0 / 6.0);
    near(share("types", "A"), 5.0 / 6.0);
    near(share("types", "AAAA"), 1.0 / 6.0);
    near(share("rcodes", "NXDOMAIN"), 1.0 / 6.0);
    near(share("rcodes", "NOERROR"), 5.0 / 6.0);
    near(share("transports", "TCP"), 1.0 / 6.0);
    near(share("endpoints", "web/a"), 5.0 / 6.0 * 0.75);
    near(share("endpoints", "web/b"), 5.0 / 6.0 * 0.25);
    let clients = top["clients"]["first"].as_array().expect("a ranking");
    assert!(clients.iter().all(|line| line["what"].as_str().is_some_and(|what| what.ends_with("/24"))), "{clients:?}");
    assert!(top["sampled"].as_f64().is_some_and(|share| share > 0.0 && share <= 1.0 + 1e-9), "{top:#}");
}

#[test]
fn an_idle_server_says_so() {
    let server = Launch::new().file("example.com.toml", POLICY).administered().start();
    let top = json(&server);
    assert_eq!((top["heard"].as_u64(), top["rate"].as_f64(), top["lost"].as_u64()), (Some(0), Some(0.0), Some(0)));
    let output = run(folder(&server), &["top", "--once"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing was asked"));
}

#[test]
fn the_command_shows_tables_and_ends() {
    let server = Launch::new().file("example.com.toml", POLICY).administered().start();
    let says = |arguments: &[&str]| {
        let output = run(folder(&server), arguments);
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = asked(&server, || says(&["top", "--count", "2", "--interval", "500ms"]));
    assert_eq!(text.matches(" queries a second over ").count(), 2, "{text}");
    assert!(!text.contains('\x1b'), "what is no terminal is not painted: {text:?}");
    for part in
        ["\nnames\n", "  www.example.com\n", "\nendpoints\n", "  web/a\n", "\nclients\n", "\ntypes   A ", "NXDOMAIN"]
    {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let lines = asked(&server, || says(&["top", "--count", "2", "--interval", "500ms", "--json"]));
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 2, "{lines}");
    // Without a count it goes on until it is told to end, and that is no failure.
    let mut command = Command::new(BELLWETHER);
    command.args(["top", "--interval", "500ms"]).current_dir(folder(&server)).stdin(Stdio::null());
    let mut process = Process::spawn("bellwether top", &mut command);
    process.await_line(0, "a table", |line| line.starts_with("types"));
    process.signal(Signal::Int);
    assert!(process.await_end().success());
}

/// On a terminal it draws on the other screen, takes single keys, and leaves everything as it was.
#[test]
fn a_terminal_is_given_back_as_it_was() {
    let server = Launch::new().file("example.com.toml", POLICY).administered().start();
    let check = |arguments: [&str; 2], begins: &str, end: &dyn Fn(&mut File, &Child)| {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("its other end").into_string().expect("a path");
        let open = || File::options().read(true).write(true).open(&name).expect("its other end");
        let (terminal, mut master) = (open(), File::from(master));
        let size = Winsize { ws_row: 24, ws_col: 70, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).expect("a size");
        let modes = || tcgetattr(&terminal).expect("its modes").local_modes;
        let before = modes();
        assert!(before.contains(LocalModes::ICANON | LocalModes::ECHO));
        let mut command = Command::new(BELLWETHER);
        command.args(arguments).current_dir(folder(&server)).env_remove("NO_COLOR");
        let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().expect("it runs");
        let mut drawn = Vec::new();
        let mut part = [0; 4_096];
        // Two tables, each of which begins at the upper left.
        while drawn.windows(3).filter(|octets| octets == b"\x1b[H").count() < 2 {
            let read = master.read(&mut part).expect("what it draws");
            drawn.extend_from_slice(&part[..read]);
        }
        assert!(!modes().intersects(LocalModes::ICANON | LocalModes::ECHO));
        end(&mut master, &child);
        assert!(await_some("its end", || child.try_wait().expect("a child")).success());
        assert_eq!(modes(), before);
        let mut rest = vec![0; 4_096];
        let read = master.read(&mut rest).expect("what it drew last");
        drawn.extend_from_slice(&rest[..read]);
        let text = String::from_utf8(drawn).expect("text");
        assert!(text.starts_with(&format!("\x1b[?1049h\x1b[?25l\x1b[H{begins}")), "{text:?}");
        assert!(text.ends_with("\x1b[?25h\x1b[?1049l"), "{text:?}");
        let tables = text.split("\x1b[H").skip(1);
        assert!(tables.into_iter().all(|table| table.matches('\n').count() < 24), "{text:?}");
    };
    let (top, status) = (["top", "--interval=500ms"], ["status", "--watch=500ms"]);
    for (arguments, begins) in [(top, "\x1b[1m"), (status, "bellwether status, every 500ms, ")] {
        check(arguments, begins, &|master, _| master.write_all(b"xq").expect("keys"));
        check(arguments, begins, &|_, child| {
            let kill = format!("kill -INT {}", child.id());
            assert!(Command::new("/bin/sh").args(["-c", &kill]).status().expect("a shell").success());
        });
    }
}

#[test]
fn wrong_usage_is_told() {
    let check = |arguments: &[&str], code: i32, says: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let output = run(folder.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{says:?} is not in: {stderr}");
    };
    check(&["top", "--interval", "1"], 2, "write \"1s\" for seconds");
    check(&["top", "--interval", "1ms"], 2, "500ms to 1m");
    check(&["top", "--count", "0"], 2, "write a whole number, 1 or more");
    check(&["status", "--watch=www"], 2, "invalid value 'www' for '--watch[=<INTERVAL>]'");
    check(&["explain", "--server", "www.example.com"], 2, "write a URL such as http://127.0.0.1:8053");
    check(&["top", "--once", "--count", "2"], 2, "cannot be used with");
    check(&["top", "--once", "--server", "http://127.0.0.1:1"], 1, "is the server running?");
}
