//! The commands as black boxes: what is typed, what is printed, how it ends.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::support::client::{Client, addresses};
use crate::support::process::{Process, Signal};
use crate::support::server::{BELLWETHER, Launch, Server, Zones, run};
use crate::support::{address, await_some};

/// The repository, with its README and its sample zones.
fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// A zone whose `www` has this address.
fn zone(address: &str) -> String {
    format!("$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A {address}\n")
}

#[test]
fn check_prints_the_plan_that_the_readme_shows() {
    let output = run(house(), &["check"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let readme = fs::read_to_string(house().join("README.md")).expect("the README");
    let shown = readme.split_once("$ target/release/bellwether check\n").expect("the tour checks the samples").1;
    let shown = shown.split_once("```").expect("the block ends").0;
    let mut lines = stdout(&output).lines();
    // In order; `…` stands for any lines.
    for line in shown.lines().filter(|line| *line != "…") {
        assert!(lines.any(|printed| printed == line), "the README shows {line:?}; check prints\n{}", stdout(&output));
    }
    assert_eq!(lines.next(), None, "the README shows the last line");
}

#[test]
fn a_misspelt_key_is_told_as_the_readme_shows() {
    let readme = fs::read_to_string(house().join("README.md")).expect("the README");
    let sample = fs::read_to_string(house().join("zones/example.com.toml")).expect("the sample");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder");
    let misspelt = sample.replace("\"127.0.0.12\", weight = 1", "\"127.0.0.12\", wieght = 2");
    fs::write(folder.path().join("zones/example.com.toml"), misspelt).expect("a file");
    let output = run(folder.path(), &["check"]);
    let said = stderr(&output);
    assert!(said.starts_with("error: unknown key `wieght`"), "{said}");
    let first = said.split("\n\n").next().unwrap_or_default();
    assert!(readme.contains(first), "the README shows another text than\n{first}");
}

#[test]
fn check_lists_every_fault_with_its_place() {
    let policy = "[monitors.slow]\ntcp = { port = 80 }\ninterval = \"30s\"\n\
                  [pools.web]\npolicy = \"weigthed\"\nendpoints = [\"192.0.2.300\"]\n\
                  [pools.slow]\npolicy = \"failover\"\nmonitor = \"slow\"\nendpoints = [\"192.0.2.7\"]\n\
                  [names]\nwww = { pool = \"slow\", failover = \"30s\" }\nshop = { pool = \"wep\", failovr = \"30s\" }\n";
    let zones = Zones::new();
    zones.write("example.com.zone", &zone("192.0.2.999"));
    zones.write("example.net.toml", policy);
    zones.write("example.org.zone", &format!("{}sub NS ns.sub\n\nx MX mail\n", zone("192.0.2.1")));
    let output = run(zones.path(), &["check", "--zones", "."]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    let expected = [
        ("A address must be an IPv4 address, not `192.0.2.999`", "example.com.zone:5:7", ""),
        ("unknown policy \"weigthed\"", "example.net.toml:5:10", "did you mean `weighted`?"),
        ("\"192.0.2.300\" is not an IP address", "example.net.toml:6:14", "write an IPv4 or IPv6 address"),
        (
            "a budget of 30s cannot be kept: interval 30s + timeout 250ms + 2 × (fast 100ms + timeout 250ms) + ttl-min 1s = 31.95s",
            "example.net.toml:12:35",
            "the nearest budget that fits is \"31s950ms\"",
        ),
        ("there is no pool `wep`", "example.net.toml:13:17", "did you mean `web`?"),
        ("unknown key `failovr`", "example.net.toml:13:24", "did you mean `failover`?"),
        ("MX preference must be a number from 0 to 65535, not `mail`", "example.org.zone:8:6", ""),
        ("glue is missing: ns.sub.example.org.", "example.org.zone:6:1", "add an A or AAAA record"),
    ];
    let said = stderr(&output);
    let mut blocks: Vec<&str> = said.split("\n\n").collect();
    let last = blocks.pop().expect("a last line");
    assert_eq!(last, format!(".: {} errors; nothing of it would be served\n", expected.len()), "{said}");
    for (message, place, help) in expected {
        let block = blocks.iter().find(|block| block.contains(message)).unwrap_or_else(|| panic!("{message}:\n{said}"));
        assert!(block.contains(&format!("--> ./{place}\n")), "{place}:\n{block}");
        assert!(block.contains(help), "{help}:\n{block}");
    }
    assert_eq!(blocks.len(), expected.len(), "{said}");
}

/// A fault of one file hides none of another.
#[test]
fn check_goes_on_to_the_zones() {
    let check = |server: &str, names: &str, expected: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        fs::create_dir(folder.path().join("zones")).expect("a folder");
        write("zones/example.com.zone", &zone("192.0.2.1"));
        write("zones/example.com.toml", names);
        write("bellwether.toml", server);
        let output = run(folder.path(), &["check", "--zones", "zones"]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{server}");
        let mut rest = stderr(&output);
        for part in expected {
            rest = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} does not follow in {}", stderr(&output))).1;
        }
    };
    let (sound, faulty) = ("", "[nmes]\n");
    let beside = "[geo]\ndatabases = [\"no.mmdb\"]\n[dns]\ncookie-secrets = \"no.txt\"\n\
                  [tls]\ncertificate = \"no.pem\"\nkey = \"no.pem\"\ndot = [\"127.0.0.1:853\"]\n";
    check("listn = []\n", faulty, &["unknown key `listn`", "unknown key `nmes`"]);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("bellwether.toml"), "listn = []\n").expect("a file");
    let output = run(folder.path(), &["check"]);
    assert!(
        stderr(&output).ends_with("where the zones are it does not say (check --zones DIR reads them)\n"),
        "{output:?}"
    );
    check("listn = []\n", sound, &["unknown key `listn`", "zones: valid, but the server would not start"]);
    check(beside, faulty, &["no.mmdb", "no.pem", "no.txt", "unknown key `nmes`"]);
    check(beside, sound, &["no.mmdb", "no.pem", "no.txt", "zones: valid, but the server would not start"]);
    let hindered = |server: &str, fault: &str| check(server, sound, &[fault, "valid, but the server would not start"]);
    hindered(
        "[admin]\ntoken-file = \"no.token\"\n",
        "no.token: error: `token-file` of [admin]: No such file or directory",
    );
    // What is there is the server file, which is no token.
    hindered(
        "[admin]\ntoken-file = \"bellwether.toml\"\n",
        "bellwether.toml: error: `token-file` of [admin]: a token must be one line",
    );
    let nobody = "[server]\nuser = \"no-such-user\"\n";
    hindered(nobody, "bellwether.toml: error: `user` and `group` of [server]: there is no user no-such-user");
    hindered("[server]\nuser = \"root\"\ngroup = \"no-such-group\"\n", "there is no group no-such-group");
}

#[test]
fn wrong_usage_is_told_and_ends_with_2() {
    let check = |arguments: &[&str], says: &str| {
        let output = run(house(), arguments);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{arguments:?}");
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    };
    check(&[], "Usage: bellwether <COMMAND>");
    check(&["sevre"], "unrecognized subcommand 'sevre'");
    check(&["check", "--zonse", "zones"], "a similar argument exists: '--zones'");
    check(&["check", "--zones"], "a value is required for '--zones <DIR>'");
    check(&["serve", "--listen", "127.0.0.1"], "write an IP address with a port, such as 127.0.0.1:5300");
    check(
        &["serve", "--listen", "127.0.0.1:5300", "--listen", "127.0.0.1:5300"],
        "error: --listen 127.0.0.1:5300 stands twice",
    );
    check(&["serve", "--listen", "localhost:53"], "write an IP address with a port");
    check(&["serve", "--workers", "1025"], "write a whole number from 0 to 1024");
    check(&["serve", "--workers", "x"], "write a whole number from 0 to 1024");
    check(&["demo", "now"], "unexpected argument 'now'");
    let unlevelled = Command::new(BELLWETHER).arg("serve").env("BELLWETHER_LOG", "warning").output();
    let output = unlevelled.expect("the program starts");
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).starts_with("error: BELLWETHER_LOG=warning is no level; "), "{}", stderr(&output));
}

