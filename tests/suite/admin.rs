//! The admin API of a running server, over real HTTP, and the commands that ask it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Output};

use bellwether::admin::api::{PATTERNS_MAX, REASON_MAX, WHO_MAX};
use hickory_proto::rr::RecordType;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::support::address::{self, HTTP_PORT};
use crate::support::client::addresses;
use crate::support::process::Process;
use crate::support::server::{BELLWETHER, Launch, Server, Zones, run};
use crate::support::{PATIENCE, await_some};

const ZONE: &str = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n";

/// Endpoints that nobody probes, and a pool of one that is never up.
const POLICY: &str = r#"
[monitors.never]
tcp = { port = 1 }
interval = "1d"
[pools.web]
policy = "round-robin"
endpoints = [{ name = "a", address = "192.0.2.1" }, { name = "b", address = "192.0.2.2" }, { name = "b6", address = "2001:db8::2" }]
[pools.spare]
policy = "round-robin"
monitor = "never"
endpoints = [{ name = "s", address = "127.0.0.1" }]
[pools.top]
policy = "failover"
members = ["web", "spare"]
[names]
www = { pool = "web", ttl = { min = "5s", max = "60s" } }
top = { pool = "top", ttl = { min = "5s", max = "2h" } }
"#;

const OTHER: &str = "[pools.web]\npolicy = \"failover\"\nendpoints = [{ name = \"a\", address = \"192.0.2.9\" }]\n\
                     [names]\nwww = \"web\"\n";

/// A server with the admin API on an address of its own.
struct Steered {
    server: Server,
    admin: SocketAddr,
}

impl Steered {
    fn start(files: &[(&str, &str)], admin_keys: &str, others: &[(&str, &str)]) -> Self {
        let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
        let launch = Launch::new().config("bellwether.toml", &format!("[admin]\nlisten = \"{admin}\"\n{admin_keys}"));
        let launch = others.iter().fold(launch, |launch, (name, text)| launch.config(name, text));
        let launch = files.iter().fold(launch, |launch, (name, text)| launch.file(name, &format!("{ZONE}{text}")));
        Self { server: launch.start(), admin }
    }

    /// Runs a command beside the server's file.
    fn command(&self, arguments: &[&str]) -> Output {
        run(self.server.config.as_ref().expect("a server file").path(), arguments)
    }

    /// Runs one that works; what it prints.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
        text(&output.stdout).to_owned()
    }

    fn given(&self, name: &str, rtype: RecordType) -> String {
        let client = self.server.client();
        let given: BTreeSet<String> =
            addresses(&client.ask(name, rtype)).into_iter().map(|address| address.to_string()).collect();
        given.into_iter().collect::<Vec<_>>().join(" ")
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.says(&["status", "--json"])).expect("JSON")
    }
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("text")
}

