//! `endpoints` and `members` of a pool, and what must hold among them.

use std::collections::HashMap;

use toml::de::DeValue;

use super::draft::{DraftGiven, DraftMember, DraftTarget};
use crate::config::claims::{self, CLAIMS, Placed};
use crate::config::faults::{Faults, Span, shown};
use crate::config::judges::{Judges, judges};
use crate::config::monitors::Entry;
use crate::config::table::{Item, Keys, Table};
use crate::config::words::{Probed, Seen, address, check_label, host, probed};
use crate::geo::{Claim, conflicts};
use crate::policy::{MEMBERS_MAX, PolicyName, WEIGHT_MAX, WEIGHT_TOTAL_MAX};

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

/// Endpoints, then pools; and whether all of them could be read.
pub(super) fn read<'a>(
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
pub(super) fn check_ports(members: &[DraftMember<'_>], pool: Option<&Judges>, faults: &mut Faults<'_>) {
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

/// Two members cannot claim the same clients alike: neither would be the more specific.
pub(super) fn check_claims(members: &[DraftMember<'_>], faults: &mut Faults<'_>) {
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

/// A turn of the schedule is as long as the weights' sum, once their common factor is taken out.
pub(super) fn check_weights(what: &str, span: Span, members: &[DraftMember<'_>], faults: &mut Faults<'_>) {
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
