//! Start, reload, signals, shutdown: the control plane put together.

mod keeper;
mod watch;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::answer::{Counters, Worker};
use crate::diagnostic::Diagnostic;
use crate::system::{Clock, seed};
use crate::transport::{self, stream, udp};
use keeper::Keeper;

/// How long open streams may finish what they are at once the server stops.
const STREAMS_END: Duration = Duration::from_secs(1);

/// What to serve, and where: flags and the server file, already put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder of zone files.
    pub zones: PathBuf,
    /// UDP and TCP addresses, at least one.
    pub listen: Vec<SocketAddr>,
    /// UDP threads for each address; 0 for one a core.
    pub workers: usize,
    /// Databases of places, the first of which counts most.
    pub databases: Vec<PathBuf>,
    /// The table of round-trip times, if there is one.
    pub latency: Option<PathBuf>,
}

/// What a server tells whoever started it: a terminal, a test.
pub trait Audience: Send + Sync {
    /// Every socket is bound and the first probe round is in; said once.
    fn ready(&self, ready: &Ready);

    /// What is wrong with the files, warnings included; also of every later reload.
    fn faults(&self, faults: &[Diagnostic]);

    /// What a reload came to.
    fn reloaded(&self, outcome: &Reload);
}

/// What is served from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Zones.
    pub zones: usize,
    /// Balanced names in them.
    pub names: usize,
    /// Distinct endpoints that are probed.
    pub probes: usize,
    /// UDP threads for each address.
    pub workers: usize,
    /// The addresses.
    pub listen: Vec<SocketAddr>,
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// So many zones and balanced names are served now.
    Done {
        /// Zones.
        zones: usize,
        /// Balanced names in them.
        names: usize,
    },
    /// The files have faults; what was served before still is.
    Refused {
        /// How many of the faults are errors.
        errors: usize,
    },
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// A socket could not be bound.
    Bind {
        /// Where to.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// The zone files have faults, which the audience has heard.
    Faults {
        /// How many are errors.
        errors: usize,
    },
    /// The system refused threads, signals or a watch on the zones folder.
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        error: io::Error,
    },
}

impl std::error::Error for StartError {}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, protocol, error } => {
                write!(f, "cannot listen on {address} ({protocol}): ")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("the port is in use"),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("permission denied; ports below 1024 need CAP_NET_BIND_SERVICE")
                    }
                    io::ErrorKind::AddrNotAvailable => f.write_str("this machine does not have the address"),
                    _ => write!(f, "{error}"),
                }
            }
            Self::Faults { errors: 1 } => f.write_str("the zone files have 1 error; nothing is served"),
            Self::Faults { errors } => write!(f, "the zone files have {errors} errors; nothing is served"),
            Self::System { what, error } => write!(f, "cannot {what}: {error}"),
        }
    }
}

/// Serves until SIGINT or SIGTERM, or until `stop` resolves. SIGHUP and saved zone files reload.
///
/// # Errors
/// As [`StartError`] says; once it is ready, only a signal ends it.
pub async fn run(
    settings: Settings,
    audience: Arc<dyn Audience>,
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let clock = Clock::new();
    match transport::raise_open_files() {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files; many probes at once may fail"),
    }
    let workers = match settings.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    // TCP first: UDP sockets share their port, so that a second server on it would go unnoticed there.
    let bind_error = |address, protocol| move |error| StartError::Bind { address, protocol, error };
    let mut listeners = Vec::new();
    let mut sockets = Vec::new();
    for &address in &settings.listen {
        let listener = stream::bind(address).map_err(bind_error(address, "TCP"))?;
        // Where the port was 0 the system chose one, and UDP takes the same.
        let address = listener.local_addr().map_err(bind_error(address, "TCP"))?;
        for _ in 0..workers {
            sockets.push(udp::bind(address).map_err(bind_error(address, "UDP"))?);
        }
        listeners.push((address, listener));
    }
    let system = |what| move |error| StartError::System { what, error };
    let mut hangup = signal(SignalKind::hangup()).map_err(system("take SIGHUP"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system("take SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("take SIGINT"))?;

    // The watch begins before the first read, so that no change falls between the two.
    let beside: Vec<PathBuf> = settings.databases.iter().chain(&settings.latency).cloned().collect();
    let mut saved = watch::Saved::new(&settings.zones, &beside);
    let Settings { zones, databases, latency, .. } = settings;
    tokio::pin!(stop);
    // The first probe round may take as long as the longest timeout.
    let mut keeper = tokio::select! {
        keeper = Keeper::start(zones, &databases, latency.as_deref(), clock, Arc::clone(&audience)) => keeper?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
        () = &mut stop => return Ok(()),
    };
    saved.warn_if_blind();
    let snapshots = keeper.snapshots();
    let counters: Vec<Arc<Counters>> = (0..=sockets.len()).map(|_| Arc::default()).collect();
    let stopping = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    let mut counted = counters.iter();
    for (socket, counters) in sockets.into_iter().zip(&mut counted) {
        let (snapshots, stopping) = (Arc::clone(&snapshots), Arc::clone(&stopping));
        let worker = Worker::new(Arc::clone(counters), seed());
        let thread = thread::Builder::new().name("udp".to_owned());
        let thread = thread.spawn(move || udp::serve(&socket, snapshots, worker, clock, &stopping));
        threads.push(thread.map_err(system("start a thread"))?);
    }
    let stream_worker = Worker::new(counted.next().map(Arc::clone).unwrap_or_default(), seed());
    let (listen, listeners) = listeners.into_iter().unzip();
    let mut streams = stream::serve(listeners, snapshots, stream_worker, clock);
    audience.ready(&keeper.ready(listen, workers));

    loop {
        tokio::select! {
            () = keeper.attend() => {}
            () = saved.next() => keeper.reload("a file was saved"),
            _ = hangup.recv() => keeper.reload("SIGHUP"),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut stop => break,
        }
    }
    tracing::info!("stopping");
    stopping.store(true, Ordering::Relaxed);
    // A stream that is still open then is closed with the process.
    let _ = tokio::time::timeout(STREAMS_END, streams.shutdown_gracefully()).await;
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a worker had panicked");
        }
    }
    log_counters(&counters);
    Ok(())
}

/// The last word: what came of all requests.
fn log_counters(counters: &[Arc<Counters>]) {
    let mut sums: Vec<(&str, u64)> = Vec::new();
    for (name, count) in counters.iter().flat_map(|counters| counters.read()) {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => sums.push((name, count)),
        }
    }
    let said: Vec<String> =
        sums.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    tracing::info!("requests: {}", if said.is_empty() { "none".to_owned() } else { said.join(", ") });
}
