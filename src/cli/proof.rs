//! What proves to a server who asks it, and to the asker which server it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rustls::ClientConfig;

use crate::admin::Token;
use crate::config::{Admin, AdminTls};
use crate::probe::{Authorities, Identity, IdentityFault, TlsCheck, Trust};

#[derive(Args, Clone, Debug, Default)]
pub(super) struct ProofArguments {
    /// The file with the token of the server that --server names
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// Certificates, in PEM, of the authorities that vouch for the https server that --server names [default: the system's]
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// Our own certificate, in PEM, for an https server that knows its clients by theirs
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The key of --certificate
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

/// What one asks a server with.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) token: Option<Token>,
    /// Where it is asked by HTTPS.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl ProofArguments {
    /// The first flag that is given, if one is.
    pub(super) fn given(&self) -> Option<&'static str> {
        let flags = [("--token-file", &self.token_file), ("--ca", &self.ca), ("--certificate", &self.certificate)];
        flags.into_iter().find(|(_, file)| file.is_some()).map(|(flag, _)| flag)
    }

    /// For the server at a URL that begins with `scheme`, of which nothing else is known.
    pub(super) fn of_url(&self, scheme: &str) -> Result<Proof, String> {
        let token = self.token_file.as_deref().map(token).transpose()?;
        if scheme == "http" {
            let alone = self.ca.as_ref().map(|_| "--ca").or(self.certificate.as_ref().map(|_| "--certificate"));
            let wrong = |flag| format!("{flag} is of no use by http: write https:// in --server");
            return alone.map_or(Ok(Proof { token, tls: None }), |flag| Err(wrong(flag)));
        }
        let trust = self.ca.as_deref().map(authorities).transpose()?.map_or(Trust::System, Trust::Only);
        Ok(Proof { token, tls: Some(self.client(trust, None)?) })
    }

    /// For the server whose own server file opens `admin`: with the certificate that lies there, it is that server,
    /// whatever the certificate is for.
    pub(super) fn of_admin(&self, admin: &Admin) -> Result<Proof, String> {
        let alone = self.token_file.as_ref().map(|_| "--token-file").or(self.ca.as_ref().map(|_| "--ca"));
        if let Some(flag) = alone {
            return Err(format!("{flag} is of no use without a URL in --server: the server file says it all"));
        }
        let token = admin.token_file.as_deref().map(token).transpose()?;
        let Some(AdminTls { certificate, commands, .. }) = &admin.tls else {
            let wrong = |_: &PathBuf| Err("--certificate is of no use: the server file opens no HTTPS".to_owned());
            return self.certificate.as_ref().map_or(Ok(Proof { token, tls: None }), wrong);
        };
        let trust = Trust::Itself(authorities(certificate)?);
        Ok(Proof { token, tls: Some(self.client(trust, commands.as_ref())?) })
    }

    fn client(&self, trust: Trust, otherwise: Option<&(PathBuf, PathBuf)>) -> Result<Arc<ClientConfig>, String> {
        let given = self.certificate.as_deref().zip(self.key.as_deref());
        let pair = given.or(otherwise.map(|(certificate, key)| (certificate.as_path(), key.as_path())));
        let identity = pair.map(|(certificate, key)| identity(certificate, key)).transpose()?;
        let check = TlsCheck { trust, identity, ..TlsCheck::verified() };
        check.client().map_err(|failure| failure.to_string())
    }
}

fn token(file: &Path) -> Result<Token, String> {
    Token::read(file).map_err(|error| format!("the token file {}: {error}", file.display()))
}

fn authorities(file: &Path) -> Result<Arc<Authorities>, String> {
    Authorities::read(&text(file)?).map(Arc::new).map_err(|wrong| format!("{} {wrong}", file.display()))
}

fn identity(certificate: &Path, key: &Path) -> Result<Arc<Identity>, String> {
    let read = Identity::read(&text(certificate)?, &text(key)?).map(Arc::new);
    read.map_err(|fault| match fault {
        IdentityFault::Certificate(wrong) => format!("{} {wrong}", certificate.display()),
        IdentityFault::Key(wrong) => format!("{} {wrong}", key.display()),
    })
}

fn text(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}
