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
        let at = match outcome {
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
        };
        bump(&self.outcomes[at]);
    }

    pub(super) fn add_cookie(&self, proof: Proof) {
        bump(&self.cookies[usize::from(proof == Proof::Missing)]);
    }

    pub(super) fn add_withheld(&self, why: Withheld) {
        bump(&self.withheld[why as usize]);
    }

    /// What the worker counts by zone and endpoint now, where metrics are shown.
    pub fn sheet(&self) -> Option<Arc<Sheet>> {
        self.sheet.load_full()
    }

    pub(super) fn publish(&self, sheet: Option<Arc<Sheet>>) {
        self.sheet.store(sheet);
    }

    /// Each outcome's name and count, then those of the cookies and of the truncated answers among them.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let outcomes = OUTCOMES.iter().map(|(_, name)| *name).zip(&self.outcomes);
        let cookies = COOKIES.iter().map(|(_, name)| *name).zip(&self.cookies);
        let withheld = WITHHELD.iter().map(|(_, name)| *name).zip(&self.withheld);
        outcomes.chain(cookies).chain(withheld).map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_counter() {
        for (outcome, name) in OUTCOMES {
            let counters = Counters::default();
            counters.add(outcome);
            let counted: Vec<_> = counters.read().filter(|&(_, count)| count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
        for (why, name) in WITHHELD {
            let counters = Counters::default();
            counters.add_withheld(why);
            let counted: Vec<_> = counters.read().filter(|&(_, count)| count > 0).collect();
            assert_eq!(counted, [(name, 1)]);
        }
    }
}
