//! `[admin]`: where the admin API is, who may use it, and what is counted for it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::super::faults::Faults;
use super::super::table::{Item, Keys, Table};
use super::super::words::{path, socket};
use crate::snapshot::RowLimits;

/// Where the admin API is and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen, by TCP; port 8053 of 127.0.0.1 where none is given. Off loopback there is a token, or there are
    /// authorities of clients.
    pub listen: SocketAddr,
    /// The file that holds the token by which one may ask. A relative one starts from the folder of the server file, as
    /// all of these.
    pub token_file: Option<PathBuf>,
    /// What it is encrypted by; `None` where it is plain HTTP.
    pub tls: Option<AdminTls>,
    /// How much is counted by itself for `/metrics`; `None` where nothing is.
    pub metrics: Option<RowLimits>,
}

/// What the admin API is encrypted by, all of it files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminTls {
    /// The server's chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities whose clients may ask, if clients are known by certificates.
    pub clients: Option<PathBuf>,
    /// The certificate, and its key, that commands show which find the server by its own file.
    pub commands: Option<(PathBuf, PathBuf)>,
}

impl Admin {
    /// Where it is by default: BIND's statistics channel has the port in its own documentation.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_053);

    /// What is counted by itself where nothing is said: 1 MiB of each worker's, and some 20,000 series when all zones
    /// are asked for this and that; 320 KiB and up to 40,000 series of endpoints.
    pub const ROWS: RowLimits = RowLimits { zones: 1_000, endpoints: 10_000 };

    /// Whether it may listen on `address`, wherever that comes from: off loopback only where whoever asks must bear a token
    /// or show a certificate.
    pub fn may_be_on(&self, address: SocketAddr) -> bool {
        let is_closed = self.token_file.is_some() || self.tls.as_ref().is_some_and(|tls| tls.clients.is_some());
        is_closed || address.ip().is_loopback()
    }
}

/// Zones, and endpoints, that are counted by themselves, at the most: 100 MiB of each worker's for as many zones.
const METRICS_ROWS_MAX: u32 = 100_000;

const ADMIN: Keys = Keys::only(&[
    "listen",
    "token-file",
    "certificate",
    "key",
    "clients",
    "client-certificate",
    "client-key",
    "metrics",
    "metrics-zones",
    "metrics-endpoints",
]);

