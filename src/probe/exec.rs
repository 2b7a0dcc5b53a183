//! A program as a probe: its exit code is the verdict's finding, its first line the reason.
//!
//! No shell: the words of the command are the program's arguments as they stand. It runs in a process group of its
//! own, which is killed when the probe ends, for whatever reason: with its program gone, nothing that it started
//! is left (unless that made itself a session of its own). Its environment is [`PATH`], what the monitor gives,
//! and who is probed; never ours, which may hold what no check should see.

use std::io;
use std::net::IpAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time;

use super::failure::shown;
use super::{ExecProbe, Failure};

/// Programs that run at once. Each is a process: some megabytes and milliseconds of a core, which answers need
/// more than checks do. 32 that take 100 ms each are 320 checks a second.
pub const PROGRAMS_MAX: usize = 32;

/// Where a program finds those that it calls by name.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Octets of each of a program's outputs that are kept. The rest is read, so that it is never held up, and dropped.
const OUTPUT_OCTETS_MAX: usize = 1_024;

/// What may come of a program's outputs once it has ended. Only a process that left its group can still hold them.
const LEFTOVER: Duration = Duration::from_millis(100);

/// Of the whole process: it is the machine's means that are spared.
static PLACES: Semaphore = Semaphore::const_new(PROGRAMS_MAX);

/// A place among the programs that run; to be had before a probe's time starts to count, since the endpoint cannot
/// help a wait for it.
pub(super) async fn place() -> Option<SemaphorePermit<'static>> {
    // It is never closed.
    PLACES.acquire().await.ok()
}

/// Why `program` could not be run, if so.
pub(super) fn fault(program: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    match program.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("does not exist".to_owned()),
        Err(error) => Some(format!("cannot be looked at: {error}")),
        Ok(found) if !found.is_file() => Some("is not a file".to_owned()),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => Some("is not executable".to_owned()),
        Ok(_) => None,
    }
}

