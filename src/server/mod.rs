//! Start, reload, signals, shutdown, and handing over to the next process: the control plane put together.

mod given;
mod privilege;
mod doors;
mod front;
mod planes;
mod keeper;
mod revision;
mod metrics;
mod drain;
mod earlier;
mod notify;
mod observer;
mod overrides;
mod state;
mod status;
mod top;
mod watch;
mod counts;
mod supervisor;
pub mod handover;
mod error;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::{Desk, Life, Phase};
use crate::answer::Counters;
use crate::config::{Settings, Transfers};
use crate::diagnostic::Diagnostic;
use crate::system::{Clock, secret};
use crate::transfer::{Grants, Keys};
use crate::transport;
use crate::transport::secondaries::Secondaries;
use crate::transport::tally::Tally;
use crate::transport::tls::Certificates;
use crate::wire::cookie::Secret;
pub use error::StartError;
use front::{AdminTask, Front, Papers};
pub use given::Given;
use handover::{Again, Ask, Control, Goods, Handing, Leaving, Predecessor};
use keeper::{Keeper, Scope};
use metrics::Meters;
use notify::Notifier;
use observer::Observer;
pub use overrides::Kept;
use planes::{Ground, Planes};
pub use privilege::{PrivilegeError, check_user};
use supervisor::{Heartbeat, Informed};

/// How long whoever asked for a successor has to hear what became of it.
const FAREWELL: Duration = Duration::from_secs(1);

/// How this process came to be.
#[derive(Debug, Default)]
pub struct Start {
    /// Sockets that a service manager opened.
    pub given: Given,
    /// Whether it takes over from the server behind its control socket.
    pub replaces: bool,
    /// How to start one that takes over from it.
    pub again: Option<Again>,
}

/// What a server tells whoever started it: a terminal, a test.
pub trait Audience: Send + Sync {
    /// Every socket is bound and the first probe round is in; said once.
    fn ready(&self, ready: &Ready);

    /// What is wrong with the files, warnings included; also of every later reload.
    fn faults(&self, faults: &[Diagnostic]);

    /// What a reload came to.
    fn reloaded(&self, outcome: &Reload);

    /// What flags and the server file say now, `None` of it where they are at fault, and their faults; nothing from
    /// an audience that has no such file. It may take its time: it is asked by a thread that only reads.
    fn settings(&self) -> Option<(Option<Settings>, Vec<Diagnostic>)> {
        None
    }
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
    /// What was read is served now.
    Done {
        /// Zones in all.
        zones: usize,
        /// Balanced names in them.
        names: usize,
    },
    /// The files have faults; what was served before still is.
    Refused {
        /// How many of the faults are errors.
        errors: usize,
    },
    /// The guard refused it; what was served before still is.
    Guarded {
        /// Why, each in words.
        reasons: Vec<String>,
    },
}

/// Serves until SIGINT or SIGTERM, until `stop` resolves, or until another process takes over. SIGHUP and saved zone files
/// reload; a second SIGINT or SIGTERM ends it at once.
///
/// # Errors
/// As [`StartError`] says; once it is ready, only a signal ends it. Where it was to take over from another process that
/// one goes on.
pub async fn run(
    settings: Settings,
    start: Start,
    audience: Arc<dyn Audience>,
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    tokio::pin!(stop);
    let mut signals = Signals::take()?;
    let audience: Arc<dyn Audience> = Arc::new(Informed(audience));
    let stop_delay = settings.process.stop_delay;
    let mut predecessor = None;
    // The first probe round may take as long as the longest timeout.
    let begun = tokio::select! {
        begun = begin(settings, start, &mut predecessor, audience) => begun,
        () = signals.ends.next() => return Ok(()),
        () = &mut stop => return Ok(()),
    };
    let mut server = match begun {
        Ok(server) => server,
        Err(error) => {
            if let Some(predecessor) = predecessor {
                predecessor.fail(&error).await;
            }
            return Err(error);
        }
    };
    // From here on a signal is heard once everything is open, and ends it in order.
    server.open(predecessor).await?;
    match server.serve(&mut signals, stop).await {
        Ending::Stopped => {
            tokio::select! {
                biased;
                () = server.stop(stop_delay) => {}
                () = signals.ends.next() => tracing::warn!("ended at once"),
            }
        }
        Ending::Left(leaving) => server.leave(leaving).await,
    }
    Ok(())
}

/// A server that answers.
struct Server {
    keeper: Keeper,
    planes: Planes,
    life: Life,
    saved: watch::Saved,
    notifier: Option<Notifier>,
    certificates: Option<Arc<Certificates>>,
    papers: Option<Papers>,
    heartbeat: Heartbeat,
    observer: Option<Observer>,
    handing: Handing,
    goods: handover::Kept,
    /// The admin API, until it is open.
    front: Option<Front>,
    admin: Option<AdminTask>,
    audience: Arc<dyn Audience>,
    ready: Ready,
}

/// Why it answers no more.
enum Ending {
    /// A signal, or whoever started it.
    Stopped,
    /// Another process does.
    Left(Leaving),
}

