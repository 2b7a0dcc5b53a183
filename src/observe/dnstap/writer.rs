//! The thread that writes frames: to a reader on a Unix socket, or to a file.
//!
//! It alone waits for readers and disks. While there is no reader, or no room on the disk, frames are dropped and counted,
//! and it tries again once a second. A file that is already there is moved aside, since a stream cannot be continued; one
//! that is moved away while it is written is ended in order, and the next begun. No file is ever cut short or shared: the
//! process before may still be writing to it, so that it is left to that one, under whichever name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::frames::{Control, Frames, await_control};
use super::{Stats, Target};
use crate::system::Clock;

/// Batches that may wait for the writer. One is what comes in some 5 ms, and once they queue up [`BATCH_OCTETS_MAX`]: 4 MiB
/// in all.
const BATCHES_MAX: usize = 64;

/// Octets of a batch, but for its last frame.
pub(super) const BATCH_OCTETS_MAX: usize = 64 << 10;

/// Between two attempts to find a reader or to open a file; and between two looks whether a file is still in its place.
const RETRY: Duration = Duration::from_secs(1);

/// How long a reader may take for each step of the handshake.
const HANDSHAKE_LONGEST: Duration = Duration::from_secs(5);

/// How long one attempt to write waits for a slow reader before it is looked whether to stop.
const WRITE_STEP: Duration = Duration::from_millis(250);

/// How long a reader has at the end to say that it has had everything.
const FINISH_LONGEST: Duration = Duration::from_secs(2);

/// The side that frames are handed to.
#[derive(Debug)]
pub struct Writer {
    // In an option, so that it can be let go of before the thread is waited for.
    batches: Option<SyncSender<Batch>>,
    /// Until it has begun.
    go: Option<Sender<()>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Batch {
    Frames(Frames),
    /// Look now whether the file is still in its place.
    Reopen,
}

#[derive(Debug)]
struct Shared {
    stats: Arc<Stats>,
    /// Whether it has begun, and has looked for a reader or opened its file once.
    has_tried: AtomicBool,
    is_held: AtomicBool,
    stopping: AtomicBool,
}

/// Keeps a writer to the file that it has.
#[derive(Debug)]
pub struct Hold(Arc<Shared>);

impl Hold {
    /// From here on the file is written to wherever it is moved, and no other is begun: whoever moves it is a process that
    /// is about to log there in this one's stead.
    pub fn take(&self) {
        self.0.is_held.store(true, Ordering::SeqCst);
    }

    /// That process did not come to it.
    pub fn release(&self) {
        self.0.is_held.store(false, Ordering::SeqCst);
    }
}

impl Writer {
    /// Starts the thread. What it is handed waits in the queue until it is to [`begin`](Self::begin).
    ///
    /// # Errors
    /// As the system has no more threads.
    pub fn start(target: Target, stats: Arc<Stats>, clock: Clock) -> io::Result<Self> {
        let (batches, waiting) = sync_channel(BATCHES_MAX);
        let (go, may_begin) = channel();
        let no = AtomicBool::default;
        let shared = Arc::new(Shared { stats, has_tried: no(), is_held: no(), stopping: no() });
        let writing = Writing { target, shared: Arc::clone(&shared), has_failed: false, clock };
        let run = move || {
            if may_begin.recv().is_ok() {
                writing.run(&waiting);
            }
        };
        let thread = thread::Builder::new().name("dnstap".to_owned()).spawn(run)?;
        Ok(Self { batches: Some(batches), go: Some(go), shared, thread: Some(thread) })
    }

    /// Looks for a reader, or opens the file, from now on: nobody else is to write to it any more, or holds to the one that
    /// it has ([`Hold`]).
    pub fn begin(&mut self) {
        if let Some(go) = self.go.take() {
            let _ = go.send(());
        }
    }

    /// How to keep it to its file.
    pub fn hold(&self) -> Hold {
        Hold(Arc::clone(&self.shared))
    }

