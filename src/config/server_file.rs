//! `bellwether.toml`: where the zones are and where to listen.

mod admin;
mod dnstap;
mod health;
mod process;
mod reload;
mod state;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::FILE_OCTETS_MAX;
use super::dns::{self, Dns};
use super::doors::{self, Doors};
use super::faults::Faults;
use super::table::{Item, Keys, Table, parse};
use super::transfer_table::{self, Transfers};
use super::words::{path, sockets};
use crate::diagnostic::{Diagnostic, Place};
use crate::health::WaveSettings;
use crate::observe::dnstap::Settings as Dnstap;
use crate::preview::Guard;

pub use admin::{Admin, AdminTls};
pub use process::{CONTROL_OCTETS_MAX, Process, RunAs};
pub use state::StateFile;

/// What the server file says; flags of the command line win over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The zones folder; `zones` where none is given. A relative one starts from the folder of the server file.
    pub zones: PathBuf,
    /// Where to listen, by UDP and by TCP: at least one, none twice; port 5300 of 127.0.0.1 and of ::1 where
    /// nothing is given.
    pub listen: Vec<SocketAddr>,
    /// Worker threads, up to [`WORKERS_MAX`]; 0, the default, is one a core.
    pub workers: usize,
    /// Databases of places, the first of which counts most. Relative ones start from the folder of the server file.
    pub databases: Vec<PathBuf>,
    /// The table of round-trip times, if there is one; relative as those.
    pub latency: Option<PathBuf>,
    /// Where the admin API is, if there is one.
    pub admin: Option<Admin>,
    /// Encryption, front ends and the limits of connections.
    pub doors: Doors,
    /// What the server says of itself.
    pub dns: Dns,
    /// When so many endpoints fail at once that our own way to them is doubted.
    pub wave: WaveSettings,
    /// What of a reload is refused unless somebody insists.
    pub guard: Guard,
    /// Where verdicts are kept over a restart, if they are.
    pub state: Option<StateFile>,
    /// Zone transfers: keys, who may have zones, who is told.
    pub transfers: Transfers,
    /// How the process is reached, as whom it runs, how it ends.
    pub process: Process,
    /// The query log, if there is one.
    pub dnstap: Option<Dnstap>,
}

/// Worker threads, at the most: more cores than any machine that serves DNS.
pub const WORKERS_MAX: u16 = 1_024;

/// The port that needs no privilege.
const PORT: u16 = 5_300;

const FILE: Keys = Keys {
    known: &[
        "zones", "listen", "workers", "geo", "latency", "health", "state", "admin", "dns", "tls", "proxy", "limits",
        "transfer", "reload", "server", "dnstap",
    ],
    later: &[],
    later_is: "table",
    instead: &[],
};

const GEO: Keys = Keys::only(&["databases"]);

const LATENCY: Keys = Keys::only(&["table"]);

/// As without a server file.
impl Default for Server {
    fn default() -> Self {
        let listen = |address| SocketAddr::new(address, PORT);
        Self {
            zones: PathBuf::from("zones"),
            listen: vec![listen(IpAddr::V4(Ipv4Addr::LOCALHOST)), listen(IpAddr::V6(Ipv6Addr::LOCALHOST))],
            workers: 0,
            databases: Vec::new(),
            latency: None,
            admin: None,
            doors: Doors::default(),
            dns: Dns::default(),
            wave: WaveSettings::default(),
            guard: Guard::default(),
            state: None,
            transfers: Transfers::default(),
            process: Process::default(),
            dnstap: None,
        }
    }
}

