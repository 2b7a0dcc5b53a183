//! What is known of clients: the databases of places and the latency table that the server file names, read once and
//! again when one of them is replaced.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::faults::suggestion;
use super::latency_file::{Latency, read_latency};
use super::stamp::Stamp;
use super::text_file::read_text;
use crate::diagnostic::{Diagnostic, Place};
use crate::geo::{self, Claim, Country, Map, Places, RttTable, Rules};

/// The files, as they were when they were read.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    databases: Vec<(PathBuf, Option<Stamp>)>,
    places: Arc<Places>,
    maps: Arc<Maps>,
    latency: Option<Arc<Measured>>,
}

/// The maps that are in use, by the rules that they were compiled from. Pools with equal rules share one, in every
/// zone, and a reload of zone files compiles only what is new.
#[derive(Debug, Default)]
struct Maps(Mutex<Vec<(Rules, Weak<Map>)>>);

/// The latency table.
#[derive(Debug)]
struct Measured {
    file: PathBuf,
    stamp: Option<Stamp>,
    latency: Latency,
    warnings: Vec<Diagnostic>,
}

impl Atlas {
    /// Reads `databases`, the first of which counts most, and the table of `latency`. Takes seconds for the largest.
    ///
    /// # Errors
    /// Every database that cannot be read or is none, each by its file; and every line of the table at fault.
    pub fn read(databases: &[PathBuf], latency: Option<&Path>) -> Result<Self, Vec<Diagnostic>> {
        let read = (Self::read_databases(databases), latency.map(Measured::read).transpose());
        match read {
            (Ok(atlas), Ok(latency)) => Ok(Self { latency: latency.map(Arc::new), ..atlas }),
            (atlas, latency) => Err([atlas.err(), latency.err()].into_iter().flatten().flatten().collect()),
        }
    }

    fn read_databases(databases: &[PathBuf]) -> Result<Self, Vec<Diagnostic>> {
        let mut places = Places::default();
        let mut faults = Vec::new();
        // Stamped before they are read: one that is replaced in the meantime is then read once more.
        let stamped = databases.iter().map(|file| (file.clone(), Stamp::of(file))).collect();
        for file in databases {
            let read = fs::read(file).map_err(|error| (format!("the database cannot be read: {error}"), None));
            let added = read.and_then(|octets| places.add(&octets).map_err(|fault| (fault.message, fault.help)));
            if let Err((message, help)) = added {
                let fault = Diagnostic::error(Place::of_file(file), message);
                faults.push(Diagnostic { help, ..fault });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // Other databases, other maps.
        Ok(Self { databases: stamped, places: Arc::new(places), maps: Arc::default(), latency: None })
    }

    /// The atlas of now: this one, with what was replaced since it was read. What replaced it stays out where it is
    /// at fault, and the faults are listed. A new latency table follows the one of before: a sample near the one in
    /// force moves nobody.
    pub fn refreshed(&self) -> (Self, Vec<Diagnostic>) {
        let (mut atlas, mut faults) = (self.clone(), Vec::new());
        if self.databases.iter().any(|(file, stamp)| Stamp::of(file) != *stamp) {
            let files: Vec<PathBuf> = self.databases.iter().map(|(file, _)| file.clone()).collect();
            match Self::read_databases(&files) {
                Ok(read) => atlas = Self { latency: atlas.latency, ..read },
                Err(found) => faults.extend(found),
            }
        }
        if let Some(before) = self.latency.as_ref().filter(|latency| Stamp::of(&latency.file) != latency.stamp) {
            match Measured::read(&before.file) {
                Ok(read) => atlas.latency = Some(Arc::new(read.following(before))),
                Err(found) => faults.extend(found),
            }
        }
        (atlas, faults)
    }

    /// Whether its databases say what those of `other` say, being the same.
    pub(super) fn has_places_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.places, &other.places)
    }

    /// Whether its latency table says what that of `other` says, being the same.
    pub(super) fn has_rtts_of(&self, other: &Self) -> bool {
        self.latency.as_ref().map(Arc::as_ptr) == other.latency.as_ref().map(Arc::as_ptr)
    }

    /// What the databases say of addresses.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The map of `rules` over those databases: one that is in use, or a new one, which takes up to seconds.
    pub fn map(&self, rules: Rules) -> Arc<Map> {
        let mut maps = self.maps.0.lock().unwrap_or_else(PoisonError::into_inner);
        maps.retain(|(_, map)| map.strong_count() > 0);
        if let Some(map) = maps.iter().filter(|(known, _)| *known == rules).find_map(|(_, map)| map.upgrade()) {
            return map;
        }
        let map = Arc::new(Map::compile(&self.places, &rules));
        maps.push((rules, Arc::downgrade(&map)));
        map
    }

