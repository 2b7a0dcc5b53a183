//! The requests of one QUIC connection, each on a stream and in a task of its own, for as long as both sides want.

use tokio::task::JoinSet;

use super::hall::Hall;
use super::tally::Event;

/// Where requests come from.
pub(super) trait Source {
    /// A request, before its first octet was read.
    type Request;

    /// The next one; `None` when the client has closed, or broke a rule of its protocol. May be dropped while it waits.
    fn next(&mut self) -> impl Future<Output = Option<Self::Request>> + Send;
}

/// What one connection has under way.
pub(super) struct Requests<'h> {
    hall: &'h Hall,
    under_way: JoinSet<()>,
}

/// Why no more requests are taken from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The source is at an end.
    Gone,
    /// The server is closing.
    Closing,
    /// One of our limits, which was counted.
    Limit(Event),
}

impl<'h> Requests<'h> {
    pub(super) fn new(hall: &'h Hall) -> Self {
        Self { hall, under_way: JoinSet::new() }
    }

    /// Takes requests in from `source` until there is an end; `exchange` sees to each of them.
    pub(super) async fn attend<S: Source, E>(&mut self, source: &mut S, exchange: impl Fn(S::Request) -> E) -> Stopped
    where
        E: Future<Output = ()> + Send + 'static,
    {
        let Self { hall, under_way } = self;
        let limits = &hall.limits;
        let mut left = limits.queries_per_connection;
        let mut idle = hall.within(limits.idle);
        let limit = loop {
            tokio::select! {
                request = source.next() => {
                    let Some(request) = request else { return Stopped::Gone };
                    under_way.spawn(exchange(request));
                    left -= 1;
                    if left == 0 {
                        break Event::QueriesSpent;
                    }
                    idle = hall.within(limits.idle);
                }
                _ = under_way.join_next(), if !under_way.is_empty() => idle = hall.within(limits.idle),
                () = &mut idle, if under_way.is_empty() => break Event::Idle,
                () = hall.gate.pressed() => break Event::MadeRoom,
                () = hall.closing() => return Stopped::Closing,
            }
        };
        hall.count(limit);
        Stopped::Limit(limit)
    }

    /// Waits for what is under way, each of which ends by a limit of its own.
    pub(super) async fn finish(mut self) {
        while self.under_way.join_next().await.is_some() {}
    }
}
