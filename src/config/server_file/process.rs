//! `[server]`: the process itself, how it is reached, as whom it runs and how it ends.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::faults::Faults;
use super::super::table::{Item, Keys};
use super::super::words::socket_path;

/// How the process is reached, as whom it runs, how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The Unix socket by which another process takes over from this one; without it none can. Relative to the server
    /// file until it was joined to its folder.
    pub control: Option<PathBuf>,
    /// Whom a process that is started as root becomes once its sockets are bound.
    pub user: Option<RunAs>,
    /// How long it still answers after it said that it stops.
    pub stop_delay: Duration,
}

/// A user of this machine, by names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The user.
    pub user: String,
    /// Its group; the user's own where none is given.
    pub group: Option<String>,
}

/// A route is withdrawn within seconds; what takes longer than ten minutes would be killed by its service manager.
const STOP_DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);

const SERVER: Keys = Keys::only(&["control", "user", "group", "stop-delay"]);

/// Reads the table; `folder` is the server file's.
pub(super) fn read(item: Item<'_>, folder: &Path, faults: &mut Faults<'_>) -> Option<Process> {
    let table = item.table("[server]", &SERVER, r#"{ control = "/run/bellwether/control.sock" }"#, faults)?;
    let control =
        table.get("control").and_then(|item| socket_path(item, "/run/bellwether/control.sock", folder, faults));
    let user = table.get("user").and_then(|item| name(item, "a user", faults));
    let group = table.get("group").and_then(|item| {
        if table.get("user").is_none() {
            faults.error(item.span, "a group without a user").help("give `user` too, whose group this is in place of");
        }
        name(item, "a group", faults)
    });
    let stop_delay = table.get("stop-delay").map_or(Some(Duration::ZERO), |item| item.duration(STOP_DELAY, faults))?;
    Some(Process { control, user: user.map(|user| RunAs { user, group }), stop_delay })
}

fn name(item: Item<'_>, what: &str, faults: &mut Faults<'_>) -> Option<String> {
    let name = item.string("bellwether", faults)?;
    if name.is_empty() || name.contains(['\0', ':', '/']) {
        faults.error(item.span, format!("must be the name of {what}, found {name:?}"));
        return None;
    }
    Some(name.to_owned())
}
