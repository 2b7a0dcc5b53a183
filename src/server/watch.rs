//! Tells when a zone file, a database or the latency table was saved, once for all that is saved together.
//!
//! A watch is on what lies at a path, not on the path. A database that is replaced is another file, so its folder is
//! watched; and so that a folder which is put in the place of another (a symbolic link that is pointed at the next
//! release) is seen and watched from then on, its parent is watched too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long the folder must be quiet: an editor writes, renames and removes within milliseconds, a deploy tool
/// copies file after file.
const QUIET: Duration = Duration::from_millis(100);

/// How long a folder that is never quiet is waited for.
const QUIET_WAIT_MAX: Duration = Duration::from_secs(2);

/// A watch on a folder and all that is in it.
pub(super) struct Saved {
    /// Holds the watch; an error when the system refused it.
    watcher: notify::Result<RecommendedWatcher>,
    folder: PathBuf,
    saved: mpsc::Receiver<()>,
}

impl Saved {
    /// Watches `folder` and all in it, and each of `files`, on the current runtime.
    pub(super) fn new(folder: &Path, files: &[PathBuf]) -> Self {
        // One place is enough: an event says that something changed, and all of it is read anew.
        let (sender, mut events) = mpsc::channel(1);
        // As events name what they are about.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let files: Vec<PathBuf> = files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
        // A path that is watched twice is watched the second way, which would leave out what lies deeper.
        let beside = files.iter().filter_map(|file| file.parent()).chain(folder.parent());
        let beside: BTreeSet<PathBuf> =
            beside.filter(|beside| !beside.starts_with(&folder)).map(Path::to_owned).collect();
        let mut watched = files;
        watched.push(folder.clone());
        let heard = move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, |event| changes_files(event, &watched)) {
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
            watcher.watch(&folder, RecursiveMode::Recursive)?;
            for beside in &beside {
                // Where that is not allowed, all but what is put in another's place is seen.
                let _ = watcher.watch(beside, RecursiveMode::NonRecursive);
            }
            Ok(watcher)
        });
        let (settled, saved) = mpsc::channel(1);
        tokio::spawn(async move {
            while events.recv().await.is_some() {
                let quiet = async { while let Ok(Some(())) = timeout(QUIET, events.recv()).await {} };
                let _ = timeout(QUIET_WAIT_MAX, quiet).await;
                if settled.send(()).await.is_err() {
                    return;
                }
            }
        });
        Self { watcher, folder, saved }
    }

    /// Logs it when there is no watch, for then only SIGHUP reloads. Apart from [`Saved::new`], since a folder
    /// that is missing has more to be said about it.
    pub(super) fn warn_if_blind(&self) {
        if let Err(error) = &self.watcher {
            tracing::warn!(%error, "cannot watch the zones folder: only SIGHUP reloads it");
        }
    }

    /// Waits until something was saved and the folder is quiet again. May be dropped while it waits.
    pub(super) async fn next(&mut self) {
        if self.saved.recv().await.is_none() {
            // There is no watch, and never will be.
            std::future::pending::<()>().await;
        }
        // Before the files are read: what is saved later is seen.
        if let Ok(watcher) = &mut self.watcher {
            let _ = watcher.unwatch(&self.folder);
            // A folder that is missing is reported by whoever reads it; that it is back, its parent tells.
            let _ = watcher.watch(&self.folder, RecursiveMode::Recursive);
        }
    }
}

/// Whether an event can have changed what `watched` files, or files in watched folders, say. Opening and reading do
/// not; we do so ourselves.
fn changes_files(event: &Event, watched: &[PathBuf]) -> bool {
    let concerns = |path: &PathBuf| watched.iter().any(|watched| path.starts_with(watched));
    // An event without a path says that some were lost.
    if !event.paths.is_empty() && !event.paths.iter().any(concerns) {
        return false;
    }
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
