//! `[state]`: where verdicts are kept over a restart.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::faults::Faults;
use super::super::table::{Item, Keys};
use super::path;

/// Where state is kept, and how old it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// The file; relative to the server file until it was joined to its folder.
    pub file: PathBuf,
    /// Older than this, it says nothing of now, and everything is probed afresh.
    pub max_age: Duration,
}

/// `max-age` where none is given: a restart or a reboot takes less, and few outages that nobody saw turn verdicts
/// which then stand for longer than it takes to probe again.
const MAX_AGE: Duration = Duration::from_secs(300);

/// A day-old verdict is a guess; under a second no restart would ever be in time.
const MAX_AGE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

const STATE: Keys = Keys::only(&["file", "max-age"]);

/// Reads the table; `folder` is the server file's.
pub(super) fn read(item: Item<'_>, folder: &Path, faults: &mut Faults<'_>) -> Option<StateFile> {
    let table = item.table("[state]", &STATE, r#"{ file = "state.json", max-age = "5m" }"#, faults)?;
    let file = table.require("file", "\"state.json\"", faults);
    let file = file.and_then(|item| path(item, "state.json", "a file", faults));
    let max_age = table.get("max-age").map_or(Some(MAX_AGE), |item| item.duration(MAX_AGE_RANGE, faults));
    Some(StateFile { file: folder.join(file?), max_age: max_age? })
}
