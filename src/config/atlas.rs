//! What is known of clients: the databases of places that the server file names, read once and again when one of
//! them is replaced.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::diagnostic::{Diagnostic, Place};
use crate::geo::Places;

/// The databases, as they were when they were read.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    databases: Vec<(PathBuf, Option<Stamp>)>,
    places: Arc<Places>,
}

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    saved: SystemTime,
    octets: u64,
}

impl Stamp {
    fn of(file: &PathBuf) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self { saved: metadata.modified().ok()?, octets: metadata.len() })
    }
}

impl Atlas {
    /// Reads `databases`, the first of which counts most. Takes seconds for the largest.
    ///
    /// # Errors
    /// Every database that cannot be read or is none, each by its file.
    pub fn read(databases: &[PathBuf]) -> Result<Self, Vec<Diagnostic>> {
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
        if faults.is_empty() { Ok(Self { databases: stamped, places: Arc::new(places) }) } else { Err(faults) }
    }

    /// The atlas of now: this one, unless a database was replaced since it was read.
    ///
    /// # Errors
    /// As [`Atlas::read`]; whoever asked keeps this one then.
    pub fn refreshed(&self) -> Result<Self, Vec<Diagnostic>> {
        if self.databases.iter().all(|(file, stamp)| Stamp::of(file) == *stamp) {
            return Ok(self.clone());
        }
        let files: Vec<PathBuf> = self.databases.iter().map(|(file, _)| file.clone()).collect();
        Self::read(&files)
    }

    /// What the databases say of addresses.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whether there is no database at all.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/geo/city.mmdb");

    #[test]
    fn a_database_that_is_replaced_is_read_again_and_a_bad_one_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("city.mmdb");
        let faults = Atlas::read(std::slice::from_ref(&file)).expect_err("it is missing");
        assert!(faults[0].to_string().contains("city.mmdb: error: the database cannot be read"), "{}", faults[0]);
        fs::copy(Path::new(CITY), &file).expect("a copy");
        let atlas = Atlas::read(std::slice::from_ref(&file)).expect("an atlas");
        let same = atlas.refreshed().expect("the same");
        assert!(Arc::ptr_eq(&atlas.places, &same.places));
        let octets = fs::read(&file).expect("a database");
        fs::write(&file, &octets[..octets.len() / 2]).expect("half of it");
        assert_eq!(atlas.refreshed().expect_err("it is cut short").len(), 1);
        fs::write(&file, [octets.as_slice(), b""].concat()).expect("all of it");
        assert!(atlas.refreshed().is_ok());
    }
}
