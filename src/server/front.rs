//! The admin API's side of the start: its token, its certificates, and the task that it is.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::{Audience, StartError, doors};
use crate::admin::{self, Access, Desk, Entrance, Token};
use crate::config::{Admin, AdminTls, is_open_to_all};
use crate::transport::tls::{Certificates, Clients};

/// The admin API, not yet open.
pub(super) struct Front {
    listener: TcpListener,
    desk: Desk,
    access: Access,
}

/// The admin API's task, which ends with this.
pub(super) struct AdminTask(tokio::task::AbortHandle);

impl Drop for AdminTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the admin API's certificate and those of its clients are verified by, kept fresh.
pub(super) struct Papers {
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
    ) -> Result<Option<(Self, Option<Papers>)>, StartError> {
        let (Some(Admin { listen, token_file, tls, .. }), Some(listener)) = (admin, listener) else { return Ok(None) };
        let token = token_file
            .as_ref()
            .map(|file| Token::read(file).map_err(|error| StartError::Token { file: file.clone(), error }));
        let token = token.transpose()?;
        if let Some(file) = token_file.as_ref().filter(|file| is_open_to_all(file)) {
            tracing::warn!("the token file {} is open to every user of this machine", file.display());
        }
        let papers = tls.as_ref().map(|tls| Papers::read(tls, audience)).transpose()?;
        let entrance = papers.as_ref().map_or(Ok(Entrance::Plain), Papers::entrance)?;
        let scheme = if papers.is_some() { "https" } else { "http" };
        tracing::info!("the admin API is on {scheme}://{listen}");
        Ok(Some((Self { listener, desk, access: Access { entrance, token } }, papers)))
    }

    pub(super) fn open(self) -> AdminTask {
        AdminTask(tokio::spawn(admin::serve(self.listener, self.desk, self.access)).abort_handle())
    }
}

impl Papers {
    fn read(tls: &AdminTls, audience: &dyn Audience) -> Result<Self, StartError> {
        let read = || {
            let own = Arc::new(Certificates::read(&tls.certificate, &tls.key)?);
            let clients = tls.clients.as_deref().map(Clients::read).transpose()?;
            Ok(Self { own, clients: clients.map(Arc::new) })
        };
        read().map_err(|fault| doors::faulty(fault, audience))
    }

    fn entrance(&self) -> Result<Entrance, StartError> {
        let config = self.own.reception(self.clients.clone()).map(Arc::new);
        let config = config.map_err(|error| StartError::System {
            what: "set TLS up for the admin API",
            error: std::io::Error::other(error),
        })?;
        Ok(if self.clients.is_some() { Entrance::Certified(config) } else { Entrance::Encrypted(config) })
    }

    /// Reads the files again. Faulty ones are told to `audience`, and those before stay.
    pub(super) fn refresh(&self, audience: &dyn Audience) {
        doors::refreshed(self.own.refresh(), "the certificate of the admin API", audience);
        if let Some(clients) = &self.clients {
            doors::refreshed(clients.refresh(), "the file of the admin API's `clients`", audience);
        }
    }
}
