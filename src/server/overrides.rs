//! What operators forced, by zone, pool and endpoint: kept over reloads, given to each zone's pools.
//!
//! Names, not numbers: a reload numbers endpoints anew. An override whose pool or endpoint has vanished from the files
//! is kept for [`UNMATCHED_KEPT`], since files are taken back too, and whoever drained something meant it; then it is
//! dropped, since what is called so a month later is another thing. Knows no HTTP; the file that keeps this over a
//! restart takes [`Kept`] out and puts it in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::admin::api::{self, PATTERNS_MAX, REASON_MAX, WHO_MAX};
use crate::admin::{Refusal, Selection};
use crate::diagnostic::nearest;
use crate::moment::Moment;
use crate::policy::{self, EndpointId, Force, Forced, PoolId, Pools};
use crate::snapshot::{Served, Snapshot};
use crate::wire::name::Name;
use crate::wire::qname::Qname;

/// How long an override is kept that nothing answers to.
const UNMATCHED_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Overrides at once: whoever forces more by hand should change a file. 64 of what is out cost a look at every endpoint
/// that is served whenever a verdict turns, and each a search for its name among its zone's pools.
const OVERRIDES_MAX: usize = 1_000;

/// Characters of a pattern: twice the longest name of a pool and of an endpoint.
const PATTERN_MAX: usize = 300;

/// Whose word an override is: an endpoint takes back only its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// An operator's, or a tool's on their behalf.
    Operator,
    /// The endpoint's own, by a report that it drains.
    Endpoint,
}

/// Who it is that drains an endpoint by its own report.
pub(super) const ITSELF: &str = "its own report";

/// One override, as it lives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Override {
    pub(super) force: Force,
    pub(super) origin: Origin,
    pub(super) who: String,
    pub(super) reason: Option<String>,
    pub(super) since: Timestamp,
    /// Of what is out: when the last answer with it has left the caches, if it is not given any more.
    pub(super) safe: Moment,
    /// Of what is out: it may be given all the same.
    pub(super) still_given: bool,
    /// Since when there is nothing called so.
    pub(super) unmatched: Option<Moment>,
}

/// One override, as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// On what.
    #[serde(flatten)]
    pub target: api::Target,
    /// What, by whom, why and when.
    #[serde(flatten)]
    pub forced: api::Forced,
    /// Whose word it is. What was written before this was kept says so by the name alone.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// When the last answer with it has left the caches.
    pub safe: Option<Timestamp>,
}

/// Everything that is forced.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides(BTreeMap<api::Target, Override>);

