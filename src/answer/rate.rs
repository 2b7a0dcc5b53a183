//! Response rate limiting: what a forged source can make a worker send is bounded, and bounded memory does it.
//!
//! Who asks by UDP may be somebody else's victim. So responses are counted by what an attacker cannot vary: the
//! network of the source (an IPv4 /24, an IPv6 /56), the class of the response, and what it was made from (the
//! name in the zone, not the name asked for: a wildcard has only one). What is over the limit is dropped, and now and then
//! answered with TC instead, so that a real resolver among the victims comes again by TCP, which proves its
//! address.
//!
//! | class    | counted by                | since                                                        |
//! |----------|---------------------------|--------------------------------------------------------------|
//! | answer   | network and name          | one name asked for again and again is how floods are made     |
//! | nxdomain | network and zone          | random labels all lead there                                 |
//! | error    | network                   | nothing else is known of it                                  |
//!
//! Each count is a leaky bucket kept as one number: when it will have drained (the "theoretical arrival time" of
//! the generic cell rate algorithm, ITU-T I.371 annex A). A bucket is 8 octets; 8 of them, one cache line, are
//! where a count may be. When all are taken, the one that is nearest to empty gives way, so that a spray of sources
//! forgets small counts and never the big ones. Hashes are seeded: nobody can aim at a line.
//!
//! The idea is Vixie and Schryver's "DNS Response Rate Limiting" (ISC-TN-2012-1); BIND, Knot and NSD have it.
//! Every worker counts for itself, so it is given its share of the rate: the kernel spreads a resolver's random
//! source ports evenly over the workers.
//!
//! A count for each name is no bound on all of them together, so a big answer is worth an attacker's while however
//! seldom it is given. Who has not shown where it is gets TC in the place of one, no larger than the request but for a
//! cookie; the next query bears that cookie, or comes by TCP. BIND (`nocookie-udp-size`) has the same, at 4,096 octets;
//! PowerDNS and NSD do so for ANY alone.

use std::net::{IpAddr, Ipv6Addr};

use crate::geo::{Network, Span};
use crate::moment::Moment;
use crate::random::Random;

/// The bounds of every setting.
pub mod limits {
    use std::ops::RangeInclusive;

    use crate::wire::edns::PAYLOAD;

    /// Responses a second for one network and one name. NSD's default is 200 of queries in all; BIND and Knot
    /// have none. Ours is higher, because short TTLs and client subnets multiply the questions that an honest
    /// public resolver has for one name.
    pub const PER_SECOND: u32 = 1_000;
    /// 0 is off. A million a second is more than a worker answers.
    pub const PER_SECOND_RANGE: RangeInclusive<u32> = 0..=1_000_000;
    /// One in so many responses over the limit goes out truncated. BIND's and NSD's default is 2, Knot's 1.
    pub const SLIP: u8 = 2;
    /// 0: all are dropped; 1: all are truncated. As BIND's.
    pub const SLIP_RANGE: RangeInclusive<u8> = 0..=10;
    /// Seconds' worth of responses that may come at once.
    pub const BURST_SECONDS: u32 = 1;
    /// Bits of an IPv4 source that make a network, as BIND, Knot and NSD have it.
    pub const IPV4_BITS: u8 = 24;
    /// Bits of an IPv6 source that make a network: what one customer is given (RFC 6177), and BIND's default.
    pub const IPV6_BITS: u8 = 56;
    /// Networks that are never limited, at the most: each costs a comparison a query.
    pub const EXEMPT_MAX: usize = 64;
    /// Octets of a response by UDP to whoever has not shown where it is, at the most: what DNS gave to everybody before
    /// EDNS (RFC 1035 §4.2.1), so that every client knows what to do beyond. Eight addresses of a balanced name are
    /// under 300; what is larger is texts and the like, which are asked for seldom and kept for long.
    pub const UNPROVEN_OCTETS: u16 = 512;
    /// The least is BIND's; the most is [`PAYLOAD`], which bounds nothing.
    pub const UNPROVEN_OCTETS_RANGE: RangeInclusive<u16> = 128..=PAYLOAD;
}

/// What limits are kept over UDP, by all workers of one address together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Responses a second for one network, class and name; 0 for no limit. Within [`limits::PER_SECOND_RANGE`].
    pub per_second: u32,
    /// One in so many responses over the limit is truncated rather than dropped; 0 for none. Within
    /// [`limits::SLIP_RANGE`].
    pub slip: u8,
    /// Octets of a response to whoever has not shown where it is, at the most. Within
    /// [`limits::UNPROVEN_OCTETS_RANGE`].
    pub unproven_octets: u16,
    /// Who is never limited.
    pub exempt: Box<[Network]>,
}

