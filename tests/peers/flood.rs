//! Ten thousand open connections, garbage and a reflected flood: what others still get, what the victim gets, and what it
//! costs in memory.
//!
//! The figures are printed. What is held here is what does not hang on the machine's speed: the load is far below what
//! one worker answers, and whoever is well-formed and not the victim is answered; memory is bounded.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use socket2::{Domain, Socket, Type};

use crate::support::PATIENCE;
use crate::support::client::{self, question};
use crate::support::peer::say;
use crate::support::process::Signal;
use crate::support::server::{Launch, Server};

const ZONE: &str = include_str!("example.com.zone");

/// Connections that are held open.
const CONNECTIONS: u16 = 10_000;

/// Of the server's own memory, for each connection: a task and what it has read. The kernel's is not counted.
const RESIDENT_KIB_MAX: u64 = 4;

/// How long the load lasts.
const SPAN: Duration = Duration::from_secs(8);

/// One step of the load. What is sent in it goes at once; 8,000 datagrams a second in all, which a single worker answers
/// even as it is built for tests.
const STEP: Duration = Duration::from_millis(5);

/// Datagrams in a step: one half is garbage, a quarter the flood, a quarter is asked by others.
const GARBAGE: usize = 20;
const FORGED: usize = 10;
const ASKED: usize = 10;

/// Networks that garbage comes from, and that others ask from: each of these asks 40 times a second.
const NETWORKS: u8 = 50;

/// What the victim's network may be sent a second of one name, each in full; the default is more than the flood has.
const PER_SECOND: u32 = 100;

/// Questions by TCP meanwhile.
const QUESTIONS_TCP: usize = 500;

fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.pid())).expect("a process of Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A connection from an address of its own, so that ports and clients do not run out.
fn connect_from(number: u16, to: SocketAddr) -> Option<TcpStream> {
    let [high, low] = number.to_be_bytes();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    let source = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 96 + high % 16, low, 1)), 0);
    socket.bind(&source.into()).ok()?;
    socket.connect_timeout(&to.into(), PATIENCE).ok()?;
    Some(socket.into())
}

#[test]
fn connections_garbage_and_a_reflected_flood_leave_room_for_others() {
    // Both processes take so many files.
    let files = bellwether::transport::raise_open_files().expect("a limit");
    if files < 2 * u64::from(CONNECTIONS) {
        say(&format!("this machine allows {files} open files; test not run"));
        return;
    }
    let text = format!("\"{}\" ", "x".repeat(199)).repeat(4);
    let limits = format!(
        "[limits]\nconnections = 12000\nidle = '10m'\nreceive = '10m'\nresponses-per-second = {PER_SECOND}\n\
         rate-exempt = []\n"
    );
    let mut server = Launch::new()
        .file("example.com.zone", &format!("{ZONE}\nlarge.example.com. TXT {text}\n"))
        .config("bellwether.toml", &limits)
        .start();
    let before = resident_kib(&server);
    let held = hold_connections(&server);
    // The last one is the last that was taken in.
    let open = resident_kib(&server);
    let each = (open.saturating_sub(before)) as f64 / f64::from(CONNECTIONS);
    say(&format!("flood: {CONNECTIONS} connections: {before} KiB before, {open} KiB open; {each:.2} KiB a connection"));
    let stop = AtomicBool::new(false);
    let (load, by_tcp) = thread::scope(|scope| {
        let tcp = scope.spawn(|| ask_by_tcp(&server, &stop));
        let load = Load::run(server.address);
        stop.store(true, Ordering::Relaxed);
        (load, tcp.join().expect("no panic"))
    });
    let after = resident_kib(&server);
    load.tell();
    say(&format!("flood: {by_tcp} questions by TCP meanwhile, each answered; {after} KiB after"));
    assert!(after - before < u64::from(CONNECTIONS) * RESIDENT_KIB_MAX, "{before} KiB before, {after} KiB after");
    load.check();
    drop(held);
    server.process.assert_running();
    let said = server.process.lines_said();
    server.process.signal(Signal::Term);
    let line = server.process.await_line(said, "what came of the requests", |line| line.contains("requests: "));
    say(&format!("flood: {}", line.split("requests: ").nth(1).unwrap_or_default()));
    for counter in ["dropped-rate-limited", "truncated-rate-limited", "truncated-unproven", "dropped-response"] {
        assert!(line.contains(&format!("{counter} ")), "no {counter} in: {line}");
    }
}

