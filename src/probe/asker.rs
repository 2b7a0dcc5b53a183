//! What a prober's task holds of its target: one variant a kind of probe.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SemaphorePermit;

use super::push::Letterbox;
use super::{Answered, ExecProbe, Failure, Probe, Target, TcpProbe, Tls, dns, exec, grpc, handshake, http, icmp, tcp};
use crate::health::{Timing, patience};

/// What one probe found.
pub type Found = Result<Answered, Failure>;

/// One target, ready to be asked.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "each stands alone on the heap, and nearly all are of the largest variant"
)]
pub(super) enum Asker {
    Http(http::Asker),
    Tcp(IpAddr, TcpProbe),
    Icmp(IpAddr),
    Dns(IpAddr, dns::Asker),
    Exec(IpAddr, ExecProbe),
    Push(Arc<Letterbox>),
    Tls(handshake::Asker),
    Grpc(grpc::Asker),
    /// No request can be made of its monitor, which the reader of policy files should have seen.
    Broken(Failure),
}

impl Asker {
    /// `letterbox` is where reports for the target are laid down.
    pub(super) fn new(target: &Target, tls: &Tls, letterbox: Option<Arc<Letterbox>>) -> Self {
        let asker = match &target.monitor.probe {
            Probe::Http(probe) => http::Asker::new(target.address, probe, tls).map(Self::Http),
            Probe::Tcp(probe) => Ok(Self::Tcp(target.address, probe.clone())),
            Probe::Icmp => Ok(Self::Icmp(target.address)),
            Probe::Dns(probe) => dns::Asker::new(probe).map(|asker| Self::Dns(target.address, asker)),
            Probe::Exec(probe) => Ok(Self::Exec(target.address, probe.clone())),
            Probe::Push(_) => Ok(Self::Push(letterbox.unwrap_or_default())),
            Probe::Tls(probe) => handshake::Asker::new(target.address, probe, tls).map(Self::Tls),
            Probe::Grpc(probe) => grpc::Asker::new(target.address, probe, tls).map(Self::Grpc),
        };
        asker.unwrap_or_else(Self::Broken)
    }

    /// Waits for what only so many may have at once, for as long as a probe runs. Before the probe's time starts
    /// to count: the wait is ours.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'static>> {
        match self {
            Self::Exec(..) => exec::place().await,
            Self::Http(_)
            | Self::Tcp(..)
            | Self::Icmp(_)
            | Self::Push(_)
            | Self::Dns(..)
            | Self::Tls(_)
            | Self::Grpc(_)
            | Self::Broken(_) => None,
        }
    }

    /// How long it may ask: a lease is as long as it is, for nothing is sent that the next could come too late for.
    pub(super) fn patience(&self, timing: &Timing) -> Duration {
        if self.sends() { patience(timing) } else { timing.timeout }
    }

    /// Whether it sends anything; what does not may wait for as long as it likes.
    pub(super) fn sends(&self) -> bool {
        !matches!(self, Self::Push(_))
    }

    /// What it is called that nothing came in time.
    pub(super) fn silence(&self, patience: Duration) -> Failure {
        if self.sends() { Failure::Timeout(patience) } else { Failure::Silent(patience) }
    }

    /// Asks once, without a limit of time.
    pub(super) async fn ask(&self) -> Found {
        match self {
            Self::Http(asker) => asker.ask().await,
            Self::Tcp(address, probe) => tcp::ask(*address, probe).await.map(|()| Answered::default()),
            Self::Icmp(address) => icmp::ask(*address).await.map(|()| Answered::default()),
            Self::Dns(address, asker) => asker.ask(*address).await.map(|()| Answered::default()),
            Self::Exec(address, probe) => exec::ask(*address, probe).await.map(|()| Answered::default()),
            Self::Push(letterbox) => letterbox.take().await,
            Self::Tls(asker) => Box::pin(asker.ask()).await,
            Self::Grpc(asker) => Box::pin(asker.ask()).await,
            Self::Broken(failure) => Err(failure.clone()),
        }
    }
}
