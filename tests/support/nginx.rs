//! nginx as an endpoint: one process each, so that one can be killed, frozen and revived without the others.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::namespace::Namespace;
use super::process::{Process, Signal};
use super::{address, await_some, peer};

/// An endpoint, running or stopped. It ends when dropped.
pub(crate) struct Nginx {
    /// The address that is its own, of the loopback unless it is in a namespace. It serves HTTP on [`address::HTTP_PORT`].
    pub(crate) ip: Ipv4Addr,
    /// The program, behind what starts it elsewhere.
    program: Vec<PathBuf>,
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
        Self::new(address::HTTP_PORT, None, "", "")
    }

    /// The same, on the host in `namespace`.
    pub(crate) fn http_in(namespace: &Namespace) -> Option<Self> {
        let mut program = namespace.launcher();
        program.push(peer::find("nginx", "nginx-light")?);
        Some(Self::of(program, (namespace.ip, address::HTTP_PORT), None, ("", ""), &[]))
    }

    /// The same over HTTP/2 alone, to those who know.
    pub(crate) fn http2() -> Option<Self> {
        Self::new(address::HTTP_PORT, None, " http2", "")
    }

    /// The same over TLS, on [`address::HTTPS_PORT`], with HTTP/1.1 or HTTP/2 as the client likes.
    pub(crate) fn https(certificate: &Certificate) -> Option<Self> {
        Self::new(address::HTTPS_PORT, Some(certificate), " http2", "")
    }

    /// The same, for clients alone that show a certificate of `authority`'s, in PEM.
    pub(crate) fn https_for_clients(certificate: &Certificate, authority: &str) -> Option<Self> {
        let verify = "ssl_client_certificate clients.pem; ssl_verify_client on;";
        Self::here(address::HTTPS_PORT, Some(certificate), (" http2", verify), &[("clients.pem", authority)])
    }

    fn new(port: u16, certificate: Option<&Certificate>, listen: &str, more: &str) -> Option<Self> {
        Self::here(port, certificate, (listen, more), &[])
    }

    fn here(port: u16, certificate: Option<&Certificate>, words: (&str, &str), files: &[(&str, &str)]) -> Option<Self> {
        let program = vec![peer::find("nginx", "nginx-light")?];
        Some(Self::of(program, (address::own_ip(), port), certificate, words, files))
    }

    /// `listen` and `more` are words of its configuration: beside the address, and in the server.
    fn of(
        program: Vec<PathBuf>,
        (ip, port): (Ipv4Addr, u16),
        certificate: Option<&Certificate>,
        (listen, more): (&str, &str),
        files: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::Builder::new().prefix("nginx-").tempdir().expect("a folder can be made");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("the folder takes files");
        files.iter().for_each(|(name, text)| write(name, text));
        write(
            "nginx.conf",
            &configuration(folder.path(), SocketAddr::from((ip, port)), listen, certificate.is_some(), more),
        );
        if let Some(certificate) = certificate {
            write("chain.pem", &certificate.chain);
            write("key.pem", &certificate.key);
        }
        let mut nginx = Self { ip, program, folder, process: None, port };
        nginx.start();
        nginx
    }

    /// Starts it again after a [`kill`](Self::kill) and waits until it accepts connections.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(&self.program[0]);
        command
            .args(&self.program[1..])
            .arg("-p")
            .arg(self.folder.path())
            .arg("-c")
            .arg(self.folder.path().join("nginx.conf"));
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

    /// From here on it answers `/healthz` with 500.
    pub(crate) fn fail(&self) {
        self.replace("failing", "");
    }

    /// From here on it shows `chain`, of the same key.
    pub(crate) fn show(&self, chain: &str) {
        self.replace("chain.pem", chain);
    }

    /// Puts a file in the place of what was there, whole at any moment.
    fn replace(&self, name: &str, text: &str) {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, text).expect("the folder takes files");
        fs::rename(&draft, self.folder.path().join(name)).expect("a draft can be renamed");
    }

    fn socket(&self) -> SocketAddr {
        SocketAddr::from((self.ip, self.port))
    }
}

fn configuration(folder: &Path, address: SocketAddr, listen: &str, tls: bool, more: &str) -> String {
    let folder = folder.display();
    // A name with a variable in it is read at each handshake, so that a chain that is replaced is shown at once.
    let (ssl, certificate) = if tls {
        (" ssl", format!("ssl_certificate {folder}/$chain; ssl_certificate_key {folder}/key.pem;"))
    } else {
        ("", String::new())
    };
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
    map $ssl_server_name $chain {{ default chain.pem; }}
    server {{
        listen {address}{ssl}{listen};
        {certificate}
        {more}
        location = /healthz {{
            default_type text/plain;
            if (-f {folder}/failing) {{ return 500; }}
            return 200 "ok\n";
        }}
        location / {{ return 404; }}
    }}
}}
"#
    )
}
