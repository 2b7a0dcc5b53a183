//! The admin API by HTTPS: whom it lets in by certificate, by token or not at all, and how the commands come in.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use crate::support::address;
use crate::support::await_some;
use crate::support::nginx::Certificate;
use crate::support::roots::{Root, certificate, certificates, root};
use crate::support::server::{Launch, Server, run};

const POLICY: &str = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                      [pools.web]\npolicy = \"round-robin\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
                      [names]\nwww = \"web\"\n";

const TOKEN: &str = "b3b0e4a1f6c24d7f9a8c5e1d2f3a4b5c";

/// The server's own certificate, and its key.
const PAIR: &str = "certificate = \"server.pem\"\nkey = \"server-key.pem\"\n";

/// A server whose admin API speaks HTTPS on an address of its own, and two authorities.
struct Locked {
    server: Server,
    url: String,
    ours: Root,
    strange: Root,
}

impl Locked {
    /// With these keys in `[admin]`. In its folder lie certificates of our authority for the server (`server`), for the
    /// commands (`commands`), for an operator (`ada`) and one that has ended (`ended`); one of the other (`stranger`).
    fn start(keys: &str) -> Self {
        let admin = SocketAddr::new(address::own_ip().into(), 8053);
        let (ours, strange) = (root("ours.example.com"), root("strange.example.com"));
        let config = format!("[admin]\nlisten = \"{admin}\"\n{keys}");
        let server = Launch::new()
            .file("example.com.toml", POLICY)
            .config("bellwether.toml", &config)
            .config("token", TOKEN)
            .config("ca.pem", &ours.pem())
            .config("strange-ca.pem", &strange.pem());
        let yesterday = SystemTime::now() - Duration::from_secs(86_400);
        let [ended] = certificates(&ours, "ended.example.com", [Some(yesterday)]);
        let server = [
            ("server", certificate(&ours, &admin.ip().to_string())),
            ("commands", certificate(&ours, "commands.example.com")),
            ("ada", certificate(&ours, "ada.example.com")),
            ("ended", ended),
            ("stranger", certificate(&strange, "ada.example.com")),
        ]
        .into_iter()
        .fold(server, |launch, (name, Certificate { chain, key })| {
            launch.config(&format!("{name}.pem"), &chain).config(&format!("{name}-key.pem"), &key)
        });
        Self { server: server.start(), url: format!("https://{admin}"), ours, strange }
    }

    fn folder(&self) -> &Path {
        self.server.config.as_ref().expect("a server file").path()
    }

    /// Runs `status` in the server's folder with these flags besides.
    fn status(&self, flags: &str) -> Output {
        let flags: Vec<&str> = flags.split_whitespace().collect();
        run(self.folder(), &[&["status"], &*flags].concat())
    }

    /// With these flags it is shown.
    fn shows(&self, flags: &str) {
        let output = self.status(flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{flags}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("zone example.com"), "{flags}");
    }

    /// With these it is not, and `why` is said.
    fn refuses(&self, flags: &str, why: &str) {
        let output = self.status(flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags}: {said}");
        assert!(said.contains(why), "{flags}: {why:?} is not in {said}");
    }

    /// Puts files in place of those that are there, all whole at any time.
    fn put(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            let draft: PathBuf = self.folder().join(format!(".{name}.draft"));
            fs::write(&draft, text).expect("the folder takes files");
            fs::rename(draft, self.folder().join(name)).expect("a draft can be renamed");
        }
    }
}

