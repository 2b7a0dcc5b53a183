//! Sockets in, sockets out: thin callers of [`crate::answer::answer`].
//!
//! UDP, the hot path, is ours: threads that each own a socket, in batches. Streams come through hickory-server.

mod socket;
pub mod stream;
pub mod udp;
