//! Start, reload, signals, shutdown, and handing over to the next process: the control plane put together.

mod starting;
mod given;
mod privilege;
mod doors;
mod front;
mod credentials;
mod planes;
mod keeper;
mod revision;
mod metrics;
mod drain;
mod still_given;
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
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::{Life, Phase};
use crate::config::Settings;
use crate::diagnostic::Diagnostic;
pub use error::StartError;
use front::{AdminTask, Front};
pub use given::Given;
use handover::{Again, Ask, Handing, Leaving, Predecessor};
use keeper::{Keeper, Scope};
use notify::Notifier;
use observer::Observer;
pub use overrides::Kept;
use planes::Planes;
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
        begun = starting::begin(settings, start, &mut predecessor, audience) => begun,
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
        Ending::AtOnce => tracing::warn!("ended at once"),
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
    heartbeat: Heartbeat,
    observer: Option<Observer>,
    handing: Handing,
    goods: handover::Kept,
    /// The admin API, and whoever takes its requests in while this is the process to ask.
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
    /// It was to end twice.
    AtOnce,
}

impl Server {
    /// Has the `predecessor` go, opens what only one process can have, and says that it is ready.
    async fn open(&mut self, predecessor: Option<Predecessor>) -> Result<(), StartError> {
        let replaces = predecessor.is_some();
        // The other one holds to the file that it has by now.
        self.observer.iter().for_each(Observer::begin);
        let counts = match predecessor {
            // UDP is answered here by now.
            Some(before) => self.attend_until(before.serving()).await,
            None => Vec::new(),
        };
        match self.planes.complete(counts) {
            // The other one is gone by now: better without QUIC than not at all.
            Err(error) if replaces => tracing::error!(%error, "QUIC cannot be set up; all else is answered"),
            Err(error) => return Err(StartError::System { what: "set QUIC up", error }),
            Ok(()) => {}
        }
        self.hear_requests();
        self.life.enter(Phase::Ready);
        self.audience.ready(&self.ready);
        Ok(())
    }

    /// Takes requests to the admin API in, from now on.
    fn hear_requests(&mut self) {
        if self.admin.is_some() {
            return;
        }
        match self.front.as_ref().map(Front::open).transpose() {
            Ok(admin) => self.admin = admin,
            Err(error) => tracing::error!("{error}; all else is served"),
        }
    }

    /// Keeps everything true until there is an end. Where that is asked for while another process is about to answer, it
    /// comes once it is known whether that one does, to whom the state belongs then.
    async fn serve(&mut self, signals: &mut Signals, mut stop: Pin<&mut impl Future<Output = ()>>) -> Ending {
        let mut is_to_end = false;
        loop {
            if is_to_end && !self.keeper.is_frozen() {
                return Ending::Stopped;
            }
            if let Some(notifier) = &mut self.notifier {
                notifier.look(&self.keeper.snapshots().load());
            }
            if let Some(settings) = self.keeper.has_renamed_files() {
                self.saved = watch::Saved::new(&settings.zones, &starting::beside(settings));
                // So that no change falls between the last reading and the watch.
                self.keeper.reload("other files are named", Scope::Zones);
            }
            tokio::select! {
                () = self.keeper.attend() => {}
                () = self.saved.next() => self.keeper.reload("a file was saved", Scope::Zones),
                _ = signals.hangup.recv() => {
                    supervisor::reloading();
                    self.keeper.reload("SIGHUP", Scope::Everything);
                    self.observer.iter().for_each(Observer::reopen);
                }
                () = self.heartbeat.tick() => self.heartbeat.beat(),
                ask = self.handing.next() => {
                    if let Some(leaving) = self.reply(ask).await {
                        return Ending::Left(leaving);
                    }
                }
                () = signals.ends.next() => {
                    if is_to_end {
                        return Ending::AtOnce;
                    }
                    is_to_end = true;
                    if self.keeper.is_frozen() {
                        tracing::info!("it will stop once it is known whether another process answers");
                    }
                }
                () = &mut stop, if !is_to_end => is_to_end = true,
            }
        }
    }

    /// Does what a successor asks. Whom to leave everything to, once it comes to that.
    async fn reply(&mut self, ask: Ask) -> Option<Leaving> {
        match ask {
            Ask::Tell(reply) => drop(reply.send(Box::new(self.keeper.tell()))),
            Ask::Freeze(reply) => {
                // Who comes now waits for whoever answers then.
                self.admin = None;
                self.keeper.freeze().await;
                self.observer.iter().for_each(Observer::hold);
                drop(reply.send(Box::new(self.keeper.tell())));
            }
            Ask::Thaw => {
                self.keeper.thaw();
                self.observer.iter().for_each(Observer::release);
                self.hear_requests();
            }
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
        // Routes are withdrawn meanwhile.
        self.attend_until(tokio::time::sleep(delay)).await;
        drop(self.goods);
        let counts = self.planes.stop().await;
        self.keeper.finish().await;
        counts.log();
        finish_log(self.observer);
    }

    /// Keeps what is answered true until `over`: nothing else is done meanwhile.
    async fn attend_until<T>(&mut self, over: impl Future<Output = T>) -> T {
        let Self { keeper, heartbeat, .. } = self;
        tokio::select! {
            biased;
            done = over => done,
            never = heartbeat.go_on() => match never {},
            never = keeper.attend_on() => match never {},
        }
    }

    /// Lets go of everything, since another process answers. The state is that one's to keep.
    async fn leave(self, Leaving { successor, released }: Leaving) {
        let Self { mut keeper, planes, life, mut handing, goods, front, admin, observer, .. } = self;
        tracing::info!("process {successor} has taken over");
        supervisor::succeeded_by(successor);
        life.enter(Phase::Stopping);
        handing.close();
        drop((front, admin, goods));
        keeper.refuse_requests();
        let (let_go, streams_end) = planes.leave();
        let handed_over = async {
            // It goes on without them if it must.
            let _ = released.send(let_go.await.into_list());
            let _ = tokio::time::timeout(FAREWELL, handing.finish()).await;
        };
        tokio::select! {
            biased;
            _ = async { tokio::join!(handed_over, streams_end) } => {}
            // Streams are answered to the last.
            never = keeper.attend_on() => match never {},
        }
        finish_log(observer);
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
