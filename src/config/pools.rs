//! `[pools.NAME]`: policies over members, as they stand in the file.
//!
//! What a pool says of other pools is only names here; `nesting` makes a tree of them.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use toml::de::DeValue;

use super::claims::{self, CLAIMS, Otherwise, Placed};
use super::faults::{Faults, Span, shown, suggestion};
use super::judges::{Judge, Judges, depends, judges};
use super::monitors::Entry;
use super::table::{Item, Keys, Table};
use super::words::{Probed, Seen, address, check_label, host, probed};
use crate::geo::{Bias, Claim, Coordinates, TOLERANCE_MS, conflicts};
use crate::policy::{HASH_BITS, MEMBERS_MAX, MinAlive, PolicyName, TOLERANCE_MAX, WEIGHT_MAX, WEIGHT_TOTAL_MAX};
use crate::wire::name::Name;

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

const ENDPOINT: Keys = Keys::only(&[
    "name",
    "address",
    "cname",
    "probe",
    "monitor",
    "require",
    "weight",
    "place",
    "bias",
    "networks",
    "asns",
    "subdivisions",
    "countries",
    "continents",
]);

const MEMBER: Keys =
    Keys::only(&["pool", "weight", "bias", "networks", "asns", "subdivisions", "countries", "continents"]);

/// The tolerance of a `latency` pool that does not say.
const TOLERANCE: Duration = Duration::from_millis(TOLERANCE_MS as u64);

const PREFIX: Keys = Keys::only(&["ipv4", "ipv6"]);

/// A pool as it stands in the file. One with faults keeps its name and what could be read of it, so that what
/// uses it is not faulted too.
pub(super) struct Draft<'a> {
    pub(super) name: &'a str,
    pub(super) key_span: Span,
    /// `None` when it is missing or faulty.
    pub(super) policy: Option<PolicyName>,
    pub(super) members: Vec<DraftMember<'a>>,
    pub(super) min_alive: MinAlive,
    /// Where it is.
    pub(super) place: Option<Coordinates>,
    /// Of a `geo` pool: who serves whom nobody claims.
    pub(super) otherwise: Option<Otherwise<'a>>,
    /// Of a `latency` pool: how much longer than the best a member of the band may take.
    pub(super) tolerance: Duration,
    /// Of a `hash` pool: how much of an IPv4 and of an IPv6 address makes up a session.
    pub(super) prefix: (u8, u8),
    /// What judges its own endpoints. Pools that are its members are judged by their own monitors: a pool means
    /// the same wherever it is used.
    pub(super) judges: Option<Judges>,
    /// What must be up for it to be alive.
    pub(super) depends: Vec<Judge>,
}

impl Draft<'_> {
    /// What judges `member`, one of its own.
    pub(super) fn judges_of<'d>(&'d self, member: &'d DraftMember<'_>) -> Option<&'d Judges> {
        match &member.target {
            DraftTarget::Endpoint { given: DraftGiven::Address(_), judges, .. } => {
                judges.as_ref().or(self.judges.as_ref())
            }
            _ => None,
        }
    }

    /// All monitors that matter to it: those of its endpoints, and what it depends on.
    pub(super) fn all_judges(&self) -> impl Iterator<Item = &Judge> {
        let of_members =
            self.members.iter().filter_map(|member| self.judges_of(member)).flat_map(|judges| &judges.list);
        of_members.chain(&self.depends)
    }

    /// Where every monitor stands that it names, whether or not it has endpoints for it.
    pub(super) fn all_named(&self) -> impl Iterator<Item = Span> {
        let own = self.judges.iter().flat_map(|judges| &judges.list);
        own.chain(self.all_judges()).map(|judge| judge.key_span)
    }

    /// The same, to be changed.
    pub(super) fn all_judges_mut(&mut self) -> impl Iterator<Item = &mut Judge> {
        let of_members = self.members.iter_mut().filter_map(|member| match &mut member.target {
            DraftTarget::Endpoint { judges, .. } => judges.as_mut(),
            DraftTarget::Pool(_) => None,
        });
        let judges = of_members.chain(&mut self.judges).flat_map(|judges| &mut judges.list);
        judges.chain(&mut self.depends)
    }
}

