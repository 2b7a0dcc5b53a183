//! What operators took out of answers: whether it is given all the same, and when its last answer is forgotten.

use super::super::drain::{self, Past};
use super::super::overrides::{self, Override, served};
use super::super::still_given::{Gifts, OUT_MAX, gift, giving, places, still_given};
use super::Keeper;
use crate::admin::api::{self, OverrideStatus};
use crate::moment::Moment;
use crate::snapshot::Snapshot;

/// Names that an answer lists.
const NAMES_LISTED: usize = 10;

/// Names that may still be answered with what is out, the first [`NAMES_LISTED`] of each kind.
#[derive(Clone, Default)]
struct Names {
    last_resort: Vec<String>,
    other_way: Vec<String>,
}

impl Names {
    fn are_none(&self) -> bool {
        self.last_resort.is_empty() && self.other_way.is_empty()
    }
}

impl Keeper {
    /// Notes of what is out whether it is still given, and when that ended.
    pub(super) fn watch_what_is_out(&mut self) {
        let out: Vec<_> = self.overrides.iter().filter(|(_, entry)| entry.force.is_out()).collect();
        if out.is_empty() {
            return;
        }
        let (snapshot, now) = (self.snapshots.load_full(), self.clock.now());
        let targets: Vec<&api::Target> = out.iter().map(|(target, _)| *target).collect();
        let given: Vec<bool> = self.still_given(&snapshot, &targets).iter().map(|names| !names.are_none()).collect();
        let has_ended = out.iter().zip(&given).filter(|((_, entry), given)| entry.still_given && !**given);
        let ended: Vec<&api::Target> = has_ended.map(|((target, _), _)| *target).collect();
        let mut forgotten = forgotten_at_most(&snapshot, &ended, now).into_iter();
        for ((_, entry), given) in self.overrides.iter_mut().filter(|(_, entry)| entry.force.is_out()).zip(given) {
            if entry.still_given && !given {
                entry.safe = forgotten.next().unwrap_or(now).max(entry.safe);
            }
            entry.still_given = given;
        }
    }

    /// Of each of `targets`, the names that may still be answered with it, though it is out.
    fn still_given(&self, snapshot: &Snapshot, targets: &[&api::Target]) -> Vec<Names> {
        let mut all = vec![Names::default(); targets.len()];
        for (targets, found) in targets.chunks(OUT_MAX).zip(all.chunks_mut(OUT_MAX)) {
            let gifts = gifts(snapshot, targets);
            for (served, known) in snapshot.served().iter().zip(&*self.catalog) {
                for still in still_given(served, &gifts) {
                    let Some(name) = known.get(still.name) else { continue };
                    let list = |of: &mut Vec<String>| {
                        if of.len() < NAMES_LISTED {
                            of.push(name.owner_text());
                        }
                    };
                    places(still.last_resort).for_each(|place| list(&mut found[place].last_resort));
                    places(still.other_way).for_each(|place| list(&mut found[place].other_way));
                }
            }
        }
        all
    }

    /// Overrides as they are told.
    pub(super) fn told<'o>(
        &'o self,
        overrides: impl Iterator<Item = (&'o api::Target, &'o Override)>,
    ) -> Vec<OverrideStatus> {
        let overrides: Vec<_> = overrides.collect();
        let out = overrides.iter().filter(|(_, entry)| entry.force.is_out());
        let out: Vec<&api::Target> = out.map(|(target, _)| *target).collect();
        let mut names = self.still_given(&self.snapshots.load(), &out).into_iter();
        let told = overrides.into_iter().map(|(target, entry)| OverrideStatus {
            target: target.clone(),
            forced: entry.forced(),
            matched: entry.unmatched.is_none(),
            stop: entry.force.is_out().then(|| self.stop(entry, names.next().unwrap_or_default())),
        });
        told.collect()
    }

    fn stop(&self, entry: &Override, names: Names) -> api::Stop {
        let safe = names.are_none().then_some(entry.safe);
        api::Stop {
            safe_at: safe.map(|safe| self.time(safe)),
            remaining: safe.map(|safe| safe.since(self.clock.now()).as_secs_f64()),
            last_resort_of: names.last_resort,
            also_given_by: names.other_way,
        }
    }
}

/// For each of `targets`, when the last answer is forgotten that was given with it until `now`, by whatever way, in
/// whichever zone.
fn forgotten_at_most(snapshot: &Snapshot, targets: &[&api::Target], now: Moment) -> Vec<Moment> {
    let mut all = vec![now; targets.len()];
    for (targets, ends) in targets.chunks(OUT_MAX).zip(all.chunks_mut(OUT_MAX)) {
        let gifts = gifts(snapshot, targets);
        for served in snapshot.served() {
            let giving = giving(&served.steering, &gifts);
            if giving.is_empty() {
                continue;
            }
            let ceilings = drain::ceilings(&served.steering);
            for (id, some) in giving {
                let ceiling = ceilings.get(id.0 as usize).copied().unwrap_or_default();
                let forgotten = drain::forgotten(ceiling, Past::Given, now);
                places(some).for_each(|place| ends[place] = forgotten.max(ends[place]));
            }
        }
    }
    all
}

/// What is given with each of `targets`, of which there are [`OUT_MAX`] at the most.
fn gifts<'s>(snapshot: &'s Snapshot, targets: &[&api::Target]) -> Gifts<'s> {
    let mut gifts = Gifts::new();
    for (place, target) in targets.iter().enumerate() {
        let Some(served) = served(snapshot, &target.zone) else { continue };
        let Some(found) = overrides::find(&served.steering.pools, target) else { continue };
        for id in drain::below(&served.steering.pools, found) {
            if let Some(gift) = gift(&served.steering, id) {
                *gifts.entry(gift).or_default() |= 1 << place;
            }
        }
    }
    gifts
}
