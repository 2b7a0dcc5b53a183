//! Weighted rendezvous hashing: which members a client's network prefers.
//!
//! A client's network falls into one of many *slots*, and each slot ranks the members (Thaler and Ravishankar
//! 1998, weighted by −ln(u)/w as in Schindelhauer and Schomaker 2005). The best few of each slot are laid out when
//! the file is read, so a query hashes its network and takes the first of those that lives. Members are known by
//! their names and addresses, not by their places: reordering a file moves nobody.

use super::client::{SCOPE_V4_MAX, SCOPE_V6_MAX, mask_v4, mask_v6};
use crate::geo::Folded;
use crate::health::PerMille;

/// Slots for each member, so that a member's share is within about 1/√256, a sixteenth, of what it should be.
const SLOTS_PER_MEMBER: usize = 256;

/// Slots, at the least and at the most: of 65,536 a thousand members get 65 each.
const SLOTS_RANGE: (usize, usize) = (4_096, 65_536);

/// Members that each slot ranks. When all of them are dead, a query ranks the rest itself.
const RANKED: usize = 4;

/// The ranking of a pool's members for every slot. Laid out once a load, and shared by all its compilations.
#[derive(Debug)]
pub struct Ranking {
    /// The best [`RANKED`] members of each slot, or [`NOBODY`]. A power of two of them.
    slots: Box<[[u16; RANKED]]>,
    members: Box<[Weighed]>,
    v4_bits: u8,
    v6_bits: u8,
}

/// A member as a slot sees it.
#[derive(Clone, Copy, Debug)]
struct Weighed {
    key: u64,
    weight: u32,
}

/// Fewer members than ranks.
const NOBODY: u16 = u16::MAX;

/// How much of a client's address makes up its session, where nothing is said.
pub const HASH_BITS: (u8, u8) = (SCOPE_V4_MAX, SCOPE_V6_MAX);

impl Ranking {
    /// Ranks `members`, known by a name of their own and weighed, by clients cut to so many bits of IPv4 and IPv6.
    ///
    /// Cost: 256 comparisons a member and slot, at most: a thousand members take under a second.
    pub fn new<'m>(members: impl Iterator<Item = (&'m str, u32)>, (v4_bits, v6_bits): (u8, u8)) -> Self {
        let members: Box<[Weighed]> = members.map(|(name, weight)| Weighed { key: key(name), weight }).collect();
        let slots = (members.len() * SLOTS_PER_MEMBER).next_power_of_two().clamp(SLOTS_RANGE.0, SLOTS_RANGE.1);
        let rank = |slot: usize| {
            let mut best = [(f64::INFINITY, NOBODY); RANKED];
            for (number, member) in (0..).zip(&members) {
                let entry = (cost(slot, member), number);
                let at = best.partition_point(|ranked| *ranked <= entry);
                if at < RANKED {
                    best[at..].rotate_right(1);
                    best[at] = entry;
                }
            }
            best.map(|(_, number)| number)
        };
        Self { slots: (0..slots).map(rank).collect(), members, v4_bits, v6_bits }
    }

    /// The slot of a client, and how many bits of its address that depends on.
    /// IPv4 carried in IPv6 is the client's IPv4 network, so that it stays with its member behind a translator too.
    fn slot(&self, address: Folded) -> (usize, u8) {
        let (seed, bits) = match address {
            Folded::V4 { address, offset } => (u64::from(address & mask_v4(self.v4_bits)), offset + self.v4_bits),
            Folded::V6 { address, bits_min } => {
                let network = address & mask_v6(self.v6_bits);
                (mix((network >> 64) as u64) ^ network as u64, self.v6_bits.max(bits_min))
            }
        };
        (mix(seed) as usize & (self.slots.len() - 1), bits)
    }

    /// Slots.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The ranked members of one.
    pub(super) fn slot_ranks(&self, slot: usize) -> &[u16] {
        self.slots.get(slot).map_or(&[], |ranks| ranks.as_slice())
    }

    /// How much of a client's address makes up its session: bits of IPv4 and of IPv6.
    pub const fn bits(&self) -> (u8, u8) {
        (self.v4_bits, self.v6_bits)
    }

    /// Members in the order of a client's slot, the ranked ones; and what its answer depends on.
    pub(super) fn ranked(&self, address: impl Into<Folded>) -> (&[u16], usize, u8) {
        let (slot, bits) = self.slot(address.into());
        (self.slots.get(slot).map_or(&[], |ranks| ranks.as_slice()), slot, bits)
    }

    /// Whether a member that gets `share` of its weight is one for a slot's clients. Of the slots that it would have
    /// it gets that share, and keeps those that it got as its share grows: a client moves to it once, from wherever it
    /// is, and nobody moves between others. To scale the weight itself comes to about the same, at the cost of
    /// ranking for each query.
    pub(super) fn admits(&self, slot: usize, member: u16, share: PerMille) -> bool {
        let Some(member) = self.members.get(usize::from(member)).filter(|_| share != PerMille::WHOLE) else {
            return true;
        };
        // Drawn apart from the ranking, in which a high rank is a low draw.
        let draw = mix(!member.key ^ mix(slot as u64));
        (u128::from(draw) * u128::from(PerMille::WHOLE.get())) >> 64 < u128::from(share.get())
    }

    /// The best member of a slot of those that `accept` takes: for a slot whose ranked members are all dead.
    pub(super) fn best(&self, slot: usize, accept: impl Fn(u16) -> bool) -> Option<u16> {
        let numbered = (0..).zip(&self.members).filter(|&(number, _)| accept(number));
        numbered
            .map(|(number, member)| (cost(slot, member), number))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            .map(|(_, number)| number)
    }
}

