//! Other authoritative servers, serving the same zone file, to compare answers with.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::client::Client;
use super::process::Process;
use super::{address, await_some, peer};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ISC BIND 9.
    Bind,
    /// NLnet Labs NSD.
    Nsd,
    /// CZ.NIC Knot DNS.
    Knot,
}

/// One that runs. It ends when dropped.
pub(crate) struct Authority {
    /// Which one.
    pub(crate) kind: Kind,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bind => "BIND",
            Self::Nsd => "NSD",
            Self::Knot => "Knot",
        })
    }
}

impl Authority {
    /// Starts one that serves the master file `text` as `zone` and waits until it answers for it; `None` when it
    /// is not installed.
    pub(crate) fn serving(kind: Kind, zone: &str, text: &str) -> Option<Self> {
        Self::serving_all(kind, &[(zone, text)])
    }

    /// As [`serving`](Self::serving), with several zones.
    pub(crate) fn serving_all(kind: Kind, zones: &[(&str, &str)]) -> Option<Self> {
        let program = match kind {
            Kind::Bind => peer::find("named", "bind9"),
            Kind::Nsd => peer::find("nsd", "nsd"),
            Kind::Knot => peer::find("knotd", "knot"),
        }?;
        let folder = tempfile::Builder::new().prefix("authority-").tempdir().expect("a folder can be made");
        let path = folder.path().to_str().expect("a readable path");
        let address = match kind {
            // BIND binds only addresses that it finds on an interface, and the loopback interface shows this one.
            Kind::Bind => address::shared(Ipv4Addr::LOCALHOST.into()),
            Kind::Nsd | Kind::Knot => address::own_dns(),
        };
        let configuration = match kind {
            Kind::Bind => bind(path, address),
            Kind::Nsd => nsd(path, address),
            Kind::Knot => knot(path, address),
        };
        let file = folder.path().join("server.conf");
        let mut configuration = configuration;
        for (number, &(zone, text)) in zones.iter().enumerate() {
            let text = if kind == Kind::Bind { text.to_owned() } else { expanded(text) };
            fs::write(folder.path().join(format!("zone-{number}")), text).expect("the folder takes files");
            configuration += &match kind {
                Kind::Bind => {
                    format!("zone \"{zone}\" {{ type primary; file \"{path}/zone-{number}\"; check-names ignore; }};\n")
                }
                Kind::Nsd => format!("zone:\n    name: \"{zone}\"\n    zonefile: \"zone-{number}\"\n"),
                Kind::Knot => format!(
                    "{}  - domain: \"{zone}\"\n    storage: \"{path}\"\n    file: \"zone-{number}\"\n    \
                     semantic-checks: off\n    zonefile-sync: -1\n    journal-content: none\n",
                    if number == 0 { "zone:\n" } else { "" }
                ),
            };
        }
        fs::write(&file, configuration).expect("the folder takes files");
        let mut command = Command::new(program);
        match kind {
            Kind::Bind => command.arg("-g").arg("-c").arg(&file),
            Kind::Nsd => command.arg("-d").arg("-c").arg(&file),
            Kind::Knot => command.arg("-c").arg(&file),
        };
        let mut process = Process::spawn(&kind.to_string(), command.current_dir(folder.path()));
        let client = Client::to(address);
        let zone = zones.last().expect("a zone").0;
        await_some("the authority to answer", || {
            process.assert_running();
            client.try_ask(zone, RecordType::SOA, Duration::from_millis(200)).filter(|reply| !reply.answers.is_empty())
        });
        Some(Self { kind, address, _process: process, _folder: folder })
    }
}

/// Where a secondary has its zone from.
pub(crate) struct Primary {
    /// Where it answers; notifications come from its address.
    pub(crate) address: SocketAddr,
    /// The name of the key that both sign with, by `hmac-sha256`.
    pub(crate) key: &'static str,
    /// In base64.
    pub(crate) secret: &'static str,
}

