//! Address → place → class: databases of places and the operator's rules, compiled into maps.
//!
//! A leaf: it knows no zone, no health, no policy, no sockets and no clock; a database comes to it as octets.
//!
//! [`Places`] is what the databases say, [`Rules`] what an operator wants to tell apart, and [`Map`] the two
//! compiled: from an address to its *class*, an ordered list of members, with the number of leading bits of the
//! address that this depended on. Everything that takes time is done when a map is compiled; a lookup is one to
//! three reads and a short binary search.

mod walk;
mod map;
mod rtts;
mod latency;
mod claims;
mod distance;
mod classes;
mod database;
mod record;
mod place;
mod continent;
mod countries;
mod partition;
mod sweep;
mod wide;
mod narrow;
mod blocks;
mod ranges;
mod address;
#[cfg(test)]
mod real;
#[cfg(test)]
mod samples;

use std::fmt;

pub use address::{Folded, Network, Span};
pub use claims::{Claim, Conflict, conflicts};
pub use classes::{ClassId, Classes};
pub use continent::Continent;
pub use database::Places;
pub use distance::{BIAS_MAX, Bias, NEAREST_MAX, Site};
pub use latency::{HYSTERESIS_US, RTT_MS_MAX, RttTable, Sample, TOLERANCE_MS};
pub use map::{Found, Map, Otherwise, Rules};
pub use place::{Coordinates, Country, Place, Subdivision, parse_asn};
pub use rtts::{EXPECTED_MAX, Expected, RttMap};
pub use walk::{Cut, walk};

/// What is wrong with a word or a database, and what would be right. The reader that has the file adds the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Lower case, no full stop.
    pub message: String,
    /// What would be right, where that is known.
    pub help: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}
