//! One turn of a weighted pool: which member answers at each step.
//!
//! After any n steps from the start of a turn, a member of weight w in a pool of total W has answered fewer than
//! one time more or less than n·w/W: the bound of the chairman assignment (Tijdeman 1980). It is reached as
//! proportionate-fair scheduling reaches it (Baruah, Cohen, Plaxton, Varvel 1996): the j-th answer of a member
//! may fall no sooner than step ⌊(j−1)·W/w⌋ + 1 and no later than ⌈j·W/w⌉, and among those that may answer, the
//! one with the soonest deadline does; of equals the lightest, which spreads it best. nginx's smooth round-robin drifts further than that on uneven weights.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The members' numbers, step by step, for one whole turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    steps: Box<[u16]>,
}

impl Schedule {
    /// The turn of members that weigh `weights`, each at least 1, at most [`super::MEMBERS_MAX`] of them.
    ///
    /// Cost: O(W log k) for k members whose weights, without their common factor, sum to W; W is bounded by
    /// [`super::WEIGHT_TOTAL_MAX`].
    pub(super) fn new(weights: &[u32]) -> Self {
        let factor = weights.iter().copied().fold(0, gcd).max(1);
        let weights: Vec<u64> = weights.iter().map(|&weight| u64::from(weight / factor)).collect();
        let total: u64 = weights.iter().sum();
        let release = |member: usize, answer: u64| (answer - 1) * total / weights[member] + 1;
        let deadline = |member: usize, answer: u64| (answer * total).div_ceil(weights[member]);

        let mut waiting: BinaryHeap<_> =
            (0..weights.len()).filter(|&member| weights[member] > 0).map(|member| Reverse((1, member, 1))).collect();
        let mut ready = BinaryHeap::new();
        let mut steps = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
        for step in 1..=total {
            while let Some(&Reverse((from, member, answer))) = waiting.peek()
                && from <= step
            {
                waiting.pop();
                ready.push(Reverse((deadline(member, answer), weights[member], member, answer)));
            }
            // Some member is always ready: the shares of all of them sum to one answer a step.
            let Some(Reverse((_, _, member, answer))) = ready.pop() else { break };
            steps.push(u16::try_from(member).unwrap_or(u16::MAX));
            waiting.push(Reverse((release(member, answer + 1), member, answer + 1)));
        }
        Self { steps: steps.into() }
    }

    /// The member at `step`, which is below [`Schedule::len`].
    pub(super) fn member(&self, step: u32) -> usize {
        self.steps.get(step as usize).copied().map_or(0, usize::from)
    }

    /// Steps in a turn.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }
}

/// The greatest common divisor; of 0 and n, n.
pub fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// No member is off by one or more after any step, and the turn is exact.
    fn check(weights: &[u32]) {
        let schedule = Schedule::new(weights);
        let total: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
        let mut answered = vec![0_i64; weights.len()];
        for step in 0..schedule.len() {
            answered[schedule.member(step as u32)] += 1;
            for (&weight, &count) in weights.iter().zip(&answered) {
                let off = count * total - (step as i64 + 1) * i64::from(weight);
                assert!(off.abs() < total, "{weights:?}: off by {off}/{total} after step {step}");
            }
        }
        let turns = total / schedule.len().max(1) as i64;
        let exact: Vec<i64> = weights.iter().map(|&weight| i64::from(weight) / turns).collect();
        assert_eq!(answered, exact, "{weights:?}");
    }

    #[test]
    fn known_turns() {
        assert_eq!(&*Schedule::new(&[1, 1, 1]).steps, [0, 1, 2]);
        assert_eq!(&*Schedule::new(&[2, 2]).steps, [0, 1]);
        assert_eq!(&*Schedule::new(&[3, 1]).steps, [0, 0, 1, 0]);
        assert_eq!(Schedule::new(&[4, 3, 2, 1]).len(), 10);
        assert_eq!(Schedule::new(&[1_000, 3_000]).len(), 4);
        assert_eq!(Schedule::new(&[]).len(), 0);
    }

    #[test]
    fn uneven_turns_stay_within_the_bound() {
        check(&[4, 3, 2, 1]);
        check(&[100, 1]);
        check(&[1, 100, 1, 1]);
        check(&[97, 89, 83, 79, 73, 71, 67, 61]);
        check(&[1; 1000]);
        check(&[6, 4]);
    }

    proptest! {
        #[test]
        fn any_turn_stays_within_the_bound(weights in proptest::collection::vec(1_u32..60, 1..12)) {
            check(&weights);
        }
    }
}