    /// Hands over `frames`, or drops them: it never waits. Where there is no room and they are no whole batch yet, they
    /// stay, for others to join them.
    pub fn write(&self, frames: &mut Frames) {
        let (taken, stats) = (std::mem::take(frames), &self.shared.stats);
        let count = taken.count();
        if count == 0 {
            return;
        }
        if !stats.is_open() && self.shared.has_tried.load(Ordering::Relaxed) {
            return Stats::add(&stats.absent, count);
        }
        let sent = self.batches.as_ref().map(|batches| batches.try_send(Batch::Frames(taken)));
        match sent {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(Batch::Frames(taken)))) if !Self::is_batch(&taken) => *frames = taken,
            Some(Err(TrySendError::Full(_))) => Stats::add(&stats.full, count),
            Some(Err(TrySendError::Disconnected(_))) | None => Stats::add(&stats.absent, count),
        }
    }

    /// Whether so much of a batch is together that it is to be written.
    pub fn is_batch(frames: &Frames) -> bool {
        frames.octets().len() >= BATCH_OCTETS_MAX
    }

    /// Has a file that was moved away begun anew at once, rather than within a second.
    pub fn reopen(&self) {
        if let Some(batches) = &self.batches {
            let _ = batches.try_send(Batch::Reopen);
        }
    }

    /// Ends the stream in order and waits for that: a few seconds, when the reader is slow.
    pub fn finish(mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        (self.batches, self.go) = (None, None);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of dnstap had panicked");
        }
    }
}

/// An open end.
enum Open {
    Socket(UnixStream),
    File { file: File, octets: u64, inode: u64 },
}

struct Writing {
    target: Target,
    shared: Arc<Shared>,
    /// Said once, not once a second.
    has_failed: bool,
    clock: Clock,
}

impl Writing {
    fn run(mut self, batches: &Receiver<Batch>) {
        let mut open = self.try_open();
        self.shared.has_tried.store(true, Ordering::Relaxed);
        let mut look_at = self.clock.now() + RETRY;
        loop {
            let batch = batches.recv_timeout(RETRY);
            // However busy it is: a file that was moved away is not written to for long.
            if open.is_some() && self.clock.now() >= look_at {
                self.look_after(&mut open);
                look_at = self.clock.now() + RETRY;
            }
            match (batch, &mut open) {
                (Err(RecvTimeoutError::Disconnected), _) => break,
                (Err(RecvTimeoutError::Timeout), Some(_)) => {}
                (Ok(Batch::Reopen), Some(_)) => self.look_after(&mut open),
                (Err(RecvTimeoutError::Timeout) | Ok(Batch::Reopen), None) if self.is_held() => {}
                (Err(RecvTimeoutError::Timeout) | Ok(Batch::Reopen), None) => open = self.try_open(),
                (Ok(Batch::Frames(frames)), Some(end)) => {
                    if let Err(error) = self.write(end, &frames) {
                        self.lost(&error);
                        open = None;
                    }
                }
                // They came while the end was being lost.
                (Ok(Batch::Frames(frames)), None) => Stats::add(&self.shared.stats.absent, frames.count()),
            }
        }
        self.shared.stats.set_open(false);
        if let Some(open) = open
            && let Err(error) = end(open)
        {
            tracing::debug!(%error, "dnstap: the end of the stream");
        }
    }

    fn try_open(&mut self) -> Option<Open> {
        let opened = match &self.target {
            Target::Socket(path) => connect(path).map(Open::Socket),
            Target::File(path) => create(path),
        };
        match opened {
            Ok(open) => {
                Stats::add(&self.shared.stats.connected, 1);
                self.shared.stats.set_open(true);
                self.has_failed = false;
                tracing::info!("dnstap: writing to {}", self.place().display());
                Some(open)
            }
            Err(error) => {
                if !self.has_failed {
                    tracing::warn!("dnstap: {}: {error}; trying once a second", self.place().display());
                }
                self.has_failed = true;
                None
            }
        }
    }

    fn place(&self) -> &Path {
        match &self.target {
            Target::Socket(path) | Target::File(path) => path,
        }
    }

    fn lost(&mut self, error: &io::Error) {
        self.shared.stats.set_open(false);
        self.has_failed = true;
        tracing::warn!("dnstap: {} is lost: {error}; trying once a second", self.place().display());
    }

