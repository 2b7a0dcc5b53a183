//! What is kept over a restart: verdicts with their counts, what dead pools last answered, what operators forced.
//!
//! A small file, written whole beside itself and renamed, so that there is always one that can be read. It is
//! written at once when a verdict turns (at most once in [`TURN_GAP`]), else every [`PERIOD`] for the counts, and at
//! the end; by one task at a time, off the runtime's own threads.
//!
//! A probe is known again by its address and everything that its monitor says: another path, another port, another
//! `fall`, and it is another probe, which is probed afresh. What is forming is not kept: restored, a suspect is up,
//! with its failures yet to come. Deaths are kept, and since when, so that a hold-down and a slow start go on where they
//! were.

mod file;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::overrides::Kept as Forced;
use crate::config::StateFile;
use crate::health::{ProbeId, Record};
use crate::moment::Moment;
use crate::policy::{LastGood, Pools};
use crate::probe::{Ledger, Restored, Target};
use crate::snapshot::Snapshot;
use crate::system::unix_ms_now;
use crate::wire::name::Name;
use file::{Kept, Key};

/// Between two writings when verdicts turn: an outage that turns thousands costs a few, not thousands.
const TURN_GAP: Duration = Duration::from_secs(1);

/// Between two writings while nothing turns, at most; half of `max-age` where that is shorter.
const PERIOD: Duration = Duration::from_secs(30);

/// The state of one server, on its way to the file and back.
#[derive(Debug)]
pub(super) struct State {
    settings: StateFile,
    /// From before the start; taken up by the first zones that are served.
    restored: Option<Kept>,
    /// What operators had forced, as it was read.
    overrides: Vec<Forced>,
    writer: Option<Writer>,
    writing: Option<JoinHandle<Writer>>,
    written: Moment,
    turned: bool,
}

impl State {
    /// Reads the file. One that is damaged, too old or not there is as none: the first two are logged.
    pub(super) fn open(settings: StateFile, now: Moment) -> Self {
        let path = &settings.file;
        let shown = path.display();
        let restored = match file::read(path) {
            Ok(Some(kept)) => {
                let age = Duration::from_millis(unix_ms_now().abs_diff(kept.written));
                if age <= settings.max_age {
                    tracing::info!("{shown}: {} verdicts of {age:?} ago are taken up", kept.probes.len());
                    Some(kept)
                } else {
                    tracing::info!("{shown} was written {age:?} ago: everything is probed afresh");
                    // What was forced stays forced, however long ago.
                    Some(Kept { probes: HashMap::new(), last_good: Vec::new(), ..kept })
                }
            }
            Ok(None) => None,
            Err(fault) => {
                tracing::error!("{shown} is of no use: {fault}; everything is probed afresh");
                None
            }
        };
        let overrides = restored.as_ref().map(|kept| kept.overrides.clone()).unwrap_or_default();
        let writer = Some(Writer { path: path.clone(), keys: HashMap::new(), failing: false });
        Self { settings, restored, overrides, writer, writing: None, written: now, turned: false }
    }

    /// What operators had forced before the start.
    pub(super) fn take_overrides(&mut self) -> Vec<Forced> {
        std::mem::take(&mut self.overrides)
    }

    /// What was thought of `target` before the start.
    pub(super) fn verdict(&self, target: &Target) -> Option<Restored> {
        self.restored.as_ref()?.probes.get(&Key::of(target)).copied()
    }

    /// What pools of a zone were when they last lived, if they were dead before the start.
    pub(super) fn last_good(&self, zone: &Name, pools: &Pools) -> Vec<LastGood> {
        let kept = self.restored.as_ref().map(|kept| &*kept.last_good).unwrap_or_default();
        let zone = zone.to_string();
        let known = |last: &LastGood| pools.pools.iter().any(|pool| pool.name == last.pool);
        kept.iter().filter(|(of, last)| *of == zone && known(last)).map(|(_, last)| last.clone()).collect()
    }

    /// What was read is in use, or is not wanted.
    pub(super) fn taken_up(&mut self) {
        self.restored = None;
    }

    /// A verdict turned, or an operator forced something: worth writing soon.
    pub(super) fn has_turned(&mut self) {
        self.turned = true;
    }

    /// When it is to be written next.
    pub(super) fn due(&self) -> Moment {
        if self.writing.is_some() {
            return Moment::NEVER;
        }
        self.written + if self.turned { TURN_GAP } else { PERIOD.min(self.settings.max_age / 2) }
    }

    /// Waits until a writing that is under way has ended; for ever while none is. May be dropped while it waits.
    pub(super) async fn wrote(&mut self) {
        match &mut self.writing {
            Some(writing) => {
                let fresh = || Writer { path: self.settings.file.clone(), keys: HashMap::new(), failing: false };
                self.writer = Some(writing.await.unwrap_or_else(|_| fresh()));
                self.writing = None;
            }
            None => std::future::pending().await,
        }
    }

    /// Begins to write what is known now, unless a writing is under way.
    pub(super) fn write(&mut self, ledger: Arc<Ledger>, snapshot: Arc<Snapshot>, overrides: Vec<Forced>, now: Moment) {
        let Some(mut writer) = self.writer.take() else { return };
        (self.written, self.turned) = (now, false);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            writer.write(&ledger, &snapshot, overrides);
            writer
        }));
    }

    /// Writes a last time.
    pub(super) async fn finish(
        mut self,
        ledger: Arc<Ledger>,
        snapshot: Arc<Snapshot>,
        overrides: Vec<Forced>,
        now: Moment,
    ) {
        if self.writing.is_some() {
            self.wrote().await;
        }
        self.write(ledger, snapshot, overrides, now);
        self.wrote().await;
    }
}

/// The one who writes.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    /// The keys of targets that were written before, lest each be made anew every time.
    keys: HashMap<ProbeId, (Arc<Target>, Key)>,
    failing: bool,
}

impl Writer {
    fn write(&mut self, ledger: &Ledger, snapshot: &Snapshot, overrides: Vec<Forced>) {
        let mut probes = HashMap::new();
        let before = std::mem::take(&mut self.keys);
        for report in ledger.reports() {
            let known = before.get(&report.probe).filter(|(target, _)| Arc::ptr_eq(target, &report.target));
            let key = known.map_or_else(|| Key::of(&report.target), |(_, key)| key.clone());
            self.keys.insert(report.probe, (Arc::clone(&report.target), key.clone()));
            let Record { state, deaths, .. } = report.condition.record();
            probes.insert(key, Restored { state, since: report.since, deaths, tally: report.tally });
        }
        let last_good = snapshot.served().iter().flat_map(|served| {
            let zone = served.zone.apex().to_string();
            served.live.last_good(&served.steering.pools).into_iter().map(move |last| (zone.clone(), last))
        });
        let kept = Kept { written: unix_ms_now(), probes, last_good: last_good.collect(), overrides };
        let outcome = file::write(&self.path, &kept);
        let shown = self.path.display();
        match (&outcome, self.failing) {
            (Err(error), false) => {
                tracing::error!(%error, "{shown} cannot be written: a restart would forget verdicts")
            }
            (Ok(()), true) => tracing::info!("{shown} is written again"),
            _ => {}
        }
        self.failing = outcome.is_err();
    }
}
