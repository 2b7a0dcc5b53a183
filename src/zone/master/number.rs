//! Numbers of master files: decimal, TTLs with units, dates of signatures.

/// The most that a TTL may be (RFC 2181 §8).
pub(super) const TTL_MAX: u32 = 0x7fff_ffff;

/// Reads decimal digits and nothing else.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, octet| {
        let digit = octet.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Reads seconds: bare, or with units as BIND takes them (`1h30m`, `1w2d`), in which case every number has one.
pub(super) fn period(text: &[u8]) -> Option<u64> {
    if let Some(seconds) = decimal(text) {
        return Some(seconds);
    }
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.iter().position(|octet| !octet.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let (unit, after) = after.split_first()?;
        let seconds = match unit.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(decimal(number)?.checked_mul(seconds)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// Reads `YYYYMMDDHHmmSS` in UTC as seconds since 1970 modulo 2³² (RFC 4034 §3.1.5, §3.2).
pub(super) fn date(text: &[u8]) -> Option<u32> {
    if text.len() != 14 {
        return None;
    }
    let part = |range: std::ops::Range<usize>| decimal(text.get(range)?);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(8..10)?, part(10..12)?, part(12..14)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=month_days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days before this year since 1970, then before this month; 477 leap days stand before 1970.
    let past = year - 1;
    let year_days = (year - 1970) * 365 + past / 4 - past / 100 + past / 400 - 477;
    let before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month_start = before_month.get(usize::try_from(month - 1).ok()?)? + u64::from(leap && month > 2);
    let seconds = (year_days + month_start + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second;
    u32::try_from(seconds & 0xffff_ffff).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_units() {
        let check = |text: &str, expected| assert_eq!(period(text.as_bytes()), expected, "{text}");
        check("0", Some(0));
        check("3600", Some(3600));
        check("1h30m", Some(5400));
        check("1w2D", Some(777_600));
        check("2H", Some(7200));
        for bad in ["", "h", "1h30", "1x", "-1", "1 h", "99999999999999999999", "99999999999999999999w"] {
            check(bad, None);
        }
    }

    #[test]
    fn dates_are_seconds() {
        let check = |text: &str, expected| assert_eq!(date(text.as_bytes()), expected, "{text}");
        check("19700101000000", Some(0));
        check("20000301000000", Some(951_868_800));
        check("20240229235960", Some(1_709_251_200));
        check("20300101000000", Some(1_893_456_000));
        check("21060207062816", Some(0));
        for bad in
            ["20230229000000", "20231301000000", "20230100000000", "20230101240000", "2023010100000", "2023x101000000"]
        {
            check(bad, None);
        }
    }
}
