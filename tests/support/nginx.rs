//! nginx as an endpoint: one process each, so that one can be killed, frozen and revived without the others.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::process::{Process, Signal};
use super::{address, await_some, peer};

/// An endpoint, running or stopped. It ends when dropped.
pub(crate) struct Nginx {
    /// The loopback address that is its own. It serves HTTP on [`address::HTTP_PORT`].
    pub(crate) ip: Ipv4Addr,
    program: PathBuf,
    folder: tempfile::TempDir,
    process: Option<Process>,
    port: u16,
}

/// What an HTTPS endpoint shows, both in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The certificate, with those that lead to its root.
    pub(crate) chain: String,
    /// Its key.
    pub(crate) key: String,
}

impl Nginx {
    /// Starts one that answers `/healthz` with 200 and `ok`, and waits until it does; `None` when nginx is not
    /// installed.
    pub(crate) fn http() -> Option<Self> {
        Self::new(address::HTTP_PORT, None)
    }

    /// The same over TLS, on [`address::HTTPS_PORT`].
    pub(crate) fn https(certificate: &Certificate) -> Option<Self> {
        Self::new(address::HTTPS_PORT, Some(certificate))
    }

    fn new(port: u16, certificate: Option<&Certificate>) -> Option<Self> {
        let program = peer::find("nginx", "nginx-light")?;
        let folder = tempfile::Builder::new().prefix("nginx-").tempdir().expect("a folder can be made");
        let ip = address::own_ip();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("the folder takes files");
        write("nginx.conf", &configuration(ip, port, certificate.is_some()));
        if let Some(certificate) = certificate {
            write("chain.pem", &certificate.chain);
            write("key.pem", &certificate.key);
        }
        let mut nginx = Self { ip, program, folder, process: None, port };
        nginx.start();
        Some(nginx)
    }

    /// Starts it again after a [`kill`](Self::kill) and waits until it accepts connections.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg("-p").arg(self.folder.path()).arg("-c").arg(self.folder.path().join("nginx.conf"));
        let mut process = Process::spawn("nginx", command.args(["-e", "stderr"]));
        await_some("nginx to listen", || {
            process.assert_running();
            TcpStream::connect_timeout(&self.socket(), Duration::from_millis(200)).ok()
        });
        self.process = Some(process);
    }

    /// Ends it as a crash would: connections are refused from the return of this on.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Freezes it: the kernel still accepts connections for it, and nothing is ever answered. What a hung
    /// program, or a lost route, looks like to a probe.
    pub(crate) fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::Stop);
    }

    /// Ends the freeze.
    pub(crate) fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::Cont);
    }

    fn socket(&self) -> SocketAddr {
        SocketAddr::from((self.ip, self.port))
    }
}

fn configuration(ip: Ipv4Addr, port: u16, tls: bool) -> String {
    let (ssl, certificate) =
        if tls { (" ssl", "ssl_certificate chain.pem; ssl_certificate_key key.pem;") } else { ("", "") };
    // One process, neither daemon nor master: a signal then hits all of it, and nothing is left behind.
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen {ip}:{port}{ssl};
        {certificate}
        location = /healthz {{ default_type text/plain; return 200 "ok\n"; }}
        location / {{ return 404; }}
    }}
}}
"#
    )
}
