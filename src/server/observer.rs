//! The thread that listens in on queries: it hands them to the query log and, while somebody asks, to `bellwether top`.
//!
//! While neither wants any it sleeps, and the workers write nothing down.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::top::Window;
use crate::admin::Refusal;
use crate::admin::api::Top;
use crate::config::Atlas;
use crate::moment::Moment;
use crate::observe::dnstap::{Encoder, Frames, Hold, Settings, Stats, Writer};
use crate::observe::{Depth, Outlet, Share, Tap, Volume, tap};
use crate::random::Random;
use crate::system::{Clock, seed};

/// Between two looks at what was heard: a thousand queries at 200,000 a second, of the 8,192 that there is room for.
const PAUSE: Duration = Duration::from_millis(5);

/// How long is listened, at the least, before anything is said of it.
const LISTEN_LEAST: Duration = Duration::from_secs(1);

/// How long is listened on after the last that somebody asked: the interval of whoever asks again and again, mostly.
const LISTEN_ON: Duration = Duration::from_secs(15);

/// Queries that are heard each second for `top`: 20,000 in its window, where a name with a share of 1 % has some 200,
/// which says its rate to 14 % (two deviations). Writing them down costs a worker some 2 ms a second.
const HEARD_A_SECOND: f64 = 2_000.0;

/// What is heard at first, to find out how many come: few enough for a server that answers a million. What this tells is
/// not kept, since one query that stands for 500 would weigh more than a second of a quiet server.
const SHARE_FIRST: f64 = 0.002;

/// How long that takes, and how often the share is set anew.
const SHARE_EVERY: Duration = Duration::from_millis(100);

/// Whoever listens.
pub(super) struct Observer {
    mail: Sender<Mail>,
    thread: JoinHandle<()>,
    stats: Option<Arc<Stats>>,
    /// Of the log.
    hold: Option<Hold>,
}

/// A way to ask it, and what became of the log, if there is one.
#[derive(Clone)]
pub(super) struct Handle {
    mail: Sender<Mail>,
    log: Option<Arc<Stats>>,
}

type Reply = oneshot::Sender<Result<Top, Refusal>>;

enum Mail {
    Top(Reply, Atlas),
    Begin,
    Reopen,
    Finish,
}

impl Observer {
    /// Starts to listen, and gives a tap for each of so many workers. Where there is neither a log nor anybody who could
    /// ask, nobody listens, and the taps are dry. What is logged waits, within bounds, until it is to
    /// [`begin`](Self::begin).
    pub(super) fn start(
        log: Option<Settings>,
        may_be_asked: bool,
        workers: usize,
        clock: Clock,
    ) -> io::Result<(Option<Self>, std::vec::IntoIter<Tap>)> {
        if log.is_none() && !may_be_asked {
            return Ok((None, (0..workers).map(|_| Tap::default()).collect::<Vec<_>>().into_iter()));
        }
        let volume = Arc::<Volume>::default();
        let depth = if log.is_some() { Depth::Log } else { Depth::Glance };
        let made = (0..workers).map(|_| tap(Arc::clone(&volume), depth, seed()));
        let (taps, outlets): (Vec<Tap>, Vec<Outlet>) = made.unzip();
        let stats = log.as_ref().map(|_| Arc::new(Stats::new(outlets.iter().map(Outlet::losses))));
        let log = match (log, &stats) {
            (Some(settings), Some(stats)) => Some(Log {
                share: settings.sample,
                encoder: Encoder::new(&settings, clock),
                writer: Writer::start(settings.target, Arc::clone(stats), clock)?,
                frames: Frames::default(),
            }),
            _ => None,
        };
        let (mail, inbox) = channel();
        let hold = log.as_ref().map(|log: &Log| log.writer.hold());
        let listening = Listening { outlets, volume, clock, random: Random::new(seed()), log, glance: None };
        // Before any worker looks: the first query is heard, too, however late the thread begins.
        listening.set_volume();
        let thread = thread::Builder::new().name("observer".to_owned()).spawn(move || listening.run(&inbox))?;
        Ok((Some(Self { mail, thread, stats, hold }), taps.into_iter()))
    }

    /// A way to ask it.
    pub(super) fn handle(&self) -> Handle {
        Handle { mail: self.mail.clone(), log: self.stats.clone() }
    }

    /// Has the log written from now on.
    pub(super) fn begin(&self) {
        let _ = self.mail.send(Mail::Begin);
    }

    /// Keeps the log to the file that it has: from here on another process may begin the next.
    pub(super) fn hold(&self) {
        self.hold.iter().for_each(Hold::take);
    }

    /// None has, and none will.
    pub(super) fn release(&self) {
        self.hold.iter().for_each(Hold::release);
    }

    /// Has the log begin a new file, if the one before was moved away.
    pub(super) fn reopen(&self) {
        let _ = self.mail.send(Mail::Reopen);
    }

    /// Hands on what was heard to the last, once all workers have stopped, and ends the log in order. What became of it.
    pub(super) fn finish(self) -> Option<Arc<Stats>> {
        let _ = self.mail.send(Mail::Finish);
        if self.thread.join().is_err() {
            tracing::error!("the thread that listens to queries had panicked");
        }
        self.stats
    }
}

