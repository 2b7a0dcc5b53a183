//! From "something was saved" to what is served: read, probe what is new, look at it, publish. Or leave all as it was,
//! and say why.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::revision::needs_restart;
use super::super::status::{self, Catalog};
use super::super::{Reload, Settings, StartError};
use super::guard::{self, Proposal};
use super::holdings::{Held, Holdings};
use super::reading::{Asked, HasRead, Read, Scope, Task};
use super::{Keeper, errors};
use crate::admin::api::{
    FAULTS_TOLD, FaultReport, ReloadOutcome, ReloadReport, ReloadRequest, ZONES_TOLD, ZonesReport,
};
use crate::config::Reading;
use crate::diagnostic::{Diagnostic, Severity};
use crate::health::{ProbeId, Watched};
use crate::moment::Moment;
use crate::policy::Live;
use crate::snapshot::{Identity, Served, Snapshot};
use crate::wire::name::Name;

/// Zones that were read and wait for the first round of their new probes.
#[derive(Debug)]
pub(super) struct Pending {
    holdings: Arc<Holdings>,
    watched: HashMap<ProbeId, Watched>,
    /// Probes without a result, as far as is known.
    unheard: Vec<ProbeId>,
    pub(super) deadline: Moment,
    asked: Asked,
    begun: Moment,
    faults: Vec<Diagnostic>,
    /// Why too much would move, in words; empty where it does not.
    moving: Vec<String>,
}

/// What was read before anything was served.
pub(super) struct First {
    found: Reading,
    moving: Vec<String>,
    base: Arc<Holdings>,
    begun: Moment,
    faults: Vec<Diagnostic>,
}

impl Keeper {
    /// Reads the files for the first time; it is waited for.
    pub(super) fn read_first(&mut self) -> Result<First, StartError> {
        let begun = self.clock.now();
        let Read { found, faults, base, moving, .. } = self.task(Insistence::Forced).read(Scope::Zones);
        self.audience.faults(&faults);
        match found {
            Some(found) => Ok(First { found, moving, base, begun, faults }),
            None => Err(StartError::Faults { errors: errors(&faults) }),
        }
    }

    /// Begins to probe what was read first.
    pub(super) fn adopt_first(&mut self, First { found, moving, base, begun, faults }: First) {
        self.adopt((found, moving), &base, Asked::new("start", Scope::Zones), begun, faults);
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
        let asked = match self.asked.take() {
            Some(earlier) => asked.and(earlier),
            None => asked,
        };
        if self.reader.is_busy() {
            // What is read may be old already.
            self.asked = Some(asked);
            return;
        }
        let now = self.clock.now();
        if let Err((asked, error)) = self.reader.begin(self.task(Insistence::of(&asked)), asked, now) {
            tracing::error!(%error, "no thread to read the files: the last good state keeps serving");
            self.conclude(asked, now, &[], Outcome::Faulty);
        }
    }

    fn task(&self, insistence: Insistence) -> Task {
        let base = self.pending.as_ref().map_or(&self.holdings, |pending| &pending.holdings);
        Task {
            folder: self.settings.zones.clone(),
            atlas: self.atlas.clone(),
            identity: self.identity.clone(),
            dns: (self.settings.dns.clone(), self.own),
            audience: Arc::clone(&self.audience),
            guard: (insistence == Insistence::Guarded).then_some(self.settings.guard),
            served: Arc::clone(&self.holdings),
            base: Arc::clone(base),
        }
    }

    pub(super) fn have_read(&mut self, HasRead { asked, begun, read }: HasRead) {
        let Some(Read { atlas, identity, base, settings, found, moving, faults, stale }) = read else {
            tracing::error!("reading the files was broken off; the last good state keeps serving");
            self.conclude(asked, begun, &[], Outcome::Faulty);
            return;
        };
        if let Some(again) = self.asked.take() {
            // What was read is old already.
            self.begin(again.and(asked));
            return;
        }
        (self.atlas, self.identity, self.stale) = (atlas, identity, stale);
        if let Some(settings) = settings.filter(|_| found.is_some()) {
            self.revise(settings);
        }
        self.audience.faults(&faults);
        match found {
            Some(found) => self.adopt((found, moving), &base, asked, begun, faults),
            None => self.conclude(asked, begun, &faults, Outcome::Faulty),
        }
    }

    /// Takes up what of `settings` can be changed while it runs, and notes what cannot.
    fn revise(&mut self, settings: Settings) {
        self.needs_restart = needs_restart(&self.settings, &settings);
        if !self.needs_restart.is_empty() {
            let keys = self.needs_restart.join(", ");
            tracing::warn!("the server file says something else of {keys}: that counts after a restart");
        }
        self.register.set(settings.wave);
        (self.settings.dns, self.settings.wave, self.settings.guard) = (settings.dns, settings.wave, settings.guard);
    }

