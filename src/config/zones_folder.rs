//! The zones folder: which zones there are, by the names of their files.
//!
//! `example.com.zone` and `example.com.toml` are the master file and the policy file of example.com. Everything
//! else that lies there (dot files, editors' backups, included files, folders) is left alone.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Place};
use crate::wire::name::Name;

/// The files of one zone, of which there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFiles {
    /// The zone, in lower case.
    pub apex: Name,
    /// `ZONE.zone`, the master file.
    pub master: Option<PathBuf>,
    /// `ZONE.toml`, the policy file.
    pub policy: Option<PathBuf>,
}

impl ZoneFiles {
    /// Those that there are.
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        self.master.iter().chain(&self.policy).map(PathBuf::as_path)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Master,
    Policy,
}

/// Lists the zones of `folder`, sorted by name, and what is wrong with its files' names.
///
/// A name may have a final dot (`example.com..zone`), any case and master-file escapes; a zone that comes out of
/// two files of one kind is an error.
pub fn list_zones(folder: &Path) -> (Vec<ZoneFiles>, Vec<Diagnostic>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("the zones folder cannot be read: {error}");
            let help = "a folder of NAME.zone and NAME.toml; `zones` in the server file names it, and --zones where a command has that";
            return (Vec::new(), vec![Diagnostic::error(Place::of_file(folder), message).help(help)]);
        }
    };
    let mut files = Vec::new();
    let mut faults = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => files.extend(zone_file(&entry)),
            Err(error) => {
                let message = format!("the zones folder cannot be read on: {error}");
                faults.push(Diagnostic::error(Place::of_file(folder), message));
            }
        }
    }
    // The order of a folder is anything; the order of faults should not be.
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut zones = BTreeMap::new();
    for (path, kind) in files {
        match apex(&path) {
            Ok(apex) => faults.extend(enter(&mut zones, apex, path, kind)),
            Err(reason) => {
                let message = format!("the name of this file is not the name of a zone: {reason}");
                let help = "a zone's files are named after it, such as example.com.zone and example.com.toml";
                faults.push(Diagnostic::error(Place::of_file(&path), message).help(help));
            }
        }
    }
    (zones.into_values().collect(), faults)
}

/// The path of `entry` and what it is, when it is a zone's file.
fn zone_file(entry: &DirEntry) -> Option<(PathBuf, Kind)> {
    let path = entry.path();
    let kind = match path.extension()?.to_str()? {
        "zone" => Kind::Master,
        "toml" => Kind::Policy,
        _ => return None,
    };
    let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
    // What cannot be looked at is taken for a file: reading it will say what is wrong.
    let folder = path.metadata().is_ok_and(|metadata| metadata.is_dir());
    (!hidden && !folder).then_some((path, kind))
}

/// Gives the zone `apex` one of its files; a fault when it has one of that kind.
fn enter(zones: &mut BTreeMap<Name, ZoneFiles>, apex: Name, path: PathBuf, kind: Kind) -> Option<Diagnostic> {
    let files = match zones.entry(apex) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => {
            let apex = entry.key().clone();
            entry.insert(ZoneFiles { apex, master: None, policy: None })
        }
    };
    let file = match kind {
        Kind::Master => &mut files.master,
        Kind::Policy => &mut files.policy,
    };
    if let Some(first) = file {
        let message = format!("the zone {} has two files of one kind", files.apex);
        let fault = Diagnostic::error(Place::of_file(&path), message).other(Place::of_file(first), "the other one");
        return Some(fault.help("case and a final dot make no difference in the name of a zone"));
    }
    *file = Some(path);
    None
}

/// The zone that a file is named after.
fn apex(path: &Path) -> Result<Name, String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or("it is not UTF-8")?;
    if stem == "@" {
        // It would be read as the origin.
        return Err("`@` stands for a zone only within its files".to_owned());
    }
    Name::from_host(stem).map(|name| name.to_lowercase()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks which zones a folder of these files has, each "zone: its files", and what is wrong with the rest.
    fn check(files: &[&str], zones: &[&str], faults: &[&str]) {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            std::fs::write(folder.path().join(file), "").expect("a file");
        }
        std::fs::create_dir(folder.path().join("folder.zone")).expect("a folder");
        let (listed, found) = list_zones(folder.path());
        let file_name = |path: &Option<PathBuf>| {
            let name = path.as_ref().and_then(|path| path.file_name()).unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let listed: Vec<_> = listed
            .iter()
            .map(|zone| format!("{} {} {}", zone.apex, file_name(&zone.master), file_name(&zone.policy)))
            .collect();
        assert_eq!(listed, zones, "of {files:?}");
        assert_eq!(found.len(), faults.len(), "of {files:?}: {found:#?}");
        for (found, fault) in found.iter().zip(faults) {
            let text = found.render(false);
            assert!(text.contains(fault), "{fault:?} is not in:\n{text}");
        }
    }

    #[test]
    fn zones_are_listed_by_name() {
        check(&[], &[], &[]);
        check(
            &["example.org.zone", "example.com.zone", "example.com.toml", "Example.NET.toml", "0\\04725.test.zone"],
            &[
                "0/25.test. 0\\04725.test.zone ",
                "example.com. example.com.zone example.com.toml",
                "example.net.  Example.NET.toml",
                "example.org. example.org.zone ",
            ],
            &[],
        );
        check(&["example.com..zone", "example.com.toml"], &["example.com. example.com..zone example.com.toml"], &[]);
        let others = [
            ".zone",
            ".example.com.zone",
            ".example.com.zone.swp",
            "example.com.zone~",
            "example.com.zone.bak",
            "#example.com.zone#",
            "hosts.inc",
            "README",
            "4913",
            "example.com.zone.swp",
        ];
        check(&others, &[], &[]);
    }

    #[test]
    fn names_that_are_none_or_stand_twice_are_errors() {
        let twice = "the zone example.com. has two files of one kind";
        check(&["example.com.zone", "EXAMPLE.com.zone"], &["example.com. EXAMPLE.com.zone "], &[twice]);
        check(&["example.com.toml", "example.com..toml"], &["example.com.  example.com..toml"], &[twice]);
        check(&["a..b.zone"], &[], &["cannot have an empty label"]);
        check(&["@.zone"], &[], &["`@` stands for a zone only within its files"]);
        check(&[&format!("{}.toml", "x".repeat(64))], &[], &["cannot be longer than 63 octets"]);
    }

    #[test]
    fn a_folder_that_is_missing_is_one_error() {
        let (zones, faults) = list_zones(Path::new("/nonexistent/zones"));
        assert_eq!((zones.len(), faults.len()), (0, 1));
        assert!(faults[0].to_string().starts_with("/nonexistent/zones: error: the zones folder cannot be read"));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_an_error() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        let name = std::ffi::OsStr::from_bytes(b"ex\xffample.zone");
        std::fs::write(folder.path().join(name), "").expect("a file");
        let (zones, faults) = list_zones(folder.path());
        assert_eq!((zones.len(), faults.len()), (0, 1));
    }
}
