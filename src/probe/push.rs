//! Endpoints that speak for themselves: a probe that asks nothing and waits to be told.
//!
//! To the state machine it is a probe like any other: it begins when the report before it has been taken, it
//! succeeds or fails with the next report, and it fails for want of one when the lease ends. So the lease is the
//! probe's timeout, and what the budgets reckon holds: an endpoint that dies just after a report is found out when
//! the lease ends.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Answered, Failure};
use crate::health::PerMille;

/// What an endpoint, or a tool on its behalf, reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Whether it serves.
    pub alive: bool,
    /// How loaded it is, if it says.
    pub load: Option<PerMille>,
    /// Why, if it says: up to [`super::SHOWN_MAX`] octets of it are kept.
    pub reason: Option<String>,
}

/// Where reports for one target are laid down. One waits at the most: a newer one takes its place.
#[derive(Debug, Default)]
pub(super) struct Letterbox {
    unread: Mutex<Option<Pushed>>,
    arrived: Notify,
}

impl Letterbox {
    pub(super) fn put(&self, pushed: Pushed) {
        *self.unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(pushed);
        self.arrived.notify_one();
    }

    /// Waits for the next report. May be dropped while it waits without losing one.
    pub(super) async fn take(&self) -> Result<Answered, Failure> {
        loop {
            let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
            match unread {
                Some(Pushed { alive: true, load, .. }) => return Ok(Answered { load, ..Answered::default() }),
                Some(Pushed { reason, .. }) => return Err(Failure::reported(reason.as_deref())),
                None => self.arrived.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pushed(alive: bool, reason: Option<&str>) -> Pushed {
        Pushed { alive, load: None, reason: reason.map(str::to_owned) }
    }

    #[tokio::test]
    async fn the_newest_report_is_taken_once() {
        let letterbox = Letterbox::default();
        letterbox.put(pushed(true, None));
        letterbox.put(pushed(false, Some("deploying")));
        let failure = letterbox.take().await.expect_err("reported down");
        assert_eq!(failure.to_string(), "it reports that it is down: deploying");
        letterbox.put(Pushed { load: PerMille::of(0.25), ..pushed(true, None) });
        let answered = letterbox.take().await.expect("reported up");
        assert_eq!(answered.load, PerMille::of(0.25));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let letterbox = Arc::new(Letterbox::default());
        let waiting = tokio::spawn({
            let letterbox = Arc::clone(&letterbox);
            async move { letterbox.take().await }
        });
        tokio::task::yield_now().await;
        letterbox.put(pushed(false, None));
        let failure = waiting.await.expect("it ends").expect_err("reported down");
        assert_eq!(failure.to_string(), "it reports that it is down");
    }
}
