//! The side that hands over: talks with whoever connects, and asks the server for what is needed, which goes on meanwhile.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::super::given::Named;
use super::channel::{Channel, SOCKETS_MAX};
use super::launch::{Again, Started};
use super::{Control, PROTOCOL, Reply, Request};

/// How long somebody who connects may take to say what for.
const GREETING: Duration = Duration::from_secs(5);

/// How long a successor may take from `Last` to `Serving`, while nothing can be forced here. It takes milliseconds.
const FROZEN_LONGEST: Duration = Duration::from_secs(30);

/// How long the process that is to be the successor may take to say its number: it forks once.
const STARTING_LONGEST: Duration = Duration::from_secs(30);

/// How long it may take to say something before `Last`, while it reads and probes: less than whoever asked for it waits.
const WARMING_LONGEST: Duration = Duration::from_secs(540);

/// How long somebody who is turned away may take to hear it.
const TURNING_AWAY: Duration = Duration::from_secs(1);

/// Conversations at once.
const TALKS_MAX: usize = 8;

/// What is handed over as it is.
#[derive(Debug)]
pub(in super::super) struct Goods {
    /// All of them.
    pub(in super::super) sockets: Vec<OwnedFd>,
    /// Which doors some of them are of.
    pub(in super::super) names: Vec<Named>,
    /// What cookies are signed with where nothing else is said.
    pub(in super::super) secret: [u8; 16],
}

/// What a conversation asks of the server.
pub(in super::super) enum Ask {
    /// What is known of everything?
    Tell(oneshot::Sender<Told>),
    /// The same, and nothing is to change from here on.
    Freeze(oneshot::Sender<Told>),
    /// Nothing came of it: go on.
    Thaw,
    /// The successor answers: take nothing in any more, and say what was counted once that is so.
    Leave(Leaving),
}

/// What is known, to be put into words by whoever asked.
pub(in super::super) type Told = Box<dyn FnOnce() -> io::Result<Vec<u8>> + Send>;

/// Whom the server leaves its place to.
pub(in super::super) struct Leaving {
    /// The process that answers now.
    pub(in super::super) successor: u32,
    /// Where to say what was counted.
    pub(in super::super) released: oneshot::Sender<Vec<(String, u64)>>,
}

/// What became of a successor.
#[derive(Clone, Debug, Default)]
enum Fate {
    #[default]
    Unknown,
    /// There is more to come of it.
    Talks(u32),
    /// It answers, and is of this version.
    Serves(u32, String),
    Failed(u32, String),
}

impl Fate {
    /// Of whom it is, and whether there is no more to come.
    fn is_sealed(&self, process: u32) -> bool {
        matches!(self, Self::Serves(of, _) | Self::Failed(of, _) if *of == process)
    }
}

/// Hands over to whoever may have it.
pub(in super::super) struct Handing {
    control: Option<Control>,
    talk: Talk,
    asks: mpsc::Receiver<Ask>,
    /// Ends when the last conversation has.
    talking: mpsc::Receiver<()>,
}

/// What a conversation knows.
#[derive(Clone)]
struct Talk {
    goods: std::sync::Weak<Goods>,
    again: Option<Arc<Again>>,
    asks: mpsc::Sender<Ask>,
    /// Held while a successor is started, which is not greeted before it is nobody's child.
    starting: Arc<Mutex<()>>,
    /// One successor at a time.
    place: Arc<Semaphore>,
    places: Arc<Semaphore>,
    fate: watch::Sender<Fate>,
    _talking: mpsc::Sender<()>,
}

/// What is kept open for a successor, as long as this lives.
#[derive(Debug)]
pub(in super::super) struct Kept {
    _goods: Arc<Goods>,
}

