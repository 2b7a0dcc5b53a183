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
    use std::path::Path;

    use super::super::{Settings, read_server_file};
    use super::*;
    use crate::geo::Network;

    fn read(text: &str) -> (Option<Settings>, Vec<String>) {
        let (server, faults) = read_server_file(Path::new("bellwether.toml"), &format!("[limits]\n{text}"));
        (server, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn limits_are_read() {
        let check = |text: &str, expected: RateLimits| {
            let (server, faults) = read(text);
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
        let check = |text: &str, expected: &[&str]| {
            let (server, faults) = read(text);
            assert_eq!(server, None, "{text}");
            assert_eq!(faults.len(), expected.len(), "of {text}: {faults:#?}");
            for (got, expected) in faults.iter().zip(expected) {
                assert!(got.contains(expected), "{expected:?} is not in: {got}");
            }
        };
        check("responses-per-second = -1", &[":2:24: error: `responses-per-second` must be 0 to 1000000, found -1"]);
        check("slip = 11\nunproven-octets = 1233", &[":2:8: error: `slip` must be 0 to 10", ":3:19: error: "]);
        check("unproven-octets = 127", &["`unproven-octets` must be 128 to 1232, found 127"]);
        check("responses-per-second = '5s'", &[":2:24: error: "]);
        check("rate-exempt = ['10.0.0.1/8']", &[":2:16: error: `10.0.0.1/8` has bits set"]);
        check("rate-exempt = '10.0.0.0/8'", &[":2:15: error: "]);
        let many = format!("rate-exempt = [{}]", "'10.0.0.0/8',".repeat(65));
        check(&many, &["`rate-exempt` must list 0 to 64 networks, found 65"]);
    }
}
