//! The states of one probed endpoint and what leads from one to another: pure, and without time.
//!
//! | state         | a success                                  | a failure                                | a release |
//! |---------------|--------------------------------------------|------------------------------------------|-----------|
//! | unknown       | up                                         | down                                     | –         |
//! | up            | up                                         | suspect(1); down where fall is 1         | –         |
//! | suspect(n)    | up                                         | suspect(n+1); down where n+1 is fall     | –         |
//! | down          | recovering(1); *well* where rise is 1      | down                                     | –         |
//! | recovering(n) | recovering(n+1); *well* where n+1 is rise  | down                                     | –         |
//! | held          | *well*                                     | down                                     | –         |
//! | awaiting      | *well*                                     | down                                     | up        |
//!
//! *Well* is held before the end of the hold-down; after it, awaiting under manual failback, and up otherwise; and it is
//! up where nobody acted on the death, its verdict being held over a wave. When a hold ends is
//! [`super::Condition`]'s affair, and when the next probe starts that of `pace`.
//!
//! The verdict is up in up and suspect, down in all others but unknown, where there is none. No way to down passes
//! held or awaiting: what an endpoint must wait for never delays that it is found dead.

use std::fmt;

use super::Timing;

/// What is thought of an endpoint, after hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It serves.
    Up,
    /// It does not.
    Down,
}

/// What one probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The answer that the monitor wants.
    Success,
    /// Another answer, or none in time.
    Failure,
}

/// Where one probed endpoint stands. Counts are at least 1 and below the monitor's `fall` or `rise`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// No result yet; the first decides at once.
    #[default]
    Unknown,
    /// Up, and the last probe agreed.
    Up,
    /// Up, with failures counting.
    Suspect {
        /// Consecutive failures so far.
        failures: u8,
    },
    /// Down, and the last probe agreed.
    Down,
    /// Down, with successes counting.
    Recovering {
        /// Consecutive successes so far.
        successes: u8,
    },
    /// Down and well again, until its hold-down ends.
    Held,
    /// Down and well again, until an operator releases it.
    Awaiting,
}

impl State {
    /// A state by its [`State::word`] and [`State::count`], as they were written; the count of a state that has none
    /// is passed over. `None` for another word.
    pub fn of(word: &str, count: u8) -> Option<Self> {
        Some(match word {
            "unknown" => Self::Unknown,
            "up" => Self::Up,
            "suspect" => Self::Suspect { failures: count },
            "down" => Self::Down,
            "recovering" => Self::Recovering { successes: count },
            "held" => Self::Held,
            "awaiting" => Self::Awaiting,
            _ => return None,
        })
    }

    /// One word for it. Stable: files keep it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Suspect { .. } => "suspect",
            Self::Down => "down",
            Self::Recovering { .. } => "recovering",
            Self::Held => "held",
            Self::Awaiting => "awaiting",
        }
    }

    /// Consecutive results so far that are contrary to the verdict; 0 where none are counted.
    pub const fn count(self) -> u8 {
        match self {
            Self::Suspect { failures: count } | Self::Recovering { successes: count } => count,
            Self::Unknown | Self::Up | Self::Down | Self::Held | Self::Awaiting => 0,
        }
    }

    /// Whether the verdict is up; not while there is none.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Up | Self::Suspect { .. })
    }

    /// The transition table; `well` is what it says of an endpoint that is well again.
    pub(super) fn after(self, timing: &Timing, finding: Finding, well: Self) -> Self {
        let failed = |failures: u8| if failures >= timing.fall { Self::Down } else { Self::Suspect { failures } };
        let succeeded = |successes: u8| if successes >= timing.rise { well } else { Self::Recovering { successes } };
        match (self, finding) {
            (Self::Unknown | Self::Up | Self::Suspect { .. }, Finding::Success) => Self::Up,
            (Self::Up, Finding::Failure) => failed(1),
            (Self::Suspect { failures }, Finding::Failure) => failed(failures.saturating_add(1)),
            (Self::Down, Finding::Success) => succeeded(1),
            (Self::Recovering { successes }, Finding::Success) => succeeded(successes.saturating_add(1)),
            (Self::Held | Self::Awaiting, Finding::Success) => well,
            (Self::Unknown | Self::Down | Self::Recovering { .. } | Self::Held | Self::Awaiting, Finding::Failure) => {
                Self::Down
            }
        }
    }

    /// The same within what a monitor's settings allow: counts that would have turned the verdict long ago are one
    /// short of it.
    pub(super) fn within(self, timing: &Timing) -> Self {
        let (fall, rise) = (timing.fall.saturating_sub(1), timing.rise.saturating_sub(1));
        match self {
            Self::Suspect { failures } if failures.min(fall) == 0 => Self::Up,
            Self::Suspect { failures } => Self::Suspect { failures: failures.min(fall) },
            Self::Recovering { successes } if successes.min(rise) == 0 => Self::Down,
            Self::Recovering { successes } => Self::Recovering { successes: successes.min(rise) },
            Self::Unknown | Self::Up | Self::Down | Self::Held | Self::Awaiting => self,
        }
    }
}

/// As it stands in logs: `suspect (1 failure)`. How long a hold lasts is for [`super::Condition::in_words`] to say.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Suspect { failures: 1 } => f.write_str("suspect (1 failure)"),
            Self::Suspect { failures } => write!(f, "suspect ({failures} failures)"),
            Self::Recovering { successes: 1 } => f.write_str("recovering (1 success)"),
            Self::Recovering { successes } => write!(f, "recovering ({successes} successes)"),
            Self::Held => f.write_str("recovering (held)"),
            Self::Awaiting => f.write_str("recovering (awaits its release)"),
            Self::Unknown | Self::Up | Self::Down => f.write_str(self.word()),
        }
    }
}
