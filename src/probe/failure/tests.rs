//! How failures read.

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
    let context =
        |names| CertificateError::NotValidForNameContext { expected: expected.clone(), presented: presented(names) };
    check(context(&[]), "not for www.example.com");
    check(context(&["a.example", "b.example"]), "not for www.example.com, but for a.example, b.example");
    check(context(&["a", "b", "c", "d"]), "not for www.example.com, but for a, b, c, …");
    let refused = Failure::Tls(rustls::Error::AlertReceived(AlertDescription::CertificateRequired));
    assert_eq!(refused.to_string(), "TLS: the endpoint refused: it wants a client certificate");
    let other = Failure::Tls(rustls::Error::AlertReceived(AlertDescription::InternalError));
    assert_eq!(
        other.to_string(),
        "TLS: the other side broke the handshake off; its own log may say why (received fatal alert: InternalError)"
    );
}

#[test]
fn what_a_library_says_comes_behind_what_it_means() {
    let check = |failure: Failure, expected: &str| {
        let told = failure.to_string();
        assert!(told.starts_with(expected) && told.ends_with(')'), "{told}");
    };
    let tls = |error| Failure::Tls(error);
    let plain = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    check(tls(plain), "TLS: what came is not TLS; does that port speak it? (");
    let wrong = rustls::PeerIncompatible::NoCipherSuitesInCommon;
    check(tls(rustls::Error::PeerIncompatible(wrong)), "TLS: nothing that both can do was found (");
    check(
        tls(rustls::Error::PeerMisbehaved(rustls::PeerMisbehaved::TooManyEmptyFragments)),
        "TLS: the other side breaks",
    );
    let certificate = |reason| Failure::Certificate(reason);
    check(certificate(CertificateError::InvalidPurpose), "certificate: not for servers; want `serverAuth` in its ");
    check(certificate(CertificateError::BadEncoding), "certificate: not accepted (");
    #[derive(Debug)]
    struct CaUsedAsEndEntity;
    impl fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }
    impl Error for CaUsedAsEndEntity {}
    let other = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(CaUsedAsEndEntity)));
    check(certificate(other), "certificate: one of an authority; want one for a server, without `CA:TRUE` (");
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
    check(io::Error::other(rustls::Error::HandshakeNotComplete), "TLS: the handshake failed (handshake not complete)");
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
