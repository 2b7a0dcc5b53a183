//! The socket in the file system by which another process finds this one. Its owner alone may connect.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::super::StartError;
use super::super::given::Given;
use super::channel::Channel;
use crate::config::Process;

/// The socket, listening.
#[derive(Debug)]
pub(in super::super) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Takes the socket that `process` names out of what was `given`, or binds it; one that a process left behind which is no more is
    /// removed first. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Another process answers there ([`io::ErrorKind::AddrInUse`]), or as `bind(2)`.
    pub(in super::super) fn open(process: &Process, given: &mut Given) -> Result<Option<Self>, StartError> {
        let Some(path) = &process.control else { return Ok(None) };
        let opened = Self::at(path, given);
        opened.map(Some).map_err(|error| StartError::Control { path: path.clone(), error })
    }

    fn at(path: &Path, given: &mut Given) -> io::Result<Self> {
        let listener = match given.at_path(path) {
            Some(listener) => listener,
            None => bind(path)?,
        };
        listener.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(listener)?, path: path.to_owned() })
    }

    /// Waits for somebody. May be dropped while it waits.
    pub(super) async fn accept(&self) -> io::Result<Channel> {
        Ok(Channel::new(self.listener.accept().await?.0))
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Takes the socket out of the file system: nobody takes over any more.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn bind(path: &Path) -> io::Result<StdListener> {
    match UnixStream::connect(path) {
        Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
        // An ordinary file refuses connections too.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_socket(path) => fs::remove_file(path)?,
        // Nothing is there, or what bind(2) will say more about.
        Err(_) => {}
    }
    // Whoever connects between these two lines is asked who it is, as everybody.
    let listener = StdListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|of| of.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_left_behind_is_removed_and_what_lives_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        drop(StdListener::bind(&path).expect("a socket"));
        let control = Control::at(&path, &mut Given::default()).expect("nobody answers there");
        assert_eq!(fs::metadata(&path).expect("a socket").permissions().mode() & 0o777, 0o600);
        let error = Control::at(&path, &mut Given::default()).expect_err("somebody answers there");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        control.remove();
        assert!(!path.exists());
        fs::write(&path, "a file").expect("written");
        let error = Control::at(&path, &mut Given::default()).expect_err("a file is in the way");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(path.exists(), "what is no socket is left alone");
    }
}
