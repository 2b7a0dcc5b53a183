//! Bellwether: an authoritative DNS server that balances load across the globe.

pub mod config;
pub mod diagnostic;
pub mod health;
pub mod moment;
pub mod policy;
pub mod probe;
pub mod system;
pub mod ttl;
pub mod wire;
