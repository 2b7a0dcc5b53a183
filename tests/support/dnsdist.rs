//! dnsdist as the front end that tells by PROXY v2 whose query it passes on.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::client::Client;
use super::process::Process;
use super::{address, await_some, peer};

/// A running front end. It ends when dropped.
pub(crate) struct Dnsdist {
    /// Where it answers, over UDP and TCP.
    pub(crate) address: SocketAddr,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Dnsdist {
    /// Starts one that passes everything on to `server` from an address of its own, which it is told (`source`), and
    /// waits until it answers for `zone`; `None` when dnsdist is not installed.
    pub(crate) fn in_front_of(server: SocketAddr, source: SocketAddr, zone: &str) -> Option<Self> {
        let program = peer::find("dnsdist", "dnsdist")?;
        let folder = tempfile::Builder::new().prefix("dnsdist-").tempdir().expect("a folder can be made");
        let address = address::own_dns();
        let source = source.ip();
        let configuration = format!(
            "setLocal('{address}')\nsetACL({{'127.0.0.0/8'}})\nsetSecurityPollSuffix('')\n\
             newServer{{address='{server}', source='{source}', useProxyProtocol=true, healthCheckMode='up'}}\n"
        );
        let file = folder.path().join("dnsdist.conf");
        fs::write(&file, configuration).expect("the folder takes files");
        let mut command = Command::new(program);
        command.args(["--supervised", "--disable-syslog", "-C"]).arg(&file);
        let mut dnsdist = Self { address, process: Process::spawn("dnsdist", &mut command), _folder: folder };
        let client = Client::to(address);
        await_some("dnsdist to answer", || {
            dnsdist.process.assert_running();
            client.try_ask(zone, RecordType::SOA, Duration::from_millis(200)).filter(|reply| !reply.answers.is_empty())
        });
        Some(dnsdist)
    }
}
