//! A process that a test started: what it said is kept, and it ends with the value that stands for it.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::peer::say;
use super::{PATIENCE, await_some};

/// A running program. Dropping it ends the process: politely first, so that a program of several processes takes
/// its children with it, then by force.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: Arc<Log>,
}

/// The signals that tests send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// Ends a program politely.
    Term,
    /// Ends it as Ctrl-C does.
    Int,
    /// Has a server load its files again.
    Hup,
    /// Freezes a program: its sockets still accept, and nobody ever answers.
    Stop,
    /// Thaws it.
    Cont,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Process {
    /// Starts `command` and collects both of its outputs, line by line. `name` is for messages.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let log = Arc::new(Log::default());
        collect(child.stdout.take().expect("stdout is piped"), Arc::clone(&log));
        collect(child.stderr.take().expect("stderr is piped"), Arc::clone(&log));
        Self { name: name.to_owned(), child, log }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// How many lines it has said so far: where to begin to wait for the next.
    pub(crate) fn lines_said(&self) -> usize {
        self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits for a line, after the first `skip`, that `is_it` accepts, and gives it.
    ///
    /// # Panics
    /// When none has come within [`PATIENCE`] or the process has ended; the log is shown.
    pub(crate) fn await_line(&mut self, skip: usize, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            // Asked for before the lines are read: what was said before the end is not missed.
            let ended = self.child.try_wait().expect("a child can be waited for");
            let lines = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(line) = lines.iter().skip(skip).find(|line| is_it(line)) {
                return line.clone();
            }
            // The outputs may still hold lines for a moment after the end.
            let over = ended.is_some() && start.elapsed() > Duration::from_millis(500);
            if over || start.elapsed() > PATIENCE {
                let state = ended.map_or_else(|| "is still running".to_owned(), |status| format!("ended: {status}"));
                panic!("{} never said {what} and {state}; it said:\n{}", self.name, lines.join("\n"));
            }
            drop(self.log.grown.wait_timeout(lines, Duration::from_millis(50)));
        }
    }

    /// Waits until it has said all of this, also when it has ended since: its last words are still on their way then.
    ///
    /// # Panics
    /// As [`await_some`].
    pub(crate) fn await_said(&self, words: &[&str]) {
        await_some(&format!("{} to say {words:?}", self.name), || {
            let log = self.log();
            words.iter().all(|word| log.contains(word)).then_some(())
        });
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // The shell's own `kill` is everywhere; the program of that name is not, and the call would be unsafe code.
        let name = match signal {
            Signal::Term => "TERM",
            Signal::Int => "INT",
            Signal::Hup => "HUP",
            Signal::Stop => "STOP",
            Signal::Cont => "CONT",
        };
        let command = format!("kill -{name} {}", self.pid());
        let status = Command::new("/bin/sh").args(["-c", &command]).status().expect("a shell runs");
        assert!(status.success(), "{command}: {status}");
    }

    /// Kills it at once, as a crash would, and waits until the kernel has closed its sockets.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it has not ended within [`PATIENCE`].
    pub(crate) fn await_end(&mut self) -> ExitStatus {
        match self.ended_within(PATIENCE) {
            Some(status) => status,
            None => panic!("{} does not end; it said:\n{}", self.name, self.log()),
        }
    }

    /// Fails the test, showing what the process said, when it is no longer running.
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
            panic!("{} ended: {status}; it said:\n{}", self.name, self.log());
        }
    }

    fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if start.elapsed() >= limit {
                return None;
            }
            // Between two looks: the standard library waits for a child without a limit, or not at all.
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // A frozen process takes no polite signal until it is thawed.
        let command = format!("kill -TERM {pid}; kill -CONT {pid}", pid = self.pid());
        let _ = Command::new("/bin/sh").args(["-c", &command]).stderr(Stdio::null()).status();
        if self.ended_within(Duration::from_secs(3)).is_none() {
            self.kill();
        }
        // A test that fails shows its servers' side of the story.
        if thread::panicking() {
            say(&format!("--- {} said:\n{}", self.name, self.log()));
        }
    }
}

fn collect(output: impl Read + Send + 'static, log: Arc<Log>) {
    // Ends with the process: its end closes the pipe.
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            log.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            log.grown.notify_all();
        }
    });
}
