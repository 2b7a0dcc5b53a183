//! Keeps the snapshot true: verdicts into live pools, files into zones, both into the swap.

mod reports;
mod steering;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use super::observer::Handle;
use super::overrides::Overrides;
use super::state::State;
use super::status::{Catalog, Known};
use super::{Audience, Ready, Reload, Settings, StartError};
use crate::admin::Command;
use crate::config::{self, Atlas, Dns, Loaded, Serials};
use crate::diagnostic::{Diagnostic, Severity};
use crate::health::{Board, News, ProbeId, Register, Watched, Wave};
use crate::moment::Moment;
use crate::policy::Live;
use crate::probe::{Change, Changes, Prober};
use crate::snapshot::{Identity, Served, Snapshot, Steering};
use crate::system::{Clock, seed};
use crate::wire::cookie::Secret;
use crate::zone::Zone;

/// The one writer of the snapshot.
pub(super) struct Keeper {
    folder: PathBuf,
    atlas: Atlas,
    /// What the server says of itself, and the secret that it draws for itself.
    dns: (Dns, Secret),
    identity: Identity,
    clock: Clock,
    audience: Arc<dyn Audience>,
    prober: Prober,
    changes: Changes,
    register: Register,
    board: Board,
    state: Option<State>,
    snapshots: Arc<ArcSwap<Snapshot>>,
    /// Which zones, by their place in the snapshot, a probe's verdict touches.
    touched: HashMap<ProbeId, Vec<usize>>,
    reading: Option<JoinHandle<Read>>,
    /// The files changed again while they were being read.
    read_again: bool,
    pending: Option<Pending>,
    /// What the admin API asks.
    commands: mpsc::Receiver<Command>,
    /// What operators forced.
    overrides: Overrides,
    /// Serials that move by themselves, as they are now.
    serials: Serials,
    /// The balanced names of what is served.
    catalog: Catalog,
    /// When each probe's verdict last turned in answers, which is later than it turned where a wave held it.
    turned: HashMap<ProbeId, Moment>,
    /// Until when answers live in caches that had longer TTLs, before a reload: by zone and what was given.
    earlier: HashMap<(String, String), Moment>,
    /// Zones, by their place, whose pools changed in their load or shares alone; published once [`LOADS_GAP`] is over.
    later: HashSet<usize>,
    loads_due: Moment,
    /// Who listens in on queries; `None` before any is answered.
    observer: Option<Handle>,
}

/// Between two publications of loads: they move slowly, and each costs the pools concerned a compilation.
const LOADS_GAP: Duration = Duration::from_secs(1);

/// What reading all files came to.
struct Read {
    atlas: Atlas,
    identity: Identity,
    loaded: Option<Loaded>,
    faults: Vec<Diagnostic>,
}

/// Zones that were read and wait for the first round of their new probes.
struct Pending {
    zones: Vec<(Arc<Zone>, Steering)>,
    catalog: Catalog,
    probes: HashSet<ProbeId>,
    watched: Vec<(ProbeId, Watched)>,
    deadline: Moment,
}

