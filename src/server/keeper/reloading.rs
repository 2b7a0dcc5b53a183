//! From "something was saved" to what is served: read, probe what is new, look at it, publish. Or leave all as it was,
//! and say why.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::revision::needs_restart;
use super::super::status::Catalog;
use super::super::{Settings, StartError};
use super::Keeper;
use super::concluding::{Outcome, changes};
use super::guard::{self, Proposal};
use super::holdings::{Held, Holdings};
use super::reading::{Asked, HasRead, Read, Scope, Task};
use crate::admin::api::{ReloadReport, ReloadRequest};
use crate::config::{Atlas, Reading};
use crate::diagnostic::{Diagnostic, Place};
use crate::health::{ProbeId, Watched};
use crate::moment::Moment;
use crate::policy::Live;
use crate::snapshot::{Identity, Served, Snapshot};
use crate::wire::name::Name;

/// Zones that were read and wait for the first round of their new probes.
#[derive(Debug)]
pub(super) struct Pending {
    holdings: Arc<Holdings>,
    /// Which of its zones, by their place, a probe's verdict touches.
    touched: HashMap<ProbeId, Vec<usize>>,
    watched: HashMap<ProbeId, Watched>,
    /// Probes without a result, as far as is known.
    unheard: Vec<ProbeId>,
    pub(super) deadline: Moment,
    beside: Beside,
    asked: Asked,
    begun: Moment,
    faults: Vec<Diagnostic>,
    /// Why too much would move, in words; empty where it does not.
    moving: Vec<String>,
}

impl Pending {
    pub(super) fn holdings(&self) -> &Arc<Holdings> {
        &self.holdings
    }

    /// Which zones of the holdings, by their place, the verdict of `probe` touches.
    pub(super) fn touched(&self, probe: ProbeId) -> Option<&Vec<usize>> {
        self.touched.get(&probe)
    }
}

/// What was read beside zones, and counts from when those do.
#[derive(Clone, Debug)]
struct Beside {
    atlas: Atlas,
    identity: Identity,
    /// Nothing where nobody looked.
    settings: Option<Settings>,
}

/// What was read before anything was served.
pub(super) struct First {
    found: Reading,
    moving: Vec<String>,
    base: Arc<Holdings>,
    beside: Beside,
    begun: Moment,
    faults: Vec<Diagnostic>,
}

impl Keeper {
    /// Reads the files for the first time; it is waited for.
    pub(super) fn read_first(&mut self) -> Result<First, StartError> {
        let begun = self.clock.now();
        let Read { atlas, identity, base, settings, found, moving, faults, stale } =
            self.task(Insistence::Forced).read(Scope::Zones);
        self.stale = stale;
        let beside = Beside { atlas, identity, settings };
        self.audience.faults(&faults);
        match found {
            Some(found) => Ok(First { found, moving, base, beside, begun, faults }),
            None => Err(StartError::of(&faults)),
        }
    }

    /// Begins to probe what was read first.
    pub(super) fn adopt_first(&mut self, First { found, moving, base, beside, begun, faults }: First) {
        self.adopt((found, moving), (&base, beside), Asked::new("start", Scope::Zones), begun, faults);
    }

    /// Reads what changed, off the runtime's own threads; [`Keeper::attend`](super::Keeper::attend) takes it from
    /// there.
    pub(in super::super) fn reload(&mut self, cause: &'static str, scope: Scope) {
        self.begin(Asked::new(cause, scope));
    }

    /// The same, for somebody who waits for what becomes of it.
    pub(super) fn reload_asked(&mut self, request: ReloadRequest, reply: oneshot::Sender<ReloadReport>) {
        self.begin(Asked { forced: request.force, waiting: vec![reply], ..Asked::new("asked", Scope::Everything) });
    }

    fn begin(&mut self, asked: Asked) {
        tracing::info!("reloading: {}", asked.cause);
        self.asked = Some(match self.asked.take() {
            Some(earlier) => asked.and(earlier),
            None => asked,
        });
        self.read_on();
    }

    /// Begins to read what is asked for, if it is time to: one reading at a time, and what was insisted on is served first,
    /// so that nothing else passes the guard by that.
    fn read_on(&mut self) {
        let is_insisted_on = self.pending.as_ref().is_some_and(|pending| pending.asked.forced);
        if self.reader.is_busy() || is_insisted_on {
            return;
        }
        let Some(asked) = self.asked.take() else { return };
        let now = self.clock.now();
        if let Err((asked, error)) = self.reader.begin(self.task(Insistence::of(&asked)), asked, now) {
            self.broken_off(asked, now, &format!("there is no thread to read it: {error}"));
        }
    }

    /// Nothing came of a reading, through no fault of what was to be read.
    fn broken_off(&mut self, asked: Asked, begun: Moment, why: &str) {
        let faults = [Diagnostic::error(Place::of_file(&self.settings.zones), why)];
        self.audience.faults(&faults);
        self.conclude(asked, begun, &faults, Outcome::Faulty);
    }

