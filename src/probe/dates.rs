//! Days as operators read them in logs: which one it was, and how far away it is.

use jiff::Span;
use jiff::civil::Date;

/// Seconds.
pub(super) const DAY: u64 = 86_400;

const HOUR: u64 = 3_600;

/// The day, in UTC, that lies `seconds` after the beginning of 1970: `2026-11-21`. What lies after the year 9999, which
/// no certificate can say (RFC 5280 §4.1.2.5), is its last.
pub(super) fn date(seconds: u64) -> String {
    const EPOCH: Date = Date::constant(1970, 1, 1);
    let days = i64::try_from(seconds / DAY).ok().and_then(|days| Span::new().try_days(days).ok());
    days.and_then(|days| EPOCH.checked_add(days).ok()).unwrap_or(Date::MAX).to_string()
}

/// How far `moment` lies from `now`, both in seconds since 1970: `in 3 days`, `5 hours ago`.
pub(super) fn distance(moment: u64, now: u64) -> String {
    let seconds = moment.abs_diff(now);
    let many = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    let span = match seconds {
        0..HOUR => "less than an hour".to_owned(),
        HOUR..DAY => many(seconds / HOUR, "hour"),
        DAY.. => many(seconds / DAY, "day"),
    };
    if moment > now { format!("in {span}") } else { format!("{span} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named() {
        let check = |seconds: u64, expected: &str| assert_eq!(date(seconds), expected);
        check(0, "1970-01-01");
        check(DAY - 1, "1970-01-01");
        check(951_782_400, "2000-02-29");
        check(951_868_800, "2000-03-01");
        check(1_709_164_800, "2024-02-29");
        check(1_735_689_599, "2024-12-31");
        check(4_107_542_400, "2100-03-01");
        check(253_402_300_799, "9999-12-31");
        check(253_402_300_800, "9999-12-31");
        check(u64::MAX, "9999-12-31");
    }

    #[test]
    fn a_distance_reads_as_it_is_said() {
        const NOW: u64 = 1_795_262_400;
        let check =
            |seconds: i64, expected: &str| assert_eq!(distance(NOW.saturating_add_signed(seconds), NOW), expected);
        check(10 * 86_400 + 5, "in 10 days");
        check(2 * 86_400 - 1, "in 1 day");
        check(86_399, "in 23 hours");
        check(3_600, "in 1 hour");
        check(3_599, "in less than an hour");
        check(0, "less than an hour ago");
        check(-3_599, "less than an hour ago");
        check(-7_200, "2 hours ago");
        check(-3 * 86_400, "3 days ago");
    }
}