/// The status and the body of the answer to a request as it is written here.
fn http(admin: SocketAddr, request: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(admin).expect("the admin API listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    // A server that has seen enough may close before all is sent.
    let _ = write!(stream, "{request}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets);
    let answer = text(&octets);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    if status >= 400 {
        assert!(head.contains("content-type: application/problem+json"), "{head}");
    }
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn what_is_forced_is_in_the_answers_at_once_and_stays_over_reloads() {
    let mut steered = Steered::start(&[("example.com.toml", POLICY)], "", &[]);
    let www = |steered: &Steered| steered.given("www.example.com", RecordType::A);
    assert_eq!(www(&steered), "192.0.2.1 192.0.2.2");
    let said = steered.says(&["drain", "web/a", "--as", "ada", "--reason", "new kernel"]);
    assert_eq!(www(&steered), "192.0.2.2");
    // `top` can answer with it too, with a TTL of two hours at the most.
    assert!(said.starts_with("web/a: drained, by ada; safe to stop at "), "{said}");
    let status = steered.status();
    let forced = &status["zones"][0]["pools"][0]["endpoints"][0];
    assert_eq!(forced["endpoint"], "a");
    assert_eq!((&forced["verdict"], &forced["forced"]["force"]), (&"down".into(), &"drain".into()), "{forced}");
    assert_eq!((&forced["forced"]["who"], &forced["forced"]["reason"]), (&"ada".into(), &"new kernel".into()));
    // Whoever says it again need not say why again, but does not say why for somebody else.
    for (arguments, who, reason) in [
        (&["--as", "ada"][..], "ada", Value::from("new kernel")),
        (&["--as", "bob"], "bob", Value::Null),
        (&["--as", "bob", "--reason", " "], "bob", Value::Null),
        (&["--as", "bob", "--reason", "disks"], "bob", "disks".into()),
        (&["--as", "bob", "--reason", ""], "bob", Value::Null),
        (&["--as", "ada", "--reason", "new kernel"], "ada", "new kernel".into()),
    ] {
        steered.says(&[&["drain", "web/a"], arguments].concat());
        let forced = &steered.status()["zones"][0]["pools"][0]["endpoints"][0]["forced"];
        assert_eq!((&forced["who"], &forced["reason"]), (&who.into(), &reason), "{arguments:?}");
    }
    let left = |steered: &Steered| {
        let status = steered.status();
        let stop = &status["overrides"].as_array().and_then(|all| all.last()).expect("an override")["stop"];
        stop["remaining"].as_f64().unwrap_or_else(|| panic!("no time: {stop}"))
    };
    let first = left(&steered);
    assert!((7_100.0..=7_202.0).contains(&first), "{first}");

    // A file that says less of the TTL, while caches still hold what it said before.
    let reload = |steered: &mut Steered, policy: &str| {
        let before = steered.server.process.lines_said();
        steered.server.zones.write("example.com.toml", &format!("{ZONE}{policy}"));
        steered.server.process.await_line(before, "that it has reloaded", |line| line.starts_with("reloaded"));
    };
    reload(&mut steered, &POLICY.replace("\"2h\"", "\"1h\""));
    assert_eq!(www(&steered), "192.0.2.2");
    assert!(left(&steered) <= first, "the drain began when it did");
    steered.says(&["auto", "web/a"]);
    steered.says(&["drain", "web/b"]);
    assert!((7_000.0..=7_202.0).contains(&left(&steered)), "{}", left(&steered));
    steered.says(&["auto", "web/b"]);
    steered.says(&["drain", "web/a"]);
    // And one that says nothing of what is drained.
    reload(&mut steered, &POLICY.replace("\"a\"", "\"aa\""));
    assert_eq!(www(&steered), "192.0.2.1 192.0.2.2", "what was drained is called otherwise now");
    assert_eq!(steered.status()["overrides"][0]["matched"], false);
    assert!(steered.says(&["status"]).contains("forced, but not in the files"));
    reload(&mut steered, POLICY);
    assert_eq!(www(&steered), "192.0.2.2", "and it is what was meant again");
    assert_eq!(steered.says(&["auto", "web/a"]), "web/a: its monitor decides again\n");
    assert_eq!(www(&steered), "192.0.2.1 192.0.2.2");
    assert_eq!(steered.says(&["auto", "web/a"]), "web/a: was not forced\n");
}

#[test]
fn nothing_is_left_empty_by_accident() {
    let steered = Steered::start(&[("example.com.toml", POLICY)], "", &[]);
    let all = |name: &str| (steered.given(name, RecordType::A), steered.given(name, RecordType::AAAA));
    let both = ("192.0.2.1 192.0.2.2".to_owned(), "2001:db8::2".to_owned());
    assert_eq!(all("www.example.com"), both);
    let said = steered.says(&["drain", "web/*"]);
    assert!(
        said.contains("web/b6: drained, by ") && said.contains("nothing else is left of www.example.com"),
        "{said}"
    );
    assert_eq!(all("www.example.com"), both, "nothing else is left");
    // Here something is, though it is down: for IPv4.
    assert_eq!(all("top.example.com"), ("127.0.0.1".to_owned(), "2001:db8::2".to_owned()));
    let status = steered.says(&["status"]);
    assert!(status.contains("answers with what is out: nothing else is left"), "{status}");
    steered.says(&["auto", "*/*"]);
    assert_eq!(all("www.example.com"), both);
    // A pool as a whole; up over a verdict.
    steered.says(&["down", "web"]);
    assert_eq!(steered.given("top.example.com", RecordType::A), "127.0.0.1");
    steered.says(&["auto", "web"]);
    steered.says(&["down", "web/?"]);
    steered.says(&["up", "spare/s"]);
    assert_eq!(steered.given("top.example.com", RecordType::A), "127.0.0.1");
    assert!(steered.says(&["status"]).contains("forced up (probed down)"));
}

#[test]
fn patterns_name_what_there_is_or_nothing_is_done() {
    let steered = Steered::start(&[("example.com.toml", POLICY), ("example.org.toml", OTHER)], "", &[]);
    let refused = |arguments: &[&str], says: &str| {
        let output = steered.command(arguments);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(steered.status()["overrides"], Value::Array(Vec::new()), "{arguments:?}");
    };
    refused(&["drain", "wep/a"], "there is no endpoint wep/a (did you mean web/a?)");
    refused(&["drain", "web/a", "web/z"], "there is no endpoint web/z");
    refused(&["down", "spar"], "there is no pool spar (did you mean spare?)");
    refused(&["up", "x*"], "there is no pool x* (there are spare, top, web)");
    refused(&["up", "web", "--zone", "example.net"], "there is no zone example.net (did you mean example.");
    refused(&["up", "spare", "--zone", "example.org"], "there is no pool spare (there are web)");
    let nameless = steered.command(&["up", "web", "--as", ""]);
    assert_eq!(nameless.status.code(), Some(2), "wrong usage");
    let said = text(&nameless.stderr);
    assert!(said.contains("'--as <NAME>'") && said.contains("write a name of 1 to 64 characters"), "{said}");
    refused(&["up", "web", "--reason", &"x".repeat(201)], "200 characters at the most");
    let forced = |arguments: &[&str]| {
        steered.says(arguments);
        let status = steered.status();
        let of = |known: &Value| format!("{} {}/{}", known["zone"], known["pool"], known["endpoint"]).replace('"', "");
        let overrides: Vec<String> = status["overrides"].as_array().expect("a list").iter().map(of).collect();
        steered.says(&["auto", "*", "*/*"]);
        overrides.join(", ")
    };
    assert_eq!(forced(&["down", "web/a"]), "example.com web/a, example.org web/a");
    assert_eq!(forced(&["down", "web/a", "--zone", "*.org"]), "example.org web/a");
    assert_eq!(forced(&["down", "web/192.0.2.*", "--zone", "example.com."]), "example.com web/a, example.com web/b");
    assert_eq!(forced(&["down", "s*", "t?p"]), "example.com spare/null, example.com top/null");
}

#[test]
fn only_who_may_is_heard() {
    let secret = "b3b0e4a1f6c24d7f9a8c5e1d2f3a4b5c";
    let open = Steered::start(&[("example.com.toml", POLICY)], "", &[]);
    let shut = Steered::start(&[("example.com.toml", POLICY)], "token-file = \"token\"", &[("token", secret)]);
    let json = "Content-Type: application/json";
    let drain = r#"{"force":"drain","who":"ada"}"#;
    let one = "/v1/endpoints/example.com/web/a/override";
    let check = |steered: &Steered, request: &str, body: &str, status: u16, says: &str| {
        let (got, answer) = http(steered.admin, request, body);
        assert_eq!(got, status, "{request}: {answer}");
        assert!(answer.to_string().contains(says), "{request}: {answer}");
        if got >= 400 {
            assert_eq!(answer["status"], got, "{answer}");
        }
    };
    let host = "Host: localhost:8053";
    check(&open, &format!("GET /v1/status HTTP/1.1\r\n{host}"), "", 200, "example.com");
    check(&open, "GET /v1/status HTTP/1.1\r\nHost: evil.example", "", 421, "a web page could");
    check(&open, &format!("PUT {one} HTTP/1.1\r\nHost: evil.example\r\n{json}"), drain, 421, "");
    // Whatever writes demands JSON, and what does not take the method says so, by the API's own description.
    let (_, api) = http(open.admin, &format!("GET /v1/openapi.json HTTP/1.1\r\n{host}"), "");
    let mut writing = 0;
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (key, method) in [("post", "POST"), ("put", "PUT"), ("patch", "PATCH")] {
            let status = if methods.get(key).is_some() { 415 } else { 405 };
            writing += usize::from(status == 415);
            let path = path.replace(['{', '}'], "");
            check(&open, &format!("{method} {path} HTTP/1.1\r\n{host}"), "{}", status, "");
            check(&open, &format!("{method} {path} HTTP/1.1\r\n{host}\r\nContent-Type: text/plain"), "", status, "");
        }
    }
    assert!(writing >= 5, "steer, reload, two overrides and reports: {api}");
    check(&open, &format!("PUT {one} HTTP/1.1\r\n{host}"), drain, 415, "`Content-Type: application/json`");
    check(&open, &format!("PUT {one} HTTP/1.1\r\n{host}\r\n{json}"), "{", 422, "not as it should be");
    check(&open, &format!("PUT {one} HTTP/1.1\r\n{host}\r\n{json}"), r#"{"force":"of","who":"ada"}"#, 422, "drain");
    check(&open, &format!("PUT {one} HTTP/1.1\r\n{host}\r\n{json}"), r#"{"force":"up","who":"a","x":1}"#, 422, "x");
    let big = format!(r#"{{"force":"drain","who":"{}"}}"#, "a".repeat(70_000));
    check(&open, &format!("PUT {one} HTTP/1.1\r\n{host}\r\n{json}"), &big, 413, "65536 octets");
    let unknown = "/v1/endpoints/example.com/web/z/override";
    check(&open, &format!("PUT {unknown} HTTP/1.1\r\n{host}\r\n{json}"), drain, 404, "no endpoint web/z");
    check(&open, &format!("DELETE {unknown} HTTP/1.1\r\n{host}"), "", 404, "no endpoint web/z");
    check(&open, &format!("GET /v2 HTTP/1.1\r\n{host}"), "", 404, "/v1/status");
    check(&open, &format!("POST /v1/status HTTP/1.1\r\n{host}\r\n{json}"), "", 405, "");
    check(&open, &format!("POST /v1/status HTTP/1.1\r\n{host}"), "", 405, "");
    let elsewhere = "/v1/pools/example.xx/web/override";
    let no_zone = "there is no zone example.xx (did you mean example.com?)";
    check(&open, &format!("PUT {elsewhere} HTTP/1.1\r\n{host}\r\n{json}"), drain, 404, no_zone);
    assert_eq!(open.status()["overrides"], Value::Array(Vec::new()), "nothing of this was done");
    check(&open, &format!("PUT {one} HTTP/1.1\r\n{host}\r\n{json}"), drain, 200, "safe_at");
    assert_eq!(open.given("www.example.com", RecordType::A), "192.0.2.2");
    check(&open, &format!("DELETE {one} HTTP/1.1\r\n{host}"), "", 204, "");
    assert_eq!(open.given("www.example.com", RecordType::A), "192.0.2.1 192.0.2.2");
    // An endpoint by its address is the one of that name.
    let by_address = "/v1/endpoints/example.com/web/192.0.2.1/override";
    check(&open, &format!("PUT {by_address} HTTP/1.1\r\n{host}\r\n{json}"), drain, 200, r#""endpoint":"a""#);
    assert_eq!(open.given("www.example.com", RecordType::A), "192.0.2.2");
    check(&open, &format!("DELETE {by_address} HTTP/1.1\r\n{host}"), "", 204, "");
    assert_eq!(open.status()["overrides"], Value::Array(Vec::new()));

    let bearer = format!("Authorization: Bearer {secret}");
    check(&shut, &format!("GET /v1/status HTTP/1.1\r\n{host}\r\n{bearer}"), "", 200, "example.com");
    check(&shut, &format!("GET /v1/status HTTP/1.1\r\n{host}\r\n{bearer}x"), "", 401, "that is not the token");
    check(&shut, &format!("GET /v1/status HTTP/1.1\r\n{host}"), "", 401, "token");
    check(&shut, &format!("PUT {one} HTTP/1.1\r\n{host}\r\n{json}"), drain, 401, "token");
    assert_eq!(http(shut.admin, &format!("GET /readyz HTTP/1.1\r\n{host}"), "").0, 200);
    // The commands find the token where the server does, or where they are told.
    assert_eq!(shut.status()["overrides"], Value::Array(Vec::new()));
    let url = format!("http://{}", shut.admin);
    let refused = open.command(&["status", "--server", &url]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("send the token"), "{}", text(&refused.stderr));
    let token = shut.server.config.as_ref().expect("a folder").path().join("token");
    let token = token.to_str().expect("a path");
    assert!(open.says(&["status", "--server", &url, "--token-file", token]).contains("zone example.com"));
    // Another one is taken up, and the one before opens nothing any more; a faulty one changes nothing.
    let other = secret.replace('b', "0");
    fs::write(token, &other).expect("written");
    let status = |token: &str| format!("GET /v1/status HTTP/1.1\r\n{host}\r\nAuthorization: Bearer {token}");
    await_some("the new token", || (http(shut.admin, &status(&other), "").0 == 200).then_some(()));
    check(&shut, &status(secret), "", 401, "token");
    fs::write(token, "short").expect("written");
    shut.server.process.await_said(&["a token must have", "the token of the admin API before stays in use"]);
    check(&shut, &status(&other), "", 200, "example.com");
}

#[test]
fn a_server_says_when_it_is_ready() {
    // Takes connections and never says a word.
    let silent = TcpListener::bind((address::own_ip(), HTTP_PORT)).expect("an address of our own");
    let ip = silent.local_addr().expect("its address").ip();
    let zones = Zones::new();
    let policy = format!(
        "{ZONE}[monitors.m]\nhttp = {{ port = {HTTP_PORT} }}\ninterval = \"1h\"\ntimeout = \"1h\"\n\
         [pools.p]\npolicy = \"failover\"\nmonitor = \"m\"\nendpoints = [\"{ip}\"]\n[names]\nwww = \"p\"\n"
    );
    zones.write("example.com.toml", &policy);
    let configuration = Zones::new();
    let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
    let file = configuration.write("bellwether.toml", &format!("[admin]\nlisten = \"{admin}\"\n"));
    let mut command = Command::new(BELLWETHER);
    command.args(["serve", "--zones", ".", "--listen", &address::own_dns().to_string(), "--config"]).arg(file);
    let mut process = Process::spawn("bellwether", command.current_dir(zones.path()));
    await_some("the admin API", || TcpStream::connect(admin).ok());
    let get = |path: &str| http(admin, &format!("GET {path} HTTP/1.1\r\nHost: {admin}"), "");
    assert_eq!(get("/healthz").0, 200);
    let (status, problem) = get("/readyz");
    assert_eq!(status, 503);
    assert!(problem["detail"].to_string().contains("first round"), "{problem}");
    // One may look while it starts, and be heard.
    assert_eq!(get("/v1/status").1["generation"], 0);
    // Its probe ends, so it is ready.
    drop(silent.accept().expect("a probe"));
    drop(silent);
    process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
    assert_eq!(get("/readyz").0, 200);
}

#[test]
fn a_server_that_cannot_be_asked_says_how_to_open_it() {
    let folder = Zones::new();
    let admin = SocketAddr::new(IpAddr::V4(address::own_ip()), 8053);
    let check = |file: &str, arguments: &[&str], says: &str| {
        folder.write("bellwether.toml", file);
        let output = run(folder.path(), arguments);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    };
    check(&format!("[admin]\nlisten = \"{admin}\"\n"), &["status"], &format!("[admin]\nlisten = \"{admin}\""));
    check("", &["drain", "web"], "the server file opens no admin API");
    check(
        "",
        &["status", "--server", &format!("http://{admin}")],
        &format!("cannot reach the admin API at http://{admin}"),
    );
    check("", &["status", "--server", "localhost:8053"], "write a URL such as http://127.0.0.1:8053");
    check("[admin]\ntoken-file = \"none\"", &["status"], "the token file none: No such file");
    check(
        "[admin]\ntoken-file = \"none\"",
        &["serve", "--zones", ".", "--listen", &address::own_dns().to_string()],
        "the token file none: No such file",
    );
    check("[admin]\nlisten = \"0.0.0.0:8053\"", &["status"], "whoever reaches 0.0.0.0:8053 could steer this server");
}

/// The rule of `listen` holds for an address from a service manager. No server comes so far as to serve.
#[test]
fn a_socket_that_is_handed_over_opens_the_admin_api_no_further() {
    let check = |address: &str, keys: &str, expected: &str| {
        let folder = Zones::new();
        folder.write("bellwether.toml", &format!("[admin]\n{keys}"));
        // Bound and never listening: nobody could come in.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let address: SocketAddr = address.parse().expect("an address");
        socket.bind(&address.into()).expect("a port is free");
        let bound = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        let output = Command::new(BELLWETHER)
            .args(["serve", "--zones", "nowhere", "--listen", &address::own_dns().to_string()])
            .envs([("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0"), ("LISTEN_FDNAMES", "admin")])
            .stdin(OwnedFd::from(socket))
            .current_dir(folder.path())
            .output()
            .expect("the program that cargo built runs");
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{address} {keys}: {said}");
        let expected = expected.replace("BOUND", &bound.to_string());
        assert!(said.contains(&expected), "{address} {keys}: {expected:?} is not in {said}");
    };
    let refused = "the socket for BOUND is of the admin API, and whoever reaches it could steer this server";
    check("0.0.0.0:0", "", refused);
    // Where it says it of itself is another matter.
    check("0.0.0.0:0", "listen = \"127.0.0.1:8053\"", refused);
    let pair = "certificate = \"none.pem\"\nkey = \"none-key.pem\"\n";
    check("0.0.0.0:0", pair, refused);
    // Those come as far as to what they lack.
    check("0.0.0.0:0", &format!("{pair}clients = \"none-ca.pem\""), "none.pem: error: cannot be read");
    check("0.0.0.0:0", "token-file = \"none\"", "the token file none: No such file");
    check("127.0.0.1:0", "", "nowhere");
}

const PUSHED: &str = r#"
[monitors.self]
push = { lease = "3s" }
[monitors.never]
tcp = { port = 1 }
interval = "1d"
[pools.web]
policy = "round-robin"
monitor = "self"
endpoints = [{ name = "a", address = "127.0.0.1" }, { name = "b", address = "127.0.0.2" }]
[pools.probed]
policy = "round-robin"
monitor = "never"
endpoints = [{ name = "p", address = "127.0.0.9" }]
[names]
www = { pool = "web", failover = "60s" }
probed = "probed"
"#;

/// What endpoints report is in the answers at once, what they do not report in time counts against them, and one
/// that is about to stop hears when it may.
#[test]
fn endpoints_report_by_themselves() {
    let steered = Steered::start(&[("example.com.toml", PUSHED)], "", &[]);
    let report = |endpoint: &str, body: &str| {
        let path = format!("/v1/endpoints/example.com/{endpoint}/health");
        let head = format!("PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json", steered.admin);
        http(steered.admin, &head, body)
    };
    let becomes = |expected: &str, why: &str| {
        let same = || (steered.given("www.example.com", RecordType::A) == expected).then_some(());
        await_some(why, same);
    };
    // Nobody has reported yet, and none is late.
    becomes("127.0.0.1 127.0.0.2", "that both count as up");
    let (status, reply) = report("web/b", r#"{"status": "down", "reason": "deploying"}"#);
    assert_eq!((status, reply["good_until"].is_string()), (200, true), "{reply}");
    becomes("127.0.0.1", "that b is out");
    let told = steered.status();
    let b = &told["zones"][0]["pools"].as_array().expect("pools").iter().find(|pool| pool["pool"] == "web");
    let b = &b.expect("the pool")["endpoints"][1];
    assert_eq!((&b["verdict"], &b["reason"]), (&"down".into(), &"it reports that it is down: deploying".into()), "{b}");
    report("web/b", r#"{"status": "up", "load": 0.5}"#);
    // a has said nothing for longer than its lease by then, or soon has.
    let fresh = || {
        report("web/b", r#"{"status": "up"}"#);
        (steered.given("www.example.com", RecordType::A) == "127.0.0.2").then_some(())
    };
    await_some("that a is out for its silence and b is back", fresh);

    report("web/a", r#"{"status": "up"}"#);
    report("web/b", r#"{"status": "up"}"#);
    let (status, reply) = report("web/a", r#"{"status": "drain", "reason": "new kernel"}"#);
    assert_eq!((status, reply["stop"]["safe_at"].is_string()), (200, true), "{reply}");
    assert_eq!(steered.given("www.example.com", RecordType::A), "127.0.0.2", "it is out at once");
    assert_eq!(steered.status()["overrides"][0]["who"], "its own report");
    report("web/a", r#"{"status": "up"}"#);
    assert_eq!(steered.status()["overrides"], Value::Array(Vec::new()), "and back by its own word");

    // What an operator forced is not the endpoint's to take back, whatever the operator is called.
    for (command, who, stops) in [("drain", "its own report", true), ("down", "ada", true), ("up", "ada", false)] {
        steered.says(&[command, "web/a", "--as", who]);
        for status in ["drain", "up"] {
            let (code, reply) = report("web/a", &format!(r#"{{"status": "{status}"}}"#));
            let is_told = reply["stop"]["safe_at"].is_string();
            assert_eq!((code, is_told), (200, stops && status == "drain"), "{command} {status}: {reply}");
            let kept = &steered.status()["overrides"][0];
            assert_eq!((&kept["force"], &kept["who"]), (&command.into(), &who.into()), "after {status}: {kept}");
        }
    }
    steered.says(&["auto", "web/a"]);
    report("web/a", r#"{"status": "drain"}"#);
    assert_eq!(steered.status()["overrides"][0]["who"], "its own report", "once it is not forced, its own word counts");
    report("web/a", r#"{"status": "up"}"#);

    let check = |endpoint: &str, body: &str, status: u16, detail: &str| {
        let (got, problem) = report(endpoint, body);
        let said = problem["detail"].as_str().unwrap_or_default();
        assert!(got == status && said.contains(detail), "{endpoint} {body}: {got} {problem}");
    };
    check("web/c", r#"{"status": "up"}"#, 404, "there is no web/c in example.com");
    check("probed/p", r#"{"status": "up"}"#, 422, "no monitor of probed/p waits for reports");
    check("web/a", r#"{"status": "well"}"#, 422, "unknown variant `well`");
    check("web/a", r#"{"status": "up", "load": -1}"#, 422, "`load` must be a number from 0 to 1");
    check("web/a", r#"{"state": "up"}"#, 422, "unknown field `state`");
    // Nothing of what is refused counts.
    for status in ["down", "drain"] {
        let broken = format!(r#"{{"status": "{status}", "reason": "two\nlines"}}"#);
        check("web/a", &broken, 422, "`reason` may have 200 characters at the most, in one line");
        let told = steered.status();
        assert_eq!(told["overrides"], Value::Array(Vec::new()), "after {status}");
        assert!(!told.to_string().contains("reports that it is down: two"), "after {status}: {told}");
    }
    let (status, reply) = {
        let path = "/v1/endpoints/Example.COM./web/a/health";
        let head = format!("PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json", steered.admin);
        http(steered.admin, &head, r#"{"status": "up"}"#)
    };
    assert_eq!(status, 200, "a zone however it is written: {reply}");
}

/// What is forced at once has a limit; to take back whatever is forced needs no room.
#[test]
fn everything_is_released_however_much_is_matched() {
    let endpoints = |pool: usize| {
        let of = |number: usize| format!(r#"{{ name = "e{number}", address = "192.0.2.{number}" }}"#);
        let all: Vec<String> = (1..=60).map(of).collect();
        format!("[pools.p{pool}]\npolicy = \"round-robin\"\nendpoints = [{}]\n", all.join(", "))
    };
    let pools: String = (0..17).map(endpoints).collect();
    let policy = format!("{pools}[names]\nwww = {{ pool = \"p0\", failover = \"60s\" }}\n");
    let steered = Steered::start(&[("example.com.toml", &policy)], "", &[]);
    let refused = steered.command(&["drain", "*/*"]);
    assert!(text(&refused.stderr).contains("with */* more than 1000 would be forced"), "{refused:?}");
    steered.says(&["drain", "p16/*"]);
    assert_eq!(steered.status()["overrides"].as_array().map(Vec::len), Some(60));
    steered.says(&["auto", "*/*"]);
    assert_eq!(steered.status()["overrides"], Value::Array(Vec::new()));
    // By its address, and behind more than are told.
    steered.says(&["drain", "p9/e60"]);
    steered.says(&["auto", "p9/192.0.2.*"]);
    assert_eq!(steered.status()["overrides"], Value::Array(Vec::new()));
    steered.says(&["drain", "p9/e60"]);
    steered.says(&["auto", "*/192.0.2.*"]);
    assert_eq!(steered.status()["overrides"], Value::Array(Vec::new()));
    let head = format!("POST /v1/steer HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json", steered.admin);
    let (status, problem) = http(steered.admin, &head, r#"{"select": [], "who": "ada"}"#);
    let said = problem["detail"].as_str().unwrap_or_default();
    assert!(status == 422 && said.contains("`select` must hold 1 to 100 patterns"), "{status} {problem}");
}

/// What is explained is what is given now: with what is forced, and with the verdicts of this server.
#[test]
fn the_server_explains_what_it_gives_now() {
    let steered = Steered::start(&[("example.com.toml", POLICY)], "", &[]);
    let ask = |query: &str| http(steered.admin, &format!("GET /v1/explain?{query} HTTP/1.1\r\nHost: localhost"), "");
    let member = |told: &Value, pool: &str, member: &str| {
        let named = |list: &Value, name: &str| {
            list.as_array().and_then(|list| list.iter().find(|one| one["name"] == name)).cloned().unwrap_or_default()
        };
        let found = named(&named(&told["pools"], pool)["members"], member);
        format!("{} {}", found["taken"], found["reason"].as_str().unwrap_or("not there"))
    };
    let (status, told) = ask("name=top.example.com&type=a&client=192.0.2.77");
    assert_eq!((status, &told["type"], &told["rcode"]), (200, &"A".into(), &"NOERROR".into()), "{told}");
    assert_eq!(member(&told, "top", "pool web"), "true taken");
    assert_eq!(member(&told, "top", "pool spare"), "false down", "its monitor never finds it up");
    assert_eq!((&told["found"][0]["finding"], &told["scope"]), (&"balanced".into(), &0.into()));
    steered.says(&["drain", "web/a"]);
    let (_, told) = ask("name=www.example.com.");
    assert_eq!(member(&told, "web", "a"), "false drained");
    assert_eq!(told["answers"][0]["data"], "192.0.2.2");
    assert_eq!((&told["client"], &told["place"]), (&Value::Null, &Value::Null));
    let (_, told) = ask("name=www.example.net&type=TXT&resolver=2001:db8::1");
    assert_eq!((&told["rcode"], told["found"].as_array().map(Vec::len)), (&"REFUSED".into(), Some(0)), "{told}");
    let refused = |query: &str, says: &str| {
        let (status, problem) = ask(query);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && detail.contains(says), "{query}: {status} {problem}");
    };
    refused("", "the query is not as it should be: missing field `name`");
    refused("name=a..b", "`name`: ");
    refused("name=www.example.com&type=AAAAA", "`type`: write a record type");
    refused("name=www.example.com&client=localhost", "invalid IP address");
    refused("name=www.example.com&down=web/a", "unknown field `down`");
}

/// The description of the API is sound OpenAPI 3.1, says of every route that the README names, and of nothing that it
/// does not explain.
#[test]
fn the_api_describes_itself() {
    let steered = Steered::start(&[("example.com.toml", POLICY)], "", &[]);
    let (status, api) = http(steered.admin, "GET /v1/openapi.json HTTP/1.1\r\nHost: localhost", "");
    assert_eq!(status, 200);
    let read = oas3::from_json(api.to_string()).expect("an OpenAPI 3.1 document");
    assert_eq!(read.openapi.split('.').take(2).collect::<Vec<_>>(), ["3", "1"]);
    read.validate_version().expect("a version that is known");
    let mut references = Vec::new();
    collect_references(&api, &mut references);
    assert!(references.len() > 20, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    // Where the request itself is at fault there is no report, which the same status says.
    for (status, expected) in [("409", "ReloadRefused"), ("422", "Problem")] {
        let told = &api["paths"]["/v1/reload"]["post"]["responses"][status]["content"]["application/problem+json"];
        assert_eq!(told["schema"]["$ref"], format!("#/components/schemas/{expected}"), "{told}");
    }
    let proofs = &api["components"]["securitySchemes"];
    assert_eq!((&proofs["token"]["scheme"], &proofs["certificate"]["type"]), (&"bearer".into(), &"mutualTLS".into()));
    let says = |schema: &str, property: &str, key: &str, expected: usize| {
        let told = &api["components"]["schemas"][schema]["properties"][property];
        assert_eq!(told[key], expected, "what is refused is said: {schema} {property} {told}");
    };
    for schema in ["OverrideRequest", "SteerRequest"] {
        says(schema, "who", "minLength", 1);
        says(schema, "who", "maxLength", WHO_MAX);
        says(schema, "reason", "maxLength", REASON_MAX);
    }
    says("Report", "reason", "maxLength", REASON_MAX);
    says("SteerRequest", "select", "minItems", 1);
    says("SteerRequest", "select", "maxItems", PATTERNS_MAX);
    let paths: BTreeSet<&str> = api["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let expected = [
        "/healthz",
        "/metrics",
        "/readyz",
        "/v1/endpoints/{zone}/{pool}/{endpoint}/health",
        "/v1/endpoints/{zone}/{pool}/{endpoint}/override",
        "/v1/explain",
        "/v1/openapi.json",
        "/v1/pools/{zone}/{pool}/override",
        "/v1/reload",
        "/v1/status",
        "/v1/steer",
        "/v1/top",
    ];
    assert_eq!(paths, BTreeSet::from(expected));
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(operation["summary"].is_string(), "{method} {path} is not explained");
            assert!(operation["responses"]["default"].is_object(), "{method} {path} is never refused");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["schema"].is_object(), "{method} {path}: {parameter} is of no type");
            }
        }
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(reference) => references.push(reference.to_owned()),
                    None => collect_references(value, references),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, references)),
        _ => {}
    }
}
