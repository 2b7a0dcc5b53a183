//! DNS over TCP and over TLS: messages behind their length (RFC 1035 §4.2.2, RFC 7766, RFC 7858).
//!
//! Queries may be pipelined (RFC 7766 §6.2.1.1). An answer is made at once and never waits for another, so answers go
//! in the order of their queries, which is the soonest that they can; those to queries that came together leave
//! together. While answers wait for their client nothing more is read: what one connection holds is a message coming
//! in and [`OUT_OCTETS`] and a message going out, and an idle one holds next to nothing.
//!
//! A transfer is made message by message as its client takes them, and other connections have their turn in between. The
//! queries behind it wait, as they would for any answer.
//!
//! A client that closes its half still gets the answers to what it asked.

use std::future::pending;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::desk::{Asking, Reply};
use super::hall::Hall;
use super::secondaries::TRANSFER_SPAN;
use super::tally::Event;
use crate::system::unix_now;
use crate::transfer::Transfer;

/// Octets of answers that are gathered before they are sent. With one message of 65,535 on top, the most that one
/// connection holds for its client.
const OUT_OCTETS: usize = 16 << 10;

/// Octets that are read at once, at the least: several queries.
const READ_OCTETS: usize = 512;

/// Octets that are still taken from a client after the last answer, so that the system does not reset the connection
/// under what the client has yet to read (RFC 9293 §3.10.7.1).
const LINGER_OCTETS: usize = 256 << 10;

/// Why a conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client closed it, or its network did.
    Client,
    /// We stop.
    Closing,
    /// The zone that was asked for has a record that no message holds.
    Unsendable,
    /// For the reason that is counted.
    Counted(Event),
}

/// Talks until one side has had enough. Whether the stream may be closed in order, or else must be reset.
pub(super) async fn converse<S>(stream: &mut S, hall: &Hall, asking: &Asking) -> Parting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut conversation = Conversation {
        hall,
        asking,
        inbox: Inbox::default(),
        out: Vec::new(),
        queries_left: hall.limits.queries_per_connection,
    };
    let end = conversation.run(stream).await;
    if let End::Counted(event) = end {
        hall.count(event);
    }
    // Boxed, so that those who are still talking need no room for it.
    Box::pin(part(stream, hall, end)).await
}

/// How to let go of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// Everything that was to be sent is.
    InOrder,
    /// Answers wait for a client that does not take them: forget them.
    Reset,
}

async fn part<S>(stream: &mut S, hall: &Hall, end: End) -> Parting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if end == End::Counted(Event::SlowToRead) {
        return Parting::Reset;
    }
    let linger = matches!(end, End::Counted(Event::Garbage | Event::QueriesSpent));
    let leave = async {
        let _ = stream.shutdown().await;
        let (mut left, mut rest) = (LINGER_OCTETS, [0; READ_OCTETS]);
        while linger && left > 0 {
            match stream.read(&mut rest).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    };
    match timeout(hall.limits.receive, leave).await {
        Ok(()) => Parting::InOrder,
        Err(_) => Parting::Reset,
    }
}

/// Puts `message` behind its length; nothing when it is empty.
fn put(out: &mut Vec<u8>, message: &[u8]) {
    // A message is at most 65,535 octets, as every buffer of one is.
    if let Ok(length @ 1..) = u16::try_from(message.len()) {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(message);
    }
}

struct Conversation<'h> {
    hall: &'h Hall,
    asking: &'h Asking,
    inbox: Inbox,
    out: Vec<u8>,
    queries_left: u64,
}