impl Handing {
    /// Hands `goods` to a successor that comes by `control`, and waits for none without it.
    pub(in super::super) fn new(
        control: Option<Control>,
        mut goods: Goods,
        again: Option<Again>,
    ) -> io::Result<(Self, Kept)> {
        if let Some(control) = &control {
            goods.sockets.push(control.socket().try_clone_to_owned()?);
        }
        let goods = Arc::new(goods);
        let (asks, asked) = mpsc::channel(1);
        let (_talking, talking) = mpsc::channel(1);
        let talk = Talk {
            goods: Arc::downgrade(&goods),
            again: again.map(Arc::new),
            asks,
            starting: Arc::default(),
            place: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(TALKS_MAX)),
            fate: watch::Sender::new(Fate::default()),
            _talking,
        };
        Ok((Self { control, talk, asks: asked, talking }, Kept { _goods: goods }))
    }

    /// Waits for something that a successor wants of the server. May be dropped while it waits.
    pub(in super::super) async fn next(&mut self) -> Ask {
        loop {
            let accepted = async {
                match &self.control {
                    Some(control) => control.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // This side holds a sender, so that there is always somebody who may ask.
                Some(ask) = self.asks.recv() => return ask,
                accepted = accepted => match accepted {
                    Ok(channel) => self.talk.clone().begin(channel),
                    Err(error) => {
                        tracing::debug!(%error, "accepting on the control socket");
                        // No room for a file: trying at once would only spin.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }

    /// Takes nobody in any more; the socket stays where it is, for a successor.
    pub(in super::super) fn close(&mut self) {
        self.control = None;
    }

    /// Takes nobody in any more, and takes the socket out of the file system. Who was taken in hears that it stops.
    pub(in super::super) fn remove(&mut self) {
        if let Some(control) = self.control.take() {
            control.remove();
        }
        self.asks.close();
        while self.asks.try_recv().is_ok() {}
    }

    /// Waits until everybody has heard how it went.
    pub(in super::super) async fn finish(self) {
        let Self { talk, asks, mut talking, .. } = self;
        drop((talk, asks));
        // Nothing is ever sent.
        let _ = talking.recv().await;
    }
}

impl Talk {
    fn begin(self, channel: Channel) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let reason = format!("{TALKS_MAX} others are at the control socket already");
            tracing::warn!("one more is turned away: {reason}");
            tokio::spawn(async move {
                let _ = timeout(TURNING_AWAY, channel.say(&Reply::Refused { reason })).await;
                // It is heard by who finds the socket open to say what for.
                tokio::time::sleep(TURNING_AWAY).await;
            });
            return;
        };
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = self.converse(channel).await {
                tracing::warn!("on the control socket: {error}");
            }
        });
    }

    async fn converse(self, mut channel: Channel) -> io::Result<()> {
        let (peer, own) = (channel.peer_user()?, rustix::process::geteuid().as_raw());
        if peer != own && peer != 0 {
            tracing::warn!("user {peer} may not use the control socket");
            return channel.say(&Reply::Refused { reason: "only the server's own user and root may".to_owned() }).await;
        }
        match timeout(GREETING, channel.hear()).await?? {
            Request::Hello { protocol: PROTOCOL, version } => self.hand_over(channel, &version).await,
            Request::Hello { protocol, version } => {
                let own = env!("CARGO_PKG_VERSION");
                let reason = format!(
                    "the running server ({own}) hands over by protocol {PROTOCOL}, and {version} by {protocol}: stop the \
                     one and start the other; verdicts are kept in the file of [state]"
                );
                tracing::warn!("not handed over: {reason}");
                channel.say(&Reply::Refused { reason }).await
            }
            Request::Replace => self.replace(channel).await,
            other => Err(io::Error::other(format!("{other:?} is no greeting"))),
        }
    }

    /// Talks with a successor until it answers or gives up.
    async fn hand_over(self, mut channel: Channel, version: &str) -> io::Result<()> {
        let successor = channel.peer_process().unwrap_or_default();
        drop(self.starting.lock().await);
        let (Ok(_place), Some(goods)) = (self.place.try_acquire(), self.goods.upgrade()) else {
            return channel.say(&Reply::Refused { reason: "another process is taking over".to_owned() }).await;
        };
        tracing::info!("process {successor} ({version}) would take over");
        self.fate.send_replace(Fate::Talks(successor));
        let mut frozen = false;
        let outcome = self.serve(&mut channel, goods, (successor, version), &mut frozen).await;
        let reason = match outcome {
            Ok(None) => return Ok(()),
            Ok(Some(reason)) => reason,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => "it ended".to_owned(),
            Err(error) => error.to_string(),
        };
        if frozen {
            let _ = self.asks.send(Ask::Thaw).await;
        }
        tracing::error!("process {successor} did not take over, and this one goes on: {reason}");
        self.fate.send_replace(Fate::Failed(successor, reason));
        Ok(())
    }

    /// `None` when it has taken over; else why it gave up.
    async fn serve(
        &self,
        channel: &mut Channel,
        goods: Arc<Goods>,
        (successor, its_version): (u32, &str),
        frozen: &mut bool,
    ) -> io::Result<Option<String>> {
        let packs = goods.sockets.chunks(SOCKETS_MAX);
        let (version, pid) = (env!("CARGO_PKG_VERSION").to_owned(), std::process::id());
        let (secret, names, messages) = (goods.secret, goods.names.clone(), packs.len());
        let welcome = Reply::Welcome { version, pid, secret, names, messages };
        channel.say(&welcome).await?;
        for pack in packs {
            let sockets: Vec<_> = pack.iter().map(|socket| socket.as_fd()).collect();
            channel.send(b"", &sockets).await?;
        }
        // Held no longer than needed, since an open descriptor keeps a listener listening.
        drop(goods);
        loop {
            let longest = if *frozen { FROZEN_LONGEST } else { WARMING_LONGEST };
            let heard = timeout(longest, channel.hear()).await;
            match heard.map_err(|_| io::Error::other(format!("nothing was heard of it for {longest:?}")))?? {
                Request::State => self.tell(channel, Ask::Tell).await?,
                Request::Last => {
                    *frozen = true;
                    self.tell(channel, Ask::Freeze).await?;
                }
                Request::Serving => {
                    let (released, counts) = oneshot::channel();
                    self.ask(Ask::Leave(Leaving { successor, released })).await?;
                    let counts = counts.await.unwrap_or_default();
                    // It serves whether it hears this or not.
                    let _ = channel.say(&Reply::Released { counts }).await;
                    self.fate.send_replace(Fate::Serves(successor, its_version.to_owned()));
                    return Ok(None);
                }
                Request::Failed { reason } => return Ok(Some(reason)),
                other => return Err(io::Error::other(format!("{other:?} is out of place"))),
            }
        }
    }

    async fn tell(&self, channel: &Channel, ask: impl FnOnce(oneshot::Sender<Told>) -> Ask) -> io::Result<()> {
        let (reply, told) = oneshot::channel();
        self.ask(ask(reply)).await?;
        let told = told.await.map_err(|_| io::Error::other("the server is stopping"))?;
        let octets = tokio::task::spawn_blocking(told).await??;
        channel.send(&octets, &[]).await
    }

    async fn ask(&self, ask: Ask) -> io::Result<()> {
        self.asks.send(ask).await.map_err(|_| io::Error::other("the server is stopping"))
    }

    /// Starts a successor, and says what became of it.
    async fn replace(self, channel: Channel) -> io::Result<()> {
        let Some(again) = &self.again else {
            return channel
                .say(&Reply::Refused { reason: "the server does not know its own program".to_owned() })
                .await;
        };
        if std::process::id() == 1 {
            let reason =
                "it is the first process of its container, which ends with it: start another container".to_owned();
            return channel.say(&Reply::Refused { reason }).await;
        }
        let mut fate = self.fate.subscribe();
        let starting = self.starting.lock().await;
        let mut started = match Started::by(again, STARTING_LONGEST).await {
            Ok(started) => started,
            Err(error) => {
                let reason = format!("{} cannot be started: {error}", again.program.display());
                tracing::error!("not replaced: {reason}");
                return channel.say(&Reply::StillHere { reason }).await;
            }
        };
        drop(starting);
        let pid = started.pid;
        tokio::select! {
            biased;
            _ = fate.wait_for(|fate| fate.is_sealed(pid)) => {}
            () = started.ended() => {}
        }
        // It may have ended before what it said last was read.
        let told = fate.wait_for(|fate| !matches!(fate, Fate::Talks(process) if *process == pid)).await;
        let reason = match told.map(|told| told.clone()) {
            Ok(Fate::Serves(process, version)) if process == pid => {
                return channel.say(&Reply::Replaced { pid, version }).await;
            }
            Ok(Fate::Failed(process, reason)) if process == pid => reason,
            _ => started.reason(),
        };
        channel.say(&Reply::StillHere { reason }).await
    }
}
