//! `bellwether.toml`: where the zones are and where to listen.

mod admin;
mod dnstap;
mod health;
mod process;
mod reload;
mod state;
#[cfg(test)]
pub(super) mod tests;

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
pub use process::{Process, RunAs};
pub use state::StateFile;

/// What to serve, and where: as the server file says, unless flags of the command line win over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The zones folder; `zones` where none is given. A relative one starts from the folder of the server file.
    pub zones: PathBuf,
    /// Where to listen, by UDP and by TCP: at least one, none twice; port 5300 of 127.0.0.1 and of ::1 where
    /// nothing is given.
    pub listen: Vec<SocketAddr>,
    /// UDP threads for each address, up to [`WORKERS_MAX`]; 0, the default, is one a core.
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
impl Default for Settings {
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
pub fn read_server_file(file: &Path, text: &str) -> (Option<Settings>, Vec<Diagnostic>) {
    if text.len() > FILE_OCTETS_MAX {
        let message = format!("a server file cannot be longer than {FILE_OCTETS_MAX} octets");
        return (None, vec![Diagnostic::error(Place::of_file(file), message)]);
    }
    let mut faults = Faults::new(file, text);
    let Some(root) = parse(text, &mut faults) else { return (None, faults.finish()) };
    let table = Table::root(&root, "the server file", &FILE, &mut faults);
    let default = Settings::default();
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
    let settings = read.map(|((((zones, listen), workers), databases), dns)| Settings {
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
    (settings.filter(|_| !faults.any_error()), faults.finish())
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