impl Conversation<'_> {
    async fn run<S>(&mut self, stream: &mut S) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            if let Err(end) = self.read_message(stream).await {
                return end;
            }
            // All that came whole is answered; the answers leave together.
            while let Some(message) = self.inbox.message() {
                let out = &mut self.out;
                let reply = self.asking.reply(message, |response| put(out, response));
                self.inbox.pass();
                self.queries_left = self.queries_left.saturating_sub(1);
                let end = match reply {
                    // What is no query at all comes from somebody who does not speak this protocol, or means harm.
                    Reply::Silence => Some(End::Counted(Event::Garbage)),
                    Reply::Message => None,
                    // Boxed, so that those who only ask need no room for it.
                    Reply::Transfer(transfer) => match Box::pin(self.hand_over(stream, transfer)).await {
                        Ok(()) => None,
                        Err(end) => {
                            self.hall.count(Event::TransferBroken);
                            return end;
                        }
                    },
                };
                let spent = || (self.queries_left == 0).then_some(End::Counted(Event::QueriesSpent));
                if let Some(end) = end.or_else(spent) {
                    return self.flush(stream).await.err().unwrap_or(end);
                }
                if self.out.len() >= OUT_OCTETS
                    && let Err(end) = self.flush(stream).await
                {
                    return end;
                }
            }
            if let Err(end) = self.flush(stream).await {
                return end;
            }
        }
    }

    /// Sends a zone, a message at a time.
    async fn hand_over<S>(&mut self, stream: &mut S, mut transfer: Box<Transfer>) -> Result<(), End>
    where
        S: AsyncWrite + Unpin,
    {
        let hall = self.hall;
        self.flush(stream).await?;
        let Some(_place) = hall.desk.secondaries.place(hall.limits.send).await else {
            hall.count(Event::TransferPutOff);
            put(&mut self.out, &transfer.give_up(unix_now()));
            return Ok(());
        };
        let (mut deadline, mut messages) = (hall.within(TRANSFER_SPAN), 0_u64);
        while let Some(message) = transfer.message(unix_now()) {
            put(&mut self.out, &message);
            messages += 1;
            tokio::select! {
                biased;
                () = hall.closing() => return Err(End::Closing),
                () = &mut deadline => return Err(End::Counted(Event::SlowToRead)),
                sent = self.flush(stream) => sent?,
            }
            // A client that takes whatever comes would have the thread to itself.
            yield_now().await;
        }
        let (zone, client) = (transfer.zone(), self.asking.peer().address);
        if !transfer.is_complete() {
            tracing::error!("a record of {} fits into no message: {client} cannot have the zone", zone.apex());
            return Err(End::Unsendable);
        }
        hall.count(Event::Transferred);
        tracing::info!("{client} has serial {} of {} now, in {messages} messages", zone.serial(), zone.apex());
        Ok(())
    }

    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sending = async {
            stream.write_all(&self.out).await?;
            stream.flush().await
        };
        match timeout(self.hall.limits.send, sending).await {
            Ok(Ok(())) => {
                self.out.clear();
                Ok(())
            }
            Ok(Err(_)) => Err(End::Client),
            Err(_) => Err(End::Counted(Event::SlowToRead)),
        }
    }

    /// Reads until there is a whole message.
    async fn read_message<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Result<(), End> {
        self.inbox.tidy();
        let limits = &self.hall.limits;
        let mut begun = !self.inbox.is_empty();
        let mut deadline = self.hall.within(if begun { limits.receive } else { limits.idle });
        if !begun {
            // Between two bursts an idle connection keeps no buffer for answers.
            self.out = Vec::new();
        }
        while self.inbox.message().is_none() {
            let pressed = async { if begun { pending().await } else { self.hall.gate.pressed().await } };
            // What has begun is waited for, as long as whoever closes the doors waits.
            let closing = async { if begun { pending().await } else { self.hall.closing_quietly().await } };
            let read = tokio::select! {
                biased;
                read = stream.read_buf(self.inbox.room()) => read,
                () = &mut deadline => {
                    return Err(End::Counted(if begun { Event::SlowToSend } else { Event::Idle }));
                }
                () = pressed => return Err(End::Counted(Event::MadeRoom)),
                () = closing => return Err(End::Closing),
            };
            match read {
                // Half-closed; what came whole was answered.
                Ok(0) | Err(_) => return Err(End::Client),
                Ok(_) if !begun => {
                    begun = true;
                    deadline = self.hall.within(limits.receive);
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

/// What came in and is not yet answered.
#[derive(Debug, Default)]
struct Inbox {
    octets: Vec<u8>,
    /// Octets of messages that were answered.
    passed: usize,
}

impl Inbox {
    fn rest(&self) -> &[u8] {
        self.octets.get(self.passed..).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The first whole message.
    fn message(&self) -> Option<&[u8]> {
        let (length, rest) = self.rest().split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_be_bytes(*length)))
    }

    /// Passes over the first message, which is whole.
    fn pass(&mut self) {
        let length = self.message().map_or(0, |message| 2 + message.len());
        self.passed += length;
    }

    /// Lets go of what was answered.
    fn tidy(&mut self) {
        if self.is_empty() {
            // Not `clear`: an idle connection keeps nothing.
            *self = Self::default();
        } else {
            self.octets.drain(..self.passed);
            self.passed = 0;
        }
    }

    /// Where to read to. It grows as octets come, not as their length promises.
    fn room(&mut self) -> &mut Vec<u8> {
        if self.octets.capacity() - self.octets.len() < READ_OCTETS {
            self.octets.reserve(READ_OCTETS);
        }
        &mut self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_apart_wherever_they_are_cut() {
        let sent: [&[u8]; 4] = [b"one", b"", b"three", &[7; 700]];
        let stream: Vec<u8> =
            sent.iter().flat_map(|message| [&(message.len() as u16).to_be_bytes()[..], message].concat()).collect();
        for step in [1, 2, 3, 5, 100, stream.len()] {
            let (mut inbox, mut seen) = (Inbox::default(), Vec::new());
            for part in stream.chunks(step) {
                inbox.room().extend_from_slice(part);
                while let Some(message) = inbox.message() {
                    seen.push(message.to_vec());
                    inbox.pass();
                }
                inbox.tidy();
            }
            assert_eq!(seen, sent, "in parts of {step}");
            assert_eq!(inbox.octets.capacity(), 0, "what is empty holds nothing");
        }
    }
}
