//! Sockets in, sockets out: thin callers of [`crate::answer::answer`].
//!
//! UDP, the hot path, is ours: threads that each own a socket, in batches. Streams come through hickory-server.

mod socket;
pub mod stream;
pub mod udp;

/// Raises the limit of open files, which sockets count against, to the most that this process may have. Returns
/// that limit.
///
/// # Errors
/// As `setrlimit(2)`.
pub fn raise_open_files() -> std::io::Result<u64> {
    socket::raise_open_files()
}
