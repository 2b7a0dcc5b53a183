//! Names → what the zone says. Does not know health, policies, sockets or clocks.
//!
//! Records come from a [`master`] file or from elsewhere and are collected compact ([`Records`]). A zone is built of
//! them once ([`Builder`]), checked as it is, and never changes: a reload makes a new one. Record sets are laid out as
//! they will be sent ([`Rrset`]), so a query finds a name and copies octets.

pub mod master;
mod builder;
mod records;
mod tree;
mod table;
mod rrset;
mod hints;
mod buffer;
mod pace;

pub use builder::{Beside, Builder, Fault};
pub use hints::{Hinted, Hints, IPV4HINT, IPV6HINT};
pub use records::{Origin, Records, Soa};
pub use rrset::{Record, Rrset};
pub(crate) use table::Table;
pub use tree::{Cut, Found, Node, Zone};
