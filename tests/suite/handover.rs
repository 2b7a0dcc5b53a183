//! One process takes over from another: what it takes over, and what happens when it cannot.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, RecordType};

use crate::support::client::{Client, addresses, octets_of, question};
use crate::support::dnstap::{Logged, read_file};
use crate::support::process::{Process, Signal};
use crate::support::server::{BELLWETHER, Launch, Server, run};
use crate::support::{PATIENCE, address, await_some};
use crate::turning::{Endpoint, given, ips, policy};

/// A verdict forms only over many probes, and nothing is probed often: what is seen was handed over.
const TIMING: &str = "interval = \"1h\"\nfast = \"1h\"\ntimeout = \"10s\"\nfall = 2\nrise = 9";

/// Seconds that are waited for beside a TTL: for answers on their way, and for caches that count whole seconds.
const MARGIN: f64 = 2.0;

const ZONE: &str = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\n\
                    ns1 A 192.0.2.53\nwww A 192.0.2.1\n";

fn has_ended(pid: u32) -> bool {
    // A zombie that its parent has yet to ask about has ended too.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

#[test]
fn verdicts_and_what_is_forced_go_over() {
    let endpoints = [Endpoint::start(true), Endpoint::start(true), Endpoint::start(false)];
    let [kept, drained, dead] = &endpoints;
    let text =
        policy(TIMING, ips(&[kept, drained, dead]), "www = { pool = \"web\", ttl = { min = \"7s\", max = \"1h\" } }");
    let server = Launch::new().file("example.com.toml", &text).administered().controlled().start();
    let folder = server.config.as_ref().expect("a server file").path();
    let out = ips(&[drained]).into_iter().next().expect("an address");
    let drained = run(folder, &["drain", &format!("web/{out}"), "--as", "ada"]);
    assert!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    assert_eq!(given(&server.client()), ips(&[kept]));
    // Asked afresh it would be up at once, since a first result decides; handed over, it needs nine successes.
    dead.turn(true);
    let mut before = server.process.pid();
    for _ in 0..3 {
        let pid = server.replace().expect("replaced");
        assert_ne!(pid, before);
        assert_eq!(given(&server.client()), ips(&[kept]));
        await_some("the end of the process before", || has_ended(before).then_some(()));
        before = pid;
    }
    let shown = run(folder, &["status"]);
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.contains("drained (probed up)") && shown.contains("by ada"), "{shown}");
    // What was forming went over: two failures turn a verdict, one in each of two processes, neither of which would
    // probe a second time within the hour.
    kept.turn(false);
    let name = kept.ip.to_string();
    await_some("the second failure, in a process to come", || {
        server.replace().expect("replaced");
        (server.status_of("web", &name)["verdict"] == "down").then_some(())
    });
}

