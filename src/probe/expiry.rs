//! Tells of certificates that end soon: each endpoint's once a day, and not more of all than a person reads.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

use super::Target;
use super::dates::{DAY, date, distance};
use crate::moment::Moment;

/// Between two warnings of the same endpoint.
const AGAIN: Duration = Duration::from_secs(DAY);

/// Warnings of a day over all endpoints. One certificate on a thousand of them is one thing to do; where there are
/// more, `status` has the whole list.
const TOLD_A_DAY_MAX: u32 = 100;

/// How many were told today.
#[derive(Debug)]
pub(super) struct Expiry(Mutex<Today>);

impl Default for Expiry {
    fn default() -> Self {
        Self(Mutex::new(Today { since: Moment::START, told: 0 }))
    }
}

#[derive(Debug)]
struct Today {
    since: Moment,
    told: u32,
}

/// What is to be said of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It ends soon.
    Ends,
    /// It ends soon, and of others nothing is said for the rest of the day.
    EndsAndOthersUnsaid,
}

impl Expiry {
    /// Warns if the certificate that `target` showed at `now` ends soon. It `ends` and it is `today` in seconds since
    /// 1970; `told` is when this endpoint's was told of last, and is kept here.
    pub(super) fn consider(&self, target: &Target, ends: u64, today: u64, now: Moment, told: &mut Option<Moment>) {
        let Some(word) = target.tls().and_then(|check| self.word(check.warn_before, ends, today, now, told)) else {
            return;
        };
        warn!("{target}: the certificate ends on {}, {}", date(ends), distance(ends, today));
        if word == Word::EndsAndOthersUnsaid {
            warn!("more certificates may end soon: no more than {TOLD_A_DAY_MAX} warnings of them a day");
        }
    }

    fn word(&self, before: Duration, ends: u64, today: u64, now: Moment, told: &mut Option<Moment>) -> Option<Word> {
        if before.is_zero() || ends > today.saturating_add(before.as_secs()) {
            // One that was renewed is told of anew when its own end comes.
            *told = None;
            return None;
        }
        if told.is_some_and(|told| now.since(told) < AGAIN) {
            return None;
        }
        *told = Some(now);
        let mut day = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(day.since) >= AGAIN {
            *day = Today { since: now, told: 0 };
        }
        day.told = day.told.saturating_add(1);
        match day.told {
            told if told < TOLD_A_DAY_MAX => Some(Word::Ends),
            TOLD_A_DAY_MAX => Some(Word::EndsAndOthersUnsaid),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const TODAY: u64 = 1_795_262_400;

    #[test]
    fn each_is_told_once_a_day_from_when_it_is_near() {
        let expiry = Expiry::default();
        let (mut told, mut now) = (None, Moment::START + 24 * HOUR);
        let mut check = |hours: u32, days_left: u64, expected: bool| {
            now = now + hours * HOUR;
            let word = expiry.word(Duration::from_secs(14 * DAY), TODAY + days_left * DAY, TODAY, now, &mut told);
            assert_eq!(word, expected.then_some(Word::Ends), "{days_left} days left");
        };
        check(0, 15, false);
        check(24, 14, true);
        check(1, 14, false);
        check(22, 14, false);
        check(1, 13, true);
        // Renewed, and again forgotten.
        check(1, 90, false);
        check(1, 14, true);
        let mut told = None;
        let never = expiry.word(Duration::ZERO, TODAY, TODAY, Moment::START, &mut told);
        assert_eq!(never, None, "where it was asked not to");
    }

    #[test]
    fn no_more_are_told_than_are_read() {
        let expiry = Expiry::default();
        let said = |now: Moment| {
            let word = || expiry.word(Duration::from_secs(DAY), TODAY, TODAY, now, &mut None);
            (0..1_000).filter_map(|_| word()).collect::<Vec<_>>()
        };
        for day in 1..3 {
            let said = said(Moment::START + day * 24 * HOUR);
            assert_eq!(said.len(), TOLD_A_DAY_MAX as usize);
            assert_eq!(said.iter().position(|&word| word == Word::EndsAndOthersUnsaid), Some(said.len() - 1));
        }
    }
}
