//! Sockets in, sockets out: thin callers of [`crate::answer::answer`].
//!
//! UDP, the hot path: threads that each own a socket, in batches. Connections: tasks on the runtime, which go through
//! one `gate` and ask at one `desk`. What is signed, or for a whole zone, is seen to by `secondaries` first: whole zones
//! go by TCP and TLS alone. QUIC could carry them (RFC 9250 §4.2), but what asks for them speaks TCP and TLS.
//!
//! | speaks | file | by |
//! |---|---|---|
//! | DNS over TCP, DNS over TLS | `framed` | tokio, rustls |
//! | DNS over HTTPS | `https`, `http3` | hyper, h3 |
//! | DNS over QUIC | `quic` | quinn |
//!
//! None of them is hickory-server's: its `RequestHandler` (0.26) is handed messages that its own decoder took and
//! gives records back, so every answer would be decoded and encoded once more, what its decoder refuses it answers
//! itself, malformed *responses* too, and it bounds neither connections nor what waits for a client that never reads.

pub mod doors;
pub mod udp;
pub mod stream;
mod framed;
pub mod quic;
mod requests;
mod backlog;
mod https;
mod http3;
mod acknowledged;
mod forgettable;
pub mod tls;
pub mod proxy;
mod hall;
mod desk;
pub mod secondaries;
mod gate;
pub mod limits;
pub mod tally;
mod socket;

/// Raises the limit of open files, which sockets count against, to the most that this process may have. Returns
/// that limit.
///
/// # Errors
/// As `setrlimit(2)`.
pub fn raise_open_files() -> std::io::Result<u64> {
    socket::raise_open_files()
}
