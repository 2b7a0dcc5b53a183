//! Names → what the zone says. Does not know health, policies, sockets or clocks.
//!
//! A zone is built once ([`Builder`]), checked as it is, and never changes: a reload makes a new one. Record sets
//! are laid out as they will be sent ([`Rrset`]), so a query finds a name and copies octets.

pub mod master;
mod builder;
mod hints;
mod rrset;
mod tree;

pub use builder::{Beside, Builder, Fault, Origin};
pub use hints::{Hinted, Hints, IPV4HINT, IPV6HINT};
pub use rrset::{Record, Rrset};
pub(crate) use tree::Table;
pub use tree::{Cut, Found, Node, Zone};