impl Handle {
    /// Has `reply` told what is asked most; with what is known of clients.
    pub(super) fn top(&self, reply: Reply, atlas: Atlas) {
        // When it has gone the server stops, and whoever waits is told so.
        let _ = self.mail.send(Mail::Top(reply, atlas));
    }

    /// What became of what was to be logged; `None` where nothing is.
    pub(super) fn log(&self) -> Option<Arc<Stats>> {
        self.log.clone()
    }
}

struct Log {
    share: Share,
    encoder: Encoder,
    writer: Writer,
    frames: Frames,
}

/// What is heard for those who ask.
struct Glance {
    /// Since when what is heard is kept; `None` while it is found out how many come.
    began: Option<Moment>,
    /// When nobody has asked for long enough.
    until: Moment,
    share: Share,
    window: Window,
    /// What found no room before it began.
    lost_before: u64,
    waiting: Vec<(Reply, Atlas)>,
    /// When the share is set anew, and how many queries came since it was last, by what was heard.
    look_at: Moment,
    looked_at: Moment,
    came: f64,
}

struct Listening {
    outlets: Vec<Outlet>,
    volume: Arc<Volume>,
    clock: Clock,
    random: Random,
    log: Option<Log>,
    glance: Option<Glance>,
}

impl Listening {
    fn run(mut self, inbox: &Receiver<Mail>) {
        loop {
            let mail = if self.log.is_none() && self.glance.is_none() {
                inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                inbox.recv_timeout(PAUSE)
            };
            self.drain();
            match mail {
                Ok(Mail::Top(reply, atlas)) => self.asked(reply, atlas),
                Ok(Mail::Begin) => self.log.iter_mut().for_each(|log| log.writer.begin()),
                Ok(Mail::Reopen) => self.log.iter().for_each(|log| log.writer.reopen()),
                Ok(Mail::Finish) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look();
        }
        if let Some(log) = self.log {
            log.writer.finish();
        }
    }

    fn lost(&self) -> u64 {
        self.outlets.iter().map(Outlet::lost).sum()
    }

    /// Hands on all that was heard.
    fn drain(&mut self) {
        let Self { outlets, random, log, glance, .. } = self;
        for outlet in outlets {
            while let Some(heard) = outlet.pop() {
                let share = heard.head.share;
                if let Some(log) = log.as_mut().filter(|log| log.share.keeps(share, random)) {
                    log.encoder.encode(&heard, &mut log.frames);
                    if Writer::is_batch(&log.frames) {
                        log.writer.write(&mut log.frames);
                    }
                }
                if let Some(glance) = glance {
                    glance.came += share.weight();
                    // A log of more than is needed here is thinned out.
                    if glance.began.is_some() && glance.share.keeps(share, random) {
                        let kept = if glance.share < share { glance.share } else { share };
                        glance.window.take(&heard, kept.weight());
                    }
                }
            }
        }
        if let Some(log) = log {
            log.writer.write(&mut log.frames);
        }
    }

    fn asked(&mut self, reply: Reply, atlas: Atlas) {
        let (now, lost_before) = (self.clock.now(), self.lost());
        let glance = self.glance.get_or_insert_with(|| Glance {
            began: None,
            until: now,
            share: Share::new(SHARE_FIRST),
            window: Window::default(),
            lost_before,
            waiting: Vec::new(),
            look_at: now + SHARE_EVERY,
            looked_at: now,
            came: 0.0,
        });
        glance.until = now + LISTEN_ON;
        glance.waiting.push((reply, atlas));
        self.set_volume();
    }

    /// Tells those who have waited long enough, sets the share anew, and stops listening when nobody asks any more.
    fn look(&mut self) {
        let (now, lost) = (self.clock.now(), self.lost());
        let Some(glance) = &mut self.glance else { return };
        if let Some(began) = glance.began.filter(|&began| began + LISTEN_LEAST <= now) {
            for (reply, atlas) in std::mem::take(&mut glance.waiting) {
                let top = glance.window.top((began, now), lost - glance.lost_before, &atlas);
                // Whoever asked may have gone.
                let _ = reply.send(Ok(top));
            }
        }
        if glance.look_at <= now {
            let a_second = glance.came / now.since(glance.looked_at).as_secs_f64().max(0.001);
            glance.share = Share::new(HEARD_A_SECOND / a_second.max(HEARD_A_SECOND));
            (glance.look_at, glance.looked_at, glance.came) = (now + SHARE_EVERY, now, 0.0);
            glance.began.get_or_insert(now);
        }
        if glance.until <= now {
            self.glance = None;
        }
        self.set_volume();
    }

    fn set_volume(&self) {
        let log = self.log.as_ref().map_or(Share::NONE, |log| log.share);
        let glance = self.glance.as_ref().map_or(Share::NONE, |glance| glance.share);
        let share = log.or(glance);
        if share != self.volume.get() {
            self.volume.set(share);
        }
    }
}
