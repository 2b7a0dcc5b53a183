//! Where requests are handed to the one that keeps the server's state, and where its answers come back.
//!
//! One writer, one queue: requests take their turn among verdicts and reloads, and what they change is in the answers
//! before they are told so. What is costly to put together is not put together there: the keeper hands out a picture
//! of what it holds, and whoever asked develops it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::{Mutex, mpsc, oneshot};

use super::api::{
    ExplainQuery, Explanation, ReloadReport, ReloadRequest, Report, ReportReply, Status, SteerReply, SteerRequest,
    Target, Top,
};

/// Requests that may wait for the keeper. As many as there may be connections: none is turned away for that.
const WAITING_MAX: usize = super::places::CONNECTIONS_MAX;

/// What is asked of the keeper.
#[derive(Debug)]
pub enum Command {
    /// How does everything stand?
    Look(oneshot::Sender<Picture<Status>>),
    /// What is counted?
    Measure(oneshot::Sender<Option<Picture<String>>>),
    /// Which answer does a client get, and why?
    Explain(ExplainQuery, oneshot::Sender<Picture<Result<Explanation, Refusal>>>),
    /// Force this, or force it no more.
    Steer {
        /// What is meant.
        select: Selection,
        /// What is to become of it; what it selects is in `select`.
        request: SteerRequest,
        /// What became of it.
        reply: oneshot::Sender<Result<SteerReply, Refusal>>,
    },
    /// An endpoint reports how it stands.
    Report {
        /// Which.
        target: Target,
        /// How.
        report: Report,
        /// What became of it.
        reply: oneshot::Sender<Result<ReportReply, Refusal>>,
    },
    /// Read what changed.
    Reload {
        /// How.
        request: ReloadRequest,
        /// What became of it, once it has.
        reply: oneshot::Sender<ReloadReport>,
    },
    /// What is asked most?
    Top(oneshot::Sender<Result<Top, Refusal>>),
}

/// What a [`Command::Steer`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All that the patterns of the request match.
    Patterns,
    /// This, and no pattern.
    Only(Target),
}

/// What the keeper held at one moment, to be put into words, a `T`, by whoever asked.
pub struct Picture<T>(Box<dyn FnOnce() -> T + Send>);

impl<T> Picture<T> {
    /// A picture that `develop` puts into words.
    pub fn new(develop: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(Box::new(develop))
    }

    /// In words. Takes time in proportion to everything that is served.
    pub fn develop(self) -> T {
        (self.0)()
    }
}

impl<T> fmt::Debug for Picture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Picture")
    }
}

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such pool or endpoint; with near names.
    Unknown(String),
    /// It is not put as it should be.
    Malformed(String),
    /// It asks for what cannot be.
    Invalid(String),
    /// There is no room for more.
    Full(String),
    /// The server is stopping.
    Stopping,
}

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is answered yet.
    Starting,
    /// Every socket is bound and the first round is in.
    Ready,
    /// It answers what is under way, and should get nothing new.
    Stopping,
}

/// Tells everybody in which phase the server is.
#[derive(Clone, Debug, Default)]
pub struct Life(Arc<AtomicU8>);

impl Life {
    /// The server is in `phase` now.
    pub fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    /// In which phase it is.
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Stopping,
        }
    }
}

/// The side of the queue that requests come from.
#[derive(Clone, Debug)]
pub struct Desk {
    commands: mpsc::Sender<Command>,
    pub(super) life: Life,
    /// Whoever has it may have a page of metrics made.
    page: Arc<Mutex<()>>,
}

impl Desk {
    /// A desk, and what is laid on it.
    pub fn new(life: Life) -> (Self, mpsc::Receiver<Command>) {
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        (Self { commands, life, page: Arc::default() }, waiting)
    }

    pub(super) async fn look(&self) -> Result<Status, Refusal> {
        develop(self.ask(Command::Look).await?).await
    }

    /// The metrics in OpenMetrics text; `None` where there are none. One page is made at a time: many of 10,000 zones would
    /// take the memory of many, and each waits for what the others count anyway.
    pub(super) async fn measure(&self) -> Result<Option<String>, Refusal> {
        let only = Arc::clone(&self.page).lock_owned().await;
        let Some(picture) = self.ask(Command::Measure).await? else { return Ok(None) };
        // The page is made to its end, and is the only one until then, even where whoever asked for it has gone.
        let alone = Picture::new(move || {
            let page = picture.develop();
            drop(only);
            page
        });
        develop(alone).await.map(Some)
    }

    pub(super) async fn explain(&self, query: ExplainQuery) -> Result<Explanation, Refusal> {
        develop(self.ask(|reply| Command::Explain(query, reply)).await?).await?
    }

    pub(super) async fn steer(&self, select: Selection, request: SteerRequest) -> Result<SteerReply, Refusal> {
        self.ask(|reply| Command::Steer { select, request, reply }).await?
    }

    pub(super) async fn report(&self, target: Target, report: Report) -> Result<ReportReply, Refusal> {
        self.ask(|reply| Command::Report { target, report, reply }).await?
    }

    pub(super) async fn reload(&self, request: ReloadRequest) -> Result<ReloadReport, Refusal> {
        self.ask(|reply| Command::Reload { request, reply }).await
    }

    /// Takes a second when nobody has asked lately: so long is listened first.
    pub(super) async fn top(&self) -> Result<Top, Refusal> {
        self.ask(Command::Top).await?
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Refusal::Stopping)?;
        answer.await.map_err(|_| Refusal::Stopping)
    }
}

/// Puts a picture into words on a thread that may take its time.
async fn develop<T: Send + 'static>(picture: Picture<T>) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(|| picture.develop()).await.map_err(|_| Refusal::Stopping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_whose_asker_has_gone_is_the_only_one_until_it_is_made() {
        let (desk, mut commands) = Desk::new(Life::default());
        let ask = || {
            let desk = desk.clone();
            tokio::spawn(async move { desk.measure().await })
        };
        let asked = async |commands: &mut mpsc::Receiver<Command>| match commands.recv().await {
            Some(Command::Measure(reply)) => reply,
            other => panic!("{other:?}"),
        };
        let first = ask();
        let reply = asked(&mut commands).await;
        let (begin, begun) = oneshot::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let slow = Picture::new(move || {
            let _ = begin.send(());
            let _ = finished.recv();
            String::new()
        });
        assert!(reply.send(Some(slow)).is_ok());
        begun.await.expect("the page is begun");
        first.abort();
        assert!(first.await.expect_err("it is gone").is_cancelled());
        let second = ask();
        // Whatever the second can do at once, it has done after some of its turns.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        assert!(commands.try_recv().is_err(), "a second page while the first is made");
        finish.send(()).expect("the first is still being made");
        let page = Some(Picture::new(|| "counted".to_owned()));
        assert!(asked(&mut commands).await.send(page).is_ok());
        assert_eq!(second.await.expect("it ends"), Ok(Some("counted".to_owned())));
    }
}
