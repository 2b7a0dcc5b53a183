//! `bellwether demo`: the whole of it in half a minute, on loopback, with nothing to set up.
//!
//! The endpoints are real HTTP servers, the zone file is a file, and the answers come through the socket: what
//! is shown is what `serve` does.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::terminal::{self, note, print};
use super::{DONE, FAILED, MISUSED, log};
use crate::config::Settings;
use crate::diagnostic::Diagnostic;
use crate::moment::Moment;
use crate::server::{self, Audience, Ready, Reload, Start, StartError};
use crate::system::{Clock, secret};

/// The name that is asked for.
const NAME: &str = "www.example.test";

/// Endpoints: what they are called, where they listen, and their line of the policy file.
const ENDPOINTS: [(&str, Ipv4Addr); 3] = [
    ("alpha", Ipv4Addr::new(127, 1, 0, 1)),
    ("beta", Ipv4Addr::new(127, 1, 0, 2)),
    ("spare", Ipv4Addr::new(127, 1, 0, 3)),
];

/// How often the answers are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Queries a look: one whole turn of the weights 2 and 1, twice.
const QUERIES: usize = 6;

/// How long each act lasts at the least, so that a person can read it.
const ACT: Duration = Duration::from_secs(3);

/// How long a change may take before the demo says that something is wrong; the budget is 5 s.
const CHANGE_MAX: Duration = Duration::from_secs(20);

pub(super) fn run() -> u8 {
    // That an endpoint dies is what it tells itself.
    if let Err(message) = log::start("warn,bellwether::server::keeper::turns=error") {
        note(format_args!("error: {message}"));
        return MISUSED;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            note(format_args!("error: cannot start the runtime: {error}"));
            return FAILED;
        }
    };
    match runtime.block_on(play()) {
        Ok(()) => DONE,
        // Whoever watched has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => DONE,
        Err(error) => {
            note(format_args!("error: {error}"));
            FAILED
        }
    }
}

async fn play() -> io::Result<()> {
    let clock = Clock::new();
    let endpoints = start_endpoints().await.map_err(|error| failed("start the endpoints", &error))?;
    let folder = Folder::new(&zone_file(endpoints.port)).map_err(|error| failed("write the sample zone", &error))?;
    let (ready, mut heard) = mpsc::unbounded_channel();
    let server = tokio::spawn(serve(folder.0.clone(), ready));
    let Some(address) = heard.recv().await else {
        return Err(match server.await {
            Ok(Err(error)) => io::Error::other(error),
            _ => io::Error::other("the server stopped before it was ready"),
        });
    };
    introduce(&endpoints, &folder, address)?;
    let mut show = Show { clock, start: clock.now(), address, shown: None };
    let acts = async {
        show.until("all three live: alpha and beta share 2 to 1, spare waits", |answers| answers.len() == 2).await?;
        endpoints.alpha_lives.store(false, Ordering::Relaxed);
        show.until("alpha dies: its health check answers 503", |answers| !answers.contains("alpha")).await?;
        endpoints.alpha_lives.store(true, Ordering::Relaxed);
        show.until("alpha comes back", |answers| answers.contains("alpha")).await
    };
    tokio::select! {
        done = acts => done?,
        // Ctrl-C ends the server, and with it the demo.
        _ = heard.recv() => return Ok(()),
    }
    if io::stdin().is_terminal() {
        print(format_args!("\nThat is all. It goes on serving, so that you can dig; Ctrl-C ends it.\n"))?;
        heard.recv().await;
    }
    Ok(())
}

/// Not of the kind of `error`: only stdout's broken pipe is one.
fn failed(what: &str, error: &io::Error) -> io::Error {
    io::Error::other(format!("cannot {what}: {error}"))
}

