//! The thread that writes frames: to a reader on a Unix socket, or to a file.
//!
//! It alone waits for readers and disks. While there is no reader, or no room on the disk, frames are dropped and counted,
//! and it tries again once a second. A file that is already there is moved aside, since a stream cannot be continued; one
//! that is moved away while it is written is ended in order, and the next begun.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
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
    stopping: AtomicBool,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// As the system has no more threads.
    pub fn start(target: Target, stats: Arc<Stats>, clock: Clock) -> io::Result<Self> {
        let (batches, waiting) = sync_channel(BATCHES_MAX);
        let shared = Arc::new(Shared { stats, stopping: AtomicBool::new(false) });
        let writing = Writing { target, shared: Arc::clone(&shared), has_failed: false, clock };
        let thread = thread::Builder::new().name("dnstap".to_owned()).spawn(move || writing.run(&waiting))?;
        Ok(Self { batches: Some(batches), shared, thread: Some(thread) })
    }

    /// Hands over `frames`, or drops them: it never waits. Where there is no room and they are no whole batch yet, they
    /// stay, for others to join them.
    pub fn write(&self, frames: &mut Frames) {
        let (taken, stats) = (std::mem::take(frames), &self.shared.stats);
        let count = taken.count();
        if count == 0 {
            return;
        }
        if !stats.is_open() {
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
        self.batches = None;
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
        if is_there {
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
                file.seek(SeekFrom::Start(*octets))?;
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

/// Begins a file. One that is there already is moved aside.
///
/// # Errors
/// As `open(2)`; what is there is no file: to open a FIFO waits for its reader, and a folder is not ours to move.
fn create(path: &Path) -> io::Result<Open> {
    let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
    match fs::metadata(path) {
        Ok(old) if !old.is_file() => return Err(no_file()),
        Ok(old) if old.len() > Control::Start.frame().len() as u64 => fs::rename(path, aside(path, &old)?)?,
        _ => {}
    }
    // Without waiting, should something else have taken its place by now; to a file that means nothing.
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(no_file());
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

    #[test]
    fn what_is_no_file_is_left_alone_and_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let [fifo, inner] = ["fifo", "inner"].map(|name| folder.path().join(name));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("coreutils");
        assert!(made.success());
        fs::create_dir(&inner).expect("a folder");
        for path in [&fifo, &inner] {
            let stats = Arc::<Stats>::default();
            let writer = Writer::start(Target::File(path.clone()), Arc::clone(&stats), Clock::new()).expect("a thread");
            let (done, finished) = std::sync::mpsc::channel();
            thread::spawn(move || {
                writer.finish();
                let _ = done.send(());
            });
            finished.recv_timeout(Duration::from_secs(60)).expect("an end, though nobody reads");
            assert!(!stats.is_open());
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing was moved");
    }
}
