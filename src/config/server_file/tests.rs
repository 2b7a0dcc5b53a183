//! The server file as a whole; what its tables say is tested beside them.

use super::*;
use crate::config::words::SOCKET_OCTETS_MAX;

/// What the server file `text` says, and its faults in words.
pub(in crate::config) fn read(text: &str) -> (Option<Settings>, Vec<String>) {
    let (settings, faults) = read_server_file(Path::new("/etc/bellwether/bellwether.toml"), text);
    (settings, faults.iter().map(ToString::to_string).collect())
}

/// Checks that nothing is made of `text`, and what is said of it: of each error `line:column` and a part of its words.
pub(in crate::config) fn check_refused(text: &str, expected: &[&str]) {
    let (settings, faults) = read(text);
    assert_eq!(settings, None, "{text}");
    assert_eq!(faults.len(), expected.len(), "of {text}: {faults:#?}");
    for (got, expected) in faults.iter().zip(expected) {
        let (at, message) = expected.split_once(' ').expect("a place and a message");
        assert!(got.contains(&format!("bellwether.toml:{at}: error: ")), "{at} is not where: {got}");
        assert!(got.contains(message), "{message:?} is not in: {got}");
    }
}

#[test]
fn everything_has_a_default() {
    let check = |file: &str, text: &str, zones: &str, listen: &[&str], workers: usize| {
        let (server, faults) = read_server_file(Path::new(file), text);
        assert_eq!(faults, []);
        let listen = listen.iter().map(|text| text.parse().expect("an address with a port")).collect();
        let expected = Settings { zones: PathBuf::from(zones), listen, workers, ..Settings::default() };
        assert_eq!(server, Some(expected), "{file}: {text}");
    };
    let default = ["127.0.0.1:5300", "[::1]:5300"];
    check("bellwether.toml", "", "zones", &default, 0);
    check("bellwether.toml", "workers = 4", "zones", &default, 4);
    // Relative to the file, as the databases and tables to come.
    check("/etc/bellwether/bellwether.toml", "", "/etc/bellwether/zones", &default, 0);
    check("/etc/bellwether/bellwether.toml", "zones = '../zones'", "/etc/bellwether/../zones", &default, 0);
    check("etc/bellwether.toml", "zones = '/srv/zones'", "/srv/zones", &default, 0);
    check(
        "bellwether.toml",
        "zones = 'zones'\nlisten = ['0.0.0.0:53', '[::]:53']\nworkers = 0",
        "zones",
        &["0.0.0.0:53", "[::]:53"],
        0,
    );
    assert_eq!(read_server_file(Path::new("bellwether.toml"), "").0, Some(Settings::default()));
}

#[test]
fn waves_and_kept_state_are_set() {
    let check = |text: &str, share: Option<u16>, hold: u64, state: Option<(&str, u64)>| {
        let (server, faults) = read_server_file(Path::new("/etc/bw/bellwether.toml"), text);
        assert_eq!(faults, [], "{text}");
        let server = server.expect("no faults");
        let seconds = std::time::Duration::from_secs;
        let wave = WaveSettings { share: share.map(crate::health::PerMille::new), hold: seconds(hold) };
        let state = state.map(|(file, age)| StateFile { file: PathBuf::from(file), max_age: seconds(age) });
        assert_eq!((server.wave, server.state), (wave, state), "{text}");
    };
    check("", Some(500), 30, None);
    check("[health]", Some(500), 30, None);
    check("[health]\nwave-share = '1%'\nwave-hold = '1s'", Some(10), 1, None);
    check("[health]\nwave-share = '99%'\nwave-hold = '10m'", Some(990), 600, None);
    for off in ["'off'", "0", "'0%'"] {
        check(&format!("[health]\nwave-share = {off}"), None, 30, None);
    }
    check("[state]\nfile = 'state.json'", Some(500), 30, Some(("/etc/bw/state.json", 300)));
    check("[state]\nfile = '/var/lib/s'\nmax-age = '1h'", Some(500), 30, Some(("/var/lib/s", 3_600)));
}

