//! A zones folder → every zone in it, or every fault in it.
//!
//! What was read is put on a [`Shelf`], with what it was read from, so that the next reading opens only what is new:
//! of ten thousand zones of which one was saved, one. A zone is read again when one of its files is another (master
//! file, policy file, whatever those include or name), when it gained or lost one, or when a database or the latency
//! table that its pools were compiled with is another.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::load::{LoadedZone, Outcome, Targets, ZoneRead, read_zone};
use super::parallel::in_parallel;
use super::serials::{KeptSerial, Serials};
use super::stamp::{Look, Source};
use super::{Atlas, ZoneFiles, list_zones};
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::health::ProbeId;
use crate::policy::{PolicyName, Pools, Target};
use crate::probe;
use crate::system::unix_now;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use crate::zone::{Found, Zone};

/// What a zones folder was found to say, and what it was read from.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// By name.
    volumes: Arc<[Volume]>,
    atlas: Atlas,
    serials: Arc<Serials>,
}

/// One zone, as it was read.
#[derive(Clone, Debug)]
struct Volume {
    files: Arc<ZoneFiles>,
    sources: Arc<[Source]>,
    zone: Arc<Zone>,
    leans: Leans,
    /// What the members of its pools that go by latency are called.
    by_latency: Arc<[Box<str>]>,
    /// It is to be read again, whatever its files are.
    is_stale: bool,
}

/// What of the atlas a zone's pools are compiled with.
#[derive(Clone, Copy, Debug, Default)]
struct Leans {
    on_places: bool,
    on_rtts: bool,
}

/// What a reading found.
#[derive(Debug)]
pub struct Reading {
    /// For the next reading.
    pub shelf: Shelf,
    /// The zones, by name.
    pub parts: Vec<Part>,
}

/// One zone of a folder.
#[derive(Debug)]
pub enum Part {
    /// It is as it was; its place in the reading before.
    Kept(usize),
    /// It was read.
    Read(Box<ZoneRead>),
}

/// What a zones folder says, read as a whole.
#[derive(Debug)]
pub struct Loaded {
    /// In the order of their names.
    pub zones: Vec<LoadedZone>,
    /// Everything that is probed, once; the pools' probes are numbers of this list.
    pub targets: Vec<probe::Target>,
    /// For each of them how long a down verdict may be held without breaking any name's promise.
    pub slacks: Vec<Duration>,
}

/// Reads every zone of `folder`. `None` when any of it is at fault: a folder is served whole or not at all.
pub fn load(folder: &Path, atlas: &Atlas) -> (Option<Loaded>, Vec<Diagnostic>) {
    let (reading, faults) = read_after(folder, atlas, &Shelf::default());
    (reading.map(|reading| Loaded::of(reading.parts)), faults)
}

/// Reads what of `folder` is not on the shelf of `before`, on all cores. `None` when any of it is at fault. Faults are
/// those of what was read, in the order of the zones, whatever the order in which they were found.
pub fn read_after(folder: &Path, atlas: &Atlas, before: &Shelf) -> (Option<Reading>, Vec<Diagnostic>) {
    read_at(folder, atlas, before, unix_now())
}