#[test]
fn help_is_on_stdout() {
    for (arguments, says) in [
        (&["--help"][..], "First steps:"),
        (&["serve", "--help"], "SIGHUP reloads what changed, all at once"),
        (&["reload", "--help"], "Exit codes: 0 served · 1 refused"),
        (&["check", "--help"], "Exit codes: 0 valid"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let output = run(house(), arguments);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{arguments:?}");
        // Where it is wrapped is a matter of the terminal.
        let text = stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}

#[test]
fn what_cannot_be_served_is_one_line_and_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("empty")).expect("a folder");
    fs::create_dir_all(path("folders/example.com.zone")).expect("folders");
    fs::create_dir(path("broken")).expect("a folder");
    std::os::unix::fs::symlink("nowhere", path("broken/example.com.zone")).expect("a link");
    fs::create_dir(path("device")).expect("a folder");
    std::os::unix::fs::symlink("/dev/zero", path("device/example.com.toml")).expect("a link");
    fs::create_dir(path("text")).expect("a folder");
    fs::write(path("text/example.com.toml"), b"\n\xff").expect("a file");
    fs::write(path("file"), "").expect("a file");
    let check = |arguments: &[&str], says: &str| {
        let listen = address::own_dns().to_string();
        for command in [&["check"][..], &["serve", "--listen", &listen]] {
            let output = run(folder.path(), &[command, arguments].concat());
            assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{command:?} {arguments:?}");
            let said = stderr(&output);
            assert!(said.contains(says) && said.lines().count() == 1, "{command:?} {arguments:?}: {said}");
        }
    };
    check(&[], "zones: error: the zones folder cannot be read");
    check(&["--zones", "missing"], "missing: error: the zones folder cannot be read");
    check(&["--zones", "file"], "file: error: the zones folder cannot be read");
    check(&["--zones", "empty"], "empty: error: the zones folder holds no zone: there is nothing to serve");
    check(&["--zones", "folders"], "folders: error: the zones folder holds no zone");
    check(&["--zones", "broken"], "broken/example.com.zone: error: cannot be read");
    check(&["--zones", "device"], "device/example.com.toml: error: is not a file");
    check(&["--zones", "text"], "text/example.com.toml: error: is not UTF-8: see line 2");
    check(&["--config", "missing.toml"], "missing.toml: error: cannot be read");
    check(&["--config", "empty"], "empty: error: cannot be read");
}

