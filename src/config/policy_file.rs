//! `zones/ZONE.toml`: what one policy file says, as a whole.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use toml::de::DeTable;

use super::FILE_OCTETS_MAX;
use super::apex::{self, Apex};
use super::faults::Faults;
use super::monitors::{self, Entry};
use super::names::{self, Balanced, Zone};
use super::nesting::{Nesting, nest};
use super::pools::{self, Draft, DraftTarget};
use super::table::{Keys, Table, parse};
use crate::diagnostic::{Diagnostic, Place};
use crate::health::ProbeId;
use crate::policy::{Endpoint, EndpointId, Member, Pool, Pools, Target};
use crate::probe;
use crate::wire::name::Name;

/// What one policy file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// `[zone]`, where it stands.
    pub apex: Option<Apex>,
    /// All pools, those too that no name leads to: their endpoints are probed, so that a pool can be watched
    /// before it is used.
    pub pools: Pools,
    /// The balanced names, in the order of the file; no owner twice.
    pub names: Vec<Balanced>,
}

const FILE: Keys = Keys::only(&["zone", "monitors", "pools", "names"]);

/// Reads `text`, the policy file of the zone `apex`; `file` is what it is called in faults.
///
/// Comes with errors, on which there is nothing else, and with warnings. `register` is called for every endpoint
/// that has a monitor, and only when there is no error; the same target gets the same number from it. A pool's
/// monitor judges its own endpoints: pools that are its members have their own.
pub fn read_policies(
    file: &Path,
    text: &str,
    apex: &Name,
    register: &mut dyn FnMut(probe::Target) -> ProbeId,
) -> (Option<Policies>, Vec<Diagnostic>) {
    if text.len() > FILE_OCTETS_MAX {
        let message = format!("a policy file cannot be longer than {FILE_OCTETS_MAX} octets");
        return (None, vec![Diagnostic::error(Place::of_file(file), message)]);
    }
    let mut faults = Faults::new(file, text);
    let Some(root) = parse(text, &mut faults) else { return (None, faults.finish()) };
    let policies = policies(&root, apex, register, &mut faults);
    (policies, faults.finish())
}

fn policies(
    root: &DeTable<'_>,
    apex: &Name,
    register: &mut dyn FnMut(probe::Target) -> ProbeId,
    faults: &mut Faults<'_>,
) -> Option<Policies> {
    let table = Table::root(root, "the policy file", &FILE, faults);
    let zone = table.get("zone").and_then(|item| apex::read(item, apex, faults));
    let monitors = monitors::read(table.get("monitors"), faults);
    let drafts = pools::read(table.get("pools"), &monitors, faults);
    let nesting = nest(&drafts, faults);
    let names = names::read(table.get("names"), &Zone { apex, drafts: &drafts, nesting: &nesting }, faults);
    if faults.any_error() {
        return None;
    }
    warn_of_unused(&monitors, &drafts, &nesting, &names, faults);
    Some(Policies { apex: zone, pools: build(&drafts, &nesting, register)?, names })
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
    let used: HashSet<_> =
        drafts.iter().filter_map(|draft| draft.monitor.as_ref()).map(|judge| judge.key_span).collect();
    for (name, entry) in monitors.iter().filter(|(_, entry)| !used.contains(&entry.key_span)) {
        faults.warning(entry.key_span, format!("no pool uses the monitor `{name}`"));
    }
}

/// Numbers pools and endpoints; `None` only where a draft is faulty, which has been reported.
fn build(
    drafts: &[Draft<'_>],
    nesting: &Nesting<'_>,
    register: &mut dyn FnMut(probe::Target) -> ProbeId,
) -> Option<Pools> {
    let mut endpoints = Vec::new();
    let mut pools = Vec::new();
    for draft in nesting.order.iter().map(|&at| &drafts[at]) {
        let mut members = Vec::new();
        for member in &draft.members {
            let target = match &member.target {
                DraftTarget::Pool(name) => Target::Pool(*nesting.ids.get(name)?),
                DraftTarget::Endpoint { name, address } => {
                    let probe = draft
                        .monitor
                        .as_ref()
                        .map(|judge| register(probe::Target { address: *address, monitor: judge.monitor.clone() }));
                    let id = EndpointId(u32::try_from(endpoints.len()).ok()?);
                    endpoints.push(Endpoint { name: name.clone(), address: *address, probe });
                    Target::Endpoint(id)
                }
            };
            members.push(Member { target, weight: member.weight });
        }
        pools.push(Pool {
            name: draft.name.into(),
            policy: draft.policy?,
            members: members.into(),
            min_alive: draft.min_alive,
        });
    }
    Some(Pools { pools: pools.into(), endpoints: endpoints.into() })
}