/// A member with its weight.
pub(super) struct DraftMember<'a> {
    pub(super) target: DraftTarget<'a>,
    pub(super) weight: u32,
    pub(super) span: Span,
    /// Whom it claims, of a `geo` pool.
    pub(super) claims: Vec<Placed>,
    pub(super) bias: Bias,
}

impl DraftMember<'_> {
    /// Whether it could have a monitor, as an address of this very pool, and names none itself.
    fn is_unjudged(&self) -> bool {
        matches!(self.target, DraftTarget::Endpoint { given: DraftGiven::Address(_), judges: None, .. })
    }

    /// What it is called within its pool.
    pub(super) fn name(&self) -> &str {
        match &self.target {
            DraftTarget::Endpoint { name, .. } => name,
            DraftTarget::Pool(name) => name,
        }
    }
}

/// What a member is.
pub(super) enum DraftTarget<'a> {
    Endpoint {
        name: Box<str>,
        given: DraftGiven,
        place: Option<Coordinates>,
        probed: Option<Probed>,
        judges: Option<Judges>,
    },
    Pool(&'a str),
}

/// What an endpoint gives.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum DraftGiven {
    Address(IpAddr),
    /// The name that is to be asked for, in lower case.
    Alias(Name),
}

impl fmt::Display for DraftGiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Alias(name) => write!(f, "{name}"),
        }
    }
}

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
    let (members, sound) = members(&table, policy, heeds_weights, (judges.as_ref(), monitors), faults);
    if members.is_empty() && sound && !table.is_meant(&["endpoints", "members"]) {
        faults
            .error(item.key_span, format!("{what} has no members"))
            .help("give it endpoints = [\"192.0.2.10\"] or members = [{ pool = \"another\" }]");
    }
    if members.iter().any(DraftMember::is_unjudged) && table.get("monitor").is_none() {
        faults
            .warning(item.key_span, format!("{what} has no monitor: its endpoints always count as alive"))
            .help("give it monitor = \"NAME\", the name of a [monitors.NAME]");
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

/// Endpoints, then pools; and whether all of them could be read.
fn members<'a>(
    table: &Table<'a>,
    policy: Option<PolicyName>,
    heeds_weights: bool,
    (judges, monitors): (Option<&Judges>, &HashMap<&str, Entry>),
    faults: &mut Faults<'_>,
) -> (Vec<DraftMember<'a>>, bool) {
    let mut reader = Members { policy, heeds_weights, seen: Seen::default(), list: Vec::new(), sound: true };
    let mut elements = |key, example, faults: &mut Faults<'_>| {
        let elements = table.get(key).map_or(Some(Vec::new()), |item| item.elements(example, faults));
        reader.sound &= elements.is_some();
        elements.unwrap_or_default()
    };
    let endpoints = elements("endpoints", r#"["192.0.2.10", { address = "192.0.2.11", weight = 2 }]"#, faults);
    let pools = elements("members", r#"[{ pool = "frankfurt", weight = 2 }, "virginia"]"#, faults);
    for element in endpoints {
        reader.sound &= reader.endpoint(element, (judges, monitors), faults).is_some();
    }
    for element in pools {
        reader.sound &= reader.pool(element, faults).is_some();
    }
    if reader.list.len() > MEMBERS_MAX {
        let count = reader.list.len();
        faults
            .error(table.span, format!("a pool can have {MEMBERS_MAX} members, found {count}"))
            .help("part it into pools that are members of one pool");
    }
    (reader.list, reader.sound)
}

struct Members<'a> {
    policy: Option<PolicyName>,
    /// Whether weights mean anything in this pool.
    heeds_weights: bool,
    seen: Seen<Word<'a>>,
    list: Vec<DraftMember<'a>>,
    sound: bool,
}

/// What may stand only once in a pool.
#[derive(PartialEq, Eq, Hash)]
enum Word<'a> {
    Given(DraftGiven),
    Endpoint(Box<str>),
    Pool(&'a str),
}

