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
        other => shown(&other.to_string()),
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

/// Why there was no handshake.
fn handshake(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => match refusal(*alert) {
            Some(why) => format!("the endpoint refused: {why}"),
            None => shown(&error.to_string()),
        },
        rustls::Error::InvalidMessage(_) => format!("what came is not TLS ({})", shown(&error.to_string())),
        other => shown(&other.to_string()),
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
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};

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
    fn a_certificate_that_does_not_hold_is_told_with_its_dates_and_names() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let check = |reason, expected: &str| {
            assert_eq!(Failure::Certificate(reason).to_string(), format!("certificate: {expected}"))
        };
        let (time, not_after) = (at(1_795_262_400), at(1_795_000_000));
        check(CertificateError::ExpiredContext { time, not_after }, "expired on 2026-11-18, 3 days ago");
        let (time, not_before) = (at(1_795_262_400), at(1_795_521_600));
        check(CertificateError::NotValidYetContext { time, not_before }, "not valid before 2026-11-24, in 3 days");
        let expected = ServerName::try_from("www.example.com").expect("a name");
        let presented = |names: &[&str]| names.iter().map(|name| format!("DnsName({name:?})")).collect::<Vec<_>>();
        let context = |names| CertificateError::NotValidForNameContext {
            expected: expected.clone(),
            presented: presented(names),
        };
        check(context(&[]), "not for www.example.com");
        check(context(&["a.example", "b.example"]), "not for www.example.com, but for a.example, b.example");
        check(context(&["a", "b", "c", "d"]), "not for www.example.com, but for a, b, c, …");
        let refused = Failure::Tls(rustls::Error::AlertReceived(AlertDescription::CertificateRequired));
        assert_eq!(refused.to_string(), "TLS: the endpoint refused: it wants a client certificate");
        let other = Failure::Tls(rustls::Error::AlertReceived(AlertDescription::InternalError));
        assert_eq!(other.to_string(), "TLS: received fatal alert: InternalError");
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
