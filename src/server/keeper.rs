//! Keeps the snapshot true: verdicts into live pools, files into zones, both into the swap.

mod concluding;
mod explaining;
mod guard;
mod holdings;
mod measuring;
mod out;
mod passing;
mod reading;
mod reloading;
mod reports;
mod retired;
mod steering;
mod turns;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::credentials::Credentials;
use super::earlier::Earlier;
use super::metrics::{History, Meters};
use super::observer::Handle;
use super::overrides::Overrides;
use super::state::{KeptBy, Lock, Recalled, State};
use super::status::Catalog;
use super::{Audience, Ready, Settings, StartError};
use crate::admin::Command;
use crate::admin::api::ReloadReport;
use crate::config::{Atlas, KeptSerial};
use crate::diagnostic::{Diagnostic, Severity, plural};
use crate::health::{Board, News, ProbeId, Register, Watched, Wave};
use crate::moment::Moment;
use crate::policy::PoolId;
use crate::probe::{Change, Changes, Prober};
use crate::snapshot::{Identity, Snapshot};
use crate::system::{Clock, seed};
use crate::wire::cookie::Secret;
use holdings::Holdings;
pub(super) use reading::Scope;
use reading::{Asked, Reader};
use reloading::Pending;
use retired::Retired;

/// The one writer of the snapshot.
pub(super) struct Keeper {
    /// As at the start, but for what was changed since and can be.
    settings: Settings,
    /// Keys of the server file that say something else by now, and take a restart.
    needs_restart: Vec<String>,
    /// Whether the settings name other files than when [`Keeper::has_renamed_files`] was last asked.
    renamed_files: bool,
    /// Files at fault of which what they said before is still in use, in words.
    stale: Vec<String>,
    atlas: Atlas,
    /// The secret that the server draws for itself.
    own: Secret,
    identity: Identity,
    clock: Clock,
    audience: Arc<dyn Audience>,
    prober: Prober,
    changes: Changes,
    register: Register,
    board: Board,
    state: Option<State>,
    /// What was known before the first zones were served.
    recalled: Recalled,
    standing: Standing,
    snapshots: Arc<ArcSwap<Snapshot>>,
    /// Snapshots of before, until nobody reads them.
    retired: Retired,
    /// What is served is made of these.
    holdings: Arc<Holdings>,
    /// Every probe of that.
    watched: HashMap<ProbeId, Watched>,
    /// Which zones, by their place in the snapshot, a probe's verdict touches.
    touched: HashMap<ProbeId, Vec<usize>>,
    reader: Reader,
    /// What the next reading is for, if there is to be one when this one is over.
    asked: Option<Asked>,
    pending: Option<Pending>,
    /// What the last reload came to.
    last_reload: Option<ReloadReport>,
    /// What the admin API asks.
    commands: mpsc::Receiver<Command>,
    /// What operators forced.
    overrides: Overrides,
    /// The balanced names of what is served.
    catalog: Catalog,
    /// When each probe's verdict last turned in answers, which is later than it turned where a wave held it.
    turned: HashMap<ProbeId, Moment>,
    /// Until when answers live in caches that had longer TTLs, before a reload.
    earlier: Earlier,
    /// Probes that changed in their load or shares alone; published once [`LOADS_GAP`] is over.
    later: HashSet<ProbeId>,
    loads_due: Moment,
    /// What is counted; nothing, where nobody may see it.
    meters: Option<Arc<Meters>>,
    history: History,
    /// Who listens in on queries; `None` before any is answered.
    observer: Option<Handle>,
    /// What is read anew with the files.
    credentials: Arc<Credentials>,
}

/// Whether this process is the one that keeps the state and obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Another one still is.
    Waiting,
    /// It is.
    Serving,
    /// Another one is about to be.
    Frozen,
}

/// Between two publications of loads: they move slowly, and each costs the pools concerned a compilation.
const LOADS_GAP: Duration = Duration::from_secs(1);