    /// Whether the file is still the one that its path names; a reader that has gone is noticed here too.
    fn look_after(&mut self, open: &mut Option<Open>) {
        let is_there = match (&self.target, open.as_ref()) {
            (Target::File(path), Some(Open::File { inode, .. })) => {
                fs::metadata(path).is_ok_and(|of| of.ino() == *inode)
            }
            (Target::Socket(_), Some(Open::Socket(stream))) => has_reader(stream),
            _ => true,
        };
        // In this order: whoever moves the file has had it held before.
        if is_there || self.is_held() {
            return;
        }
        if let Some(old) = open.take() {
            match old {
                Open::File { .. } => {
                    let ended = end(old);
                    tracing::info!("dnstap: {} was moved away; beginning anew", self.place().display());
                    if let Err(error) = ended {
                        tracing::warn!("dnstap: the end of the file before: {error}");
                    }
                }
                Open::Socket(_) => self.lost(&io::ErrorKind::ConnectionReset.into()),
            }
        }
        *open = self.try_open();
        if open.is_none() {
            self.shared.stats.set_open(false);
        }
    }

    /// Writes all of `frames`, however long a reader takes, unless it is time to stop.
    fn write(&self, open: &mut Open, frames: &Frames) -> io::Result<()> {
        let stats = &self.shared.stats;
        let mut at = 0;
        let failed = loop {
            let Some(rest) = frames.octets().get(at..).filter(|rest| !rest.is_empty()) else { break None };
            let wrote = match open {
                Open::Socket(stream) => stream.write(rest),
                Open::File { file, .. } => file.write(rest),
            };
            match wrote {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(octets) => at += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Its buffer is full. What waits behind is bounded, and it may come back to read in an hour.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.is_stopping() => {}
                Err(error) => break Some(error),
            }
        };
        let (whole, whole_octets) = frames.whole_in(at);
        Stats::add(&stats.written, whole);
        let Some(error) = failed else {
            if let Open::File { octets, .. } = open {
                *octets += at as u64;
            }
            return Ok(());
        };
        Stats::add(&stats.absent, frames.count() - whole);
        match open {
            // The disk is full, say. What is there stays readable, and the next batch may have room.
            Open::File { file, octets, .. } => {
                *octets += whole_octets as u64;
                file.set_len(*octets)?;
                tracing::warn!(
                    "dnstap: {}: {error}; frames dropped: {}",
                    self.place().display(),
                    frames.count() - whole
                );
                Ok(())
            }
            Open::Socket(_) => Err(error),
        }
    }

    fn is_held(&self) -> bool {
        self.shared.is_held.load(Ordering::SeqCst)
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }
}

/// Finds the reader at `path` and greets it.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Before it connects: a reader whose backlog is full would keep us waiting.
    socket.set_write_timeout(Some(HANDSHAKE_LONGEST))?;
    socket.set_read_timeout(Some(HANDSHAKE_LONGEST))?;
    socket.connect(&SockAddr::unix(path)?)?;
    let mut stream = UnixStream::from(std::os::fd::OwnedFd::from(socket));
    stream.write_all(&Control::Ready.frame())?;
    await_control(&mut stream, Control::Accept)?;
    stream.write_all(&Control::Start.frame())?;
    stream.set_write_timeout(Some(WRITE_STEP))?;
    Ok(stream)
}

/// Whether the reader has not hung up. It says nothing before the end, so that nothing is there to be read is well.
fn has_reader(stream: &UnixStream) -> bool {
    let mut octet = [0];
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let mut reading = stream;
    let read = reading.read(&mut octet);
    stream.set_nonblocking(false).is_ok() && matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Begins a file. One that is there already is moved aside, unless it is empty, as `logrotate` may have made it.
///
/// # Errors
/// As `open(2)`; what is there is no file: to open a FIFO waits for its reader, and a folder is not ours to move; somebody
/// else has begun it at the same time.
fn create(path: &Path) -> io::Result<Open> {
    let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
    match fs::metadata(path) {
        Ok(old) if !old.is_file() => return Err(no_file()),
        Ok(old) if old.len() > 0 => fs::rename(path, aside(path, &old)?)?,
        _ => {}
    }
    // Without waiting, should something else have taken its place by now; to a file that means nothing. And never over
    // what is there.
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(no_file());
    }
    if opened.len() > 0 {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "another process has begun it"));
    }
    let (start, inode) = (Control::Start.frame(), opened.ino());
    file.write_all(&start)?;
    Ok(Open::File { file, octets: start.len() as u64, inode })
}

