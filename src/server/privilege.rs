//! Gives root up once everything is bound that only root may bind.
//!
//! By the C library's calls, which change every thread of the process; the kernel's own change one. No capability is kept:
//! what is bound stays bound, and a successor that is started as root binds what is new.

use std::fmt;
use std::path::Path;

use nix::unistd::{Gid, Group, User, geteuid, initgroups, setgid, setgroups, setuid};
use rustix::fs::{Access, access};

use crate::config::{RunAs, StateFile};

/// Why the process cannot become another user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivilegeError(String);

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether this machine knows the user and the group that `settings` name.
///
/// # Errors
/// Which of them it does not.
pub fn check_user(settings: &RunAs) -> Result<(), PrivilegeError> {
    known(settings).map(drop)
}

/// The user, and the group that the process is to be in.
fn known(settings: &RunAs) -> Result<(User, Gid), PrivilegeError> {
    let RunAs { user: name, group } = settings;
    let user = User::from_name(name).ok().flatten().ok_or_else(|| unknown("user", name))?;
    let gid = match group {
        Some(group) => Group::from_name(group).ok().flatten().ok_or_else(|| unknown("group", group))?.gid,
        None => user.gid,
    };
    Ok((user, gid))
}

fn unknown(what: &str, name: &str) -> PrivilegeError {
    PrivilegeError(format!("there is no {what} {name}"))
}

/// Becomes the user that `settings` name, for good. A process that is not root's, and that user's already, stays as it is.
///
/// # Errors
/// There is no such user or group, or this process may not become it.
pub(super) fn give_up(settings: &RunAs) -> Result<(), PrivilegeError> {
    let RunAs { user: name, group } = settings;
    let (user, gid) = known(settings)?;
    if !geteuid().is_root() {
        if geteuid() == user.uid {
            return Ok(());
        }
        return Err(PrivilegeError(format!(
            "only root may become the user {name}: start as root, or leave `user` out"
        )));
    }
    let refused = |error| PrivilegeError(format!("cannot become the user {name}: {error}"));
    if group.is_some() {
        setgroups(&[gid]).map_err(refused)?;
    } else {
        let called = std::ffi::CString::new(name.as_str()).map_err(|_| unknown("user", name))?;
        initgroups(&called, gid).map_err(refused)?;
    }
    // In this order: who is no longer root may change no groups.
    setgid(gid).map_err(refused)?;
    setuid(user.uid).map_err(refused)?;
    if !user.uid.is_root() && setuid(nix::unistd::Uid::from_raw(0)).is_ok() {
        return Err(PrivilegeError("root could be had back".to_owned()));
    }
    tracing::info!("this process is {name}'s now");
    Ok(())
}

/// Says beforehand what would only show at the first verdict: that the state cannot be kept by whom this process is.
pub(super) fn check_state(state: Option<&StateFile>) {
    let Some(StateFile { file, .. }) = state else { return };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        tracing::error!(
            "{} is no folder: a restart would forget verdicts; make it, or choose another `file` of [state]",
            folder.display()
        );
        return;
    }
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        tracing::error!(
            "{} cannot be written by this process: a restart would forget verdicts; let it own the folder, or choose \
             another `file` of [state]",
            folder.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_said() {
        let check = |user: &str, group: Option<&str>, expected: &str| {
            let settings = RunAs { user: user.to_owned(), group: group.map(str::to_owned) };
            let error = give_up(&settings).expect_err(user);
            assert_eq!(error.to_string(), expected);
            assert_eq!(check_user(&settings), Err(error), "{user} beforehand");
        };
        check("no-such-user", None, "there is no user no-such-user");
        check("root", Some("no-such-group"), "there is no group no-such-group");
    }
}
