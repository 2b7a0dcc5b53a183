//! A TLS probe: a handshake, for what speaks neither HTTP nor gRPC over TLS: DNS, SMTP, IMAP, databases.
//!
//! In TLS 1.3 the endpoint judges our certificate only after the handshake is over for us (RFC 8446 §2), so a
//! handshake alone cannot tell that it refuses ours.

use std::net::{IpAddr, SocketAddr};

use tokio::io::AsyncWriteExt;

use super::connection::{Secure, connect, peer_certificate_ends, protocol, server_name};
use super::{Answered, Failure, Tls, TlsCheck};

/// A handshake that must come to its end with a certificate that holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsProbe {
    /// The port to connect to.
    pub port: u16,
    /// Protocols that are offered (ALPN, RFC 7301), the best first; with any, the endpoint must take one of them.
    pub alpn: Vec<String>,
    /// What of the handshake must hold; without a server name, the certificate must be for the endpoint's address.
    pub check: TlsCheck,
}

/// One endpoint, ready to be asked.
#[derive(Debug)]
pub(super) struct Asker {
    endpoint: SocketAddr,
    alpn: Vec<String>,
    secure: Secure,
}

/// What keeps a handshake from being made with `address`, if anything does.
pub(super) fn fault(address: IpAddr, probe: &TlsProbe) -> Option<Failure> {
    server_name(&probe.check, address, None).err()
}

impl Asker {
    pub(super) fn new(address: IpAddr, probe: &TlsProbe, tls: &Tls) -> Result<Self, Failure> {
        let protocols: Vec<&[u8]> = probe.alpn.iter().map(String::as_bytes).collect();
        let secure = Secure::new(tls, &probe.check, address, None, &protocols)?;
        Ok(Self { endpoint: SocketAddr::new(address, probe.port), alpn: probe.alpn.clone(), secure })
    }

    /// Shakes hands once, without a limit of time.
    ///
    /// # Errors
    /// The handshake does not come to its end, or what it shows does not hold.
    pub(super) async fn ask(&self) -> Result<Answered, Failure> {
        let mut stream = self.secure.shake(connect(self.endpoint).await?).await?;
        let certificate_ends = peer_certificate_ends(&stream);
        if !self.alpn.is_empty() && protocol(&stream).is_none() {
            return Err(Failure::Answer(format!("TLS: no protocol was agreed on, want {}", self.alpn.join(" or "))));
        }
        // The end of it as the protocol has it; whether it arrives is no matter any more.
        let _ = stream.shutdown().await;
        Ok(Answered { load: None, certificate_ends })
    }
}

#[cfg(test)]
mod tests {
    use rustls::{RootCertStore, ServerConfig};

    use super::super::endpoint::{Authority, Endpoint, Reply, loopback, self_signed_server};
    use super::super::{Authorities, Trust};
    use super::*;

    const NAME: &str = "dns.example.com";

    async fn ask(endpoint: SocketAddr, alpn: &[&str], check: &TlsCheck) -> Result<Answered, String> {
        let alpn = alpn.iter().map(|&name| name.to_owned()).collect();
        let probe = TlsProbe { port: endpoint.port(), alpn, check: check.clone() };
        let asker = Asker::new(endpoint.ip(), &probe, &Tls::with_roots(RootCertStore::empty)).expect("sound");
        asker.ask().await.map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn a_handshake_that_holds_is_enough() {
        let authority = Authority::new("root.example.com");
        let trust = Trust::Only(Authorities::read(&authority.pem()).expect("a root").into());
        let named = TlsCheck { trust, server_name: Some(NAME.to_owned()), ..TlsCheck::verified() };
        let check = async |server: ServerConfig, alpn: &[&str], check: &TlsCheck, expected: Result<(), &str>| {
            // Nothing is ever said over it.
            let endpoint = Endpoint::tls(loopback(40), server, Reply::Hang(String::new())).await;
            let found = ask(endpoint.address, alpn, check).await;
            assert!(found.as_ref().map_or(true, |answered| answered.certificate_ends.is_some()));
            assert_eq!(found.map(drop), expected.map_err(str::to_owned));
        };
        let dot = || {
            let mut server = authority.server(NAME);
            server.alpn_protocols = vec![b"dot".to_vec()];
            server
        };
        check(authority.server(NAME), &[], &named, Ok(())).await;
        check(dot(), &["doq", "dot"], &named, Ok(())).await;
        check(dot(), &[], &named, Ok(())).await;
        let refused = "TLS: the endpoint refused: it speaks none of the protocols that were offered (ALPN)";
        check(dot(), &["h2"], &named, Err(refused)).await;
        check(authority.server(NAME), &["dot"], &named, Err("TLS: no protocol was agreed on, want dot")).await;
        let unknown = "certificate: no trusted root issued it";
        check(self_signed_server(NAME), &[], &named, Err(unknown)).await;
        let anyone = TlsCheck { trust: Trust::Anyone, ..TlsCheck::verified() };
        check(self_signed_server(NAME), &[], &anyone, Ok(())).await;
        let by_address = TlsCheck { server_name: None, ..named.clone() };
        check(authority.server("127.0.0.40"), &[], &by_address, Ok(())).await;
        let other = "certificate: not for 127.0.0.40, but for dns.example.com";
        check(authority.server(NAME), &[], &by_address, Err(other)).await;
    }

    #[tokio::test]
    async fn what_hangs_up_or_speaks_no_tls_has_failed() {
        let anyone = TlsCheck { trust: Trust::Anyone, ..TlsCheck::verified() };
        let listener = tokio::net::TcpListener::bind(loopback(41)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (asked, accepted) = tokio::join!(ask(address, &[], &anyone), async { drop(listener.accept().await) });
        let () = accepted;
        let reason = asked.expect_err("hung up");
        assert!(["TLS: closed in the middle of the handshake", "connection reset"].contains(&&*reason), "{reason}");
    }
}
