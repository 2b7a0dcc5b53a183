//! Weights hold exactly in what clients are given: not on average, but after every cycle.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::rr::RecordType;

use crate::support::client::{Client, addresses};
use crate::support::server::Launch;

const QUERIES: usize = 10_000;

/// Weights 4:3:2:1 and no monitor, so every member is alive.
const POLICY: &str = r#"
[zone]
nameservers = ["ns1.example.com"]
contact = "hostmaster.example.com"

[pools.shop]
policy = "weighted"
endpoints = [
  { name = "a", address = "192.0.2.1", weight = 4 },
  { name = "b", address = "192.0.2.2", weight = 3 },
  { name = "c", address = "192.0.2.3", weight = 2 },
  { name = "d", address = "192.0.2.4", weight = 1 },
]

[names]
"www" = { pool = "shop" }
"#;

#[test]
fn ten_thousand_answers_are_shared_out_by_weight() {
    // After any n answers of one worker no member is off by one or more, so the workers' errors add up.
    let check = |workers: usize, off_max: usize| {
        let server = Launch::new().file("example.com.toml", POLICY).workers(workers).start();
        // The kernel spreads clients over workers by address and port; many ports reach every worker.
        let clients: Vec<_> = (0..16).map(|_| Client::to(server.address)).collect();
        let mut shares: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for asked in 0..QUERIES {
            let answer = clients[asked % clients.len()].ask("www.example.com", RecordType::A);
            let given = addresses(&answer);
            assert_eq!(given.len(), 1, "a weighted pool answers with one address unless told otherwise: {answer}");
            *shares.entry(given[0]).or_default() += 1;
        }
        for (last_octet, weight) in [(1, 4), (2, 3), (3, 2), (4, 1)] {
            let ideal = QUERIES * weight / 10;
            let share = shares.get(&IpAddr::from([192, 0, 2, last_octet])).copied().unwrap_or_default();
            let off = share.abs_diff(ideal);
            assert!(off <= off_max, "{workers} workers: weight {weight} got {share}, not {ideal} ± {off_max}");
        }
    };
    check(1, 1);
    check(2, 2);
}
