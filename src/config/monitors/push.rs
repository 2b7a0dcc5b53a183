//! `push = { … }`: endpoints that report by themselves.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::faults::Faults;
use super::super::table::{Item, Keys, Table};
use super::given;
use crate::health::{Timing, limits};
use crate::probe::PushProbe;

const PUSH: Keys = Keys::only(&["lease"]);

/// How long a report is good for. Under a second a busy endpoint misses its own; over a day it is no report.
const LEASE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// How soon after one report the next is taken, at most.
const GAP: Duration = *limits::INTERVAL_RANGE.start();

/// Times that a lease takes the place of.
const PACES: [&str; 3] = ["interval", "fast", "timeout"];

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<PushProbe> {
    let table = item.table("`push`", &PUSH, r#"{ lease = "30s" }"#, faults)?;
    let lease = table.require("lease", "\"30s\"", faults)?.duration(LEASE_RANGE, faults)?;
    Some(PushProbe { lease })
}

/// The times of a monitor that waits for reports: `timeout` is the lease. A report is a judgement and no sample, so one
/// is enough to turn a verdict where nothing else is said.
pub(super) fn timing(table: &Table<'_>, probe: &PushProbe, faults: &mut Faults<'_>) -> Option<Timing> {
    let mut sound = true;
    for item in PACES.iter().filter_map(|key| table.get(key)) {
        sound = false;
        let message = format!("a monitor that waits for reports has no `{}`", item.key);
        faults.error(item.key_span, message).help("its lease says how soon silence counts as a failure");
    }
    let fall = given(table, "fall", 1, |item| item.integer(limits::TURN_RANGE, faults));
    let rise = given(table, "rise", 1, |item| item.integer(limits::TURN_RANGE, faults));
    let timing = Timing { interval: GAP, fast: GAP, timeout: probe.lease, fall: fall?, rise: rise? };
    sound.then_some(timing)
}
