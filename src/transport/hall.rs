//! What all connected doors share: the desk, the gate, the limits and the end.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Sleep, sleep, sleep_until};

use super::desk::{Asking, Desk};
use super::gate::{Gate, Place};
use super::limits::Limits;
use super::proxy::FrontEnds;
use super::tally::{Event, Tally};
use crate::answer::{Peer, Transport};
use crate::observe::Ends;
use crate::system::Clock;

/// How long a stream must have been quiet when the doors close: a round trip within a continent, so that hardly a query
/// crosses the end on its way.
const QUIET: Duration = Duration::from_millis(100);

/// One for all doors, shared by every connection.
#[derive(Clone)]
pub(super) struct Hall {
    pub(super) desk: Arc<Desk>,
    pub(super) gate: Arc<Gate>,
    pub(super) limits: Arc<Limits>,
    pub(super) fronts: Arc<FrontEnds>,
    pub(super) tally: Arc<Tally>,
    pub(super) clock: Clock,
    /// Closed when the doors are.
    pub(super) end: watch::Receiver<()>,
}

impl Hall {
    /// Waits until the doors close.
    pub(super) async fn closing(&self) {
        let mut end = self.end.clone();
        while end.changed().await.is_ok() {}
    }

    /// Waits until the doors close, and then for [`QUIET`]: what a client sent before it could know is still answered.
    pub(super) async fn closing_quietly(&self) {
        self.closing().await;
        sleep(QUIET).await;
    }

    /// A sleep that ends `span` from now. May be waited for again and again.
    pub(super) fn within(&self, span: Duration) -> Pin<Box<Sleep>> {
        Box::pin(sleep_until(self.clock.instant(self.clock.now() + span).into()))
    }

    /// Places a connection of `address`, and gives its way to a worker; `None` when it may have no more.
    pub(super) fn seat(&self, place: &mut Place, address: IpAddr, transport: Transport, ends: Ends) -> Option<Asking> {
        place.take_for(address).then(|| self.desk.asking(Peer { address, transport }, ends))
    }

    pub(super) fn count(&self, event: Event) {
        self.tally.count(event);
    }
}
