//! Tells when a zone file, a database or the latency table was saved, once for all that is saved together.

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
    /// Holds the watch; `None` when the system refused it, and then only SIGHUP reloads.
    _watcher: Option<RecommendedWatcher>,
    saved: mpsc::Receiver<()>,
}

impl Saved {
    /// Watches `folder` and all in it, and each of `files`, on the current runtime.
    pub(super) fn new(folder: &Path, files: &[PathBuf]) -> Self {
        // One place is enough: an event says that something changed, and all of it is read anew.
        let (sender, mut events) = mpsc::channel(1);
        // A file that is replaced is another one to the system, so its folder is watched. Events bear absolute paths.
        let files: Vec<PathBuf> = files.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
        let within = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let (wanted, inside) = (files.clone(), within.clone());
        let concerns = move |event: &Event| {
            let mut paths = event.paths.iter().filter_map(|path| std::path::absolute(path).ok());
            event.paths.is_empty() || paths.any(|path| path.starts_with(&inside) || wanted.contains(&path))
        };
        let heard = move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, |event| changes_files(event) && concerns(event)) {
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::Recursive)?;
            for parent in files.iter().filter_map(|file| file.parent()).filter(|parent| !parent.starts_with(&within)) {
                watcher.watch(parent, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(%error, folder = %folder.display(), "cannot watch the zones folder: only SIGHUP reloads it");
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
        Self { _watcher: watcher.ok(), saved }
    }

    /// Waits until something was saved and the folder is quiet again. May be dropped while it waits.
    pub(super) async fn next(&mut self) {
        if self.saved.recv().await.is_none() {
            // There is no watch, and never will be.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether an event can have changed what the files say. Opening and reading do not; we do so ourselves.
fn changes_files(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
