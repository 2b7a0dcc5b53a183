//! How much of the server a client of the connected doors (TCP, TLS, HTTPS, QUIC) may take, and for how long.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The limits of connections, each a key of `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all. When there are so many, the one that is idle for longest makes room for the next.
    pub connections: usize,
    /// Open connections of one client: an IPv4 /24 or an IPv6 /56.
    pub connections_per_client: usize,
    /// Queries of one connection, after which it is closed in order.
    pub queries_per_connection: u64,
    /// Requests at once of one HTTP/2, HTTP/3 or QUIC connection. Over TCP and TLS answers follow queries in order,
    /// without waiting, so that there is never more than one.
    pub streams_per_connection: u32,
    /// How long a connection may be without a query.
    pub idle: Duration,
    /// How long a whole message may take from its first octet to its last; a handshake and a PROXY header too.
    pub receive: Duration,
    /// How long a client may take to take its answers.
    pub send: Duration,
}

impl Limits {
    /// Least and most of [`connections`](Self::connections). The most is more than ports of a hundred addresses.
    pub const CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;
    /// Least and most of [`connections_per_client`](Self::connections_per_client).
    pub const CONNECTIONS_PER_CLIENT: RangeInclusive<usize> = 1..=1_000_000;
    /// Least and most of [`queries_per_connection`](Self::queries_per_connection).
    pub const QUERIES_PER_CONNECTION: RangeInclusive<u64> = 1..=1_000_000_000;
    /// Least and most of [`streams_per_connection`](Self::streams_per_connection).
    pub const STREAMS_PER_CONNECTION: RangeInclusive<u32> = 1..=10_000;
    /// Least and most of [`idle`](Self::idle). RFC 7828's unit is 100 ms, and its most a little over 109 minutes.
    pub const IDLE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3_600);
    /// Least and most of [`receive`](Self::receive).
    pub const RECEIVE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);
    /// Least and most of [`send`](Self::send).
    pub const SEND: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // BIND allows 150, NSD 100, Knot half of what files may be open. An idle one costs us 2.7 KiB
            // beside the kernel's (tests/peers/flood.rs), so these are 53 MiB.
            connections: 20_000,
            // One in twenty, so that a flood needs twenty networks; public resolvers ask from a few /24s each.
            connections_per_client: 1_000,
            // NSD and Knot count none; a bound frees what a connection holds in the end, TLS state above all.
            queries_per_connection: 100_000,
            // RFC 9113 §6.5.2 recommends no fewer than 100.
            streams_per_connection: 100,
            // RFC 7766 §6.2.3: of the order of a few seconds. Knot and Unbound 10 and 30 s, BIND 30.
            idle: Duration::from_secs(10),
            // Queries are one segment; Knot has 500 ms for the whole of them.
            receive: Duration::from_secs(5),
            // 64 KiB at 52 kbit/s.
            send: Duration::from_secs(10),
        }
    }
}
