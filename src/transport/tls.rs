//! The certificates of the encrypted doors and of the admin API: read from files, checked, and swapped under running
//! connections.
//!
//! TLS 1.2 and 1.3 (RFC 8310 §9, RFC 9325), on ring. Sessions are resumed by tickets whose keys the process makes and
//! turns over itself; early data is not taken, since it can be replayed.

mod clients;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

use crate::diagnostic::{Diagnostic, Place};

pub use clients::Clients;

/// Octets of a certificate or a key file, at most: a chain is some 10 KB.
const FILE_OCTETS_MAX: u64 = 1 << 20;

/// A chain and its key, and the files that they come from.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    /// Reads a chain, the server's own certificate first, and its key, both in PEM.
    ///
    /// # Errors
    /// A file that cannot be read, that holds no certificate or no key, or a key that is not the certificate's.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, Box<Diagnostic>> {
        let current = ArcSwap::from_pointee(read_pair(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), current })
    }

    /// Reads both files again and serves them from the next handshake on. Whether they are others than before.
    ///
    /// # Errors
    /// As [`Certificates::read`]; then what was served before still is.
    pub fn refresh(&self) -> Result<bool, Box<Diagnostic>> {
        let pair = read_pair(&self.certificate, &self.key)?;
        let changed = self.current.load().cert != pair.cert;
        self.current.store(Arc::new(pair));
        Ok(changed)
    }

    /// How a door that speaks `protocols` greets, the first of which it likes best.
    pub(super) fn greeting(self: &Arc<Self>, protocols: &[&[u8]]) -> Result<ServerConfig, rustls::Error> {
        let mut config = self.config(protocols, Arc::new(NoClientAuth))?;
        config.ticketer = Ticketer::new()?;
        Ok(config)
    }

    /// How a door greets that speaks HTTP/1.1, and that asks for certificates where there are `clients`.
    ///
    /// Sessions are not resumed: a client would be let in by a certificate that has ended meanwhile, or by an
    /// authority that is none any more.
    ///
    /// # Errors
    /// What rustls refuses of that.
    pub fn reception(self: &Arc<Self>, clients: Option<Arc<Clients>>) -> Result<ServerConfig, rustls::Error> {
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            Some(clients) => clients,
            None => Arc::new(NoClientAuth),
        };
        let mut config = self.config(&[b"http/1.1"], verifier)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn config(
        self: &Arc<Self>,
        protocols: &[&[u8]],
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}

#[derive(Debug)]
struct Resolver(Arc<Certificates>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load_full())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, Box<Diagnostic>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read_file(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| fault(certificate, format!("not certificates in PEM: {}", pem_fault(&error)), ""))?;
    if chain.is_empty() {
        let help = "it begins with `-----BEGIN CERTIFICATE-----`, the one of the key first, then who signed it";
        return Err(fault(certificate, "there is no certificate in it".to_owned(), help));
    }
    let der = PrivateKeyDer::from_pem_slice(&read_file(key)?).map_err(|error| {
        let help = "it begins with `-----BEGIN PRIVATE KEY-----` and has no password";
        fault(key, format!("there is no private key in it: {}", pem_fault(&error)), help)
    })?;
    let signing = provider()
        .key_provider
        .load_private_key(der)
        .map_err(|error| fault(key, format!("not a key for TLS: {error}"), "take ECDSA P-256, RSA or Ed25519"))?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let of = certificate.display();
            Err(fault(key, format!("it is not the key of the first certificate in {of}"), ""))
        }
        Err(error) => Err(fault(certificate, format!("not a certificate: {error}"), "")),
    }
}

fn fault(file: &Path, message: String, help: &str) -> Box<Diagnostic> {
    let fault = Diagnostic::error(Place::of_file(file), message);
    Box::new(if help.is_empty() { fault } else { fault.help(help) })
}

fn pem_fault(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "nothing of that kind was found".to_owned(),
        error => error.to_string(),
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, Box<Diagnostic>> {
    let mut octets = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(FILE_OCTETS_MAX + 1).read_to_end(&mut octets));
    match read {
        Err(error) => Err(fault(file, format!("cannot be read: {error}"), "")),
        Ok(_) if octets.len() as u64 > FILE_OCTETS_MAX => {
            Err(fault(file, format!("it cannot be longer than {FILE_OCTETS_MAX} octets"), ""))
        }
        Ok(_) => Ok(octets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate of its own for `host`, and the key.
    fn pair(host: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_faulty_pair_is_reported_and_the_old_one_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        let write = |chain: &str, secret: &str| {
            std::fs::write(&certificate, chain).expect("written");
            std::fs::write(&key, secret).expect("written");
        };
        let ((one, one_key), (two, two_key)) = (pair("ns1.example.com"), pair("ns2.example.com"));
        write(&one, &one_key);
        let served = Certificates::read(&certificate, &key).expect("a sound pair");
        let first = served.current.load_full();
        assert_eq!(served.refresh(), Ok(false));
        let check = |chain: &str, secret: &str, file: &Path, message: &str| {
            write(chain, secret);
            let fault = served.refresh().expect_err(message);
            assert_eq!(fault.place.file, file, "{fault}");
            assert!(fault.message.contains(message), "{fault}");
            assert_eq!(served.current.load().cert, first.cert, "the old pair stays");
        };
        check("", &one_key, &certificate, "there is no certificate in it");
        check(&one_key, &one_key, &certificate, "there is no certificate in it");
        check("-----BEGIN CERTIFICATE-----\n!\n", &one_key, &certificate, "not certificates in PEM");
        check(&one, "", &key, "there is no private key in it");
        check(&one, &two_key, &key, "it is not the key of the first certificate");
        std::fs::remove_file(&key).expect("removed");
        assert!(served.refresh().expect_err("no key").message.contains("cannot be read"));
        write(&two, &two_key);
        assert_eq!(served.refresh(), Ok(true));
        assert_ne!(served.current.load().cert, first.cert);
    }
}
