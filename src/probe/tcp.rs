//! A TCP probe: a connection that is accepted, and closed again the ordinary way.
//!
//! Not reset (linger 0), though that would spare us TIME_WAIT: servers log a reset as a client's fault.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::Failure;

/// Connects to `endpoint`.
///
/// # Errors
/// The connection is not accepted.
pub(super) async fn ask(endpoint: SocketAddr) -> Result<(), Failure> {
    match TcpStream::connect(endpoint).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::of_io(&error)),
    }
}
