//! How often a monitor probes and how many results count.

use std::time::Duration;

use super::super::duration;
use super::super::faults::Faults;
use super::super::table::Table;
use super::given;
use crate::health::{Timing, limits};

/// The times and counts. What is not given is the default, or less where the interval is shorter than that.
pub(super) fn read(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Timing> {
    let interval_item = table.get("interval");
    let interval = given(table, "interval", limits::INTERVAL, |item| item.duration(limits::INTERVAL_RANGE, faults));
    let within = |default: Duration| interval.map_or(default, |interval| interval.min(default));
    let fast = given(table, "fast", within(limits::FAST), |item| item.duration(limits::FAST_RANGE, faults));
    let timeout = given(table, "timeout", within(limits::TIMEOUT), |item| item.duration(limits::TIMEOUT_RANGE, faults));
    let fall = given(table, "fall", limits::FALL, |item| item.integer(limits::TURN_RANGE, faults));
    let rise = given(table, "rise", limits::RISE, |item| item.integer(limits::TURN_RANGE, faults));
    let mut fits = true;
    for (key, span, reason) in [
        ("fast", fast, "fast is the shorter pace, kept while a verdict forms"),
        ("timeout", timeout, "a probe would still wait when the next one is due"),
    ] {
        let (Some(item), Some(span), Some(interval)) = (table.get(key), span, interval) else { continue };
        if span > interval {
            fits = false;
            let (span, interval) = (duration::text(span), duration::text(interval));
            let default = if interval_item.is_some() { "" } else { " (the default)" };
            let note = faults
                .error(item.span, format!("`{key}` of {span} is longer than the interval of {interval}{default}"))
                .help(format!("{reason}: give {interval} at the most, or a longer `interval`"));
            if let Some(interval) = interval_item {
                note.other(interval.span, "the interval");
            }
        }
    }
    let timing = Timing { interval: interval?, fast: fast?, timeout: timeout?, fall: fall?, rise: rise? };
    fits.then_some(timing)
}