impl Keeper {
    /// Reads the zones and waits for the first probe round.
    pub(super) async fn start(
        settings: Settings,
        own: Secret,
        clock: Clock,
        audience: Arc<dyn Audience>,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, StartError> {
        let Settings { zones: folder, databases, latency, dns, wave, state, .. } = settings;
        let dns = (dns, own);
        let faulty = |faults: Vec<Diagnostic>| {
            audience.faults(&faults);
            StartError::Faults { errors: errors(&faults) }
        };
        let atlas = Atlas::read(&databases, latency.as_deref()).map_err(faulty)?;
        let identity = dns.0.identity(dns.1).map_err(faulty)?;
        let (prober, changes) = Prober::start(clock, seed());
        let mut keeper = Self {
            folder,
            atlas,
            dns,
            identity,
            clock,
            audience,
            prober,
            changes,
            register: Register::new(wave),
            board: Board::new(),
            state: state.map(|settings| State::open(settings, clock.now())),
            snapshots: Arc::new(ArcSwap::from_pointee(Snapshot::new(0, Vec::new()))),
            touched: HashMap::new(),
            reading: None,
            read_again: false,
            pending: None,
            commands,
            overrides: Overrides::default(),
            serials: Serials::default(),
            catalog: Catalog::default(),
            turned: HashMap::new(),
            earlier: HashMap::new(),
            later: HashSet::new(),
            loads_due: Moment::START,
            observer: None,
        };
        if let Some(overrides) = keeper.state.as_mut().map(State::take_overrides) {
            keeper.restore_overrides(overrides);
        }
        let (loaded, faults) = config::load(&keeper.folder, &keeper.atlas);
        keeper.audience.faults(&faults);
        let Some(loaded) = loaded else { return Err(StartError::Faults { errors: errors(&faults) }) };
        keeper.adopt(loaded);
        while keeper.pending.is_some() {
            keeper.attend().await;
        }
        Ok(keeper)
    }

    /// Asks `observer` whenever somebody wants to know what is asked.
    pub(super) fn observe_by(&mut self, observer: Handle) {
        self.observer = Some(observer);
    }

    /// Where the workers read.
    pub(super) fn snapshots(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshots)
    }

    /// What is served now.
    pub(super) fn ready(&self, listen: Vec<SocketAddr>, workers: usize) -> Ready {
        let snapshot = self.snapshots.load();
        let names = names(&snapshot);
        Ready {
            zones: snapshot.served().len(),
            names,
            probes: self.touched.len(),
            workers,
            listen,
            encrypted: Vec::new(),
        }
    }