impl Overrides {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&api::Target, &Override)> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&api::Target, &mut Override)> {
        self.0.iter_mut()
    }

    pub(super) fn get(&self, target: &api::Target) -> Option<&Override> {
        self.0.get(target)
    }

    pub(super) fn set(&mut self, target: api::Target, forced: Override) {
        self.0.insert(target, forced);
    }

    pub(super) fn remove(&mut self, target: &api::Target) -> Option<Override> {
        self.0.remove(target)
    }

    /// Whether so many more that are new have room.
    pub(super) fn check_room(&self, new: usize) -> Result<(), Refusal> {
        if self.0.len() + new <= OVERRIDES_MAX {
            return Ok(());
        }
        Err(Refusal::Full(format!("at most {OVERRIDES_MAX} overrides can be in force, and {} are", self.0.len())))
    }

    /// What is forced in the zone of `apex`, by the numbers of its pools.
    pub(super) fn forced(&self, apex: &Name, pools: &Pools) -> Forced {
        let mut forced = Forced::default();
        if self.0.is_empty() {
            return forced;
        }
        let zone = zone_text(apex);
        for (target, entry) in self.0.iter().filter(|(target, _)| target.zone == zone) {
            if let Some(found) = find(pools, target) {
                forced.set(found, entry.force);
            }
        }
        forced
    }

    /// Notes which of them nothing answers to, and drops those that have been so for long. What was dropped.
    pub(super) fn match_with(&mut self, snapshot: &Snapshot, now: Moment) -> Vec<api::Target> {
        for (target, entry) in &mut self.0 {
            let found = served(snapshot, &target.zone).and_then(|served| find(&served.steering.pools, target));
            entry.unmatched = if found.is_some() { None } else { entry.unmatched.or(Some(now)) };
        }
        let old = |entry: &Override| entry.unmatched.is_some_and(|since| now.since(since) > UNMATCHED_KEPT);
        let dropped = self.0.iter().filter(|(_, entry)| old(entry)).map(|(target, _)| target.clone()).collect();
        self.0.retain(|_, entry| !old(entry));
        dropped
    }

    /// What `select` comes to, of what is served and of what is forced. `awaits` tells what would be let up, if it is
    /// released: that, and whatever is forced, is released however much it is.
    ///
    /// # Errors
    /// When it names what there is not.
    pub(super) fn select(
        &self,
        snapshot: &Snapshot,
        select: Selection,
        request: &api::SteerRequest,
        awaits: &dyn Fn(&Pools, policy::Target) -> bool,
    ) -> Result<Vec<api::Target>, Refusal> {
        check_words(request)?;
        match select {
            Selection::Only(mut target) => {
                target.zone = plain_zone(&target.zone);
                let found = served(snapshot, &target.zone).and_then(|at| called(&at.steering.pools, &target));
                match found {
                    Some(found) => Ok(vec![found]),
                    None if self.0.contains_key(&target) => Ok(vec![target]),
                    None => Err(unknown(snapshot, &target.to_string(), &target.zone)),
                }
            }
            Selection::Patterns => {
                check_patterns(&request.select)?;
                self.matching(snapshot, request, awaits)
            }
        }
    }

    fn matching(
        &self,
        snapshot: &Snapshot,
        request: &api::SteerRequest,
        awaits: &dyn Fn(&Pools, policy::Target) -> bool,
    ) -> Result<Vec<api::Target>, Refusal> {
        let zones = request.zone.as_deref().map_or_else(|| "*".to_owned(), plain_zone);
        let served: Vec<&Served> =
            snapshot.served().iter().filter(|served| is_like(&zone_text(served.zone.apex()), &zones)).collect();
        let forced: Vec<&api::Target> = self.0.keys().filter(|target| is_like(&target.zone, &zones)).collect();
        if served.is_empty() && forced.is_empty() {
            return Err(unknown_zone(snapshot, &zones));
        }
        let mut found: BTreeSet<api::Target> = BTreeSet::new();
        for pattern in &request.select {
            let (pool, endpoint) = match pattern.split_once('/') {
                Some((pool, endpoint)) => (pool, Some(endpoint)),
                None => (pattern.as_str(), None),
            };
            let is_meant = |target: &&&api::Target| {
                is_like(&target.pool, pool)
                    && match (&target.endpoint, endpoint) {
                        (Some(name), Some(endpoint)) => is_like(name, endpoint),
                        (name, endpoint) => name.is_none() && endpoint.is_none(),
                    }
            };
            let mut any = false;
            for target in forced.iter().filter(is_meant) {
                any = true;
                found.insert((*target).clone());
            }
            for served in &served {
                targets(served, pool, endpoint, &mut |target, number| {
                    any = true;
                    // Of what there is nothing to release of, so many are told.
                    let pools = &served.steering.pools;
                    let is_told = request.force.is_some() || found.len() < OVERRIDES_MAX;
                    // One that is forced may be meant by its address alone.
                    if is_told || self.0.contains_key(&target) || awaits(pools, number) {
                        found.insert(target);
                    }
                });
            }
            if !any {
                return Err(unknown(snapshot, pattern, &zones));
            }
            if request.force.is_some() && found.len() > OVERRIDES_MAX {
                return Err(Refusal::Full(format!("with {pattern} more than {OVERRIDES_MAX} would be forced")));
            }
        }
        Ok(found.into_iter().collect())
    }

    /// All of them, to be kept; `time` tells the time of day of a moment.
    pub(super) fn to_kept(&self, time: impl Fn(Moment) -> Timestamp) -> Vec<Kept> {
        let kept = self.0.iter().map(|(target, entry)| Kept {
            target: target.clone(),
            forced: entry.forced(),
            origin: Some(entry.origin),
            safe: entry.force.is_out().then(|| time(entry.safe)),
        });
        kept.collect()
    }

    /// What was kept; `moment` tells the moment of a time of day. More than [`OVERRIDES_MAX`] are not taken.
    pub(super) fn from_kept(kept: Vec<Kept>, moment: impl Fn(Timestamp) -> Moment) -> Self {
        let entry = |Kept { target, forced, origin, safe }| {
            let api::Forced { force, who, reason, since } = forced;
            let origin = origin.unwrap_or(if who == ITSELF { Origin::Endpoint } else { Origin::Operator });
            let safe = safe.map_or(Moment::START, &moment);
            let force = force_of(force);
            (target, Override { force, origin, who, reason, since, safe, still_given: false, unmatched: None })
        };
        Self(kept.into_iter().take(OVERRIDES_MAX).map(entry).collect())
    }
}

