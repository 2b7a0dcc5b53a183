//! What the admin API asks of the keeper: to force and to tell.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::super::drain::{self, Ceiling, Past, Ttls};
use super::super::observer::Handle;
use super::super::overrides::{Kept, Origin, Override, Overrides, force_of, served, zone_text};
use super::super::{overrides, status};
use super::Keeper;
use crate::admin::api::{self, SteerReply, SteerRequest};
use crate::admin::{Command, Picture, Refusal, Selection};
use crate::health::ProbeId;
use crate::moment::Moment;
use crate::policy::{EndpointId, Force, Live, Pools, Target};
use crate::snapshot::{Served, Snapshot};
use crate::wire::name::Name;

impl Keeper {
    /// Does what is asked. Whoever asked may be gone by then, which changes nothing.
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Look(reply) => drop(reply.send(self.picture())),
            Command::Measure(reply) => drop(reply.send(self.measured())),
            Command::Explain(query, reply) => drop(reply.send(self.explaining(query))),
            Command::Steer { select, request, reply } => {
                drop(reply.send(self.steer(select, request, Origin::Operator)))
            }
            Command::Report { target, report, reply } => drop(reply.send(self.report(target, report))),
            Command::Reload { request, reply } => self.reload_asked(request, reply),
            Command::Top(reply) => match &self.observer {
                Some(observer) => observer.top(reply, self.atlas.clone()),
                None => drop(reply.send(Err(Refusal::Full("nothing is answered yet".to_owned())))),
            },
        }
    }

    /// What is forced, to be kept over a restart.
    pub(super) fn kept_overrides(&self) -> Vec<Kept> {
        self.overrides.to_kept(|moment| self.time(moment))
    }

    /// Takes up what was kept: before the first zones are served, so that the first answer is already right.
    pub(super) fn restore_overrides(&mut self, kept: Vec<Kept>) {
        self.overrides = Overrides::from_kept(kept, |time| status::moment(self.clock, time));
    }

    /// What is forced is another: it is to be kept soon.
    pub(super) fn keep_soon(&mut self) {
        if let Some(state) = &mut self.state {
            state.has_turned();
        }
    }

    /// What is held, for a thread of its own to put into words.
    fn picture(&self) -> Picture<api::Status> {
        let seen = status::Seen {
            snapshot: self.snapshots.load_full(),
            catalog: self.catalog.clone(),
            board: self.board.clone(),
            ledger: self.prober.ledger(),
            waves: self.register.waves().collect(),
            overrides: self.overrides.clone(),
            told: self.told(self.overrides.iter()),
            last_reload: self.last_reload.clone(),
            stale: self.stale.clone(),
            log: self.observer.as_ref().and_then(Handle::log),
            now: self.clock.now(),
            clock: self.clock,
        };
        Picture::new(move || status::status(&seen))
    }

    pub(super) fn steer(
        &mut self,
        select: Selection,
        request: SteerRequest,
        origin: Origin,
    ) -> Result<SteerReply, Refusal> {
        let before = self.snapshots.load_full();
        let targets = self
            .overrides
            .select(&before, select, &request, &|pools, found| !self.awaiting(pools, found).is_empty())?;
        let new = targets.iter().filter(|target| self.overrides.get(target).is_none()).count();
        let mut reply = SteerReply { forced: Vec::new(), released: Vec::new(), unforced: Vec::new() };
        let Some(force) = request.force.map(force_of) else {
            for target in targets {
                match self.overrides.remove(&target) {
                    Some(old) => {
                        let (zone, forced, who) = (&target.zone, old.forced().force, &request.who);
                        tracing::info!("{target} of {zone}: not forced {forced} any more, by {who}");
                        self.release(&before, &target);
                        reply.released.push(target);
                    }
                    None if self.release(&before, &target) => reply.released.push(target),
                    None => reply.unforced.push(target),
                }
            }
            self.keep_soon();
            self.enforce(&reply.released);
            return Ok(reply);
        };
        self.overrides.check_room(new)?;
        // What each was until now decides how long its last answer lives.
        let pasts: Vec<Option<Moment>> = targets.iter().map(|target| self.out_until_now(&before, target)).collect();
        for target in &targets {
            let SteerRequest { who, reason, .. } = request.clone();
            let same = self.overrides.get(target).filter(|known| known.force == force);
            let since = same.map_or_else(|| self.time(self.clock.now()), |known| known.since);
            let reason = match reason {
                Some(reason) => Some(reason).filter(|reason| !reason.trim().is_empty()),
                // Whoever says the same again need not say why again; why somebody else did is not theirs.
                None => same.filter(|known| known.who == who).and_then(|known| known.reason.clone()),
            };
            let (zone, told) = (&target.zone, reason.as_deref().unwrap_or("no reason given"));
            let forced = Override {
                force,
                origin,
                who,
                reason: reason.clone(),
                since,
                safe: Moment::START,
                still_given: false,
                unmatched: None,
            };
            tracing::info!("{target} of {zone}: forced {} by {}: {told}", forced.forced().force, forced.who);
            self.overrides.set(target.clone(), forced);
        }
        if force == Force::Up {
            for target in &targets {
                self.release(&before, target);
            }
        }
        self.keep_soon();
        self.enforce(&targets);
        // The answers of before end here, so this is what is reckoned from.
        let now = self.clock.now();
        for (target, past) in targets.iter().zip(pasts) {
            let safe = past.unwrap_or_else(|| self.forgotten(&before, target, now));
            for (_, entry) in self.overrides.iter_mut().filter(|(known, _)| *known == target) {
                entry.safe = safe;
            }
        }
        reply.forced = self.told(targets.iter().filter_map(|target| Some((target, self.overrides.get(target)?))));
        Ok(reply)
    }

    /// Lets up what of `target` is well again and awaits it, by manual failback. Whether there is any such.
    fn release(&self, snapshot: &Snapshot, target: &api::Target) -> bool {
        let Some(served) = served(snapshot, &target.zone) else { return false };
        let pools = &served.steering.pools;
        let Some(found) = overrides::find(pools, target) else { return false };
        let awaiting = self.awaiting(pools, found);
        awaiting.iter().for_each(|&probe| self.prober.release(probe));
        !awaiting.is_empty()
    }

    /// What of `found` is well again, and only an operator lets it up.
    fn awaiting(&self, pools: &Pools, found: Target) -> HashSet<ProbeId> {
        let endpoints = drain::below(pools, found).into_iter();
        let judging = endpoints
            .filter_map(|id| pools.endpoints.get(id.0 as usize))
            .flat_map(|endpoint| endpoint.judged.probes.iter().copied());
        judging.filter(|&probe| self.prober.awaits_release(probe)).collect()
    }

    /// When the last answer will have been forgotten of what is out already.
    fn out_until_now(&self, snapshot: &Snapshot, target: &api::Target) -> Option<Moment> {
        let known = self.overrides.get(target).filter(|entry| entry.force.is_out() && !entry.still_given)?;
        served(snapshot, &target.zone)?;
        Some(known.safe)
    }

    /// When the last answer is forgotten that was given before `now`, when the pools were as in `before`.
    fn forgotten(&self, before: &Snapshot, target: &api::Target, now: Moment) -> Moment {
        let Some(served) = served(before, &target.zone) else { return now };
        let pools = &served.steering.pools;
        let Some(found) = overrides::find(pools, target) else { return now };
        let ceilings = drain::ceilings(&served.steering);
        let ends = drain::below(pools, found).into_iter().map(|id| {
            let ceiling = ceilings.get(id.0 as usize).copied().unwrap_or_default();
            let earlier = drain::gives(&served.steering, id)
                .map_or(Moment::START, |gives| self.earlier.until(&target.zone, gives));
            drain::forgotten(ceiling, self.past(served, id), now).max(earlier)
        });
        ends.max().unwrap_or(now)
    }

    /// Whether an endpoint was in answers until now: not if it is down, and nothing was forced up over that.
    fn past(&self, served: &Served, endpoint: EndpointId) -> Past {
        let known = served.steering.pools.endpoints.get(endpoint.0 as usize).map(|endpoint| &endpoint.judged);
        let any_up = served.live.forced().values().any(|force| force == Force::Up);
        let Some(judged) = known.filter(|judged| !any_up && !judged.health(&self.board).alive) else {
            return Past::Given;
        };
        // Of several monitors, the one that turned last is the one that can have turned it.
        let turned = judged.probes.iter().filter_map(|probe| self.turned.get(probe)).copied().max();
        turned.map_or(Past::Given, Past::Down)
    }

    /// Compiles the zones of `targets` anew and publishes them in one swap.
    fn enforce(&mut self, targets: &[api::Target]) {
        let zones: HashSet<&str> = targets.iter().map(|target| &*target.zone).collect();
        let snapshot = self.snapshots.load();
        let next = snapshot.with_live(|served| {
            let apex = served.zone.apex();
            let pools = &served.steering.pools;
            let compile = || Live::compile(pools, &self.board, &self.overrides.forced(apex, pools), Some(&served.live));
            zones.contains(&*zone_text(apex)).then(|| compile().into())
        });
        drop(snapshot);
        self.publish(next, None);
        self.watch_what_is_out();
    }

    pub(super) fn time(&self, moment: Moment) -> jiff::Timestamp {
        status::time(self.clock, moment)
    }

    /// What a reload means for what is forced.
    pub(super) fn after_reload(&mut self, before: &Snapshot, after: &Snapshot) {
        let now = self.clock.now();
        for target in self.overrides.match_with(after, now) {
            tracing::info!("{target} of {}: not forced any more: there has been no such thing for a day", target.zone);
        }
        let recalled = self.recalled.take_ttls();
        self.remember_ttls(recalled, after, now);
        self.remember_changed(before, after, now);
        // Serials may have moved too.
        self.keep_soon();
        self.watch_what_is_out();
    }

    /// Remembers how long answers of `before` live in caches, where the files now say less than they did.
    fn remember_changed(&mut self, before: &Snapshot, after: &Snapshot, now: Moment) {
        let known: HashMap<&Name, &Served> = after.served().iter().map(|served| (served.zone.apex(), served)).collect();
        let is_read = |old: &&Served| {
            // What was not read says what it said.
            known.get(old.zone.apex()).is_none_or(|new| !Arc::ptr_eq(&new.steering, &old.steering))
        };
        let changed = before.served().iter().filter(is_read);
        let given = changed.map(|old| (zone_text(old.zone.apex()), drain::ttls(&old.steering))).collect();
        self.remember_ttls(given, after, now);
    }

    /// The same of what was `given` until `now` by zone, here or by a process before.
    pub(super) fn remember_ttls(&mut self, given: BTreeMap<String, Ttls>, after: &Snapshot, now: Moment) {
        let says = after.served().iter().filter_map(|served| {
            let zone = zone_text(served.zone.apex());
            given.contains_key(&zone).then(|| (zone, drain::ttls(&served.steering)))
        });
        let says: HashMap<String, Ttls> = says.collect();
        let mut more = Vec::new();
        for (zone, given) in given {
            let says = says.get(&zone);
            let is_more =
                |gives: &str, seconds: u32| says.and_then(|says| says.get(gives)).is_none_or(|&says| says < seconds);
            for (gives, seconds) in given.into_iter().filter(|(gives, seconds)| is_more(gives, *seconds)) {
                let until = drain::forgotten(Ceiling { max: seconds, min: 0 }, Past::Given, now);
                more.push(((zone.clone(), gives), until));
            }
        }
        self.earlier.remember(more, now);
    }
}