impl RateLimits {
    /// Whether there is a response that they keep back. Without, a worker need not look at whom it answers.
    pub(super) fn limit_anything(&self) -> bool {
        self.per_second > 0 || self.unproven_octets < *limits::UNPROVEN_OCTETS_RANGE.end()
    }
}

/// Loopback is exempt: nobody outside can forge it.
impl Default for RateLimits {
    fn default() -> Self {
        let loopback = [(IpAddr::from([127, 0, 0, 0]), 8), (IpAddr::from(Ipv6Addr::LOCALHOST), 128)];
        let exempt = loopback.into_iter().filter_map(|(address, prefix)| Network::of(address, prefix).ok()).collect();
        Self { per_second: limits::PER_SECOND, slip: limits::SLIP, unproven_octets: limits::UNPROVEN_OCTETS, exempt }
    }
}

/// What counts as one client, for responses and for connections: an IPv4 /24 or an IPv6 /56, which one party holds as a
/// rule ([`limits::IPV4_BITS`], [`limits::IPV6_BITS`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientNetwork {
    prefix: u64,
    family: u8,
}

impl ClientNetwork {
    /// That of `address`; an IPv4 address inside an IPv6 one is itself.
    #[inline]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self { prefix: u64::from(v4.to_bits() >> (32 - limits::IPV4_BITS)), family: 4 },
            IpAddr::V6(v6) => Self { prefix: (v6.to_bits() >> (128 - limits::IPV6_BITS)) as u64, family: 6 },
        }
    }
}

/// What a response is, as far as limits go, and what it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Records, an empty answer or a referral, from the name that this number stands for.
    Answer(u64),
    /// That there is no such name in the zone that this number stands for.
    NxDomain(u64),
    /// Anything else.
    Error,
}

/// What becomes of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It is sent.
    Send,
    /// Its header and question are, with TC.
    Truncate,
    /// It is not.
    Drop,
}

/// Lines of buckets: 4,096 of 64 octets are 256 KiB a worker and 32,768 counts. BIND's table has 20,000 by
/// default, NSD's a million, which at 8 octets would push everything else out of the cache.
const LINES: usize = 4_096;

const LINE_BUCKETS: usize = 8;

/// The counts of one worker.
#[derive(Debug)]
pub(super) struct Limiter {
    slip: u8,
    unproven_octets: u16,
    exempt: Exempt,
    /// What one response adds, in microseconds; 0 when nothing is limited.
    cost: u32,
    /// How far a bucket may be filled, in microseconds.
    depth: u32,
    seed: u64,
    lines: Box<[Line]>,
}

/// A cache line, and aligned to one.
#[repr(align(64))]
#[derive(Clone, Copy, Debug, Default)]
struct Line([Bucket; LINE_BUCKETS]);

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Which count it is: the upper half of its hash.
    tag: u32,
    /// When it will have drained, in microseconds modulo 2³², 71 minutes.
    drained: u32,
}

impl Bucket {
    /// Microseconds until it has drained; 0 when it has. More than `depth` cannot be: it is what a bucket from
    /// more than half an hour ago looks like, and that one has drained.
    fn fill(self, now: u32, depth: u32) -> u32 {
        let left = self.drained.wrapping_sub(now);
        if left <= depth { left } else { 0 }
    }
}

impl Limiter {
    /// The counts of one of `workers`; what it draws follows from `seed`.
    pub(super) fn new(limits: &RateLimits, workers: u32, seed: u64) -> Self {
        let share = limits.per_second.div_ceil(workers.max(1));
        let cost = 1_000_000_u32.checked_div(share).unwrap_or(0);
        let lines = if cost == 0 { 0 } else { LINES };
        let depth = (limits::BURST_SECONDS * 1_000_000).max(cost);
        let (slip, unproven_octets, exempt) = (limits.slip, limits.unproven_octets, Exempt::of(&limits.exempt));
        Self { slip, unproven_octets, exempt, cost, depth, seed, lines: vec![Line::default(); lines].into() }
    }

    /// Whether anything of this client's is limited. Costs a comparison for each network of its family that is exempt.
    #[inline]
    pub(super) fn heeds(&self, client: IpAddr) -> bool {
        !self.exempt.contains(client)
    }

    /// Whether a response of so many octets is too large for whoever has not shown where it is.
    pub(super) fn is_big(&self, octets: usize) -> bool {
        octets > usize::from(self.unproven_octets)
    }

