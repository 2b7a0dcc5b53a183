//! The metrics, as OpenMetrics text: from what the workers count and from what the keeper holds at one moment.
//!
//! Put together beside the keeper, on a thread of its own, which reads what the workers write and never makes them wait.
//! Names follow the conventions of Prometheus: base units, `_total` on what only grows, one meaning a family. Every label
//! comes from the files or from a list in the code, and rows are limited, so that no client makes a new series.

mod book;
mod control;
mod endpoints;
mod page;
mod probing;
mod process;
mod queries;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::overrides::Overrides;
use crate::answer::Counters;
use crate::health::{Board, Wave};
use crate::observe::dnstap::Stats;
use crate::probe::{Lag, Report};
use crate::snapshot::{Layout, RowLimits, Snapshot};
use crate::transport::tally::Tally;
use book::{Book, Sums};
use page::Page;
use probing::{Added, Probing};

/// What is counted beside the snapshot, and what is remembered from one look to the next.
#[derive(Debug)]
pub(super) struct Meters {
    /// Of every worker.
    counters: Vec<Arc<Counters>>,
    tally: Arc<Tally>,
    limits: RowLimits,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    answers: Book,
    probes: Probing,
}

impl Meters {
    pub(super) fn new(counters: &[Arc<Counters>], tally: &Arc<Tally>, limits: RowLimits) -> Self {
        Self { counters: counters.to_vec(), tally: Arc::clone(tally), limits, books: Mutex::default() }
    }

    /// `snapshot`, counted, the rows as they were `before` as far as can be.
    pub(super) fn counted(&self, snapshot: Snapshot, before: &Snapshot) -> Snapshot {
        snapshot.counted(before.rows(), self.limits)
    }

    /// Sums up what workers counted by other layouts than `layout`.
    pub(super) fn fold(&self, layout: &Arc<Layout>) {
        self.books().answers.fold(layout, &self.counters);
    }

    /// Sums only ever grow, so a half-made look leaves nothing that the next would trip over.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of reloads and waves, as the keeper remembers it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct History {
    /// Reloads that were published; the first load is none.
    pub(super) reloads_done: u64,
    /// Reloads that left what was served before in place.
    pub(super) reloads_refused: u64,
    /// Whether the last one did.
    pub(super) last_refused: bool,
    /// When what is served was published, in milliseconds since 1970.
    pub(super) published_ms: u64,
    /// Waves of failures that began.
    pub(super) waves: u64,
}

impl History {
    pub(super) fn refused(&mut self) {
        (self.reloads_refused, self.last_refused) = (self.reloads_refused + 1, true);
    }

    /// What is served was published then, `first` of all or by a reload.
    pub(super) fn published(&mut self, first: bool, unix_ms: u64) {
        self.reloads_done += u64::from(!first);
        (self.last_refused, self.published_ms) = (false, unix_ms);
    }
}

/// Everything that the metrics are made of.
pub(super) struct Scene {
    pub(super) meters: Arc<Meters>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) board: Board,
    pub(super) reports: Vec<Report>,
    pub(super) lag: Lag,
    pub(super) waves: Vec<Wave>,
    pub(super) overrides: Overrides,
    pub(super) history: History,
    /// What became of the query log, if there is one.
    pub(super) log: Option<Arc<Stats>>,
}

/// The metrics of `scene` in OpenMetrics text.
pub(super) fn text(scene: Scene) -> String {
    let mut text = String::new();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Look::at(scene)));
    // Writing to a string does not fail.
    let _ = text::encode(&mut text, &registry);
    text
}

/// A scene, with everything summed up.
struct Look {
    scene: Scene,
    layout: Arc<Layout>,
    sums: Sums,
    probes: Arc<Added>,
}

impl Look {
    fn at(scene: Scene) -> Self {
        let layout = scene.snapshot.rows().map(Arc::clone).unwrap_or_default();
        let mut books = scene.meters.books();
        let probes = books.probes.look(&scene.snapshot, &scene.reports);
        let sums = books.answers.sum(&layout, &scene.meters.counters);
        drop(books);
        Self { scene, layout, sums, probes }
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look")
    }
}

impl Collector for Look {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        queries::write(self, &mut page)?;
        endpoints::write(self, &mut page)?;
        control::write(self, &mut page)
    }
}