fn introduce(endpoints: &Endpoints, folder: &Folder, address: SocketAddr) -> io::Result<()> {
    print(format_args!("Three endpoints, tiny HTTP servers on loopback:\n\n"))?;
    for (name, ip) in ENDPOINTS {
        print(format_args!("  {name:6} http://{ip}:{}/healthz\n", endpoints.port))?;
    }
    print(format_args!("\nA zone over them, {}:\n\n", folder.0.join("example.test.toml").display()))?;
    for line in zone_file(endpoints.port).lines() {
        let indent = if line.is_empty() { "" } else { "  " };
        print(format_args!("{indent}{line}\n"))?;
    }
    let (ip, port) = (address.ip(), address.port());
    print(format_args!(
        "\nServed on {address}. In another terminal, try\n\n  \
         dig @{ip} -p {port} {NAME}\n  \
         dig @{ip} -p {port} {NAME} +short +tcp\n  \
         dig @{ip} -p {port} example.test SOA\n\n"
    ))
}

fn zone_file(port: u16) -> String {
    let [alpha, beta, spare] = ENDPOINTS.map(|(name, ip)| format!("name = \"{name}\", address = \"{ip}\""));
    format!(
        r#"[zone]
nameservers = ["ns1.example.net", "ns2.example.net"]
contact     = "hostmaster.example.test"

[monitors.web]
http     = {{ port = {port}, path = "/healthz" }}
interval = "1s"
fast     = "500ms"
timeout  = "500ms"
fall     = 2
rise     = 2

[pools.active]
policy    = "weighted"
monitor   = "web"
endpoints = [
  {{ {alpha}, weight = 2 }},
  {{ {beta}, weight = 1 }},
]

[pools.standby]
policy    = "round-robin"
monitor   = "web"
endpoints = [{{ {spare} }}]

[pools.site]
policy  = "failover"
members = ["active", "standby"]

[names]
"www" = {{ pool = "site", failover = "5s" }}
"#
    )
}

/// The endpoints' common port, and the switch of the one that dies.
struct Endpoints {
    port: u16,
    alpha_lives: Arc<AtomicBool>,
}

async fn start_endpoints() -> io::Result<Endpoints> {
    let alpha_lives = Arc::new(AtomicBool::new(true));
    let mut port = 0;
    for (name, ip) in ENDPOINTS {
        let listener = TcpListener::bind((ip, port)).await?;
        port = listener.local_addr()?.port();
        let lives = if name == "alpha" { Arc::clone(&alpha_lives) } else { Arc::new(AtomicBool::new(true)) };
        tokio::spawn(serve_http(listener, lives));
    }
    Ok(Endpoints { port, alpha_lives })
}

/// Answers every request alike: 200 while the endpoint lives, 503 after.
async fn serve_http(listener: TcpListener, lives: Arc<AtomicBool>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let status = if lives.load(Ordering::Relaxed) { "200 OK" } else { "503 Service Unavailable" };
        let response = format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
        tokio::spawn(async move {
            let (mut request, mut length) = ([0; 4096], 0);
            // To the end of the header; whatever it says, the answer is the same.
            while !request[..length].ends_with(b"\r\n\r\n") && length < request.len() {
                match stream.read(&mut request[length..]).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => length += count,
                }
            }
            // A probe that has gone away in the meantime is none of the demo's business.
            let _ = stream.write_all(response.as_bytes()).await;
        });
    }
}

/// Serves on the usual port, or on any other when that is taken.
async fn serve(zones: PathBuf, ready: mpsc::UnboundedSender<SocketAddr>) -> Result<(), StartError> {
    let settings = Settings { zones, workers: 1, ..Settings::default() };
    let audience = Arc::new(Stage { ready });
    match server::run(
        settings.clone(),
        Start::default(),
        Arc::clone(&audience) as Arc<dyn Audience>,
        std::future::pending(),
    )
    .await
    {
        Err(StartError::Bind { .. }) => {
            let listen = vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)];
            server::run(Settings { listen, ..settings }, Start::default(), audience, std::future::pending()).await
        }
        other => other,
    }
}

/// Hears when the server is ready, and ends with it.
struct Stage {
    ready: mpsc::UnboundedSender<SocketAddr>,
}

impl Audience for Stage {
    fn ready(&self, ready: &Ready) {
        if let Some(&address) = ready.listen.first() {
            let _ = self.ready.send(address);
        }
    }

