//! Tells secondaries that a zone has moved on: sends notifications, waits to be heard, and says it again (RFC 1996
//! §3.6).
//!
//! One task for all of it. What is due is kept by secondary and zone, so that a zone which changes again before it
//! was heard of is told once, with its newest serial, and the list is never longer than zones × secondaries.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::config::Secondary;
use crate::random::Random;
use crate::snapshot::Snapshot;
use crate::system::{Clock, seed, unix_now};
use crate::transfer::notify::Notify;
use crate::wire::name::Name;
use crate::zone::Zone;

/// How long each notification waits to be heard; after the last, the secondary is left to its refresh timer. RFC 1996
/// §3.6 proposes five tries a minute apart; a zone that changes by a verdict's side wants to be heard sooner, and a
/// secondary that is down for a minute asks by itself when it comes back.
const PATIENCE: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// Notifications that leave together, and the time between two such bursts, lest a thousand zones are told at once and
/// no buffer holds them.
const BURST: usize = 32;
const BURST_GAP: Duration = Duration::from_millis(32);

/// Octets of the longest answer that means anything: a header, a question and a signature.
const ANSWER_OCTETS_MAX: usize = 1_232;

/// Where to hand what is served; it all ends with this.
#[derive(Debug)]
pub(super) struct Notifier {
    /// Only the newest is of interest.
    served: watch::Sender<Arc<[Arc<Zone>]>>,
    /// Which load was handed over last.
    generation: u64,
    task: JoinHandle<()>,
}

impl Notifier {
    /// Starts telling `secondaries`, from the addresses that are listened on, since those are what a secondary knows us
    /// by. `None` without any secondaries.
    ///
    /// # Errors
    /// No socket could be had.
    pub(super) async fn start(
        secondaries: Vec<Secondary>,
        listen: &[SocketAddr],
        clock: Clock,
    ) -> io::Result<Option<Self>> {
        if secondaries.is_empty() {
            return Ok(None);
        }
        let mut sockets: Vec<(IpAddr, UdpSocket)> = Vec::new();
        for source in secondaries.iter().map(|secondary| source(listen, secondary.address.ip())) {
            if !sockets.iter().any(|(bound, _)| *bound == source) {
                sockets.push((source, UdpSocket::bind((source, 0)).await?));
            }
        }
        let (served, changed) = watch::channel(Arc::from([]));
        let listen = listen.to_vec();
        let (told, due) = (HashMap::new(), HashMap::new());
        let crier = Crier { secondaries, listen, clock, sockets, random: Random::new(seed()), told, due };
        Ok(Some(Self { served, generation: 0, task: tokio::spawn(crier.cry(changed)) }))
    }

