//! `[pools.NAME]`: policies over members, as they stand in the file.
//!
//! What a pool says of other pools is only names here; `nesting` makes a tree of them.

mod draft;
mod members;

use std::collections::HashMap;
use std::time::Duration;

use super::claims;
use super::faults::{Faults, Span, shown, suggestion};
use super::judges::{depends, judges};
use super::monitors::Entry;
use super::table::{Item, Keys, Table};
use super::words::{check_label, percent};
use crate::diagnostic::plural;
use crate::geo::TOLERANCE_MS;
use crate::policy::{HASH_BITS, MEMBERS_MAX, MinAlive, PolicyName, TOLERANCE_MAX};
pub(super) use draft::{Draft, DraftGiven, DraftMember, DraftTarget};
use members::{check_claims, check_ports, check_weights};

const POOL: Keys = Keys::only(&[
    "policy",
    "monitor",
    "require",
    "depends",
    "endpoints",
    "members",
    "min-alive",
    "place",
    "otherwise",
    "tolerance",
    "prefix",
]);

/// The tolerance of a `latency` pool that does not say.
const TOLERANCE: Duration = Duration::from_millis(TOLERANCE_MS as u64);

const PREFIX: Keys = Keys::only(&["ipv4", "ipv6"]);

/// Reads all pools, in the order of the file.
pub(super) fn read<'a>(
    pools: Option<Item<'a>>,
    monitors: &HashMap<&str, Entry>,
    faults: &mut Faults<'_>,
) -> Vec<Draft<'a>> {
    let entries = pools.map(|item| item.entries("[pools.world]", faults)).unwrap_or_default();
    let nothing = |item: Item<'a>| Draft {
        name: item.key,
        key_span: item.key_span,
        policy: None,
        members: Vec::new(),
        min_alive: MinAlive::Count(1),
        place: None,
        otherwise: None,
        tolerance: TOLERANCE,
        prefix: HASH_BITS,
        judges: None,
        depends: Vec::new(),
    };
    entries.into_iter().map(|item| pool(item, monitors, faults).unwrap_or_else(|| nothing(item))).collect()
}

