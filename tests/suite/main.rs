//! The integration tests that need no other program, in one binary: one link, one start.
#![allow(clippy::expect_used, clippy::panic, reason = "tests say what they expect by unwrapping it")]

mod allocation;
mod architecture;
mod counting;
mod kinds;
mod served;
mod source;