    /// Counts a response to `client`, whom this [heeds](Self::heeds), and rules on it. Costs the hash and one cache line.
    pub(super) fn rule(&mut self, client: IpAddr, class: Class, now: Moment, random: &mut Random) -> Ruling {
        if self.cost == 0 {
            return Ruling::Send;
        }
        let hash = self.hash(client, class);
        let now = (now.as_nanos() / 1_000) as u32;
        let (cost, depth, tag) = (self.cost, self.depth, (hash >> 32) as u32);
        let at = hash as usize % LINES;
        let Some(Line(buckets)) = self.lines.get_mut(at) else { return Ruling::Send };
        let known = buckets.iter().position(|bucket| bucket.tag == tag);
        let emptiest = || (0..LINE_BUCKETS).min_by_key(|&at| buckets.get(at).map(|bucket| bucket.fill(now, depth)));
        let Some(bucket) = known.or_else(emptiest).and_then(|at| buckets.get_mut(at)) else { return Ruling::Send };
        let fill = if known.is_some() { bucket.fill(now, depth) } else { 0 };
        if fill + cost <= depth {
            *bucket = Bucket { tag, drained: now.wrapping_add(fill + cost) };
            return Ruling::Send;
        }
        match self.slip {
            0 => Ruling::Drop,
            slip if random.below(u64::from(slip)) == 0 => Ruling::Truncate,
            _ => Ruling::Drop,
        }
    }

    fn hash(&self, client: IpAddr, class: Class) -> u64 {
        let ClientNetwork { prefix, family } = ClientNetwork::of(client);
        let (kind, place) = match class {
            Class::Answer(name) => (1, name),
            Class::NxDomain(zone) => (2, zone),
            Class::Error => (3, 0),
        };
        // One number of splitmix64 mixes each part into the seed.
        [prefix, place, u64::from(family) << 8 | kind]
            .into_iter()
            .fold(self.seed, |hash, part| Random::new(hash ^ part).next_u64())
    }
}

/// Networks by family: first address, and how many follow it.
#[derive(Debug)]
struct Exempt {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Exempt {
    fn of(networks: &[Network]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network.span() {
                Span::V4(first, last) => v4.push((first, last - first)),
                Span::V6(first, last) => v6.push((first, last - first)),
            }
        }
        Self { v4: v4.into(), v6: v6.into() }
    }

