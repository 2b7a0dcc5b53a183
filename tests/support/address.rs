//! Loopback addresses, one to each server that a test starts, so that port numbers never clash.
//!
//! All of 127.0.0.0/8 is this machine on Linux. The upper half, 127.128.0.0/9, is divided among test processes by
//! the low 13 bits of their process id, and each process counts through the 1,022 addresses of its part:
//!
//! ```text
//!   0 1 1 1 1 1 1 1 . 1 p p p p p p p . p p p p p p c c . c c c c c c c c
//! ```
//!
//! So two tests of one run never share an address, two runs at once hardly ever do, and 127.0.0.1, where people's
//! own servers live, is never taken. Ports can then be the same everywhere and are easy to read in a failure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// The port that DNS servers listen on in tests.
pub(crate) const DNS_PORT: u16 = 5300;
/// The port that HTTP endpoints listen on in tests.
pub(crate) const HTTP_PORT: u16 = 8080;
/// The port that HTTPS endpoints listen on in tests.
pub(crate) const HTTPS_PORT: u16 = 8443;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A loopback address that nothing else in this process has been given.
pub(crate) fn own_ip() -> Ipv4Addr {
    const COUNT_BITS: u32 = 10;
    let count = TAKEN.fetch_add(1, Ordering::Relaxed) + 1;
    assert!(count < (1 << COUNT_BITS) - 1, "a test process has no more than 1,022 loopback addresses");
    let process = std::process::id() & 0x1fff;
    Ipv4Addr::from_bits(0x7f80_0000 | process << COUNT_BITS | count)
}

/// An address of its own with the port of DNS.
pub(crate) fn own_dns() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(own_ip()), DNS_PORT)
}

/// A port that is free for UDP and TCP on `ip`, for the addresses that tests must share: `::1` and the wildcards.
///
/// It lies below 32768, where Linux takes the ports of clients from, so nobody gets it by chance before the
/// server binds it.
pub(crate) fn shared(ip: IpAddr) -> SocketAddr {
    const FIRST: u32 = 12_000;
    const PORTS: u32 = 20_000;
    (0..PORTS)
        .map(|_| {
            // A stride that shares no factor with the number of ports visits them all, far apart.
            let step = TAKEN.fetch_add(1, Ordering::Relaxed) * 7_919;
            let port = FIRST + std::process::id().wrapping_mul(131).wrapping_add(step) % PORTS;
            SocketAddr::new(ip, u16::try_from(port).expect("12,000 + 20,000 fits"))
        })
        .find(|&candidate| UdpSocket::bind(candidate).is_ok() && TcpListener::bind(candidate).is_ok())
        .expect("one port of 20,000 is free")
}