fn pool<'a>(item: Item<'a>, monitors: &HashMap<&str, Entry>, faults: &mut Faults<'_>) -> Option<Draft<'a>> {
    let what = format!("pool `{}`", shown(item.key));
    check_label(item.key, item.key_span, "a pool", faults);
    let table = item.table(&what, &POOL, r#"{ policy = "round-robin", endpoints = ["192.0.2.10"] }"#, faults)?;
    let policy = table.require("policy", "\"round-robin\"", faults).and_then(|item| policy(item, faults));
    let heeds_weights = policy.is_none_or(PolicyName::heeds_weights) || weighs_living(&table);
    let judges = judges(&table, None, monitors, faults);
    let depends = table.get("depends").map(|item| depends(item, monitors, faults)).unwrap_or_default();
    let (members, sound) = members::read(&table, policy, heeds_weights, (judges.as_ref(), monitors), faults);
    if members.is_empty() && sound && !table.is_meant(&["endpoints", "members"]) {
        faults
            .error(item.key_span, format!("{what} has no members"))
            .help("give it endpoints = [\"192.0.2.10\"] or members = [{ pool = \"another\" }]");
    }
    if table.get("monitor").is_none() {
        warn_of_unjudged(&what, item.key_span, &members, faults);
    }
    check_ports(&members, judges.as_ref(), faults);
    let place = table.get("place").and_then(|item| claims::place(item, faults));
    let names: Vec<&str> = members.iter().map(DraftMember::name).collect();
    let otherwise = table.get("otherwise").and_then(|item| {
        if policy.is_some_and(|policy| policy != PolicyName::Geo) {
            faults
                .warning(item.key_span, "`otherwise` has no effect: the policy of this pool ignores it")
                .help("write policy = \"geo\", or leave it out");
        }
        claims::otherwise(item, &names, faults)
    });
    if policy == Some(PolicyName::Geo) {
        check_claims(&members, faults);
    }
    let min_alive = table.get("min-alive").and_then(|item| min_alive(item, sound.then_some(members.len()), faults));
    let tolerance = table.get("tolerance").and_then(|item| tolerance(item, policy, faults));
    let prefix = table.get("prefix").and_then(|item| prefix(item, policy, faults)).unwrap_or(HASH_BITS);
    if matches!(policy, Some(PolicyName::Weighted | PolicyName::LeastLoad)) {
        check_weights(&what, item.key_span, &members, faults);
    }
    let min_alive = min_alive.unwrap_or(MinAlive::Count(1));
    Some(Draft {
        name: item.key,
        key_span: item.key_span,
        policy,
        members,
        min_alive,
        place,
        otherwise,
        tolerance: tolerance.unwrap_or(TOLERANCE),
        prefix,
        judges,
        depends,
    })
}

/// Warns of the endpoints of a pool without a monitor that have none of their own either.
fn warn_of_unjudged(what: &str, at: Span, members: &[DraftMember<'_>], faults: &mut Faults<'_>) {
    /// Endpoints that are named; the rest is counted.
    const NAMED_MAX: usize = 4;
    let unjudged: Vec<&str> = members.iter().filter(|member| member.is_unjudged()).map(DraftMember::name).collect();
    let whole = !members.iter().any(DraftMember::is_judged);
    let message = match &unjudged[..] {
        [] => return,
        _ if whole => format!("{what} has no monitor: its endpoints always count as alive"),
        [one] => format!("{what} has no monitor, nor has its endpoint {one}: that always counts as alive"),
        several => {
            let (named, rest) = several.split_at(several.len().min(NAMED_MAX));
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let named = named.join(", ");
            format!("{what} has no monitor, nor have its endpoints {named}{more}: these always count as alive")
        }
    };
    faults.warning(at, message).help("give it monitor = \"NAME\", the name of a [monitors.NAME]");
}

fn policy(item: Item<'_>, faults: &mut Faults<'_>) -> Option<PolicyName> {
    let text = item.string("round-robin", faults)?;
    let found = PolicyName::ALL.iter().find(|(word, _)| *word == text).map(|&(_, policy)| policy);
    let known = PolicyName::ALL.iter().map(|&(word, _)| word);
    if found.is_none() {
        faults.error(item.span, format!("unknown policy \"{}\"", shown(text))).help(suggestion(
            text,
            known,
            "known policies",
        ));
    }
    found
}

/// What makes a share of members a share of their weights.
const OF_WEIGHT: &str = "of weight";

/// Whether `min-alive` weighs the living members, so that weights mean something under any policy.
fn weighs_living(table: &Table<'_>) -> bool {
    table.get("min-alive").and_then(|item| item.value.as_str()).is_some_and(|text| text.ends_with(OF_WEIGHT))
}

/// `2`, `"50%"`, or `"50% of weight"`. `members` is how many there are, where that is known.
fn min_alive(item: Item<'_>, members: Option<usize>, faults: &mut Faults<'_>) -> Option<MinAlive> {
    let Some(text) = item.value.as_str() else {
        if item.value.as_integer().is_none() {
            item.mismatch("a number of members such as 2 or a share of them such as \"50%\"", faults);
            return None;
        }
        let most = u32::try_from(MEMBERS_MAX).unwrap_or(u32::MAX);
        let count = item.integer(1..=most, faults)?;
        if let Some(members) = members.filter(|&members| members < count as usize) {
            faults
                .error(
                    item.span,
                    format!(
                        "`min-alive` is {count}, but the pool has {}: it could never be alive",
                        plural(members, "member")
                    ),
                )
                .help(format!("give 1 to {members}, or a share such as \"50%\""));
            return None;
        }
        return Some(MinAlive::Count(count));
    };
    let (share, meaning): (_, fn(u8) -> MinAlive) = match text.strip_suffix(OF_WEIGHT) {
        Some(share) => (share.trim_end(), MinAlive::PercentOfWeight),
        None => (text, MinAlive::Percent),
    };
    let percent = percent(share).filter(|percent| (1..=100).contains(percent));
    if percent.is_none() {
        faults
            .error(
                item.span,
                format!("`min-alive` must be a count or a share from \"1%\" to \"100%\", found \"{}\"", shown(text)),
            )
            .help("write 2 for two members, \"50%\" for half of them, \"50% of weight\" for half of what they weigh");
    }
    percent.map(meaning)
}

/// How much longer than the best still counts as fast: `"10ms"`.
fn tolerance(item: Item<'_>, policy: Option<PolicyName>, faults: &mut Faults<'_>) -> Option<Duration> {
    if policy.is_some_and(|policy| policy != PolicyName::Latency) {
        faults
            .warning(item.key_span, "`tolerance` has no effect: the policy of this pool ignores it")
            .help("write policy = \"latency\", or leave the tolerance out");
    }
    item.duration(Duration::ZERO..=TOLERANCE_MAX, faults)
}

/// How much of a client's address makes up a session: `{ ipv4 = 24, ipv6 = 56 }`.
fn prefix(item: Item<'_>, policy: Option<PolicyName>, faults: &mut Faults<'_>) -> Option<(u8, u8)> {
    if policy.is_some_and(|policy| policy != PolicyName::Hash) {
        faults
            .warning(item.key_span, "`prefix` has no effect: the policy of this pool ignores it")
            .help("write policy = \"hash\", or leave the prefix out");
    }
    let table = item.table("a prefix", &PREFIX, "{ ipv4 = 24, ipv6 = 56 }", faults)?;
    let mut bits = |key, most| table.get(key).map_or(Some(most), |item| item.integer(1..=most, faults));
    let (ipv4, ipv6) = (bits("ipv4", HASH_BITS.0), bits("ipv6", HASH_BITS.1));
    Some((ipv4?, ipv6?))
}
