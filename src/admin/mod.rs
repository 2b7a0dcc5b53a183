//! The admin API: HTTP in, commands to the keeper out, and what it says back in JSON.
//!
//! | path | what for |
//! |---|---|
//! | `GET /healthz` | the process lives |
//! | `GET /readyz` | queries should come here: all sockets are bound, the first round is in, and it is not stopping |
//! | `GET /metrics` | what was counted, in the formats of Prometheus |
//! | `GET /v1/status` | how everything stands |
//! | `GET /v1/top` | what is asked most, by whom, and who is answered |
//! | `GET /v1/openapi.json` | what this table says, for programs |
//! | `GET /v1/explain` | which answer a client gets now, and why |
//! | `POST /v1/reload` | reads what changed; answers once that is served, or refused |
//! | `POST /v1/steer` | forces all that some patterns match, or takes that back, in one swap |
//! | `PUT`, `DELETE /v1/endpoints/{zone}/{pool}/{endpoint}/override` | forces one endpoint, or takes that back |
//! | `PUT`, `DELETE /v1/pools/{zone}/{pool}/override` | the same for a pool as a whole |
//! | `PUT /v1/endpoints/{zone}/{pool}/{endpoint}/health` | how an endpoint stands, as it says itself |
//!
//! It speaks HTTP, or HTTPS, by which clients may be known by certificates. Errors are RFC 9457 problem details. Runs on
//! the control plane: whatever happens here, queries are answered as ever. Knows nothing of zones, verdicts or files, only
//! of [`Desk`], which leads to the one that keeps them.

pub mod api;
mod desk;
mod entrance;
mod exposition;
mod guard;
mod openapi;
mod places;
mod problem;
mod routes;
mod token;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;

pub use desk::{Command, Desk, Life, Phase, Picture, Refusal, Selection};
pub use entrance::Entrance;
use places::Places;
pub use problem::Problem;
pub use token::{TOKEN_LEAST, TOKEN_MOST, Token};

/// Octets of a request's body: a hundred patterns of pools and endpoints fit several times.
pub const BODY_OCTETS_MAX: usize = 64 * 1024;

/// How long a request may take from its head on. The keeper never waits for anything, so seconds are plenty.
pub const REQUEST_LONGEST: Duration = Duration::from_secs(10);

/// How long a reload may take whose end is waited for: a million names are read within seconds, but what is new is
/// probed first, for as long as its monitor's timeout. It goes on when nobody waits for it any more.
pub const RELOAD_LONGEST: Duration = Duration::from_secs(50);

/// After a connection could not be accepted, for want of file descriptors say: trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who may ask, and how.
#[derive(Clone, Debug)]
pub struct Access {
    /// What is spoken, and whether clients are known by certificates.
    pub entrance: Entrance,
    /// By which one may ask too; whoever keeps it may put another in its place.
    pub token: Option<Arc<ArcSwap<Token>>>,
}

/// Answers on `listener` until it is dropped.
pub async fn serve(listener: TcpListener, desk: Desk, access: Access) {
    let entrance = access.entrance.clone();
    let routes = routes::router(desk, access);
    let places = Arc::new(Places::default());
    loop {
        let (connection, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "accepting a connection to the admin API");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = places.take(from.ip()) else {
            tracing::debug!("no place for one more connection to the admin API, from {from}");
            continue;
        };
        let (entrance, routes) = (entrance.clone(), routes.clone());
        tokio::spawn(async move {
            let _place = place;
            entrance::receive(connection, entrance, routes).await;
        });
    }
}
