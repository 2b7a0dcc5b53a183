//! Route 53: a hosted zone's record sets, as `aws route53 list-resource-record-sets` prints them.
//!
//! | Route 53 | here |
//! |---|---|
//! | simple | records as they are |
//! | weighted | `weighted` (all weights 0: all 1) |
//! | latency | `latency`, each member at its region's place |
//! | geolocation | `geo`; the default location is `otherwise` |
//! | geoproximity | `nearest` with `bias` |
//! | failover | `failover` |
//! | multivalue | `random`, up to 8 answers |
//! | alias to a name of the zone | that name's pool, or its addresses |
//! | health check of an address | a monitor with that `address`; of an alias, what a pool `depends` on |
//! | alias to another name | a `cname` endpoint, or a CNAME record |
//!
//! Source: Amazon Route 53 Developer Guide, "Choosing a routing policy", "Choosing between alias and non-alias records".

mod sets;
mod things;
mod families;
mod shares;
mod endpoints;
mod gist;
mod checks;
mod regions;
mod export;

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;

use self::export::{HealthChecks, RecordSet, RecordSets};
use self::families::Source;
use self::sets::Sets;
use super::draft::Kept;
use super::{Draft, Fate, Faults, Imported};
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::wire::name::Name;
use crate::zone::master;

/// Reads an export. The zone is `apex`, or whose SOA is among the records.
///
/// # Errors
/// A file that is not such an export, with the place where it ceases to be one; or every record that is none.
pub fn read(file: &Path, apex: Option<&Name>, health_checks: Option<&Path>) -> Result<Imported, Faults> {
    let RecordSets { resource_record_sets: sets } = json(file)?;
    let checks: Option<HealthChecks> = health_checks.map(json).transpose()?;
    let fault = |message: &str| vec![Diagnostic::error(Place::of_file(file), message)];
    let soa = sets.iter().find(|set| set.rtype == "SOA").map(|set| unescaped(&set.name));
    let apex = match (apex, soa) {
        (Some(apex), _) => apex.to_lowercase(),
        (None, Some(name)) => Name::from_host(&name).map_err(|error| fault(&error.to_string()))?.to_lowercase(),
        (None, None) => return Err(fault("there is no SOA record that would name the zone; --zone names it")),
    };
    let mut imported = Imported::default();
    let mut draft = Draft::new(apex.clone());
    let mut faults = Faults::new();
    let (mut plain, mut steered) = (Vec::new(), BTreeMap::<String, Vec<RecordSet>>::new());
    for mut set in sets {
        set.name = lower(&set.name);
        match set.set_identifier.is_some() || set.alias_target.is_some() || set.traffic_policy_instance_id.is_some() {
            true if is_usable(&set, &mut imported) => steered.entry(set.name.clone()).or_default().push(set),
            true => {}
            false => plain.push(set),
        }
    }
    for set in &plain {
        keep(set, file, &mut draft, &mut faults);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let checks = checks.as_ref().map(|checks| &checks.health_checks[..]);
    let mut by_name = BTreeMap::<&str, Vec<&RecordSet>>::new();
    for set in &plain {
        by_name.entry(&set.name).or_default().push(set);
    }
    let source = Source { apex: &apex, steered: &steered, plain: &by_name };
    Sets::new(source, checks, &mut draft, &mut imported).steer_all();
    draft.prune();
    imported.zones.push(draft);
    imported.note(Fate::Changed, apex, "NS and SOA records name Route 53's servers until they are changed to yours");
    Ok(imported)
}

/// Whether there is anything here that does what the set does.
fn is_usable(set: &RecordSet, imported: &mut Imported) -> bool {
    let at = format!("{} {} {}", set.name, set.rtype, set.set_identifier.as_deref().unwrap_or_default());
    let why = if set.traffic_policy_instance_id.is_some() {
        "made by a traffic policy, which is not in the export"
    } else if set.cidr_routing_config.is_some() {
        "routing by a CIDR collection, which is not in the export: a geo pool's `networks` does the same"
    } else if !matches!(set.rtype.as_str(), "A" | "AAAA" | "CNAME") {
        "only addresses and aliases are balanced here; as records without a policy others go into the master file"
    } else {
        return true;
    };
    imported.note(Fate::Lost, at.trim_end(), why);
    false
}

fn json<T: DeserializeOwned>(file: &Path) -> Result<T, Faults> {
    let fault = |place: Place, message: String| vec![Diagnostic::error(place, message)];
    let text = std::fs::read_to_string(file)
        .map_err(|error| fault(Place::of_file(file), format!("cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = before + error.column().saturating_sub(1);
        fault(Place::of_span(file, &text, at, at + 1), format!("not what `aws route53` prints: {error}"))
    })
}

/// Enters the records of a set without a policy as they are.
fn keep(set: &RecordSet, file: &Path, draft: &mut Draft, faults: &mut Faults) {
    let Ok(owner) = Name::from_host(&set.name) else {
        faults.push(Diagnostic::error(Place::of_file(file), format!("{} is not a name", set.name)));
        return;
    };
    let apex = draft.apex.clone();
    for value in &set.resource_records {
        // Values are in the form of master files but for escapes, which are octal. A line of one record: the reader
        // knows every type.
        let line = format!("{owner} {} IN {} {}\n", set.ttl.unwrap_or(300), set.rtype, decimal(&value.value));
        let outcome = master::read_text(file, line.as_bytes(), &apex, &mut |record| {
            let owner = owner.clone();
            draft.keep(Kept { owner, ttl: record.ttl, rtype: record.rtype, rdata: record.rdata.to_vec() });
        });
        let errors = outcome.diagnostics.into_iter().filter(|fault| fault.severity == Severity::Error);
        faults.extend(errors.map(|fault| {
            let what = format!("{} {}: {}", set.name, set.rtype, fault.message);
            Diagnostic::error(Place::of_file(file), what)
        }));
    }
}

/// A name without its octal escapes: `\052` is an asterisk.
fn unescaped(text: &str) -> String {
    escapes(text, |code| match u8::try_from(code) {
        Ok(octet @ (b'!'..=b'~')) if octet != b'.' && octet != b'\\' => char::from(octet).to_string(),
        _ => format!("\\{code:03}"),
    })
}

/// The same in lower case, absolute.
fn lower(text: &str) -> String {
    let name = unescaped(text).to_lowercase();
    if name.ends_with('.') { name } else { format!("{name}.") }
}

/// A value with the escapes of master files, which are decimal.
fn decimal(text: &str) -> String {
    escapes(text, |code| format!("\\{code:03}"))
}

fn escapes(text: &str, write: impl Fn(u32) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let code = after.get(1..4).and_then(|digits| u32::from_str_radix(digits, 8).ok()).filter(|&code| code < 256);
        let skip = match code {
            Some(code) => {
                out.push_str(&write(code));
                4
            }
            None => {
                // The character after it, whatever it is.
                let length = 1 + after[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&after[..length]);
                length
            }
        };
        rest = &after[skip..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_octal() {
        let check = |text: &str, name: &str, value: &str| {
            assert_eq!((unescaped(text).as_str(), decimal(text).as_str()), (name, value), "{text}");
        };
        check("www.example.com.", "www.example.com.", "www.example.com.");
        check("\\052.example.com.", "*.example.com.", "\\042.example.com.");
        check("\"a\\303\\251\\\"\"", "\"a\\195\\169\\\"\"", "\"a\\195\\169\\\"\"");
        check("a\\", "a\\", "a\\");
    }
}