impl Override {
    /// As it is told.
    pub(super) fn forced(&self) -> api::Forced {
        let force = match self.force {
            Force::Up => api::Force::Up,
            Force::Down => api::Force::Down,
            Force::Drain => api::Force::Drain,
        };
        api::Forced { force, who: self.who.clone(), reason: self.reason.clone(), since: self.since }
    }
}

/// As policies have it.
pub(super) fn force_of(force: api::Force) -> Force {
    match force {
        api::Force::Up => Force::Up,
        api::Force::Down => Force::Down,
        api::Force::Drain => Force::Drain,
    }
}

/// A zone as operators write it: without the final dot.
pub(super) fn zone_text(apex: &Name) -> String {
    plain_zone(&apex.to_string())
}

/// A zone as whoever asks wrote it, as it is known here.
pub(super) fn plain_zone(zone: &str) -> String {
    if zone == "." { zone.to_owned() } else { zone.trim_end_matches('.').to_ascii_lowercase() }
}

/// The zone that is called so, in any letters.
pub(super) fn served<'s>(snapshot: &'s Snapshot, zone: &str) -> Option<&'s Served> {
    let name = Name::from_host(zone).ok()?;
    let mut qname = Qname::default();
    qname.read(name.as_wire()).ok()?;
    // The nearest above it, if it is none itself.
    snapshot.zone_of(&qname, 0).filter(|served| served.zone.apex_labels() == qname.labels())
}

/// What is called so among `pools`.
pub(super) fn find(pools: &Pools, target: &api::Target) -> Option<policy::Target> {
    let (id, pool) = (0..).zip(&pools.pools).find(|(_, pool)| *pool.name == *target.pool)?;
    let Some(name) = &target.endpoint else { return Some(policy::Target::Pool(PoolId(id))) };
    let called = |id: &EndpointId| pools.endpoints.get(id.0 as usize).is_some_and(|known| *known.name == **name);
    pool.endpoints().find(called).map(policy::Target::Endpoint)
}

/// `target` by its name, where there is such a thing among `pools`: an endpoint may be called by its address, too.
pub(super) fn called(pools: &Pools, target: &api::Target) -> Option<api::Target> {
    if find(pools, target).is_some() {
        return Some(target.clone());
    }
    let address = target.endpoint.as_ref()?;
    let pool = pools.pools.iter().find(|pool| *pool.name == *target.pool)?;
    let endpoints = pool.endpoints().filter_map(|id| pools.endpoints.get(id.0 as usize));
    let has_it = |known: &&policy::Endpoint| known.given.address().is_some_and(|known| known.to_string() == *address);
    let known = endpoints.into_iter().find(has_it)?;
    Some(api::Target { endpoint: Some(known.name.to_string()), ..target.clone() })
}

