//! The server between real programs: `dig`, `kdig`, curl, Unbound, dnsdist, dnsperf, nginx, BIND, NSD, Knot, gdnsd, `drill`,
//! `promtool` and systemd's tools.
//!
//! `cargo test --test peers` runs these; plain `cargo test` leaves them out, since they need programs that not
//! everybody has. A missing program is named and its tests do nothing, except under CI, where they fail. The tests
//! that wait for caches to forget do so side by side: the whole takes little longer than the longest budget.
//!
//! A machine that confines `named` or `unbound` to their system folders (AppArmor) must be told to let them read
//! the temporary folder.

#[cfg(test)]
mod blackhole;
#[cfg(test)]
mod certified;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod corners;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod dnstap;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod importing;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replace;
#[cfg(test)]
mod resolving;
#[cfg(test)]
mod secondaries;
#[cfg(test)]
mod service;
#[cfg(test)]
mod weighted;

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