/// Reads the table; `folder` is the server file's.
pub(super) fn read(item: Item<'_>, folder: &Path, faults: &mut Faults<'_>) -> Option<Admin> {
    let table = item.table("[admin]", &ADMIN, r#"{ listen = "127.0.0.1:8053" }"#, faults)?;
    let token_file = file(&table, "token-file", ("admin.token", "a file with a token"), folder, faults)?;
    let tls = tls(&table, folder, faults)?;
    let metrics = metrics(&table, faults)?;
    let admin = Admin { listen: Admin::LISTEN, token_file, tls, metrics };
    let Some(listen_item) = table.get("listen") else { return Some(admin) };
    let listen = socket(listen_item, 8_053, faults)?;
    if !admin.may_be_on(listen) {
        faults
            .error(listen_item.span, format!("whoever reaches {listen} could steer this server"))
            .help("off loopback give a `token-file` or `clients` too, or listen on 127.0.0.1 or [::1]");
        return None;
    }
    Some(Admin { listen, ..admin })
}

/// What it is encrypted by.
#[allow(clippy::option_option, reason = "nothing, or what was said is faulty")]
fn tls(table: &Table<'_>, folder: &Path, faults: &mut Faults<'_>) -> Option<Option<AdminTls>> {
    let names = ["certificate", "key", "clients", "client-certificate", "client-key"];
    let needs = [
        ("certificate", "key", "a certificate needs its key", r#"add key = "admin-key.pem""#),
        ("key", "certificate", "a key needs its certificate", r#"add certificate = "admin.pem""#),
        ("clients", "certificate", "clients show certificates only by HTTPS", "give `certificate` and `key` too"),
        ("client-certificate", "client-key", "a certificate needs its key", r#"add client-key = "client-key.pem""#),
        ("client-key", "client-certificate", "a key needs its certificate", r#"add client-certificate = "client.pem""#),
        (
            "client-certificate",
            "clients",
            "nobody asks for a client's certificate",
            r#"add clients = "clients-ca.pem""#,
        ),
    ];
    for (given, needed, message, help) in needs {
        if let (Some(item), None) = (table.get(given), table.get(needed)) {
            faults.error(item.span, message).help(help);
            return None;
        }
    }
    let examples = [
        ("admin.pem", "a certificate"),
        ("admin-key.pem", "a private key"),
        ("clients-ca.pem", "certificates of authorities"),
        ("client.pem", "a certificate"),
        ("client-key.pem", "a private key"),
    ];
    let mut files = names.into_iter().zip(examples).map(|(key, example)| file(table, key, example, folder, faults));
    let mut next = || files.next().flatten();
    let (certificate, key, clients, client, client_key) = (next()?, next()?, next()?, next()?, next()?);
    let pair = certificate.zip(key);
    Some(pair.map(|(certificate, key)| AdminTls { certificate, key, clients, commands: client.zip(client_key) }))
}

/// The file that `key` names; `of` are an example and what it is.
#[allow(clippy::option_option, reason = "none is named, or what was said is faulty")]
fn file(
    table: &Table<'_>,
    key: &str,
    of: (&str, &str),
    folder: &Path,
    faults: &mut Faults<'_>,
) -> Option<Option<PathBuf>> {
    match table.get(key) {
        Some(item) => path(item, of.0, of.1, faults).map(|file| Some(folder.join(file))),
        None => Some(None),
    }
}

/// What is counted for `/metrics`.
#[allow(clippy::option_option, reason = "nothing is counted, or what was said is faulty")]
fn metrics(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Option<RowLimits>> {
    let mut rows = |key: &str, default: usize| match table.get(key) {
        Some(item) => item.integer(0..=METRICS_ROWS_MAX, faults).map(|rows| rows as usize),
        None => Some(default),
    };
    let zones = rows("metrics-zones", Admin::ROWS.zones)?;
    let endpoints = rows("metrics-endpoints", Admin::ROWS.endpoints)?;
    let is_on = table.get("metrics").map_or(Some(true), |item| item.boolean(faults))?;
    Some(is_on.then_some(RowLimits { zones, endpoints }))
}

#[cfg(test)]
mod tests {
    use super::super::read_server_file;
    use super::*;

    #[test]
    fn the_admin_api_is_asked_for() {
        let check = |text: &str, listen: &str, token_file: Option<&str>, tls: Option<AdminTls>| {
            let (server, faults) = read_server_file(Path::new("etc/bellwether.toml"), text);
            assert_eq!(faults, [], "{text}");
            let listen = listen.parse().expect("an address with a port");
            let expected = Admin { listen, token_file: token_file.map(PathBuf::from), tls, metrics: Some(Admin::ROWS) };
            assert_eq!(server.and_then(|server| server.admin), Some(expected), "{text}");
        };
        check("[admin]", "127.0.0.1:8053", None, None);
        check("admin = { listen = '[::1]:8053' }", "[::1]:8053", None, None);
        check("[admin]\nlisten = '127.9.9.9:1'\ntoken-file = 't'", "127.9.9.9:1", Some("etc/t"), None);
        check("[admin]\nlisten = '0.0.0.0:8053'\ntoken-file = '/t'", "0.0.0.0:8053", Some("/t"), None);
        let tls = AdminTls { certificate: "etc/c".into(), key: "/k".into(), clients: None, commands: None };
        let pair = "[admin]\ncertificate = 'c'\nkey = '/k'";
        check(pair, "127.0.0.1:8053", None, Some(tls.clone()));
        let all = "clients = 'ca'\nclient-certificate = 'me'\nclient-key = 'mine'";
        let commands = Some(("etc/me".into(), "etc/mine".into()));
        let known = AdminTls { clients: Some("etc/ca".into()), commands, ..tls };
        check(&format!("{pair}\nlisten = '[::]:8053'\n{all}"), "[::]:8053", None, Some(known));
    }

    #[test]
    fn faults_say_what_would_be_right() {
        let check = |text: &str, expected: &str| {
            let (server, faults) = read_server_file(Path::new("b.toml"), &format!("[admin]\n{text}"));
            let got: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert_eq!((server, got.len()), (None, 1), "{text}: {got:?}");
            assert!(got[0].contains(expected), "{expected:?} is not in {got:?}");
        };
        let pair = "certificate = 'c'\nkey = 'k'";
        check("listen = '192.0.2.1:8053'", "2:10: error: whoever reaches 192.0.2.1:8053 could steer this server");
        check(&format!("listen = '192.0.2.1:8053'\n{pair}"), "2:10: error: whoever reaches");
        check("certificate = 'c'", "2:15: error: a certificate needs its key (add key = ");
        check("key = 'k'", "2:7: error: a key needs its certificate");
        check(
            "clients = 'ca'",
            "2:11: error: clients show certificates only by HTTPS (give `certificate` and `key` too)",
        );
        check(&format!("{pair}\nclient-key = 'x'"), "4:14: error: a key needs its certificate (add client-certificate");
        check(&format!("{pair}\nclient-certificate = 'x'"), "4:22: error: a certificate needs its key (add client-key");
        let client = "client-certificate = 'x'\nclient-key = 'y'";
        check(&format!("{pair}\n{client}"), "4:22: error: nobody asks for a client's certificate (add clients");
        check("certificat = 'c'", "2:1: error: unknown key `certificat` in [admin] (did you mean `certificate`?)");
        check("certificate = ''\nkey = 'k'", "2:15: error: `certificate` must be the path of a certificate");
    }
}
