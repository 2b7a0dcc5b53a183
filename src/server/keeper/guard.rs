//! Looks at what was read before it is served, and may refuse it.
//!
//! Whether something of each name is alive is seen when everything that is new has been probed. How much moves is seen
//! as soon as the files are read, as if everything were alive: a reload is not to blame for what a verdict moves, and
//! the thread that reads may take its time. Faulty files come as far as neither. What is refused changes nothing; whoever
//! asked for the reload may insist.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::status::{Catalog, Known};
use super::holdings::{Held, Holdings};
use crate::config::{self, LoadedZone, Part, Reading};
use crate::diagnostic::plural;
use crate::geo::Places;
use crate::policy::Live;
use crate::preview::{Clients, Guard, Offence, Side, Weighing, Zone};
use crate::snapshot::{Served, Snapshot, Steering};
use crate::ttl::Plan;
use crate::wire::name::Name;

/// What a reload would make of what is served.
#[derive(Debug)]
pub(super) struct Proposal<'a> {
    /// What is served.
    pub(super) before: &'a Snapshot,
    /// The balanced names of that, by zone.
    pub(super) names_before: &'a Catalog,
    /// What would be, under the verdicts of now. Zones that were not read anew share their [`Steering`] with `before`.
    pub(super) after: &'a Snapshot,
    /// The balanced names of that.
    pub(super) names_after: &'a Catalog,
}

/// Reasons that are told one by one, at most.
const REASONS_MAX: usize = 20;

/// What stands against `proposal` under the verdicts of now, in words: names that would be left without anything alive.
pub(super) fn left_alone(guard: &Guard, proposal: &Proposal<'_>) -> Vec<String> {
    let Proposal { before, names_before, after, names_after } = proposal;
    reasons(&guard.left_alone(&side(before, names_before), &side(after, names_after)))
}

fn side<'a>(snapshot: &'a Snapshot, catalog: &'a Catalog) -> Side<'a> {
    let zones = snapshot.served().iter().zip(catalog.iter());
    let zones = zones.map(|(served, names)| Zone { served, names: names.iter().map(Known::promise).collect() });
    Side { zones: zones.collect() }
}

/// What stands against `found`, which was read after `base`, in the place of `served`, in words: names of whose answers
/// too much would move.
pub(super) fn moving(
    guard: &Guard,
    (served, base): (&Holdings, &Holdings),
    found: &Reading,
    places: &Places,
) -> Vec<String> {
    if guard.max_moved.is_none() {
        return Vec::new();
    }
    let known: HashMap<&Name, &Held> = served.zones.iter().map(|held| (held.zone.apex(), held)).collect();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for part in &found.parts {
        let (served, names) = match part {
            Part::Read(read) => (proposed(&read.zone), read.zone.names.iter().map(promise).collect()),
            Part::Kept(at) => match base.zones.get(*at) {
                Some(held) => (alive(held), held.names.iter().map(Known::promise).collect()),
                None => continue,
            },
        };
        let Some(&held) = known.get(served.zone.apex()) else { continue };
        if !Arc::ptr_eq(&held.steering, &served.steering) {
            before.push((alive(held), held.names.iter().map(Known::promise).collect()));
            after.push((served, names));
        }
    }
    let clients = Clients { places, weighing: Weighing::Addresses, queries: &[] };
    reasons(&guard.moving(&all(&before), &all(&after), &clients))
}

/// Owner and promise of each name of a zone.
type Promises<'a> = Vec<(&'a Name, &'a Plan)>;

fn all<'a>(zones: &'a [(Served, Promises<'a>)]) -> Side<'a> {
    Side { zones: zones.iter().map(|(served, names)| Zone { served, names: names.clone() }).collect() }
}

fn promise(name: &config::Balanced) -> (&Name, &Plan) {
    (&name.owner, &name.plan)
}

/// What would be served of a zone if everything were alive.
fn alive(held: &Held) -> Served {
    let live = Arc::new(Live::all_alive(&held.steering.pools));
    Served::new(Arc::clone(&held.zone), Arc::clone(&held.steering), live)
}

/// The same of one that was read.
fn proposed(read: &LoadedZone) -> Served {
    let names = read.names.iter().cloned().map(config::Balanced::served).collect();
    let steering = Steering::new(names, read.pools.clone(), read.aliases.clone());
    let live = Arc::new(Live::all_alive(&steering.pools));
    Served::new(Arc::clone(&read.zone), Arc::new(steering), live)
}

fn reasons(offences: &[Offence]) -> Vec<String> {
    let mut reasons: Vec<String> = offences.iter().take(REASONS_MAX).map(ToString::to_string).collect();
    if offences.len() > REASONS_MAX {
        reasons.push(format!("and {} more", plural(offences.len() - REASONS_MAX, "name")));
    }
    reasons
}