    fn task(&self, insistence: Insistence) -> Task {
        let pending = self.pending.as_ref();
        let base = pending.map_or(&self.holdings, |pending| &pending.holdings);
        let (atlas, identity) =
            pending.map_or((&self.atlas, &self.identity), |pending| (&pending.beside.atlas, &pending.beside.identity));
        let settings = pending.and_then(|pending| pending.beside.settings.as_ref()).unwrap_or(&self.settings);
        Task {
            folder: self.settings.zones.clone(),
            atlas: atlas.clone(),
            identity: identity.clone(),
            dns: (settings.dns.clone(), self.own),
            credentials: Arc::clone(&self.credentials),
            audience: Arc::clone(&self.audience),
            guard: (insistence == Insistence::Guarded).then_some(settings.guard),
            served: Arc::clone(&self.holdings),
            base: Arc::clone(base),
        }
    }

    pub(super) fn have_read(&mut self, HasRead { asked, begun, read }: HasRead) {
        let Some(Read { atlas, identity, base, settings, found, moving, faults, stale }) = read else {
            self.broken_off(asked, begun, "reading it was broken off by a fault of the server's own");
            self.read_on();
            return;
        };
        // What it was compared with was refused meanwhile, or is another by now.
        let counts = Arc::ptr_eq(&base, self.pending.as_ref().map_or(&self.holdings, |pending| &pending.holdings));
        // What was read may be old already. But a folder that is never quiet is served too, every second reading; and what
        // was insisted on is what was read, not what was saved since.
        let is_old = self.asked.is_some() && !asked.passed_over && !asked.forced;
        if !counts || is_old {
            let again = match self.asked.take() {
                Some(again) => again.and(asked),
                None => asked,
            };
            self.asked = Some(Asked { passed_over: true, ..again });
            self.read_on();
            return;
        }
        self.stale = stale;
        self.audience.faults(&faults);
        let beside = Beside { atlas, identity, settings };
        match found {
            Some(found) => self.adopt((found, moving), (&base, beside), asked, begun, faults),
            None => self.conclude(asked, begun, &faults, Outcome::Faulty),
        }
        self.read_on();
    }

    /// Takes up what of `settings` can be changed while it runs, and notes what cannot.
    fn revise(&mut self, settings: Settings) {
        self.needs_restart = needs_restart(&self.settings, &settings);
        if !self.needs_restart.is_empty() {
            let keys = self.needs_restart.join(", ");
            tracing::warn!("the server file says something else of {keys}: that counts after a restart");
        }
        self.renamed_files |= self.settings.dns.cookie_secrets != settings.dns.cookie_secrets;
        self.register.set(settings.wave);
        (self.settings.dns, self.settings.wave, self.settings.guard) = (settings.dns, settings.wave, settings.guard);
    }

    /// Begins to probe what is new; what was read is published once those probes have their first result.
    fn adopt(
        &mut self,
        (found, moving): (Reading, Vec<String>),
        (base, beside): (&Holdings, Beside),
        asked: Asked,
        begun: Moment,
        faults: Vec<Diagnostic>,
    ) {
        let (recalled, prober) = (&self.recalled, &mut self.prober);
        let holdings = Holdings::of(found, base, |target| {
            let restored = recalled.verdict(&target);
            prober.watch(target, restored)
        });
        let watched = holdings.watched();
        // What is watched already keeps to the names that are served until those are.
        for (&probe, &watch) in &watched {
            if !self.register.watches(probe) {
                self.register.watch(probe, watch);
            }
        }
        let asked = match self.pending.take() {
            // Whoever waits for what is overtaken hears of this.
            Some(overtaken) => asked.and(overtaken.asked),
            None => asked,
        };
        self.pending = Some(Pending {
            touched: touched(&holdings),
            holdings: Arc::new(holdings),
            unheard: watched.keys().copied().collect(),
            watched,
            deadline: self.prober.first_round_end(),
            beside,
            asked,
            begun,
            faults,
            moving,
        });
        self.publish_pending();
    }

    /// Publishes what was read, if all its probes have a result or their time is up; then goes on reading.
    pub(super) fn publish_pending(&mut self) {
        let Some(pending) = &mut self.pending else { return };
        while let Some(&probe) = pending.unheard.last()
            && (self.board.get(probe).is_some() || self.prober.is_pushed(probe))
        {
            pending.unheard.pop();
        }
        if !pending.unheard.is_empty() && pending.deadline > self.clock.now() {
            return;
        }
        let Some(pending) = self.pending.take() else { return };
        let before = self.snapshots.load_full();
        let after = self.proposed(&before, &pending);
        let catalog = pending.holdings.catalog();
        let proposal = Proposal { before: &before, names_before: &self.catalog, after: &after, names_after: &catalog };
        if before.is_ready() && !pending.asked.forced {
            // What the server file says of it counts at once.
            let guard = pending.beside.settings.as_ref().map_or(self.settings.guard, |settings| settings.guard);
            let mut reasons = guard::left_alone(&guard, &proposal);
            reasons.extend(pending.moving.iter().cloned());
            if !reasons.is_empty() {
                self.refuse(pending, reasons);
                return;
            }
        }
        self.take_up(pending, &before, after, catalog);
        self.read_on();
    }

