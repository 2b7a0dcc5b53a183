//! One client with one query in flight: how long until its answer is back. Prints the median and the 99th percentile in
//! microseconds, and how many round trips they are of.
#![allow(clippy::print_stdout, reason = "what it measures goes to whoever started it")]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

/// `www.example.com. A`, recursion not desired.
const QUERY: &[u8] = b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";

fn main() -> std::io::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u16>().ok());
    let (Some(port), Some(ms)) = (numbers.next(), numbers.next()) else {
        return Err(std::io::Error::other("usage: peers-round-trips PORT MILLISECONDS"));
    };
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    client.connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut nanos = Vec::with_capacity(1 << 20);
    let mut answer = [0; 4096];
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(ms.into()) && nanos.len() < nanos.capacity() {
        let sent = Instant::now();
        client.send(QUERY)?;
        client.recv(&mut answer)?;
        nanos.push(sent.elapsed().as_nanos());
    }
    nanos.sort_unstable();
    let at = |percent: usize| nanos.get(nanos.len() * percent / 100).map_or(f64::NAN, |&ns| ns as f64 / 1e3);
    println!("{:.2} {:.2} {}", at(50), at(99), nanos.len());
    Ok(())
}
