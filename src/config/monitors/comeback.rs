//! What an endpoint must wait for once it has died, and how soon it gets its whole share again: `hold-down`,
//! `slow-start`, `failback`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::duration;
use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys, Table};
use super::given;
use crate::health::{Comeback, Failback, HoldDown, comeback_limits as limits};

const HOLD_DOWN: Keys = Keys::only(&["first", "most", "window"]);

/// The three keys of a monitor.
pub(super) fn read(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Comeback> {
    let hold_down = given(table, "hold-down", HoldDown::default(), |item| hold_down(item, faults));
    let slow_start =
        given(table, "slow-start", Duration::ZERO, |item| span_or_none(item, limits::SLOW_START_RANGE, faults));
    let failback = given(table, "failback", Failback::default(), |item| failback(item, faults));
    Some(Comeback { hold_down: hold_down?, slow_start: slow_start?, failback: failback? })
}

/// `"10s"`, `"0s"`, or `{ first = "10s", most = "5m", window = "10m" }`. A first hold that is longer than the default
/// of `most` is the most as well, where no other is given.
fn hold_down(item: Item<'_>, faults: &mut Faults<'_>) -> Option<HoldDown> {
    let of = |first: Duration| HoldDown { first, most: limits::HOLD_MOST.max(first), ..HoldDown::default() };
    if item.value.is_str() {
        return span_or_none(item, limits::HOLD_RANGE, faults).map(of);
    }
    if !item.value.is_table() {
        item.mismatch(
            r#"a time such as "10s" or a table such as { first = "10s", most = "5m", window = "10m" }"#,
            faults,
        );
        return None;
    }
    let table = item.table("`hold-down`", &HOLD_DOWN, r#"{ first = "10s", most = "5m", window = "10m" }"#, faults)?;
    let first = given(&table, "first", limits::HOLD_FIRST, |item| span_or_none(item, limits::HOLD_RANGE, faults));
    let most_item = table.get("most");
    let most = given(&table, "most", limits::HOLD_MOST.max(first.unwrap_or_default()), |item| {
        item.duration(limits::HOLD_RANGE, faults)
    });
    let window = given(&table, "window", limits::WINDOW, |item| item.duration(limits::WINDOW_RANGE, faults));
    let (first, most, window) = (first?, most?, window?);
    if first > most {
        let default = if table.get("first").is_some() { "" } else { " (the default)" };
        let (first_text, most_text) = (duration::text(first), duration::text(most));
        let place = most_item.map_or(item.span, |most| most.span);
        faults
            .error(place, format!("`most` of {most_text} is shorter than `first` of {first_text}{default}"))
            .help("each death doubles the hold, from `first` up to `most`");
        return None;
    }
    Some(HoldDown { first, most, window })
}

/// A span of time within `range`, or `"0s"` for none.
fn span_or_none(item: Item<'_>, range: RangeInclusive<Duration>, faults: &mut Faults<'_>) -> Option<Duration> {
    let zero = item.value.as_str().is_some_and(|text| duration::parse(text) == Ok(Duration::ZERO));
    if zero { Some(Duration::ZERO) } else { item.duration(range, faults) }
}

fn failback(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Failback> {
    match item.string("auto", faults)? {
        "auto" => Some(Failback::Automatic),
        "manual" => Some(Failback::Manual),
        text => {
            faults
                .error(item.span, format!("`failback` must be \"auto\" or \"manual\", found \"{}\"", shown(text)))
                .help("\"manual\" keeps an endpoint that died down until an operator releases it");
            None
        }
    }
}
