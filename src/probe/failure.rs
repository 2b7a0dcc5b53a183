//! Why a probe failed, in an operator's words.

use std::error::Error;
use std::fmt::{self, Write};
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use super::dates::{date, distance};

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
    /// What came is not what was asked for, or breaks off; with what is wrong.
    Answer(String),
    /// The health service of gRPC says that it does not serve, or does not say that it does; with its words.
    Grpc(String),
    /// It reports that it is down; with its reason, if it says one.
    Reported(Option<String>),
    /// It has not reported for this time.
    Silent(Duration),
    /// No such request can be made; with what is wrong in the monitor.
    Monitor(String),
    /// We had no means to send it: no file descriptors, ports or memory left. It says nothing of the endpoint.
    Unsent(String),
    /// We may not send it, or there is nothing to send it with, until somebody changes that: no right to ICMP, no program.
    /// It says nothing of the endpoint, nor of other probes.
    Barred(String),
}

/// Characters of a peer's text that are shown: enough for a URL, and a bound on what it can write into a log.
pub const SHOWN_MAX: usize = 100;

impl Failure {
    /// Which kind of failure it is, in a word, one of [`Failure::CLASSES`].
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Connection(_) => "connection",
            Self::Certificate(_) => "certificate",
            Self::Tls(_) => "tls",
            Self::Status { .. } => "status",
            Self::Redirect { .. } => "redirect",
            Self::Body { .. } => "body",
            Self::Answer(_) => "answer",
            Self::Grpc(_) => "grpc",
            Self::Reported(_) => "reported",
            Self::Silent(_) => "silent",
            Self::Monitor(_) => "monitor",
            Self::Unsent(_) | Self::Barred(_) => "unsent",
        }
    }

    /// All kinds of failures.
    pub const CLASSES: [&'static str; 13] = [
        "timeout",
        "connection",
        "certificate",
        "tls",
        "status",
        "redirect",
        "body",
        "answer",
        "grpc",
        "reported",
        "silent",
        "monitor",
        "unsent",
    ];

    /// Whether the cause is with us, so that nothing was learnt of the endpoint.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Unsent(_) | Self::Barred(_))
    }

    /// Whether the next try will come to the same, as far as can be known.
    pub(super) const fn is_lasting(&self) -> bool {
        matches!(self, Self::Barred(_))
    }

    /// Why the other side refused the handshake, if it did and an operator can do something about it; as the rest of a
    /// sentence about that side.
    pub const fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Tls(rustls::Error::AlertReceived(alert)) => refusal(*alert),
            _ => None,
        }
    }

    /// A redirect to `location`, as the endpoint wrote it.
    pub(super) fn redirect(status: u16, location: &[u8]) -> Self {
        Self::Redirect { status, location: shown(&String::from_utf8_lossy(location)) }
    }

    /// A report of being down, with the reason that came with it.
    pub(super) fn reported(reason: Option<&str>) -> Self {
        Self::Reported(reason.filter(|reason| !reason.is_empty()).map(shown))
    }

    /// A handshake that came to its end without HTTP/2.
    pub(super) fn no_http2() -> Self {
        Self::Answer("TLS: HTTP/2 was not agreed on (ALPN h2)".to_owned())
    }

    /// A call that ended with a status other than 0: its `code` as it came, what that is called, and the `message`.
    pub(super) fn grpc_status(code: &str, name: &str, message: Option<&str>) -> Self {
        let message = message.filter(|message| !message.is_empty());
        let message = message.map_or_else(String::new, |message| format!(" ({})", shown(message)));
        Self::Grpc(format!("status {} {name}{message}", shown(code)))
    }

    /// The cause of a failed exchange over HTTP/2.
    pub(super) fn of_http2(error: &h2::Error) -> Self {
        match error.get_io() {
            Some(error) => Self::of_request(error),
            None => Self::Answer(format!("HTTP/2: {}", shown(&error.to_string()))),
        }
    }

    /// The cause of a failed request. HTTP and TLS wrap what happened in layers of their own, so it is looked for
    /// from the outermost error inwards.
    pub fn of_request(error: &(dyn Error + 'static)) -> Self {
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
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}

impl Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(after) => write!(f, "timed out after {after:?}"),
            Self::Connection(kind) => write!(f, "{kind}"),
            Self::Certificate(reason) => write!(f, "certificate: {}", certificate(reason)),
            Self::Tls(error) => write!(f, "TLS: {}", handshake(error)),
            Self::Status { status, wanted } => write!(f, "status {status}, want {}", statuses(wanted)),
            Self::Redirect { status, location } => write!(f, "redirect to {location} (status {status})"),
            Self::Body { wanted } => write!(f, "body does not contain {wanted:?}"),
            Self::Answer(reason) | Self::Monitor(reason) => f.write_str(reason),
            Self::Grpc(reason) => write!(f, "gRPC health: {reason}"),
            Self::Reported(None) => f.write_str("it reports that it is down"),
            Self::Reported(Some(reason)) => write!(f, "it reports that it is down: {reason}"),
            Self::Silent(lease) => write!(f, "no report for {lease:?}"),
            Self::Unsent(reason) | Self::Barred(reason) => write!(f, "not sent: {reason}"),
        }
    }
}