/// Hands to `enter` what the patterns match in a zone.
fn targets(served: &Served, pool: &str, endpoint: Option<&str>, enter: &mut impl FnMut(api::Target, policy::Target)) {
    let zone = zone_text(served.zone.apex());
    let pools = &served.steering.pools;
    for (id, found) in (0..).zip(&pools.pools).filter(|(_, found)| is_like(&found.name, pool)) {
        let target = |endpoint| api::Target { zone: zone.clone(), pool: found.name.to_string(), endpoint };
        let Some(pattern) = endpoint else {
            enter(target(None), policy::Target::Pool(PoolId(id)));
            continue;
        };
        for id in found.endpoints() {
            let Some(known) = pools.endpoints.get(id.0 as usize) else { continue };
            let address = known.given.address().map(|address| address.to_string());
            if is_like(&known.name, pattern) || address.is_some_and(|address| is_like(&address, pattern)) {
                enter(target(Some(known.name.to_string())), policy::Target::Endpoint(id));
            }
        }
    }
}

/// Whether `text` is as `pattern` says, in which `*` stands for any characters and `?` for one. Takes time in
/// proportion to both lengths, multiplied, at the most.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last `*` stood, and how far it reaches in the text so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&letter) = text.get(at) {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == letter => (at, of) = (at + 1, of + 1),
            _ => {
                let Some((stood, reach)) = star else { return false };
                star = Some((stood, reach + 1));
                (at, of) = (reach + 1, stood + 1);
            }
        }
    }
    pattern.iter().skip(of).all(|&rest| rest == '*')
}

fn unknown_zone(snapshot: &Snapshot, wanted: &str) -> Refusal {
    let known: Vec<String> = snapshot.served().iter().map(|served| zone_text(served.zone.apex())).collect();
    Refusal::Unknown(format!("there is no zone {wanted} ({})", suggest(wanted, &known)))
}

fn unknown(snapshot: &Snapshot, wanted: &str, zones: &str) -> Refusal {
    let mut known = Vec::new();
    if !snapshot.served().iter().any(|served| is_like(&zone_text(served.zone.apex()), zones)) {
        return unknown_zone(snapshot, zones);
    }
    for served in snapshot.served().iter().filter(|served| is_like(&zone_text(served.zone.apex()), zones)) {
        let endpoint = if wanted.contains('/') { Some("*") } else { None };
        targets(served, "*", endpoint, &mut |target, _| known.push(target.to_string()));
    }
    known.sort_unstable();
    known.dedup();
    let what = if wanted.contains('/') { "endpoint" } else { "pool" };
    Refusal::Unknown(format!("there is no {what} {wanted} ({})", suggest(wanted, &known)))
}

