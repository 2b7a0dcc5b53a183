//! What would change, said beforehand: `diff` as a black box, and the guard of a running server.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::support::await_some;
use crate::support::client::addresses;
use crate::support::server::{BELLWETHER, Launch, Server, run};

const ZONE: &str = "[zone]\nnameservers = ['ns1.example.net']\ncontact = 'hostmaster.example.net'\n";

const POLICY: &str = r#"
[pools.frankfurt]
policy = "weighted"
place = { latitude = 50.1, longitude = 8.7 }
endpoints = [{ name = "fra1", address = "192.0.2.10", weight = 3 }, { name = "fra2", address = "192.0.2.11" }]
[pools.virginia]
policy = "round-robin"
place = { latitude = 38.9, longitude = -77.4 }
endpoints = ["198.51.100.10", "198.51.100.11"]
[pools.world]
policy = "geo"
members = [
  { pool = "frankfurt", continents = ["EU", "AF"] },
  { pool = "virginia", continents = ["NA"], networks = ["203.0.113.0/24"], asns = [64500] },
]
[names]
www = { pool = "world", ttl = { min = "5s", max = "60s" } }
api = { pool = "frankfurt", ttl = { min = "5s", max = "60s" } }
"*.app" = { pool = "frankfurt", ttl = { min = "5s", max = "60s" } }
"#;

const CITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/geo/city.mmdb");

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("text")
}

/// Two folders, `old` and `new`, with what is compared.
struct Folders(tempfile::TempDir);