/// What a member costs a slot, the least wins: −ln(u)/w for u uniform in (0, 1]. A weight of 0 costs more than any
/// other, so that it is a last resort here too.
fn cost(slot: usize, member: &Weighed) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
    let draw = ((mix(member.key ^ mix(slot as u64)) >> 11) as f64 + 1.0) * SCALE;
    match member.weight {
        0 => f64::from(u32::MAX) - draw.ln(),
        weight => -draw.ln() / f64::from(weight),
    }
}

/// A member's own number: FNV-1a of its name.
fn key(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

/// The finaliser of splitmix64. Fixed for good: nodes of different versions must agree.
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const CLIENTS: u32 = 200_000;

    /// Who serves each client, when so many of the members live.
    fn served(ranking: &Ranking, lives: impl Fn(u16) -> bool) -> Vec<u16> {
        let clients = (0..CLIENTS).map(|client| IpAddr::V4(Ipv4Addr::from_bits(0x0100_0000 + (client << 8))));
        clients
            .map(|client| {
                let (ranked, slot, _) = ranking.ranked(client);
                let first = ranked.iter().copied().find(|&member| member != NOBODY && lives(member));
                first.or_else(|| ranking.best(slot, &lives)).expect("somebody lives")
            })
            .collect()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("member-{number}/192.0.2.{number}")).collect()
    }

    #[test]
    fn a_member_that_leaves_moves_only_its_own_clients() {
        let names = names(100);
        let ranking = Ranking::new(names.iter().map(|name| (name.as_str(), 1)), HASH_BITS);
        let before = served(&ranking, |_| true);
        for gone in [0, 37, 99] {
            let after = served(&ranking, |member| member != gone);
            let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
            assert!(moved.iter().all(|&(&before, _)| before == gone), "a client of another member moved");
            let share = moved.len() as f64 / f64::from(CLIENTS);
            assert!((0.007..=0.013).contains(&share), "{share} of the clients moved");
        }
    }

    #[test]
    fn shares_follow_weights_and_order_does_not_matter() {
        let weights = [("a", 4), ("b", 3), ("c", 2), ("d", 1), ("spare", 0)];
        let ranking = Ranking::new(weights.into_iter(), HASH_BITS);
        let before = served(&ranking, |_| true);
        for (number, (name, weight)) in (0..).zip(weights) {
            let share = before.iter().filter(|&&member| member == number).count() as f64 / f64::from(CLIENTS);
            assert!((share - f64::from(weight) / 10.0).abs() < 0.03, "{name} has {share}");
        }
        let turned = Ranking::new(weights.into_iter().rev(), HASH_BITS);
        let after: Vec<u16> = served(&turned, |_| true).into_iter().map(|member| 4 - member).collect();
        assert_eq!(before, after);
        assert!(served(&ranking, |member| member == 4).iter().all(|&member| member == 4));
    }

    #[test]
    fn a_network_is_one_client() {
        let ranking = Ranking::new([("a", 1), ("b", 1)].into_iter(), HASH_BITS);
        let slot = |address: &str| ranking.slot(address.parse::<IpAddr>().expect("an address").into());
        assert_eq!(slot("192.0.2.1"), slot("192.0.2.254"));
        assert_eq!(slot("192.0.2.1").1, 24);
        assert_eq!(slot("2001:db8:0:100::1"), slot("2001:db8:0:1ff::2"));
        assert_ne!(slot("2001:db8:0:100::1").0, slot("2001:db8:0:200::1").0);
        assert_eq!(slot("64:ff9b::192.0.2.1"), (slot("192.0.2.1").0, 120));
        assert_eq!(slot("2002:c000:201::1"), (slot("192.0.2.1").0, 40));
    }
}
