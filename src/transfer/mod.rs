//! Zones given to secondaries, and requests that are signed.
//!
//! | file | what for |
//! |---|---|
//! | `access` | who may have what, signed by which key |
//! | `signing` | requests that bear a signature, and what is answered to them (RFC 8945) |
//! | `axfr` | the records of a zone, as the messages of a transfer (RFC 5936) |
//! | `notify` | telling secondaries that a zone has moved on (RFC 1996) |
//!
//! None of this is on the path of a query: it allocates. What is given away is the static half of a zone, since a
//! secondary has neither our policies nor our verdicts; at a balanced name there are no addresses in it.
//!
//! Knows neither sockets nor files; the time is passed in, for signatures.

mod access;
mod axfr;
pub mod notify;
mod signing;

pub use access::{Carrier, Grant, Grants, Received, Verdict};
pub use axfr::Transfer;
pub use signing::{Algorithm, Key, Keys, Signer};