#[test]
fn the_process_is_set() {
    let check = |text: &str, control: Option<&str>, user: Option<(&str, Option<&str>)>, stop_delay: u64| {
        let (server, faults) = read_server_file(Path::new("/etc/bw/bellwether.toml"), text);
        assert_eq!(faults, [], "{text}");
        let user = user.map(|(user, group)| RunAs { user: user.to_owned(), group: group.map(str::to_owned) });
        let stop_delay = std::time::Duration::from_secs(stop_delay);
        let expected = Process { control: control.map(PathBuf::from), user, stop_delay };
        assert_eq!(server.expect("no faults").process, expected, "{text}");
    };
    check("", None, None, 0);
    check("[server]", None, None, 0);
    check("[server]\ncontrol = 'c.sock'", Some("/etc/bw/c.sock"), None, 0);
    check("[server]\nuser = 'bw'\nstop-delay = '5s'", None, Some(("bw", None)), 5);
    check("[server]\nuser = 'bw'\ngroup = 'dns'\nstop-delay = '0s'", None, Some(("bw", Some("dns"))), 0);
}

#[test]
fn faults_are_listed() {
    let check = check_refused;
    check("listn = 1", &["1:1 unknown key `listn` in the server file (did you mean `listen`?)"]);
    check("zones = ", &["1:9 a key without a value"]);
    check(
        "[geo]\ndatabases = [1]\n[latency]\ntabel = 1\n[admin]\nlisten = '127.0.0.1:8053'\ntoken-flie = ''",
        &[
            "2:14 each of `databases` must be a string such as \"GeoLite2-City.mmdb\", found the integer 1",
            "4:1 unknown key `tabel` in [latency] (did you mean `table`?)",
            "7:1 unknown key `token-flie` in [admin] (did you mean `token-file`?)",
        ],
    );
    check(
        "zones = 3\nlisten = '0.0.0.0:53'\nworkers = -1",
        &[
            "1:9 must be a string such as \"zones\"",
            "2:10 must be an array such as",
            "3:11 must be 0 to 1024, found -1",
        ],
    );
    check(
        "[admin]\nlisten = '0.0.0.0:8053'",
        &["2:10 whoever reaches 0.0.0.0:8053 could steer this server (off loopback give a `token-file`"],
    );
    check("[admin]\nlisten = 'localhost:8053'\ntoken-file = 1", &["3:14 must be a string"]);
    check("zones = ''", &["1:9 must be the path of a folder"]);
    check(
        "[health]\nwave-share = '100%'\nwave-hold = '11m'\nwave-shar = 1\n[state]\nmax-age = '500ms'",
        &[
            "2:14 `wave-share` must be \"1%\" to \"99%\", or \"off\", found \"100%\"",
            "3:13 `wave-hold` must be 1s to 10m, found 11m",
            "4:1 unknown key `wave-shar` in [health] (did you mean `wave-share`?)",
            "5:2 [state] has no `file` (add file = \"state.json\")",
            "6:11 `max-age` must be 1s to 1d, found 500ms",
        ],
    );
    check("health = 1\nstate = 's'", &["1:10 must be a table", "2:9 must be a table"]);
    check("[health]\nwave-share = 50", &["2:14 `wave-share` must be 0 to 0, found 50"]);
    check("[health]\nwave-share = true", &["2:14 must be a string such as \"50%\""]);
    check("[state]\nfile = ''", &["2:8 must be the path of a file"]);
    check(
        "[server]\ncontrol = ''\nstop-delay = '11m'\nusr = 1",
        &[
            "2:11 must be the path of a Unix socket",
            "3:14 `stop-delay` must be",
            "4:1 unknown key `usr` in [server] (did you mean `user`?)",
        ],
    );
    check("[server]\ngroup = 'dns'", &["2:9 a group without a user (give `user` too"]);
    check("[server]\nuser = 'a:b'", &["2:8 must be the name of a user"]);
    let long = format!("[server]\ncontrol = '/{}'", "c".repeat(SOCKET_OCTETS_MAX));
    check(&long, &["2:11 the path of a socket holds 107 octets at the most, found 108"]);
    check("listen = []", &["1:10 must list 1 to 1024 addresses with ports, found 0"]);
    check("workers = 1025", &["1:11 must be 0 to 1024, found 1025"]);
    check(
        "listen = ['127.0.0.1', '::1', '*:53', ':53', 'localhost:53', '127.0.0.1:0', '224.0.0.1:53', 53]",
        &[
            "1:11 \"127.0.0.1\" is not an IP address with a port (write \"127.0.0.1:53\")",
            "1:24 (write \"[::1]:53\")",
            "1:31 (for all addresses write \"0.0.0.0:53\" and \"[::]:53\")",
            "1:39 (for all addresses write",
            "1:46 (write an address with a port",
            "1:62 has port 0",
            "1:77 is a multicast address",
            "1:93 each of `listen` must be a string",
        ],
    );
    check("listen = ['127.0.0.1:53', '127.0.0.1:053']", &["1:27 the address 127.0.0.1:53 stands twice"]);
}