/// Runs the program about `address`.
///
/// # Errors
/// It ends with a code that does not count as a success, or by a signal; or it cannot be started, which is
/// [`Failure::is_ours`].
pub(super) async fn ask(address: IpAddr, probe: &ExecProbe) -> Result<(), Failure> {
    let Some((program, arguments)) = probe.command.split_first() else {
        return Err(Failure::Monitor("the command is empty".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH);
    command.env("BELLWETHER_ADDRESS", address.to_string());
    command.env("BELLWETHER_FAMILY", if address.is_ipv4() { "ipv4" } else { "ipv6" });
    if let Some(port) = probe.port {
        command.env("BELLWETHER_PORT", port.to_string());
    }
    command.envs(probe.environment.iter().map(|(name, value)| (name, value)));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let unsent = |error: io::Error| {
        let why = format!("{}: {error}", shown(program));
        let is_lasting = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied);
        if is_lasting { Failure::Barred(why) } else { Failure::Unsent(why) }
    };
    let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(unsent)?;
    let group = Group::of(child.id());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = Notify::new();
    let wait = async {
        let status = child.wait().await;
        drop(group);
        ended.notify_one();
        status
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let read = async {
        let leftover = async {
            ended.notified().await;
            time::sleep(LEFTOVER).await;
        };
        tokio::select! {
            _ = async { tokio::join!(keep(stdout, &mut out), keep(stderr, &mut err)) } => {}
            () = leftover => {}
        }
    };
    let (status, ()) = tokio::join!(wait, read);
    judge(status.map_err(unsent)?, probe, &err, &out)
}

fn judge(status: ExitStatus, probe: &ExecProbe, err: &[u8], out: &[u8]) -> Result<(), Failure> {
    let end = match (status.code(), status.signal()) {
        (Some(code), _) if probe.exit.iter().any(|&wanted| i32::from(wanted) == code) => return Ok(()),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended in no known way".to_owned(),
    };
    let reason = first_line(err).or_else(|| first_line(out));
    Err(Failure::Answer(reason.map_or(end.clone(), |reason| format!("{end}: {reason}"))))
}

/// The first line that says anything.
fn first_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(shown)
}

/// Reads all of `pipe` and keeps its beginning.
async fn keep(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut part = [0; OUTPUT_OCTETS_MAX];
    while let Ok(octets @ 1..) = pipe.read(&mut part).await {
        let room = OUTPUT_OCTETS_MAX.saturating_sub(kept.len()).min(octets);
        kept.extend(part.iter().take(room));
    }
}

/// A program's process group, which is killed with this: when the program ends, when its time is up, and when
/// nobody wants to know any more. The number is the program's, which is not given out anew while the group has
/// members; once it has none and its leader has been waited for, only the moment until the next line is open.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: Option<u32>) -> Self {
        Self(leader.and_then(|leader| i32::try_from(leader).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // A group that is gone already is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));

    fn shell(script: &str) -> ExecProbe {
        let command = ["/bin/sh", "-c", script, "sh", "$HOME; *"].map(str::to_owned).to_vec();
        let environment = vec![("LIMIT".to_owned(), "5 %".to_owned())];
        ExecProbe { command, environment, exit: vec![0], port: None }
    }

    async fn check(probe: ExecProbe, expected: Result<(), &str>) {
        let found = ask(ADDRESS, &probe).await.map_err(|failure| failure.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{probe:?}");
    }

    #[tokio::test]
    async fn the_exit_code_decides_and_the_first_line_tells() {
        check(shell("exit 0"), Ok(())).await;
        check(shell("exit 1"), Err("exit code 1")).await;
        check(shell("echo out; echo; exit 2"), Err("exit code 2: out")).await;
        check(shell("echo out; echo >&2; echo err >&2; echo more >&2; exit 3"), Err("exit code 3: err")).await;
        check(shell("kill -TERM $$"), Err("killed by signal 15")).await;
        check(shell("printf 'a\\033[1mb'; exit 1"), Err("exit code 1: a\\u{1b}[1mb")).await;
        check(ExecProbe { exit: vec![0, 1], ..shell("exit 1") }, Ok(())).await;
        check(ExecProbe { exit: vec![0, 1], ..shell("exit 2") }, Err("exit code 2")).await;
    }

    #[tokio::test]
    async fn much_output_holds_nobody_up_and_is_cut() {
        check(shell("head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2; exit 0"), Ok(())).await;
        let cut = format!("exit code 1: {}", "x".repeat(crate::probe::SHOWN_MAX));
        check(shell("head -c 300000 /dev/zero | tr '\\0' x; exit 1"), Err(&cut)).await;
    }

    #[tokio::test]
    async fn arguments_are_no_shells_and_the_environment_is_what_was_given() {
        check(shell("test \"$1\" = '$HOME; *'"), Ok(())).await;
        check(shell("test \"$BELLWETHER_ADDRESS $BELLWETHER_FAMILY $LIMIT\" = '192.0.2.10 ipv4 5 %'"), Ok(())).await;
        check(shell("test -z \"$HOME$USER$CARGO$BELLWETHER_PORT\""), Ok(())).await;
        check(ExecProbe { port: Some(81), ..shell("test \"$BELLWETHER_PORT\" = 81") }, Ok(())).await;
        check(shell("read line && exit 1; exit 0"), Ok(())).await;
    }

    #[tokio::test]
    async fn a_program_that_is_gone_says_nothing_of_the_endpoint() {
        let probe = ExecProbe { command: vec!["/nowhere/check".to_owned()], ..shell("") };
        let failure = ask(ADDRESS, &probe).await.expect_err("no such program");
        assert!(failure.is_ours(), "{failure}");
        assert_eq!(failure.to_string(), "not sent: /nowhere/check: No such file or directory (os error 2)");
    }

    /// Whether a process still runs; a zombie that its new parent has not waited for is none.
    fn is_running(pid: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    async fn await_end(pids: &str) {
        for pid in pids.split_whitespace() {
            time::timeout(Duration::from_secs(20), async {
                while is_running(pid) {
                    time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await
            .expect("what a program started ends with it");
        }
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_program_whose_time_is_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pids");
        let path = file.display();
        let probe = shell(&format!("sleep 1000 & echo $$ $! > {path}.new; mv {path}.new {path}; wait"));
        let asked = tokio::spawn(async move { ask(ADDRESS, &probe).await });
        let pids = time::timeout(Duration::from_secs(20), async {
            loop {
                match fs::read_to_string(&file) {
                    Ok(pids) => break pids,
                    Err(_) => time::sleep(Duration::from_millis(5)).await,
                }
            }
        });
        let pids = pids.await.expect("it starts");
        assert_eq!(pids.split_whitespace().filter(|pid| is_running(pid)).count(), 2, "{pids}");
        asked.abort();
        await_end(&pids).await;
    }

    #[tokio::test]
    async fn what_a_program_leaves_behind_ends_with_it() {
        let probe = shell("sleep 1000 & echo $!; exit 1");
        let failure = ask(ADDRESS, &probe).await.expect_err("exit code 1").to_string();
        let pid = failure.strip_prefix("exit code 1: ").expect("what it said");
        await_end(pid).await;
    }

    #[test]
    fn what_cannot_be_run_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("check");
        assert_eq!(fault(&file).as_deref(), Some("does not exist"));
        assert_eq!(fault(folder.path()).as_deref(), Some("is not a file"));
        fs::write(&file, "#!/bin/sh\n").expect("written");
        assert_eq!(fault(&file).as_deref(), Some("is not executable"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("changed");
        assert_eq!(fault(&file), None);
    }
}
