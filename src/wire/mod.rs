//! Octets ↔ types: header, name, question, EDNS. Knows no zone, no socket, no clock.

pub mod name;
