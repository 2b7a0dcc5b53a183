//! What is kept over a restart: verdicts with their counts, what dead pools last answered, what operators forced, how long
//! caches hold what had longer TTLs, what TTLs are given now, and the serials of zones that move by themselves. A process
//! that takes over is told the same. What is not kept: counts of answers, and the buckets of rate limits, which begin
//! full. Who is limited then gets one second's worth of answers more, once; and to hand over as many buckets as there are
//! networks would cost a flooded server its time when it has least of it.
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
mod lock;
mod recalled;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::earlier::Earlier;
use super::overrides::{Kept as Forced, zone_text};
use super::{drain, status};
use crate::config::{Serials, StateFile};
use crate::health::{ProbeId, Record};
use crate::moment::Moment;
use crate::probe::{Ledger, Restored, Target};
use crate::snapshot::Snapshot;
use crate::system::{Clock, unix_ms_now};
use file::{Detail, Kept, Key};
pub(super) use lock::{Kept as KeptBy, Lock};
pub(super) use recalled::Recalled;

/// Between two writings when verdicts turn: an outage that turns thousands costs a few, not thousands.
const TURN_GAP: Duration = Duration::from_secs(1);

/// Between two writings while nothing turns, at most; half of `max-age` where that is shorter.
const PERIOD: Duration = Duration::from_secs(30);

/// What is kept beside verdicts, as the keeper has it.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) overrides: Vec<Forced>,
    pub(super) earlier: Earlier,
    pub(super) serials: Arc<Serials>,
    /// Tells times of day.
    pub(super) clock: Clock,
}

/// The state of one server, on its way to the file and back.
#[derive(Debug)]
pub(super) struct State {
    settings: StateFile,
    writer: Option<Writer>,
    writing: Option<JoinHandle<Writer>>,
    written: Moment,
    turned: bool,
}

impl State {
    /// What is kept from now on, in the file that `settings` name.
    ///
    /// With the `lock` on it; without one, what has it now is about to let it go.
    pub(super) fn new(settings: StateFile, lock: Option<Lock>, now: Moment) -> Self {
        let writer = Some(Writer { lock, ..Writer::new(&settings.file) });
        Self { settings, writer, writing: None, written: now, turned: false }
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
                self.writer = Some(writing.await.unwrap_or_else(|_| Writer::new(&self.settings.file)));
                self.writing = None;
            }
            None => std::future::pending().await,
        }
    }

    /// Begins to write what is known now, unless a writing is under way.
    pub(super) fn write(&mut self, ledger: Arc<Ledger>, snapshot: Arc<Snapshot>, beside: Beside, now: Moment) {
        let Some(mut writer) = self.writer.take() else { return };
        (self.written, self.turned) = (now, false);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            writer.write(&ledger, &snapshot, beside);
            writer
        }));
    }

    /// Lets a writing that is under way come to its end, and another process have the file. The next writing takes it
    /// back.
    pub(super) async fn let_go(&mut self) {
        self.rest().await;
        if let Some(writer) = &mut self.writer {
            writer.lock = None;
        }
    }

    async fn rest(&mut self) {
        if self.writing.is_some() {
            self.wrote().await;
        }
    }

    /// Writes a last time.
    pub(super) async fn finish(mut self, ledger: Arc<Ledger>, snapshot: Arc<Snapshot>, beside: Beside, now: Moment) {
        self.rest().await;
        self.write(ledger, snapshot, beside, now);
        self.wrote().await;
    }
}

/// Everything that is known, for a process that takes over; what is forming too.
///
/// # Errors
/// It cannot be put into words.
pub(super) fn tell(ledger: &Ledger, snapshot: &Snapshot, beside: Beside) -> io::Result<Vec<u8>> {
    file::render(&gather(&mut Keys::new(), ledger, snapshot, beside), Detail::Forming)
}

/// The keys of targets that were written before, lest each be made anew every time.
type Keys = HashMap<ProbeId, (Arc<Target>, Key)>;

/// The one who writes.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    keys: Keys,
    failing: bool,
    lock: Option<Lock>,
}

impl Writer {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), keys: Keys::new(), failing: false, lock: None }
    }

    /// Whether the file may be written. Where no lock can be had at all there is nobody to heed.
    fn is_ours(&mut self) -> bool {
        if self.lock.is_none() {
            match Lock::take(&self.path) {
                Ok(lock::Kept::Here(lock)) => self.lock = Some(lock),
                Ok(lock::Kept::Elsewhere) => return false,
                Err(error) => tracing::debug!(%error, "no lock on {}", self.path.display()),
            }
        }
        true
    }

    fn write(&mut self, ledger: &Ledger, snapshot: &Snapshot, beside: Beside) {
        let kept = gather(&mut self.keys, ledger, snapshot, beside);
        let outcome = if self.is_ours() {
            file::write(&self.path, &kept)
        } else {
            Err(io::Error::other("another server keeps its state there"))
        };
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

fn gather(keys: &mut Keys, ledger: &Ledger, snapshot: &Snapshot, beside: Beside) -> Kept {
    let mut probes = HashMap::new();
    let before = std::mem::take(keys);
    for report in ledger.reports() {
        let known = before.get(&report.probe).filter(|(target, _)| Arc::ptr_eq(target, &report.target));
        let key = known.map_or_else(|| Key::of(&report.target), |(_, key)| key.clone());
        keys.insert(report.probe, (Arc::clone(&report.target), key.clone()));
        let Record { state, deaths, .. } = report.condition.record();
        probes.insert(key, Restored { state, since: report.since, deaths, tally: report.tally });
    }
    let last_good = snapshot.served().iter().flat_map(|served| {
        let zone = served.zone.apex().to_string();
        served.live.last_good(&served.steering.pools).into_iter().map(move |last| (zone.clone(), last))
    });
    let Beside { overrides, earlier, serials, clock } = beside;
    let (earlier, serials) = (earlier.to_kept(|moment| status::time(clock, moment)), serials.to_kept());
    let ttls = snapshot.served().iter().map(|served| (zone_text(served.zone.apex()), drain::ttls(&served.steering)));
    let ttls = ttls.filter(|(_, ttls)| !ttls.is_empty()).collect();
    Kept { written: unix_ms_now(), probes, last_good: last_good.collect(), overrides, earlier, ttls, serials }
}