fn certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::ExpiredContext { time, not_after } => {
            let (now, end) = (time.as_secs(), not_after.as_secs());
            format!("expired on {}, {}", date(end), distance(end, now))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let (now, start) = (time.as_secs(), not_before.as_secs());
            format!("not valid before {}, {}", date(start), distance(start, now))
        }
        CertificateError::UnknownIssuer => "no trusted root issued it".to_owned(),
        CertificateError::BadSignature => "not signed by the root that it names".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented = if presented.is_empty() { String::new() } else { format!(", but {}", names(presented)) };
            format!("not for {}{presented}", expected.to_str())
        }
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
            format!("not for servers; want `serverAuth` in its extended key usage ({})", shown(&reason.to_string()))
        }
        CertificateError::Revoked => "revoked by who issued it".to_owned(),
        // What the library of certificates found, of which there is no name but its own.
        CertificateError::Other(error) => match format!("{error:?}") {
            text if text.contains("CaUsedAsEndEntity") => {
                "one of an authority; want one for a server, without `CA:TRUE` (basicConstraints)".to_owned()
            }
            text if text.contains("UnsupportedCriticalExtension") => {
                "with a critical extension that nobody here knows; want one without it".to_owned()
            }
            text => format!("not accepted ({})", shown(&text)),
        },
        other => format!("not accepted ({})", shown(&other.to_string())),
    }
}

/// Names of a certificate that a log line shows.
const NAMES_SHOWN_MAX: usize = 3;

/// The names of a certificate: `DnsName("www.example.org")` as rustls has them.
fn names(presented: &[String]) -> String {
    let quoted = |name: &String| shown(name.split('"').nth(1).unwrap_or(name));
    let mut names: Vec<String> = presented.iter().take(NAMES_SHOWN_MAX).map(quoted).collect();
    if presented.len() > NAMES_SHOWN_MAX {
        names.push("…".to_owned());
    }
    format!("for {}", names.join(", "))
}

/// Why there was no handshake: what that means, then what the library says.
fn handshake(error: &rustls::Error) -> String {
    let cause = || shown(&error.to_string());
    match error {
        rustls::Error::AlertReceived(alert) => match refusal(*alert) {
            Some(why) => format!("the endpoint refused: {why}"),
            None => format!("the other side broke the handshake off; its own log may say why ({})", cause()),
        },
        rustls::Error::InvalidMessage(_) => format!("what came is not TLS; does that port speak it? ({})", cause()),
        rustls::Error::PeerIncompatible(_) => format!("nothing that both can do was found ({})", cause()),
        rustls::Error::PeerMisbehaved(_)
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::PeerSentOversizedRecord
        | rustls::Error::DecryptError => format!("the other side breaks the rules of TLS ({})", cause()),
        rustls::Error::NoCertificatesPresented => "the other side shows no certificate".to_owned(),
        _ => format!("the handshake failed ({})", cause()),
    }
}

/// What the other side refuses, it tells in an alert (RFC 8446 §6.2), which is worded here for those that an operator can
/// do something about.
const fn refusal(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateRequired => "it wants a client certificate",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => "it does not accept our client certificate",
        AlertDescription::CertificateExpired => "to it our client certificate has expired",
        AlertDescription::UnrecognisedName => "it knows no server of that name",
        AlertDescription::NoApplicationProtocol => "it speaks none of the protocols that were offered (ALPN)",
        AlertDescription::ProtocolVersion => "it speaks neither TLS 1.2 nor 1.3",
        AlertDescription::HandshakeFailure => "nothing that both can do was found (handshake failure)",
        _ => return None,
    })
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
mod tests;
