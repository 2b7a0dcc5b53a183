//! Why a server did not start, in words for the operator.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::privilege::PrivilegeError;
use crate::diagnostic::{Diagnostic, Severity, plural};

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// A socket could not be bound.
    Bind {
        /// Where to.
        address: SocketAddr,
        /// `UDP`, `TCP`, `TLS`, `HTTPS`, `QUIC` or `the admin API`.
        protocol: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// A socket that a service manager handed over is of no use.
    Given(String),
    /// The running server could not be taken over from.
    Replace {
        /// Its control socket.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The control socket cannot be had.
    Control {
        /// Where.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The process cannot become the user that it should.
    Privilege(PrivilegeError),
    /// The files have faults, which the audience has heard.
    Faults {
        /// How many are errors.
        errors: usize,
        /// The first of those, in one line.
        first: String,
    },
    /// Another server keeps its state in the file.
    State {
        /// Which file.
        file: PathBuf,
    },
    /// The token of the admin API cannot be had.
    Token {
        /// The file that holds it.
        file: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// The system refused threads, signals or a watch on the zones folder.
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        error: io::Error,
    },
}

impl StartError {
    /// `faults` are what is wrong with the files.
    pub fn of(faults: &[Diagnostic]) -> Self {
        let mut errors = faults.iter().filter(|fault| fault.severity == Severity::Error);
        let first = errors.next();
        Self::Faults {
            errors: first.map_or(0, |_| 1) + errors.count(),
            first: first.map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// In words for somebody who has not heard of any faults.
    pub fn told(&self) -> String {
        match self {
            Self::Faults { errors: 0 | 1, first } => first.clone(),
            Self::Faults { errors, first } => format!("{first}; and {} more", plural(errors - 1, "error")),
            other => other.to_string(),
        }
    }
}

impl std::error::Error for StartError {}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, protocol, error } => {
                write!(f, "cannot listen on {address} ({protocol}): ")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("the port is in use"),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("permission denied; ports below 1024 need CAP_NET_BIND_SERVICE")
                    }
                    io::ErrorKind::AddrNotAvailable => f.write_str("this machine does not have the address"),
                    _ => write!(f, "{error}"),
                }
            }
            Self::Given(what) => f.write_str(what),
            Self::Replace { path, reason } if path.as_os_str().is_empty() => write!(f, "cannot take over: {reason}"),
            Self::Replace { path, reason } => write!(f, "cannot take over by {}: {reason}", path.display()),
            Self::Control { path, error } => {
                write!(f, "cannot open the control socket {}: ", path.display())?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        f.write_str("another server has it (`serve --replace` takes over from it), or it is no socket")
                    }
                    io::ErrorKind::NotFound => f.write_str("there is no such folder"),
                    _ => write!(f, "{error}"),
                }
            }
            Self::Privilege(error) => write!(f, "{error}"),
            Self::Faults { errors, .. } => write!(f, "the files have {}", plural(*errors, "error")),
            Self::State { file } => write!(
                f,
                "another server keeps its state in {}; give each a `file` of its own in [state], or take over from that \
                 one (`bellwether replace`)",
                file.display()
            ),
            Self::Token { file, error } => write!(f, "the token file {}: {error}", file.display()),
            Self::System { what, error } => write!(f, "cannot {what}: {error}"),
        }
    }
}
