//! Spans of time as operators write them: `"500ms"`, `"5s"`, `"1m30s"`.
//!
//! Whole numbers with a unit, the larger unit first, each unit at most once. No fractions: `"1s500ms"` says the
//! same without a question of rounding.

use std::fmt;
use std::time::Duration;

/// The units, from the largest, in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DurationError {
    /// Not numbers with units.
    Malformed,
    /// A number alone.
    NoUnit,
    /// A unit that is not among the known.
    UnknownUnit,
    /// A unit that stands twice, or a smaller one before a larger.
    Order,
    /// More milliseconds than 64 bits count.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a time",
            Self::NoUnit => "a time needs a unit",
            Self::UnknownUnit => "the units of time are w, d, h, m, s and ms",
            Self::Order => "a time names each unit once, the larger before the smaller",
            Self::TooLong => "longer than any time that can be kept",
        })
    }
}

impl DurationError {
    /// What would be right in place of `text`.
    pub(super) fn help(self, text: &str) -> String {
        match self {
            Self::NoUnit if text.len() <= 20 => format!("write \"{text}s\" for seconds, \"{text}ms\" for milliseconds"),
            _ => r#"write a time as "500ms", "5s", "2m", "1h" or "1m30s""#.to_owned(),
        }
    }
}

/// Reads a span of time as files have it, for commands to take it in the same words.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn read_span(text: &str) -> Result<Duration, String> {
    parse(text).map_err(|error| format!("{error}; {}", error.help(text)))
}

/// Reads a span of time.
///
/// # Errors
/// As [`DurationError`] says.
pub(super) fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        match (number, unit) {
            ("", _) => return Err(DurationError::Malformed),
            (_, "") if after.is_empty() && digits == text.len() => return Err(DurationError::NoUnit),
            (_, "") => return Err(DurationError::Malformed),
            _ => {}
        }
        if !UNITS.iter().any(|&(known, _)| known == unit) {
            return Err(DurationError::UnknownUnit);
        }
        let &(_, worth) = units.find(|&&(next, _)| next == unit).ok_or(DurationError::Order)?;
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        let part = number.checked_mul(worth).ok_or(DurationError::TooLong)?;
        milliseconds = milliseconds.checked_add(part).ok_or(DurationError::TooLong)?;
        rest = after;
    }
    Ok(Duration::from_millis(milliseconds))
}

/// The text that stands for `span`, in the units that [`parse`] reads; parts of a millisecond are dropped.
pub(super) fn text(span: Duration) -> String {
    let mut rest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    // Weeks are read but not written: 14 d is easier to picture than 2 w.
    for (unit, worth) in UNITS.into_iter().skip(1) {
        if rest >= worth {
            text.push_str(&format!("{}{unit}", rest / worth));
            rest %= worth;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read() {
        use DurationError::*;
        let check = |text: &str, expected: Result<u64, DurationError>| {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text:?}");
        };
        check("500ms", Ok(500));
        check("5s", Ok(5_000));
        check("2m", Ok(120_000));
        check("1h", Ok(3_600_000));
        check("1d", Ok(86_400_000));
        check("2w", Ok(1_209_600_000));
        check("1m30s", Ok(90_000));
        check("1d2h3m4s5ms", Ok(93_784_005));
        check("0s", Ok(0));
        check("", Err(Malformed));
        check("s", Err(Malformed));
        check("-5s", Err(Malformed));
        check("1.5s", Err(Malformed));
        check("30 s", Err(Malformed));
        check(" 30s", Err(Malformed));
        check("5s3", Err(Malformed));
        check("30", Err(NoUnit));
        check("5S", Err(UnknownUnit));
        check("5sec", Err(UnknownUnit));
        check("5µs", Err(UnknownUnit));
        check("30s1m", Err(Order));
        check("1s1s", Err(Order));
        check("18446744073709551616ms", Err(TooLong));
        check("18446744073709551615s", Err(TooLong));
        check("18446744073709551s616ms", Err(TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds: u64) {
            let span = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&text(span)), Ok(span));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9]{0,21}(w|d|h|ms|m|s|x| |é){0,3}\\PC{0,4}") {
            if let Ok(span) = parse(&text) {
                prop_assert_eq!(parse(&super::text(span)), Ok(span));
            }
        }
    }
}