    /// Has every zone told whose serial is another than when `snapshot` was last looked at, or which is new.
    pub(super) fn look(&mut self, snapshot: &Snapshot) {
        if self.generation != snapshot.generation() {
            self.generation = snapshot.generation();
            self.served.send_replace(snapshot.served().iter().map(|served| Arc::clone(&served.zone)).collect());
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a notification to `secondary` comes from: the first address of its family, on loopback or not as it is, that is
/// listened on; whichever the system takes where that is all of them, or none.
fn source(listen: &[SocketAddr], secondary: IpAddr) -> IpAddr {
    let fits = |ip: &IpAddr| ip.is_ipv4() == secondary.is_ipv4() && ip.is_loopback() == secondary.is_loopback();
    let any = if secondary.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    listen.iter().map(SocketAddr::ip).find(fits).unwrap_or(any)
}

struct Crier {
    secondaries: Vec<Secondary>,
    listen: Vec<SocketAddr>,
    clock: Clock,
    /// By the address that they are bound to: of each family one on loopback and one off it, at the most.
    sockets: Vec<(IpAddr, UdpSocket)>,
    random: Random,
    /// The serial that each zone had when it was last told of.
    told: HashMap<Name, u32>,
    due: HashMap<(usize, Name), Due>,
}

/// What has been told to one secondary of one zone, or is to be.
struct Due {
    zone: Arc<Zone>,
    at: Instant,
    tries: usize,
    /// The notification that waits to be heard.
    sent: Option<Notify>,
}

impl Crier {
    async fn cry(mut self, mut changed: watch::Receiver<Arc<[Arc<Zone>]>>) {
        let mut answer = [0; ANSWER_OCTETS_MAX];
        loop {
            let next = self.due.values().map(|due| due.at).min();
            let timer = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let heard = tokio::select! {
                more = changed.changed() => {
                    if more.is_err() {
                        return;
                    }
                    let served = Arc::clone(&changed.borrow_and_update());
                    self.note(&served);
                    continue;
                }
                () = timer => None,
                heard = receive(&self.sockets, &mut answer) => Some(heard),
            };
            match heard {
                Some(Ok((length, from))) => self.hear(from, answer.get(..length).unwrap_or_default()),
                // An ICMP error of an earlier datagram; its secondary is told again when it is due.
                Some(Err(error)) => tracing::debug!(%error, "waiting for secondaries"),
                None => self.send_due().await,
            }
        }
    }

    /// Makes due what has moved on, and forgets what has gone.
    fn note(&mut self, served: &[Arc<Zone>]) {
        let start = Instant::from_std(self.clock.instant(self.clock.now()));
        let before = std::mem::take(&mut self.told);
        self.told = served.iter().map(|zone| (zone.apex().clone(), zone.serial())).collect();
        self.due.retain(|(_, apex), _| self.told.contains_key(apex));
        let moved = served.iter().filter(|zone| before.get(zone.apex()) != Some(&zone.serial()));
        let told = moved.flat_map(|zone| (0..self.secondaries.len()).map(move |number| (number, zone)));
        for (count, (number, zone)) in told.enumerate() {
            let at = start + BURST_GAP * u32::try_from(count / BURST).unwrap_or(u32::MAX);
            let due = Due { zone: Arc::clone(zone), at, tries: 0, sent: None };
            self.due.insert((number, zone.apex().clone()), due);
        }
    }

    async fn send_due(&mut self) {
        let now = Instant::from_std(self.clock.instant(self.clock.now()));
        let ready: Vec<_> = self.due.iter().filter(|(_, due)| due.at <= now).map(|(key, _)| key.clone()).collect();
        for key in ready {
            let (Some(secondary), Some(due)) = (self.secondaries.get(key.0), self.due.get_mut(&key)) else { continue };
            let Some(&patience) = PATIENCE.get(due.tries) else {
                tracing::warn!(
                    "{} has not answered that it heard of serial {} of {}; it will ask by its refresh timer",
                    secondary.address,
                    due.zone.serial(),
                    due.zone.apex()
                );
                self.due.remove(&key);
                continue;
            };
            let id = (self.random.next_u32() >> 16) as u16;
            due.sent = Notify::new(&due.zone, id, secondary.key.as_ref(), unix_now());
            (due.at, due.tries) = (now + patience, due.tries + 1);
            let source = source(&self.listen, secondary.address.ip());
            let socket = self.sockets.iter().find(|(bound, _)| *bound == source);
            if let (Some((_, socket)), Some(notify)) = (socket, &due.sent)
                && let Err(error) = socket.send_to(&notify.octets, secondary.address).await
            {
                tracing::debug!(%error, "telling {}", secondary.address);
            }
        }
    }

    fn hear(&mut self, from: SocketAddr, answer: &[u8]) {
        let now = unix_now();
        let heard = self.due.iter().find(|((number, _), due)| {
            let address = self.secondaries.get(*number).map(|secondary| secondary.address);
            address == Some(from) && due.sent.as_ref().is_some_and(|notify| notify.is_heard(answer, now))
        });
        let Some((key, due)) = heard else { return };
        tracing::info!("{from} has heard of serial {} of {}", due.zone.serial(), due.zone.apex());
        let key = key.clone();
        self.due.remove(&key);
    }
}

/// What comes to any of the sockets.
async fn receive(sockets: &[(IpAddr, UdpSocket)], room: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    poll_fn(|context| {
        for (_, socket) in sockets {
            let mut room = ReadBuf::new(room);
            match socket.poll_recv_from(context, &mut room) {
                Poll::Ready(Ok(from)) => return Poll::Ready(Ok((room.filled().len(), from))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_come_from_where_we_are_known() {
        let check = |listen: &[&str], secondary: &str, expected: &str| {
            let listen: Vec<SocketAddr> = listen.iter().map(|text| text.parse().expect("an address")).collect();
            let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(source(&listen, ip(secondary)), ip(expected), "{listen:?} {secondary}");
        };
        check(&["192.0.2.1:53", "192.0.2.2:53"], "198.51.100.1", "192.0.2.1");
        check(&["127.0.0.1:53", "192.0.2.2:53"], "198.51.100.1", "192.0.2.2");
        check(&["192.0.2.1:53", "127.0.0.2:53"], "127.0.0.1", "127.0.0.2");
        check(&["0.0.0.0:53", "[::]:53"], "198.51.100.1", "0.0.0.0");
        check(&["192.0.2.1:53"], "2001:db8::1", "::");
        check(&["[2001:db8::53]:53"], "2001:db8::1", "2001:db8::53");
    }
}