/// Promises of drains lean on TTLs that were handed out before the files said less; secondaries on serials.
#[test]
fn what_others_remember_of_us_goes_over() {
    let zone = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                [pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
                [names]\nwww = { pool = \"web\", ttl = { min = \"5s\", max = \"2h\" } }\n";
    let mut server = Launch::new().file("example.com.toml", zone).administered().controlled().start();
    let folder = server.config.as_ref().expect("a server file").path().to_owned();
    let first = serial(&server);
    // Put back from a backup: an hour old, and with other TTLs. The serial is greater all the same.
    let said = server.process.lines_said();
    let draft = server.zones.path().join(".draft");
    fs::write(&draft, zone.replace("2h", "10s")).expect("written");
    age(&draft);
    fs::rename(&draft, server.zones.path().join("example.com.toml")).expect("renamed");
    server.process.await_line(said, "that it has reloaded", |line| line.starts_with("reloaded"));
    assert_eq!(serial(&server), first + 1);
    for _ in 0..2 {
        server.replace().expect("replaced");
        assert_eq!(serial(&server), first + 1, "the time of the file alone would be less");
    }
    let drained = run(&folder, &["drain", "web/192.0.2.1"]);
    assert!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    assert_waits(&folder, 7_200);
}

/// That the one thing which is out may be stopped once answers are forgotten that had a TTL of `seconds`. Five minutes
/// may have gone by since.
fn assert_waits(folder: &Path, seconds: u32) {
    let status = run(folder, &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let left = status["overrides"][0]["stop"]["remaining"].as_f64().unwrap_or_else(|| panic!("no time: {status}"));
    let longest = f64::from(seconds) + MARGIN;
    assert!((longest - 300.0..=longest).contains(&left), "{left}: caches may hold it for {seconds} s");
}

/// A process that begins reads its files for the first time: what was served before is all that it can compare them to.
#[test]
fn ttls_that_fell_between_two_processes_are_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = |web: &str, api: &str| {
        format!(
            "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
             [pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
             [pools.api]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.3\", \"192.0.2.4\"]\n\
             [names]\nwww = {{ pool = \"web\", ttl = {{ min = \"5s\", max = \"{web}\" }} }}\n\
             api = {{ pool = \"api\", ttl = {{ min = \"5s\", max = \"{api}\" }} }}\n"
        )
    };
    let write = |zones: &str, web: &str, api: &str| {
        let zones = folder.path().join(zones);
        fs::create_dir_all(&zones).expect("a folder");
        fs::write(zones.join("example.com.toml"), zone(web, api)).expect("a zone");
    };
    let (listen, admin) = (address::own_dns(), SocketAddr::new(address::own_ip().into(), 8053));
    let config = folder.path().join("bellwether.toml");
    let serve_from = |zones: &str| {
        let text = format!(
            "listen = [\"{listen}\"]\nworkers = 1\nzones = \"{zones}\"\n[admin]\nlisten = \"{admin}\"\n\
             [state]\nfile = \"state.json\"\n[server]\ncontrol = \"control.sock\"\n"
        );
        fs::write(&config, text).expect("a server file");
    };
    let start = || {
        let mut process =
            Process::spawn("bellwether", Command::new(BELLWETHER).args(["serve", "--config"]).arg(&config));
        process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
        process
    };
    let succeed = |arguments: &[&str]| {
        let output = run(folder.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    serve_from("zones");
    write("zones", "2h", "1h");
    let mut process = start();
    process.signal(Signal::Term);
    assert!(process.await_end().success());
    // While it is stopped.
    write("zones", "10s", "1h");
    let _process = start();
    succeed(&["drain", "web/192.0.2.1"]);
    assert_waits(folder.path(), 7_200);
    succeed(&["auto", "web/192.0.2.1"]);
    // Of a folder that the old process does not read.
    write("other", "10s", "10s");
    serve_from("other");
    let said = succeed(&["replace"]);
    let pid = said.split_whitespace().find_map(|word| word.parse().ok());
    let _successor = Successor(pid.unwrap_or_else(|| panic!("no process: {said}")));
    succeed(&["drain", "api/192.0.2.3"]);
    assert_waits(folder.path(), 3_600);
    succeed(&["auto", "api/192.0.2.3"]);
    // Of what fell before that too.
    succeed(&["drain", "web/192.0.2.1"]);
    assert_waits(folder.path(), 7_200);
}

/// The serial of the zone that is served.
fn serial(server: &Server) -> u32 {
    let answer = server.client().ask("example.com", RecordType::SOA);
    let soa = answer.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    });
    soa.unwrap_or_else(|| panic!("no SOA: {answer}"))
}

/// Has a file look as if it was saved an hour ago.
fn age(file: &Path) {
    let file = fs::File::options().append(true).open(file).expect("a file");
    file.set_modified(SystemTime::now() - Duration::from_secs(3_600)).expect("a time");
}

#[test]
fn serials_do_not_go_back_over_restarts_where_state_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let zones = folder.path().join("zones");
    fs::create_dir(&zones).expect("a folder");
    let file = zones.join("example.com.toml");
    let zone = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                [pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.1\"]\n[names]\nwww = \"web\"\n";
    fs::write(&file, zone).expect("a zone");
    let listen = address::own_dns();
    let config = folder.path().join("bellwether.toml");
    fs::write(&config, format!("listen = [\"{listen}\"]\nworkers = 1\n[state]\nfile = \"state.json\"\n"))
        .expect("a server file");
    let mut served = Vec::new();
    for _ in 0..3 {
        let mut process =
            Process::spawn("bellwether", Command::new(BELLWETHER).args(["serve", "--config"]).arg(&config));
        process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
        let answer = Client::to(listen).ask("example.com", RecordType::SOA);
        served.extend(answer.answers.iter().filter_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        }));
        process.signal(Signal::Term);
        assert!(process.await_end().success());
        // An older file, while nobody looks; after the first run alone.
        if served.len() == 1 {
            age(&file);
        }
    }
    assert_eq!(served, [served[0], served[0] + 1, served[0] + 1]);
}

#[test]
fn if_it_cannot_start_the_old_one_goes_on() {
    let server = Launch::new().file("example.com.zone", ZONE).administered().controlled().start();
    let folder = server.config.as_ref().expect("a server file").path();
    let check = |why: &str, expected: &str| {
        let error = server.replace().expect_err(why);
        assert!(error.contains("not replaced") && error.contains(expected), "{why}: {error}");
        assert_eq!(addresses(&server.client().ask("www.example.com", RecordType::A)).len(), 1, "{why}");
    };
    server.zones.write("example.com.zone", &ZONE.replace("192.0.2.1", "192.0.2.999"));
    check("a faulty zone", "example.com.zone:6:7: error: A address must be");
    server.zones.write("example.com.zone", ZONE);
    let file = folder.join("bellwether.toml");
    let sound = fs::read_to_string(&file).expect("a server file");
    fs::write(&file, format!("{sound}\nlistn = 1\n")).expect("written");
    check(
        "a faulty server file",
        "bellwether.toml:4:1: error: unknown key `listn` in [admin] (did you mean `listen`?)",
    );
    fs::write(&file, "listn = 1\nwokers = 2\n").expect("written");
    check("several faults", "bellwether.toml:1:1: error: ");
    check("several faults", "; and 1 error more");
    fs::write(
        &file,
        sound.replace("[admin]", "[tls]\ncertificate = 'c'\nkey = 'k'\ndot = ['127.0.0.1:18853']\n[admin]"),
    )
    .expect("written");
    check("no certificate", "/c: error: ");
    fs::write(&file, &sound).expect("written");
    let status = run(folder, &["status"]);
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    server.replace().expect("nothing is left of what failed");
}

/// Two processes never write one file, and what both were asked is in the files of either, to the last.
#[test]
fn a_log_goes_on_in_a_file_of_the_new_process() {
    let server = Launch::new()
        .file("example.com.zone", ZONE)
        .config("bellwether.toml", "[dnstap]\nfile = \"log\"\nmessages = [\"auth-query\"]\n")
        .controlled()
        .start();
    let folder = server.config.as_ref().expect("a server file").path().to_owned();
    let (log, client) = (folder.join("log"), server.client());
    let inode = || fs::metadata(&log).map(|of| of.ino()).ok();
    // One that cannot start has not touched it.
    let first = await_some("a file", inode);
    server.zones.write("example.com.zone", &ZONE.replace("192.0.2.1", "192.0.2.999"));
    server.replace().expect_err("a faulty zone");
    server.zones.write("example.com.zone", ZONE);
    assert_eq!(inode(), Some(first));
    // Nothing is in the first file when the second process comes; into the others queries go all the while.
    let mut pid = server.replace().expect("replaced");
    assert_ne!(inode(), Some(first));
    let (done, mut asked) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                client.ask(&format!("n{asked}.example.com"), RecordType::A);
                asked += 1;
            }
            asked
        });
        for _ in 0..2 {
            pid = server.replace().expect("replaced");
        }
        done.store(true, Ordering::Relaxed);
        asked = asking.join().expect("answers");
    });
    client.ask_tcp(&format!("n{asked}.example.com"), RecordType::A);
    drop(Successor(pid));
    await_some("the end of the last process", || has_ended(pid).then_some(()));
    let files = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = files.filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log")));
    let logged: Vec<Vec<Logged>> = files.map(|file| read_file(&file)).collect();
    assert_eq!(logged.len(), 4, "one of each process");
    let name = |logged: &Logged| {
        let message = Message::from_vec(logged.octets(10).expect("a query")).expect("one that can be read");
        message.queries[0].name().to_string()
    };
    let mut names: Vec<String> = logged.iter().flatten().map(name).collect();
    let mut expected: Vec<String> = (0..=asked).map(|number| format!("n{number}.example.com.")).collect();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn what_listens_elsewhere_is_bound_and_what_does_not_is_closed() {
    let [first, second] = [address::own_dns(), address::own_dns()];
    let folder = tempfile::tempdir().expect("a folder");
    let (file, control) = (folder.path().join("bellwether.toml"), folder.path().join("control.sock"));
    fs::create_dir(folder.path().join("zones")).expect("a folder");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    let write = |listen: &[SocketAddr], workers: usize| {
        let text = format!("listen = {:?}\nworkers = {workers}\n[server]\ncontrol = \"control.sock\"", texts(listen));
        fs::write(&file, text).expect("a server file");
    };
    write(&[first], 1);
    let mut process = Process::spawn("bellwether", Command::new(BELLWETHER).args(["serve", "--config"]).arg(&file));
    process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
    let mut pids = Vec::new();
    for (listen, workers) in [(&[first, second][..], 2), (&[second], 1), (&[second, first], 1)] {
        write(listen, workers);
        let said = run(folder.path(), &["replace"]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let pid = said.split_whitespace().find_map(|word| word.parse().ok());
        pids.push(Successor(pid.unwrap_or_else(|| panic!("{said}; {}", process.log()))));
        for address in listen {
            assert_eq!(addresses(&Client::to(*address).ask("www.example.com", RecordType::A)).len(), 1);
            assert_eq!(addresses(&Client::to(*address).ask_tcp("www.example.com", RecordType::A)).len(), 1);
        }
        if !listen.contains(&first) {
            process.await_said(&[&format!("no longer listening: TCP on {first}")]);
            // Once the old process has let go of it too.
            await_some("a closed door", || TcpStream::connect(first).is_err().then_some(()));
        }
    }
    assert!(control.exists());
    // The others have ended: their numbers may be somebody else's by now.
    drop(pids.pop());
    pids.drain(..).for_each(std::mem::forget);
    await_some("the control socket to be removed by the last", || (!control.exists()).then_some(()));
}

/// Ends with this.
struct Successor(u32);

impl Drop for Successor {
    fn drop(&mut self) {
        let command = format!("kill -TERM {}", self.0);
        let _ = Command::new("/bin/sh").args(["-c", &command]).stderr(std::process::Stdio::null()).status();
    }
}

fn texts(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn a_connection_gets_its_answers_from_the_process_that_took_it_in() {
    let server = Launch::new().file("example.com.zone", ZONE).controlled().start();
    let query = octets_of(&question("www.example.com", RecordType::A));
    let framed = [&u16::try_from(query.len()).expect("short").to_be_bytes(), &query[..]].concat();
    // The old process waits for the other half for half a second, and this one may be late: then it is tried again. That
    // what has begun is waited for at all, the tests of the doors hold without a limit.
    let pid = await_some("an answer of the process before", || {
        let [mut stream, mut idle] = [(); 2].map(|()| TcpStream::connect(server.address).expect("a connection"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        idle.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // Half a query before, the other half after.
        let (half, rest) = framed.split_at(9);
        stream.write_all(half).expect("sent");
        // Answered, so that the connection has been accepted by then.
        assert_eq!(addresses(&server.client().ask_tcp("www.example.com", RecordType::A)).len(), 1);
        thread::scope(|scope| {
            let replacing = scope.spawn(|| server.replace().expect("replaced"));
            // The old one lets go of what is quiet: the other one answers by now.
            assert_eq!(idle.read(&mut [0]).expect("an end in order"), 0);
            let answered = stream.write_all(rest).and_then(|()| {
                let mut length = [0; 2];
                stream.read_exact(&mut length)?;
                let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut answer)?;
                Ok(answer)
            });
            let pid = replacing.join().expect("replaced");
            let answer = answered.ok()?;
            assert_eq!(answer[..2], query[..2]);
            Some(pid)
        })
    });
    assert_ne!(pid, server.process.pid());
    assert_eq!(addresses(&server.client().ask_tcp("www.example.com", RecordType::A)).len(), 1);
}

/// One that takes over, as far as it goes.
struct Pretender(UnixStream);

impl Pretender {
    /// It has been told everything, and the server is frozen.
    fn about_to_answer(server: &Server) -> Self {
        let stream = UnixStream::connect(server.control_socket()).expect("a control socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut pretender = Self(stream);
        pretender.say(r#"{"hello":{"protocol":1,"version":"9.9.9"}}"#);
        assert!(pretender.hear().contains("welcome"));
        // The sockets, which it lets go of.
        assert_eq!(pretender.hear(), "");
        pretender.say(r#""last""#);
        assert!(pretender.hear().contains("written"));
        pretender
    }

    fn say(&mut self, message: &str) {
        let length = u32::try_from(message.len()).expect("short").to_le_bytes();
        self.0.write_all(&[&length, message.as_bytes()].concat()).expect("sent");
    }

    fn hear(&mut self) -> String {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("a message");
        let mut message = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut message).expect("all of it");
        String::from_utf8(message).expect("text")
    }
}

#[test]
fn who_asks_while_it_hands_over_is_answered_by_who_serves_then() {
    let server = Launch::new().file("example.com.zone", ZONE).administered().controlled().start();
    let folder = server.config.as_ref().expect("a server file").path();
    let pretender = Pretender::about_to_answer(&server);
    thread::scope(|scope| {
        let asking = scope.spawn(|| run(folder, &["status"]));
        drop(pretender);
        let status = asking.join().expect("an end");
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    });
    server.process.await_said(&["did not take over, and this one goes on"]);
}

#[test]
fn a_drain_is_waited_for_over_replacements() {
    let zone = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                [pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
                [names]\nwww = { pool = \"web\", ttl = { min = \"1s\", max = \"3s\" } }\n";
    let server = Launch::new().file("example.com.toml", zone).administered().controlled().start();
    let folder = server.config.as_ref().expect("a server file").path();
    let mut command = Command::new(BELLWETHER);
    command.args(["drain", "web/192.0.2.1", "--wait"]).current_dir(folder);
    let mut drain = Process::spawn("bellwether drain", &mut command);
    drain.await_line(0, "a promise", |line| line.starts_with("web/192.0.2.1: drained"));
    for _ in 0..4 {
        server.replace().expect("replaced");
    }
    assert!(drain.await_end().success(), "{}", drain.log());
    drain.await_said(&["safe to stop now"]);
}

#[test]
fn who_is_to_stop_while_it_hands_over_writes_no_state_that_is_another_s() {
    for takes_over in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state.json");
        let config = format!("[state]\nfile = {:?}\n", state.display().to_string());
        let mut server =
            Launch::new().file("example.com.zone", ZONE).config("bellwether.toml", &config).controlled().start();
        let mut pretender = Pretender::about_to_answer(&server);
        // Written at the start, or not yet; never again, unless nobody takes over.
        let _ = fs::remove_file(&state);
        server.process.signal(Signal::Term);
        server.process.await_said(&["it will stop once it is known whether another process answers"]);
        if takes_over {
            pretender.say(r#""serving""#);
            assert!(pretender.hear().contains("released"));
        } else {
            drop(pretender);
        }
        assert!(server.process.await_end().success());
        assert_eq!(state.exists(), !takes_over);
        assert_eq!(server.control_socket().exists(), takes_over);
    }
}

#[test]
fn strange_talk_on_the_control_socket_harms_nobody() {
    let server = Launch::new().file("example.com.zone", ZONE).controlled().start();
    let say = |messages: &[&str], half: &[u8]| {
        let mut stream = UnixStream::connect(server.control_socket()).expect("a control socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        for message in messages {
            let length = u32::try_from(message.len()).expect("short").to_le_bytes();
            stream.write_all(&[&length, message.as_bytes()].concat()).expect("sent");
        }
        stream.write_all(half).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("half closed");
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        String::from_utf8_lossy(&heard).into_owned()
    };
    let hello = |protocol: u32| format!(r#"{{"hello":{{"protocol":{protocol},"version":"9.9.9"}}}}"#);
    assert_eq!(say(&["x"], &[]), "");
    assert_eq!(say(&[], &[0xff; 5]), "");
    assert_eq!(say(&[r#""state""#], &[]), "");
    let refused = say(&[&hello(2)], &[]);
    assert!(refused.contains("refused") && refused.contains("9.9.9"), "{refused}");
    assert!(say(&[&hello(1)], &[]).contains("welcome"));
    // One that gives up after everything was told, and one that only goes.
    assert!(
        say(&[&hello(1), r#""state""#, r#""last""#, r#"{"failed":{"reason":"no luck"}}"#], &[]).contains("written")
    );
    assert!(say(&[&hello(1), r#""last""#], &[]).contains("written"));
    assert_eq!(addresses(&server.client().ask("www.example.com", RecordType::A)).len(), 1);
    // One more than there is room for, who hears that; those who say nothing are let go of after some seconds.
    await_some("somebody to be turned away", || {
        let _silent: Vec<_> = (0..8).map(|_| UnixStream::connect(server.control_socket()).expect("there")).collect();
        say(&[&hello(1)], &[]).contains("8 others are at the control socket already").then_some(())
    });
    await_some("the last of them to be gone", || server.replace().ok());
    server.process.await_said(&["no luck"]);
}

/// What lies at the path that it was started by, whatever that leads to, is what takes over.
#[test]
fn a_link_that_is_pointed_at_another_program_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (link, other) = (folder.path().join("bw"), folder.path().join("other"));
    fs::create_dir(folder.path().join("zones")).expect("a folder");
    fs::write(folder.path().join("zones/example.com.zone"), ZONE).expect("a zone");
    fs::copy(BELLWETHER, &other).expect("a copy");
    let point_at = |program: &Path| {
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(program, &link).expect("a link");
    };
    let text = format!("listen = [\"{}\"]\n[server]\ncontrol = \"control.sock\"\n", address::own_dns());
    fs::write(folder.path().join("bellwether.toml"), text).expect("a server file");
    point_at(Path::new(BELLWETHER));
    let mut process = Process::spawn("bellwether", Command::new(&link).arg("serve").current_dir(folder.path()));
    process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
    let mut successors = Vec::new();
    for program in [&*other, Path::new(BELLWETHER), &*other] {
        point_at(program);
        let said = run(folder.path(), &["replace"]);
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        assert!(said.contains(&format!("({}) answers now", env!("CARGO_PKG_VERSION"))), "{said}");
        let pid = said.split_whitespace().find_map(|word| word.parse().ok());
        let pid: u32 = pid.unwrap_or_else(|| panic!("{said}; {}", process.log()));
        successors.drain(..).for_each(std::mem::forget);
        successors.push(Successor(pid));
        let runs = fs::read_link(format!("/proc/{pid}/exe")).expect("a program");
        assert_eq!(runs, fs::canonicalize(program).expect("a program"));
    }
}

#[test]
fn who_may_not_take_over_says_why() {
    let server = Launch::new().file("example.com.zone", ZONE).controlled().start();
    let folder = server.zones.path();
    let control = server.control_socket().display().to_string();
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let output = run(folder, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected) && output.status.code() == Some(code), "{arguments:?}: {said}");
    };
    check(&["replace"], 1, "no control socket is named");
    check(&["replace", "--control", "/nowhere/s"], 1, "no server listens there");
    check(&["serve", "--zones", ".", "--replace"], 1, "no control socket is named");
    check(&["serve", "--zones", ".", "--replace", "--control", "/nowhere/s"], 1, "no server listens there");
    let other = address::own_dns().to_string();
    check(&["serve", "--zones", ".", "--listen", &other, "--control", &control], 1, "another server has it");
    check(&["serve", "--zones", ".", "--listen", &other, "--control", "/nowhere/s"], 1, "there is no such folder");
    assert_ended_by(Signal::Term, server);
}

/// It ends in order, and the control socket is gone.
fn assert_ended_by(signal: Signal, mut server: Server) {
    let control = server.control_socket();
    assert!(Path::new(&control).exists());
    server.process.signal(signal);
    assert!(server.process.await_end().success());
    assert!(!control.exists());
}
