//! Asks a server for names of a large zone at a steady rate, whatever comes back: queries leave at their times, however many
//! are under way. `reload-load PORT NAMES RATE`, until its standard input ends; then it prints what it sent and what of that
//! was not answered within [`PATIENCE`], after as long again.
//!
//! It has no places that a lost query could hold, as a client has that keeps so many under way: a server that loses some is
//! asked as much as one that loses none.
#![allow(clippy::print_stdout, reason = "what it measures goes to whoever started it")]

use std::io::{self, Read};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Ports that it asks from, since servers spread clients over their workers by port.
const CLIENTS: usize = 10;

/// An answer that takes longer is lost. Numbers of queries come again after 65,536 of one client, which is later still, up
/// to [`RATE_MAX`].
const PATIENCE: Duration = Duration::from_secs(2);

/// Queries a second, at most.
const RATE_MAX: u32 = (1 << 16) / PATIENCE.as_secs() as u32 * CLIENTS as u32;

/// Between two looks at what is due and what has come: 20 queries at 100,000 a second.
const PAUSE: Duration = Duration::from_micros(200);

/// One port, and when each query that it waits for left, by number.
struct Client {
    socket: UdpSocket,
    left: Box<[Option<Instant>]>,
    next: u16,
}

/// What has become of all queries so far.
#[derive(Default)]
struct Tally {
    sent: u64,
    lost: u64,
}

impl Client {
    fn to(port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, left: vec![None; 1 << 16].into(), next: 0 })
    }

    /// Asks for the address of name `number`.
    fn ask(&mut self, number: u64, now: Instant, tally: &mut Tally) {
        let label = format!("n{number}");
        let [i, d] = self.next.to_be_bytes();
        let mut query = vec![i, d, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
        query.extend_from_slice(label.as_bytes());
        query.extend_from_slice(b"\x07example\x03com\0\0\x01\0\x01");
        tally.sent += 1;
        // What the kernel does not take is lost, too.
        let left = self.socket.send(&query).is_ok().then_some(now);
        tally.lost += u64::from(left.is_none());
        // Nobody has answered the one before with this number.
        tally.lost += u64::from(self.left[usize::from(self.next)].is_some());
        self.left[usize::from(self.next)] = left;
        self.next = self.next.wrapping_add(1);
    }

    /// Takes in all answers that have come.
    fn hear(&mut self, now: Instant, tally: &mut Tally) {
        let mut answer = [0; 512];
        loop {
            let length = match self.socket.recv(&mut answer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // What an earlier query came to, such as a port without a server.
                Err(_) => continue,
            };
            // With a record of the answer, and no error.
            let &[i, d, _, flags, _, _, a, n, ..] = &answer[..length] else { continue };
            let Some(left) = self.left[usize::from(u16::from_be_bytes([i, d]))].take() else { continue };
            let is_answered = flags & 0xf == 0 && (a, n) != (0, 0) && now.duration_since(left) <= PATIENCE;
            tally.lost += u64::from(!is_answered);
        }
    }
}

fn main() -> io::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let (Some(port), Some(names), Some(rate @ 1..=RATE_MAX)) = (numbers.next(), numbers.next(), numbers.next()) else {
        return Err(io::Error::other(format!(
            "usage: reload-load PORT NAMES RATE, of 1 to {RATE_MAX} queries a second"
        )));
    };
    let port = u16::try_from(port).map_err(io::Error::other)?;
    let mut clients = (0..CLIENTS).map(|_| Client::to(port)).collect::<io::Result<Vec<_>>>()?;
    let ended = Arc::new(AtomicBool::new(false));
    thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            ended.store(true, Ordering::Relaxed);
        }
    });
    let (begun, mut tally) = (Instant::now(), Tally::default());
    let mut stop = None;
    loop {
        let now = Instant::now();
        if stop.is_none() && ended.load(Ordering::Relaxed) {
            stop = Some(now);
        }
        if stop.is_some_and(|stop| now.duration_since(stop) > PATIENCE) {
            break;
        }
        clients.iter_mut().for_each(|client| client.hear(now, &mut tally));
        let due = (now.duration_since(begun).as_secs_f64() * f64::from(rate)) as u64;
        while stop.is_none() && tally.sent < due {
            // Every name in an order without one, by a multiplier that shares no factor with a count of ours.
            let name = tally.sent.wrapping_mul(2_654_435_761) % u64::from(names);
            clients[tally.sent as usize % CLIENTS].ask(name, now, &mut tally);
        }
        // Real time: a rate is so many a second. What became due meanwhile leaves at once.
        thread::sleep(PAUSE);
    }
    let waiting = clients.iter().flat_map(|client| &*client.left).flatten().count() as u64;
    println!("{} {}", tally.sent, tally.lost + waiting);
    Ok(())
}