/// Reads `text`, the server file; `file` is where it lies. Comes with errors, on which there is nothing else, and
/// with warnings.
pub fn read_server_file(file: &Path, text: &str) -> (Option<Server>, Vec<Diagnostic>) {
    if text.len() > FILE_OCTETS_MAX {
        let message = format!("a server file cannot be longer than {FILE_OCTETS_MAX} octets");
        return (None, vec![Diagnostic::error(Place::of_file(file), message)]);
    }
    let mut faults = Faults::new(file, text);
    let Some(root) = parse(text, &mut faults) else { return (None, faults.finish()) };
    let table = Table::root(&root, "the server file", &FILE, &mut faults);
    let default = Server::default();
    let folder = file.parent().unwrap_or(Path::new(""));
    let zones = table.get("zones").map_or(Some(default.zones), |item| zones(item, &mut faults));
    let listen = table
        .get("listen")
        .map_or(Some(default.listen), |item| sockets(item, r#"["0.0.0.0:53", "[::]:53"]"#, 53, &mut faults));
    let workers = table.get("workers").map_or(Some(0), |item| item.integer(0..=WORKERS_MAX, &mut faults));
    let databases = table.get("geo").map_or(Some(Vec::new()), |item| geo(item, &mut faults));
    let latency = table.get("latency").and_then(|item| latency(item, &mut faults));
    let admin = table.get("admin").and_then(|item| admin::read(item, folder, &mut faults));
    let doors = doors::doors(&table, listen.as_deref().unwrap_or_default(), folder, &mut faults);
    let dns = table.get("dns").map_or(Some(Dns::default()), |item| dns::read(item, folder, &mut faults));
    let wave = table.get("health").and_then(|item| health::read(item, &mut faults)).unwrap_or_default();
    let guard = table.get("reload").and_then(|item| reload::read(item, &mut faults)).unwrap_or_default();
    let state = table.get("state").and_then(|item| state::read(item, folder, &mut faults));
    let transfers = table.get("transfer").and_then(|item| transfer_table::read(item, &mut faults)).unwrap_or_default();
    let process = table.get("server").and_then(|item| process::read(item, folder, &mut faults)).unwrap_or_default();
    let dnstap = table.get("dnstap").and_then(|item| dnstap::read(item, folder, dns.as_ref(), &mut faults));
    let read = zones.zip(listen).zip(workers).zip(databases).zip(dns);
    let server = read.map(|((((zones, listen), workers), databases), dns)| Server {
        zones: folder.join(zones),
        listen,
        workers: usize::from(workers),
        databases: databases.into_iter().map(|database| folder.join(database)).collect(),
        latency: latency.map(|table| folder.join(table)),
        admin,
        doors,
        dns,
        wave,
        guard,
        state,
        transfers,
        process,
        dnstap,
    });
    (server.filter(|_| !faults.any_error()), faults.finish())
}

fn zones(item: Item<'_>, faults: &mut Faults<'_>) -> Option<PathBuf> {
    path(item, "zones", "a folder", faults)
}

/// `[geo]`: the databases of places.
fn geo(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<PathBuf>> {
    let table = item.table("[geo]", &GEO, r#"{ databases = ["GeoLite2-City.mmdb"] }"#, faults)?;
    let Some(item) = table.get("databases") else { return Some(Vec::new()) };
    let elements = item.elements(r#"["GeoLite2-City.mmdb", "GeoLite2-ASN.mmdb"]"#, faults)?;
    elements.into_iter().map(|element| path(element, "GeoLite2-City.mmdb", "a database", faults)).collect()
}

/// `[latency]`: the table of round-trip times.
fn latency(item: Item<'_>, faults: &mut Faults<'_>) -> Option<PathBuf> {
    let table = item.table("[latency]", &LATENCY, r#"{ table = "latency.csv" }"#, faults)?;
    path(table.require("table", "\"latency.csv\"", faults)?, "latency.csv", "a table", faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        let check = |file: &str, text: &str, zones: &str, listen: &[&str], workers: usize| {
            let (server, faults) = read_server_file(Path::new(file), text);
            assert_eq!(faults, []);
            let listen = listen.iter().map(|text| text.parse().expect("an address with a port")).collect();
            let expected = Server { zones: PathBuf::from(zones), listen, workers, ..Server::default() };
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
        assert_eq!(read_server_file(Path::new("bellwether.toml"), "").0, Some(Server::default()));
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
        let check = |text: &str, expected: &[&str]| {
            let (server, faults) = read_server_file(Path::new("bellwether.toml"), text);
            assert_eq!(server, None, "{text}");
            let got: Vec<_> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(got.len(), expected.len(), "of {text}: {got:#?}");
            for (got, expected) in got.iter().zip(expected) {
                let (at, message) = expected.split_once(' ').expect("a place and a message");
                assert!(got.starts_with(&format!("bellwether.toml:{at}: error: ")), "{at} is not where: {got}");
                assert!(got.contains(message), "{message:?} is not in: {got}");
            }
        };
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
                "2:11 must be the path of a socket",
                "3:14 `stop-delay` must be",
                "4:1 unknown key `usr` in [server] (did you mean `user`?)",
            ],
        );
        check("[server]\ngroup = 'dns'", &["2:9 a group without a user (give `user` too"]);
        check("[server]\nuser = 'a:b'", &["2:8 must be the name of a user"]);
        let long = format!("[server]\ncontrol = '/{}'", "c".repeat(CONTROL_OCTETS_MAX));
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
}