impl<'a> Members<'a> {
    /// `"192.0.2.10"`, or `{ name = "fra1", address = "192.0.2.10", weight = 4 }`, or one with a `cname`.
    fn endpoint(
        &mut self,
        item: Item<'a>,
        (of_pool, monitors): (Option<&Judges>, &HashMap<&str, Entry>),
        faults: &mut Faults<'_>,
    ) -> Option<()> {
        let (name, given, weight, judges, said) = if matches!(item.value, DeValue::Table(_)) {
            let table = item.table("an endpoint", &ENDPOINT, "", faults)?;
            let weight = self.weight(&table, faults);
            let place = table.get("place").and_then(|item| claims::place(item, faults));
            let probed = table.get("probe").and_then(|item| probed(item, faults));
            let said = (self.claims(&table, faults), claims::bias(&table, faults), place, probed);
            let name = table.get("name").map(|item| {
                let text = item.string("fra1", faults)?;
                check_label(text, item.span, "an endpoint", faults).then_some(text)
            });
            let given = given(&table, faults);
            let says = table.get("monitor").or(table.get("require"));
            let judged = says.map(|_| judges(&table, of_pool, monitors, faults));
            if let (Some(item), Some(DraftGiven::Alias(_))) = (says, &given) {
                faults.warning(item.key_span, format!("`{}` has no effect: monitors probe addresses", item.key));
            }
            (name, given?, weight?, judged.flatten(), said)
        } else {
            (None, DraftGiven::Address(address(item, faults)?), 1, None, Default::default())
        };
        let (claims, bias, place, probed) = said;
        let name: Box<str> = match name {
            Some(name) => name?.into(),
            None => given.to_string().trim_end_matches('.').into(),
        };
        let what = match &given {
            DraftGiven::Address(address) => format!("the address {address}"),
            DraftGiven::Alias(alias) => format!("the alias to {alias}"),
        };
        let once = self.seen.enter(Word::Given(given.clone()), item.span, &what, faults)
            && self.seen.enter(Word::Endpoint(name.clone()), item.span, &format!("the endpoint `{name}`"), faults);
        let target = DraftTarget::Endpoint { name, given, place, probed, judges };
        self.list.push(DraftMember { target, weight, span: item.span, claims, bias });
        once.then_some(())
    }

    /// `"frankfurt"`, or `{ pool = "frankfurt", weight = 2 }`.
    fn pool(&mut self, item: Item<'a>, faults: &mut Faults<'_>) -> Option<()> {
        let (pool, span, weight, said) = if let DeValue::Table(_) = item.value {
            let table = item.table("a member", &MEMBER, "", faults)?;
            let weight = self.weight(&table, faults);
            let said = (self.claims(&table, faults), claims::bias(&table, faults));
            let pool = table.require("pool", "\"frankfurt\"", faults)?;
            (pool.string("frankfurt", faults)?, pool.span, weight?, said)
        } else {
            (item.string("frankfurt", faults)?, item.span, 1, Default::default())
        };
        let (claims, bias) = said;
        let once = self.seen.enter(Word::Pool(pool), span, &format!("the member `{}`", shown(pool)), faults);
        self.list.push(DraftMember { target: DraftTarget::Pool(pool), weight, span, claims, bias });
        once.then_some(())
    }

    /// What a member claims; that it does, in a pool that asks for no claims, is worth a word.
    fn claims(&self, table: &Table<'_>, faults: &mut Faults<'_>) -> Vec<Placed> {
        if self.policy.is_some_and(|policy| policy != PolicyName::Geo) {
            for item in CLAIMS.iter().filter_map(|key| table.get(key)) {
                faults
                    .warning(item.key_span, format!("`{}` has no effect: the policy of this pool ignores it", item.key))
                    .help("write policy = \"geo\", or leave it out");
            }
        }
        claims::claims(table, faults)
    }

    fn weight(&self, table: &Table<'_>, faults: &mut Faults<'_>) -> Option<u32> {
        let Some(item) = table.get("weight") else { return Some(1) };
        if !self.heeds_weights {
            faults
                .warning(item.key_span, "`weight` has no effect: the policy of this pool ignores it")
                .help("write policy = \"weighted\", or leave the weight out");
        }
        item.integer(0..=WEIGHT_MAX, faults)
    }
}