impl Keeper {
    /// Reads the zones and waits for the first probe round. Another process gave `serials`, and what it knows comes by
    /// `recalling` once all is read; without it, what the state file says is taken up.
    pub(super) async fn start(
        settings: Settings,
        own: Secret,
        clock: Clock,
        audience: Arc<dyn Audience>,
        commands: mpsc::Receiver<Command>,
        (serials, recalling): (Option<Vec<KeptSerial>>, impl Future<Output = Result<Option<Recalled>, StartError>>),
        meters: Option<Arc<Meters>>,
    ) -> Result<Self, StartError> {
        let Settings { databases, latency, dns, wave, state, .. } = settings.clone();
        let faulty = |faults: Vec<Diagnostic>| {
            audience.faults(&faults);
            StartError::of(&faults)
        };
        let atlas = Atlas::read(&databases, latency.as_deref()).map_err(faulty)?;
        let identity = dns.identity(own).map_err(faulty)?;
        let (prober, changes) = Prober::start(clock, seed());
        let mut keeper = Self {
            settings,
            needs_restart: Vec::new(),
            renamed_files: false,
            stale: Vec::new(),
            atlas,
            own,
            identity,
            clock,
            audience,
            prober,
            changes,
            register: Register::new(wave),
            board: Board::new(),
            state: None,
            recalled: Recalled::default(),
            standing: Standing::Waiting,
            snapshots: Arc::new(ArcSwap::from_pointee(Snapshot::new(0, Vec::new()))),
            retired: Retired::default(),
            holdings: Arc::default(),
            watched: HashMap::new(),
            touched: HashMap::new(),
            reader: Reader::default(),
            asked: None,
            pending: None,
            last_reload: None,
            commands,
            overrides: Overrides::default(),
            catalog: Catalog::default(),
            turned: HashMap::new(),
            earlier: Earlier::default(),
            later: HashSet::new(),
            loads_due: Moment::START,
            meters,
            history: History::default(),
            observer: None,
            credentials: Arc::default(),
        };
        let (mut recalled, mut lock) = (Recalled::default(), None);
        let serials = match (serials, &state) {
            // What is taken over from another process is that one's to keep until then.
            (Some(serials), _) => serials,
            (None, Some(state)) => {
                lock = alone(&state.file)?;
                recalled = Recalled::read(state);
                recalled.take_serials()
            }
            (None, None) => Vec::new(),
        };
        keeper.holdings = Arc::new(Holdings::after(serials));
        let read = keeper.read_first()?;
        keeper.recall(state.map(|state| (state, lock)), (recalled, recalling.await?));
        keeper.adopt_first(read);
        while keeper.pending.is_some() {
            keeper.attend().await;
        }
        Ok(keeper)
    }

    /// Asks `observer` whenever somebody wants to know what is asked.
    pub(super) fn observe_by(&mut self, observer: Handle) {
        self.observer = Some(observer);
    }

    /// Reads `credentials` anew whenever it reads the files.
    pub(super) fn refresh_too(&mut self, credentials: Credentials) {
        self.credentials = Arc::new(credentials);
    }

    /// The settings, if they name other files than when this was last asked.
    pub(super) fn has_renamed_files(&mut self) -> Option<&Settings> {
        std::mem::take(&mut self.renamed_files).then_some(&self.settings)
    }

