//! The integration tests that need no other program, in one binary: one link, one start.
#![allow(clippy::expect_used, clippy::panic, reason = "tests say what they expect by unwrapping it")]

mod aliases;
mod allocation;
mod answers;
mod architecture;
#[cfg(test)]
mod commands;
mod counting;
mod kinds;
mod limits;
mod nesting;
mod policies;
mod properties;
mod real_places;
mod served;
mod source;
mod steering;
#[cfg(test)]
mod turning;

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
