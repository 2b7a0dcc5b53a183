//! The files of one zone → that zone, or every fault in them.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::names::Hints;
use super::serials::{Serials, is_ahead};
use super::slack::slacks;
use super::stamp::Source;
use super::text_file::{is_open_to_all, read_named_text, read_text};
use super::{Apex, Atlas, Balanced, Policies, Settings, ZoneFiles, ZoneTable, read_policies, read_server_file};
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::health::ProbeId;
use crate::policy::Pools;
use crate::probe;
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use crate::zone::{Builder, Fault, Origin, Soa, Zone, master};

/// One zone.
#[derive(Debug)]
pub struct LoadedZone {
    /// Its names and records.
    pub zone: Arc<Zone>,
    /// What is balanced, by the numbers that the zone's nodes bear.
    pub names: Vec<Balanced>,
    /// Over what.
    pub pools: Pools,
    /// Where aliases among the endpoints lead, by number.
    pub aliases: Box<[Name]>,
}

/// One zone by itself, with what it has probed.
#[derive(Debug)]
pub struct ZoneRead {
    /// The zone; the probes of its pools are numbers of `targets`.
    pub zone: LoadedZone,
    /// Everything that is probed for it, once.
    pub targets: Vec<probe::Target>,
    /// For each of them how long a down verdict may be held without breaking the promise of any name here.
    pub slacks: Vec<Duration>,
}

/// What the reading of one zone came to.
pub(super) struct Outcome {
    /// The zone, if nothing but warnings was found.
    pub(super) read: Option<ZoneRead>,
    /// What it was read from.
    pub(super) sources: Vec<Source>,
    /// Its serial, if that moves by itself.
    pub(super) serials: Serials,
    pub(super) faults: Vec<Diagnostic>,
}

/// Gives equal targets one number.
#[derive(Default)]
pub(super) struct Targets {
    ids: HashMap<probe::Target, ProbeId>,
    pub(super) list: Vec<probe::Target>,
}

impl Targets {
    pub(super) fn register(&mut self, target: probe::Target) -> ProbeId {
        let next = ProbeId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        *self.ids.entry(target).or_insert_with_key(|target| {
            self.list.push(target.clone());
            next
        })
    }
}

/// Reads one zone, which had one of these serials `before`, as part of a reading that began at `begun`, in seconds since 1970.
pub(super) fn read_zone(folder: &Path, files: &ZoneFiles, atlas: &Atlas, before: &Serials, begun: u64) -> Outcome {
    let mut sources: Vec<Source> = files.all().map(|file| Source::before(file, begun)).collect();
    let (mut targets, mut serials, mut beside) = (Targets::default(), Serials::default(), Vec::new());
    let (zone, faults) = load_zone(folder, files, (atlas, before), (&mut targets, &mut serials, &mut beside));
    sources.extend(beside.iter().map(|file| Source::after(file, begun)));
    let read = zone.map(|zone| {
        let slacks = slacks(&zone.names, &zone.pools, targets.list.len());
        ZoneRead { zone, targets: targets.list, slacks }
    });
    Outcome { read, sources, serials, faults }
}

/// The number of the policy file among a zone's files; an origin's line there is the number of a balanced name.
const POLICY_FILE: u16 = u16::MAX;

/// The number of what `[zone]` makes.
const APEX_TABLE: u16 = u16::MAX - 1;

