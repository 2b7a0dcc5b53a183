//! TLS for probes: what is trusted, who we are, and a configuration for each pair of those, shared by every endpoint
//! that has them.
//!
//! On ring, named here rather than installed for the process, so no other part can change it. Sessions are never
//! resumed: a resumed handshake shows no certificate, and one that expired would go unnoticed for as long as
//! the endpoint honours the ticket.

mod verifier;

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use tracing::warn;

use super::Failure;
use verifier::{AnyCertificate, ThisCertificate};

/// How long before a certificate ends that is told, where nothing is said. Those that live for 90 days are commonly
/// renewed 30 days before their end: half of that is overdue, and leaves two weeks to act.
pub const WARN_BEFORE: Duration = Duration::from_secs(14 * 86_400);

/// Certificates in one file; the whole of the public web's roots are some 150.
const CERTIFICATES_MAX: usize = 1_000;

/// What of a TLS handshake must hold, and who we are in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsCheck {
    /// Who must vouch for the certificate.
    pub trust: Trust,
    /// The server name of the handshake and of the certificate, where it is not the host's.
    pub server_name: Option<String>,
    /// Who we are, where the endpoint wants to know.
    pub identity: Option<Arc<Identity>>,
    /// How long before its end a certificate is warned of; 0 for never.
    pub warn_before: Duration,
}

impl TlsCheck {
    /// A certificate for the host, under a root that the system trusts, warned of in time.
    pub const fn verified() -> Self {
        Self { trust: Trust::System, server_name: None, identity: None, warn_before: WARN_BEFORE }
    }

    /// A client's side of TLS by which this is checked, for one who asks by HTTP/1.1. Where the system is trusted its
    /// roots are read: some ten milliseconds.
    ///
    /// # Errors
    /// A key that cannot be used.
    pub fn client(&self) -> Result<Arc<ClientConfig>, Failure> {
        Tls::system().config(self, &[b"http/1.1"])
    }
}

/// Who must vouch for a certificate. Where anybody must, the name and the dates must hold too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Roots that the system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
    System,
    /// These, and no others.
    Only(Arc<Authorities>),
    /// Whoever has the very certificate that is the first of these; its name and its dates do not count then.
    Itself(Arc<Authorities>),
    /// Nobody: any certificate will do (`verify = false`).
    Anyone,
}

/// Certificates, one at least, of authorities as a rule, from a file in PEM.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with the file.
    pub fn read(text: &str) -> Result<Self, String> {
        let certificates = certificates(text)?;
        let mut roots = RootCertStore::empty();
        for (number, certificate) in (1..).zip(&certificates) {
            let refused = |error: rustls::Error| format!("holds as certificate {number} what is none: {error}");
            roots.add(certificate.clone()).map_err(refused)?;
        }
        Ok(Self(certificates))
    }

    fn store(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        roots
    }
}

/// A certificate with its key, which never stands in a log.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// As it is equal, but for the key, which belongs to the chain.
impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.chain.hash(state);
    }
}

/// What is wrong with an [`Identity`], as the rest of a sentence that begins with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityFault {
    /// In the file of the certificate.
    Certificate(String),
    /// In the file of the key.
    Key(String),
}

impl Identity {
    /// Reads the texts of two files: the certificate, with those that lead to its root, and its key.
    ///
    /// # Errors
    /// Files that are not PEM, or do not belong together.
    pub fn read(chain: &str, key: &str) -> Result<Self, IdentityFault> {
        let chain = certificates(chain).map_err(IdentityFault::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| {
            IdentityFault::Key(match error {
                pem::Error::NoItemsFound => {
                    "holds no private key in PEM (a key with a password cannot be read)".to_owned()
                }
                other => format!("is not PEM: {other}"),
            })
        })?;
        let pair = CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider());
        pair.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => IdentityFault::Key("is not the key of the certificate".to_owned()),
            rustls::Error::InvalidCertificate(_) => {
                IdentityFault::Certificate(format!("holds what is no certificate: {error}"))
            }
            other => IdentityFault::Key(format!("holds a key that cannot be used: {other}")),
        })?;
        Ok(Self { chain, key })
    }

    /// When our certificate ends, in seconds since 1970, as far as that can be read.
    pub fn ends(&self) -> Option<u64> {
        self.chain.first().and_then(certificate_ends)
    }
}

