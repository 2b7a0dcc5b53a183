//! `zones/ZONE.toml`: what one policy file says, as a whole.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::aliases::Aliases;
use super::apex::{self, ZoneTable};
use super::budgets;
use super::claims;
use super::faults::Faults;
use super::judges::Judge;
use super::monitors::{self, Entry};
use super::names::{self, Balanced, Zone};
use super::names_apart::{self, Apart, Block, Names};
use super::nesting::{Nesting, nest};
use super::pools::{self, Draft, DraftGiven, DraftMember, DraftTarget};
use super::table::{Keys, Table, parse};
use super::{Atlas, FILE_OCTETS_MAX};
use crate::diagnostic::{Diagnostic, Place};
use crate::geo::{Claim, EXPECTED_MAX, Otherwise, RttMap, RttTable, Rules, Site};
use crate::health::ProbeId;
use crate::policy::{
    AliasId, Ecs, Endpoint, EndpointId, Given, Judged, Latency, Member, Policy, PolicyName, Pool, Pools, Ranking,
    Target,
};
use crate::probe;
use crate::wire::name::Name;

/// What one policy file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    /// `[zone]`, where it stands.
    pub apex: Option<ZoneTable>,
    /// All pools, those too that no name leads to: their endpoints are probed, so that a pool can be watched
    /// before it is used.
    pub pools: Pools,
    /// Where aliases among the endpoints lead, by number; absolute, in lower case.
    pub aliases: Box<[Name]>,
    /// The balanced names, in the order of the file; no owner twice.
    pub names: Vec<Balanced>,
    /// The files that it names and that were read with it: certificates.
    pub files: Vec<PathBuf>,
}

const FILE: Keys = Keys::only(&["ecs", "zone", "monitors", "pools", "names"]);

/// Reads `text`, the policy file of the zone `apex`; `file` is what it is called in faults.
///
/// Comes with errors, on which there is nothing else, and with warnings. `register` is called for every endpoint
/// that has a monitor, and only when there is no error; the same target gets the same number from it. `places` is
/// what is known of clients: maps are compiled with it. A pool's
/// monitor judges its own endpoints: pools that are its members have their own.
pub fn read_policies(
    file: &Path,
    text: &str,
    apex: &Name,
    atlas: &Atlas,
    register: &mut dyn FnMut(probe::Target) -> ProbeId,
) -> (Option<Policies>, Vec<Diagnostic>) {
    if text.len() > FILE_OCTETS_MAX {
        let message = format!("a policy file cannot be longer than {FILE_OCTETS_MAX} octets");
        return (None, vec![Diagnostic::error(Place::of_file(file), message)]);
    }
    if let Some(Apart { rest, blocks }) = names_apart::apart(text) {
        let mut faults = Faults::new(file, text);
        if let Ok(root) = DeTable::parse(&rest)
            && !root.get_ref().contains_key("names")
            && let Some(policies) = policies(root.get_ref(), Some(&blocks), apex, atlas, register, &mut faults)
        {
            return (Some(policies), faults.finish());
        }
    }
    let mut faults = Faults::new(file, text);
    let Some(root) = parse(text, &mut faults) else { return (None, faults.finish()) };
    let policies = policies(&root, None, apex, atlas, register, &mut faults);
    (policies, faults.finish())
}

