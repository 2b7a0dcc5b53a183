//! Starts a successor that is nobody's child, so that the service manager takes it in as its own.
//!
//! systemd does not wait for a main process that is not its child: `systemctl stop` would kill it 10 ms after SIGTERM, with
//! no route withdrawn and no state kept (systemd 252, `unit_kill_context`). It looks once, when it is told of `MAINPID`, and
//! what has no parent any more is the manager's (`PR_SET_CHILD_SUBREAPER(2const)`). So there is a process between, which
//! starts the successor, says its number, and ends:
//!
//! ```text
//!  this process ──► serve --replace --orphan ──► serve --replace
//!       ▲                      │ its number             │ why it cannot serve, if it cannot; the end
//!       └──────────────────────┴────────────────────────┘ of the pipe, when it is no more
//! ```
//!
//! Both have the pipe as their stdin, which nobody reads: the one descriptor that goes over without more ado. A successor
//! that has found this server's control socket says there why it gives up; what ends it before, a faulty server file say,
//! it can say by the pipe alone. Each says one line, in one `write(2)` that is not torn (`PIPE_BUF`, `pipe(7)`), in either
//! order; digits are the number.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::time::timeout;

/// The flag of the process between.
const ORPHAN: &str = "--orphan";

/// Octets of the line that says why a successor cannot serve, its end included: `PIPE_BUF` of Linux.
const LINE_OCTETS_MAX: usize = 4096;

/// Octets that are kept of what comes by the pipe: a number, and why.
const SAID_OCTETS_MAX: usize = 2 * LINE_OCTETS_MAX;

/// Where it is said what the other side did not hear.
const IN_THE_LOG: &str = "what it said is in the log of the server";

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
    said: Said,
}

/// What comes by the pipe.
struct Said {
    pipe: pipe::Receiver,
    octets: Vec<u8>,
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
        let mut said = Said { pipe: pipe::Receiver::from_owned_fd(OwnedFd::from(reading))?, octets: Vec::new() };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).arg(ORPHAN).stdin(OwnedFd::from(writing)).kill_on_drop(true);
        // These are of this process by its number.
        for of_this_process in ["WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
            command.env_remove(of_this_process);
        }
        let mut between = command.spawn()?;
        // With the end of the pipe that this process has of it.
        drop(command);
        while said.number().is_none() && said.more().await? {}
        let ended = between.wait().await?;
        match said.number().filter(|_| ended.success()) {
            Some(pid) => Ok(Self { pid, said }),
            None => {
                let why = said.reason().unwrap_or(IN_THE_LOG);
                Err(io::Error::other(format!("it ended ({ended}); {why}")))
            }
        }
    }

    /// Waits until it is no more. May be dropped while it waits.
    pub(super) async fn ended(&mut self) {
        while self.said.more().await.is_ok_and(|more| more) {}
    }

    /// Why it ended, as far as it was heard.
    pub(super) fn reason(&self) -> String {
        self.said.reason().map_or_else(|| format!("the new process ended; {IN_THE_LOG}"), str::to_owned)
    }
}

impl Said {
    /// Waits for more; whether anybody is still there to say it. May be dropped while it waits.
    async fn more(&mut self) -> io::Result<bool> {
        let mut octets = [0; 512];
        let count = self.pipe.read(&mut octets).await?;
        let room = SAID_OCTETS_MAX.saturating_sub(self.octets.len());
        self.octets.extend_from_slice(octets.get(..count.min(room)).unwrap_or_default());
        Ok(count > 0)
    }

    /// The lines that have come to their end.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.octets.split_inclusive(|&octet| octet == b'\n');
        lines.filter_map(|line| str::from_utf8(line.strip_suffix(b"\n")?).ok())
    }

    fn number(&self) -> Option<u32> {
        self.lines().find_map(|line| line.parse().ok())
    }

    fn reason(&self) -> Option<&str> {
        self.lines().find(|line| line.parse::<u32>().is_err())
    }
}

/// Says why this process cannot serve to the one that started it as its successor, if one did: the commands of that one's
/// user tell it then.
pub fn give_up(reason: &str) {
    let stdin = io::stdin();
    // Whoever starts a program otherwise gives it something to read there.
    let writes = rustix::fs::fcntl_getfl(&stdin).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::WRONLY);
    if !writes {
        return;
    }
    if let Ok(pipe) = stdin.as_fd().try_clone_to_owned() {
        // It may be gone.
        let _ = io::PipeWriter::from(pipe).write_all(line(reason).as_bytes());
    }
}

/// `reason` in one line of at most [`LINE_OCTETS_MAX`] octets.
fn line(reason: &str) -> String {
    let mut line = String::new();
    for shown in reason.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + shown.len_utf8() >= LINE_OCTETS_MAX {
            break;
        }
        line.push(shown);
    }
    line.push('\n');
    line
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
        check("echo no number >&0; exit 1", Duration::from_secs(60), "(exit status: 1); no number").await;
    }

    #[tokio::test]
    async fn a_successor_says_why_it_ends_before_or_after_its_number() {
        let check = async |script: &str, expected: &str| {
            let again = Again { program: "/bin/sh".into(), arguments: ["-c", script].map(OsString::from).into() };
            let mut started = Started::by(&again, Duration::from_secs(60)).await.expect("it says a number");
            started.ended().await;
            assert_eq!((started.pid, started.reason().as_str()), (123, expected), "{script}");
        };
        check("echo 123 >&0", "the new process ended; what it said is in the log of the server").await;
        check("echo 123 >&0; echo a fault >&0", "a fault").await;
        check("echo a fault >&0; echo 123 >&0", "a fault").await;
        check("exec 3>&0; echo 123 >&3; yes 'a fault' | head -c 20000 >&3", "a fault").await;
    }

    #[test]
    fn a_reason_is_one_line_that_is_not_torn() {
        assert_eq!(line("x:1: error:\n\tsuch"), "x:1: error:  such\n");
        let long = line(&"ä".repeat(LINE_OCTETS_MAX));
        assert!(long.len() == LINE_OCTETS_MAX || long.len() == LINE_OCTETS_MAX - 1, "{}", long.len());
    }
}
