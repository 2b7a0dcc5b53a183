//! The admin API's side of the server: its token, its certificates, and the task that it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;

use super::doors::{faulty, replaced};
use super::{Audience, StartError};
use crate::admin::{self, Access, Desk, Entrance, Token};
use crate::config::{Admin, AdminTls, is_open_to_all};
use crate::diagnostic::{Diagnostic, Place};
use crate::transport::tls::{Certificates, Clients};

/// The admin API, whether it is open or not.
pub(super) struct Front {
    listener: std::net::TcpListener,
    desk: Desk,
    access: Access,
}

/// The task that takes its requests in, which ends with this. Requests that it took in are answered all the same.
pub(super) struct AdminTask(tokio::task::AbortHandle);

impl Drop for AdminTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the admin API proves itself with and knows others by, kept fresh.
pub(super) struct Papers {
    bearer: Option<Bearer>,
    tls: Option<Tls>,
}

/// A token, and where it stands.
struct Bearer {
    file: PathBuf,
    token: Arc<ArcSwap<Token>>,
}

struct Tls {
    own: Arc<Certificates>,
    clients: Option<Arc<Clients>>,
}

impl Front {
    /// Reads the token and the certificates; `None` where there is to be no admin API. Faulty certificates are told to
    /// `audience`.
    pub(super) fn new(
        admin: Option<&Admin>,
        listener: Option<TcpListener>,
        desk: Desk,
        audience: &dyn Audience,
    ) -> Result<Option<(Self, Papers)>, StartError> {
        let (Some(Admin { listen, token_file, tls, .. }), Some(listener)) = (admin, listener) else { return Ok(None) };
        let bearer = token_file.as_deref().map(Bearer::read).transpose()?;
        let tls = tls.as_ref().map(|tls| Tls::read(tls, audience)).transpose()?;
        let entrance = tls.as_ref().map_or(Ok(Entrance::Plain), Tls::entrance)?;
        let listener = listener.into_std();
        let listener = listener.map_err(|error| StartError::System { what: "open the admin API", error })?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        tracing::info!("the admin API is on {scheme}://{listen}");
        let token = bearer.as_ref().map(|bearer| Arc::clone(&bearer.token));
        Ok(Some((Self { listener, desk, access: Access { entrance, token } }, Papers { bearer, tls })))
    }

    /// Takes requests in until the task is dropped; those that come while it is not open wait in the socket.
    pub(super) fn open(&self) -> Result<AdminTask, StartError> {
        let listener = self.listener.try_clone().and_then(TcpListener::from_std);
        let listener = listener.map_err(|error| StartError::System { what: "open the admin API", error })?;
        let serving = admin::serve(listener, self.desk.clone(), self.access.clone());
        Ok(AdminTask(tokio::spawn(serving).abort_handle()))
    }
}

impl Papers {
    /// Reads the files again, and says which are at fault: what they said before stays in use.
    pub(super) fn refresh(&self) -> Vec<Diagnostic> {
        let Self { bearer, tls } = self;
        let clients = tls.as_ref().and_then(|tls| tls.clients.as_ref());
        let faults = [
            bearer.as_ref().and_then(|bearer| replaced(bearer.refresh(), "the token of the admin API")),
            tls.as_ref().and_then(|tls| replaced(tls.own.refresh(), "the certificate of the admin API")),
            clients.and_then(|clients| replaced(clients.refresh(), "the file of the admin API's `clients`")),
        ];
        faults.into_iter().flatten().collect()
    }
}

impl Bearer {
    fn read(file: &Path) -> Result<Self, StartError> {
        let token = Token::read(file).map_err(|error| StartError::Token { file: file.to_owned(), error })?;
        if is_open_to_all(file) {
            tracing::warn!("the token file {} is open to every user of this machine", file.display());
        }
        Ok(Self { file: file.to_owned(), token: Arc::new(ArcSwap::from_pointee(token)) })
    }

    /// Whether it is another than before.
    fn refresh(&self) -> Result<bool, Box<Diagnostic>> {
        let token = Token::read(&self.file).map_err(|error| Diagnostic::error(Place::of_file(&self.file), error))?;
        let changed = **self.token.load() != token;
        if changed {
            self.token.store(Arc::new(token));
        }
        Ok(changed)
    }
}

impl Tls {
    fn read(tls: &AdminTls, audience: &dyn Audience) -> Result<Self, StartError> {
        let read = || {
            let own = Arc::new(Certificates::read(&tls.certificate, &tls.key)?);
            let clients = tls.clients.as_deref().map(Clients::read).transpose()?;
            Ok(Self { own, clients: clients.map(Arc::new) })
        };
        read().map_err(|fault| faulty(fault, audience))
    }

    fn entrance(&self) -> Result<Entrance, StartError> {
        let config = self.own.reception(self.clients.clone()).map(Arc::new);
        let config = config.map_err(|error| StartError::System {
            what: "set TLS up for the admin API",
            error: std::io::Error::other(error),
        })?;
        Ok(if self.clients.is_some() { Entrance::Certified(config) } else { Entrance::Encrypted(config) })
    }
}
