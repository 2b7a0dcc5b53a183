//! TLS for probes: two configurations, made once and shared by every endpoint.
//!
//! On ring, named here rather than installed for the process, so no other part can change it. Sessions are never
//! resumed: a resumed handshake shows no certificate, and one that expired would go unnoticed for as long as
//! the endpoint honours the ticket.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier};
use tracing::warn;

use super::TlsCheck;

/// The configurations. Roots are read when the first endpoint wants them, and not again: a root that changes
/// takes a restart.
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    verified: OnceLock<ClientConfig>,
    unverified: OnceLock<ClientConfig>,
    roots: Box<dyn Fn() -> RootCertStore + Send + Sync>,
}

impl Tls {
    /// Trusts the roots that the system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
    pub(super) fn system() -> Self {
        Self::with_roots(system_roots)
    }

    /// Trusts what `roots` gives.
    pub(super) fn with_roots(roots: impl Fn() -> RootCertStore + Send + Sync + 'static) -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            verified: OnceLock::new(),
            unverified: OnceLock::new(),
            roots: Box::new(roots),
        }
    }

    /// The configuration for `check`. A copy of a few pointers, except for the first verified one, which reads
    /// the roots: some ten milliseconds.
    ///
    /// # Errors
    /// A provider that has no cipher suite for TLS 1.2 or 1.3, which ring's has.
    pub(super) fn config(&self, check: TlsCheck) -> Result<ClientConfig, rustls::Error> {
        let cell = match check {
            TlsCheck::Verified => &self.verified,
            TlsCheck::Unverified => &self.unverified,
        };
        if let Some(config) = cell.get() {
            return Ok(config.clone());
        }
        let builder = self.builder()?;
        let config = cell.get_or_init(|| {
            finish(match check {
                TlsCheck::Verified => builder.with_root_certificates((self.roots)()),
                TlsCheck::Unverified => {
                    let any = AnyCertificate(Arc::clone(&self.provider));
                    builder.dangerous().with_custom_certificate_verifier(Arc::new(any))
                }
            })
        });
        Ok(config.clone())
    }

    fn builder(&self) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
        ClientConfig::builder_with_provider(Arc::clone(&self.provider)).with_safe_default_protocol_versions()
    }
}

fn finish(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig {
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// Without a single root every verified probe fails, and says so by itself; what could not be read is told once.
fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        warn!("the system's root certificates: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        warn!("no root certificate is trusted ({ignored} unreadable): https probes that verify will fail");
    }
    roots
}

/// Takes any certificate, and any proof that the endpoint holds its key: without a chain to a root that proof
/// would show nothing, and asking for it would refuse the old forms that such endpoints often have.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("roots_read", &self.verified.get().is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;

    use super::super::endpoint::Authority;
    use super::*;

    /// In a process of its own, since the environment is the whole process's.
    #[test]
    fn operators_name_their_roots_in_ssl_cert_file() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        for name in ["root.example.com", "root.example.org"] {
            file.write_all(Authority::new(name).pem().as_bytes()).expect("written");
        }
        let run = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "probe::tls::tests::two_roots_are_trusted"])
            .env("SSL_CERT_FILE", file.path())
            .env_remove("SSL_CERT_DIR")
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    #[ignore = "run by operators_name_their_roots_in_ssl_cert_file, which sets the environment"]
    fn two_roots_are_trusted() {
        assert_eq!(system_roots().len(), 2);
    }

    #[test]
    fn roots_are_read_once_and_only_when_they_are_wanted() {
        let read = Arc::new(OnceLock::new());
        let seen = Arc::clone(&read);
        let tls = Tls::with_roots(move || {
            seen.set(()).expect("the first time");
            RootCertStore::empty()
        });
        let unverified = tls.config(TlsCheck::Unverified).expect("a configuration");
        assert!(read.get().is_none());
        for _ in 0..2 {
            let verified = tls.config(TlsCheck::Verified).expect("a configuration");
            assert_eq!(verified.alpn_protocols, unverified.alpn_protocols);
        }
        assert!(read.get().is_some());
    }
}
