//! The program under test, serving a zones folder of its own.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Client;
use super::process::{Process, Signal};
use super::{PATIENCE, address};

/// The program that cargo built for these tests.
pub(crate) const BELLWETHER: &str = env!("CARGO_BIN_EXE_bellwether");

/// What to serve and how; [`start`](Self::start) starts it.
pub(crate) struct Launch {
    zones: Zones,
    listen: Vec<SocketAddr>,
    workers: usize,
    environment: Vec<(String, String)>,
    config: Option<tempfile::TempDir>,
    config_file: Option<PathBuf>,
    control: Option<tempfile::TempDir>,
}

/// A running server. It ends when dropped.
pub(crate) struct Server {
    /// The folder that it serves.
    pub(crate) zones: Zones,
    /// The first address that it listens on.
    pub(crate) address: SocketAddr,
    /// The process.
    pub(crate) process: Process,
    /// The folder of its server file, if it has one.
    pub(crate) config: Option<tempfile::TempDir>,
    /// The folder of its control socket, if it has one.
    control: Option<tempfile::TempDir>,
    /// The processes that took over from it, one after the other.
    successors: Mutex<Vec<u32>>,
}

/// A folder of zones, or of a server file, that is deleted when dropped.
pub(crate) struct Zones(tempfile::TempDir);

impl Launch {
    /// One worker on an address of its own, no zones yet.
    pub(crate) fn new() -> Self {
        Self {
            zones: Zones::new(),
            listen: Vec::new(),
            workers: 1,
            environment: Vec::new(),
            config: None,
            config_file: None,
            control: None,
        }
    }

    /// Puts a file into the zones folder.
    #[must_use]
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.zones.write(name, text);
        self
    }

    /// Puts a file into the folder of the server file; the server file itself is `bellwether.toml`.
    #[must_use]
    pub(crate) fn config(mut self, name: &str, text: &str) -> Self {
        let folder = self.config.take().unwrap_or_else(|| {
            tempfile::Builder::new().prefix("bellwether-config-").tempdir().expect("a folder can be made")
        });
        fs::write(folder.path().join(name), text).expect("the folder takes files");
        self.config = Some(folder);
        self
    }

    /// Listens there too; the first takes the place of the address of its own.
    #[must_use]
    pub(crate) fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// How many threads answer.
    #[must_use]
    pub(crate) fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Opens the admin API on an address of its own, by a server file that says nothing else.
    #[must_use]
    pub(crate) fn administered(self) -> Self {
        let listen = SocketAddr::new(address::own_ip().into(), 8053);
        self.config("bellwether.toml", &format!("[admin]\nlisten = \"{listen}\"\n"))
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Opens a control socket, so that it can be [replaced](Server::replace).
    #[must_use]
    pub(crate) fn controlled(mut self) -> Self {
        let folder = tempfile::Builder::new().prefix("bellwether-control-").tempdir();
        self.control = Some(folder.expect("a folder can be made"));
        self
    }

    /// Reads this server file, which outlives the server.
    #[must_use]
    pub(crate) fn config_file(mut self, file: &Path) -> Self {
        self.config_file = Some(file.to_owned());
        self
    }

    /// Starts the server and waits until it says that it is ready.
    pub(crate) fn start(mut self) -> Server {
        if self.listen.is_empty() {
            self.listen.push(address::own_dns());
        }
        let mut command = Command::new(BELLWETHER);
        command.arg("serve").arg("--zones").arg(self.zones.path());
        command.arg("--workers").arg(self.workers.to_string());
        if let Some(file) = &self.config_file {
            command.arg("--config").arg(file);
        }
        for address in &self.listen {
            command.arg("--listen").arg(address.to_string());
        }
        if let Some(folder) = &self.config {
            command.arg("--config").arg(folder.path().join("bellwether.toml"));
        }
        if let Some(folder) = &self.control {
            command.arg("--control").arg(folder.path().join("control.sock"));
        }
        command.envs(self.environment).current_dir(self.zones.path());
        let mut process = Process::spawn("bellwether", &mut command);
        process.await_line(0, "that it is ready", |line| line.starts_with("ready"));
        Server {
            zones: self.zones,
            address: self.listen[0],
            process,
            config: self.config,
            control: self.control,
            successors: Mutex::default(),
        }
    }
}

