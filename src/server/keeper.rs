//! Keeps the snapshot true: verdicts into live pools, files into zones, both into the swap.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use super::{Audience, Ready, Reload, StartError};
use crate::config::{self, Atlas, Loaded};
use crate::diagnostic::{Diagnostic, Severity};
use crate::health::{Board, ProbeId};
use crate::moment::Moment;
use crate::policy::Live;
use crate::probe::{Change, Changes, Prober};
use crate::snapshot::{Served, Snapshot, Steering};
use crate::system::{Clock, seed};
use crate::zone::Zone;

/// The one writer of the snapshot.
pub(super) struct Keeper {
    folder: PathBuf,
    atlas: Atlas,
    clock: Clock,
    audience: Arc<dyn Audience>,
    prober: Prober,
    changes: Changes,
    board: Board,
    snapshots: Arc<ArcSwap<Snapshot>>,
    /// Which zones, by their place in the snapshot, a probe's verdict touches.
    touched: HashMap<ProbeId, Vec<usize>>,
    reading: Option<JoinHandle<Read>>,
    /// The files changed again while they were being read.
    read_again: bool,
    pending: Option<Pending>,
}

/// What reading all files came to.
struct Read {
    atlas: Atlas,
    loaded: Option<Loaded>,
    faults: Vec<Diagnostic>,
}

/// Zones that were read and wait for the first round of their new probes.
struct Pending {
    zones: Vec<(Arc<Zone>, Steering)>,
    probes: HashSet<ProbeId>,
    deadline: Moment,
}

impl Keeper {
    /// Reads the zones and waits for the first probe round.
    pub(super) async fn start(
        folder: PathBuf,
        databases: &[PathBuf],
        latency: Option<&Path>,
        clock: Clock,
        audience: Arc<dyn Audience>,
    ) -> Result<Self, StartError> {
        let atlas = Atlas::read(databases, latency).map_err(|faults| {
            audience.faults(&faults);
            StartError::Faults { errors: errors(&faults) }
        })?;
        let (prober, changes) = Prober::start(clock, seed());
        let mut keeper = Self {
            folder,
            atlas,
            clock,
            audience,
            prober,
            changes,
            board: Board::new(),
            snapshots: Arc::new(ArcSwap::from_pointee(Snapshot::new(0, Vec::new()))),
            touched: HashMap::new(),
            reading: None,
            read_again: false,
            pending: None,
        };
        let (loaded, faults) = config::load(&keeper.folder, &keeper.atlas);
        keeper.audience.faults(&faults);
        let Some(loaded) = loaded else { return Err(StartError::Faults { errors: errors(&faults) }) };
        keeper.adopt(loaded);
        while keeper.pending.is_some() {
            keeper.attend().await;
        }
        Ok(keeper)
    }