/// Binds, reads, probes, answers: all that may fail or take long, before a `predecessor` is told that it can go.
async fn begin(
    mut settings: Settings,
    start: Start,
    predecessor: &mut Option<Predecessor>,
    audience: Arc<dyn Audience>,
) -> Result<Server, StartError> {
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
    let system = |what| move |error| StartError::System { what, error };

    // Sockets: those of the process before, those of a service manager, and whatever is not among them.
    let mut given = start.given;
    if start.replaces {
        let (greeted, sockets) = Predecessor::greet(&settings.process).await?;
        (*predecessor, given) = (Some(greeted), sockets);
    }
    let names = given.names();
    doors::name(&mut settings, &given)?;
    let mut opening = doors::bind(&settings, workers, &mut given, audience.as_ref())?;
    if let Some(user) = &settings.process.user {
        privilege::give_up(user).map_err(StartError::Privilege)?;
    }
    privilege::check_state(settings.state.as_ref());
    let control = Control::open(&settings.process, &mut given)?;
    given.finish().map_err(StartError::Given)?;
    let own = match predecessor {
        Some(before) => before.secret(),
        None => secret().map_err(system("draw a cookie secret"))?,
    };
    let goods = Goods { sockets: std::mem::take(&mut opening.held), names, secret: own };
    let (handing, goods) = Handing::new(control, goods, start.again).map_err(system("keep sockets for a successor"))?;
    let life = Life::default();
    let (desk, commands) = Desk::new(life.clone());
    let front = Front::new(settings.admin.as_ref(), opening.admin.take(), desk, audience.as_ref())?;
    let (mut front, papers) = front.map_or((None, None), |(front, papers)| (Some(front), papers));
    // Before anything is answered, so that it can say so; unless somebody else still does.
    let admin = if predecessor.is_some() { None } else { front.take().map(Front::open) };

    // The watch begins before the first read, so that no change falls between the two.
    let saved = watch::Saved::new(&settings.zones, &beside(&settings));
    let (doors, transfers) = (settings.doors.clone(), settings.transfers.clone());
    // Twice: serials are wanted before files are read, and verdicts as late as can be.
    let serials = match predecessor {
        Some(before) => Some(before.state().await?.take_serials()),
        None => None,
    };
    let recalling = async {
        match predecessor {
            Some(before) => before.state().await.map(Some),
            None => Ok(None),
        }
    };
    let tally = Arc::new(Tally::default());
    let seats = opening.udp.len() + workers;
    let counters: Vec<Arc<Counters>> = (0..seats).map(|_| Arc::default()).collect();
    let observed = Observer::start(settings.dnstap.clone(), settings.admin.is_some(), seats, clock);
    let (observer, taps) = observed.map_err(system("start a thread"))?;
    let rows = settings.admin.as_ref().and_then(|admin| admin.metrics);
    let meters = rows.map(|rows| Arc::new(Meters::new(&counters, &tally, rows)));
    let heard = Arc::clone(&audience);
    let mut keeper =
        Keeper::start(settings, Secret::new(own), clock, heard, commands, (serials, recalling), meters).await?;
    saved.warn_if_blind();
    let snapshots = keeper.snapshots();
    let Transfers { keys, grants, secondaries } = transfers;
    let notifier = Notifier::start(secondaries, &opening.listen, clock).await;
    let notifier = notifier.map_err(system("open a socket to tell secondaries"))?;
    let secondaries = Arc::new(Secondaries::new(Grants { grants: grants.into(), keys: Keys::new(&keys) }));

    if let Some(observer) = &observer {
        keeper.observe_by(observer.handle());
    }
    if let Some(before) = predecessor {
        keeper.take_over(before.last().await?);
    }
    let ground = Ground { snapshots, secondaries, clock, doors, workers, open_files, counters, tally, taps };
    let certificates = opening.certificates;
    let planes = Planes::start(opening.udp, opening.connections, certificates.as_ref(), ground)?;
    let heartbeat = Heartbeat::start(planes.pulses());
    let ready = Ready { encrypted: opening.encrypted, ..keeper.ready(opening.listen, workers) };
    Ok(Server {
        keeper,
        planes,
        life,
        saved,
        notifier,
        certificates,
        papers,
        heartbeat,
        observer,
        handing,
        goods,
        front,
        admin,
        audience,
        ready,
    })
}

/// What is reread when it is saved, beside the zones folder.
fn beside(settings: &Settings) -> Vec<PathBuf> {
    let encrypted = settings.doors.encrypted.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
    let tables = settings.databases.iter().chain(&settings.latency).chain(&settings.dns.cookie_secrets);
    let admin = settings.admin.iter().filter_map(|admin| admin.tls.as_ref());
    let admin = admin.flat_map(|tls| [&tls.certificate, &tls.key].into_iter().chain(&tls.clients));
    tables.chain(encrypted).chain(admin).cloned().collect()
}