/// The certificates of a text in PEM, one at least.
fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_slice_iter(text.as_bytes()).take(CERTIFICATES_MAX + 1);
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| format!("is not PEM: {error}"))?;
    match certificates.len() {
        0 => Err("holds no certificate in PEM".to_owned()),
        count if count > CERTIFICATES_MAX => Err(format!("holds more than {CERTIFICATES_MAX} certificates")),
        _ => Ok(certificates),
    }
}

/// When a certificate ends, in seconds since 1970; `None` where it is none that webpki reads.
///
/// The verifier is asked whether it holds at the end of all time. Its dates are the first that is looked at, before
/// any signature, so this costs a few microseconds and no second reader of certificates.
pub(super) fn certificate_ends(certificate: &CertificateDer<'_>) -> Option<u64> {
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let usage = webpki::KeyUsage::server_auth();
    match certificate.verify_for_usage(&[], &[], &[], end_of_time, usage, None, None) {
        Err(webpki::Error::CertExpired { not_after, .. }) => Some(not_after.as_secs()),
        _ => None,
    }
}

/// What a configuration is made of: whom it trusts, who we are, and which protocols it offers, the best first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Terms {
    trust: Trust,
    identity: Option<Arc<Identity>>,
    protocols: Vec<Vec<u8>>,
}

/// The configurations in use. The system's roots are read when the first endpoint wants them, and not again: one that
/// changes takes a restart.
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    system: OnceLock<Arc<RootCertStore>>,
    roots: Box<dyn Fn() -> RootCertStore + Send + Sync>,
    configs: Mutex<HashMap<Terms, Weak<ClientConfig>>>,
}

impl Tls {
    /// Trusts the roots that the system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
    pub(super) fn system() -> Self {
        Self::with_roots(system_roots)
    }