/// Enters that a member names a port to probe where the monitor's probe knows none.
fn check_ports(members: &[DraftMember<'_>], pool: Option<&Judges>, faults: &mut Faults<'_>) {
    for member in members {
        let DraftTarget::Endpoint { probed: Some(Probed { port: Some(port), .. }), judges, .. } = &member.target else {
            continue;
        };
        let mut judges = judges.as_ref().or(pool).into_iter().flat_map(|judges| &judges.list);
        if judges.any(|judge| judge.monitor.at_port(*port).is_none()) {
            faults
                .error(member.span, format!("`probe` names the port {port}, but what the monitor asks has no ports"))
                .help("give the address alone");
        }
    }
}

/// What an endpoint gives: its `address` or its `cname`. That nothing watches an alias is worth a word.
fn given(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<DraftGiven> {
    let Some(item) = table.get("cname") else {
        if table.is_meant(&["cname"]) {
            return None;
        }
        let item = table.require("address", "\"192.0.2.10\"", faults)?;
        return address(item, faults).map(DraftGiven::Address);
    };
    if let Some(address) = table.get("address") {
        faults
            .error(item.key_span, "an endpoint has either an `address` or a `cname`")
            .other(address.key_span, "the address")
            .help("an alias stands alone (RFC 1034 §3.6.2): make them two endpoints, or leave one out");
        return None;
    }
    if let Some(probe) = table.get("probe") {
        faults
            .error(probe.key_span, "an endpoint with a `cname` is not probed, so it can have no `probe`")
            .other(item.key_span, "the alias");
        return None;
    }
    let alias = host(item, "www.cdn.example.net", faults)?;
    faults
        .warning(item.span, format!("nothing watches {alias}: an alias always counts as alive"))
        .help("monitors probe addresses: should that host fail, its clients are led nowhere else");
    Some(DraftGiven::Alias(alias))
}

/// A turn of the schedule is as long as the weights' sum, once their common factor is taken out.
fn check_weights(what: &str, span: Span, members: &[DraftMember<'_>], faults: &mut Faults<'_>) {
    let weights = || members.iter().map(|member| u64::from(member.weight));
    let sum: u64 = weights().sum();
    let common = weights().fold(0, greatest_common_divisor).max(1);
    if sum / common > WEIGHT_TOTAL_MAX {
        let factor =
            if common > 1 { format!(", {} without their common factor {common}", sum / common) } else { String::new() };
        faults
            .error(span, format!("the weights of {what} sum to {sum}{factor}: more than {WEIGHT_TOTAL_MAX}"))
            .help("use smaller weights in about the same proportion");
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
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
                    format!("`min-alive` is {count}, but the pool has {members} members: it could never be alive"),
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
    let percent = share.strip_suffix('%').filter(|digits| digits.bytes().all(|octet| octet.is_ascii_digit()));
    let percent = percent.and_then(|digits| digits.parse().ok()).filter(|percent| (1..=100).contains(percent));
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

/// Two members cannot claim the same clients alike: neither would be the more specific.
fn check_claims(members: &[DraftMember<'_>], faults: &mut Faults<'_>) {
    let placed: Vec<(Placed, u16)> = (0..)
        .zip(members)
        .flat_map(|(number, member)| member.claims.iter().map(move |&claim| (claim, number)))
        .collect();
    let claims: Vec<(Claim, u16)> = placed.iter().map(|&((claim, _), number)| (claim, number)).collect();
    for conflict in conflicts(&claims) {
        let ((_, first), first_member) = placed[conflict.first];
        let ((_, second), second_member) = placed[conflict.second];
        let names = [first_member, second_member].map(|member| members[usize::from(member)].name());
        faults
            .error(second, format!("`{}` and `{}` claim the same clients", names[0], names[1]))
            .other(first, "claimed here first")
            .help("the more specific claim wins: make one of them narrower, or take it out");
    }
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
