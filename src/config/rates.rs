//! The keys of `[limits]` for what is sent by UDP to those who may be somebody else.

use super::faults::Faults;
use super::table::Table;
use super::words::networks;
use crate::answer::rate::{RateLimits, limits};

/// Reads them from the table `[limits]`; `None` when one of them is faulty.
pub(super) fn rates(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<RateLimits> {
    let default = RateLimits::default();
    let per_second = match table.get("responses-per-second") {
        Some(item) => item.integer(limits::PER_SECOND_RANGE, faults),
        None => Some(default.per_second),
    };
    let slip = match table.get("slip") {
        Some(item) => item.integer(limits::SLIP_RANGE, faults),
        None => Some(default.slip),
    };
    let unproven_octets = match table.get("unproven-octets") {
        Some(item) => item.integer(limits::UNPROVEN_OCTETS_RANGE, faults),
        None => Some(default.unproven_octets),
    };
    let exempt = match table.get("rate-exempt") {
        Some(item) => networks(item, 0..=limits::EXEMPT_MAX, faults).map(Vec::into_boxed_slice),
        None => Some(default.exempt),
    };
    Some(RateLimits { per_second: per_second?, slip: slip?, unproven_octets: unproven_octets?, exempt: exempt? })
}

#[cfg(test)]
mod tests {
    use super::super::server_file::tests::{check_refused, read};
    use super::*;
    use crate::geo::Network;

    #[test]
    fn limits_are_read() {
        let check = |text: &str, expected: RateLimits| {
            let (server, faults) = read(&format!("[limits]\n{text}"));
            assert_eq!(faults, [""; 0], "{text}");
            assert_eq!(server.expect("a server").doors.rates, expected, "{text}");
        };
        let network = |text| Network::parse(text).expect("a network");
        check("", RateLimits::default());
        check("responses-per-second = 0", RateLimits { per_second: 0, ..RateLimits::default() });
        check("rate-exempt = []", RateLimits { exempt: [].into(), ..RateLimits::default() });
        check(
            "responses-per-second = 50\nslip = 0\nunproven-octets = 1232\nrate-exempt = ['192.0.2.0/24', '2001:db8::/56']",
            RateLimits {
                per_second: 50,
                slip: 0,
                unproven_octets: 1_232,
                exempt: [network("192.0.2.0/24"), network("2001:db8::/56")].into(),
            },
        );
    }

    #[test]
    fn faults_are_listed() {
        let check = |text: &str, expected: &[&str]| check_refused(&format!("[limits]\n{text}"), expected);
        check("responses-per-second = -1", &["2:24 `responses-per-second` must be 0 to 1000000, found -1"]);
        check("slip = 11\nunproven-octets = 1233", &["2:8 `slip` must be 0 to 10", "3:19 `unproven-octets` must be"]);
        check("unproven-octets = 127", &["2:19 `unproven-octets` must be 128 to 1232, found 127"]);
        check("responses-per-second = '5s'", &["2:24 must be"]);
        check("rate-exempt = ['10.0.0.1/8']", &["2:16 `10.0.0.1/8` has bits set"]);
        check("rate-exempt = '10.0.0.0/8'", &["2:15 must be"]);
        let many = format!("rate-exempt = [{}]", "'10.0.0.0/8',".repeat(65));
        check(&many, &["2:15 `rate-exempt` must list 0 to 64 networks, found 65"]);
    }
}