#[test]
fn a_faulty_zone_is_not_served() {
    let zones = Zones::new();
    zones.write("example.com.zone", &format!("{}x AA 192.0.2.2\n", zone("192.0.2.999")));
    let output = run(zones.path(), &["serve", "--zones", ".", "--listen", &address::own_dns().to_string()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    let said = stderr(&output);
    for part in ["--> ./example.com.zone:5:7", "--> ./example.com.zone:6:3", "did you mean `A`?"] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    assert_eq!(said.lines().last(), Some("error: the files have 2 errors"));
}

#[test]
fn a_port_in_use_is_one_line_and_1() {
    let zones = Zones::new();
    zones.write("example.com.zone", &zone("192.0.2.1"));
    let check = |address: SocketAddr, protocol: &str| {
        let output = run(zones.path(), &["serve", "--zones", ".", "--listen", &address.to_string()]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
        let expected = format!("error: cannot listen on {address} ({protocol}): the port is in use\n");
        assert_eq!(stderr(&output), expected);
    };
    let (tcp, udp) = (address::own_dns(), address::own_dns());
    let _listener = TcpListener::bind(tcp).expect("an address of our own");
    check(tcp, "TCP");
    let _socket = UdpSocket::bind(udp).expect("an address of our own");
    check(udp, "UDP");
    // Its UDP sockets share their port, but not with those of another server.
    let server = Server::serving(&[("example.com.zone", &zone("192.0.2.1"))]);
    check(server.address, "TCP");
}

#[test]
fn whoever_stops_reading_is_no_reason_to_panic() {
    for arguments in [&["check"][..], &["demo"]] {
        let child = Command::new(BELLWETHER)
            .args(arguments)
            .current_dir(house())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut child = Mortal(child);
        drop(child.0.stdout.take());
        let status = await_some("its end", || child.0.try_wait().expect("a child can be waited for"));
        let said = std::io::read_to_string(child.0.stderr.take().expect("stderr is piped")).expect("text");
        assert_eq!((status.code(), &*said), (Some(0), ""), "{arguments:?}");
    }
}

/// A child that does not outlive its test.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_whose_log_nobody_reads_goes_on() {
    let zones = Zones::new();
    zones.write("example.com.zone", &zone("192.0.2.1"));
    let listen = address::own_dns();
    let child = Command::new(BELLWETHER)
        .args(["serve", "--zones", ".", "--workers", "1", "--listen", &listen.to_string()])
        .current_dir(zones.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut child = Mortal(child);
    drop(child.0.stderr.take());
    let client = Client::to(listen);
    await_some("the server to answer", || client.try_ask("www.example.com", RecordType::A, Duration::from_millis(200)));
    // Each is said to be reloaded, to nobody; the second only by a server that outlived the first.
    for address in ["192.0.2.2", "192.0.2.3"] {
        zones.write("example.com.zone", &zone(address));
        let expected = [address.parse::<IpAddr>().expect("an address")];
        await_some(address, || (addresses(&client.ask("www.example.com", RecordType::A)) == expected).then_some(()));
    }
    assert!(child.0.try_wait().expect("a child can be waited for").is_none(), "the server ended");
}

#[test]
fn the_samples_are_served_over_udp_tcp_and_ipv6() {
    let sample = |name: &str| fs::read_to_string(house().join("zones").join(name)).expect("a sample");
    let names: Vec<String> = fs::read_dir(house().join("zones"))
        .expect("the samples")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a readable name"))
        .collect();
    let ipv6 = address::shared(Ipv6Addr::LOCALHOST.into());
    let launch = names.iter().fold(Launch::new(), |launch, name| launch.file(name, &sample(name)));
    let server = launch.listen(address::own_dns()).listen(ipv6).start();
    let ready = "ready: 3 zones, 5 balanced names, 7 probed endpoints, on ";
    assert!(server.process.log().lines().any(|line| line.starts_with(ready)), "{}", server.process.log());
    for address in [server.address, ipv6] {
        let client = Client::to(address);
        for tcp in [false, true] {
            let ask = |name, rtype| if tcp { client.ask_tcp(name, rtype) } else { client.ask(name, rtype) };
            let mail = ask("example.com", RecordType::MX);
            assert_eq!((mail.answers.len(), mail.metadata.authoritative), (2, true), "{address}: {mail}");
            let referral = ask("host.lab.example.com", RecordType::A);
            assert_eq!((referral.authorities.len(), referral.metadata.authoritative), (2, false), "{referral}");
            assert_eq!(addresses(&ask("www.example.org", RecordType::A)).len(), 3);
            // Whether or not somebody is on the tour at the moment and has the endpoints running.
            assert_eq!(ask("www.example.com", RecordType::A).answers.len(), 1);
            assert!(!ask("shop.app.example.net", RecordType::A).answers.is_empty());
            assert_eq!(ask("none.example.com", RecordType::A).metadata.response_code, ResponseCode::NXDomain);
            assert_eq!(ask("www.example.edu", RecordType::A).metadata.response_code, ResponseCode::Refused);
        }
    }
}

#[test]
fn signals_end_it_with_0_and_stdout_is_left_alone() {
    for signal in [Signal::Term, Signal::Int] {
        let zones = Zones::new();
        zones.write("example.com.zone", &zone("192.0.2.1"));
        let listen = address::own_dns().to_string();
        // The shell hands its process over to the server, whose stdout is a file then.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" \"$@\" > stdout", BELLWETHER, "serve", "--zones", ".", "--listen", &listen]);
        let mut process = Process::spawn("bellwether", command.current_dir(zones.path()));
        process.await_line(0, "that it is ready", |line| line.starts_with("ready: 1 zone, 0 balanced names, "));
        process.signal(signal);
        let status = process.await_end();
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", process.log());
        assert_eq!(fs::read_to_string(zones.path().join("stdout")).expect("stdout"), "");
    }
}

#[test]
fn the_server_file_says_where_and_flags_win() {
    let folder = tempfile::tempdir().expect("a folder");
    let zones: PathBuf = folder.path().join("sites");
    fs::create_dir(&zones).expect("a folder");
    fs::write(zones.join("example.com.zone"), zone("192.0.2.1")).expect("a file");
    let (said, flagged) = (address::own_dns(), address::own_dns());
    let text = format!("zones = \"sites\"\nlisten = [\"{said}\"]\nworkers = 1\n");
    fs::write(folder.path().join("bellwether.toml"), text).expect("a file");
    let elsewhere = folder.path().join("bellwether.toml");
    let elsewhere = elsewhere.to_str().expect("a readable path");
    let check = |from: &Path, arguments: &[&str], listens: SocketAddr| {
        let mut command = Command::new(BELLWETHER);
        command.arg("serve").args(arguments).current_dir(from);
        let mut process = Process::spawn("bellwether", &mut command);
        let ready = process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
        let expected = format!("ready: 1 zone, 0 balanced names, 0 probed endpoints, on {listens} (UDP × 1, TCP)");
        assert_eq!(ready, expected);
        let answer = Client::to(listens).ask("www.example.com", RecordType::A);
        assert_eq!(addresses(&answer).len(), 1);
    };
    check(folder.path(), &[], said);
    check(house(), &["--config", elsewhere], said);
    check(folder.path(), &["--listen", &flagged.to_string()], flagged);
}

#[test]
fn a_reload_says_what_it_came_to() {
    let mut server = Server::serving(&[("example.com.zone", &zone("192.0.2.1"))]);
    let client = server.client();
    let given = || addresses(&client.ask("www.example.com", RecordType::A)).first().map(ToString::to_string);
    let await_said = |server: &mut Server, change: &dyn Fn(&Server), line: &str| {
        let before = server.process.lines_said();
        change(server);
        server.process.await_line(before, line, |said| said == line);
    };
    let saved =
        |address: &'static str| move |server: &Server| drop(server.zones.write("example.com.zone", &zone(address)));
    let refused = "not reloaded: the files have 1 error; the last good state keeps serving";
    await_said(&mut server, &saved("192.0.2.2"), "reloaded: 1 zone, 0 balanced names");
    assert_eq!(given().as_deref(), Some("192.0.2.2"));
    await_said(&mut server, &saved("192.0.2.999"), refused);
    assert!(server.process.log().contains("example.com.zone:5:7"), "{}", server.process.log());
    assert_eq!(given().as_deref(), Some("192.0.2.2"));
    await_said(&mut server, &Server::hang_up, refused);
    assert_eq!(given().as_deref(), Some("192.0.2.2"));
    await_said(&mut server, &saved("192.0.2.3"), "reloaded: 1 zone, 0 balanced names");
    assert_eq!(given().as_deref(), Some("192.0.2.3"));
    await_said(&mut server, &Server::hang_up, "reloaded: 1 zone, 0 balanced names");
    assert_eq!(given().as_deref(), Some("192.0.2.3"));
    // Everything gone at once is a slip, not a wish.
    await_said(
        &mut server,
        &|server| fs::remove_file(server.zones.path().join("example.com.zone")).expect("the file is there"),
        refused,
    );
    assert_eq!(given().as_deref(), Some("192.0.2.3"));
}

#[test]
fn a_folder_in_the_place_of_another_is_seen_and_watched() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for (release, address) in [("first", "192.0.2.1"), ("second", "192.0.2.2")] {
        fs::create_dir(path(release)).expect("a folder");
        fs::write(path(release).join("example.com.zone"), zone(address)).expect("a file");
    }
    // As deploy tools do: the new link takes the place of the old one in one step.
    let point = |release: &str| {
        std::os::unix::fs::symlink(release, path("next")).expect("a link");
        fs::rename(path("next"), path("zones")).expect("a link can be renamed");
    };
    point("first");
    let listen = address::own_dns();
    let mut command = Command::new(BELLWETHER);
    command.args(["serve", "--listen", &listen.to_string()]).current_dir(folder.path());
    let mut process = Process::spawn("bellwether", &mut command);
    process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
    let client = Client::to(listen);
    let await_address = |address: &str| {
        let expected = [address.parse::<IpAddr>().expect("an address")];
        await_some(address, || (addresses(&client.ask("www.example.com", RecordType::A)) == expected).then_some(()));
    };
    await_address("192.0.2.1");
    point("second");
    await_address("192.0.2.2");
    fs::write(path("second/example.com.zone"), zone("192.0.2.3")).expect("a file");
    await_address("192.0.2.3");
    // Taken away and made anew.
    fs::rename(path("zones"), path("away")).expect("a link can be renamed");
    process.await_line(0, "that it is missing", |line| line.starts_with("not reloaded"));
    fs::create_dir(path("zones")).expect("a folder");
    fs::write(path("zones/example.com.zone"), zone("192.0.2.4")).expect("a file");
    await_address("192.0.2.4");
    fs::write(path("zones/example.com.zone"), zone("192.0.2.5")).expect("a file");
    await_address("192.0.2.5");
    // Watching anew is no change, or it would go round every 100 ms: that it does not can only be waited out. Two
    // for each change are a slow machine's.
    std::thread::sleep(Duration::from_millis(1500));
    let reloads = process.log().lines().filter(|line| line.starts_with("reloaded")).count();
    assert!((4..=8).contains(&reloads), "{reloads} reloads: {}", process.log());
}

#[test]
fn the_demo_shows_the_move_and_ends() {
    // Nobody types, so it does not go on serving.
    let mut demo = Process::spawn("bellwether demo", Command::new(BELLWETHER).arg("demo"));
    let status = demo.await_end();
    let log = demo.log();
    assert_eq!(status.code(), Some(0), "{log}");
    // The answers of each act's end: both, beta alone, both.
    let mut ends = Vec::new();
    for act in ["all three live", "alpha dies", "alpha comes back"] {
        let (_, lines) = log.split_once(act).unwrap_or_else(|| panic!("no act {act:?}:\n{log}"));
        let answers = lines.lines().skip(1).take_while(|line| line.contains("www.example.test: "));
        let last = answers.last().unwrap_or_else(|| panic!("no answers after {act:?}:\n{log}"));
        ends.push((last.contains("alpha"), last.contains("beta"), last.contains("spare")));
    }
    assert_eq!(ends, [(true, true, false), (false, true, false), (true, true, false)], "{log}");
}