    fn faults(&self, faults: &[Diagnostic]) {
        terminal::print_faults(faults);
    }

    fn reloaded(&self, _: &Reload) {}
}

/// Asks and prints what is answered, whenever that changes.
struct Show {
    clock: Clock,
    start: Moment,
    address: SocketAddr,
    shown: Option<String>,
}

impl Show {
    /// Announces an act and shows the answers until `done` holds of their names and [`ACT`] has passed.
    async fn until(&mut self, act: &str, done: impl Fn(&BTreeSet<String>) -> bool) -> io::Result<()> {
        let begin = self.clock.now();
        print(format_args!("{} {act}\n", self.time()))?;
        self.shown = None;
        loop {
            let (answers, ttl) = self.ask().await?;
            let line = format!("{} ttl {ttl}s", answers.join(" "));
            if self.shown.as_ref() != Some(&line) {
                print(format_args!("{}   {NAME}: {line}\n", self.time()))?;
                self.shown = Some(line);
            }
            let age = self.clock.now().since(begin);
            if done(&answers.into_iter().collect()) && age >= ACT {
                return Ok(());
            }
            if age > CHANGE_MAX {
                return Err(io::Error::other(format!("the answers did not move within {CHANGE_MAX:?}")));
            }
            sleep(LOOK).await;
        }
    }

    fn time(&self) -> String {
        format!("{:5.1} s", self.clock.now().since(self.start).as_secs_f64())
    }

    /// The names of the endpoints in [`QUERIES`] answers, and the least TTL.
    async fn ask(&self) -> io::Result<(Vec<String>, u32)> {
        let (mut names, mut ttl) = (Vec::new(), u32::MAX);
        for id in 0..QUERIES {
            let asked = query(self.address, id as u16).await;
            let reply = asked.map_err(|error| failed(&format!("ask {}", self.address), &error))?;
            for answer in &reply.answers {
                let RData::A(address) = &answer.data else { continue };
                let name = ENDPOINTS.iter().find(|(_, ip)| *ip == address.0).map_or("?", |(name, _)| name);
                names.push(name.to_owned());
                ttl = ttl.min(answer.ttl);
            }
        }
        Ok((names, ttl))
    }
}

async fn query(server: SocketAddr, id: u16) -> io::Result<Message> {
    let name = Name::from_ascii(format!("{NAME}.")).map_err(io::Error::other)?;
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name, RecordType::A));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.send_to(&message.to_vec().map_err(io::Error::other)?, server).await?;
    let mut octets = [0; 1500];
    let length = timeout(Duration::from_secs(2), socket.recv(&mut octets)).await??;
    Message::from_vec(octets.get(..length).unwrap_or_default()).map_err(io::Error::other)
}

/// A folder for the sample zone that goes when the demo does.
struct Folder(PathBuf);

impl Folder {
    /// A folder that nobody can have foreseen.
    fn new(zone: &str) -> io::Result<Self> {
        let number = u128::from_le_bytes(secret()?);
        Self::at(std::env::temp_dir().join(format!("bellwether-demo-{number:032x}")), zone)
    }

    /// One of our own, or none: in one that somebody has laid out beforehand, links could lead anywhere.
    fn at(folder: PathBuf, zone: &str) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(&folder)?;
        let folder = Self(folder);
        std::fs::write(Path::join(&folder.0, "example.test.toml"), zone)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_folder_is_ours_alone_and_goes() {
        let temporary = tempfile::tempdir().expect("a folder");
        let path = temporary.path().join("demo");
        let folder = Folder::at(path.clone(), "text").expect("a folder");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
        assert!(Folder::at(path.clone(), "other").is_err(), "it is there already");
        assert_eq!(fs::read_to_string(path.join("example.test.toml")).expect("a file"), "text");
        drop(folder);
        assert!(!path.exists());
        std::os::unix::fs::symlink(temporary.path(), &path).expect("a link");
        assert!(Folder::at(path, "text").is_err(), "a link is not followed");
        assert!(!temporary.path().join("example.test.toml").exists());
    }
}
