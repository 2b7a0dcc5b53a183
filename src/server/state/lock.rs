//! One process at a time keeps its state in a file: two would take turns in forgetting what the other knows.
//!
//! A lock of flock(2) on a file beside it, since the file itself is another with each writing. It ends with the process,
//! however that ends, and no program that is started inherits it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Held for as long as this lives.
#[derive(Debug)]
pub(in super::super) struct Lock(#[expect(dead_code, reason = "it is held by being open")] File);

/// Who keeps state in a file.
#[derive(Debug)]
pub(in super::super) enum Kept {
    /// We do now.
    Here(Lock),
    /// Another process does.
    Elsewhere,
}

impl Lock {
    /// Tries to have the state `file` for this process alone.
    ///
    /// # Errors
    /// When there is no telling: the folder cannot be written, or its file system has no locks.
    pub(in super::super) fn take(file: &Path) -> io::Result<Kept> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(beside(file))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Kept::Here(Self(lock))),
            Err(Errno::WOULDBLOCK) => Ok(Kept::Elsewhere),
            Err(error) => Err(error.into()),
        }
    }
}

/// `state.json.lock` for `state.json`.
fn beside(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".lock");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_holders_until_that_lets_it_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("state.json");
        let held = Lock::take(&file).expect("a lock");
        assert!(matches!(held, Kept::Here(_)));
        assert!(matches!(Lock::take(&file), Ok(Kept::Elsewhere)));
        assert!(matches!(Lock::take(&folder.path().join("other.json")), Ok(Kept::Here(_))));
        drop(held);
        assert!(matches!(Lock::take(&file), Ok(Kept::Here(_))));
        assert!(Lock::take(&folder.path().join("none/state.json")).is_err());
    }
}
