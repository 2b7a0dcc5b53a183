//! Reads the files, on a thread that gets out of the way of those that answer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustix::process::setpriority_process;
use tokio::sync::oneshot;

use super::super::credentials::Credentials;
use super::super::{Audience, Settings};
use super::guard;
use super::holdings::Holdings;
use crate::admin::api::ReloadReport;
use crate::config::{self, Atlas, Dns, Reading};
use crate::diagnostic::{Diagnostic, Severity};
use crate::moment::Moment;
use crate::preview::Guard;
use crate::snapshot::Identity;
use crate::wire::cookie::Secret;

/// How nice a thread is that reads or frees: at 5 it weighs a third of a thread that answers, where both want one core.
/// At 10, a ninth, it hardly came to its turn on a machine that was busy with other things.
const NICE: i32 = 5;

/// What is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Scope {
    /// The zones folder, and what the settings name.
    Zones,
    /// The settings as well: the server file.
    Everything,
}

/// What a reload is for, and who waits for it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) cause: &'static str,
    pub(super) scope: Scope,
    /// The guard is not asked.
    pub(super) forced: bool,
    /// A reading for it was passed over, since something was saved meanwhile.
    pub(super) passed_over: bool,
    pub(super) waiting: Vec<oneshot::Sender<ReloadReport>>,
}

impl Asked {
    /// By nobody who waits.
    pub(super) fn new(cause: &'static str, scope: Scope) -> Self {
        Self { cause, scope, forced: false, passed_over: false, waiting: Vec::new() }
    }

    /// Both: what was asked later says what it is for.
    pub(super) fn and(mut self, earlier: Self) -> Self {
        self.waiting.extend(earlier.waiting);
        Self { forced: self.forced || earlier.forced, scope: self.scope.max(earlier.scope), ..self }
    }
}

/// What is read, and what it is compared with.
pub(super) struct Task {
    pub(super) folder: PathBuf,
    pub(super) atlas: Atlas,
    pub(super) identity: Identity,
    pub(super) dns: (Dns, Secret),
    pub(super) credentials: Arc<Credentials>,
    /// Who is asked for the settings.
    pub(super) audience: Arc<dyn Audience>,
    /// What of a reload is refused; `None` where nothing is.
    pub(super) guard: Option<Guard>,
    /// What is served.
    pub(super) served: Arc<Holdings>,
    /// The same, or what is about to be.
    pub(super) base: Arc<Holdings>,
}

/// What reading the files came to.
pub(super) struct Read {
    pub(super) atlas: Atlas,
    pub(super) identity: Identity,
    /// What it was compared with.
    pub(super) base: Arc<Holdings>,
    /// What the settings are now; nothing where nobody looked.
    pub(super) settings: Option<Settings>,
    /// The zones, unless any of it is at fault.
    pub(super) found: Option<Reading>,
    /// Why too much would move, in words; empty where it does not.
    pub(super) moving: Vec<String>,
    pub(super) faults: Vec<Diagnostic>,
    /// Those of them that leave what a file said before in use, in words.
    pub(super) stale: Vec<String>,
}

/// What a reading was for, and what came of it; nothing where it was broken off.
pub(super) struct HasRead {
    pub(super) asked: Asked,
    pub(super) begun: Moment,
    pub(super) read: Option<Read>,
}

/// One reading at a time.
#[derive(Default)]
pub(super) struct Reader {
    under_way: Option<(Asked, Moment, oneshot::Receiver<Read>)>,
}

impl Reader {
    /// Whether a reading is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Begins to read at `now`, for what was asked. There must be no reading under way.
    ///
    /// # Errors
    /// When the system has no thread for it; what was asked comes back.
    pub(super) fn begin(&mut self, task: Task, asked: Asked, now: Moment) -> Result<(), (Asked, io::Error)> {
        let (sender, read) = oneshot::channel();
        let scope = asked.scope;
        let thread = thread::Builder::new().name("reader".to_owned()).spawn(move || {
            get_out_of_the_way();
            // Nobody waits for it any more once the server stops.
            let _ = sender.send(task.read(scope));
        });
        match thread {
            Ok(_) => {
                self.under_way = Some((asked, now, read));
                Ok(())
            }
            Err(error) => Err((asked, error)),
        }
    }

    /// Waits for the end of a reading; for ever while there is none. May be dropped while it waits.
    pub(super) async fn read(&mut self) -> HasRead {
        let read = match &mut self.under_way {
            Some((_, _, reading)) => reading.await.ok(),
            None => std::future::pending().await,
        };
        match self.under_way.take() {
            Some((asked, begun, _)) => HasRead { asked, begun, read },
            None => std::future::pending().await,
        }
    }
}

/// Makes the calling thread nicer than those that answer; so are the threads that it starts, and no others.
pub(super) fn get_out_of_the_way() {
    // Of a process, says POSIX; on Linux it is of the thread that calls.
    if let Err(error) = setpriority_process(None, NICE) {
        tracing::debug!(%error, "no lower priority");
    }
}

impl Task {
    /// Reads what changed: a database or the latency table only if it was replaced, and one that is faulty then leaves
    /// what it was before in place, as a faulty file of cookie secrets does. A faulty server file is as a faulty zone.
    pub(super) fn read(self, scope: Scope) -> Read {
        let Self { folder, atlas, identity, dns: (mut dns, own), credentials, audience, guard, served, base } = self;
        let (settings, settings_faults) = match scope {
            Scope::Zones => (None, Vec::new()),
            Scope::Everything => audience.settings().unwrap_or_default(),
        };
        if let Some(settings) = &settings {
            dns.clone_from(&settings.dns);
        }
        let (atlas, mut faults) = atlas.refreshed();
        let identity = dns.identity(own).unwrap_or_else(|found| {
            faults.extend(found);
            identity
        });
        for fault in &mut faults {
            fault.severity = Severity::Warning;
            fault.message.push_str("; what it said before stays in use");
        }
        faults.extend(credentials.refresh());
        let valid = settings_faults.iter().all(|fault| fault.severity != Severity::Error);
        let stale = faults.iter().map(|fault| format!("{}: {}", fault.place.file.display(), fault.message)).collect();
        faults.splice(..0, settings_faults);
        let (found, more) = config::read_after(&folder, &atlas, &base.shelf);
        faults.extend(more);
        let found = found.filter(|_| valid);
        // What the server file says of it counts at once.
        let guard = guard.map(|guard| settings.as_ref().map_or(guard, |settings| settings.guard));
        let moving = guard.zip(found.as_ref());
        let moving = moving
            .map(|(guard, found)| guard::moving(&guard, (&served, &base), found, atlas.places()))
            .unwrap_or_default();
        Read { atlas, identity, base, settings, found, moving, faults, stale }
    }
}
