//! Verdicts that turned, in the log: what an operator looks for after something was down.
//!
//! One line a turn, down as a warning; never one a probe. A first verdict that is up is no news, since there may be
//! thousands. What was taken over from the state file or another process did not turn.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::{Spacing, SpanPrinter};

use super::super::overrides::zone_text;
use super::Keeper;
use crate::health::{ProbeId, Verdict};
use crate::policy::{PoolId, Pools, Target};
use crate::probe::{Change, Turn};
use crate::wire::name::Name;

/// Whom a probe judges that are named in one line, beside the first.
const ALSO_MAX: usize = 3;

/// Whom a probe judges, in one pool.
struct Judged<'k> {
    zone: &'k Name,
    pool: &'k str,
    /// Nothing where the pool as a whole depends on what is probed.
    endpoint: Option<&'k str>,
    /// Others judge it as well, so that this verdict need not be the endpoint's.
    shared: bool,
}

impl Keeper {
    /// Logs that a verdict turned, if `change` says so.
    pub(super) fn log_turn(&self, change: &Change) {
        let Some((Turn { lasted, why }, verdict)) = change.turn.as_ref().zip(change.turned) else { return };
        let judged = self.judged_by(change.probe);
        let first = judged.first();
        let (zone, pool) = (first.map(|one| zone_text(one.zone)), first.map(|one| one.pool));
        let endpoint = first.and_then(|one| one.endpoint);
        let what = match first {
            Some(Judged { endpoint: None, .. }) => "what a pool depends on",
            Some(Judged { shared: true, .. }) => "an endpoint, by one of its monitors,",
            _ => "endpoint",
        };
        let also = also(&judged);
        let (address, probe) = (change.target.address, change.target.to_string());
        let lasted = lasted.map(in_words);
        match verdict {
            Verdict::Down => tracing::warn!(
                zone, pool, endpoint, also, %address, probe, up_for = lasted, reason = why.as_deref(), "{what} is down"
            ),
            Verdict::Up if lasted.is_none() => {
                tracing::debug!(zone, pool, endpoint, also, %address, probe, "{what} is up");
            }
            Verdict::Up => tracing::info!(
                zone, pool, endpoint, also, %address, probe, down_for = lasted, reason = why.as_deref(), "{what} is up"
            ),
        }
    }

    /// Whom `probe` judges, of what is served, or else of what is about to be.
    fn judged_by(&self, probe: ProbeId) -> Vec<Judged<'_>> {
        let served = (&self.holdings, self.touched.get(&probe));
        let pending = self.pending.as_ref().map(|pending| (pending.holdings(), pending.touched(probe)));
        let known = [Some(served), pending].into_iter().flatten().find_map(|(of, places)| Some((of, places?)));
        let Some((holdings, places)) = known else { return Vec::new() };
        let mut judged = Vec::new();
        for held in places.iter().filter_map(|&place| holdings.zones.get(place)) {
            for pool in held.steering.dependents.of_probe(probe) {
                judged_in(held.zone.apex(), &held.steering.pools, pool, probe, &mut judged);
            }
        }
        // First whom this verdict alone decides of; an endpoint says more than what depends on it.
        judged.sort_by_key(|one| (one.endpoint.is_none(), one.shared));
        judged
    }
}

/// Adds whom `probe` judges in one pool.
fn judged_in<'k>(zone: &'k Name, pools: &'k Pools, pool: PoolId, probe: ProbeId, judged: &mut Vec<Judged<'k>>) {
    let Some(pool) = pools.pools.get(pool.0 as usize) else { return };
    let name = &*pool.name;
    for member in &pool.members {
        let Target::Endpoint(id) = member.target else { continue };
        let Some(endpoint) = pools.endpoints.get(id.0 as usize) else { continue };
        if endpoint.judged.probes.contains(&probe) {
            let shared = endpoint.judged.probes.len() > 1;
            judged.push(Judged { zone, pool: name, endpoint: Some(&endpoint.name), shared });
        }
    }
    if pool.depends.contains(&probe) {
        judged.push(Judged { zone, pool: name, endpoint: None, shared: false });
    }
}

/// All but the first: `tokyo/a of example.com, web/b of example.org and 2 more`.
fn also(judged: &[Judged<'_>]) -> Option<String> {
    let rest = judged.get(1..).filter(|rest| !rest.is_empty())?;
    let named = rest.iter().take(ALSO_MAX).map(|&Judged { zone, pool, endpoint, .. }| {
        let pool = endpoint.map_or(Cow::Borrowed(pool), |endpoint| format!("{pool}/{endpoint}").into());
        format!("{pool} of {}", zone_text(zone))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = rest.len().saturating_sub(ALSO_MAX);
    Some(if more > 0 { format!("{named} and {more} more") } else { named })
}

/// `2d3h`, `13s`; of less than ten seconds with their thousandths, which tell a flap from a death.
fn in_words(span: Duration) -> String {
    const LONG: Duration = Duration::from_secs(10);
    let milliseconds = span.as_millis();
    let whole = if span < LONG { milliseconds } else { milliseconds / 1_000 * 1_000 };
    let span = SignedDuration::from_millis(i64::try_from(whole).unwrap_or(i64::MAX));
    SpanPrinter::new().spacing(Spacing::None).duration_to_string(&span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_long_as_they_say() {
        let check = |milliseconds: u64, expected: &str| {
            assert_eq!(in_words(Duration::from_millis(milliseconds)), expected);
        };
        check(0, "0s");
        check(1_250, "1s250ms");
        check(13_999, "13s");
        check(2 * 3_600_000 + 3 * 60_000, "2h3m");
    }

    #[test]
    fn a_line_names_a_few_and_counts_the_rest() {
        let zone = Name::from_host("example.com").expect("a name");
        let one = |endpoint| Judged { zone: &zone, pool: "web", endpoint, shared: false };
        let check = |names: &[Option<&'static str>], expected: Option<&str>| {
            let judged: Vec<_> = names.iter().copied().map(one).collect();
            assert_eq!(also(&judged).as_deref(), expected);
        };
        check(&[], None);
        check(&[Some("a")], None);
        check(&[Some("a"), Some("b"), None], Some("web/b of example.com, web of example.com"));
        let many = "web/b of example.com, web/c of example.com, web/d of example.com and 2 more";
        check(&["a", "b", "c", "d", "e", "f"].map(Some), Some(many));
    }
}
