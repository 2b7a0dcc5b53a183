//! Start, reload, signals, shutdown: the control plane put together.

mod doors;
mod keeper;
mod drain;
mod notify;
mod observer;
mod overrides;
mod state;
mod status;
mod top;
mod watch;

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::admin::{self, Desk, Life, Phase, Token};
use crate::answer::{Counters, Worker};
use crate::config::{Admin, Dns, Doors, StateFile, Transfers};
use crate::diagnostic::Diagnostic;
use crate::health::WaveSettings;
use crate::observe::dnstap::Settings as Dnstap;
use crate::system::{Clock, secret, seed};
use crate::transfer::{Grants, Keys};
use crate::transport::secondaries::Secondaries;
use crate::transport::tally::Tally;
use crate::transport::{self, udp};
use crate::wire::cookie::Secret;
use keeper::Keeper;
use notify::Notifier;
use observer::Observer;
pub use overrides::Kept;

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
    /// Where the admin API is, if there is one.
    pub admin: Option<Admin>,
    /// Encryption, front ends and the limits of connections.
    pub doors: Doors,
    /// What the server says of itself.
    pub dns: Dns,
    /// Who may have zones, who signs, and who is told.
    pub transfers: Transfers,
    /// When so many endpoints fail at once that our own way to them is doubted.
    pub wave: WaveSettings,
    /// Where verdicts are kept over a restart, if they are.
    pub state: Option<StateFile>,
    /// The query log, if there is one.
    pub dnstap: Option<Dnstap>,
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
    /// Encrypted doors: what is spoken, and where.
    pub encrypted: Vec<(&'static str, SocketAddr)>,
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
        /// `UDP`, `TCP`, `TLS`, `HTTPS`, `QUIC` or `the admin API`.
        protocol: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// The zone files have faults, which the audience has heard.
    Faults {
        /// How many are errors.
        errors: usize,
    },
    /// The token of the admin API cannot be had.
    Token {
        /// The file that holds it.
        file: PathBuf,
        /// What is wrong with it.
        error: String,
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
            Self::Token { file, error } => write!(f, "the token file {}: {error}", file.display()),
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
    let open_files = transport::raise_open_files();
    match &open_files {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files; many probes at once may fail"),
    }
    let workers = match settings.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let opening = doors::bind(&settings, workers, audience.as_ref())?;
    let life = Life::default();
    let (desk, commands) = Desk::new(life.clone());
    let _admin = open_admin(settings.admin.as_ref(), desk)?;
    let system = |what| move |error| StartError::System { what, error };
    let mut hangup = signal(SignalKind::hangup()).map_err(system("take SIGHUP"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system("take SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("take SIGINT"))?;

    // The watch begins before the first read, so that no change falls between the two.
    let encrypted = settings.doors.encrypted.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
    let tables = settings.databases.iter().chain(&settings.latency).chain(&settings.dns.cookie_secrets);
    let beside: Vec<PathBuf> = tables.chain(encrypted).cloned().collect();
    let mut saved = watch::Saved::new(&settings.zones, &beside);
    let own = Secret::new(secret().map_err(system("draw a cookie secret"))?);
    let (doors, transfers) = (settings.doors.clone(), settings.transfers.clone());
    let (dnstap, is_administered) = (settings.dnstap.clone(), settings.admin.is_some());
    tokio::pin!(stop);
    let heard = Arc::clone(&audience);
    // The first probe round may take as long as the longest timeout.
    let mut keeper = tokio::select! {
        keeper = Keeper::start(settings, own, clock, heard, commands) => keeper?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
        () = &mut stop => return Ok(()),
    };
    saved.warn_if_blind();
    let snapshots = keeper.snapshots();
    let seats_count = opening.udp.len() + workers;
    let (observer, mut taps) =
        Observer::start(dnstap, is_administered, seats_count, clock).map_err(system("start a thread"))?;
    if let Some(observer) = &observer {
        keeper.observe_by(observer.handle());
    }
    let Transfers { keys, grants, secondaries } = transfers;
    let notifier = Notifier::start(secondaries, &opening.listen, clock).await;
    let mut notifier = notifier.map_err(system("open a socket to tell secondaries"))?;
    let secondaries = Arc::new(Secondaries::new(Grants { grants: grants.into(), keys: Keys::new(&keys) }));
    let (tally, stopping) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
    // One of each UDP socket, and as many for connections as there are of one address.
    let counters: Vec<Arc<Counters>> = (0..seats_count).map(|_| Arc::default()).collect();
    let mut seats = counters.iter().map(|counters| Worker::new(Arc::clone(counters), seed())).zip(&mut taps);
    let fronts = Arc::new(doors.fronts);
    let around = udp::Around { clock, fronts, secondaries: Arc::clone(&secondaries), tally: Arc::clone(&tally) };
    let mut threads = Vec::new();
    for (socket, (worker, tap)) in opening.udp.into_iter().zip(&mut seats) {
        let (snapshots, stopping, around) = (Arc::clone(&snapshots), Arc::clone(&stopping), around.clone());
        let worker = worker.limited(&doors.rates, workers, seed());
        let thread = thread::Builder::new().name("udp".to_owned());
        let thread = thread.spawn(move || udp::serve(&socket, snapshots, (worker, tap), &around, &stopping));
        threads.push(thread.map_err(system("start a thread"))?);
    }
    let certificates = opening.certificates;
    let behind = transport::doors::Behind {
        snapshots: Arc::clone(&snapshots),
        workers: seats.map(|(worker, tap)| (worker.idle(doors.limits.idle), tap)).collect(),
        clock,
        limits: doors::within(doors.limits, open_files),
        fronts: around.fronts,
        secondaries,
        tally: Arc::clone(&tally),
    };
    let streams = transport::doors::Doors::open(opening.connections, certificates.as_ref(), behind)
        .map_err(system("set TLS up"))?;
    life.enter(Phase::Ready);
    audience.ready(&Ready { encrypted: opening.encrypted, ..keeper.ready(opening.listen, workers) });

    loop {
        if let Some(notifier) = &mut notifier {
            notifier.look(&snapshots.load());
        }
        tokio::select! {
            () = keeper.attend() => {}
            () = saved.next() => {
                doors::refresh(certificates.as_deref(), audience.as_ref());
                keeper.reload("a file was saved");
            }
            _ = hangup.recv() => {
                doors::refresh(certificates.as_deref(), audience.as_ref());
                keeper.reload("SIGHUP");
                observer.iter().for_each(Observer::reopen);
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut stop => break,
        }
    }
    tracing::info!("stopping");
    life.enter(Phase::Stopping);
    keeper.finish().await;
    stopping.store(true, Ordering::Relaxed);
    // A stream that is still open then is closed with the process.
    let _ = tokio::time::timeout(STREAMS_END, streams.close()).await;
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a worker had panicked");
        }
    }
    log_counters(&counters, &tally);
    if let Some(stats) = observer.and_then(Observer::finish) {
        tracing::info!("dnstap: {}", listed(stats.read()));
    }
    Ok(())
}

/// The admin API's task, which ends with this.
struct AdminTask(tokio::task::AbortHandle);

impl Drop for AdminTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens the admin API, if there is to be one. It is there before anything is answered, so that it can say so.
fn open_admin(admin: Option<&Admin>, desk: Desk) -> Result<Option<AdminTask>, StartError> {
    let Some(Admin { listen, token_file }) = admin else { return Ok(None) };
    let token = token_file
        .as_ref()
        .map(|file| Token::read(file).map_err(|error| StartError::Token { file: file.clone(), error }));
    let token = token.transpose()?;
    if let Some(file) = token_file.as_ref().filter(|file| fs::metadata(file).is_ok_and(|of| of.mode() & 0o007 != 0)) {
        tracing::warn!("the token file {} is open to every user of this machine", file.display());
    }
    let bound = transport::stream::bind(*listen);
    let listener = bound.map_err(|error| StartError::Bind { address: *listen, protocol: "the admin API", error })?;
    tracing::info!("the admin API is on http://{listen}");
    Ok(Some(AdminTask(tokio::spawn(admin::serve(listener, desk, token)).abort_handle())))
}

/// The last word: what came of all requests.
fn log_counters(counters: &[Arc<Counters>], tally: &Tally) {
    let mut sums: Vec<(&'static str, u64)> = Vec::new();
    for (name, count) in counters.iter().flat_map(|counters| counters.read()) {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => sums.push((name, count)),
        }
    }
    tracing::info!("requests: {}", listed(sums));
    tracing::info!("connections: {}", listed(tally.read()));
}

/// Names and their counts, but for what never came.
fn listed(counts: impl IntoIterator<Item = (&'static str, u64)>) -> String {
    let said: Vec<String> =
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}