fn load_zone(
    folder: &Path,
    files: &ZoneFiles,
    (atlas, before): (&Atlas, &Serials),
    (targets, serials, beside): (&mut Targets, &mut Serials, &mut Vec<PathBuf>),
) -> (Option<LoadedZone>, Vec<Diagnostic>) {
    let mut builder = Builder::new(&files.apex);
    let mut faults = Vec::new();
    let mut sources = Vec::new();
    // Times are taken before files are read: what is saved meanwhile has another the next time.
    let mut saved: Vec<SystemTime> =
        files.policy.iter().filter_map(|file| fs::metadata(file).ok()?.modified().ok()).collect();
    let mut soas = Vec::new();
    let mut whole = true;
    if let Some(master) = &files.master {
        let (mut records, outcome) = master::collect(master, folder, &files.apex);
        // Whose serial may be for the policy file to say.
        soas = std::mem::take(&mut records.soas);
        builder.take(records);
        saved.extend(outcome.saved);
        whole = outcome.diagnostics.iter().all(|fault| fault.severity != Severity::Error);
        faults.extend(outcome.diagnostics);
        sources = outcome.files;
        beside.extend(sources.iter().skip(1).cloned());
    }
    let (policies, found) = load_policies(files, atlas, targets);
    faults.extend(found);
    let Some(policies) = policies else { return (None, faults) };
    beside.extend_from_slice(&policies.files);
    let policy_file = files.policy.as_deref().unwrap_or(folder);
    let (top, fault) = top(files, policy_file, policies.apex.as_ref());
    faults.extend(fault);
    let Some(top) = top else { return (None, faults) };
    match top {
        Top::Table(apex) => {
            let serial = apex.serial.unwrap_or_else(|| serials.give(before, &files.apex, None, saved));
            add_apex(&mut builder, files, apex, serial);
        }
        Top::Master => {}
        Top::MasterMoving => {
            for Soa { rdata, origin, .. } in &mut soas {
                let Some(field) = serial_in(rdata) else { continue };
                let own = u32::from_be_bytes(*field);
                if is_ahead(own, &saved) {
                    let place = sources.get(usize::from(origin.file)).map(|file| master::place(file, origin.line));
                    faults.push(ahead(own, place.unwrap_or_else(|| Place::of_file(policy_file))));
                }
                *field = serials.give(before, &files.apex, Some(own), saved.clone()).to_be_bytes();
            }
        }
    }
    for Soa { owner, ttl, rdata, origin } in soas {
        builder.add(&owner, Rtype::SOA, ttl, &rdata, origin);
    }
    balance(&mut builder, &policies.names);
    let (zone, mut found) = builder.finish();
    // That something is not there says nothing of a file that could not be read to the end.
    found.retain(|fault| whole || fault.at.is_some());
    let apex = match &policies.apex {
        Some(ZoneTable::Apex(apex)) => Some(apex),
        _ => None,
    };
    let origins = Origins { sources: &sources, names: &policies.names, apex, files, policy_file };
    faults.extend(found.into_iter().map(|fault| origins.diagnostic(fault)));
    let loaded = zone.map(|zone| {
        let Policies { pools, aliases, names, .. } = policies;
        LoadedZone { zone: Arc::new(zone), names, pools, aliases }
    });
    (loaded, faults)
}

/// Says which names are balanced.
fn balance(builder: &mut Builder, names: &[Balanced]) {
    for (index, name) in (0..).zip(names) {
        let origin = Origin { file: POLICY_FILE, line: index };
        builder.balance(&name.owner, index, name.beside, origin);
        if name.hints == Hints::Pool {
            builder.hint(&name.owner, origin);
        }
    }
}

/// Who says what stands at a zone's apex.
enum Top<'a> {
    /// `[zone]`.
    Table(&'a Apex),
    /// The master file.
    Master,
    /// The master file, but for the serial, which moves by itself.
    MasterMoving,
}

/// Who says what stands at the apex of the zone in `files`, by what its policy file has as `[zone]`, if anybody does; and
/// what is wrong with that.
fn top<'a>(
    files: &ZoneFiles,
    policy_file: &Path,
    table: Option<&'a ZoneTable>,
) -> (Option<Top<'a>>, Option<Diagnostic>) {
    let help = "say who serves the zone: [zone] with nameservers and contact";
    match (&files.master, table) {
        (None, Some(ZoneTable::Apex(apex))) => (Some(Top::Table(apex)), None),
        (None, Some(ZoneTable::AutoSerial(place))) => {
            let message =
                format!("[zone] has only a `serial`, and there is no master file {}zone beside it", files.apex);
            (None, Some(Diagnostic::error(place.clone(), message).help(help)))
        }
        (None, None) => {
            let message =
                format!("there is neither a [zone] table here nor a master file {}zone beside it", files.apex);
            (None, Some(Diagnostic::error(Place::of_file(policy_file), message).help(help)))
        }
        (Some(master), Some(ZoneTable::Apex(apex))) => {
            let message = format!("[zone] is said here, but the master file {} already says it", master.display());
            let help = "take the [zone] table out; only `serial = \"auto\"` may stand in it";
            (Some(Top::Master), Some(Diagnostic::error(apex.place.clone(), message).help(help)))
        }
        (Some(_), Some(ZoneTable::AutoSerial(_))) => (Some(Top::MasterMoving), None),
        (Some(_), None) => (Some(Top::Master), None),
    }
}