impl Folders {
    /// `old` with the sample, `new` with it but for these replacements.
    fn new(replacements: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for side in ["old", "new"] {
            fs::create_dir(folder.path().join(side)).expect("a folder");
        }
        let mut policy = POLICY.to_owned();
        for (from, to) in replacements {
            assert!(policy.contains(from), "{from}");
            policy = policy.replace(from, to);
        }
        let folders = Self(folder);
        folders.write("old/example.com.toml", &format!("{ZONE}{POLICY}"));
        folders.write("new/example.com.toml", &format!("{ZONE}{policy}"));
        folders
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn diff(&self, arguments: &str) -> Output {
        let arguments = ["diff", "old", "new"].into_iter().chain(arguments.split_whitespace());
        run(self.0.path(), &arguments.collect::<Vec<_>>())
    }

    /// What `diff` says, in single spaces, and how it ends.
    fn says(&self, arguments: &str) -> (Option<i32>, Vec<String>) {
        let output = self.diff(arguments);
        assert_eq!(text(&output.stderr), "", "{arguments}");
        let lines = text(&output.stdout).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        (output.status.code(), lines.filter(|line| !line.is_empty()).collect())
    }
}

#[test]
fn what_moves_is_a_row_and_the_exit_code_is_that_of_diff() {
    let check = |replacements: &[(&str, &str)], arguments: &str, code: i32, expected: &[&str]| {
        let said = Folders::new(replacements).says(arguments);
        let expected = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(said, (Some(code), expected), "{replacements:?} {arguments}");
    };
    let (moves, heading) = ("clients of 1 of 3 balanced names move", "name where clients answers");
    check(&[], "", 0, &["nothing changes, in 3 balanced names"]);
    // Without a database, places are those that the files name.
    let europe = [("[\"EU\", \"AF\"]", "[\"AF\"]"), ("[\"NA\"]", "[\"NA\", \"EU\"]")];
    check(&europe, "", 1, &[moves, heading, "www.example.com. EU frankfurt 100% → virginia 100%"]);
    let narrower = [("[64500]", "[64501]"), ("203.0.113.0/24", "203.0.113.0/25")];
    let rows = [
        moves,
        heading,
        "www.example.com. AS64500, 203.0.113.128/25 virginia 100% → frankfurt 100%",
        "www.example.com. AS64501 frankfurt 100% → virginia 100%",
    ];
    check(&narrower, "", 1, &rows);
    // What is down is left out of both sides.
    check(&[("weight = 3", "weight = 1")], "--down frankfurt/fra1", 0, &["nothing changes, in 3 balanced names"]);
    let api = "api = { pool = \"frankfurt\", ttl = { min = \"5s\", max = \"60s\" } }";
    let rows = [
        "no client moves, of 2 balanced names",
        "balanced names that are new",
        "+ shop.example.com.",
        "balanced names that are gone",
        "- api.example.com.",
    ];
    check(&[(api, "shop = \"virginia\"")], "", 1, &rows);
    let longer = [("max = \"60s\" } }\napi", "max = \"90s\" } }\napi")];
    let rows = ["no client moves, of 3 balanced names", "settings", "www.example.com. ttl: 5s to 60s → 5s to 90s"];
    check(&longer, "", 1, &rows);
}

#[test]
fn rows_are_weighed_by_addresses_or_by_what_was_asked() {
    let folders = Folders::new(&[("weight = 3", "weight = 1"), ("[\"NA\"]", "[\"NA\", \"AS\"]")]);
    folders.write("bellwether.toml", &format!("[geo]\ndatabases = [{CITY:?}]\n"));
    let (code, lines) = folders.says("");
    assert_eq!(code, Some(1));
    let everywhere = "*.app.example.com. +1 everywhere 100% frankfurt/fra1 75%, frankfurt/fra2 25% → frankfurt/fra1 50%, frankfurt/fra2 50%";
    assert!(lines.iter().any(|line| line == everywhere), "{lines:#?}");
    // 192.0.2.1 is in Germany, 203.0.113.1 in Japan but in a network of its own, the last is no name of ours.
    let log = "# a log\nwww.example.com 192.0.2.200 30\nx.app.example.com 192.0.2.1 9\n\
               www.example.com. 203.0.113.1\nother.example 192.0.2.1 60\n";
    folders.write("log", log);
    let (_, lines) = folders.says("--queries log");
    // 30 of Turkey wholly, 9 of a wildcard's by a quarter.
    let asked = "clients of 3 of 3 balanced names move; of 100 queries 32.3% go elsewhere, 40% were for these names";
    assert_eq!(lines[0], asked, "{lines:#?}");
    assert!(lines[2].contains(" 30% frankfurt 100% → virginia 100%"), "the weightiest comes first: {lines:#?}");
    let json: Value = serde_json::from_slice(&folders.diff("--queries log --json").stdout).expect("JSON");
    assert_eq!((&json["changed"], &json["queries"]["all"]), (&Value::from(true), &Value::from(100)));
    let moves = json["moves"].as_array().expect("a list").iter();
    let rows: u64 =
        moves.flat_map(|group| group["rows"].as_array().expect("rows")).filter_map(|row| row["queries"].as_u64()).sum();
    assert_eq!(rows, 39, "what stays is in no row");
}

#[test]
fn pools_of_one_name_in_several_zones_are_each_said_to_be_judged_otherwise() {
    let folders = Folders::new(&[]);
    let policy = |interval: &str| {
        format!(
            "{ZONE}[monitors.tcp]\ntcp = {{ port = 80 }}\ninterval = '{interval}'\n[pools.web]\npolicy = 'failover'\n\
             monitor = 'tcp'\nendpoints = ['192.0.2.1', '192.0.2.2']\n[names]\nwww = {{ pool = 'web', failover = '60s' }}\n"
        )
    };
    for zone in ["example.net", "example.org"] {
        folders.write(&format!("old/{zone}.toml"), &policy("8s"));
        folders.write(&format!("new/{zone}.toml"), &policy("9s"));
    }
    let json: Value = serde_json::from_slice(&folders.diff("--json").stdout).expect("JSON");
    let settings = json["settings"].as_array().expect("a list").iter();
    let monitors = settings.filter(|setting| setting["what"] == "monitor");
    let said: Vec<String> = monitors.map(|setting| format!("{} {}", setting["zone"], setting["pool"])).collect();
    assert_eq!(said, [r#""example.net." "web""#, r#""example.org." "web""#], "{json}");
    let (_, lines) = folders.says("");
    assert!(lines.iter().any(|line| line.starts_with("pool web of example.net. +1 monitor: tcp:")), "{lines:#?}");
}

/// RFC 4592 §4.1: whatever exists, and whatever is somebody else's, is none of a wildcard's.
#[test]
fn queries_for_names_that_exist_are_none_of_a_wildcard() {
    let folders = Folders::new(&[("weight = 3", "weight = 1")]);
    let records = "$TTL 60\n@ SOA ns1.example.net. hostmaster 1 7200 900 1209600 60\n@ NS ns1.example.net.\n\
                   kept.app A 192.0.2.1\nx.deep.app A 192.0.2.1\nlab.app NS ns1.example.net.\n";
    for side in ["old", "new"] {
        folders.write(&format!("{side}/example.com.zone"), records);
        let path = folders.0.path().join(format!("{side}/example.com.toml"));
        let policy = fs::read_to_string(&path).expect("a file");
        fs::write(path, policy.replacen(ZONE, "", 1)).expect("a file");
    }
    let check = |name: &str, expected: u64| {
        folders.write("log", &format!("{name} 192.0.2.1\n"));
        let json: Value = serde_json::from_slice(&folders.diff("--queries log --json").stdout).expect("JSON");
        assert_eq!(json["queries"]["balanced"], expected, "{name}: {}", json["queries"]);
    };
    check("any.app.example.com", 1);
    check("a.b.app.example.com", 1);
    check("kept.app.example.com", 0);
    check("a.kept.app.example.com", 0);
    check("deep.app.example.com", 0);
    check("a.deep.app.example.com", 0);
    check("lab.app.example.com", 0);
    check("a.lab.app.example.com", 0);
    check("www.example.com", 1);
}

#[test]
fn what_cannot_be_compared_is_said_and_ends_with_2() {
    let check = |change: &dyn Fn(&Folders), arguments: &str, says: &str| {
        let folders = Folders::new(&[]);
        change(&folders);
        let output = folders.diff(arguments);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{arguments}");
        assert!(text(&output.stderr).contains(says), "{arguments}: {}", text(&output.stderr));
    };
    let faulty = |folders: &Folders| {
        folders.write("new/example.com.toml", &format!("{ZONE}{}", POLICY.replace("weighted", "weigthed")));
    };
    check(&faulty, "", "error: unknown policy \"weigthed\"\n --> new/example.com.toml:6:10");
    check(&|_| (), "--down frankfurt/fra9", "did you mean frankfurt/fra1?");
    check(&|_| (), "--queries nothing", "--queries nothing: cannot be read: No such file");
    check(&|folders| drop(folders.write("log", "www.example.com\n")), "--queries log", "--queries log:1: write a name");
    check(&|_| (), "--config nothing.toml", "nothing.toml: error: cannot be read");
    check(&|_| (), "third", "unexpected argument 'third'");
}

#[test]
fn records_are_compared_set_by_set_but_for_the_serial() {
    let zone = |serial: u32, rest: &str| {
        format!("$TTL 60\n@ SOA ns1 hostmaster {serial} 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n{rest}")
    };
    let check = |old: &str, new: &str, expected: &[&str]| {
        let folders = Folders::new(&[]);
        folders.write("old/example.org.zone", &zone(1, old));
        folders.write("new/example.org.zone", &zone(2, new));
        let (_, lines) = folders.says("");
        assert_eq!(lines[1..], *expected, "{old} then {new}");
    };
    check("", "", &[]);
    check("", "a A 192.0.2.1\n", &["records", "+ a.example.org. 60 A 192.0.2.1"]);
    check(
        "a A 192.0.2.1\na A 192.0.2.2\n",
        "a A 192.0.2.2\na A 192.0.2.3\n",
        &["records", "- a.example.org. 60 A 192.0.2.1", "+ a.example.org. 60 A 192.0.2.3"],
    );
    check(
        "m 60 MX 10 ns1\n",
        "m 90 MX 10 ns1\n",
        &["records", "- m.example.org. 60 MX 10 ns1.example.org.", "+ m.example.org. 90 MX 10 ns1.example.org."],
    );
}

/// A server whose `www` is answered from a listener of ours, with the admin API.
fn guarded(reload: &str) -> (Server, TcpListener, Ipv4Addr) {
    let alive = crate::support::address::own_ip();
    let listener = TcpListener::bind((alive, 80)).or_else(|_| TcpListener::bind((alive, 8080))).expect("a free port");
    let server = Launch::new()
        .file("example.com.toml", &policy(listener.local_addr().expect("bound"), alive))
        .config(
            "bellwether.toml",
            &format!("[admin]\nlisten = \"{}:8053\"\n{reload}", crate::support::address::own_ip()),
        )
        .start();
    (server, listener, alive)
}

/// `www` over an endpoint at `address`, probed on the port of `listener`.
fn policy(listener: SocketAddr, address: Ipv4Addr) -> String {
    format!(
        "{ZONE}[monitors.web]\ntcp = {{ port = {} }}\ninterval = '1s'\ntimeout = '500ms'\n\
         [pools.web]\npolicy = 'failover'\nmonitor = 'web'\nendpoints = [{{ name = 'one', address = '{address}' }}]\n\
         [pools.other]\npolicy = 'failover'\nendpoints = ['192.0.2.99']\n\
         [names]\nwww = {{ pool = 'web', failover = '30s' }}\n",
        listener.port()
    )
}

fn given(server: &Server) -> String {
    let answer = server.client().ask("www.example.com", RecordType::A);
    addresses(&answer).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_reload_that_leaves_nothing_alive_is_refused_until_somebody_insists() {
    let (mut server, listener, alive) = guarded("");
    let listens = listener.local_addr().expect("bound");
    let config = server.config.as_ref().expect("a server file").path().to_owned();
    assert_eq!(given(&server), alive.to_string());
    // Nobody listens there: the first probe finds it down.
    let dead = crate::support::address::own_ip();
    let said = server.process.lines_said();
    server.zones.write("example.com.toml", &policy(listens, dead));
    let reason = "refused: www.example.com.: nothing of the pool web is alive (A)";
    server.process.await_line(said, reason, |line| line == reason);
    server.process.await_line(said, "that it is not reloaded", |line| line.starts_with("not reloaded"));
    assert_eq!(given(&server), alive.to_string(), "the last good state keeps serving");
    let status = run(&config, &["status"]);
    assert!(text(&status.stdout).contains("! the last reload was refused"), "{}", text(&status.stdout));
    let refused = run(&config, &["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains(reason), "{}", text(&refused.stderr));
    assert_eq!(given(&server), alive.to_string());
    let forced = run(&config, &["reload", "--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", text(&forced.stderr));
    assert_eq!(given(&server), dead.to_string(), "all of it is served, since nothing is alive");
    // What is dead already may stay dead: the reload is not to blame.
    server.zones.write("example.com.toml", &format!("{}new = 'other'\n", policy(listens, dead)));
    let done = run(&config, &["reload"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    // The server says it as it is now.
    let told = run(&config, &["explain", "www.example.com", "--server"]);
    assert_eq!((told.status.code(), text(&told.stderr)), (Some(0), ""));
    assert!(text(&told.stdout).contains("down, answered all the same"), "{}", text(&told.stdout));
    let foreseen =
        run(&config, &["explain", "www.example.com", "--zones", server.zones.path().to_str().expect("text")]);
    assert!(text(&foreseen.stdout).contains("→ one"), "{}", text(&foreseen.stdout));
    drop(listener);
}

#[test]
fn a_reload_that_moves_too_much_is_refused_and_new_names_are_not_moves() {
    let (server, listener, alive) = guarded("[reload]\nmax-moved = \"30%\"\n");
    let listens = listener.local_addr().expect("bound");
    let config = server.config.as_ref().expect("a server file").path().to_owned();
    let before = policy(listens, alive);
    server.zones.write("example.com.toml", &format!("{before}new = 'other'\n"));
    await_some("the new name", || {
        let answer = server.client().ask("new.example.com", RecordType::A);
        (!addresses(&answer).is_empty()).then_some(())
    });
    server.zones.write("example.com.toml", &before.replace("pool = 'web', failover", "pool = 'other', failover"));
    let refused = run(&config, &["reload"]);
    let reason =
        "refused: www.example.com.: 100% of its answers would move, and 30% may; everywhere: web 100% → other 100%";
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains(reason), "{}", text(&refused.stderr));
    assert_eq!(given(&server), alive.to_string());
    assert_eq!(run(&config, &["reload", "--force"]).status.code(), Some(0));
    assert_eq!(given(&server), "192.0.2.99");
    drop(listener);
}

#[test]
fn a_status_is_cut_down_to_words_and_painted_where_asked() {
    let (server, listener, _) = guarded("");
    let config = server.config.as_ref().expect("a server file").path().to_owned();
    let says = |arguments: &[&str]| {
        let output = run(&config, arguments);
        (output.status.code(), text(&output.stdout).to_owned() + text(&output.stderr))
    };
    let (code, all) = says(&["status"]);
    assert!(code == Some(0) && all.contains("other") && all.contains("web") && !all.contains('\x1b'), "{all}");
    let (_, only) = says(&["status", "www"]);
    assert!(only.contains("www.example.com") && only.contains("one") && !only.contains("other"), "{only}");
    let (code, none) = says(&["status", "wwww"]);
    assert_eq!((code, &*none), (Some(1), "error: no zone, name, pool or endpoint has `wwww` in its name\n"));
    // A program gets what there is, however little.
    let none = run(&config, &["status", "www", "wwww", "--json"]);
    let left: Value = serde_json::from_str(text(&none.stdout)).expect("JSON");
    assert_eq!(
        (none.status.code(), &left["zones"][0]["names"][0]["name"]),
        (Some(1), &"www.example.com".into()),
        "{left}"
    );
    assert!(text(&none.stderr).starts_with("error: no zone, name"), "{}", text(&none.stderr));
    // A word behind --watch is no interval.
    let watch =
        Command::new(BELLWETHER).args(["status", "--watch", "www"]).current_dir(&config).stdout(Stdio::piped()).spawn();
    let mut watch = watch.expect("it runs");
    let mut octets = [0; 4_096];
    let read = watch.stdout.take().expect("its output").read(&mut octets).expect("a table");
    assert!(text(&octets[..read]).contains("www.example.com"), "{}", text(&octets[..read]));
    watch.kill().and_then(|()| watch.wait()).expect("it ends");
    let (_, painted) = says(&["status", "--color", "always"]);
    assert!(painted.contains("\x1b[32m"), "{painted}");
    drop(listener);
    await_some("a mark on what is down", || says(&["status"]).1.contains("!   one").then_some(()));
}