    /// Where the workers read.
    pub(super) fn snapshots(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshots)
    }

    /// What is served now.
    pub(super) fn ready(&self, listen: Vec<SocketAddr>, workers: usize) -> Ready {
        let snapshot = self.snapshots.load();
        let names = names(&snapshot);
        Ready { zones: snapshot.served().len(), names, probes: self.touched.len(), workers, listen }
    }

    /// Reads all files anew, off the runtime's own threads; [`Keeper::attend`] takes it from there.
    pub(super) fn reload(&mut self, why: &str) {
        tracing::info!("reloading: {why}");
        if self.reading.is_some() {
            self.read_again = true;
            return;
        }
        let (folder, before) = (self.folder.clone(), self.atlas.clone());
        self.reading = Some(tokio::task::spawn_blocking(move || read(&folder, &before)));
    }

    /// Waits for one thing to do and does it. May be dropped while it waits without losing anything.
    pub(super) async fn attend(&mut self) {
        let deadline = self.pending.as_ref().map(|pending| pending.deadline);
        let clock = self.clock;
        let overdue = async {
            match deadline {
                Some(deadline) => sleep_until(clock.instant(deadline).into()).await,
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
            () = overdue => {}
        }
        self.publish_pending();
    }

    /// Enters `change` and all others that wait, and publishes the pools that they touch in one swap.
    fn take(&mut self, change: Change) {
        let mut touched = HashSet::new();
        let mut next = Some(change);
        while let Some(change) = next {
            self.board.set(change.probe, change.health);
            touched.extend(self.touched.get(&change.probe).into_iter().flatten().copied());
            next = self.changes.try_recv();
        }
        if touched.is_empty() {
            return;
        }
        let snapshot = self.snapshots.load();
        let mut place = 0..;
        let next = snapshot.with_live(|served| {
            let touched = place.next().is_some_and(|place| touched.contains(&place));
            touched.then(|| Arc::new(Live::compile(&served.steering.pools, &self.board, Some(&served.live))))
        });
        self.snapshots.store(Arc::new(next));
    }

    fn have_read(&mut self, Read { atlas, loaded, faults }: Read) {
        self.atlas = atlas;
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
        let ids: Vec<ProbeId> = loaded.targets.into_iter().map(|target| self.prober.watch(target)).collect();
        let zones = loaded.zones.into_iter().map(|zone| {
            let mut pools = zone.pools;
            for endpoint in &mut pools.endpoints {
                endpoint.probe = endpoint.probe.and_then(|local| ids.get(local.0 as usize).copied());
            }
            let names = zone.names.into_iter().map(config::Balanced::served);
            (zone.zone, Steering::new(names.collect(), pools, zone.aliases))
        });
        self.pending = Some(Pending {
            zones: zones.collect(),
            probes: ids.into_iter().collect(),
            deadline: self.prober.first_round_end(),
        });
        self.publish_pending();
    }

    /// Publishes what was read, if all its probes have a result or their time is up.
    fn publish_pending(&mut self) {
        let waiting = self.pending.as_ref().is_none_or(|pending| {
            let known = |&probe: &ProbeId| self.board.get(probe).is_some();
            pending.deadline > self.clock.now() && !pending.probes.iter().all(known)
        });
        let Some(pending) = (if waiting { None } else { self.pending.take() }) else { return };
        let before = self.snapshots.load_full();
        let served = pending.zones.into_iter().map(|(zone, steering)| {
            // Pools that stayed as they were go on where they are, with what they last were when they lived.
            let is_same = |old: &&Served| old.zone.apex() == zone.apex() && old.steering.pools == steering.pools;
            let same = before.served().iter().find(is_same);
            let live = Live::compile(&steering.pools, &self.board, same.map(|old| &*old.live));
            Served::new(zone, Arc::new(steering), Arc::new(live))
        });
        let snapshot = Snapshot::new(before.generation() + 1, served.collect());
        self.touched = touched(&snapshot);
        for &probe in self.touched.keys().filter(|probe| self.board.get(**probe).is_none()) {
            tracing::error!(probe = probe.0, "a first probe could not be sent in time; its endpoint counts as up");
        }
        self.prober.keep_only(&pending.probes);
        self.board.keep_only(&pending.probes);
        let first = before.generation() == 0;
        let (zones, names) = (snapshot.served().len(), names(&snapshot));
        self.snapshots.store(Arc::new(snapshot));
        if !first {
            self.audience.reloaded(&Reload::Done { zones, names });
        }
    }
}

/// Reads all files: a database or the latency table only if it was replaced, and one that is faulty then leaves what
/// it was before in place.
fn read(folder: &Path, before: &Atlas) -> Read {
    let (atlas, mut faults) = before.refreshed();
    for fault in &mut faults {
        fault.severity = Severity::Warning;
        fault.message.push_str("; what it said before stays in use");
    }
    let (loaded, found) = config::load(folder, &atlas);
    faults.extend(found);
    Read { atlas, loaded, faults }
}

/// Which zones each probe's verdict touches.
fn touched(snapshot: &Snapshot) -> HashMap<ProbeId, Vec<usize>> {
    let mut touched: HashMap<ProbeId, Vec<usize>> = HashMap::new();
    for (place, served) in snapshot.served().iter().enumerate() {
        for probe in served.steering.pools.endpoints.iter().filter_map(|endpoint| endpoint.probe) {
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
