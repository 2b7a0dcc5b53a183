//! Who shares a client by latency. Knows no pools, only numbers of members, how they stand and what they weigh.
//!
//! The *band* of a client is its fastest living member and every other living one that takes longer by no more than
//! the pool's tolerance. They share by weight, drawn for each query: bands differ from client to client, so there is
//! no common turn that a cursor could keep. Weight 0 is a last resort within the band; a member in its slow start counts
//! for a part of its weight.

use std::time::Duration;

use crate::geo::{EXPECTED_MAX, Expected, Folded, RttMap};
use crate::health::Health;
use crate::moment::Moment;
use crate::random::Random;

/// The most that a tolerance is. A second more is felt wherever it is spent.
pub const TOLERANCE_MAX: Duration = Duration::from_secs(1);

/// What a pool that goes by latency needs beside its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    map: RttMap,
    tolerance_ms: u16,
    /// By member.
    weights: Box<[u32]>,
}

/// The living members that share a client, the first so many of what is expected.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    /// How many of the client's list are as fast as the band is: the dead are among them, and the living may be
    /// none. What lies behind was not looked at.
    pub consulted: usize,
    /// How many of those live.
    pub living: u32,
    /// What those weigh in all, in thousandths.
    pub weight: u64,
    /// The soonest moment at which the band could change.
    pub flip: Moment,
    /// The living, each with what it and those before it weigh: a draw need not ask again who lives.
    shares: [(u16, u64); EXPECTED_MAX],
}

impl Latency {
    /// A pool of members that weigh `weights`, in their order; a tolerance is counted in whole milliseconds, up to
    /// [`TOLERANCE_MAX`].
    pub fn new(map: RttMap, tolerance: Duration, weights: impl IntoIterator<Item = u32>) -> Self {
        let tolerance_ms = u16::try_from(tolerance.min(TOLERANCE_MAX).as_millis()).unwrap_or(u16::MAX);
        Self { map, tolerance_ms, weights: weights.into_iter().collect() }
    }

    /// What is expected of the members for the client at `address`, the fastest first, and how many bits of the
    /// address that depends on.
    pub fn expected(&self, address: impl Into<Folded>) -> (&[Expected], u8) {
        let found = self.map.lookup(address);
        (self.map.expected(found.class), found.bits)
    }

    /// What is expected of the members, by address.
    pub const fn map(&self) -> &RttMap {
        &self.map
    }

    /// How much longer than the best a member of the band may take.
    pub const fn tolerance_ms(&self) -> u16 {
        self.tolerance_ms
    }

    /// The band among the `expected` members, of whom `stands` says whether they live and when that could turn; `None`
    /// where one is of another family. The dead that would be in it, or would make a
    /// faster one, count for the flip: they might come back.
    pub fn band(&self, expected: &[Expected], stands: impl Fn(u16) -> Option<Health>) -> Band {
        let shares = [(0, 0); EXPECTED_MAX];
        let mut band = Band { consulted: 0, living: 0, weight: 0, flip: Moment::NEVER, shares };
        let mut limit = u16::MAX;
        for Expected { rtt_ms, member } in expected {
            if *rtt_ms > limit {
                break;
            }
            band.consulted += 1;
            let Some(Health { alive, flip, share, .. }) = stands(*member) else { continue };
            band.flip = band.flip.min(flip);
            if alive {
                limit = limit.min(rtt_ms.saturating_add(self.tolerance_ms));
                band.weight += u64::from(self.weight(*member)) * u64::from(share.get());
                if let Some(share) = band.shares.get_mut(band.living as usize) {
                    *share = (*member, band.weight);
                    band.living += 1;
                }
            }
        }
        band
    }

    fn weight(&self, member: u16) -> u32 {
        self.weights.get(usize::from(member)).copied().unwrap_or(1)
    }
}

