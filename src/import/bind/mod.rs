//! BIND: a master file, or a `named.conf` and the zones that it is primary for.
//!
//! What BIND balances is a set of addresses, rotated (`rrset-order`), so each name with several A or AAAA records becomes a
//! round-robin pool: the same answers as before, until endpoints are given a monitor. Names of servers stay as they
//! are (a referral has no policy), and so does what lies below a delegation.
//!
//! Source: BIND 9.18 Administrator Reference Manual, chapters 3 and 8 (configuration, statements).

mod named_conf;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::iter::successors;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::draft::{ANSWERS_MAX, Endpoint, Gives, Kept, Pool, Share, Steered};
use super::label::relative;
use super::{Draft, Fate, Faults, Imported};
use crate::diagnostic::{Diagnostic, Place, Severity, plural};
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use crate::zone::master;

/// Seconds under which an answer's TTL need not fall while a verdict forms: what the policy file's default is too.
const TTL_FLOOR: u32 = 5;

/// Reads the master file of `zone`, or, where none is named, a `named.conf`.
///
/// # Errors
/// Every fault of the files.
pub fn read(file: &Path, zone: Option<&Name>) -> Result<Imported, Faults> {
    let mut imported = Imported::default();
    let mut faults = Faults::new();
    let zones = match zone {
        Some(apex) => vec![(apex.clone(), file.to_owned())],
        None => named_conf::zones(file, &mut imported)
            .inspect_err(|found| match is_master_file(file) {
                true => faults.push(
                    Diagnostic::error(Place::of_file(file), "this looks like a master file, not like a named.conf")
                        .help("say whose it is: --zone NAME"),
                ),
                false => faults.extend(found.iter().cloned()),
            })
            .unwrap_or_default(),
    };
    for (apex, file) in zones {
        match read_zone(&apex, &file, &mut imported) {
            Ok(draft) => imported.zones.push(draft),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(imported) } else { Err(faults) }
}

/// Whether a line of `file` is what only master files have: a directive, or an SOA record.
fn is_master_file(file: &Path) -> bool {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let is_of_master = |line: &str| {
        let words = || line.split_ascii_whitespace();
        ["$TTL", "$ORIGIN"].iter().any(|directive| words().next() == Some(directive))
            || words().take(4).any(|word| word.eq_ignore_ascii_case("SOA"))
    };
    text.lines().any(is_of_master)
}

fn read_zone(apex: &Name, file: &Path, imported: &mut Imported) -> Result<Draft, Faults> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = Draft::new(apex.to_lowercase());
    let outcome = master::read(file, folder, apex, &mut |record| {
        // The reader hands on names only.
        if let Ok(owner) = Name::from_wire(record.owner) {
            draft.keep(Kept { owner, ttl: record.ttl, rtype: record.rtype, rdata: record.rdata.to_vec() });
        }
    });
    let mut faults = outcome.diagnostics;
    faults.retain(|fault| fault.severity == Severity::Error);
    if !faults.is_empty() {
        return Err(faults);
    }
    drop_signatures(&mut draft, imported);
    balance(&mut draft, imported);
    Ok(draft)
}

/// What only makes sense in a zone that is signed as it stands.
const SIGNATURES: [Rtype; 5] = [Rtype(46), Rtype(47), Rtype(50), Rtype(51), Rtype(65534)];

/// Leaves signatures and denials out: answers that move cannot be signed beforehand.
fn drop_signatures(draft: &mut Draft, imported: &mut Imported) {
    let zone = draft.name();
    let kept = draft.kept();
    let before = kept.len();
    kept.retain(|record| !SIGNATURES.contains(&record.rtype));
    let dropped = before - kept.len();
    if dropped > 0 {
        let what = format!(
            "{} of DNSSEC (RRSIG, NSEC and the like): this server does not sign; take the DS record out of \
             the parent zone before it serves this one",
            plural(dropped, "record")
        );
        imported.note(Fate::Lost, zone, what);
    }
}

/// Addresses that several names may share, with their TTLs.
struct Set {
    /// In the order of the file.
    addresses: Vec<IpAddr>,
    /// With the least and the greatest of their TTLs.
    names: Vec<(Name, (u32, u32))>,
}