    /// Begins to probe what is new; what was read is published once those probes have their first result.
    fn adopt(
        &mut self,
        (found, moving): (Reading, Vec<String>),
        base: &Holdings,
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
            holdings: Arc::new(holdings),
            unheard: watched.keys().copied().collect(),
            watched,
            deadline: self.prober.first_round_end(),
            asked,
            begun,
            faults,
            moving,
        });
        self.publish_pending();
    }

    /// Publishes what was read, if all its probes have a result or their time is up.
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
        let after = self.proposed(&before, &pending.holdings);
        let catalog = pending.holdings.catalog();
        let proposal = Proposal { before: &before, names_before: &self.catalog, after: &after, names_after: &catalog };
        if before.is_ready() && !pending.asked.forced {
            let mut reasons = guard::left_alone(&self.settings.guard, &proposal);
            reasons.extend(pending.moving.iter().cloned());
            if !reasons.is_empty() {
                self.refuse(pending, reasons);
                return;
            }
        }
        self.take_up(pending, &before, after, catalog);
    }

    /// What would be served, of `holdings`. Zones that are the same are taken over from `before`, with their turns.
    fn proposed(&self, before: &Snapshot, holdings: &Holdings) -> Snapshot {
        let known: HashMap<&Name, &Served> =
            before.served().iter().map(|served| (served.zone.apex(), served)).collect();
        let served = holdings.zones.iter().map(|Held { zone, steering, .. }| {
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
        let identity = Identity { unix_start: self.clock.unix_start(), ..self.identity.clone() };
        before.followed_by(served.collect()).identified(Arc::new(identity)).within(self.prober.horizon())
    }

    /// Leaves all as it was.
    fn refuse(&mut self, pending: Pending, reasons: Vec<String>) {
        // Whatever was probed for this alone is probed no more, and what is being read may count on its numbers.
        self.keep_probes();
        if self.reader.is_busy() {
            self.asked.get_or_insert_with(|| Asked::new("a reload before was refused", Scope::Zones));
        }
        let Pending { asked, begun, faults, .. } = pending;
        self.conclude(asked, begun, &faults, Outcome::Guarded(reasons));
    }

    fn take_up(&mut self, pending: Pending, before: &Snapshot, after: Snapshot, catalog: Catalog) {
        let Pending { holdings, watched, asked, begun, faults, .. } = pending;
        let zones = changes(&self.holdings, &holdings);
        for (&probe, &watch) in watched.iter().filter(|(probe, watch)| self.watched.get(probe) != Some(watch)) {
            self.register.watch(probe, watch);
        }
        self.touched = touched(&after);
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

    /// Tells everybody what became of it.
    fn conclude(&mut self, asked: Asked, begun: Moment, faults: &[Diagnostic], outcome: Outcome) {
        let errors = errors(faults);
        let (names, first) = (self.holdings.names(), self.last_reload.is_none());
        let mut report = ReloadReport {
            outcome: ReloadOutcome::Done,
            cause: asked.cause.to_owned(),
            at: status::time(self.clock, self.clock.now()),
            took: self.clock.now().since(begun).as_secs_f64(),
            zones: ZonesReport { total: self.holdings.zones.len(), ..ZonesReport::default() },
            names,
            refused_for: Vec::new(),
            faults: faults.iter().take(FAULTS_TOLD).map(told).collect(),
            errors,
            warnings: faults.len() - errors,
            needs_restart: self.needs_restart.clone(),
        };
        let said = match outcome {
            Outcome::Done(zones) => {
                report.zones = zones;
                let ZonesReport { total, read, unchanged, added, removed, .. } = report.zones;
                let took = report.took;
                tracing::info!(
                    "in {took:.3} s: zones read: {read}, new of these: {added}, unchanged: {unchanged}, removed: {removed}"
                );
                Reload::Done { zones: total, names }
            }
            Outcome::Faulty => {
                report.outcome = ReloadOutcome::Faulty;
                Reload::Refused { errors }
            }
            Outcome::Guarded(reasons) => {
                (report.outcome, report.refused_for) = (ReloadOutcome::Guarded, reasons.clone());
                Reload::Guarded { reasons }
            }
        };
        match said {
            Reload::Done { .. } => self.history.published(first, self.clock.unix_ms(self.clock.now())),
            Reload::Refused { .. } | Reload::Guarded { .. } => self.history.refused(),
        }
        if !first {
            self.audience.reloaded(&said);
        }
        for waiting in asked.waiting {
            // Whoever asked may be gone.
            let _ = waiting.send(report.clone());
        }
        self.last_reload = Some(report);
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

/// How it ended.
enum Outcome {
    Done(ZonesReport),
    Faulty,
    Guarded(Vec<String>),
}

/// What is new in `after`.
fn changes(before: &Holdings, after: &Holdings) -> ZonesReport {
    let known: HashMap<&Name, &Held> = before.zones.iter().map(|held| (held.zone.apex(), held)).collect();
    let mut report = ZonesReport { total: after.zones.len(), ..ZonesReport::default() };
    let tell = |names: &mut Vec<String>, zone: &Name| {
        if names.len() < ZONES_TOLD {
            names.push(super::super::overrides::zone_text(zone));
        }
    };
    for held in &after.zones {
        match known.get(held.zone.apex()) {
            Some(old) if Arc::ptr_eq(&old.steering, &held.steering) => report.unchanged += 1,
            Some(_) => {
                report.read += 1;
                tell(&mut report.names_changed, held.zone.apex());
            }
            None => {
                (report.read, report.added) = (report.read + 1, report.added + 1);
                tell(&mut report.names_added, held.zone.apex());
            }
        }
    }
    let left: HashSet<&Name> = after.zones.iter().map(|held| held.zone.apex()).collect();
    for held in before.zones.iter().filter(|held| !left.contains(held.zone.apex())) {
        report.removed += 1;
        tell(&mut report.names_removed, held.zone.apex());
    }
    report
}

fn told(fault: &Diagnostic) -> FaultReport {
    FaultReport {
        severity: match fault.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
        .to_owned(),
        file: fault.place.file.display().to_string(),
        line: fault.place.line,
        column: fault.place.column,
        message: fault.message.clone(),
        help: fault.help.clone(),
        text: fault.render(false),
    }
}

/// Which zones each probe's verdict touches.
fn touched(snapshot: &Snapshot) -> HashMap<ProbeId, Vec<usize>> {
    let mut touched: HashMap<ProbeId, Vec<usize>> = HashMap::new();
    for (place, served) in snapshot.served().iter().enumerate() {
        for probe in served.steering.dependents.probes() {
            touched.entry(probe).or_default().push(place);
        }
    }
    touched
}
