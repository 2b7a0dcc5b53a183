//! The side that takes over.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::super::StartError;
use super::super::given::Given;
use super::super::state::Recalled;
use super::channel::Channel;
use super::{PROTOCOL, Reply, Request};
use crate::config::Process;
use crate::diagnostic::plural;

/// How long the other side may take to say what it is asked: it puts what it knows of 100,000 probes into words.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the other side may take to let go of what this one waits for, when nothing can be undone any more.
const RELEASE: Duration = Duration::from_secs(10);

/// The process that this one takes over from.
#[derive(Debug)]
pub(in super::super) struct Predecessor {
    channel: Channel,
    pid: u32,
    secret: [u8; 16],
}

impl Predecessor {
    /// Greets the server behind the control socket, and takes its sockets, without reading from them.
    ///
    /// # Errors
    /// There is none, or it refuses.
    pub(in super::super) async fn greet(process: &Process) -> Result<(Self, Given), StartError> {
        let Some(path) = process.control.as_deref() else {
            let reason = "no control socket is named; give `control` in [server], or --control".to_owned();
            return Err(StartError::Replace { path: PathBuf::new(), reason });
        };
        let failed = |error: io::Error| {
            let reason = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => "no server listens there".to_owned(),
                io::ErrorKind::PermissionDenied => "it is another user's".to_owned(),
                _ => error.to_string(),
            };
            StartError::Replace { path: path.to_owned(), reason }
        };
        let mut channel = Channel::connect(path).await.map_err(failed)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        channel.say(&Request::Hello { protocol: PROTOCOL, version }).await.map_err(failed)?;
        let (version, pid, secret, names, messages) = match heard(channel.hear()).await.map_err(failed)? {
            Reply::Welcome { version, pid, secret, names, messages } => (version, pid, secret, names, messages),
            Reply::Refused { reason } => return Err(StartError::Replace { path: path.to_owned(), reason }),
            other => return Err(failed(io::Error::other(format!("{other:?} is no welcome")))),
        };
        for _ in 0..messages {
            heard(channel.receive()).await.map_err(failed)?;
        }
        let sockets = channel.take_sockets();
        tracing::info!("taking over from process {pid} ({version}): {}", plural(sockets.len(), "socket"));
        let given = Given::from_process(sockets, &names).map_err(failed)?;
        Ok((Self { channel, pid, secret }, given))
    }

    /// What cookies are signed with where nothing else is said.
    pub(in super::super) const fn secret(&self) -> [u8; 16] {
        self.secret
    }

    /// What it knows of everything, to begin with.
    pub(in super::super) async fn state(&mut self) -> Result<Recalled, StartError> {
        self.told(Request::State).await
    }

    /// What it knows by now; it changes nothing from here on.
    pub(in super::super) async fn last(&mut self) -> Result<Recalled, StartError> {
        self.told(Request::Last).await
    }

    async fn told(&mut self, request: Request) -> Result<Recalled, StartError> {
        let telling = async {
            self.channel.say(&request).await?;
            let octets = heard(self.channel.receive()).await?;
            Recalled::told(&octets).map_err(io::Error::other)
        };
        let told = telling.await;
        told.map_err(|error| StartError::System { what: "hear what the running server knows", error })
    }

    /// This process answers from now on: the other has let go of everything when this is over, or is no more. What it
    /// had counted.
    pub(in super::super) async fn serving(mut self) -> Vec<(String, u64)> {
        let releasing = async {
            self.channel.say(&Request::Serving).await?;
            self.channel.hear().await
        };
        match within(RELEASE, releasing).await {
            Ok(Reply::Released { counts }) => counts,
            Ok(other) => {
                tracing::warn!("process {} said {other:?} at its end", self.pid);
                Vec::new()
            }
            // Nothing is lost: whatever it would have answered waits in sockets that are this process's too.
            Err(error) => {
                tracing::warn!(%error, "process {} did not end in order", self.pid);
                Vec::new()
            }
        }
    }

    /// This process gives up.
    pub(in super::super) async fn fail(self, error: &StartError) {
        let _ = self.channel.say(&Request::Failed { reason: error.told() }).await;
    }
}

async fn heard<T>(hearing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    within(PATIENCE, hearing).await
}

async fn within<T>(span: Duration, hearing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(span, hearing).await?
}