/// Turns every set of several addresses into a pool. Equal sets share one.
fn balance(draft: &mut Draft, imported: &mut Imported) {
    let servers: HashSet<Name> = draft
        .kept()
        .iter()
        .filter(|record| record.rtype == Rtype::NS)
        .filter_map(|record| Name::from_wire(&record.rdata).ok().map(|name| name.to_lowercase()))
        .collect();
    let apex = draft.apex.clone();
    let cuts: HashSet<Name> = draft
        .kept()
        .iter()
        .filter(|record| record.rtype == Rtype::NS)
        .map(|record| record.owner.to_lowercase())
        .filter(|owner| *owner != apex)
        .collect();
    let is_cut_off = |owner: &Name| {
        !cuts.is_empty() && successors(Some(owner.clone()), Name::parent).any(|above| cuts.contains(&above))
    };
    let mut sets: Vec<Set> = Vec::new();
    // By the addresses in any order.
    let mut places: BTreeMap<BTreeSet<IpAddr>, usize> = BTreeMap::new();
    for (owner, addresses, ttl) in addresses(draft) {
        let several = |is_v4: bool| addresses.iter().filter(|address| address.is_ipv4() == is_v4).count() > 1;
        if !(several(true) || several(false)) || servers.contains(&owner) || is_cut_off(&owner) {
            continue;
        }
        let place = *places.entry(addresses.iter().copied().collect()).or_insert(sets.len());
        match sets.get_mut(place) {
            Some(set) => set.names.push((owner, ttl)),
            None => sets.push(Set { addresses, names: vec![(owner, ttl)] }),
        }
    }
    for Set { addresses, names } in sets {
        let Some((first, _)) = names.first() else { continue };
        let pool = draft.add_pool(&relative(first, &apex), round_robin(&addresses));
        let v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
        let most = v4.max(addresses.len() - v4);
        for (owner, (ttl, ttl_most)) in names {
            if ttl != ttl_most {
                let what = format!("its addresses have TTLs of {ttl} s to {ttl_most} s: {ttl} s for all");
                imported.note(Fate::Changed, &owner, what);
            }
            if most > ANSWERS_MAX {
                let what = format!("{most} addresses: {ANSWERS_MAX} of them, in turn, are answered at a time");
                imported.note(Fate::Changed, &owner, what);
            }
            draft.steer(owner, Steered { pool: pool.clone(), ttl: (TTL_FLOOR.min(ttl), ttl), settings: answers(most) });
        }
    }
    draft.yield_addresses();
}

/// Answers that a round-robin pool gives unasked, at most.
const ANSWERS_UNASKED_MAX: usize = 8;

/// BIND answers with all addresses.
fn answers(addresses: usize) -> Vec<(&'static str, String)> {
    match addresses > ANSWERS_UNASKED_MAX {
        true => vec![("answers", addresses.min(ANSWERS_MAX).to_string())],
        false => Vec::new(),
    }
}

/// The addresses of each owner, in lower case, with the least and the greatest of their TTLs; in the order of the file.
fn addresses(draft: &mut Draft) -> Vec<(Name, Vec<IpAddr>, (u32, u32))> {
    let mut found: Vec<(Name, Vec<IpAddr>, (u32, u32))> = Vec::new();
    let mut places: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for record in draft.kept() {
        let Some(address) = address(record) else { continue };
        let owner = record.owner.to_lowercase();
        let place = *places.entry(owner.as_wire().to_vec()).or_insert(found.len());
        match found.get_mut(place) {
            Some((_, addresses, (least, most))) => {
                addresses.push(address);
                (*least, *most) = (record.ttl.min(*least), record.ttl.max(*most));
            }
            None => found.push((owner, vec![address], (record.ttl, record.ttl))),
        }
    }
    found
}

fn address(record: &Kept) -> Option<IpAddr> {
    match record.rtype {
        Rtype::A => <[u8; 4]>::try_from(&record.rdata[..]).ok().map(|octets| Ipv4Addr::from(octets).into()),
        Rtype::AAAA => <[u8; 16]>::try_from(&record.rdata[..]).ok().map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

fn round_robin(addresses: &[IpAddr]) -> Pool {
    let endpoint = |&address: &IpAddr| Endpoint {
        name: address.to_string(),
        gives: Gives::Address(address),
        monitors: None,
        share: Share::default(),
    };
    Pool { policy: "round-robin", endpoints: addresses.iter().map(endpoint).collect(), ..Pool::default() }
}
