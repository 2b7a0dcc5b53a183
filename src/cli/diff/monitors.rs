//! Who judges which endpoints, and what pools depend on: what two folders say otherwise of that.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::config::Loaded;
use crate::health::ProbeId;
use crate::policy::Target;
use crate::preview::{Setting, Subject};
use crate::probe::Monitor;
use crate::wire::name::Name;

/// Monitors and what they ask, without the address.
type Judges = Vec<(Arc<Monitor>, String)>;

/// What pools of both folders are judged by otherwise. An endpoint that is new, or gone, says nothing here.
pub(super) fn changes(old: &Loaded, new: &Loaded) -> Vec<Setting> {
    let (before, after) = (judged(old), judged(new));
    let mut settings: Vec<Setting> = Vec::new();
    // Endpoints of a pool are nearly always judged alike: that is said once.
    let mut said = HashSet::new();
    for (key, now) in &after {
        let Some(was) = before.get(key).filter(|was| !is_same(was, now)) else { continue };
        let (zone, pool, of) = key;
        let what = if of.is_some() { "monitor" } else { "depends" };
        let (old, mut new) = (words(was), words(now));
        if old == new {
            new.push_str(", otherwise");
        }
        if said.insert((zone, pool, what, old.clone(), new.clone())) {
            settings.push(Setting { zone: zone.clone(), of: Subject::Pool(pool.clone()), what, old, new });
        }
    }
    settings
}

/// By zone, pool and endpoint, and by pool for what it depends on.
type ByEndpoint = BTreeMap<(Name, Box<str>, Option<Box<str>>), Judges>;

fn judged(loaded: &Loaded) -> ByEndpoint {
    let mut judged = ByEndpoint::new();
    let judges = |probes: &[ProbeId]| -> Judges {
        let targets = probes.iter().filter_map(|probe| loaded.targets.get(probe.0 as usize));
        let text = |target: &crate::probe::Target| {
            let address = target.address.to_string();
            target.to_string().replace(&format!("[{address}]"), "*").replace(&address, "*")
        };
        targets.map(|target| (Arc::clone(&target.monitor), text(target))).collect()
    };
    for zone in &loaded.zones {
        let apex = zone.zone.apex();
        for pool in &zone.pools.pools {
            judged.insert((apex.clone(), pool.name.clone(), None), judges(&pool.depends));
            for member in &pool.members {
                let Target::Endpoint(id) = member.target else { continue };
                let Some(endpoint) = zone.pools.endpoints.get(id.0 as usize) else { continue };
                let key = (apex.clone(), pool.name.clone(), Some(endpoint.name.clone()));
                judged.insert(key, judges(&endpoint.judged.probes));
            }
        }
    }
    judged
}

fn is_same(was: &Judges, now: &Judges) -> bool {
    was.len() == now.len() && was.iter().zip(now).all(|((was, _), (now, _))| was == now)
}

fn words(judges: &Judges) -> String {
    let mut words = String::new();
    for (monitor, asks) in judges {
        let between = if words.is_empty() { "" } else { " and " };
        let timing = &monitor.timing;
        let _ = write!(
            words,
            "{between}{asks} every {:?}, fast {:?}, timeout {:?}, fall {}, rise {}",
            timing.interval, timing.fast, timing.timeout, timing.fall, timing.rise
        );
    }
    if words.is_empty() { "none".to_owned() } else { words }
}
