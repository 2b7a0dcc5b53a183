//! The query log in the format that DNS software shares: dnstap, over a Unix socket or into a file.
//!
//! What is heard becomes frames here, on the thread that listens; a thread of its own writes them, since readers are
//! slow and disks full. Between the two is a queue that never makes the first wait: full → dropped, counted.

mod frames;
mod message;
mod writer;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use frames::{CONTENT_TYPE, Control, Frames, await_control};
pub use message::{AUTH_QUERY, AUTH_RESPONSE, Dnstap, Event, KIND_MESSAGE};
pub use writer::{Hold, Writer};

use super::heard::{Heard, Losses};
use super::reason::reason;
use super::share::Share;
use crate::answer::Transport;
use crate::moment::Moment;
use crate::system::Clock;

/// What is logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to.
    pub target: Target,
    /// How many queries.
    pub sample: Share,
    /// Whether queries are, each in a frame of its own.
    pub queries: bool,
    /// Whether responses are.
    pub responses: bool,
    /// Which server this is.
    pub identity: Option<String>,
    /// What it runs.
    pub version: Option<String>,
}

/// Where frames go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix socket that a reader listens on.
    Socket(PathBuf),
    /// A file.
    File(PathBuf),
}

/// What became of what was to be logged.
#[derive(Debug, Default)]
pub struct Stats {
    /// Of the rings, one a worker.
    losses: Box<[Arc<Losses>]>,
    written: AtomicU64,
    full: AtomicU64,
    absent: AtomicU64,
    connected: AtomicU64,
    is_open: AtomicBool,
}

impl Stats {
    /// With the queries that found no room in the rings.
    pub fn new(losses: impl IntoIterator<Item = Arc<Losses>>) -> Self {
        Self { losses: losses.into_iter().collect(), ..Self::default() }
    }

    /// Frames that were written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Queries and frames that were dropped because a ring or the queue was full: the reader is too slow, or this machine.
    pub fn dropped_full(&self) -> u64 {
        self.full.load(Ordering::Relaxed) + self.losses.iter().map(|losses| losses.get()).sum::<u64>()
    }

    /// Frames that were dropped because there is no reader, or the file cannot be written.
    pub fn dropped_absent(&self) -> u64 {
        self.absent.load(Ordering::Relaxed)
    }

    /// How often a reader was found, or a file was opened; after the first, each is another after one was lost.
    pub fn opened(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    /// Whether there is a reader now, or a file that can be written.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Each count with its name.
    pub fn read(&self) -> [(&'static str, u64); 4] {
        [
            ("written", self.written()),
            ("dropped-full", self.dropped_full()),
            ("dropped-reader-gone", self.dropped_absent()),
            ("opened", self.opened()),
        ]
    }

    fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    fn add(counter: &AtomicU64, frames: u64) {
        counter.fetch_add(frames, Ordering::Relaxed);
    }
}

/// Makes frames of what is heard.
#[derive(Debug)]
pub struct Encoder {
    identity: Option<Vec<u8>>,
    version: Option<Vec<u8>>,
    queries: bool,
    responses: bool,
    clock: Clock,
}

impl Encoder {
    /// One that tells as `settings` say.
    pub fn new(settings: &Settings, clock: Clock) -> Self {
        let octets = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        let Settings { queries, responses, .. } = *settings;
        Self { identity: octets(&settings.identity), version: octets(&settings.version), queries, responses, clock }
    }

    /// Puts the frames of one query behind `frames`: none, one or two.
    pub fn encode(&self, heard: &Heard<'_>, frames: &mut Frames) {
        if self.queries {
            let query_message = field(heard.request);
            frames.push(&self.dnstap(None, Event { query_message, ..self.event(heard, AUTH_QUERY) }));
        }
        if self.responses && heard.head.response_octets > 0 {
            let extra = heard.head.balancing.as_ref().map(|of| reason(of, heard.name, heard.steps).into_bytes());
            let event = self.event(heard, AUTH_RESPONSE);
            let event = Event {
                query_zone: heard.head.zone.as_ref().map(|zone| zone.apex().as_wire().to_vec()),
                response_time_sec: event.query_time_sec,
                response_time_nsec: event.query_time_nsec,
                response_message: field(heard.response),
                ..event
            };
            frames.push(&self.dnstap(extra, event));
        }
    }

    fn dnstap(&self, extra: Option<Vec<u8>>, event: Event) -> Dnstap {
        let (identity, version) = (self.identity.clone(), self.version.clone());
        Dnstap { identity, version, extra, message: Some(event), kind: KIND_MESSAGE }
    }

    fn event(&self, heard: &Heard<'_>, kind: i32) -> Event {
        let head = &heard.head;
        let (seconds, nanos) = time(&self.clock, head.at);
        let server = head.ends.server;
        let address = |address: IpAddr| match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        // One family goes for both ends; an address of all addresses is none.
        let same = server.is_ipv4() == head.peer.address.is_ipv4() && !server.ip().is_unspecified();
        Event {
            kind,
            socket_family: Some(if head.peer.address.is_ipv4() { 1 } else { 2 }),
            socket_protocol: Some(protocol(head.peer.transport)),
            query_address: Some(address(head.peer.address)),
            response_address: same.then(|| address(server.ip())),
            query_port: head.ends.client_port.map(u32::from),
            response_port: Some(server.port().into()),
            query_time_sec: Some(seconds),
            query_time_nsec: Some(nanos),
            ..Event::default()
        }
    }
}

/// The octets of a message, if it was kept.
fn field(octets: &[u8]) -> Option<Vec<u8>> {
    (!octets.is_empty()).then(|| octets.to_vec())
}

/// Seconds and nanoseconds since 1970. The moment is that of the batch, and the clock was read when the server started.
fn time(clock: &Clock, at: Moment) -> (u64, u32) {
    let nanos = clock.unix_nanos(at);
    (nanos / 1_000_000_000, (nanos % 1_000_000_000) as u32)
}

/// The schema's `SocketProtocol`.
fn protocol(transport: Transport) -> i32 {
    match transport {
        Transport::Udp => 1,
        Transport::Tcp => 2,
        Transport::Tls => 3,
        Transport::Https | Transport::Http3 => 4,
        Transport::Quic => 7,
    }
}