    /// Reads all files anew, off the runtime's own threads; [`Keeper::attend`] takes it from there.
    pub(super) fn reload(&mut self, why: &str) {
        tracing::info!("reloading: {why}");
        if self.reading.is_some() {
            self.read_again = true;
            return;
        }
        let (folder, before) = (self.folder.clone(), (self.atlas.clone(), self.identity.clone()));
        let (dns, serials) = (self.dns.clone(), self.serials.clone());
        self.reading = Some(tokio::task::spawn_blocking(move || read(&folder, &before, &dns, &serials)));
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
        let read = async {
            match &mut self.reading {
                Some(reading) => reading.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            change = self.changes.recv() => {
                if let Some(change) = change {
                    self.take(change);
                }
            }
            read = read => {
                self.reading = None;
                match read {
                    Ok(read) => self.have_read(read),
                    Err(error) => tracing::error!(%error, "reading the zone files was broken off; the last good state keeps serving"),
                }
            }
            () = wrote => {}
            () = due => {}
            Some(command) = self.commands.recv() => self.obey(command),
        }
        self.settle();
        self.keep_state();
        self.publish_pending();
    }

    /// When there is something to do though nothing came.
    fn next(&self) -> Moment {
        let loads = if self.later.is_empty() { Moment::NEVER } else { self.loads_due };
        let pending = self.pending.as_ref().map_or(Moment::NEVER, |pending| pending.deadline);
        let state = self.kept().map_or(Moment::NEVER, State::due);
        self.register.next().min(loads).min(pending).min(state)
    }

    /// Enters `change` and all others that wait.
    fn take(&mut self, change: Change) {
        let now = self.clock.now();
        let mut next = Some(change);
        while let Some(change) = next {
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
            say(news);
        }
        self.turned.extend(settled.turned.iter().map(|&probe| (probe, now)));
        let places = |probes: &[ProbeId]| -> HashSet<usize> {
            probes.iter().filter_map(|probe| self.touched.get(probe)).flatten().copied().collect()
        };
        let (mut touched, loads) = (places(&settled.verdicts), places(&settled.loads));
        self.later.extend(loads);
        if !self.later.is_empty() && self.loads_due <= now {
            touched.extend(self.later.drain());
            self.loads_due = now + LOADS_GAP;
        }
        if touched.is_empty() {
            return;
        }
        self.later.retain(|place| !touched.contains(place));
        let snapshot = self.snapshots.load();
        let mut place = 0..;
        let next = snapshot.with_live(|served| {
            let touched = place.next().is_some_and(|place| touched.contains(&place));
            touched.then(|| {
                Arc::new(Live::compile(&served.steering.pools, &self.board, served.live.forced(), Some(&served.live)))
            })
        });
        self.snapshots.store(Arc::new(next));
        self.watch_what_is_out();
    }

    /// The state, once anything is served: what was read of it is not written over before it is in use.
    fn kept(&self) -> Option<&State> {
        self.state.as_ref().filter(|_| self.snapshots.load().generation() > 0)
    }

    /// Writes the state if it is time to.
    fn keep_state(&mut self) {
        let now = self.clock.now();
        if self.kept().is_none_or(|state| state.due() > now) {
            return;
        }
        let overrides = self.kept_overrides();
        if let Some(state) = &mut self.state {
            state.write(self.prober.ledger(), self.snapshots.load_full(), overrides, now);
        }
    }

    /// Writes the state a last time.
    pub(super) async fn finish(mut self) {
        let overrides = self.kept_overrides();
        if let Some(state) = self.state.take() {
            state.finish(self.prober.ledger(), self.snapshots.load_full(), overrides, self.clock.now()).await;
        }
    }

    fn have_read(&mut self, Read { atlas, identity, loaded, faults }: Read) {
        (self.atlas, self.identity) = (atlas, identity);
        if std::mem::take(&mut self.read_again) {
            // What was read is already old.
            self.reload("the zones folder changed while it was being read");
            return;
        }
        self.audience.faults(&faults);
        match loaded {
            Some(loaded) => self.adopt(loaded),
            None => self.audience.reloaded(&Reload::Refused { errors: errors(&faults) }),
        }
    }

    /// Begins to probe what is new; what was read is published once those probes have their first result.
    fn adopt(&mut self, loaded: Loaded) {
        self.serials = loaded.serials;
        let catalog = loaded.zones.iter().map(|zone| zone.names.iter().map(Known::of).collect()).collect();
        let mut watched = Vec::with_capacity(loaded.targets.len());
        for (target, slack) in loaded.targets.into_iter().zip(loaded.slacks) {
            let restored = self.state.as_ref().and_then(|state| state.verdict(&target));
            let watch = Watched::new(target.address, &target.monitor.timing, slack);
            let probe = self.prober.watch(target, restored);
            // What is watched already keeps to the names that are served until those are.
            if !self.register.watches(probe) {
                self.register.watch(probe, watch);
            }
            watched.push((probe, watch));
        }
        let ids: Vec<ProbeId> = watched.iter().map(|&(probe, _)| probe).collect();
        let zones = loaded.zones.into_iter().map(|zone| {
            let mut pools = zone.pools;
            // The reader of the files has numbered the very targets that are watched.
            pools.renumber(|local| ids.get(local.0 as usize).copied().unwrap_or(local));
            let names = zone.names.into_iter().map(config::Balanced::served);
            (zone.zone, Steering::new(names.collect(), pools, zone.aliases))
        });
        self.pending = Some(Pending {
            zones: zones.collect(),
            catalog,
            probes: ids.into_iter().collect(),
            watched,
            deadline: self.prober.first_round_end(),
        });
        self.publish_pending();
    }

    /// What the pools of a zone last were before the start, at the start.
    fn recalled(&self, zone: &Zone, steering: &Steering) -> Option<Live> {
        let kept = self.state.as_ref()?.last_good(zone.apex(), &steering.pools);
        (!kept.is_empty()).then(|| Live::recalled(&steering.pools, &kept))
    }

    /// Publishes what was read, if all its probes have a result or their time is up.
    fn publish_pending(&mut self) {
        let waiting = self.pending.as_ref().is_none_or(|pending| {
            let known = |&probe: &ProbeId| self.board.get(probe).is_some() || self.prober.is_pushed(probe);
            pending.deadline > self.clock.now() && !pending.probes.iter().all(known)
        });
        let Some(pending) = (if waiting { None } else { self.pending.take() }) else { return };
        let before = self.snapshots.load_full();
        let served = pending.zones.into_iter().map(|(zone, steering)| {
            // Pools that stayed as they were go on where they are, with what they last were when they lived.
            let is_same = |old: &&Served| old.zone.apex() == zone.apex() && old.steering.pools == steering.pools;
            let same = before.served().iter().find(is_same);
            let recalled = self.recalled(&zone, &steering);
            let last = same.map(|old| &*old.live).or(recalled.as_ref());
            let forced = self.overrides.forced(zone.apex(), &steering.pools);
            let live = Live::compile(&steering.pools, &self.board, &forced, last);
            Served::new(zone, Arc::new(steering), Arc::new(live))
        });
        let identity = Identity { unix_start: self.clock.unix_start(), ..self.identity.clone() };
        let snapshot = Snapshot::new(before.generation() + 1, served.collect())
            .identified(Arc::new(identity))
            .within(self.prober.horizon());
        self.touched = touched(&snapshot);
        let unheard = |probe: &&ProbeId| self.board.get(**probe).is_none() && !self.prober.is_pushed(**probe);
        for &probe in self.touched.keys().filter(unheard) {
            tracing::error!(probe = probe.0, "a first probe could not be sent in time; its endpoint counts as up");
        }
        self.prober.keep_only(&pending.probes);
        self.board.keep_only(&pending.probes);
        self.turned.retain(|probe, _| pending.probes.contains(probe));
        self.register.keep_only(|probe| pending.probes.contains(&probe));
        for (probe, watched) in pending.watched {
            self.register.watch(probe, watched);
        }
        if let Some(state) = &mut self.state {
            state.taken_up();
        }
        // All pools are new.
        self.later.clear();
        let first = before.generation() == 0;
        let (zones, names) = (snapshot.served().len(), names(&snapshot));
        let snapshot = Arc::new(snapshot);
        self.snapshots.store(Arc::clone(&snapshot));
        self.catalog = pending.catalog;
        self.after_reload(&before, &snapshot);
        if !first {
            self.audience.reloaded(&Reload::Done { zones, names });
        }
    }
}

/// Reads all files: a database or the latency table only if it was replaced, and one that is faulty then leaves what
/// it was before in place, as a faulty file of cookie secrets does.
fn read(folder: &Path, (atlas, identity): &(Atlas, Identity), (dns, own): &(Dns, Secret), serials: &Serials) -> Read {
    let (atlas, mut faults) = atlas.refreshed();
    let identity = dns.identity(*own).unwrap_or_else(|found| {
        faults.extend(found);
        identity.clone()
    });
    for fault in &mut faults {
        fault.severity = Severity::Warning;
        fault.message.push_str("; what it said before stays in use");
    }
    let (loaded, found) = config::load_after(folder, &atlas, serials);
    faults.extend(found);
    Read { atlas, identity, loaded, faults }
}

fn say(news: &News) {
    match *news {
        News::Began(Wave { family, suspects, living, since, until }) => tracing::error!(
            "{suspects} of {living} {family} endpoints failed at once: is our own network down? down verdicts are held \
             for up to {:?}, as far as the budgets allow; those answers get their least TTL",
            until.since(since)
        ),
        News::Ended { wave, down } => tracing::warn!(
            "no {} verdicts are held any more: {} endpoints had failed at once {:?} ago, and {down} probes find them down",
            wave.family,
            wave.suspects,
            wave.until.since(wave.since)
        ),
    }
}

/// Which zones each probe's verdict touches.
fn touched(snapshot: &Snapshot) -> HashMap<ProbeId, Vec<usize>> {
    let mut touched: HashMap<ProbeId, Vec<usize>> = HashMap::new();
    for (place, served) in snapshot.served().iter().enumerate() {
        for probe in served.steering.pools.probes() {
            let places = touched.entry(probe).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    touched
}

fn names(snapshot: &Snapshot) -> usize {
    snapshot.served().iter().map(|served| served.steering.names.len()).sum()
}

fn errors(faults: &[Diagnostic]) -> usize {
    faults.iter().filter(|fault| fault.severity == Severity::Error).count()
}
