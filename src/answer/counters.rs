//! How many requests of one worker came to what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::sheet::Sheet;
use super::{Outcome, Reason};
use crate::wire::cookie::Proof;
use crate::wire::header::Rcode;

/// How many requests of one worker came to what. Written by that worker alone, read by anyone: an addition is a
/// plain load and store.
// Two lines of a cache, which processors fetch in pairs: no other worker's counts share one.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests by outcome, without the answers that the sheet counts.
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Cookies, by what they prove.
    cookies: [AtomicU64; COOKIES.len()],
    /// Answers that went out truncated, by why.
    withheld: [AtomicU64; WITHHELD.len()],
    /// What it counts by zone and endpoint, where metrics are shown.
    sheet: ArcSwapOption<Sheet>,
}

/// Why an answer went out truncated that had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    /// It was over the limit of responses, and slipped.
    Rate,
    /// It was too large for whoever has not shown where it is.
    Unproven,
}

/// Every reason, in the order of the counters.
const WITHHELD: [(Withheld, &str); 2] =
    [(Withheld::Rate, "truncated-rate-limited"), (Withheld::Unproven, "truncated-unproven")];

/// Every proof, in the order of the counters.
const COOKIES: [(Proof, &str); 2] = [(Proof::Given, "cookies-proven"), (Proof::Missing, "cookies-unproven")];

/// Every outcome, in the order of the counters.
const OUTCOMES: [(Outcome, &str); 12] = [
    (Outcome::Answered(Rcode::NoError), "noerror"),
    (Outcome::Answered(Rcode::NxDomain), "nxdomain"),
    (Outcome::Answered(Rcode::Refused), "refused"),
    (Outcome::Answered(Rcode::ServFail), "servfail"),
    (Outcome::Answered(Rcode::FormErr), "formerr"),
    (Outcome::Answered(Rcode::NotImp), "notimp"),
    (Outcome::Answered(Rcode::BadVers), "badvers"),
    (Outcome::Answered(Rcode::YxDomain), "yxdomain"),
    (Outcome::Dropped(Reason::Short), "dropped-short"),
    (Outcome::Dropped(Reason::Response), "dropped-response"),
    (Outcome::Dropped(Reason::NoRoom), "dropped-no-room"),
    (Outcome::Dropped(Reason::RateLimited), "dropped-rate-limited"),
];

impl Counters {
    pub(super) fn add(&self, outcome: Outcome) {
        bump(&self.outcomes[place(outcome)], 1);
    }

    pub(super) fn add_cookie(&self, proof: Proof) {
        bump(&self.cookies[usize::from(proof == Proof::Missing)], 1);
    }

    pub(super) fn add_withheld(&self, why: Withheld) {
        bump(&self.withheld[why as usize], 1);
    }

    /// What the worker counts by zone and endpoint now, where metrics are shown.
    pub fn sheet(&self) -> Option<Arc<Sheet>> {
        self.sheet.load_full()
    }

    /// Has the worker count by `sheet` from now on. What answers `before` holds counts here from then on; whoever reads
    /// meanwhile may see those twice.
    pub(super) fn take_up(&self, sheet: Option<Arc<Sheet>>, before: Option<&Sheet>) {
        for (rcode, count) in before.into_iter().flat_map(Sheet::answers) {
            bump(&self.outcomes[place(Outcome::Answered(rcode))], count);
        }
        self.sheet.store(sheet);
    }

    /// Each code's name and how many answers had it. Costs a walk over the sheet.
    pub fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut counts = self.outcomes.each_ref().map(|counter| counter.load(Ordering::Relaxed));
        for (rcode, count) in self.sheet().iter().flat_map(|sheet| sheet.answers()) {
            counts[place(Outcome::Answered(rcode))] += count;
        }
        let answers = OUTCOMES.into_iter().zip(counts);
        answers.filter_map(|((outcome, name), count)| matches!(outcome, Outcome::Answered(_)).then_some((name, count)))
    }

    /// The name and count of each reason not to answer, then those of the cookies and of the truncated answers.
    pub fn events(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let outcomes = OUTCOMES.iter().zip(&self.outcomes);
        let dropped = outcomes.filter(|((outcome, _), _)| matches!(outcome, Outcome::Dropped(_)));
        let dropped = dropped.map(|((_, name), counter)| (*name, counter));
        let cookies = COOKIES.iter().map(|(_, name)| *name).zip(&self.cookies);
        let withheld = WITHHELD.iter().map(|(_, name)| *name).zip(&self.withheld);
        dropped.chain(cookies).chain(withheld).map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

/// The place of an outcome in [`OUTCOMES`].
fn place(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Answered(Rcode::NoError) => 0,
        Outcome::Answered(Rcode::NxDomain) => 1,
        Outcome::Answered(Rcode::Refused) => 2,
        Outcome::Answered(Rcode::ServFail) => 3,
        Outcome::Answered(Rcode::FormErr) => 4,
        Outcome::Answered(Rcode::NotImp) => 5,
        Outcome::Answered(Rcode::BadVers) => 6,
        Outcome::Answered(Rcode::YxDomain) => 7,
        Outcome::Dropped(Reason::Short) => 8,
        Outcome::Dropped(Reason::Response) => 9,
        Outcome::Dropped(Reason::NoRoom) => 10,
        Outcome::Dropped(Reason::RateLimited) => 11,
    }
}

fn bump(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_counter() {
        for (outcome, name) in OUTCOMES {
            let counters = Counters::default();
            counters.add(outcome);
            let counted: Vec<_> = counters.answers().chain(counters.events()).filter(|&(_, count)| count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
        for (why, name) in WITHHELD {
            let counters = Counters::default();
            counters.add_withheld(why);
            let counted: Vec<_> = counters.answers().chain(counters.events()).filter(|&(_, count)| count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}