/// The same at `now`, in seconds since 1970: files that were saved about then are not known by their stamps.
pub(super) fn read_at(folder: &Path, atlas: &Atlas, before: &Shelf, now: u64) -> (Option<Reading>, Vec<Diagnostic>) {
    let (files, mut faults) = list_zones(folder);
    if files.is_empty() && faults.is_empty() {
        let help = "a zone's files are named after it, such as example.com.zone and example.com.toml";
        let nothing = "the zones folder holds no zone: there is nothing to serve";
        faults.push(Diagnostic::error(Place::of_file(folder), nothing).help(help));
    }
    let known: HashMap<&Name, usize> = (0..).zip(&*before.volumes).map(|(at, known)| (&known.files.apex, at)).collect();
    let looked = in_parallel(files.len(), |number| {
        let files = &files[number];
        let kept = known
            .get(&files.apex)
            .and_then(|&at| Some((at, before.volumes.get(at)?.still(files, (atlas, before), now)?)));
        match kept {
            Some((at, volume)) => Looked::Kept(at, volume),
            None => Looked::Read(Box::new(read_zone(folder, files, atlas, &before.serials, now))),
        }
    });
    let (mut volumes, mut parts) = (Vec::with_capacity(files.len()), Vec::with_capacity(files.len()));
    let mut serials = Serials::default();
    for (looked, files) in looked.into_iter().zip(files) {
        match looked {
            Looked::Kept(at, volume) => {
                serials.carry(&before.serials, &files.apex);
                volumes.push(volume);
                parts.push(Part::Kept(at));
            }
            Looked::Read(outcome) => {
                let Outcome { read, sources, serials: given, faults: found } = *outcome;
                faults.extend(found);
                serials.join(given);
                if let Some(read) = read {
                    volumes.push(Volume::of(files, sources, &read.zone));
                    parts.push(Part::Read(Box::new(read)));
                }
            }
        }
    }
    serials.remember(&before.serials);
    let kept = parts.iter().filter(|part| matches!(part, Part::Kept(_))).count();
    faults.extend(undelegated(&volumes, &parts, kept < before.volumes.len()));
    let valid = faults.iter().all(|fault| fault.severity != Severity::Error);
    if valid && (kept < parts.len() || !atlas.has_rtts_of(&before.atlas)) {
        let by_latency = volumes.iter().flat_map(|volume| &*volume.by_latency).map(|name| &**name).collect();
        faults.extend(atlas.latency_warnings(&by_latency));
    }
    let shelf = Shelf { volumes: volumes.into(), atlas: atlas.clone(), serials: Arc::new(serials) };
    (valid.then_some(Reading { shelf, parts }), faults)
}

/// What came of looking at one zone's files.
enum Looked {
    Kept(usize, Volume),
    Read(Box<Outcome>),
}

impl Shelf {
    /// An empty one, for a first reading after another process gave these serials.
    pub fn after(serials: Vec<KeptSerial>) -> Self {
        Self { serials: Arc::new(Serials::from_kept(serials)), ..Self::default() }
    }

    /// The same, if another process has given greater serials to some of its zones, which the next reading reads again.
    pub fn caught_up(&self, serials: Vec<KeptSerial>) -> Option<Self> {
        let mut known = Serials::clone(&self.serials);
        let ahead = known.catch_up(Serials::from_kept(serials));
        let reread = |volume: &Volume| Volume { is_stale: ahead.contains(&volume.files.apex), ..volume.clone() };
        let volumes = || self.volumes.iter().map(reread).collect();
        (!ahead.is_empty()).then(|| Self { volumes: volumes(), serials: Arc::new(known), atlas: self.atlas.clone() })
    }

    /// The serials that move by themselves, as they are now.
    pub fn serials(&self) -> Arc<Serials> {
        Arc::clone(&self.serials)
    }

    /// The zones, by name.
    pub fn zones(&self) -> impl ExactSizeIterator<Item = &Arc<Zone>> {
        self.volumes.iter().map(|volume| &volume.zone)
    }
}

impl Volume {
    fn of(files: ZoneFiles, sources: Vec<Source>, zone: &LoadedZone) -> Self {
        let mut leans = Leans::default();
        for pool in &zone.pools.pools {
            let policy = pool.policy.name();
            leans.on_rtts |= policy == PolicyName::Latency;
            leans.on_places |= matches!(policy, PolicyName::Geo | PolicyName::Nearest | PolicyName::Latency);
        }
        let by_latency = going_by_latency(&zone.pools).into_iter().map(Box::from).collect();
        Self {
            files: Arc::new(files),
            sources: sources.into(),
            zone: Arc::clone(&zone.zone),
            leans,
            by_latency,
            is_stale: false,
        }
    }

