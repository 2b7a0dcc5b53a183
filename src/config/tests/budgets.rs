//! What budgets make of monitors: whatever of them is given, the plan keeps the budget or names the nearest that fits.

use std::time::Duration;

use proptest::prelude::*;

use super::super::duration;
use super::{check_faults, read, sound};
use crate::health::{Timing, limits};

fn file(keys: &str, names: &str) -> String {
    format!(
        "[monitors.m]\ntcp.port = 80\n{keys}[pools.p]\npolicy = 'failover'\nmonitor = 'm'\n\
         endpoints = ['192.0.2.1']\n[names]\n{names}"
    )
}

#[test]
fn what_is_free_is_shortened_only_as_far_as_the_budget_asks() {
    let check = |keys: &str, names: &str, expected: (u64, u64, u64), range: (u32, u32)| {
        let (policies, targets) = sound(&file(keys, names));
        let Timing { interval, fast, timeout, .. } = targets[0].monitor.timing;
        let got = [interval, fast, timeout].map(|span| span.as_millis() as u64);
        assert_eq!(got, <[u64; 3]>::from(expected), "{keys} {names}");
        let first = policies.names[0].plan.range;
        assert_eq!((first.min, first.max), range, "{keys} {names}");
    };
    let budget = |budget: &str| format!("a = {{ pool = 'p', failover = '{budget}' }}\n");
    // As they are from 18 s on, however much there is.
    check("", &budget("18s"), (5_000, 1_000, 2_000), (5, 11));
    check("", &budget("1d"), (5_000, 1_000, 2_000), (5, 86_393));
    // 13 s of detection have to be 8: in one proportion, 615 thousandths.
    check("", &budget("13s"), (3_075, 615, 1_230), (5, 8));
    // At the least times the floor gives way.
    check("", &budget("3s"), (500, 100, 250), (1, 2));
    // What is given stays.
    check("interval = '4s'\n", &budget("13s"), (4_000, 500, 1_000), (5, 8));
    check("timeout = '1s'\nfast = '1s'\n", &budget("13s"), (3_000, 1_000, 1_000), (5, 9));
    // The tightest of several names counts; a floor that is asked for is heeded.
    check("", &format!("{}b = {{ pool = 'p', failover = '13s' }}\n", budget("30s")), (3_075, 615, 1_230), (5, 25));
    check("", "a = { pool = 'p', failover = '15s', ttl-min = '2s' }\n", (5_000, 1_000, 2_000), (2, 8));
}

#[test]
fn a_refusal_says_what_would_fit() {
    check_faults(
        &file("interval = '10s'\nfast = '1s'\ntimeout = '2s'\n", "a = { pool = 'p', failover = '15s' }\n"),
        &[
            "11:30 a budget of 15s cannot be kept: interval 10s + timeout 2s + 2 × (fast 1s + timeout 2s) + ttl-min 1s = 19s \
           / the nearest budget that fits is \"19s\"; or give the monitor interval = \"6s\"; or give the monitor fall = 1 @ 1:11",
        ],
    );
}