    /// The same with made-up places in place of databases: every country, and every AS and subdivision that the rules
    /// of maps in use, or the latency table, name. With them the maps of the same files tell apart what those files do.
    #[must_use]
    pub fn made_up(&self) -> Self {
        let maps = self.maps.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed = maps.iter().flat_map(|(rules, _)| rules.claims.iter().map(|(claim, _)| *claim));
        let measured = self.rtts().into_iter().flat_map(|table| table.samples().iter().map(|sample| sample.clients));
        let claims: BTreeSet<Claim> =
            claimed.chain(measured).filter(|claim| matches!(claim, Claim::Asn(_) | Claim::Subdivision(_))).collect();
        let country = |country: Country| geo::Place {
            continent: Some(country.continent()),
            country: Some(country),
            ..geo::Place::default()
        };
        let claimed = claims.into_iter().map(|claim| match claim {
            Claim::Asn(asn) => geo::Place { asn: Some(asn), ..geo::Place::default() },
            Claim::Subdivision(part) => geo::Place { subdivision: Some(part), ..country(part.country()) },
            _ => geo::Place::default(),
        });
        let places = Places::made_up(Country::all().map(country).chain(claimed));
        Self { databases: Vec::new(), places: Arc::new(places), maps: Arc::default(), latency: self.latency.clone() }
    }

    /// Whether there is no database at all.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// The round-trip times that were measured, if there is a table.
    pub fn rtts(&self) -> Option<&RttTable> {
        self.latency.as_ref().map(|measured| &measured.latency.table)
    }

    /// What is worth a second look in the latency table: its own oddities, and pools that it names but that are not
    /// among the `known` members of pools that go by latency.
    pub fn latency_warnings(&self, known: &HashSet<&str>) -> Vec<Diagnostic> {
        let Some(measured) = &self.latency else { return Vec::new() };
        let mut warnings = measured.warnings.clone();
        if known.is_empty() {
            let message = "no pool goes by latency: this table is for nothing";
            warnings.push(Diagnostic::warning(Place::of_file(&measured.file), message));
            return warnings;
        }
        let mut sorted: Vec<&str> = known.iter().copied().collect();
        sorted.sort_unstable();
        let named = measured.latency.table.pools().iter().zip(&measured.latency.named);
        let unknown = named.filter(|(name, _)| !known.contains(&***name));
        warnings.extend(unknown.take(UNKNOWN_MAX).map(|(name, place)| {
            let message = format!("no pool that goes by latency has a member `{name}`");
            let help = suggestion(name, sorted.iter().copied(), "members of such pools");
            Diagnostic::warning(place.clone(), message).help(help)
        }));
        warnings
    }
}

/// Unknown pools of a table that are listed. Each is compared with all that are known.
const UNKNOWN_MAX: usize = 100;

impl Measured {
    fn read(file: impl AsRef<Path>) -> Result<Self, Vec<Diagnostic>> {
        let file = file.as_ref();
        let stamp = Stamp::of(file);
        let text = read_text(file)
            .map_err(|message| vec![Diagnostic::error(Place::of_file(file), format!("the latency table {message}"))])?;
        match read_latency(file, &text) {
            (Some(latency), warnings) => Ok(Self { file: file.to_owned(), stamp, latency, warnings }),
            (None, faults) => Err(faults),
        }
    }

    fn following(self, before: &Self) -> Self {
        let Latency { table, named } = self.latency;
        Self { latency: Latency { table: table.following(&before.latency.table), named }, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::geo::Otherwise;

    const CITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/geo/city.mmdb");

    #[test]
    fn pools_with_equal_rules_share_a_map() {
        let atlas = Atlas::default();
        let rules = |member| Rules { claims: Vec::new(), otherwise: Otherwise::Members(vec![member]) };
        let (one, same, other) = (atlas.map(rules(1)), atlas.clone().map(rules(1)), atlas.map(rules(2)));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        drop((one, same));
        atlas.map(rules(3));
        assert_eq!(atlas.maps.0.lock().expect("a lock").len(), 2, "what nobody uses is let go");
    }

    #[test]
    fn a_database_that_is_replaced_is_read_again_and_a_bad_one_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("city.mmdb");
        let faults = Atlas::read(std::slice::from_ref(&file), None).expect_err("it is missing");
        assert!(faults[0].to_string().contains("city.mmdb: error: the database cannot be read"), "{}", faults[0]);
        fs::copy(Path::new(CITY), &file).expect("a copy");
        let atlas = Atlas::read(std::slice::from_ref(&file), None).expect("an atlas");
        let (same, faults) = atlas.refreshed();
        assert_eq!(faults, []);
        assert!(Arc::ptr_eq(&atlas.places, &same.places));
        let octets = fs::read(&file).expect("a database");
        fs::write(&file, &octets[..octets.len() / 2]).expect("half of it");
        let (same, faults) = atlas.refreshed();
        assert_eq!((faults.len(), Arc::ptr_eq(&atlas.places, &same.places)), (1, true), "it is cut short");
        fs::write(&file, [octets.as_slice(), b""].concat()).expect("all of it");
        assert_eq!(atlas.refreshed().1, []);
    }
}
