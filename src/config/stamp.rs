//! Whether a file is still what it was when it was read, without reading it again.
//!
//! A file that was saved has another stamp: another time of change, length or inode. But times are as coarse as the
//! file system makes them, so of two saves within one of its ticks the second may leave the stamp of the first. That
//! is git's "racy" index, and the way out is the same: a stamp is believed only once it is older than the coarsest
//! tick. Until then what the file held is compared. The time of change is the system's own (`ctime`): nobody sets it
//! back, as `cp --preserve` and `rsync --times` do with the time of saving.
//!
//! A file server whose clock is behind ours by more than [`TICK_MAX`] seconds defeats this, as it defeats make.

use std::fs::{self, File};
use std::hash::Hasher as _;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// Seconds of the coarsest tick of a file system's times: those of FAT. Others tick in seconds at the most.
const TICK_MAX: u64 = 2;

/// Octets that are read at once to compare what a file holds.
const PIECE_OCTETS: usize = 64 * 1024;

/// Pieces between two looks whether anybody waits for the core: 0.3 ms.
const PIECES: u64 = 8;

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    saved: SystemTime,
    changed: (i64, i64),
    octets: u64,
    device: u64,
    inode: u64,
}

impl Stamp {
    /// That of `file`, links followed; `None` where there is none to be seen.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        Some(Self {
            saved: found.modified().ok()?,
            changed: (found.ctime(), found.ctime_nsec()),
            octets: found.len(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Whether a later state could bear the same stamp, if this was seen at `now`, in seconds since 1970.
    fn is_recent(&self, now: u64) -> bool {
        u64::try_from(self.changed.0).unwrap_or(0).saturating_add(TICK_MAX) >= now
    }
}

/// A file that something was read from, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    file: PathBuf,
    stamp: Option<Stamp>,
    trust: Trust,
}

/// Whether an equal stamp says that the file is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// It does.
    Stamp,
    /// Only together with what the file held.
    Content(u128),
    /// Nothing says so.
    Nothing,
}

/// How a file is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As it was.
    Same,
    /// As it was; from now on this says so, and more cheaply.
    Settled(Source),
    /// Another, or not to be told.
    Changed,
}

impl Source {
    /// What `file` is before it is read: a save after this is noticed the next time. `now` is in seconds since 1970, and may
    /// be earlier than the real one, as of when a reading began: then fewer stamps are believed.
    pub(super) fn before(file: &Path, now: u64) -> Self {
        let stamp = Stamp::of(file);
        let trust = match stamp {
            Some(stamp) if !stamp.is_recent(now) => Trust::Stamp,
            Some(_) => content(file).map_or(Trust::Nothing, Trust::Content),
            None => Trust::Nothing,
        };
        Self { file: file.to_owned(), stamp, trust }
    }

    /// The same of a file that was read already, by a reading that began at `begun`, in seconds since 1970: what it
    /// held then nobody knows any more, so one that was saved just before or since is not to be told.
    pub(super) fn after(file: &Path, begun: u64) -> Self {
        let stamp = Stamp::of(file);
        let is_old = stamp.is_some_and(|stamp| !stamp.is_recent(begun));
        Self { file: file.to_owned(), stamp, trust: if is_old { Trust::Stamp } else { Trust::Nothing } }
    }

    /// Whether the file is still the same; `now` as in [`Self::before`].
    pub(super) fn look(&self, now: u64) -> Look {
        let stamp = Stamp::of(&self.file);
        if stamp.is_none() || stamp != self.stamp {
            return Look::Changed;
        }
        match self.trust {
            Trust::Stamp => Look::Same,
            Trust::Content(held) if content(&self.file) == Some(held) => {
                match stamp.is_some_and(|s| s.is_recent(now)) {
                    true => Look::Same,
                    // Whatever is saved from now on has another stamp.
                    false => Look::Settled(Self { trust: Trust::Stamp, ..self.clone() }),
                }
            }
            Trust::Content(_) | Trust::Nothing => Look::Changed,
        }
    }
}

/// What tells the content of `file` from others: nobody forges the operator's own files, so it need not be secret.
fn content(file: &Path) -> Option<u128> {
    // A pipe would be waited for.
    if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
        return None;
    }
    let mut file = File::open(file).ok()?;
    let mut hasher = SipHasher13::new();
    let mut piece = vec![0; PIECE_OCTETS];
    for number in 1_u64.. {
        match file.read(&mut piece).ok()? {
            0 => break,
            count => hasher.write(piece.get(..count)?),
        }
        if number.is_multiple_of(PIECES) {
            // As while a zone is read, whoever waits for this core has it.
            thread::yield_now();
        }
    }
    Some(hasher.finish128().as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::unix_now;

    /// A file that was just written, and what it was before it is read.
    fn fresh(text: &str) -> (tempfile::TempDir, PathBuf, Source) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("example.com.zone");
        fs::write(&file, text).expect("a file");
        let source = Source::before(&file, unix_now());
        (folder, file, source)
    }

    #[test]
    fn what_was_saved_is_another_even_within_one_tick() {
        let (_folder, file, source) = fresh("www A 192.0.2.1\n");
        assert_eq!(source.look(unix_now()), Look::Same);
        // The second save within a tick: what it left of the stamp is as it was.
        fs::write(&file, "www A 192.0.2.2\n").expect("a file");
        let racy = Source { stamp: Stamp::of(&file), ..source.clone() };
        assert_eq!(racy.look(unix_now()), Look::Changed, "the content is another under the same stamp");
        assert_eq!(source.look(unix_now()), Look::Changed);
        // Read already, nobody knows what it held.
        let after = Source::after(&file, unix_now());
        assert_eq!(after.look(unix_now()), Look::Changed);
        fs::remove_file(&file).expect("a file");
        assert_eq!(
            (source.look(unix_now()), Source::before(&file, unix_now()).look(unix_now())),
            (Look::Changed, Look::Changed)
        );
    }

    #[test]
    fn an_old_stamp_is_believed() {
        let (_folder, file, source) = fresh("www A 192.0.2.1\n");
        let (stamp, changed) = (source.stamp.expect("a stamp"), source.stamp.expect("a stamp").changed.0 as u64);
        assert!(stamp.is_recent(changed) && stamp.is_recent(changed + TICK_MAX));
        assert!(!stamp.is_recent(changed + TICK_MAX + 1));
        // Ahead of us: so is the next save, perhaps.
        assert!(stamp.is_recent(changed - 1_000));
        let settled = Source::after(&file, changed + TICK_MAX + 1);
        assert_eq!((settled.trust, settled.look(unix_now())), (Trust::Stamp, Look::Same));
    }

    #[test]
    fn a_file_in_the_place_of_another_is_another() {
        let (folder, file, source) = fresh("www A 192.0.2.1\n");
        let other = folder.path().join("other");
        fs::write(&other, "www A 192.0.2.1\n").expect("a file");
        let saved = fs::metadata(&file).and_then(|found| found.modified()).expect("a time");
        File::options().write(true).open(&other).and_then(|file| file.set_modified(saved)).expect("a time");
        fs::rename(&other, &file).expect("renamed");
        assert_eq!(source.look(unix_now()), Look::Changed);
    }
}
