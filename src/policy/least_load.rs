//! `least-load`: weights scaled by the headroom that endpoints report, so that the idle answer for more.
//!
//! A member's effective weight is weight × headroom, headroom being 1 − utilisation. As far as its load is not
//! trusted, and wholly where it reports none, the mean headroom of those that do report stands in for its own:
//!
//! ```text
//! mean      = Σ trust · headroom / Σ trust            over the members that report
//! effective = weight × (trust · headroom + (1 − trust) · mean)
//! ```
//!
//! What gRPC's `weighted_round_robin` makes special cases of follows from that: whoever reports nothing gets the
//! average; with fewer than two reports everything is the mean, so the plain weights hold (gRFC A58, "Earliest
//! Deadline First (EDF) Scheduler"). A member that is more loaded than before never gets a greater share: in the
//! ratio of its effective weight to another's both grow with its headroom, and its own grows more.
//!
//! How fast weights move is not decided here, where no time is known, but where load is smoothed: utilisation and
//! trust each move by at most [`crate::health::STEP_PER_INTERVAL`].

use super::compiled::{Branch, LivePool, Pick, Standing, soonest};
use super::schedule::Schedule;
use super::shares::{self, TOTAL_MAX};
use super::weighted;
use crate::health::{Load, PerMille};

/// The living members that share, and the turn in which they do. Weight 0 is a last resort, as in `weighted`.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let preferred = |member: &&Standing| member.weight > 0;
    let sharing: Vec<&Standing> = members.iter().filter(preferred).filter(|member| member.alive).collect();
    if sharing.is_empty() {
        return weighted::compile(members);
    }
    let reported: Vec<Reported> =
        sharing.iter().map(|&&Standing { weight, share, load, .. }| Reported { weight, share, load }).collect();
    let branches = sharing.iter().map(|member| Branch::of(member)).collect();
    let pick = Pick::Drifting(Schedule::new(&weights(&reported)));
    LivePool::new(branches, pick, soonest(members.iter().filter(preferred)))
}

/// A member that shares: what it weighs, and how loaded it says it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported {
    /// The operator's weight, to [`WEIGHT_MAX`](super::WEIGHT_MAX). What weighs 0 gets nothing here: it is a last resort.
    pub(super) weight: u32,
    /// The part of it that it gets.
    pub(super) share: PerMille,
    pub(super) load: Option<Load>,
}

/// The headroom that even a full endpoint counts as having, in thousandths. An endpoint that is alive serves: with
/// a twentieth of its weight it is seen to recover, and a pool of which all are full still shares by weight. It is
/// also what keeps a member that wrongly reports itself full from being taken out, which is for health to do.
const HEADROOM_MIN: u64 = 50;

/// Steps of the turn for each unit of weight, the common factor taken out: how finely two members can be told apart.
/// A difference of 1/64 of the load is what is worth telling (`health::TOLD_STEP`).
const LEVELS: u64 = 64;

/// The weights of the members' turn: in proportion to their effective weights, whole numbers, at least 1 for whoever
/// weighs anything at all. They sum to at most [`TOTAL_MAX`] and one for each member; but where all headrooms are
/// equal, or nobody reports, they are the plain weights by their shares.
///
/// Cost: O(k) for k members.
pub(super) fn weights(members: &[Reported]) -> Vec<u32> {
    let plain = || shares::weights(&members.iter().map(|member| (member.weight, member.share)).collect::<Vec<_>>());
    let sharing = || members.iter().filter(|member| member.weight > 0);
    let (trusts, headrooms) = sharing().fold((0, 0), |(trusts, headrooms), member| {
        (trusts + trust(member), headrooms + trust(member) * headroom(member))
    });
    // In whole numbers, so that nothing is rounded before the end: the headroom × 1,000 × Σ trust. With the most
    // members (2¹⁶) it stays under 2⁴⁶, a product with a weight under 2⁶⁶, with a share and
    // the total under 2⁹⁰.
    let own = |member: &Reported| trust(member) * headroom(member) * trusts + (WHOLE - trust(member)) * headrooms;
    let mut owns = sharing().map(own);
    let first = owns.next();
    if first.is_none_or(|first| first == 0 || owns.all(|own| own == first)) {
        return plain();
    }
    let effective =
        |member: &Reported| u128::from(member.weight) * u128::from(own(member)) * u128::from(member.share.get());
    let shared = shares::apportion(&members.iter().map(effective).collect::<Vec<_>>(), total(members));
    shared.into_iter().zip(members).map(|(shared, member)| if member.weight > 0 { shared.max(1) } else { 0 }).collect()
}

