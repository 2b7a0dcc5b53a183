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
            let help = "name it with --zones, or with `zones` in the server file";
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
        if let Err(fault) = enter(&mut zones, path, kind) {
            faults.push(fault);
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

fn enter(zones: &mut BTreeMap<Name, ZoneFiles>, path: PathBuf, kind: Kind) -> Result<(), Diagnostic> {
    let apex = apex(&path)?;
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
    match file {
        None => *file = Some(path),
        Some(first) => {
            let message = format!("the zone {} has two files of one kind", files.apex);
            return Err(Diagnostic::error(Place::of_file(&path), message)
                .other(Place::of_file(first), "the other one")
                .help("case and a final dot make no difference in the name of a zone"));
        }
    }
    Ok(())
}

fn apex(path: &Path) -> Result<Name, Diagnostic> {
    let fault = |reason: &str| {
        Diagnostic::error(Place::of_file(path), format!("the name of this file is not the name of a zone: {reason}"))
            .help("a zone's files are named after it, such as example.com.zone and example.com.toml")
    };
    let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| fault("it is not UTF-8"))?;
    match Name::from_host(stem) {
        // `@` alone would be read as the origin.
        Ok(name) if stem != "@" => Ok(name.to_lowercase()),
        Ok(_) => Err(fault("`@` stands for a zone only within its files")),
        Err(error) => Err(fault(&error.to_string())),
    }
}