    /// The same for the next time, if what it was read from is as it was.
    fn still(&self, files: &ZoneFiles, (atlas, before): (&Atlas, &Shelf), now: u64) -> Option<Self> {
        let leans_on_same = (!self.leans.on_places || atlas.has_places_of(&before.atlas))
            && (!self.leans.on_rtts || atlas.has_rtts_of(&before.atlas));
        if self.is_stale || *self.files != *files || !leans_on_same {
            return None;
        }
        let mut settled: Option<Vec<Source>> = None;
        for (number, source) in self.sources.iter().enumerate() {
            match source.look(now) {
                Look::Same => {}
                Look::Settled(source) => settled.get_or_insert_with(|| self.sources.to_vec())[number] = source,
                Look::Changed => return None,
            }
        }
        Some(Self { sources: settled.map_or_else(|| Arc::clone(&self.sources), Arc::from), ..self.clone() })
    }
}

impl Loaded {
    /// Numbers the targets of all zones as one.
    fn of(parts: Vec<Part>) -> Self {
        let (mut targets, mut slacks, mut zones) = (Targets::default(), Vec::new(), Vec::with_capacity(parts.len()));
        for part in parts {
            // Nothing was on the shelf, so nothing was kept.
            let Part::Read(read) = part else { continue };
            let ZoneRead { mut zone, targets: own, slacks: own_slacks } = *read;
            let numbers: Vec<ProbeId> = own.into_iter().map(|target| targets.register(target)).collect();
            slacks.resize(targets.list.len(), Duration::MAX);
            for (&ProbeId(number), own) in numbers.iter().zip(own_slacks) {
                if let Some(slack) = slacks.get_mut(number as usize) {
                    *slack = own.min(*slack);
                }
            }
            zone.pools.renumber(|own| numbers.get(own.0 as usize).copied().unwrap_or(own));
            zones.push(zone);
        }
        Self { zones, targets: targets.list, slacks }
    }
}

/// What the members of pools that go by latency are called.
fn going_by_latency(pools: &Pools) -> HashSet<&str> {
    let mut names = HashSet::new();
    let by_latency = pools.pools.iter().filter(|pool| pool.policy.name() == PolicyName::Latency);
    for member in by_latency.flat_map(|pool| &pool.members) {
        names.extend(match member.target {
            Target::Endpoint(endpoint) => pools.endpoints.get(endpoint.0 as usize).map(|endpoint| &*endpoint.name),
            Target::Pool(pool) => pools.pools.get(pool.0 as usize).map(|pool| &*pool.name),
        });
    }
    names
}

/// Zones within other zones of the folder that those do not delegate: resolvers that ask the outer zone, for the
/// DS record or by QNAME minimisation, are told that there is no such name. Only told where one of the two was read,
/// or where a zone left.
fn undelegated(volumes: &[Volume], parts: &[Part], any_left: bool) -> Vec<Diagnostic> {
    let is_new = |part: &Part| any_left || matches!(part, Part::Read(_));
    let by_apex: HashMap<&Name, (&Volume, bool)> =
        volumes.iter().zip(parts).map(|(volume, part)| (volume.zone.apex(), (volume, is_new(part)))).collect();
    let mut qname = Qname::default();
    let mut warnings = Vec::new();
    for (Volume { files, .. }, part) in volumes.iter().zip(parts) {
        let mut above = files.apex.parent();
        while let Some(name) = &above {
            if let Some((outer, outer_is_new)) = by_apex.get(name) {
                if !outer_is_new && !is_new(part) {
                    break;
                }
                let delegated = qname.read(files.apex.as_wire()).is_ok()
                    && matches!(outer.zone.find(&qname, Rtype::NS), Found::Cut(_));
                if let (false, Some(file)) = (delegated, files.all().next()) {
                    let message = format!("zone {name} does not delegate {}, which is served here too", files.apex);
                    let help = format!("give {name} NS records at {}", files.apex);
                    warnings.push(Diagnostic::warning(Place::of_file(file), message).help(help));
                }
                break;
            }
            above = name.parent();
        }
    }
    warnings
}
