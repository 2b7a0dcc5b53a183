//! Probe results → verdicts and the soonest flip, reports → load; the board that the data plane reads.
//!
//! Knows nothing of sockets, files or clocks: results and moments are passed in.

mod board;
mod condition;
mod machine;
mod pace;
mod comeback;
mod ramp;
mod load;
mod register;
mod timing;

pub use board::{Board, Health, ProbeId};
pub use comeback::{Comeback, Failback, HoldDown, limits as comeback_limits};
pub use condition::{Condition, InWords, Probed, Record, Step};
pub use load::{Gauge, Load, PerMille, SILENCE_INTERVALS, STEP_PER_INTERVAL, TOLD_STEP};
pub use machine::{Finding, State, Verdict};
pub use pace::{LATENESS_MAX, patience};
pub use ramp::{RAMP_STEPS, Ramp};
pub use register::{ENDPOINTS_LEAST, News, Register, Settled, WINDOW_MAX, Watched, Wave, WaveFamily, WaveSettings};
pub use timing::{Free, Timing, limits};
