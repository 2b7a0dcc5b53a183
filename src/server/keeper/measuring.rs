//! What the keeper hands out for the metrics.

use std::sync::Arc;

use super::super::metrics::{self, Scene};
use super::super::observer::Handle;
use super::Keeper;
use crate::admin::Picture;

impl Keeper {
    /// What is held and counted, for a thread of its own to put into words; nothing where nothing is counted.
    pub(super) fn measured(&self) -> Option<Picture<String>> {
        let meters = Arc::clone(self.meters.as_ref()?);
        let (snapshot, board, ledger) = (self.snapshots.load_full(), self.board.clone(), self.prober.ledger());
        let (waves, overrides) = (self.register.waves().collect(), self.overrides.clone());
        let (history, log) = (self.history, self.observer.as_ref().and_then(Handle::log));
        Some(Picture::new(move || {
            let (reports, lag) = (ledger.reports(), ledger.lag());
            metrics::text(Scene { meters, snapshot, board, reports, lag, waves, overrides, history, log })
        }))
    }
}
