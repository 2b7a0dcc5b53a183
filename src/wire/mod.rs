//! Octets ↔ types: header, name, question, EDNS. Knows no zone, no socket, no clock.

pub mod name;
pub mod rdata;
pub mod rtype;