    /// Where the workers read.
    pub(super) fn snapshots(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshots)
    }

    /// What is served now.
    pub(super) fn ready(&self, listen: Vec<SocketAddr>, workers: usize) -> Ready {
        let snapshot = self.snapshots.load();
        Ready {
            zones: snapshot.served().len(),
            names: self.holdings.names(),
            probes: self.touched.len(),
            workers,
            listen,
            encrypted: Vec::new(),
        }
    }

    /// Waits for one thing to do and does it. May be dropped while it waits without losing anything.
    pub(super) async fn attend(&mut self) {
        let (clock, next) = (self.clock, self.next());
        let due = async {
            match next {
                Moment::NEVER => std::future::pending().await,
                next => sleep_until(clock.instant(next).into()).await,
            }
        };
        let wrote = async {
            match &mut self.state {
                Some(state) => state.wrote().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            change = self.changes.recv() => {
                if let Some(change) = change {
                    self.take(change);
                }
            }
            read = self.reader.read() => self.have_read(read),
            () = wrote => {}
            () = due => {}
            Some(command) = self.commands.recv(), if self.standing == Standing::Serving => self.obey(command),
        }
        self.settle();
        self.keep_state();
        self.publish_pending();
        self.retired.look(self.clock.now());
    }

    /// Does one thing after the other, until it is dropped.
    pub(super) async fn attend_on(&mut self) -> Infallible {
        loop {
            self.attend().await;
        }
    }

    /// When there is something to do though nothing came.
    fn next(&self) -> Moment {
        let loads = if self.later.is_empty() { Moment::NEVER } else { self.loads_due };
        let pending = self.pending.as_ref().map_or(Moment::NEVER, |pending| pending.deadline);
        let state = self.kept().map_or(Moment::NEVER, State::due);
        self.register.next().min(loads).min(pending).min(state).min(self.retired.due())
    }

    /// Enters `change` and all others that wait.
    fn take(&mut self, change: Change) {
        let now = self.clock.now();
        let mut next = Some(change);
        while let Some(change) = next {
            self.log_turn(&change);
            self.register.enter(change.probe, change.health, change.ramp, now);
            if let (Some(_), Some(state)) = (change.turned, &mut self.state) {
                state.has_turned();
            }
            next = self.changes.try_recv();
        }
    }

    /// Publishes the pools that verdicts touch, in one swap: at once, but those of which only the load is another
    /// once a second.
    fn settle(&mut self) {
        let now = self.clock.now();
        let settled = self.register.settle(now, &mut self.board);
        for news in &settled.news {
            self.history.waves += u64::from(matches!(news, News::Began(_)));
            say(news);
        }
        settled.held.iter().for_each(|&(probe, until)| self.prober.hold(probe, until));
        self.turned.extend(settled.turned.iter().map(|&probe| (probe, now)));
        let mut turned = settled.verdicts;
        self.later.extend(settled.loads);
        if !self.later.is_empty() && self.loads_due <= now {
            turned.extend(self.later.drain());
            self.loads_due = now + LOADS_GAP;
        }
        if turned.is_empty() {
            return;
        }
        self.compile_turned(&turned);
        self.watch_what_is_out();
    }

    /// Compiles the pools that the verdicts of these probes touch and publishes them in one swap. What is due
    /// later of the same probes is done with it.
    fn compile_turned(&mut self, turned: &[ProbeId]) {
        let begun = self.clock.now();
        let mut pools: HashMap<usize, Vec<PoolId>> = HashMap::new();
        let snapshot = self.snapshots.load_full();
        for &probe in turned {
            self.later.remove(&probe);
            for &place in self.touched.get(&probe).into_iter().flatten() {
                let Some(served) = snapshot.served().get(place) else { continue };
                pools.entry(place).or_default().extend(served.steering.dependents.of_probe(probe));
            }
        }
        if pools.is_empty() {
            return;
        }
        let (mut place, mut compiled) = (0.., 0);
        let next = snapshot.with_live(|served| {
            let turned = place.next().and_then(|place| pools.get(&place))?;
            let (live, count) = served.live.turned(&served.steering.pools, &self.board, turned);
            compiled += count;
            Some(Arc::new(live))
        });
        let (probes, zones) = (turned.len(), pools.len());
        self.publish(next, None);
        let took = self.clock.now().since(begun);
        tracing::debug!("{probes} probes turned: {compiled} pools of {zones} zones compiled and served in {took:?}");
    }

    /// Puts `next` where the workers read. What they read until now is freed once they have let it go, with what it
    /// was made of, where that is another.
    fn publish(&mut self, next: Snapshot, done_with: Option<Arc<Holdings>>) {
        let old = self.snapshots.swap(Arc::new(next));
        self.retired.add(old, done_with, self.clock.now());
    }

    /// The state, once anything is served: what was read of it is not written over before it is in use, and never by two
    /// processes.
    fn kept(&self) -> Option<&State> {
        let is_ours = self.standing == Standing::Serving && self.snapshots.load().generation() > 0;
        self.state.as_ref().filter(|_| is_ours)
    }

    /// Writes the state if it is time to.
    fn keep_state(&mut self) {
        let now = self.clock.now();
        if self.kept().is_none_or(|state| state.due() > now) {
            return;
        }
        let beside = self.beside();
        if let Some(state) = &mut self.state {
            state.write(self.prober.ledger(), self.snapshots.load_full(), beside, now);
        }
    }

    /// Writes the state a last time, unless it is another's by now.
    pub(super) async fn finish(mut self) {
        if self.kept().is_none() {
            return;
        }
        let beside = self.beside();
        if let Some(state) = self.state.take() {
            state.finish(self.prober.ledger(), self.snapshots.load_full(), beside, self.clock.now()).await;
        }
    }
}

/// The lock on the `file` of the state; none where none can be had, which writing it will tell.
fn alone(file: &Path) -> Result<Option<Lock>, StartError> {
    match Lock::take(file) {
        Ok(KeptBy::Here(lock)) => Ok(Some(lock)),
        Ok(KeptBy::Elsewhere) => Err(StartError::State { file: file.to_owned() }),
        Err(error) => {
            tracing::debug!(%error, "no lock on {}", file.display());
            Ok(None)
        }
    }
}

fn say(news: &News) {
    match *news {
        News::Began(Wave { family, suspects, living, since, until }) => tracing::error!(
            "{suspects} of {living} {family} endpoints failed at once: is our own network down? down verdicts are held \
             for up to {:?}, as far as the budgets allow; those answers get their least TTL",
            until.since(since)
        ),
        News::Ended { wave, down } => tracing::warn!(
            "no {} verdicts are held any more: {} endpoints had failed at once {:?} ago; found down by {}",
            wave.family,
            wave.suspects,
            wave.until.since(wave.since),
            plural(down, "probe")
        ),
    }
}

fn errors(faults: &[Diagnostic]) -> usize {
    faults.iter().filter(|fault| fault.severity == Severity::Error).count()
}
