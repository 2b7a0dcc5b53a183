//! Octets ↔ types: header, name, question, EDNS. Knows no zone, no socket, no clock.

pub mod edns;
pub mod header;
pub mod name;
pub mod qname;
pub mod query;
pub mod rtype;
