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
            Kind::Bind => bind(path, address, zone),
            Kind::Nsd => nsd(path, address, zone),
            Kind::Knot => knot(path, address, zone),
        };
        let file = folder.path().join("server.conf");
        let text = if kind == Kind::Bind { text.to_owned() } else { expanded(text) };
        fs::write(folder.path().join("zone"), text).expect("the folder takes files");
        fs::write(&file, configuration).expect("the folder takes files");
        let mut command = Command::new(program);
        match kind {
            Kind::Bind => command.arg("-g").arg("-c").arg(&file),
            Kind::Nsd => command.arg("-d").arg("-c").arg(&file),
            Kind::Knot => command.arg("-c").arg(&file),
        };
        let mut process = Process::spawn(&kind.to_string(), command.current_dir(folder.path()));
        let client = Client::to(address);
        await_some("the authority to answer", || {
            process.assert_running();
            client.try_ask(zone, RecordType::SOA, Duration::from_millis(200)).filter(|reply| !reply.answers.is_empty())
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

fn bind(folder: &str, address: SocketAddr, zone: &str) -> String {
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
zone "{zone}" {{ type primary; file "{folder}/zone"; check-names ignore; }};
"#
    )
}

fn nsd(folder: &str, address: SocketAddr, zone: &str) -> String {
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
zone:
    name: "{zone}"
    zonefile: "zone"
"#
    )
}

fn knot(folder: &str, address: SocketAddr, zone: &str) -> String {
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
zone:
  - domain: "{zone}"
    storage: "{folder}"
    file: "zone"
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
"#
    )
}
