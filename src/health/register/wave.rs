//! Waves: many endpoints of a family that fail at once.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::health::PerMille;
use crate::moment::Moment;

/// When a wave is assumed and how long it may hold verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaveSettings {
    /// More than this share of the living endpoints must turn suspect together; `None` never holds anything.
    pub share: Option<PerMille>,
    /// The longest that a verdict is held, where the promise leaves so much.
    pub hold: Duration,
}

impl WaveSettings {
    /// `wave-hold` where none is given: a reboot of a router of one's own, or its switch to another uplink, mostly
    /// fits, and so does the slack of the default budget (42 s).
    pub const HOLD: Duration = Duration::from_secs(30);
    /// A longer one would be a decision not to fail over.
    pub const HOLD_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
}

impl Default for WaveSettings {
    fn default() -> Self {
        Self { share: Some(PerMille::new(500)), hold: Self::HOLD }
    }
}

/// Many endpoints that failed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Of which family.
    pub family: WaveFamily,
    /// When it was noticed.
    pub since: Moment,
    /// When it is over at the latest.
    pub until: Moment,
    /// How many endpoints had turned suspect when it was noticed.
    pub suspects: usize,
    /// Of how many that lived.
    pub living: usize,
}

/// The family of a wave's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaveFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl WaveFamily {
    /// That of `address`.
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for WaveFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}
