//! `[reload]`: what of a reload is refused unless somebody insists.

use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys};
use super::super::words::percent;
use crate::preview::{Guard, KeepAlive};

const RELOAD: Keys = Keys::only(&["keep-alive", "max-moved"]);

/// Reads the table; what is not given is as its default.
pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Guard> {
    let table = item.table("[reload]", &RELOAD, r#"{ keep-alive = true, max-moved = "30%" }"#, faults)?;
    let default = Guard::default();
    let alive = table.get("keep-alive").map_or(Some(default.alive), |item| {
        item.boolean(faults).map(|kept| if kept { KeepAlive::Kept } else { KeepAlive::Ignored })
    });
    let max_moved = table.get("max-moved").map_or(Some(default.max_moved), |item| max_moved(item, faults));
    Some(Guard { alive: alive?, max_moved: max_moved? })
}

fn max_moved(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Option<u8>> {
    let text = item.string("30%", faults)?;
    if text == "off" {
        return Some(None);
    }
    match percent(text) {
        Some(percent @ 1..=99) => Some(Some(percent)),
        _ => {
            faults
                .error(
                    item.span,
                    format!("`max-moved` must be \"1%\" to \"99%\", or \"off\", found \"{}\"", shown(text)),
                )
                .help("a reload is refused that moves more than this part of the answers of any name");
            None
        }
    }
}