fn suggest(wanted: &str, known: &[String]) -> String {
    /// Names that are listed where none is near.
    const LISTED_MAX: usize = 10;
    if let Some(near) = nearest(wanted, known.iter().map(String::as_str)) {
        return format!("did you mean {near}?");
    }
    if known.is_empty() {
        return "there is none at all".to_owned();
    }
    let listed = known.iter().take(LISTED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if known.len() > LISTED_MAX { ", …" } else { "" };
    format!("there are {listed}{more}")
}

fn check_words(request: &api::SteerRequest) -> Result<(), Refusal> {
    if !(1..=WHO_MAX).contains(&length(&request.who)) || !is_plain(&request.who) {
        return Err(Refusal::Invalid(format!("`who` must have 1 to {WHO_MAX} characters, in one line")));
    }
    check_reason(request.reason.as_deref())
}

/// Whether a reason can be shown in a line, as whoever gives one wants it.
pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Refusal> {
    if reason.is_some_and(|reason| length(reason) > REASON_MAX || !is_plain(reason)) {
        return Err(Refusal::Invalid(format!("`reason` may have {REASON_MAX} characters at the most, in one line")));
    }
    Ok(())
}

fn check_patterns(patterns: &[String]) -> Result<(), Refusal> {
    if !(1..=PATTERNS_MAX).contains(&patterns.len()) || patterns.iter().any(|pattern| length(pattern) > PATTERN_MAX) {
        let message =
            format!("`select` must hold 1 to {PATTERNS_MAX} patterns of {PATTERN_MAX} characters at the most");
        return Err(Refusal::Invalid(message));
    }
    Ok(())
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, like: &[&str], unlike: &[&str]| {
            like.iter().for_each(|text| assert!(is_like(text, pattern), "{text} is like {pattern}"));
            unlike.iter().for_each(|text| assert!(!is_like(text, pattern), "{text} is not like {pattern}"));
        };
        check("fra1", &["fra1"], &["fra", "fra10", "", "Fra1"]);
        check("fra?", &["fra1", "fraé"], &["fra", "fra10"]);
        check("*", &["", "fra1", "2001:db8::1"], &[]);
        check("fra*", &["fra", "fra10"], &["afra"]);
        check("*1", &["1", "fra1", "fra11"], &["fra12", ""]);
        check("f*a*1", &["fa1", "fra-1", "faaa11"], &["f1", "fra2"]);
        check("a*b?c", &["abxc", "ab-bbbyc"], &["abc", "abxcx"]);
        check("", &[""], &["a"]);
        let long = "a".repeat(2_000);
        check(&format!("{}b", "a*".repeat(100)), &[], &[&long]);
    }

    #[test]
    fn what_is_kept_comes_back() {
        let target = |endpoint: Option<&str>| api::Target {
            zone: "example.com".to_owned(),
            pool: "web".to_owned(),
            endpoint: endpoint.map(str::to_owned),
        };
        let since = Timestamp::from_second(1_700_000_000).expect("a time");
        let safe = Moment::from_nanos(5_000_000_000);
        let drained = Override {
            force: Force::Drain,
            origin: Origin::Operator,
            who: "ada".to_owned(),
            reason: Some("kernel".to_owned()),
            since,
            safe,
            still_given: false,
            unmatched: None,
        };
        let up = Override { force: Force::Up, reason: None, safe: Moment::START, ..drained.clone() };
        let mut overrides = Overrides::default();
        overrides.set(target(Some("a")), drained.clone());
        overrides.set(target(None), up.clone());
        // Whoever calls themselves so is not the endpoint.
        overrides.set(target(Some("b")), Override { who: ITSELF.to_owned(), ..drained.clone() });
        overrides.set(target(Some("c")), Override { origin: Origin::Endpoint, ..drained.clone() });
        let zero = Timestamp::from_second(1_700_000_100).expect("a time");
        let time = |moment: Moment| zero + moment.since(Moment::START);
        let moment = |time: Timestamp| Moment::START + time.duration_since(zero).unsigned_abs();
        let text = serde_json::to_string(&overrides.to_kept(time)).expect("JSON");
        let again = Overrides::from_kept(serde_json::from_str(&text).expect(&text), moment);
        assert_eq!(again.0, overrides.0, "{text}");
        assert_eq!(again.get(&target(Some("a"))).map(|entry| entry.safe), Some(safe));
    }

    #[test]
    fn what_was_kept_before_origins_were_is_known_by_its_name() {
        let check = |who: &str, expected: Origin| {
            let text = format!(
                r#"[{{ "zone": "example.com", "pool": "web", "endpoint": "a", "force": "drain", "who": "{who}",
                "since": "2026-01-02T03:04:05Z", "safe": "2026-01-02T03:05:05Z" }}]"#
            );
            let kept = serde_json::from_str(&text).expect(&text);
            let again = Overrides::from_kept(kept, |_| Moment::START);
            let origins: Vec<Origin> = again.iter().map(|(_, entry)| entry.origin).collect();
            assert_eq!(origins, [expected], "{who}");
        };
        check("its own report", Origin::Endpoint);
        check("ada", Origin::Operator);
    }
}