/// Where a file goes that is in the way: its name with the time when it was written last, `.20261121T134500Z`; with a
/// number behind it where that is taken.
fn aside(path: &Path, old: &fs::Metadata) -> io::Result<PathBuf> {
    let written = jiff::Timestamp::try_from(old.modified()?).map_err(io::Error::other)?;
    let time = written.strftime("%Y%m%dT%H%M%SZ").to_string();
    let named = |ending: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let first = named(format!(".{time}"));
    let others = (1..=ASIDE_MAX).map(|number| named(format!(".{time}.{number}")));
    let free = std::iter::once(first).chain(others).find(|name| !name.exists());
    free.ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, "there are too many files of the same time"))
}

/// Files of the same second that are kept apart.
const ASIDE_MAX: u32 = 1_000;

/// Ends a stream in order.
fn end(open: Open) -> io::Result<()> {
    match open {
        Open::File { mut file, .. } => file.write_all(&Control::Stop.frame()),
        Open::Socket(mut stream) => {
            stream.set_write_timeout(Some(FINISH_LONGEST))?;
            stream.set_read_timeout(Some(FINISH_LONGEST))?;
            stream.write_all(&Control::Stop.frame())?;
            await_control(&mut stream, Control::Finish)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::dnstap::Dnstap;

    #[test]
    fn what_is_no_file_is_left_alone_and_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let [fifo, inner] = ["fifo", "inner"].map(|name| folder.path().join(name));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("coreutils");
        assert!(made.success());
        fs::create_dir(&inner).expect("a folder");
        for path in [&fifo, &inner] {
            let stats = Arc::<Stats>::default();
            let mut writer =
                Writer::start(Target::File(path.clone()), Arc::clone(&stats), Clock::new()).expect("a thread");
            writer.begin();
            let (done, finished) = channel();
            thread::spawn(move || {
                writer.finish();
                let _ = done.send(());
            });
            finished.recv_timeout(Duration::from_secs(60)).expect("an end, though nobody reads");
            assert!(!stats.is_open());
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing was moved");
    }

    /// One frame that says `text`.
    fn frames(text: &str) -> Frames {
        let mut frames = Frames::default();
        frames.push(&Dnstap { identity: Some(text.as_bytes().to_vec()), ..Dnstap::default() });
        frames
    }

    /// What a file of these frames holds.
    fn file_of(texts: &[&str]) -> Vec<u8> {
        let written = texts.iter().flat_map(|text| frames(text).octets().to_vec());
        Control::Start.frame().into_iter().chain(written).chain(Control::Stop.frame()).collect()
    }

    #[test]
    fn two_processes_write_two_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let start = || Writer::start(Target::File(path.clone()), Arc::default(), Clock::new()).expect("a thread");
        let mut old = start();
        old.write(&mut frames("early"));
        assert!(!path.exists(), "it has not begun");
        // One that is empty is taken as it is, with whatever rights it was given.
        fs::write(&path, "").expect("written");
        let made = fs::metadata(&path).expect("a file").ino();
        old.begin();
        let has_begun = || fs::metadata(&path).is_ok_and(|of| of.len() > 0);
        let wait_until = |what: &dyn Fn() -> bool| {
            let clock = Clock::new();
            let due = clock.now() + Duration::from_secs(60);
            while !what() {
                assert!(clock.now() < due, "it has had a minute");
                // Real time: another thread writes to a real file.
                thread::sleep(Duration::from_millis(5));
            }
        };
        wait_until(&has_begun);
        assert_eq!(fs::metadata(&path).expect("a file").ino(), made);
        old.hold().take();
        // The next process opens it, while the one before has written no more than the beginning, or hardly more.
        let mut new = start();
        new.begin();
        wait_until(&|| fs::metadata(&path).is_ok_and(|of| of.ino() != made && of.len() > 0));
        old.reopen();
        old.write(&mut frames("late"));
        new.write(&mut frames("new"));
        old.finish();
        new.finish();
        assert_eq!(fs::read(&path).expect("a file"), file_of(&["new"]));
        let others = fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let others: Vec<PathBuf> = others.filter(|other| *other != path).collect();
        assert_eq!(others.len(), 1, "{others:?}");
        assert_eq!(fs::read(&others[0]).expect("a file"), file_of(&["early", "late"]));
    }

    #[test]
    fn who_never_begins_leaves_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let writer = Writer::start(Target::File(path.clone()), Arc::default(), Clock::new()).expect("a thread");
        writer.write(&mut frames("lost"));
        writer.finish();
        assert!(!path.exists());
    }
}
