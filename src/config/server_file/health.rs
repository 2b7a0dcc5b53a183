//! `[health]`: what is made of many endpoints that fail at once.

use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys};
use super::super::words::percent;
use crate::health::{PerMille, WaveSettings};

const HEALTH: Keys = Keys::only(&["wave-share", "wave-hold"]);

/// Reads the table; what is not given is as its default.
pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<WaveSettings> {
    let table = item.table("[health]", &HEALTH, r#"{ wave-share = "50%", wave-hold = "30s" }"#, faults)?;
    let default = WaveSettings::default();
    let share = table.get("wave-share").map_or(Some(default.share), |item| share(item, faults));
    let hold =
        table.get("wave-hold").map_or(Some(default.hold), |item| item.duration(WaveSettings::HOLD_RANGE, faults));
    Some(WaveSettings { share: share?, hold: hold? })
}

/// A share, or none: `"off"`, 0, `"0%"`. All of them is none either: no more than all can fail.
fn share(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Option<PerMille>> {
    if item.value.as_integer().is_some() {
        return item.integer(0..=0_u8, faults).map(|_| None);
    }
    let text = item.string("50%", faults)?;
    if text == "off" {
        return Some(None);
    }
    match percent(text) {
        Some(0) => Some(None),
        Some(percent @ 1..=99) => Some(Some(PerMille::new(u16::from(percent) * 10))),
        _ => {
            faults
                .error(
                    item.span,
                    format!("`wave-share` must be \"1%\" to \"99%\", or \"off\", found \"{}\"", shown(text)),
                )
                .help("verdicts are held while more than this share of all endpoints turned suspect together");
            None
        }
    }
}