#[test]
fn monitors_combine_and_pools_depend() {
    let text = "monitors.web.tcp.port = 80\nmonitors.db = { tcp = { port = 5432 }, address = '192.0.2.53' }\n\
        pools.p = { policy = 'failover', monitor = ['web', 'db'], require = 'any', depends = 'db', \
        endpoints = ['192.0.2.1', { address = '192.0.2.2', monitor = 'web' }] }\nnames.a = 'p'\n";
    let (policies, targets) = sound(text);
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["tcp://192.0.2.1:80", "tcp://192.0.2.53:5432", "tcp://192.0.2.2:80"]);
    let judged = |at: usize| {
        let judged = &policies.pools.endpoints[at].judged;
        (judged.need, judged.probes.iter().map(|probe| probe.0).collect::<Vec<_>>())
    };
    assert_eq!((judged(0), judged(1)), ((1, vec![0, 1]), (1, vec![2])));
    assert_eq!(policies.pools.pools[0].depends[0].0, 1);

    let check = |rest: &str, expected: &str| {
        let pool = "pools.p = { policy = 'failover', endpoints = ['192.0.2.1']";
        check_faults(&format!("monitors.web.tcp.port = 80\n{pool}{rest} }}\n"), &[expected]);
    };
    check(", require = 'any'", "2:61 `require` counts monitors, and there are none / add monitor");
    check(", monitor = ['web'], require = 2", "2:90 `require` must be 1 to 1, found 2");
    check(", monitor = ['web'], require = 'some'", "2:90 `require` must be \"all\", \"any\" or a number from 1 to 1");
    check(", monitor = []", "2:71 `monitor` must list 1 to 16 monitors, found 0");
    check(", monitor = ['web', 'web']", "2:79 the monitor `web` stands twice @ 2:72");
    check(", depends = 'web'", "2:71 the monitor `web` does not say what it probes by itself / give it address @ 1:10");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Any budget, and any of the keys given.
    #[test]
    fn plans_keep_their_budgets(
        budget_ms in 1_000..40_000_u64,
        interval in prop::option::of(2_000..20_000_u64),
        fast in prop::option::of(100..2_000_u64),
        timeout in prop::option::of(100..2_000_u64),
        fall in 1..6_u8,
        floor in prop::option::of(1..8_u64),
    ) {
        let key = |key: &str, value: Option<u64>| value.map_or(String::new(), |ms| format!("{key} = '{ms}ms'\n"));
        let keys = key("interval", interval) + &key("fast", fast) + &key("timeout", timeout) + &format!("fall = {fall}\n");
        let floor_key = floor.map_or(String::new(), |floor| format!(", ttl-min = '{floor}s'"));
        let planned = |budget: Duration| {
            let name = format!("a = {{ pool = 'p', failover = '{}'{floor_key} }}\n", duration::text(budget));
            read(&file(&keys, &name))
        };
        let budget = Duration::from_millis(budget_ms);
        let (policies, faults, targets) = planned(budget);
        let Some(policies) = policies else {
            let help = faults[0].help.clone().unwrap_or_default();
            let Some((_, rest)) = help.split_once("the nearest budget that fits is \"") else {
                prop_assert!(faults[0].message.contains("longer than the budget"), "{}", faults[0].message);
                return Ok(());
            };
            let fits = duration::parse(rest.split('"').next().expect("a time")).expect("a time");
            prop_assert!(fits > budget);
            prop_assert!(planned(fits).0.is_some(), "{:?} does not fit", fits);
            let less = fits - Duration::from_millis(1);
            prop_assert!(planned(less).0.is_none(), "{:?} fits too", less);
            return Ok(());
        };
        let timing = targets[0].monitor.timing;
        let plan = policies.names[0].plan;
        prop_assert!(timing.detection_max() + Duration::from_secs(plan.range.min.into()) <= budget);
        prop_assert!(timing.suspicion_max() + Duration::from_secs(plan.range.max.into()) <= budget);
        prop_assert!(plan.range.min >= floor.unwrap_or(1) as u32 && plan.range.min <= plan.range.max);
        for (given, got, least, most) in [
            (interval, timing.interval, limits::INTERVAL_DERIVED_LEAST, limits::INTERVAL),
            (fast, timing.fast, limits::FAST_DERIVED_LEAST, limits::FAST),
            (timeout, timing.timeout, limits::TIMEOUT_DERIVED_LEAST, limits::TIMEOUT),
        ] {
            match given {
                Some(given) => prop_assert_eq!(got, Duration::from_millis(given)),
                None => prop_assert!((least..=most).contains(&got), "{:?}", timing),
            }
        }
        prop_assert!(timing.fast <= timing.interval && timing.timeout <= timing.interval);
    }
}
