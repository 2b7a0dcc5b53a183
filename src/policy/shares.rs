//! What members weigh in a pool's turn while some of them get only a part of their weight: the one place where a
//! slow start meets the turns of `round-robin`, `weighted`, `least-load` and `random`. Where each client has a
//! member of its own, `ranking` and `band` see to it.
//!
//! Shares only count against each other: where all are alike, as where one member is left, the plain weights hold.

use super::WEIGHT_MAX;
use super::compiled::Standing;
use super::gcd;
use super::schedule::Schedule;
use crate::health::PerMille;

/// The most steps of a turn that is recomputed as shares or loads move, give or take one for each member. It is kept
/// shorter than that of fixed weights: 0.4 ms for 100 members, and 1.7 ms for 1,000.
pub(super) const TOTAL_MAX: u64 = 1 << 14;

/// The turn of `members`, each by its `weight` and its share; `None` while no share is unlike another.
pub(super) fn turn(members: &[&Standing], weight: impl Fn(&Standing) -> u32) -> Option<Schedule> {
    let weighed: Vec<(u32, PerMille)> = members.iter().map(|member| (weight(member), member.share)).collect();
    is_uneven(&weighed).then(|| Schedule::new(&weights(&weighed)))
}

fn is_uneven(members: &[(u32, PerMille)]) -> bool {
    let mut shares = members.iter().filter(|(weight, _)| *weight > 0).map(|(_, share)| share);
    let first = shares.next();
    shares.any(|share| Some(share) != first)
}

/// The weights of a turn in proportion to weight × share, at least 1 for whoever weighs anything. They are exact
/// while they sum to at most [`TOTAL_MAX`] without their common factor, as the twentieths of a slow start do of weights
/// that sum to 800; beyond that each is rounded. Where all shares are alike they are the weights as they stand.
pub(super) fn weights(members: &[(u32, PerMille)]) -> Vec<u32> {
    if !is_uneven(members) {
        return members.iter().map(|&(weight, _)| weight).collect();
    }
    // At most 2²⁰ · 1,000, under 2³⁰.
    let effective: Vec<u32> =
        members.iter().map(|&(weight, share)| weight.min(WEIGHT_MAX) * u32::from(share.get())).collect();
    let factor = effective.iter().copied().fold(0, gcd).max(1);
    let sum: u64 = effective.iter().map(|&weight| u64::from(weight / factor)).sum();
    let wide: Vec<u128> = effective.iter().map(|&weight| weight.into()).collect();
    let shared = match sum <= TOTAL_MAX {
        true => effective.iter().map(|weight| weight / factor).collect(),
        false => apportion(&wide, TOTAL_MAX),
    };
    shared.iter().zip(members).map(|(&shared, &(weight, _))| if weight > 0 { shared.max(1) } else { 0 }).collect()
}

/// Whole numbers in proportion to `effective` that sum to `total`, give or take a half for each. Half up: rounding,
/// like dividing, keeps a smaller one from becoming the greater.
pub(super) fn apportion(effective: &[u128], total: u64) -> Vec<u32> {
    let (sum, total) = (effective.iter().sum::<u128>().max(1), u128::from(total));
    effective.iter().map(|part| u32::try_from((part * total * 2 + sum) / (sum * 2)).unwrap_or(WEIGHT_MAX)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_scales_its_weight() {
        let check = |members: &[(u32, u16)], expected: &[u32]| {
            let members: Vec<_> = members.iter().map(|&(weight, share)| (weight, PerMille::new(share))).collect();
            assert_eq!(weights(&members), expected, "{members:?}");
        };
        check(&[], &[]);
        check(&[(1, 1_000), (1, 50)], &[20, 1]);
        check(&[(4, 1_000), (1, 500)], &[8, 1]);
        check(&[(4, 250), (1, 1_000)], &[1, 1]);
        // Alone, or all alike: as they stand.
        check(&[(3, 50)], &[3]);
        check(&[(4, 100), (2, 100)], &[4, 2]);
        check(&[(4, 1_000), (0, 50), (2, 1_000)], &[4, 0, 2]);
        // Past the longest turn they are rounded, and nobody is left out.
        check(&[(WEIGHT_MAX, 1_000), (1, 50)], &[16_384, 1]);
        check(&[(WEIGHT_MAX, 1_000), (WEIGHT_MAX - 1, 500)], &[10_923, 5_461]);
    }

    proptest! {
        #[test]
        fn turns_are_short_and_nobody_is_left_out(
            members in vec((0_u32..=WEIGHT_MAX, (1_u16..=20).prop_map(|step| PerMille::new(step * 50))), 1..40),
        ) {
            let shared = weights(&members);
            let plain: Vec<u32> = members.iter().map(|&(weight, _)| weight).collect();
            let sum: u64 = shared.iter().copied().map(u64::from).sum();
            prop_assert!(shared == plain || sum <= TOTAL_MAX + members.len() as u64);
            for (shared, plain) in shared.iter().zip(&plain) {
                prop_assert_eq!(*shared == 0, *plain == 0);
            }
        }
    }
}
