//! `icmp = {}`: an echo. Whether this process may send one is its system's to say, so that is asked here: a
//! monitor that can never find anything is worth a word before it stands still.

use super::super::faults::Faults;
use super::super::table::{Item, Keys};
use crate::probe::icmp_fault;

const ICMP: Keys = Keys::only(&[]);

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<()> {
    item.table("`icmp`", &ICMP, "{}", faults)?;
    if let Some(failure) = icmp_fault() {
        faults
            .warning(item.key_span, format!("no echo can be sent from here: {failure}"))
            .help("until it can, what this monitor judges keeps the verdict that it has");
    }
    Some(())
}
