//! Why a probe failed, in an operator's words.

use std::error::Error;
use std::fmt::{self, Write};
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use rustls::CertificateError;

/// What was wrong with an endpoint's answer, or why there was none.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// No whole answer in this time.
    Timeout(Duration),
    /// The connection was refused, reset, closed, or found no way.
    Connection(io::ErrorKind),
    /// The certificate does not hold.
    Certificate(CertificateError),
    /// The TLS handshake failed for another reason.
    Tls(rustls::Error),
    /// A status outside the set.
    Status {
        /// What came.
        status: u16,
        /// What counts as a success.
        wanted: Vec<RangeInclusive<u16>>,
    },
    /// A status outside the set that points elsewhere.
    Redirect {
        /// What came.
        status: u16,
        /// Where it points, cut to [`SHOWN_MAX`] characters, controls escaped.
        location: String,
    },
    /// What the body must contain is not within its first [`super::BODY_OCTETS_MAX`].
    Body {
        /// What it must contain.
        wanted: String,
    },
    /// What came is not HTTP, or breaks off; with what is wrong.
    Answer(String),
    /// No such request can be made; with what is wrong in the monitor.
    Monitor(String),
    /// We had no means to send it: no file descriptors, ports or memory left. It says nothing of the endpoint.
    Unsent(String),
}

/// Characters of a peer's text that are shown: enough for a URL, and a bound on what it can write into a log.
pub const SHOWN_MAX: usize = 100;

impl Failure {
    /// Whether the cause is with us, so that nothing was learnt of the endpoint.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Unsent(_))
    }

    /// A redirect to `location`, as the endpoint wrote it.
    pub(super) fn redirect(status: u16, location: &[u8]) -> Self {
        Self::Redirect { status, location: shown(&String::from_utf8_lossy(location)) }
    }

    /// The cause of a failed request. HTTP and TLS wrap what happened in layers of their own, so it is looked for
    /// from the outermost error inwards.
    pub(super) fn of_request(error: &(dyn Error + 'static)) -> Self {
        let mut deepest = error;
        loop {
            if let Some(failure) = Self::of_layer(deepest) {
                return failure;
            }
            match inner(deepest) {
                Some(next) => deepest = next,
                None => return Self::Answer(shown(&deepest.to_string())),
            }
        }
    }

    /// The cause of a failed connection.
    pub(super) fn of_io(error: &io::Error) -> Self {
        let ours = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
        if error.raw_os_error().is_some_and(|code| ours.contains(&code)) {
            return Self::Unsent(error.to_string());
        }
        Self::Connection(error.kind())
    }

    fn of_layer(layer: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = layer.downcast_ref::<rustls::Error>() {
            return Some(match error {
                rustls::Error::InvalidCertificate(reason) => Self::Certificate(reason.clone()),
                other => Self::Tls(other.clone()),
            });
        }
        // An error that only carries another one is a layer too; its kind would say nothing.
        let error = layer.downcast_ref::<io::Error>().filter(|error| error.get_ref().is_none())?;
        Some(Self::of_io(error))
    }
}

/// The next layer. What an I/O error carries is not its source: its source is the source of that.
fn inner<'a>(layer: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => Some(carried),
        None => layer.source(),
    }
}

/// A peer's text, made fit for a log line.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}

impl Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(after) => write!(f, "timed out after {after:?}"),
            Self::Connection(kind) => write!(f, "{kind}"),
            Self::Certificate(reason) => write!(f, "certificate: {}", certificate(reason)),
            Self::Tls(error) => write!(f, "TLS: {}", shown(&error.to_string())),
            Self::Status { status, wanted } => write!(f, "status {status}, want {}", statuses(wanted)),
            Self::Redirect { status, location } => write!(f, "redirect to {location} (status {status})"),
            Self::Body { wanted } => write!(f, "body does not contain {wanted:?}"),
            Self::Answer(reason) | Self::Monitor(reason) => f.write_str(reason),
            Self::Unsent(reason) => write!(f, "not sent: {reason}"),
        }
    }
}

fn certificate(reason: &CertificateError) -> String {
    const DAY: u64 = 86_400;
    match reason {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("expired {} days ago", time.as_secs().saturating_sub(not_after.as_secs()) / DAY)
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("not valid for another {} days", not_before.as_secs().saturating_sub(time.as_secs()) / DAY)
        }
        CertificateError::UnknownIssuer => "no trusted root issued it".to_owned(),
        CertificateError::BadSignature => "not signed by the root that it names".to_owned(),
        CertificateError::NotValidForNameContext { expected, .. } => format!("not for {}", expected.to_str()),
        other => shown(&other.to_string()),
    }
}

fn statuses(wanted: &[RangeInclusive<u16>]) -> String {
    let mut text = String::new();
    for range in wanted {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = match (range.start(), range.end()) {
            (one, same) if one == same => write!(text, "{comma}{one}"),
            (least, most) => write!(text, "{comma}{least}-{most}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_read_as_an_operator_would_put_them() {
        let check = |failure: Failure, expected: &str| assert_eq!(failure.to_string(), expected);
        check(Failure::Timeout(Duration::from_secs(2)), "timed out after 2s");
        check(Failure::Timeout(Duration::from_millis(500)), "timed out after 500ms");
        check(Failure::Status { status: 503, wanted: vec![200..=299] }, "status 503, want 200-299");
        check(Failure::Status { status: 500, wanted: vec![200..=204, 404..=404] }, "status 500, want 200-204, 404");
        check(Failure::redirect(302, b"/login"), "redirect to /login (status 302)");
        check(Failure::Body { wanted: "\"ok\"".to_owned() }, "body does not contain \"\\\"ok\\\"\"");
        check(Failure::Certificate(CertificateError::UnknownIssuer), "certificate: no trusted root issued it");
    }

    #[test]
    fn what_a_peer_wrote_is_cut_and_escaped() {
        let text = Failure::redirect(301, &[b'\n'; 1_000]).to_string();
        assert_eq!(text, format!("redirect to {} (status 301)", "\\n".repeat(SHOWN_MAX)));
        assert_eq!(Failure::redirect(301, b"\xff\x1b[31m").to_string(), "redirect to \u{fffd}\\u{1b}[31m (status 301)");
    }

    #[test]
    fn the_cause_is_found_under_its_layers() {
        let check = |error: io::Error, expected: &str| {
            let wrapped = io::Error::other(io::Error::other(error));
            assert_eq!(Failure::of_request(&wrapped).to_string(), expected);
        };
        check(io::Error::from_raw_os_error(libc::ECONNREFUSED), "connection refused");
        check(io::Error::from_raw_os_error(libc::EHOSTUNREACH), "host unreachable");
        check(io::ErrorKind::ConnectionReset.into(), "connection reset");
        check(io::Error::other("broke off"), "broke off");
        check(
            io::Error::other(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            "certificate: no trusted root issued it",
        );
        check(io::Error::other(rustls::Error::HandshakeNotComplete), "TLS: handshake not complete");
    }

    #[test]
    fn want_of_our_own_means_is_not_the_endpoints() {
        let check = |code: i32, expected: bool| {
            assert_eq!(Failure::of_io(&io::Error::from_raw_os_error(code)).is_ours(), expected, "errno {code}");
        };
        check(libc::EMFILE, true);
        check(libc::EADDRNOTAVAIL, true);
        check(libc::ECONNREFUSED, false);
        check(libc::ENETUNREACH, false);
    }
}
