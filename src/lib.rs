//! Bellwether: an authoritative DNS server that balances load across the globe.

pub mod answer;
pub mod diagnostic;
pub mod health;
pub mod moment;
pub mod policy;
pub mod probe;
pub mod snapshot;
pub mod system;
pub mod transport;
pub mod ttl;
pub mod wire;
pub mod zone;
