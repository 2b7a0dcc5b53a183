//! Starts a successor that is nobody's child, so that the service manager takes it in as its own.
//!
//! systemd does not wait for a main process that is not its child: `systemctl stop` would kill it 10 ms after SIGTERM, with
//! no route withdrawn and no state kept (systemd 252, `unit_kill_context`). It looks once, when it is told of `MAINPID`, and
//! what has no parent any more is the manager's (`PR_SET_CHILD_SUBREAPER(2const)`). So there is a process between, which
//! starts the successor, says its number, and ends:
//!
//! ```text
//!  this process ──► serve --replace --orphan ──► serve --replace
//!       ▲                      │ its number             │ the end of the pipe, when it is no more
//!       └──────────────────────┴────────────────────────┘
//! ```
//!
//! Both have the pipe as their stdin, which nobody reads: the one descriptor that goes over without more ado.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::time::timeout;

/// The flag of the process between.
const ORPHAN: &str = "--orphan";

/// The most digits of a process's number, and the end of the line.
const NUMBER_OCTETS_MAX: usize = 11;

/// How a process like this one is started.
#[derive(Clone, Debug)]
pub struct Again {
    /// The program, as it was found at the start: what lies there by now is what is started.
    pub program: PathBuf,
    /// Its arguments, which make it take over from this one.
    pub arguments: Vec<OsString>,
}

/// A successor that was started, and may have ended since.
pub(super) struct Started {
    /// Its number.
    pub(super) pid: u32,
    pipe: pipe::Receiver,
}

impl Started {
    /// Starts one; it is nobody's child when this is over.
    ///
    /// # Errors
    /// The program cannot be run, or has not said its number within `longest`; the message says why, or where it is said.
    pub(super) async fn by(again: &Again, longest: Duration) -> io::Result<Self> {
        let started = timeout(longest, Self::start(again)).await;
        started.unwrap_or_else(|_| Err(io::Error::other(format!("it has not said its number within {longest:?}"))))
    }

    async fn start(Again { program, arguments }: &Again) -> io::Result<Self> {
        let (reading, writing) = io::pipe()?;
        let mut pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reading))?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).arg(ORPHAN).stdin(OwnedFd::from(writing)).kill_on_drop(true);
        // These are of this process by its number.
        for of_this_process in ["WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
            command.env_remove(of_this_process);
        }
        let mut between = command.spawn()?;
        // With the end of the pipe that this process has of it.
        drop(command);
        let mut number = [0; NUMBER_OCTETS_MAX];
        let mut length = 0;
        while let Some(room) = number.get_mut(length..).filter(|room| !room.is_empty()) {
            match pipe.read(room).await? {
                0 => break,
                count => length += count,
            }
            if number[..length].ends_with(b"\n") {
                break;
            }
        }
        let ended = between.wait().await?;
        let pid = str::from_utf8(&number[..length]).ok().and_then(|number| number.trim_end().parse().ok());
        match pid.filter(|_| ended.success()) {
            Some(pid) => Ok(Self { pid, pipe }),
            None => Err(io::Error::other(format!("it ended ({ended}); what it said is in the log of the server"))),
        }
    }

    /// Waits until it is no more. May be dropped while it waits.
    pub(super) async fn ended(&mut self) {
        while self.pipe.read(&mut [0]).await.is_ok_and(|count| count > 0) {}
    }
}

/// The program that this process runs, by the path that it was started with: what lies there after an upgrade is what is
/// to run then, be it by a symbolic link. Where that path says nothing elsewhere, the file itself.
///
/// # Errors
/// As `readlink(2)`.
pub fn program() -> io::Result<PathBuf> {
    let named = std::env::args_os().next().map(PathBuf::from);
    named.filter(|path| path.is_absolute() && path.is_file()).map_or_else(std::env::current_exe, Ok)
}

/// What the process between does: starts the successor with its own arguments but `--orphan`, and says its number.
///
/// # Errors
/// The program cannot be run, or nobody listens.
pub fn orphan() -> io::Result<()> {
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != OsStr::new(ORPHAN));
    let mut command = std::process::Command::new(program()?);
    // Never waited for: that it is left behind is what this is about.
    let successor = command.args(arguments).spawn()?;
    let mut pipe = io::PipeWriter::from(io::stdin().as_fd().try_clone_to_owned()?);
    pipe.write_all(format!("{}\n", successor.id()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_hangs_is_not_waited_for() {
        let check = async |script: &str, longest: Duration, expected: &str| {
            let again = Again { program: "/bin/sh".into(), arguments: ["-c", script].map(OsString::from).into() };
            let error = Started::by(&again, longest).await.err().expect("it is no server");
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("exec sleep 60", Duration::from_millis(10), "within 10ms").await;
        check("exit 3", Duration::from_secs(60), "exit status: 3").await;
        check("echo no number", Duration::from_secs(60), "what it said is in the log").await;
    }
}
