//! Probe results → verdicts and the soonest flip, reports → load; the board that the data plane reads.
//!
//! Knows nothing of sockets, files or clocks: results and moments are passed in.

mod board;
mod load;
mod machine;
mod timing;

pub use board::{Board, Health, ProbeId};
pub use load::{Gauge, Load, PerMille, SILENCE_INTERVALS, STEP_PER_INTERVAL, TOLD_STEP};
pub use machine::{Finding, LATENESS_MAX, State, Step, Verdict, patience};
pub use timing::{Timing, limits};