impl Server {
    /// Serves these files with one worker on an address of its own.
    pub(crate) fn serving(files: &[(&str, &str)]) -> Self {
        files.iter().fold(Launch::new(), |launch, (name, text)| launch.file(name, text)).start()
    }

    /// A client of our own that asks this server.
    pub(crate) fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// What `bellwether status --json` says of an endpoint. The server is
    /// [administered](Launch::administered).
    ///
    /// # Panics
    /// When there is no such endpoint.
    pub(crate) fn status_of(&self, pool: &str, endpoint: &str) -> Value {
        let folder = self.config.as_ref().expect("a server file").path();
        let output = run(folder, &["status", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let status: Value = serde_json::from_slice(&output.stdout).expect("status --json is JSON");
        let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let mut pools = list(&status, "zones").into_iter().flat_map(|zone| list(&zone, "pools"));
        let found = pools.find(|found| found["pool"] == pool).unwrap_or_else(|| panic!("no pool {pool}: {status:#}"));
        let mut endpoints = list(&found, "endpoints").into_iter();
        endpoints
            .find(|found| found["endpoint"] == endpoint)
            .unwrap_or_else(|| panic!("no endpoint {endpoint}: {status:#}"))
    }

    /// Has it replaced, as `bellwether replace` does: the process that answers then, or what it says to a failure. The
    /// server is [controlled](Launch::controlled).
    pub(crate) fn replace(&self) -> Result<u32, String> {
        let control = self.control_socket();
        let output = run(self.zones.path(), &["replace", "--control", &control.display().to_string()]);
        let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            return Err(failed.into_owned());
        }
        let pid = said.split_whitespace().find_map(|word| word.parse().ok());
        let pid = pid.unwrap_or_else(|| panic!("no process is named: {said}{failed}"));
        self.successors.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
        Ok(pid)
    }

    /// Where its control socket is.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.control.as_ref().expect("a control socket").path().join("control.sock")
    }

    /// Has it load its files again, as `kill -HUP` does.
    pub(crate) fn hang_up(&self) {
        self.process.signal(Signal::Hup);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let successors = self.successors.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Only the last still lives; the number of one before it might be somebody else's by now.
        if let Some(pid) = successors.last() {
            let command = format!("kill -TERM {pid}");
            let _ = Command::new("/bin/sh").args(["-c", &command]).stderr(Stdio::null()).status();
        }
    }
}

impl Zones {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("bellwether-zones-").tempdir().expect("a folder can be made"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file as an editor does: to a temporary name, then renamed over the old one. Written in place,
    /// a reader could see half of it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        // The leading dot and the ending keep it from being taken for a zone.
        let draft = self.path().join(format!(".{name}.draft"));
        fs::write(&draft, text).expect("the zones folder takes files");
        fs::rename(&draft, &path).expect("a draft can be renamed");
        path
    }
}

/// Runs the program to its end with these arguments, in `folder`.
///
/// # Panics
/// When it has not ended within [`PATIENCE`].
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    // Files take all that is said without being read meanwhile, as pipes must be.
    let (stdout, stderr) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
    let mut child = Command::new(BELLWETHER)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().expect("a second handle"))
        .stderr(stderr.try_clone().expect("a second handle"))
        .spawn()
        .expect("the program that cargo built runs");
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("bellwether {arguments:?} does not end; it said:\n{}", String::from_utf8_lossy(&said(stderr)));
        }
        // Between two looks, as in `Process`.
        thread::sleep(Duration::from_millis(2));
    };
    Output { status, stdout: said(stdout), stderr: said(stderr) }
}

fn said(mut file: File) -> Vec<u8> {
    let mut octets = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut octets)).expect("a file can be read");
    octets
}