const WHOLE: u64 = PerMille::WHOLE.get() as u64;

/// Thousandths; 0 for a member that reports nothing.
fn trust(member: &Reported) -> u64 {
    member.load.map_or(0, |load| load.trust.get().into())
}

/// Thousandths; of no account for a member that reports nothing.
fn headroom(member: &Reported) -> u64 {
    let utilization = member.load.map_or(0, |load| load.utilization.get().into());
    WHOLE.saturating_sub(utilization).max(HEADROOM_MIN)
}

/// What the weights are to sum to.
fn total(members: &[Reported]) -> u64 {
    let factor = members.iter().fold(0, |factor, member| super::gcd(factor, member.weight)).max(1);
    let units: u64 = members.iter().map(|member| u64::from(member.weight / factor)).sum();
    (units * LEVELS).min(TOTAL_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::super::WEIGHT_MAX;
    use super::*;

    fn member(weight: u32, load: Option<(u16, u16)>) -> Reported {
        let load = load
            .map(|(utilization, trust)| Load { utilization: PerMille::new(utilization), trust: PerMille::new(trust) });
        Reported { weight, share: PerMille::WHOLE, load }
    }

    /// Members as weight and utilisation, all of them trusted.
    fn check(members: &[(u32, Option<u16>)], expected: &[u32]) {
        let trusted: Vec<_> =
            members.iter().map(|&(weight, load)| member(weight, load.map(|load| (load, 1_000)))).collect();
        assert_eq!(weights(&trusted), expected, "{members:?}");
    }

    #[test]
    fn headroom_scales_weight() {
        check(&[(1, Some(250)), (1, Some(750))], &[96, 32]);
        check(&[(3, Some(500)), (1, Some(0))], &[154, 102]);
        check(&[(10, Some(200)), (30, Some(600))], &[102, 154]);
        check(&[(1, Some(0)), (1, Some(500)), (1, Some(900))], &[120, 60, 12]);
        // A full one keeps a twentieth, and is never out.
        check(&[(1, Some(0)), (1, Some(1_000))], &[122, 6]);
        check(&[(1_000, Some(0)), (1, Some(1_000))], &[16_383, 1]);
        // Whoever says nothing is taken for the average.
        check(&[(1, Some(200)), (1, None), (1, Some(600))], &[85, 64, 43]);
    }

    #[test]
    fn plain_weights_hold_where_nothing_tells_members_apart() {
        check(&[], &[]);
        check(&[(0, Some(300))], &[0]);
        check(&[(5, Some(300))], &[5]);
        check(&[(4, None), (3, None)], &[4, 3]);
        check(&[(4, Some(900)), (3, None)], &[4, 3]);
        check(&[(4, Some(900)), (3, Some(900)), (2, None)], &[4, 3, 2]);
        check(&[(4, Some(1_000)), (3, Some(950))], &[4, 3]);
        check(&[(WEIGHT_MAX, Some(100)), (1, Some(100))], &[WEIGHT_MAX, 1]);
        // A last resort neither shares nor counts.
        check(&[(4, Some(900)), (0, Some(0)), (2, None)], &[4, 0, 2]);
        check(&[(1, Some(250)), (0, Some(0)), (1, Some(750))], &[96, 0, 32]);
    }

    #[test]
    fn load_counts_as_far_as_it_is_trusted() {
        let check = |trust: u16, expected: &[u32]| {
            let members = [member(1, Some((0, trust))), member(1, Some((900, 1_000)))];
            assert_eq!(weights(&members), expected, "{trust}");
        };
        check(0, &[1, 1]);
        check(50, &[83, 45]);
        check(200, &[102, 26]);
        check(1_000, &[116, 12]);
    }

    #[test]
    fn a_slow_start_scales_what_load_leaves() {
        let check = |members: &[(Option<u16>, u16)], expected: &[u32]| {
            let members: Vec<_> = members
                .iter()
                .map(|&(load, share)| Reported {
                    share: PerMille::new(share),
                    ..member(1, load.map(|load| (load, 1_000)))
                })
                .collect();
            assert_eq!(weights(&members), expected, "{members:?}");
        };
        check(&[(None, 1_000), (None, 250)], &[4, 1]);
        check(&[(Some(250), 1_000), (Some(750), 1_000)], &[96, 32]);
        check(&[(Some(250), 500), (Some(750), 1_000)], &[77, 51]);
        check(&[(Some(250), 500), (Some(750), 500)], &[96, 32]);
    }

    fn members() -> impl Strategy<Value = Vec<Reported>> {
        let weight = prop_oneof![8 => 1_u32..20, 1 => Just(0), 1 => 1_u32..=WEIGHT_MAX];
        let load = option::weighted(0.8, (0_u16..=1_000, prop_oneof![Just(1_000), 1_u16..=1_000]));
        vec((weight, load).prop_map(|(weight, load)| member(weight, load)), 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn turns_are_short_and_nobody_is_left_out(members in members()) {
            let weights = weights(&members);
            prop_assert_eq!(weights.len(), members.len());
            for (member, &weight) in members.iter().zip(&weights) {
                prop_assert_eq!(member.weight == 0, weight == 0);
            }
            let plain: Vec<u32> = members.iter().map(|member| member.weight).collect();
            let sum: u64 = weights.iter().copied().map(u64::from).sum();
            prop_assert!(weights == plain || sum <= TOTAL_MAX + members.len() as u64, "{}", sum);
        }

        #[test]
        fn more_load_is_never_more_weight(members in members(), which: prop::sample::Index, more in 0_u16..=1_000) {
            let at = which.index(members.len());
            let Some(load) = members[at].load else { return Ok(()) };
            let mut busier = members.clone();
            let utilization = PerMille::new(load.utilization.get() + more);
            busier[at].load = Some(Load { utilization, ..load });
            let (before, after) = (weights(&members), weights(&busier));
            let plain: Vec<u32> = members.iter().map(|member| member.weight).collect();
            let sum = |weights: &[u32]| weights.iter().copied().map(f64::from).sum::<f64>().max(1.0);
            if before != plain && after != plain {
                prop_assert!(after[at] <= before[at], "{} → {}", before[at], after[at]);
            } else {
                // Turns of different length: shares are compared, each rounded by up to a half for every member.
                let rounding = (1.0 / sum(&before) + 1.0 / sum(&after)) * (1.0 + members.len() as f64 / 2.0);
                let shares = (f64::from(before[at]) / sum(&before), f64::from(after[at]) / sum(&after));
                prop_assert!(shares.1 <= shares.0 + rounding, "{:?}", shares);
            }
        }

        #[test]
        fn equal_loads_are_plain_proportions(members in members(), load in 0_u16..=1_000) {
            let plain: Vec<u32> = members.iter().map(|member| member.weight).collect();
            let level = PerMille::new(load);
            let equal = |member: &Reported| {
                let load = member.load.map(|load| Load { utilization: level, ..load });
                Reported { load, ..*member }
            };
            prop_assert_eq!(weights(&members.iter().map(equal).collect::<Vec<_>>()), plain);
        }

        /// Of two that weigh the same and are trusted alike, the busier one never gets more.
        #[test]
        fn the_busier_of_two_never_gets_more(
            members in members(),
            weight in 1_u32..50,
            (a, b) in (0_u16..=1_000, 0_u16..=1_000),
        ) {
            let mut members = members;
            members.push(member(weight, Some((a.min(b), 1_000))));
            members.push(member(weight, Some((a.max(b), 1_000))));
            let weights = weights(&members);
            prop_assert!(weights[weights.len() - 1] <= weights[weights.len() - 2]);
        }
    }
}