    /// Takes what `roots` gives for the system's.
    pub(super) fn with_roots(roots: impl Fn() -> RootCertStore + Send + Sync + 'static) -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            system: OnceLock::new(),
            roots: Box::new(roots),
            configs: Mutex::default(),
        }
    }

    /// The configuration for `check` that offers `protocols` (ALPN, RFC 7301), the best first; those who ask for the
    /// same share one. The first that trusts the system reads its roots: some ten milliseconds.
    ///
    /// # Errors
    /// A key that cannot be used, which whoever read it should have seen.
    pub(super) fn config(&self, check: &TlsCheck, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, Failure> {
        let protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let terms = Terms { trust: check.trust.clone(), identity: check.identity.clone(), protocols };
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&terms).and_then(Weak::upgrade) {
            return Ok(config);
        }
        configs.retain(|_, config| config.strong_count() > 0);
        let config = Arc::new(self.make(&terms).map_err(Failure::Tls)?);
        configs.insert(terms, Arc::downgrade(&config));
        Ok(config)
    }

    fn make(&self, terms: &Terms) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let builder = match &terms.trust {
            Trust::System => {
                builder.with_root_certificates(Arc::clone(self.system.get_or_init(|| Arc::new((self.roots)()))))
            }
            Trust::Only(authorities) => builder.with_root_certificates(authorities.store()),
            Trust::Itself(known) => {
                let this = ThisCertificate { certificate: known.0[0].clone(), provider: Arc::clone(&self.provider) };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(this))
            }
            Trust::Anyone => {
                let any = AnyCertificate(Arc::clone(&self.provider));
                builder.dangerous().with_custom_certificate_verifier(Arc::new(any))
            }
        };
        let mut config = match &terms.identity {
            Some(identity) => builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&terms.protocols);
        config.resumption = Resumption::disabled();
        Ok(config)
    }
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
        warn!("no root certificate is trusted ({ignored} unreadable): probes over TLS that verify will fail");
    }
    roots
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("roots_read", &self.system.get().is_some()).finish_non_exhaustive()
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
        let anyone = TlsCheck { trust: Trust::Anyone, ..TlsCheck::verified() };
        let unverified = tls.config(&anyone, &[b"h2"]).expect("a configuration");
        assert!(read.get().is_none());
        let verified = [&[b"h2".as_slice()], &[b"http/1.1".as_slice()], &[b"h2".as_slice()]]
            .map(|protocols| tls.config(&TlsCheck::verified(), protocols).expect("a configuration"));
        assert!(read.get().is_some());
        assert!(Arc::ptr_eq(&verified[0], &verified[2]) && !Arc::ptr_eq(&verified[0], &verified[1]));
        assert_eq!(verified[0].alpn_protocols, unverified.alpn_protocols);
        assert_eq!(tls.configs.lock().expect("a lock").len(), 3);
        drop((verified, unverified));
        tls.config(&anyone, &[]).expect("a configuration");
        assert_eq!(tls.configs.lock().expect("a lock").len(), 1, "what nobody uses is let go");
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let check = |not_after: (i32, u8, u8), expected: u64| {
            let authority = Authority::new("root.example.com");
            let (year, month, day) = not_after;
            let mut params = rcgen::CertificateParams::new(["www.example.com".to_owned()]).expect("a name");
            params.not_after = rcgen::date_time_ymd(year, month, day);
            assert_eq!(certificate_ends(&authority.issue(params).0), Some(expected), "{not_after:?}");
        };
        check((2001, 9, 9), 999_993_600);
        // UTCTime ends with 2049 (RFC 5280 §4.1.2.5).
        check((2049, 12, 31), 2_524_521_600);
        check((2050, 1, 1), 2_524_608_000);
        check((4096, 1, 1), 67_090_118_400);
        assert_eq!(certificate_ends(&CertificateDer::from(vec![0x30, 0x03, 0x02, 0x01, 0x05])), None);
        assert_eq!(certificate_ends(&CertificateDer::from(Vec::new())), None);
    }

    #[test]
    fn files_of_certificates_and_keys_are_read_or_say_what_is_wrong() {
        let (one, other) = (Authority::new("root.example.com"), Authority::new("root.example.org"));
        let ((certificate, key), (_, other_key)) = (one.pem_of("client"), other.pem_of("client"));
        assert_eq!(Authorities::read(&(one.pem() + &other.pem())).map(|read| read.0.len()), Ok(2));
        let check = |text: &str, expected: &str| {
            assert_eq!(Authorities::read(text).expect_err("a fault"), expected);
        };
        check("", "holds no certificate in PEM");
        check(&key, "holds no certificate in PEM");
        let nonsense = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n";
        check(nonsense, "holds as certificate 1 what is none: invalid peer certificate: BadEncoding");
        let cut = one.pem().replace("-----END CERTIFICATE-----", "");
        assert!(Authorities::read(&cut).expect_err("a fault").starts_with("is not PEM: "));

        let read = Identity::read(&certificate, &key).expect("a pair");
        assert!(read.ends().is_some_and(|ends| ends > 4_000_000_000), "rcgen's are valid for long");
        assert!(!format!("{read:?}").contains("secret_document"), "the key is not shown");
        let check = |chain: &str, key: &str, expected: IdentityFault| {
            assert_eq!(Identity::read(chain, key).expect_err("a fault"), expected);
        };
        check(&key, &key, IdentityFault::Certificate("holds no certificate in PEM".to_owned()));
        check(&certificate, &other_key, IdentityFault::Key("is not the key of the certificate".to_owned()));
        let none = "holds no private key in PEM (a key with a password cannot be read)";
        check(&certificate, &certificate, IdentityFault::Key(none.to_owned()));
    }
}