/// A third is silent, a third was answered, a third has begun a message that nobody will end.
fn hold_connections(server: &Server) -> Vec<TcpStream> {
    let query = {
        let octets = client::octets_of(&question("v4.example.com", RecordType::A));
        [&(octets.len() as u16).to_be_bytes()[..], &octets].concat()
    };
    let mut held: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|number| connect_from(number, server.address).expect("a connection is taken in"))
        .collect();
    for (number, stream) in held.iter_mut().enumerate() {
        match number % 3 {
            0 => {}
            1 => {
                stream.write_all(&query).expect("sent");
                stream.set_read_timeout(Some(PATIENCE)).expect("a time");
                stream.read_exact(&mut [0; 12]).expect("an answer");
            }
            _ => stream.write_all(&query[..7]).expect("sent"),
        }
    }
    held
}

/// Asks by a connection each, evenly over the load. Says how often.
fn ask_by_tcp(server: &Server, stop: &AtomicBool) -> usize {
    let asker = server.client();
    let mut asked = 0;
    while asked < QUESTIONS_TCP && !stop.load(Ordering::Relaxed) {
        let answer = asker.ask_tcp("v4.example.com", RecordType::A);
        assert_eq!(client::addresses(&answer), [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 4))]);
        asked += 1;
        // Real time: so that they come all through the flood, and not before it.
        thread::sleep(SPAN / QUESTIONS_TCP as u32);
    }
    asked
}

/// What was sent by UDP, and what came back.
#[derive(Debug, Default)]
struct Load {
    took: Duration,
    garbage: u64,
    /// Questions in the victim's name: how many, and their octets.
    forged: (u64, u64),
    /// What the victim got: how many, of these whole answers, and octets.
    reflected: (u64, u64, u64),
    asked: u64,
    answered: u64,
    /// Datagrams that found no room at the server's socket.
    lost_there: u64,
    /// Answers that found no room at a socket of those who asked.
    lost_here: u64,
}

impl Load {
    fn run(server: SocketAddr) -> Self {
        let garbage: Vec<_> = (0..NETWORKS).map(|network| socket([127, 16, network, 1])).collect();
        let victims: Vec<_> = (1..=NETWORKS).map(|host| socket([127, 17, 0, host])).collect();
        let others: Vec<_> = (0..NETWORKS).map(|network| socket([127, 18, network, 1])).collect();
        let forged = [("v4.example.com", RecordType::A), ("large.example.com", RecordType::TXT)]
            .map(|(name, rtype)| client::octets_of(&question(name, rtype)));
        let mut query = client::octets_of(&question("v4.example.com", RecordType::A));
        let lost_before = lost(server);
        let (mut load, mut turn, mut pending) = (Self::default(), 0_usize, vec![false; 1 << 16]);
        let start = Instant::now();
        while load.took < SPAN {
            for _ in 0..GARBAGE {
                load.garbage += 1;
                let octets = junk(load.garbage);
                let _ = garbage[turn % garbage.len()].send_to(&octets, server);
                turn += 1;
            }
            for _ in 0..FORGED {
                let octets = &forged[turn % forged.len()];
                let _ = victims[turn / forged.len() % victims.len()].send_to(octets, server);
                load.forged = (load.forged.0 + 1, load.forged.1 + octets.len() as u64);
                turn += 1;
            }
            for _ in 0..ASKED {
                let id = load.asked as u16;
                query[..2].copy_from_slice(&id.to_be_bytes());
                pending[usize::from(id)] = others[usize::from(id) % others.len()].send_to(&query, server).is_ok();
                load.asked += 1;
            }
            load.take(&victims, &others, &mut pending);
            let due = STEP * u32::try_from(load.asked as usize / ASKED).expect("few steps");
            load.took = start.elapsed();
            // Real time: a flood is so many a second, and only the system's clock says when one has passed.
            thread::sleep(due.saturating_sub(load.took));
        }
        // What is still on its way, on a machine that has other things to do.
        while load.answered < load.asked && start.elapsed() < load.took + Duration::from_secs(3) {
            load.take(&victims, &others, &mut pending);
            // Between two looks at many sockets; what ends the wait is the last answer, or the limit above.
            thread::sleep(STEP);
        }
        load.lost_there = lost(server) - lost_before;
        load.lost_here = others.iter().map(|socket| lost(socket.local_addr().expect("an address"))).sum();
        load
    }

