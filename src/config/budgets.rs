//! What budgets make of monitors: the times that the file leaves open are derived from the tightest budget of the
//! names that a monitor matters to.
//!
//! A monitor with which every such budget holds at the floor that it wants keeps its times, so that a wide budget
//! never slows detection down. Where it does not, what is free is shortened until it does: to B − (I + T) −
//! (K − 1)(F + T) ≥ the floor that is asked for, else 5 s (`ttl`), else whatever the least times leave.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::faults::Faults;
use super::monitors::Entry;
use super::names;
use super::names_apart::Names;
use super::nesting::Nesting;
use super::pools::Draft;
use super::table::Item;
use crate::probe::Monitor;
use crate::ttl::{TTL_MIN, Wish};

/// How soon the monitors of a pool must tell: the tightest over the names that lead to it.
#[derive(Clone, Copy)]
struct Demand {
    suspicion: Duration,
    detection: Duration,
}

impl Demand {
    const NONE: Self = Self { suspicion: Duration::MAX, detection: Duration::MAX };

    fn and(self, other: Self) -> Self {
        Self { suspicion: self.suspicion.min(other.suspicion), detection: self.detection.min(other.detection) }
    }

    /// Of a name that states a budget.
    fn of(wish: Wish) -> Self {
        let Some(budget) = wish.failover else { return Self::NONE };
        let (floor, ceiling) = match wish.ttl {
            Some((min, max)) => (min, max),
            None => (wish.ttl_min.unwrap_or(TTL_MIN), Duration::ZERO),
        };
        Self { suspicion: budget.saturating_sub(ceiling), detection: budget.saturating_sub(floor) }
    }
}

/// Derives the times of all monitors of `drafts` from the budgets of `names`. Their faults are told when they are read
/// for good: to `unheard` nobody listens, and what is faulty demands nothing.
pub(super) fn derive(
    names: Names<'_>,
    monitors: &HashMap<&str, Entry>,
    drafts: &mut [Draft<'_>],
    nesting: &Nesting<'_>,
    mut unheard: Faults<'_>,
) {
    let mut of_pools = vec![Demand::NONE; drafts.len()];
    names.each_table(|table, at| {
        unheard.set_base(at);
        for item in table.iter().map(Item::of) {
            let Some((pool, wish)) = names::wish(item, &mut unheard) else { continue };
            if let Some(root) = nesting.ids.get(pool) {
                let demand = &mut of_pools[root.0 as usize];
                *demand = demand.and(Demand::of(wish));
            }
        }
    });
    nesting.hand_down(&mut of_pools, Demand::and);
    let mut of_monitors: HashMap<&str, Demand> = HashMap::new();
    for (&at, &demand) in nesting.order.iter().zip(&of_pools) {
        for judge in drafts[at].all_judges() {
            if let Some((&name, _)) = monitors.get_key_value(&*judge.name) {
                let of_monitor = of_monitors.entry(name).or_insert(Demand::NONE);
                *of_monitor = of_monitor.and(demand);
            }
        }
    }
    let mut derived: HashMap<&str, Arc<Monitor>> = HashMap::new();
    for (name, demand) in of_monitors {
        let Some(Entry { monitor: Some(monitor), free, .. }) = monitors.get(name) else { continue };
        let timing = monitor.timing.within(*free, demand.suspicion, demand.detection);
        if timing != monitor.timing {
            derived.insert(name, Arc::new(Monitor { timing, ..Monitor::clone(monitor) }));
        }
    }
    if derived.is_empty() {
        return;
    }
    for judge in drafts.iter_mut().flat_map(Draft::all_judges_mut) {
        if let Some(monitor) = derived.get(&*judge.name) {
            judge.monitor = Arc::clone(monitor);
        }
    }
}