impl Authority {
    /// Starts a secondary of `zone` at `address`, which gives the zone on to anybody on loopback, and waits until it
    /// answers at all; `None` when it is not installed.
    pub(crate) fn secondary(kind: Kind, zone: &str, address: SocketAddr, primary: &Primary) -> Option<Self> {
        let program = match kind {
            Kind::Nsd => peer::find("nsd", "nsd"),
            Kind::Knot => peer::find("knotd", "knot"),
            Kind::Bind => unreachable!("it binds addresses of interfaces only"),
        }?;
        let folder = tempfile::Builder::new().prefix("secondary-").tempdir().expect("a folder can be made");
        let path = folder.path().to_str().expect("a readable path");
        let Primary { address: from, key, secret } = primary;
        let (ip, port) = (from.ip(), from.port());
        let configuration = match kind {
            Kind::Nsd => {
                nsd(path, address)
                    + &format!(
                        "key:\n    name: \"{key}\"\n    algorithm: hmac-sha256\n    secret: \"{secret}\"\n\
                         zone:\n    name: \"{zone}\"\n    zonefile: \"zone\"\n    \
                         request-xfr: {ip}@{port} {key}\n    allow-notify: {ip} {key}\n    \
                         provide-xfr: 127.0.0.0/8 NOKEY\n"
                    )
            }
            _ => {
                knot(path, address)
                    + &format!(
                        "key:\n  - id: {key}\n    algorithm: hmac-sha256\n    secret: {secret}\n\
                         remote:\n  - id: primary\n    address: {ip}@{port}\n    key: {key}\n\
                         acl:\n  - id: notified\n    address: {ip}\n    key: {key}\n    action: notify\n  \
                         - id: given\n    address: 127.0.0.0/8\n    action: transfer\n\
                         zone:\n  - domain: {zone}\n    storage: \"{path}\"\n    file: \"zone\"\n    \
                         master: primary\n    acl: [notified, given]\n"
                    )
            }
        };
        let file = folder.path().join("server.conf");
        fs::write(&file, configuration).expect("the folder takes files");
        let mut command = Command::new(program);
        match kind {
            Kind::Nsd => command.arg("-d").arg("-c").arg(&file),
            _ => command.arg("-c").arg(&file),
        };
        let mut process = Process::spawn(&kind.to_string(), command.current_dir(folder.path()));
        let client = Client::to(address);
        await_some("the secondary to answer", || {
            process.assert_running();
            client.try_ask(zone, RecordType::SOA, Duration::from_millis(200))
        });
        Some(Self { kind, address, _process: process, _folder: folder })
    }
}

/// The master file without `$GENERATE`, which is BIND's own and unknown to NSD and Knot. Reads the plain form
/// `$GENERATE first-last owner type data`, in which each `$` stands for the number.
fn expanded(text: &str) -> String {
    let lines = text.lines().flat_map(|line| {
        let Some((range, record)) = line.strip_prefix("$GENERATE ").and_then(|rest| rest.split_once(' ')) else {
            return vec![line.to_owned()];
        };
        let number = |text: &str| text.parse::<u32>().expect("a range of numbers");
        let (first, last) = range.split_once('-').expect("a range");
        (number(first)..=number(last)).map(|at| record.replace('$', &at.to_string())).collect()
    });
    lines.map(|line| line + "\n").collect()
}

fn bind(folder: &str, address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    // No validation, so that it asks the Internet for nothing. Minimal responses: the authority section then holds only what the answer needs, as with the others.
    format!(
        r#"options {{
    directory "{folder}";
    listen-on port {port} {{ {ip}; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    lock-file none;
    session-keyfile "{folder}/session.key";
    recursion no;
    dnssec-validation no;
    notify no;
    minimal-responses yes;
    minimal-any yes;
}};
controls {{ }};
"#
    )
}

fn nsd(folder: &str, address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        r#"server:
    ip-address: {ip}@{port}
    zonesdir: "{folder}"
    xfrdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    database: ""
    pidfile: ""
    username: ""
    xfrdfile: ""
    server-count: 1
    minimal-responses: yes
    refuse-any: yes
remote-control:
    control-enable: no
"#
    )
}

fn knot(folder: &str, address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        r#"server:
    rundir: "{folder}"
    listen: {ip}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: info
"#
    )
}