    #[inline]
    fn contains(&self, client: IpAddr) -> bool {
        match client {
            IpAddr::V4(client) => self.v4.iter().any(|&(first, more)| client.to_bits().wrapping_sub(first) <= more),
            IpAddr::V6(client) => self.v6.iter().any(|&(first, more)| client.to_bits().wrapping_sub(first) <= more),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn limiter(per_second: u32, slip: u8, workers: u32) -> Limiter {
        Limiter::new(&RateLimits { per_second, slip, ..RateLimits::default() }, workers, 7)
    }

    fn client(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// How many of `count` responses, spread evenly over `span` from `start` on, are sent.
    fn sent(limiter: &mut Limiter, who: &str, class: Class, start: Moment, count: u32, span: Duration) -> u32 {
        let (client, mut random) = (client(who), Random::new(1));
        let mut at = |number: u32| match limiter.heeds(client) {
            true => limiter.rule(client, class, start + span * number / count, &mut random),
            false => Ruling::Send,
        };
        (0..count).map(&mut at).map(|ruling| u32::from(ruling == Ruling::Send)).sum()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let check = |count: u32, ms: u64, expected: u32| {
            let mut limiter = limiter(100, 0, 1);
            let got = sent(&mut limiter, "192.0.2.1", Class::Answer(1), Moment::START, count, MS(ms));
            assert_eq!(got, expected, "{count} in {ms} ms");
        };
        check(100, 0, 100);
        check(101, 0, 100);
        check(1_000, 0, 100);
        check(100, 1_000, 100);
        check(1_000, 1_000, 100 + 99);
        check(10_000, 10_000, 100 + 999);
    }

    #[test]
    fn a_quiet_second_fills_it_up_again_and_time_may_wrap() {
        for start in [0, 3_600_000, 4_294_000, 4_294_967, 100 * 86_400_000] {
            let mut limiter = limiter(100, 0, 1);
            let mut now = Moment::START + MS(start);
            for _ in 0..5 {
                assert_eq!(sent(&mut limiter, "192.0.2.1", Class::Error, now, 500, MS(0)), 100, "from {start} ms on");
                now = now + MS(1_000);
            }
        }
    }

    #[test]
    fn counts_are_kept_apart_by_network_class_and_name() {
        let check = |(who, class): (&str, Class), shared: bool| {
            let mut limiter = limiter(100, 0, 1);
            assert_eq!(sent(&mut limiter, "192.0.2.1", Class::Answer(1), Moment::START, 200, MS(0)), 100);
            let got = sent(&mut limiter, who, class, Moment::START, 1, MS(0));
            assert_eq!(got, u32::from(!shared), "{who} {class:?}");
        };
        check(("192.0.2.1", Class::Answer(1)), true);
        check(("192.0.2.255", Class::Answer(1)), true);
        check(("192.0.3.1", Class::Answer(1)), false);
        check(("192.0.2.1", Class::Answer(2)), false);
        check(("192.0.2.1", Class::NxDomain(1)), false);
        check(("192.0.2.1", Class::Error), false);
        check(("2001:db8::1", Class::Answer(1)), false);
        let mut limiter = limiter(100, 0, 1);
        assert_eq!(sent(&mut limiter, "2001:db8:0:1::1", Class::Error, Moment::START, 200, MS(0)), 100);
        assert_eq!(sent(&mut limiter, "2001:db8:0:ff::2", Class::Error, Moment::START, 1, MS(0)), 0, "the same /56");
        assert_eq!(sent(&mut limiter, "2001:db8:0:100::2", Class::Error, Moment::START, 1, MS(0)), 1, "another /56");
    }

    #[test]
    fn what_is_over_slips_in_its_share() {
        let check = |slip: u8, least: u32, most: u32| {
            let (mut limiter, mut random) = (limiter(100, slip, 1), Random::new(3));
            let mut rule = || limiter.rule(client("192.0.2.1"), Class::Error, Moment::START, &mut random);
            let rulings: Vec<_> = (0..10_100).map(|_| rule()).collect();
            let truncated = rulings.iter().filter(|&&ruling| ruling == Ruling::Truncate).count() as u32;
            assert!((least..=most).contains(&truncated), "slip {slip}: {truncated} truncated");
            assert_eq!(rulings.iter().filter(|&&ruling| ruling == Ruling::Send).count(), 100);
        };
        check(0, 0, 0);
        check(1, 10_000, 10_000);
        // Within five standard deviations: √(10,000 · p · (1 − p)) is 50 and 30.
        check(2, 4_750, 5_250);
        check(10, 850, 1_150);
    }

    #[test]
    fn loopback_and_those_who_are_exempt_are_never_limited_and_nobody_without_a_limit() {
        let check = |limiter: &mut Limiter, who: &str, expected: u32| {
            assert_eq!(sent(limiter, who, Class::Error, Moment::START, 1_000, MS(0)), expected, "{who}");
        };
        let mut one = limiter(100, 0, 1);
        check(&mut one, "127.0.0.1", 1_000);
        check(&mut one, "127.9.9.9", 1_000);
        check(&mut one, "::1", 1_000);
        check(&mut one, "::2", 100);
        check(&mut one, "128.0.0.1", 100);
        check(&mut limiter(0, 0, 1), "192.0.2.1", 1_000);
        let exempt = [Network::parse("192.0.2.64/26").expect("a network")].into();
        let mut some = Limiter::new(&RateLimits { per_second: 100, slip: 0, exempt, ..RateLimits::default() }, 1, 7);
        check(&mut some, "192.0.2.127", 1_000);
        check(&mut some, "192.0.2.128", 100);
        check(&mut some, "127.0.0.1", 100);
    }

    #[test]
    fn a_worker_has_its_share_and_at_least_one_a_second() {
        let check = |per_second: u32, workers: u32, expected: u32| {
            let mut limiter = limiter(per_second, 0, workers);
            let got = sent(&mut limiter, "192.0.2.1", Class::Error, Moment::START, 1_000, MS(0));
            assert_eq!(got, expected, "{per_second} over {workers} workers");
        };
        check(100, 2, 50);
        check(100, 3, 34);
        check(1, 8, 1);
        check(1_000_000, 1, 1_000);
    }

    /// A hundred thousand networks pass through 32,768 buckets: nobody among them is limited, and whoever was
    /// over the limit before stays so.
    #[test]
    fn a_spray_of_sources_forgets_no_big_count() {
        let mut limiter = limiter(100, 0, 1);
        let mut random = Random::new(9);
        assert_eq!(sent(&mut limiter, "192.0.2.1", Class::Error, Moment::START, 200, MS(0)), 100);
        let sprayed = (0..100_000_u32).map(|number| {
            let address = IpAddr::from((0x0a00_0000 + (number << 8)).to_be_bytes());
            limiter.rule(address, Class::Error, Moment::START, &mut random)
        });
        assert_eq!(sprayed.filter(|&ruling| ruling == Ruling::Send).count(), 100_000);
        assert_eq!(sent(&mut limiter, "192.0.2.1", Class::Error, Moment::START, 1, MS(0)), 0);
    }
}
