//! The integration tests that need no other program, in one binary: one link, one start.
#![allow(clippy::expect_used, clippy::panic, reason = "tests say what they expect by unwrapping it")]

#[cfg(test)]
mod admin;
mod aliases;
mod allocation;
mod answers;
mod architecture;
#[cfg(test)]
mod certified;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod corners;
mod counting;
#[cfg(test)]
mod dnstap;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod explain;
mod fuzzed;
#[cfg(test)]
mod handover;
mod hints;
mod importing;
mod kinds;
#[cfg(test)]
mod lifecycle;
mod limiting;
mod limits;
#[cfg(test)]
mod metrics;
mod nesting;
mod observing;
#[cfg(test)]
mod packaging;
mod policies;
mod portions;
#[cfg(test)]
mod preview;
#[cfg(test)]
mod probing;
mod promise;
mod properties;
#[cfg(test)]
mod quic;
mod readme;
mod real_places;
#[cfg(test)]
mod reloading;
#[cfg(test)]
mod restart;
mod served;
mod source;
mod steering;
#[cfg(test)]
mod top;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod turning;
#[cfg(test)]
mod waves;

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
