//! Measured round-trip times: who takes how long to reach which pool, as an operator's table says it.
//!
//! Knows no file: samples come to it read. What a table comes to for the members of one pool is `rtts`' affair.

use std::collections::HashMap;

use super::claims::Claim;

/// The longest round trip that a table may name, in milliseconds: what takes a minute is not reached.
pub const RTT_MS_MAX: u32 = 60_000;

/// How far a new sample may be from the one in force without taking its place, in microseconds. Half of
/// [`TOLERANCE_MS`]: when two members drift apart by so much each, they are still within one default band, and a
/// table that is measured anew every few minutes moves nobody for the noise in it.
pub const HYSTERESIS_US: u32 = 5_000;

/// How much longer than the best a member of the band may take where a pool does not say, in milliseconds.
pub const TOLERANCE_MS: u16 = 10;

/// One line of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// From where it was measured: a network, an AS number or a country.
    pub clients: Claim,
    /// To which pool: an index into the table's names.
    pub pool: u16,
    /// The round trip in microseconds, 1 to a thousand times [`RTT_MS_MAX`].
    pub rtt_us: u32,
}

/// Samples of many pools. Immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RttTable {
    pools: Box<[Box<str>]>,
    /// By clients and pool, none twice.
    samples: Box<[Sample]>,
}

impl RttTable {
    /// The table of `samples`, which name `pools` by number. Of equal clients and pools the last counts.
    pub fn of(pools: Vec<Box<str>>, mut samples: Vec<Sample>) -> Self {
        samples.sort_by_key(key);
        samples.reverse();
        samples.dedup_by_key(|sample| key(sample));
        samples.reverse();
        Self { pools: pools.into(), samples: samples.into() }
    }

    /// This, measured after `previous`: a sample within [`HYSTERESIS_US`] of the one in force leaves that one.
    #[must_use]
    pub fn following(mut self, previous: &Self) -> Self {
        let numbers: HashMap<&str, u16> = (0..).zip(&previous.pools).map(|(number, name)| (&**name, number)).collect();
        let before: Vec<Option<u16>> = self.pools.iter().map(|name| numbers.get(&**name).copied()).collect();
        for sample in &mut self.samples {
            let Some(pool) = before.get(usize::from(sample.pool)).copied().flatten() else { continue };
            let found = previous.samples.binary_search_by_key(&(sample.clients, pool), key);
            let in_force = found.ok().map(|at| previous.samples[at].rtt_us);
            if let Some(rtt_us) = in_force.filter(|rtt_us| rtt_us.abs_diff(sample.rtt_us) <= HYSTERESIS_US) {
                sample.rtt_us = rtt_us;
            }
        }
        self
    }

    /// The pools and endpoints that it names.
    pub fn pools(&self) -> &[Box<str>] {
        &self.pools
    }

    /// By clients, and by pool for each.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

const fn key(sample: &Sample) -> (Claim, u16) {
    (sample.clients, sample.pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table from `ASN:pool:ms` words.
    fn table(pools: &[&str], words: &str) -> RttTable {
        let samples = words.split_whitespace().map(|word| {
            let mut parts = word.split(':');
            let mut number = || parts.next().expect(word).parse::<u32>().expect(word);
            let (asn, pool, rtt_ms) = (number(), number() as u16, number());
            Sample { clients: Claim::Asn(asn), pool, rtt_us: rtt_ms * 1_000 }
        });
        RttTable::of(pools.iter().map(|&name| name.into()).collect(), samples.collect())
    }

    #[test]
    fn of_equal_lines_the_last_counts() {
        assert_eq!(table(&["a", "b"], "1:0:5 2:0:7 1:1:8 1:0:6"), table(&["a", "b"], "1:0:6 1:1:8 2:0:7"));
    }

    #[test]
    fn a_sample_near_the_one_in_force_changes_nothing() {
        let check = |before: &str, now: &str, expected: &str| {
            let followed = table(&["a", "b"], now).following(&table(&["a", "b"], before));
            assert_eq!(followed, table(&["a", "b"], expected), "{before} then {now}");
        };
        check("1:0:20", "1:0:25", "1:0:20");
        check("1:0:20", "1:0:15", "1:0:20");
        check("1:0:20", "1:0:26", "1:0:26");
        check("1:0:20", "1:0:14", "1:0:14");
        check("1:0:20 1:1:90", "1:1:20", "1:1:20");
        check("", "1:0:20", "1:0:20");
        // What creeps is followed once it is far enough from what is in force, however small its steps.
        let crept = table(&["a"], "1:0:24").following(&table(&["a"], "1:0:20"));
        assert_eq!(table(&["a"], "1:0:28").following(&crept), table(&["a"], "1:0:28"));
        // Pools go by name, wherever they stand.
        let turned = table(&["b", "a"], "1:1:23 1:0:92").following(&table(&["a", "b"], "1:0:20 1:1:50"));
        assert_eq!(turned, table(&["b", "a"], "1:1:20 1:0:92"));
    }
}