    /// What would be served, of `pending`. Zones that are the same are taken over from `before`, with their turns.
    fn proposed(&self, before: &Snapshot, pending: &Pending) -> Snapshot {
        let known: HashMap<&Name, &Served> =
            before.served().iter().map(|served| (served.zone.apex(), served)).collect();
        let served = pending.holdings.zones.iter().map(|Held { zone, steering, .. }| {
            let known = known.get(zone.apex()).copied();
            if let Some(same) = known.filter(|known| Arc::ptr_eq(&known.steering, steering)) {
                return same.clone();
            }
            // Pools that stayed as they were go on where they are, with what they last were when they lived.
            let same = known.filter(|known| known.steering.pools == steering.pools);
            let kept = self.recalled.last_good(zone.apex(), &steering.pools);
            let recalled = (!kept.is_empty()).then(|| Live::recalled(&steering.pools, &kept));
            let last = same.map(|known| &*known.live).or(recalled.as_ref());
            let forced = self.overrides.forced(zone.apex(), &steering.pools);
            let live = Live::compile(&steering.pools, &self.board, &forced, last);
            Served::new(Arc::clone(zone), Arc::clone(steering), Arc::new(live))
        });
        let identity = Identity { unix_start: self.clock.unix_start(), ..pending.beside.identity.clone() };
        before.followed_by(served.collect()).identified(Arc::new(identity)).within(self.prober.horizon())
    }

    /// Leaves all as it was.
    fn refuse(&mut self, pending: Pending, reasons: Vec<String>) {
        // Whatever was probed for this alone is probed no more. What is being read counts on its numbers, and will not do.
        self.keep_probes();
        let Pending { asked, begun, faults, .. } = pending;
        self.conclude(asked, begun, &faults, Outcome::Guarded(reasons));
    }

    fn take_up(&mut self, pending: Pending, before: &Snapshot, after: Snapshot, catalog: Catalog) {
        let Pending { holdings, touched, watched, beside, asked, begun, faults, .. } = pending;
        let Beside { atlas, identity, settings } = beside;
        (self.atlas, self.identity) = (atlas, identity);
        if let Some(settings) = settings {
            self.revise(settings);
        }
        let zones = changes(&self.holdings, &holdings);
        for (&probe, &watch) in watched.iter().filter(|(probe, watch)| self.watched.get(probe) != Some(watch)) {
            self.register.watch(probe, watch);
        }
        // What is served stands in the order of what is held.
        self.touched = touched;
        let unheard = |probe: &&ProbeId| self.board.get(**probe).is_none() && !self.prober.is_pushed(**probe);
        for &probe in watched.keys().filter(unheard) {
            tracing::error!(probe = probe.0, "a first probe could not be sent in time; its endpoint counts as up");
        }
        self.watched = watched;
        self.keep_probes();
        self.recalled.taken_up();
        let after = match &self.meters {
            Some(meters) => meters.counted(after, before),
            None => after,
        };
        let old = std::mem::replace(&mut self.holdings, holdings);
        self.publish(after, Some(old));
        self.catalog = catalog;
        let after = self.snapshots.load_full();
        self.lay_aside(before, &after);
        self.after_reload(before, &after);
        self.conclude(asked, begun, &faults, Outcome::Done(zones));
    }

    /// What workers counted by layouts that are gone is summed up, or it would pile up until somebody asks.
    fn lay_aside(&self, before: &Snapshot, after: &Snapshot) {
        if let (Some(meters), Some(rows)) = (&self.meters, after.rows())
            && before.rows().is_none_or(|before| !Arc::ptr_eq(before, rows))
        {
            let (meters, rows) = (Arc::clone(meters), Arc::clone(rows));
            // Nobody waits for it. What is laid aside only now is summed up the next time.
            drop(tokio::task::spawn_blocking(move || meters.fold(&rows)));
        }
    }

    /// Probes what is served, and nothing else.
    fn keep_probes(&mut self) {
        let probes: HashSet<ProbeId> = self.watched.keys().copied().collect();
        self.prober.keep_only(&probes);
        self.board.keep_only(&probes);
        self.turned.retain(|probe, _| probes.contains(probe));
        self.later.retain(|probe| probes.contains(probe));
        self.register.keep_only(|probe| probes.contains(&probe));
    }
}

/// Whether the guard is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Insistence {
    Guarded,
    Forced,
}

impl Insistence {
    fn of(asked: &Asked) -> Self {
        if asked.forced { Self::Forced } else { Self::Guarded }
    }
}

/// Which zones of `holdings` each probe's verdict touches.
fn touched(holdings: &Holdings) -> HashMap<ProbeId, Vec<usize>> {
    let mut touched: HashMap<ProbeId, Vec<usize>> = HashMap::new();
    for (place, held) in holdings.zones.iter().enumerate() {
        for probe in held.steering.dependents.probes() {
            touched.entry(probe).or_default().push(place);
        }
    }
    touched
}

#[cfg(test)]
mod tests;
