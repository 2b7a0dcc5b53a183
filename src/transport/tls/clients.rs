//! Which clients are known by certificates of their own: the authorities that sign those, read from a file, checked, and
//! swapped under running connections.
//!
//! A client may come without a certificate; what it may do then is for others to say. One that shows a certificate of
//! somebody else, or one that has ended, is turned away in the handshake. Nothing is looked up that could say that a
//! certificate was revoked: who is to be shut out needs certificates that end soon, or another authority.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};

use super::{fault, pem_fault, provider, read_file};
use crate::diagnostic::Diagnostic;

/// The authorities of clients, and the file that they come from.
#[derive(Debug)]
pub struct Clients {
    file: PathBuf,
    current: ArcSwap<ClientAuthorities>,
}

#[derive(Debug)]
struct ClientAuthorities {
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// Reads the certificates of the authorities, in PEM.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no certificate or something else.
    pub fn read(file: &Path) -> Result<Self, Box<Diagnostic>> {
        let current = ArcSwap::from_pointee(ClientAuthorities::read(file)?);
        Ok(Self { file: file.to_owned(), current })
    }

    /// Reads the file again and goes by it from the next handshake on. Whether it says something else than before.
    ///
    /// # Errors
    /// As [`Clients::read`]; then the authorities stay.
    pub fn refresh(&self) -> Result<bool, Box<Diagnostic>> {
        let authorities = ClientAuthorities::read(&self.file)?;
        let changed = self.current.load().certificates != authorities.certificates;
        self.current.store(Arc::new(authorities));
        Ok(changed)
    }
}

impl ClientAuthorities {
    fn read(file: &Path) -> Result<Self, Box<Diagnostic>> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read_file(file)?)
            .collect::<Result<_, _>>()
            .map_err(|error| fault(file, format!("not certificates in PEM: {}", pem_fault(&error)), ""))?;
        let mut roots = RootCertStore::empty();
        for (number, certificate) in (1..).zip(&certificates) {
            let refused = |error: rustls::Error| fault(file, format!("certificate {number} is none: {error}"), "");
            roots.add(certificate.clone()).map_err(refused)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = verifier.allow_unauthenticated().build().map_err(|_| {
            let help = "it begins with `-----BEGIN CERTIFICATE-----`: who signs the certificates of clients";
            fault(file, "there is no certificate in it".to_owned(), help)
        })?;
        Ok(Self { certificates, verifier })
    }
}

/// By the authorities of now. They are not named to clients (RFC 8446 §4.2.4 leaves that open), for which they would have
/// to outlive the handshake.
impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.current.load().verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current.load().verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current.load().verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.load().verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faulty_authorities_are_reported_and_the_old_ones_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let write = |text: &str| std::fs::write(&file, text).expect("written");
        let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let (one, two) = (made("ca.example.com"), made("ca.example.net"));
        write(&one.cert.pem());
        let clients = Clients::read(&file).expect("an authority");
        assert_eq!(clients.refresh(), Ok(false));
        let first = clients.current.load_full();
        let check = |text: &str, message: &str| {
            write(text);
            let fault = clients.refresh().expect_err(message);
            assert_eq!(fault.place.file, file, "{fault}");
            assert!(fault.message.contains(message), "{fault}");
            assert_eq!(clients.current.load().certificates, first.certificates, "the old ones stay");
        };
        check("", "there is no certificate in it");
        check(&one.signing_key.serialize_pem(), "there is no certificate in it");
        check("-----BEGIN CERTIFICATE-----\n!\n", "not certificates in PEM");
        check("-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n", "certificate 1 is none");
        write(&(one.cert.pem() + &two.cert.pem()));
        assert_eq!(clients.refresh(), Ok(true));
        assert_eq!(clients.current.load().certificates.len(), 2);
    }
}