impl Band {
    /// What part of the draws takes whom; nothing where none of them lives.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u16, f64)> {
        let shares = self.shares.get(..self.living as usize).unwrap_or_default();
        let below = std::iter::once(0).chain(shares.iter().map(|(_, up_to)| *up_to));
        shares.iter().zip(below).map(|(&(member, up_to), below)| match self.weight {
            0 => (member, 1.0 / f64::from(self.living)),
            weight => (member, (up_to - below) as f64 / weight as f64),
        })
    }

    /// One of the band, in proportion to weight; any of them alike where all weigh 0.
    pub(super) fn draw(&self, random: &mut Random) -> Option<u16> {
        let shares = self.shares.get(..self.living as usize)?;
        let drawn = match (shares, self.weight) {
            // Where there is no choice there is no draw.
            ([] | [_], _) => shares.first(),
            (_, 0) => shares.get(random.below(self.living.into()) as usize),
            (_, weight) => {
                let drawn = random.below(weight);
                shares.iter().find(|(_, up_to)| drawn < *up_to)
            }
        };
        drawn.map(|(member, _)| *member)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::super::compiled::{LivePool, Standing};
    use super::super::{EndpointId, Target, latency};
    use super::*;
    use crate::geo::{Claim, Network, Places, RttTable, Sample};
    use crate::health::PerMille;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0));

    /// Members of a pool as `ms*weight` words, by their numbers: `?` for one of which nothing is known, `!` before one
    /// that is dead, `~` before one that gets half of its share. Verdicts turn at a second more than the member's number.
    fn pool(words: &str, tolerance_ms: u64) -> (Arc<Latency>, LivePool) {
        let words: Vec<(&str, &str)> =
            words.split(' ').map(|word| word.split_once('*').unwrap_or((word, "1"))).collect();
        let names: Vec<String> = (0..words.len()).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let clients = Claim::Network(Network::parse("192.0.2.0/24").expect("a network"));
        let samples = (0..).zip(&words).filter_map(|(pool, (ms, _))| {
            let ms: u32 = ms.trim_start_matches(['!', '~']).parse().ok()?;
            Some(Sample { clients, pool, rtt_us: ms * 1_000 })
        });
        let table = RttTable::of(names.iter().map(|&name| name.into()).collect(), samples.collect());
        let map = RttMap::compile(&Places::default(), &table, &names, &[]);
        let weights: Vec<u32> = words.iter().map(|(_, weight)| weight.parse().expect("a weight")).collect();
        let latency = Arc::new(Latency::new(map, Duration::from_millis(tolerance_ms), weights.iter().copied()));
        let standing = |(number, (word, _)): (u16, &(&str, &str))| Standing {
            number,
            target: Target::Endpoint(EndpointId(number.into())),
            weight: weights[usize::from(number)],
            alive: !word.starts_with('!'),
            flip: Moment::from_nanos((u64::from(number) + 1) * 1_000_000_000),
            share: if word.starts_with('~') { PerMille::new(500) } else { PerMille::WHOLE },
            load: None,
        };
        let members: Vec<Standing> = (0..).zip(&words).map(standing).collect();
        let live = latency::compile(&members, &latency);
        (latency, live)
    }

    #[test]
    fn the_band_is_the_best_that_lives_and_what_is_near_it() {
        let check = |words: &str, tolerance_ms, (consulted, living, weight, flip): (usize, u32, u64, Option<u64>)| {
            let (latency, pool) = pool(words, tolerance_ms);
            let (expected, bits) = latency.expected(CLIENT);
            let flip = flip.map_or(Moment::NEVER, |seconds| Moment::from_nanos(seconds * 1_000_000_000));
            let band = latency.band(expected, |member| pool.stands(member));
            let got = (band.consulted, band.living, band.weight / 1_000, band.flip, bits);
            assert_eq!(got, (consulted, living, weight, flip, 24), "{words} within {tolerance_ms}");
        };
        check("20 30 31", 10, (2, 2, 2, Some(1)));
        check("20 30 31", 11, (3, 3, 3, Some(1)));
        check("20 20 21", 0, (2, 2, 2, Some(1)));
        check("31*4 30*5 20*6", 10, (2, 2, 11, Some(2)));
        // The best is dead: the next makes the band, and the dead one might come back.
        check("!20 30 40 41", 10, (3, 2, 2, Some(1)));
        // One that is dead within the band might come back too; one behind it changes nothing.
        check("20 !25 !31", 10, (2, 1, 1, Some(1)));
        check("!31 20 !25", 10, (2, 1, 1, Some(2)));
        check("!20 !30", 10, (2, 0, 0, Some(1)));
        check("? 20 ?", 10, (1, 1, 1, Some(2)));
        check("20*0 25*0 90*7", 10, (2, 2, 0, Some(1)));
    }

    #[test]
    fn the_band_shares_by_weight() {
        let check = |words: &str, expected: &[(u16, u32)]| {
            let (latency, pool) = pool(words, 10);
            let (list, _) = latency.expected(CLIENT);
            let band = latency.band(list, |member| pool.stands(member));
            let mut random = Random::new(3);
            let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
            for _ in 0..10_000 {
                let drawn = band.draw(&mut random);
                drawn.into_iter().for_each(|member| *counts.entry(member).or_default() += 1);
            }
            let drawn: Vec<u16> = counts.keys().copied().collect();
            assert_eq!(drawn, expected.iter().map(|&(member, _)| member).collect::<Vec<_>>(), "{words}");
            for (member, share) in expected {
                // Four standard deviations are at most 4·√(10,000/4) = 200.
                assert!(counts[member].abs_diff(*share) < 200, "{words}: {counts:?}");
            }
        };
        check("20 25 90", &[(0, 5_000), (1, 5_000)]);
        check("20*1 25*3", &[(0, 2_500), (1, 7_500)]);
        check("20*1 !25*3 26*1", &[(0, 5_000), (2, 5_000)]);
        check("20*0 25*3 28*1", &[(1, 7_500), (2, 2_500)]);
        check("20*0 25*0 90*5", &[(0, 5_000), (1, 5_000)]);
        check("!20 !25*3 90", &[(2, 10_000)]);
        check("20*0 90*5", &[(0, 10_000)]);
        check("!20 !25", &[]);
        // In its slow start.
        check("~20 25", &[(0, 3_333), (1, 6_667)]);
        check("~20*3 25*2", &[(0, 4_286), (1, 5_714)]);
        check("~20 90", &[(0, 10_000)]);
    }
}
