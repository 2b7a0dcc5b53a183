//! A status cut down to what is asked for.

use std::collections::HashSet;

use crate::admin::api::{Status, ZoneStatus};

/// What of `status` has one of `words` in its name: all of a zone; a name, with the pools that it is answered from; a
/// pool, with the names over it; of a pool that has it only in an endpoint's, that endpoint. Without words, all of it.
/// And that there is a word that nothing has.
pub(super) fn only(mut status: Status, words: &[String]) -> (Status, Option<String>) {
    if words.is_empty() {
        return (status, None);
    }
    let mut met = HashSet::new();
    for zone in &mut status.zones {
        let whole: Vec<&String> = words.iter().filter(|word| zone.zone.contains(&***word)).collect();
        met.extend(whole.iter().copied());
        if whole.is_empty() {
            cut_down(zone, words, &mut met);
        }
    }
    status.zones.retain(|zone| !zone.names.is_empty() || !zone.pools.is_empty());
    let zones: HashSet<&str> = status.zones.iter().map(|zone| &*zone.zone).collect();
    status.overrides.retain(|known| zones.contains(&*known.target.zone));
    let unmet = words.iter().find(|word| !met.contains(word));
    (status, unmet.map(|word| format!("no zone, name, pool or endpoint has `{word}` in its name")))
}

fn cut_down<'w>(zone: &mut ZoneStatus, words: &'w [String], met: &mut HashSet<&'w String>) {
    let mut has = |text: &str| {
        let found: Vec<&String> = words.iter().filter(|word| text.contains(&***word)).collect();
        met.extend(found.iter().copied());
        !found.is_empty()
    };
    let named: HashSet<String> =
        zone.names.iter().filter(|name| has(&name.name)).map(|name| name.name.clone()).collect();
    // A pool stands behind what is in it.
    let mut wanted: HashSet<String> =
        zone.names.iter().filter(|name| named.contains(&name.name)).map(|name| name.pool.clone()).collect();
    for pool in zone.pools.iter().rev() {
        if wanted.contains(&pool.pool) {
            wanted.extend(pool.pools.iter().cloned());
        }
    }
    let mut own = HashSet::new();
    zone.pools.retain_mut(|pool| {
        if has(&pool.pool) {
            own.insert(pool.pool.clone());
            return true;
        }
        if wanted.contains(&pool.pool) {
            return true;
        }
        let name = pool.pool.clone();
        pool.endpoints.retain(|endpoint| has(&format!("{name}/{}", endpoint.endpoint)) || has(&endpoint.gives));
        !pool.endpoints.is_empty()
    });
    zone.names.retain(|name| named.contains(&name.name) || own.contains(&name.pool));
}
