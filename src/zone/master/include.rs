//! Which file an `$INCLUDE` means, and that it may be read: inside a folder, no loop, within limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::zone::buffer::Buffer;

/// Files that include one another, the zone's own counted.
pub const DEPTH_MAX: usize = 10;

/// `$INCLUDE` lines that one zone may follow, nested ones counted.
pub const INCLUDES_MAX: u32 = 1_000;

/// Octets that a zone's files may have together. A million A records are about 30 MB.
pub const OCTETS_MAX: u64 = 2 << 30;

/// An open file of the chain that ends with the file being read.
#[derive(Debug)]
pub(super) struct Open {
    /// As the operator would name it.
    pub(super) path: PathBuf,
    /// With every symbolic link followed.
    real: PathBuf,
}

/// The chain of open files and what is left of the limits.
#[derive(Debug)]
pub(super) struct Includes {
    /// That folder, the zones folder mostly, with every symbolic link followed; `None` where there are no files at all.
    folder: Option<PathBuf>,
    open: Vec<Open>,
    /// Every file that was read, with every symbolic link followed: its place here is its number.
    read: Vec<PathBuf>,
    /// When each of those had been saved, where the system knows.
    saved: Vec<SystemTime>,
    followed: u32,
    octets_left: u64,
}

impl Includes {
    pub(super) fn new(folder: Option<&Path>) -> Self {
        let folder = folder.and_then(|folder| fs::canonicalize(folder).ok());
        Self { folder, open: Vec::new(), read: Vec::new(), saved: Vec::new(), followed: 0, octets_left: OCTETS_MAX }
    }

    /// Opens the zone's own file, which is not held against the folder: it was named by the operator.
    pub(super) fn open_first(&mut self, path: &Path) -> Result<Buffer, String> {
        let real = fs::canonicalize(path).map_err(|error| format!("cannot be read: {error}"))?;
        self.read(Open { path: path.to_owned(), real })
    }

    /// Opens what `written` means in the file that was opened last. The caller closes it.
    pub(super) fn open(&mut self, written: &[u8]) -> Result<Buffer, String> {
        let (Some(folder), Some(including)) = (&self.folder, self.open.last()) else {
            return Err("$INCLUDE needs a file to be included from and a folder to stay in".to_owned());
        };
        let written = std::str::from_utf8(written).map_err(|_| "the name of the file is not UTF-8".to_owned())?;
        let path = including.path.parent().unwrap_or(Path::new("")).join(written);
        let real = fs::canonicalize(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        if !real.starts_with(folder) {
            return Err(format!("{} leads out of the folder {}", path.display(), folder.display()));
        }
        if self.open.iter().any(|open| open.real == real) {
            return Err(format!("{} includes itself", path.display()));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("files may include one another {DEPTH_MAX} deep"));
        }
        if self.followed >= INCLUDES_MAX {
            return Err(format!("a zone may follow {INCLUDES_MAX} $INCLUDE lines"));
        }
        self.followed += 1;
        self.read(Open { path, real })
    }

    /// When the files that were read had been saved.
    pub(super) fn saved(self) -> Vec<SystemTime> {
        self.saved
    }

    /// Closes the file that was opened last.
    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// The file that was opened last.
    pub(super) fn path(&self) -> &Path {
        self.open.last().map_or(Path::new(""), |open| &open.path)
    }

    /// The number of the file that was opened last, counted from 0 in the order of first opening.
    pub(super) fn number(&self) -> usize {
        let last = self.open.last();
        self.read.iter().position(|real| last.is_some_and(|open| open.real == *real)).unwrap_or(0)
    }

    fn read(&mut self, open: Open) -> Result<Buffer, String> {
        // The fault of the first file stands at its own place, that of an included one at the line that means it.
        let name = if self.open.is_empty() { String::new() } else { format!("{} ", open.path.display()) };
        let fault = |error: std::io::Error| format!("{name}cannot be read: {error}");
        // Before it is opened: that of a pipe would wait for somebody to write.
        let metadata = fs::metadata(&open.real).map_err(fault)?;
        if !metadata.is_file() {
            return Err(format!("{name}is not a file"));
        }
        self.octets_left = self
            .octets_left
            .checked_sub(metadata.len())
            .ok_or_else(|| format!("the files of a zone may have {OCTETS_MAX} octets together"))?;
        let mut file = fs::File::open(&open.real).map_err(fault)?;
        let text = Buffer::read(&mut file, usize::try_from(metadata.len()).unwrap_or(0)).map_err(fault)?;
        if !self.read.contains(&open.real) {
            self.read.push(open.real.clone());
            // Known from before it was read: what is saved meanwhile has another time at the next reading.
            self.saved.extend(metadata.modified());
        }
        self.open.push(open);
        Ok(text)
    }
}