    /// Takes what has come, once for each question.
    fn take(&mut self, victims: &[UdpSocket], others: &[UdpSocket], pending: &mut [bool]) {
        let mut octets = [0; 2_048];
        for socket in others {
            while let Ok(length) = socket.recv(&mut octets) {
                let id = usize::from(u16::from_be_bytes([octets[0], octets[1]]));
                // In full: an answer that is not truncated.
                let whole = length > 12 && octets[2] & 2 == 0 && octets[3] & 15 == 0 && octets[7] > 0;
                if whole && std::mem::take(&mut pending[id]) {
                    self.answered += 1;
                }
            }
        }
        for socket in victims {
            while let Ok(length) = socket.recv(&mut octets) {
                let (all, whole, sum) = self.reflected;
                self.reflected = (all + 1, whole + u64::from(octets[2] & 2 == 0), sum + length as u64);
            }
        }
    }

    fn tell(&self) {
        let Self { took, garbage, forged, reflected, asked, answered, lost_there, lost_here } = self;
        say(&format!(
            "flood: in {:.1} s {garbage} datagrams of garbage, {} forged, {asked} asked by others of whom {answered} were \
             answered at the first try ({:.3} %); lost at the server's socket {lost_there}, at theirs {lost_here}",
            took.as_secs_f64(),
            forged.0,
            100.0 * *answered as f64 / *asked as f64,
        ));
        say(&format!(
            "flood: the victim got {} datagrams, {} of them whole, and {} octets for {} in its name ({:.2} times)",
            reflected.0,
            reflected.1,
            reflected.2,
            forged.1,
            reflected.2 as f64 / forged.1 as f64,
        ));
    }

    fn check(&self) {
        let counted = self.asked - self.lost_here;
        assert!(self.answered * 1_000 >= counted * 999, "less than 99.9 % were answered: {self:?}");
        // One name is whole for whoever has not shown where it is: a burst, and then the rate.
        let seconds = self.took.as_secs() + 2;
        assert!(self.reflected.1 <= u64::from(PER_SECOND) * (seconds + 1), "too much was reflected: {self:?}");
        assert!(self.reflected.2 < self.forged.1, "more was reflected than was sent: {self:?}");
        assert!(self.reflected.0 > self.reflected.1, "nothing slipped: {self:?}");
    }
}

fn socket(source: [u8; 4]) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::from(source), 0)).expect("a socket");
    socket.set_nonblocking(true).expect("a flag");
    socket
}

/// Datagrams that found no room at the socket with this address, as the kernel counts them.
fn lost(address: SocketAddr) -> u64 {
    let IpAddr::V4(ip) = address.ip() else { return 0 };
    let local = format!("{:08X}:{:04X}", ip.to_bits().swap_bytes(), address.port());
    let table = fs::read_to_string("/proc/net/udp").expect("Linux tells of its sockets");
    let of = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(1) == Some(&local.as_str())).then(|| words.last().and_then(|drops| drops.parse::<u64>().ok()))?
    };
    table.lines().filter_map(of).sum()
}

/// Any mixture of octets does; this one is the same on every machine.
fn junk(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let length = usize::from(next());
    (0..length).map(|_| next()).collect()
}
