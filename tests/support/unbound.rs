//! Unbound as the resolver between clients and us: a real cache, with nothing switched on that would keep an
//! answer longer than its TTL says.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::client::Client;
use super::process::Process;
use super::{address, await_some, peer};

/// A running resolver. It ends when dropped.
pub(crate) struct Unbound {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Unbound {
    /// Starts one that asks `server` for everything under `zone` and waits until it answers for it; `None` when
    /// Unbound is not installed.
    pub(crate) fn in_front_of(server: SocketAddr, zone: &str) -> Option<Self> {
        Self::with(server, zone, "")
    }

    /// The same by DNS over TLS. `roots` is a file of certificates that it trusts, and `host` the name that the server
    /// must have.
    pub(crate) fn over_tls(server: SocketAddr, zone: &str, roots: &str, host: &str) -> Option<Self> {
        Self::with(
            server,
            zone,
            &format!(
                "#{host}\n    stub-tls-upstream: yes\n    stub-first: no\nserver:\n    tls-cert-bundle: \"{roots}\""
            ),
        )
    }

    /// The same, as suspicious as it can be: it asks for no more of a name than it must (RFC 9156), strictly, and in
    /// mixed case, which must come back as it went ("0x20").
    pub(crate) fn suspicious(server: SocketAddr, zone: &str) -> Option<Self> {
        let server_options = "qname-minimisation: yes\n    qname-minimisation-strict: yes\n    use-caps-for-id: yes";
        Self::with(server, zone, &format!("\nserver:\n    {server_options}"))
    }

    /// `more` follows the server's address in the configuration.
    fn with(server: SocketAddr, zone: &str, more: &str) -> Option<Self> {
        let program = peer::find("unbound", "unbound")?;
        let folder = tempfile::Builder::new().prefix("unbound-").tempdir().expect("a folder can be made");
        let address = address::own_dns();
        let configuration =
            configuration(folder.path().to_str().expect("a readable path"), address, server, zone) + more;
        let file = folder.path().join("unbound.conf");
        fs::write(&file, configuration).expect("the folder takes files");
        let process = Process::spawn("unbound", Command::new(program).arg("-d").arg("-c").arg(&file));
        let mut unbound = Self { address, process, _folder: folder };
        let client = unbound.client();
        await_some("unbound to answer", || {
            unbound.process.assert_running();
            client.try_ask(zone, RecordType::SOA, Duration::from_millis(200)).filter(|reply| !reply.answers.is_empty())
        });
        Some(unbound)
    }

    /// A client of our own that asks it.
    pub(crate) fn client(&self) -> Client {
        Client::of_resolver(self.address)
    }
}

fn configuration(folder: &str, address: SocketAddr, server: SocketAddr, zone: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    let (server_ip, server_port) = (server.ip(), server.port());
    // `iterator` alone: no validator, which would look for keys in the Internet. The cache settings are Unbound's
    // defaults, written down because the measured times hang on them.
    format!(
        r#"server:
    directory: "{folder}"
    interface: {ip}
    port: {port}
    outgoing-interface: {ip}
    access-control: 127.0.0.0/8 allow
    do-daemonize: no
    do-ip6: no
    num-threads: 1
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    module-config: "iterator"
    do-not-query-localhost: no
    cache-min-ttl: 0
    serve-expired: no
    prefetch: no
remote-control:
    control-enable: no
stub-zone:
    name: "{zone}"
    stub-addr: {server_ip}@{server_port}"#
    )
}
