//! `bellwether.toml`: where the zones are and where to listen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::FILE_OCTETS_MAX;
use super::faults::{Faults, shown};
use super::table::{Item, Keys, Table, parse};
use super::words::Seen;
use crate::diagnostic::{Diagnostic, Place};

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
}

/// Worker threads, at the most: more cores than any machine that serves DNS.
pub const WORKERS_MAX: u16 = 1_024;

/// Sockets to listen on, at the most.
const LISTEN_MAX: usize = 1_024;

/// The port that needs no privilege.
const PORT: u16 = 5_300;

const FILE: Keys = Keys {
    known: &["zones", "listen", "workers", "geo", "latency"],
    later: &["tls", "admin"],
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
    let listen = table.get("listen").map_or(Some(default.listen), |item| listen(item, &mut faults));
    let workers = table.get("workers").map_or(Some(0), |item| item.integer(0..=WORKERS_MAX, &mut faults));
    let databases = table.get("geo").map_or(Some(Vec::new()), |item| geo(item, &mut faults));
    let latency = table.get("latency").and_then(|item| latency(item, &mut faults));
    let server = zones.zip(listen).zip(workers).zip(databases).map(|(((zones, listen), workers), databases)| Server {
        zones: folder.join(zones),
        listen,
        workers: usize::from(workers),
        databases: databases.into_iter().map(|database| folder.join(database)).collect(),
        latency: latency.map(|table| folder.join(table)),
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

fn path(item: Item<'_>, example: &str, of: &str, faults: &mut Faults<'_>) -> Option<PathBuf> {
    let text = item.string(example, faults)?;
    if text.is_empty() || text.contains('\0') {
        faults.error(item.span, format!("`{}` must be the path of {of}, found \"{}\"", item.key, shown(text)));
        return None;
    }
    Some(text.into())
}

fn listen(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<SocketAddr>> {
    let elements = item.elements(r#"["0.0.0.0:53", "[::]:53"]"#, faults)?;
    if elements.is_empty() || elements.len() > LISTEN_MAX {
        let count = elements.len();
        faults.error(item.span, format!("`listen` must list 1 to {LISTEN_MAX} addresses with ports, found {count}"));
        return None;
    }
    let mut seen = Seen::default();
    let mut sound = true;
    let mut listen = Vec::new();
    for element in elements {
        match socket(element, faults) {
            Some(address) => {
                sound &= seen.enter(address, element.span, &format!("the address {address}"), faults);
                listen.push(address);
            }
            None => sound = false,
        }
    }
    sound.then_some(listen)
}

fn socket(item: Item<'_>, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let text = item.string("0.0.0.0:53", faults)?;
    let Ok(address) = text.parse::<SocketAddr>() else {
        let help = match (text.parse::<IpAddr>(), text.rsplit_once(':')) {
            (Ok(address), _) => format!("write \"{}\"", SocketAddr::new(address, 53)),
            (_, Some(("" | "*", port))) if port.parse::<u16>().is_ok() => {
                format!("for all addresses write \"0.0.0.0:{port}\" and \"[::]:{port}\"")
            }
            _ => "write an address with a port, such as \"0.0.0.0:53\" or \"[::]:53\"".to_owned(),
        };
        faults.error(item.span, format!("\"{}\" is not an IP address with a port", shown(text))).help(help);
        return None;
    };
    let wrong = if address.port() == 0 {
        "has port 0, which is no port to send queries to"
    } else if address.ip().is_multicast() {
        "is a multicast address, on which no DNS server is asked"
    } else {
        return Some(address);
    };
    faults.error(item.span, format!("{address} {wrong}"));
    None
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
            let expected =
                Server { zones: PathBuf::from(zones), listen, workers, databases: Vec::new(), latency: None };
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
            "[geo]\ndatabases = [1]\n[latency]\ntabel = 1\n[tls]\n[admin]\nlisten = '127.0.0.1:8053'",
            &[
                "2:14 each of `databases` must be a string such as \"GeoLite2-City.mmdb\", found the integer 1",
                "4:1 unknown key `tabel` in [latency] (did you mean `table`?)",
                "5:2 the table `tls`",
                "6:2 the table `admin`",
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
        check("zones = ''", &["1:9 must be the path of a folder"]);
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