/// What the tree says, with the names where they were taken apart.
fn policies(
    root: &DeTable<'_>,
    blocks: Option<&[Block<'_>]>,
    apex: &Name,
    atlas: &Atlas,
    register: &mut dyn FnMut(probe::Target) -> ProbeId,
    faults: &mut Faults<'_>,
) -> Option<Policies> {
    let table = Table::root(root, "the policy file", &FILE, faults);
    let zone = table.get("zone").and_then(|item| apex::read(item, apex, faults));
    let monitors = monitors::read(table.get("monitors"), faults);
    let mut drafts = pools::read(table.get("pools"), &monitors, faults);
    let mut nesting = nest(&drafts, faults);
    let names = blocks.map_or_else(|| Names::Whole(table.get("names")), Names::Apart);
    budgets::derive(names, &monitors, &mut drafts, &nesting);
    nesting.measure(&drafts);
    let ecs = table.get("ecs").and_then(|item| names::ecs(item, faults)).unwrap_or(Ecs::Heeded);
    let aliases = Aliases::find(apex, &drafts, &nesting, faults);
    let named = monitors.iter().map(|(&name, entry)| (entry.key_span, name.into())).collect();
    let zone_of_names = Zone { apex, drafts: &drafts, nesting: &nesting, aliases: &aliases, ecs, monitors: named };
    let names = names::read(names, &zone_of_names, faults)?;
    if faults.any_error() {
        return None;
    }
    let by_name: HashMap<&str, &Draft<'_>> = drafts.iter().map(|draft| (draft.name, draft)).collect();
    check_places(&drafts, &by_name, faults);
    if atlas.is_empty() {
        warn_of_unknown_places(&drafts, faults);
    }
    check_latency(&drafts, &by_name, atlas, faults);
    if faults.any_error() {
        return None;
    }
    warn_of_unused(&monitors, &drafts, &nesting, &names, faults);
    let (pools, aliases) = build(&drafts, &by_name, &nesting, atlas, register)?;
    Some(Policies { apex: zone, pools, aliases, names, files: faults.take_named() })
}

/// What stands in the file but matters to no name is probably a slip. Only told of a file without errors: a
/// name that could not be read would make its pools look unused.
fn warn_of_unused(
    monitors: &HashMap<&str, Entry>,
    drafts: &[Draft<'_>],
    nesting: &Nesting<'_>,
    names: &[Balanced],
    faults: &mut Faults<'_>,
) {
    let reached = nesting.reached(names.iter().map(|name| name.root));
    for (&at, _) in nesting.order.iter().zip(reached).filter(|(_, reached)| !reached) {
        let draft = &drafts[at];
        faults.warning(draft.key_span, format!("no name leads to the pool `{}`", draft.name));
    }
    let used: HashSet<_> = drafts.iter().flat_map(Draft::all_named).collect();
    for (name, entry) in monitors.iter().filter(|(_, entry)| !used.contains(&entry.key_span)) {
        faults.warning(entry.key_span, format!("no pool uses the monitor `{name}`"));
    }
}

/// Numbers pools, endpoints and where aliases lead; `None` only where a draft is faulty, which has been reported.
fn build(
    drafts: &[Draft<'_>],
    by_name: &HashMap<&str, &Draft<'_>>,
    nesting: &Nesting<'_>,
    atlas: &Atlas,
    register: &mut dyn FnMut(probe::Target) -> ProbeId,
) -> Option<(Pools, Box<[Name]>)> {
    let mut endpoints = Vec::new();
    let mut aliases = Vec::new();
    let mut pools = Vec::new();
    for draft in nesting.order.iter().map(|&at| &drafts[at]) {
        let mut members = Vec::new();
        for member in &draft.members {
            let target = match &member.target {
                DraftTarget::Pool(name) => Target::Pool(*nesting.ids.get(name)?),
                DraftTarget::Endpoint { name, given, probed, .. } => {
                    let (given, judged) = match given {
                        DraftGiven::Address(address) => {
                            let judged = draft.judges_of(member).map(|judges| {
                                let targets = judges.list.iter().map(|judge| judge.target(*address, probed.as_ref()));
                                Judged { need: judges.need, probes: targets.map(&mut *register).collect() }
                            });
                            (Given::Address(*address), judged.unwrap_or_default())
                        }
                        DraftGiven::Alias(alias) => {
                            aliases.push(alias.clone());
                            (Given::Alias(AliasId(u32::try_from(aliases.len() - 1).ok()?)), Judged::default())
                        }
                    };
                    let id = EndpointId(u32::try_from(endpoints.len()).ok()?);
                    endpoints.push(Endpoint { name: name.clone(), given, judged });
                    Target::Endpoint(id)
                }
            };
            members.push(Member { target, weight: member.weight });
        }
        pools.push(Pool {
            name: draft.name.into(),
            policy: policy(draft, by_name, atlas)?,
            members: members.into(),
            min_alive: draft.min_alive,
            depends: draft.depends.iter().filter_map(Judge::own_target).map(&mut *register).collect(),
        });
    }
    Some((Pools::new(pools, endpoints), aliases.into()))
}

/// Where the members of a draft are, those of which it is said: an endpoint by its own place or else its pool's, a
/// pool by its own.
fn sites(draft: &Draft<'_>, by_name: &HashMap<&str, &Draft<'_>>) -> Vec<Site> {
    let coordinates = |member: &DraftMember<'_>| match &member.target {
        DraftTarget::Endpoint { place, .. } => place.or(draft.place),
        DraftTarget::Pool(name) => by_name.get(name)?.place,
    };
    let sites = (0..).zip(&draft.members);
    sites
        .filter_map(|(number, member)| {
            Some(Site { member: number, coordinates: coordinates(member)?, bias: member.bias })
        })
        .collect()
}

/// A pool that goes by distance needs to know where its members are.
fn check_places(drafts: &[Draft<'_>], by_name: &HashMap<&str, &Draft<'_>>, faults: &mut Faults<'_>) {
    for draft in drafts {
        let nearest = draft.policy == Some(PolicyName::Nearest) || draft.otherwise == Some(claims::Otherwise::Nearest);
        if !nearest {
            continue;
        }
        let sites = sites(draft, by_name);
        for (number, member) in (0..).zip(&draft.members) {
            if !sites.iter().any(|site| site.member == number) {
                let message = format!("where `{}` is has not been said, and this pool goes by distance", member.name());
                let help = "give it place = { latitude = 50.1, longitude = 8.7 }; a pool has it in its own table";
                faults.error(member.span, message).help(help);
            }
        }
    }
}

/// Without a database only claims on networks can hold, and nobody is near to anything.
fn warn_of_unknown_places(drafts: &[Draft<'_>], faults: &mut Faults<'_>) {
    let by_place = |draft: &&Draft<'_>| {
        let mut claims = draft.members.iter().flat_map(|member| &member.claims);
        match draft.policy {
            Some(PolicyName::Nearest) => true,
            Some(PolicyName::Geo) => claims.any(|(claim, _)| !matches!(claim, Claim::Network(_))),
            _ => false,
        }
    };
    for draft in drafts.iter().filter(by_place) {
        faults
            .warning(
                draft.key_span,
                format!("pool `{}` goes by clients' places, but no database tells them", draft.name),
            )
            .help("name one in the server file: [geo] with databases = [\"GeoLite2-City.mmdb\"]");
    }
}

/// A pool that goes by latency needs times that were measured, or distances to derive them from; and what it tells
/// of its members ends somewhere.
fn check_latency(drafts: &[Draft<'_>], by_name: &HashMap<&str, &Draft<'_>>, atlas: &Atlas, faults: &mut Faults<'_>) {
    let measured = atlas.rtts().map(RttTable::pools).unwrap_or_default();
    let measured: HashSet<&str> = measured.iter().map(|name| &**name).collect();
    for draft in drafts.iter().filter(|draft| draft.policy == Some(PolicyName::Latency)) {
        let is_measured = draft.members.iter().any(|member| measured.contains(member.name()));
        let is_placed = !atlas.is_empty() && !sites(draft, by_name).is_empty();
        if !is_measured && !is_placed {
            let message = format!("pool `{}` goes by latency, but nothing tells how far clients are", draft.name);
            faults.warning(draft.key_span, message).help(
                "name a table in the server file, [latency] with table = \"latency.csv\"; \
                 or a database in [geo], and give the members a place",
            );
        }
        if draft.members.len() > EXPECTED_MAX {
            let message = format!(
                "pool `{}` has {} members, but each client is told only the {EXPECTED_MAX} fastest of them",
                draft.name,
                draft.members.len()
            );
            faults.warning(draft.key_span, message).help("make a pool of those in one place, and that a member");
        }
    }
}

/// The map of a `latency` pool.
fn latency(draft: &Draft<'_>, sites: &[Site], atlas: &Atlas) -> Latency {
    let names: Vec<&str> = draft.members.iter().map(DraftMember::name).collect();
    let nothing = RttTable::default();
    let map = RttMap::compile(atlas.places(), atlas.rtts().unwrap_or(&nothing), &names, sites);
    Latency::new(map, draft.tolerance, draft.members.iter().map(|member| member.weight))
}

/// The rules of a `geo` pool: claims, and behind them whom it names, or who is nearest where it is known of all.
fn claimed(draft: &Draft<'_>, sites: Vec<Site>) -> Rules {
    let numbers = || (0..).zip(&draft.members).map(|(number, _)| number);
    let claims = (0..)
        .zip(&draft.members)
        .flat_map(|(number, member)| member.claims.iter().map(move |&(claim, _)| (claim, number)));
    let in_order = || Otherwise::Members(numbers().collect());
    let otherwise = match draft.otherwise {
        Some(claims::Otherwise::Failover) => in_order(),
        Some(claims::Otherwise::Member(name, _)) => {
            let named = (0..).zip(&draft.members).filter(|(_, member)| member.name() == name);
            Otherwise::Members(named.map(|(number, _)| number).collect())
        }
        None if sites.len() < draft.members.len() => in_order(),
        Some(claims::Otherwise::Nearest) | None => Otherwise::Nearest(sites),
    };
    Rules { claims: claims.collect(), otherwise }
}

/// The policy with what it needs. A hashed member is known by its name and address, wherever it stands.
fn policy(draft: &Draft<'_>, by_name: &HashMap<&str, &Draft<'_>>, atlas: &Atlas) -> Option<Policy> {
    Some(match draft.policy? {
        PolicyName::Geo => Policy::Geo(atlas.map(claimed(draft, sites(draft, by_name)))),
        PolicyName::Nearest => {
            let rules = Rules { claims: Vec::new(), otherwise: Otherwise::Nearest(sites(draft, by_name)) };
            Policy::Nearest(atlas.map(rules))
        }
        PolicyName::Latency => Policy::Latency(Arc::new(latency(draft, &sites(draft, by_name), atlas))),
        PolicyName::RoundRobin => Policy::RoundRobin,
        PolicyName::Weighted => Policy::Weighted,
        PolicyName::LeastLoad => Policy::LeastLoad,
        PolicyName::Random => Policy::Random,
        PolicyName::Failover => Policy::Failover,
        PolicyName::Hash => {
            let known_by = |member: &DraftMember<'_>| match &member.target {
                DraftTarget::Endpoint { name, given, .. } => format!("{name}/{given}"),
                DraftTarget::Pool(name) => (*name).to_owned(),
            };
            let members: Vec<_> = draft.members.iter().map(|member| (known_by(member), member.weight)).collect();
            let members = members.iter().map(|(name, weight)| (name.as_str(), *weight));
            Policy::Hash(Arc::new(Ranking::new(members, draft.prefix)))
        }
    })
}
