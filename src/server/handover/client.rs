//! Asks a running server to replace itself.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::channel::Channel;
use super::{Reply, Request};

/// How long a successor may take to answer: it reads a million names, and waits for the first probes of new endpoints.
const LONGEST: Duration = Duration::from_secs(600);

/// Why a server was not replaced; it goes on as it was.
#[derive(Debug)]
pub enum ReplaceError {
    /// It cannot be reached.
    Unreachable(io::Error),
    /// It would not, or its successor could not.
    Refused(String),
}

impl std::fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => f.write_str("no server listens there"),
                io::ErrorKind::PermissionDenied => f.write_str("it is another user's: be root, or that user"),
                _ => write!(f, "{error}"),
            },
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

/// Has the server whose control socket is at `path` start its successor; the process that answers then, and its version.
///
/// # Errors
/// As [`ReplaceError`] says.
pub async fn replace(path: &Path) -> Result<(u32, String), ReplaceError> {
    let asking = async {
        let mut channel = Channel::connect(path).await?;
        channel.say(&Request::Replace).await?;
        channel.hear().await
    };
    let reply: io::Result<Reply> = async { timeout(LONGEST, asking).await? }.await;
    match reply.map_err(ReplaceError::Unreachable)? {
        Reply::Replaced { pid, version } => Ok((pid, version)),
        Reply::Refused { reason } | Reply::StillHere { reason } => Err(ReplaceError::Refused(reason)),
        other => Err(ReplaceError::Unreachable(io::Error::other(format!("it said {other:?}")))),
    }
}