#[test]
fn whoever_shows_a_certificate_of_the_authority_is_let_in() {
    let keys = "clients = \"ca.pem\"\nclient-certificate = \"commands.pem\"\nclient-key = \"commands-key.pem\"\n";
    let locked = Locked::start(&format!("{PAIR}{keys}"));
    // As the server file says, and by everything that can be said.
    locked.shows("");
    locked.shows("--certificate ada.pem --key ada-key.pem");
    let url = &locked.url;
    let there = format!("--server {url} --ca ca.pem");
    locked.shows(&format!("{there} --certificate ada.pem --key ada-key.pem"));
    // A client that nobody knows.
    locked.refuses(&there, "show a certificate that was signed by one of the server's `clients`");
    let refused =
        format!("no connection to the admin API at {url}: it refused: it does not accept our client certificate");
    locked.refuses(&format!("{there} --certificate stranger.pem --key stranger-key.pem"), &refused);
    locked.refuses(
        &format!("{there} --certificate ended.pem --key ended-key.pem"),
        "it refused: to it our client certificate has expired",
    );
    // A server that the client does not know.
    locked.refuses(&format!("--server {url}"), "no trusted root issued it (--ca names who vouches for it)");
    locked.refuses(&format!("--server {url} --ca strange-ca.pem"), "its certificate: no trusted root issued it");
    // Flags that do not go together, or files that are none.
    locked
        .refuses(&format!("{there} --certificate ada.pem --key stranger-key.pem"), "is not the key of the certificate");
    locked.refuses(&format!("{there} --certificate no.pem --key ada-key.pem"), "no.pem cannot be read");
    let plain = url.replace("https:", "http:");
    locked.refuses(&format!("--server {plain}"), "HTTPS is spoken here");
    locked.refuses(&format!("--server {plain} --ca ca.pem"), "--ca is of no use by http");
    assert_eq!(locked.status("--certificate ada.pem").status.code(), Some(2), "wrong usage");
    assert_eq!(locked.status("--ca ca.pem").status.code(), Some(2), "wrong usage");
    // The other commands come in by the same way.
    let does = |arguments: &[&str]| {
        let output = run(locked.folder(), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    does(&["drain", "web/192.0.2.1"]);
    does(&["auto", "web/192.0.2.1"]);
    does(&["reload"]);
    does(&["top", "--once"]);
    does(&["explain", "www.example.com", "--server"]);
    for flags in [["--ca", "ca.pem"], ["--token-file", "token"]] {
        let output = run(locked.folder(), &[&["explain", "www.example.com", "--server"], &flags[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let why = format!("{} is of no use without a URL in --server", flags[0]);
        assert!(output.status.code() == Some(1) && said.contains(&why), "{flags:?}: {said}");
    }
    let ada = ["--ca", "ca.pem", "--certificate", "ada.pem", "--key", "ada-key.pem"];
    does(&[&["explain", "www.example.com", "--server", url], &ada[..]].concat());
}

#[test]
fn where_there_are_both_a_token_or_a_certificate_will_do() {
    let locked = Locked::start(&format!("{PAIR}clients = \"ca.pem\"\ntoken-file = \"token\"\n"));
    locked.shows("");
    let there = format!("--server {} --ca ca.pem", locked.url);
    locked.shows(&format!("{there} --token-file token"));
    locked.shows(&format!("{there} --certificate ada.pem --key ada-key.pem"));
    locked.refuses(&there, "send the token");
    locked.refuses(&there, "or show a certificate");
    let stranger = "--certificate stranger.pem --key stranger-key.pem --token-file token";
    locked.refuses(&format!("{there} {stranger}"), "it does not accept our client certificate");
}

#[test]
fn certificates_and_authorities_are_read_again() {
    let mut locked = Locked::start(&format!("{PAIR}clients = \"ca.pem\"\n"));
    let (ada, stranger) =
        ("--certificate ada.pem --key ada-key.pem", "--certificate stranger.pem --key stranger-key.pem");
    locked.shows(ada);
    // Another authority, and a server certificate of its own.
    let admin: SocketAddr = locked.url.trim_start_matches("https://").parse().expect("an address");
    let Certificate { chain, key } = certificate(&locked.strange, &admin.ip().to_string());
    let said = locked.server.process.lines_said();
    locked.put(&[("server.pem", &chain), ("server-key.pem", &key), ("ca.pem", &locked.strange.pem())]);
    // Saving them is enough; what is seen is the end of the wait.
    await_some("the new authority's client to be let in", || locked.status(stranger).status.success().then_some(()));
    locked.refuses(ada, "it does not accept our client certificate");
    locked.shows(&format!("--server {} --ca strange-ca.pem {stranger}", locked.url));
    // A faulty file changes nothing.
    locked.put(&[("ca.pem", "nothing")]);
    locked.server.process.await_line(said, "that the file is at fault", |line| line.contains("before stays in use"));
    locked.shows(stranger);
    // A certificate that lies there and is not served is not the server's.
    let Certificate { chain, .. } = certificate(&locked.ours, "other.example.com");
    locked.put(&[("server.pem", &chain)]);
    locked.refuses(stranger, "it shows another certificate than the server file names");
}

#[test]
fn https_alone_keeps_nobody_of_this_machine_out() {
    let locked = Locked::start(PAIR);
    locked.shows("");
    locked.shows(&format!("--server {} --ca ca.pem", locked.url));
    locked.refuses(&format!("--server {}", locked.url.replace("https:", "http:")), "HTTPS is spoken here");
    // The other way round: HTTPS to plain HTTP.
    let plain = Launch::new().file("example.com.toml", POLICY).administered().start();
    let file = fs::read_to_string(plain.config.as_ref().expect("a folder").path().join("bellwether.toml"));
    let file = file.expect("the server file");
    let address = file.split('"').nth(1).expect("an address");
    locked.refuses(&format!("--server https://{address} --ca ca.pem"), "what came is not TLS");
}

/// The server never reads what commands show, so that it starts all the same.
#[test]
fn check_reads_what_commands_show() {
    let shown = |pair: &str| {
        let [certificate, key] =
            [format!("client-certificate = \"{pair}.pem\""), "client-key = \"ada-key.pem\"".to_owned()];
        Locked::start(&format!("{PAIR}clients = \"ca.pem\"\n{certificate}\n{key}\n"))
    };
    let check = |pair: &str, code: i32, expected: &[&str]| {
        let locked = shown(pair);
        let zones = locked.server.zones.path().to_str().expect("a path").to_owned();
        let output = run(locked.folder(), &["check", "--zones", &zones]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{pair}: {said}");
        for expected in expected {
            assert!(said.contains(expected), "{pair}: {expected:?} is not in {said}");
        }
        locked
    };
    check("ada", 0, &[]).shows("");
    let hindered = "valid, but commands would not come in by the server file";
    check("commands", 1, &["it is not the key of the first certificate", hindered])
        .refuses("", "is not the key of the certificate");
    check("none", 1, &["none.pem", "cannot be read", hindered]).refuses("", "none.pem cannot be read");
}