/// That a zone's own serial is ahead of what it would be given.
fn ahead(own: u32, place: Place) -> Diagnostic {
    let message = format!("the serial {own} is ahead of the time at which the files were saved");
    let help = "it is counted on from while the server runs, and begins there again with each start; write 1, and have \
                secondaries transfer the zone anew once";
    Diagnostic::warning(place, message).help(help)
}

/// Reads the server file.
pub fn load_server_file(file: &Path) -> (Option<Settings>, Vec<Diagnostic>) {
    match read_text(file) {
        Ok(text) => {
            let (settings, mut faults) = read_server_file(file, &text);
            let keys = settings.as_ref().map_or(0, |settings| settings.transfers.keys.len());
            if keys > 0 && is_open_to_all(file) {
                let message = "keys of [transfer] stand here, and every user of this machine can read this file";
                let help = "let it be the server's: chown root:bellwether and chmod 640, or whoever it runs as";
                faults.push(Diagnostic::warning(Place::of_file(file), message).help(help));
            }
            (settings, faults)
        }
        Err(message) => (None, vec![Diagnostic::error(Place::of_file(file), message)]),
    }
}

/// What the policy file says; nothing where there is none.
fn load_policies(files: &ZoneFiles, atlas: &Atlas, targets: &mut Targets) -> (Option<Policies>, Vec<Diagnostic>) {
    let Some(file) = &files.policy else { return (Some(Policies::default()), Vec::new()) };
    match read_named_text(file) {
        Ok(text) => read_policies(file, &text, &files.apex, atlas, &mut |target| targets.register(target)),
        Err(message) => (None, vec![Diagnostic::error(Place::of_file(file), message)]),
    }
}

/// The records that `[zone]` stands for: SOA, NS, and addresses of those servers that have some.
fn add_apex(builder: &mut Builder, files: &ZoneFiles, apex: &Apex, serial: u32) {
    let origin = Origin { file: APEX_TABLE, line: 1 };
    let owner = files.apex.as_wire();
    let primary = apex.nameservers.first().map_or(owner, |server| server.name.as_wire());
    let mut soa = [primary, apex.contact.as_wire()].concat();
    for field in [serial, apex.refresh, apex.retry, apex.expire, apex.negative_ttl] {
        soa.extend_from_slice(&field.to_be_bytes());
    }
    builder.add(owner, Rtype::SOA, apex.ttl, &soa, origin);
    for server in &apex.nameservers {
        builder.add(owner, Rtype::NS, apex.ttl, server.name.as_wire(), origin);
        for address in &server.addresses {
            match address {
                IpAddr::V4(v4) => builder.add(server.name.as_wire(), Rtype::A, apex.ttl, &v4.octets(), origin),
                IpAddr::V6(v6) => builder.add(server.name.as_wire(), Rtype::AAAA, apex.ttl, &v6.octets(), origin),
            }
        }
    }
}

/// The serial in an SOA's rdata, the first of the five numbers at its end (RFC 1035 §3.3.13).
fn serial_in(rdata: &mut [u8]) -> Option<&mut [u8; 4]> {
    rdata.last_chunk_mut::<20>()?.first_chunk_mut()
}

/// Where the origins of one zone's records are.
struct Origins<'a> {
    sources: &'a [PathBuf],
    names: &'a [Balanced],
    apex: Option<&'a Apex>,
    files: &'a ZoneFiles,
    policy_file: &'a Path,
}

impl Origins<'_> {
    fn place(&self, origin: Option<Origin>) -> Place {
        let whole = || Place::of_file(self.files.master.as_deref().unwrap_or(self.policy_file));
        let Some(Origin { file, line }) = origin else { return whole() };
        match file {
            POLICY_FILE => self.names.get(line as usize).map_or_else(whole, |name| name.place.clone()),
            APEX_TABLE => self.apex.map_or_else(whole, |apex| apex.place.clone()),
            _ => self.sources.get(usize::from(file)).map_or_else(whole, |file| master::place(file, line)),
        }
    }

    fn diagnostic(&self, fault: Fault) -> Diagnostic {
        Diagnostic {
            severity: fault.severity,
            place: self.place(fault.at),
            message: fault.message,
            other: fault.other.map(|(origin, label)| (self.place(Some(origin)), label)),
            help: fault.help,
        }
    }
}
