//! Probe results → verdicts and the soonest flip; the board that the data plane reads.
//!
//! Knows nothing of sockets, files or clocks: results and moments are passed in.

mod board;
mod timing;

pub use board::{Board, Health, ProbeId};
pub use timing::{Timing, limits};