impl Server {
    /// Has the `predecessor` go, opens what only one process can have, and says that it is ready.
    async fn open(&mut self, predecessor: Option<Predecessor>) -> Result<(), StartError> {
        let replaces = predecessor.is_some();
        let counts = match predecessor {
            Some(before) => before.serving().await,
            None => Vec::new(),
        };
        match self.planes.complete(counts) {
            // The other one is gone by now: better without QUIC than not at all.
            Err(error) if replaces => tracing::error!(%error, "QUIC cannot be set up; all else is answered"),
            Err(error) => return Err(StartError::System { what: "set QUIC up", error }),
            Ok(()) => {}
        }
        if let Some(front) = self.front.take() {
            self.admin = Some(front.open());
        }
        self.life.enter(Phase::Ready);
        self.audience.ready(&self.ready);
        Ok(())
    }

    /// Keeps everything true until there is an end.
    async fn serve(&mut self, signals: &mut Signals, mut stop: Pin<&mut impl Future<Output = ()>>) -> Ending {
        loop {
            if let Some(notifier) = &mut self.notifier {
                notifier.look(&self.keeper.snapshots().load());
            }
            tokio::select! {
                () = self.keeper.attend() => {}
                () = self.saved.next() => self.reload("a file was saved", Scope::Zones),
                _ = signals.hangup.recv() => {
                    supervisor::reloading();
                    self.reload("SIGHUP", Scope::Everything);
                    self.observer.iter().for_each(Observer::reopen);
                }
                () = self.heartbeat.tick() => self.heartbeat.beat(),
                ask = self.handing.next() => {
                    if let Some(leaving) = self.reply(ask).await {
                        return Ending::Left(leaving);
                    }
                }
                () = signals.ends.next() => return Ending::Stopped,
                () = &mut stop => return Ending::Stopped,
            }
        }
    }

    fn reload(&mut self, cause: &'static str, scope: Scope) {
        let audience = self.audience.as_ref();
        if let Some(certificates) = &self.certificates {
            doors::refreshed(certificates.refresh(), "the certificate", audience);
        }
        self.papers.iter().for_each(|papers| papers.refresh(audience));
        self.keeper.reload(cause, scope);
    }

    /// Does what a successor asks. Whom to leave everything to, once it comes to that.
    async fn reply(&mut self, ask: Ask) -> Option<Leaving> {
        match ask {
            Ask::Tell(reply) => drop(reply.send(Box::new(self.keeper.tell()))),
            Ask::Freeze(reply) => {
                self.keeper.freeze().await;
                drop(reply.send(Box::new(self.keeper.tell())));
            }
            Ask::Thaw => self.keeper.thaw(),
            Ask::Leave(leaving) => return Some(leaving),
        }
        None
    }

    /// Says that it stops, answers on for `delay`, then takes nothing in any more, and ends once all that is there is
    /// answered and the state is kept.
    async fn stop(mut self, delay: Duration) {
        tracing::info!("stopping");
        supervisor::stopping();
        self.life.enter(Phase::Stopping);
        self.handing.remove();
        self.linger(delay).await;
        drop(self.goods);
        let counts = self.planes.stop().await;
        self.keeper.finish().await;
        counts.log();
        finish_log(self.observer);
    }

    /// Answers on for a while, with all that belongs to it: routes are withdrawn meanwhile.
    async fn linger(&mut self, delay: Duration) {
        let over = tokio::time::sleep(delay);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => return,
                () = self.heartbeat.tick() => self.heartbeat.beat(),
                () = self.keeper.attend() => {}
            }
        }
    }

    /// Lets go of everything, since another process answers. The state is that one's to keep.
    async fn leave(mut self, Leaving { successor, released }: Leaving) {
        tracing::info!("process {successor} has taken over");
        supervisor::succeeded_by(successor);
        self.life.enter(Phase::Stopping);
        self.handing.close();
        drop((self.admin, self.goods));
        let counts = self.planes.release().await;
        // It goes on without them if it must.
        let _ = released.send(counts.into_list());
        self.planes.stop().await;
        finish_log(self.observer);
        let _ = tokio::time::timeout(FAREWELL, self.handing.finish()).await;
    }
}

/// Hands on what was heard to the last, once nobody answers any more.
fn finish_log(observer: Option<Observer>) {
    if let Some(stats) = observer.and_then(Observer::finish) {
        let said: Vec<String> = stats
            .read()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let said = if said.is_empty() { "no frames".to_owned() } else { said.join(", ") };
        tracing::info!("dnstap: {said}");
    }
}

/// The signals that mean something here.
struct Signals {
    hangup: Signal,
    ends: Ends,
}

/// Those that want the process to end.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn take() -> Result<Self, StartError> {
        let take = |kind, what| signal(kind).map_err(|error| StartError::System { what, error });
        Ok(Self {
            hangup: take(SignalKind::hangup(), "take SIGHUP")?,
            ends: Ends {
                terminate: take(SignalKind::terminate(), "take SIGTERM")?,
                interrupt: take(SignalKind::interrupt(), "take SIGINT")?,
            },
        })
    }
}

impl Ends {
    /// Waits for the next.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
