//! Certificate authorities of our own, and what they issue.

use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};

use super::nginx::Certificate;

/// An authority.
pub(crate) type Root = CertifiedIssuer<'static, KeyPair>;

/// An authority called `name`.
pub(crate) fn root(name: &str) -> Root {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Without a name of its own, the root would be taken for the issuer of itself in every chain.
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root")
}

/// A certificate for `name` that holds now.
pub(crate) fn certificate(root: &Root, name: &str) -> Certificate {
    let [certificate] = certificates(root, name, [None]);
    certificate
}

/// Certificates for `name`, all of one key, each until a moment where one is given.
pub(crate) fn certificates<const N: usize>(root: &Root, name: &str, ends: [Option<SystemTime>; N]) -> [Certificate; N] {
    let key = KeyPair::generate().expect("a key");
    ends.map(|end| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(end) = end {
            params.not_after = end.into();
        }
        let leaf = params.signed_by(&key, root).expect("a certificate");
        Certificate { chain: leaf.pem(), key: key.serialize_pem() }
    })
}

/// A client's side of TLS that trusts `root` alone.
pub(crate) fn trusting(root: &Root) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
