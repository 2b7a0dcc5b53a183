//! Octets ↔ types: header, name, question, EDNS. Knows no zone, no socket, no clock.

pub mod header;
pub mod query;
pub mod qname;
pub mod edns;
pub mod octets;
pub mod option;
pub mod ecs;
pub mod cookie;
pub mod name;
pub mod rtype;
pub mod rdata;
pub mod field;
pub mod response;
