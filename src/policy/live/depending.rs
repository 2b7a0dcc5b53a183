//! Pools that depend on something, and endpoints that several monitors judge: from the policy file to what is alive,
//! and when that could turn.

use std::path::Path;

use crate::config::{Atlas, Policies, read_policies};
use crate::health::{Board, Health, ProbeId};
use crate::moment::Moment;
use crate::policy::{Family, Forced, Live, PoolId};
use crate::wire::name::Name;

const POLICY: &str = r#"
[monitors.web]
tcp = { port = 80 }
[monitors.app]
tcp = { port = 8080 }
[monitors.db]
tcp = { port = 5432 }
address = "127.0.0.9"
[pools.site]
policy = "round-robin"
monitor = ["web", "app"]
require = "any"
depends = "db"
endpoints = ["127.0.0.1"]
[pools.spare]
policy = "round-robin"
monitor = ["web", "app"]
endpoints = ["127.0.0.2"]
[pools.top]
policy = "failover"
members = ["site", "spare"]
[names]
www = { pool = "top", failover = "30s" }
"#;

/// The probes, by what each asks.
const PROBES: [&str; 5] = [
    "tcp://127.0.0.9:5432",
    "tcp://127.0.0.1:80",
    "tcp://127.0.0.1:8080",
    "tcp://127.0.0.2:80",
    "tcp://127.0.0.2:8080",
];

fn read() -> (Policies, Vec<String>) {
    let mut targets: Vec<String> = Vec::new();
    let mut register = |target: crate::probe::Target| {
        let target = target.to_string();
        let known = targets.iter().position(|known| *known == target);
        let at = known.unwrap_or_else(|| {
            targets.push(target);
            targets.len() - 1
        });
        ProbeId(at as u32)
    };
    let apex = Name::from_host("example.com").expect("a name");
    let text = format!("[zone]\nnameservers = ['ns1.example.net']\ncontact = 'hostmaster.example.net'\n{POLICY}");
    let (policies, faults) =
        read_policies(Path::new("example.com.toml"), &text, &apex, &Atlas::default(), &mut register);
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    (policies.unwrap_or_else(|| panic!("{faults:#?}")), targets)
}

#[test]
fn what_a_pool_depends_on_takes_it_down_and_is_foretold() {
    let (policies, targets) = read();
    let pools = &policies.pools;
    let named = |name: &str| {
        let at = pools.pools.iter().position(|pool| &*pool.name == name).expect("a pool");
        PoolId(at as u32)
    };
    // Each of PROBES: `+` up, `-` down, `?` suspect or recovering, to turn at that second at the soonest.
    let check = |healths: [&str; 5], expected: [(&str, bool, Option<u64>); 3]| {
        let mut board = Board::new();
        for (probe, text) in PROBES.iter().zip(healths) {
            let (verdict, flip) = text.split_at(1);
            let base = if verdict == "+" { Health::UP } else { Health::DOWN };
            let flip = flip.parse().map_or(Moment::NEVER, |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000));
            let id =
                targets.iter().position(|target| target == probe).unwrap_or_else(|| panic!("{probe}: {targets:?}"));
            board.set(ProbeId(id as u32), Health { flip, ..base });
        }
        let live = Live::compile(pools, &board, &Forced::default(), None);
        for (name, alive, flip) in expected {
            let pool = live.pool(Family::V4, named(name)).expect("a pool of this family");
            let soonest = (pool.flip != Moment::NEVER).then(|| pool.flip.as_nanos() / 1_000_000_000);
            assert_eq!((pool.is_alive(), soonest), (alive, flip), "{name} under {healths:?}");
        }
    };
    check(["+", "+", "+", "+", "+"], [("site", true, None), ("spare", true, None), ("top", true, None)]);
    // The database is suspect: it could take the site down, and with it move clients.
    check(["+7", "+", "+", "+", "+"], [("site", true, Some(7)), ("spare", true, None), ("top", true, Some(7))]);
    check(["-", "+", "+", "+", "+"], [("site", false, None), ("spare", true, None), ("top", true, None)]);
    // It recovers: the site could be back.
    check(["-9", "+", "+", "+", "+"], [("site", false, Some(9)), ("spare", true, None), ("top", true, Some(9))]);
    // Any of two suffices, so one that fails foretells nothing; both turn with the later.
    check(["+", "+3", "+", "+", "+"], [("site", true, None), ("spare", true, None), ("top", true, None)]);
    check(["+", "+3", "+5", "+", "+"], [("site", true, Some(5)), ("spare", true, None), ("top", true, Some(5))]);
    check(["+", "-", "+5", "+", "+"], [("site", true, Some(5)), ("spare", true, None), ("top", true, Some(5))]);
    check(["+", "-", "-", "+", "+"], [("site", false, None), ("spare", true, None), ("top", true, None)]);
    // Of all, one is enough to fail, and the sooner counts.
    check(["-", "+", "+", "+4", "+6"], [("site", false, None), ("spare", true, Some(4)), ("top", true, Some(4))]);
    check(["-", "+", "+", "-", "+"], [("site", false, None), ("spare", false, None), ("top", false, None)]);
    // The sooner of the site's own and what it depends on.
    check(["+8", "+3", "+5", "+", "+"], [("site", true, Some(5)), ("spare", true, None), ("top", true, Some(5))]);
}
