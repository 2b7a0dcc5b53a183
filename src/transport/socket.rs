//! Datagrams in batches: `recvmmsg` and `sendmmsg`, with the address that was asked kept for the reply.
//!
//! The one file that may be unsafe. A system call for each datagram costs more than answering it; these two take
//! up to [`BATCH`] at once, and no safe crate offers them together with packet information.

#![allow(unsafe_code, reason = "recvmmsg and sendmmsg take pointers to buffers")]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use crate::wire::response::cut;

/// Datagrams in one system call, at most. Measured by the peer benches: past 32 the cost per datagram hardly
/// falls, and what waits behind a batch waits longer.
pub(super) const BATCH: usize = 64;

/// Octets of a datagram's buffer, in and out: a response is at most 1,232, and a longer request is cut, which
/// makes it malformed. 21 cache lines, an odd number, so that buffers do not fall into the same cache sets.
pub(super) const DATAGRAM_OCTETS: usize = 21 * 64;

/// Room for one `in6_pktinfo` in a control message: 16 + 20, aligned. An `in_pktinfo` takes less.
const CONTROL_OCTETS: usize = 40;

/// Where in a control message its level is, and where its data begins: behind length, level and type.
const LEVEL_AT: usize = mem::offset_of!(libc::cmsghdr, cmsg_level);
const DATA_AT: usize = size_of::<libc::cmsghdr>();

/// Aligned as `cmsghdr` demands.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_OCTETS]);

/// Buffers for one batch, allocated once. Its pointers lead into its own boxes, which never move or grow.
pub(super) struct Batch {
    requests: Box<[[u8; DATAGRAM_OCTETS]]>,
    responses: Box<[[u8; DATAGRAM_OCTETS]]>,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    incoming: Box<[libc::iovec]>,
    outgoing: Box<[libc::iovec]>,
    received: Box<[libc::mmsghdr]>,
    sending: Box<[libc::mmsghdr]>,
    /// How many of the first headers tell of what was received, not of what may be.
    told: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        // SAFETY: all of these are plain C structures, for which all zeroes is a value.
        let (name, vector, message): (libc::sockaddr_storage, libc::iovec, libc::mmsghdr) =
            unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        let mut batch = Self {
            requests: vec![[0; DATAGRAM_OCTETS]; BATCH].into(),
            responses: vec![[0; DATAGRAM_OCTETS]; BATCH].into(),
            names: vec![name; BATCH].into(),
            controls: vec![Control([0; CONTROL_OCTETS]); BATCH].into(),
            incoming: vec![vector; BATCH].into(),
            outgoing: vec![vector; BATCH].into(),
            received: vec![message; BATCH].into(),
            sending: vec![message; BATCH].into(),
            told: BATCH,
        };
        for at in 0..BATCH {
            batch.incoming[at] =
                libc::iovec { iov_base: batch.requests[at].as_mut_ptr().cast(), iov_len: DATAGRAM_OCTETS };
            let header = &mut batch.received[at].msg_hdr;
            header.msg_name = (&raw mut batch.names[at]).cast();
            header.msg_iov = &raw mut batch.incoming[at];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut batch.controls[at]).cast();
        }
        batch
    }

    /// Waits for a datagram, for as long as the socket's read timeout, and takes all that are there.
    ///
    /// # Errors
    /// As `recvmmsg(2)`; [`io::ErrorKind::WouldBlock`] when the timeout passed.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.receive_by(socket, libc::MSG_WAITFORONE)
    }

    /// Takes all datagrams that are there, and waits for none.
    ///
    /// # Errors
    /// As `recvmmsg(2)`; [`io::ErrorKind::WouldBlock`] when there are none.
    pub(super) fn receive_waiting(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        // By this call alone: the socket may be another process's too, which waits.
        self.receive_by(socket, libc::MSG_DONTWAIT)
    }

    fn receive_by(&mut self, socket: &UdpSocket, flags: libc::c_int) -> io::Result<usize> {
        // Those alone: for a single query, going over all of them would be some 200 instructions.
        for message in self.received.iter_mut().take(self.told) {
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_hdr.msg_controllen = CONTROL_OCTETS as _;
        }
        // SAFETY: `received` holds BATCH headers, whose names, vectors and controls point into boxes of this
        // batch and carry those boxes' sizes.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.received.as_mut_ptr(),
                BATCH as libc::c_uint,
                flags,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error());
        self.told = *count.as_ref().unwrap_or(&0);
        count
    }

    /// Hands the first `count` datagrams that were received to `answer`, with the address that each came from and
    /// where it came to, and sends what it leaves in the buffer; nothing where it leaves nothing.
    pub(super) fn exchange(
        &mut self,
        socket: &UdpSocket,
        count: usize,
        mut answer: impl FnMut(SocketAddr, Destination<'_>, &[u8], &mut [u8]) -> usize,
    ) -> Sent {
        let mut filled = 0;
        for at in 0..count.min(BATCH) {
            let header = self.received[at].msg_hdr;
            let Some(peer) = address(&self.names[at]) else { continue };
            let length = (self.received[at].msg_len as usize).min(DATAGRAM_OCTETS);
            let response = &mut self.responses[at];
            let destination = Destination((header.msg_controllen != 0).then_some(&self.controls[at]));
            let length = answer(peer, destination, &self.requests[at][..length], response).min(DATAGRAM_OCTETS);
            if length == 0 {
                continue;
            }
            self.outgoing[filled] = libc::iovec { iov_base: response.as_mut_ptr().cast(), iov_len: length };
            let out = &mut self.sending[filled].msg_hdr;
            out.msg_name = header.msg_name;
            out.msg_namelen = header.msg_namelen;
            out.msg_iov = &raw mut self.outgoing[filled];
            out.msg_iovlen = 1;
            out.msg_control = header.msg_control;
            out.msg_controllen = header.msg_controllen;
            if header.msg_controllen == 0 {
                out.msg_control = ptr::null_mut();
            } else {
                route_back(&mut self.controls[at]);
            }
            filled += 1;
        }
        self.send(socket, filled)
    }

    fn send(&mut self, socket: &UdpSocket, filled: usize) -> Sent {
        let (mut done, mut sent_all) = (0, Sent::default());
        while done < filled {
            let rest = &mut self.sending[done..filled];
            // SAFETY: `rest` holds headers that `exchange` pointed at buffers of this batch.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as libc::c_uint, 0) };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => done += sent,
                _ => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    error if error.raw_os_error() == Some(libc::EMSGSIZE) && self.cut(done) => sent_all.cut += 1,
                    // The first of the rest cannot be sent, an unreachable client perhaps; the others can.
                    _ => {
                        done += 1;
                        sent_all.lost += 1;
                    }
                },
            }
        }
        sent_all
    }

    /// Cuts the response that is to be sent at `at`, which is larger than the interface takes whole (RFC 9715 §3.1,
    /// R4). `false` when there is nothing left to cut.
    fn cut(&mut self, at: usize) -> bool {
        let Some(out) = self.outgoing.get_mut(at) else { return false };
        // Whose buffer it is: the responses lie one behind the other.
        let place = (out.iov_base as usize).wrapping_sub(self.responses.as_ptr() as usize) / DATAGRAM_OCTETS;
        let Some(response) = self.responses.get_mut(place).and_then(|whole| whole.get_mut(..out.iov_len)) else {
            return false;
        };
        let length = cut(response);
        let is_shorter = length < out.iov_len;
        out.iov_len = length;
        is_shorter
    }
}

/// Where a datagram came to. Read only when it is asked for, which few want to know.
#[derive(Clone, Copy)]
pub(super) struct Destination<'c>(Option<&'c Control>);

impl Destination<'_> {
    /// The address that was asked; `None` of a socket that [does not tell](want_destination).
    pub(super) fn ip(self) -> Option<IpAddr> {
        let Control(octets) = self.0?;
        let level = libc::c_int::from_ne_bytes(*octets.get(LEVEL_AT..)?.first_chunk()?);
        let data = octets.get(DATA_AT..)?;
        if level == libc::IPPROTO_IP {
            let v4 = data.get(mem::offset_of!(libc::in_pktinfo, ipi_addr)..)?;
            return Some(IpAddr::V4(Ipv4Addr::from(*v4.first_chunk::<4>()?)));
        }
        let v6 = data.get(mem::offset_of!(libc::in6_pktinfo, ipi6_addr)..)?;
        (level == libc::IPPROTO_IPV6).then_some(IpAddr::V6(Ipv6Addr::from(*v6.first_chunk::<16>()?)))
    }
}

/// What became of replies, beside those that went as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Cut, since they were larger than the interface takes.
    pub(super) cut: u64,
    /// Not sent.
    pub(super) lost: u64,
}

/// Has no datagram from `socket` fragmented, here or on its way, and no ICMP message about its path believed, which
/// anybody can forge (RFC 9715 §3.1, R2). What is larger than the interface takes is refused with `EMSGSIZE`.
pub(super) fn dont_fragment(socket: &UdpSocket, v6: bool) -> io::Result<()> {
    // BIND, Knot and Unbound take OMIT here, which heeds no ICMP either but leaves the fragmenting to routers, where
    // a fragment can be put in the place of another. At 1,232 octets no path of today has to.
    if v6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
    }
}

/// Asks for the destination of each datagram, so that the reply leaves from the address that was asked. Needed
/// only on a socket that is bound to every address.
pub(super) fn want_destination(socket: &UdpSocket, v6: bool) -> io::Result<()> {
    let (level, option) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) } else { (libc::IPPROTO_IP, libc::IP_PKTINFO) };
    set(socket, level, option, 1)
}

fn set(socket: &UdpSocket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the value is a C int that outlives the call, and its size is given.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Raises the limit of open files to the most that this process may have, and returns it: every probe under way
/// and every stream is one, and the usual limit of 1,024 is for programs that use `select(2)`, which this is not.
pub(super) fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a structure of ours that the call fills in.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a structure of ours that the call only reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

/// Leaves the interface of an IPv4 reply to the routing table: a reply need not leave where the request came in.
/// The source address stays the one that was asked (`ipi_spec_dst`). IPv6 keeps the interface, which link-local
/// addresses need.
fn route_back(control: &mut Control) {
    // The first field of in_pktinfo is the interface.
    if control.0[LEVEL_AT..LEVEL_AT + 4] == libc::IPPROTO_IP.to_ne_bytes() {
        control.0[DATA_AT..DATA_AT + 4].fill(0);
    }
}

/// The address and port in a `sockaddr_storage` that the kernel filled in.
fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it holds a sockaddr_in, which is smaller and aligned alike.
            let v4 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that it holds a sockaddr_in6, which is smaller and aligned alike.
            let v6 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddr::new(IpAddr::V6(ip), u16::from_be(v6.sin6_port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Sends `requests` from one socket and returns what comes back, with where it came from.
    fn exchange(bind: &str, ask: &str, requests: &[&[u8]]) -> Vec<(SocketAddr, Vec<u8>)> {
        let server = UdpSocket::bind(bind).expect("a server");
        let mut ask: SocketAddr = ask.parse().expect("an address");
        ask.set_port(server.local_addr().expect("an address").port());
        if server.local_addr().expect("an address").ip().is_unspecified() {
            want_destination(&server, ask.is_ipv6()).expect("packet information");
        }
        dont_fragment(&server, ask.is_ipv6()).expect("an option of every socket");
        let client = UdpSocket::bind(if ask.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" }).expect("a client");
        client.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        for request in requests {
            client.send_to(request, ask).expect("sent");
        }
        let (mut batch, mut seen) = (Batch::new(), 0);
        while seen < requests.len() {
            let count = batch.receive(&server).expect("datagrams");
            seen += count;
            let tells = server.local_addr().expect("an address").ip().is_unspecified();
            let sent = batch.exchange(&server, count, |peer, destination, request, response| {
                assert_eq!(peer, client.local_addr().expect("an address"));
                assert_eq!(destination.ip(), tells.then_some(ask.ip()));
                response[..request.len()].copy_from_slice(request);
                request.len()
            });
            assert_eq!(sent, Sent::default());
        }
        let mut buffer = [0; DATAGRAM_OCTETS];
        let answered = requests.iter().filter(|request| !request.is_empty()).count();
        (0..answered)
            .map(|_| {
                let (length, from) = client.recv_from(&mut buffer).expect("an answer");
                assert_eq!(from.port(), ask.port());
                (from, buffer[..length].to_vec())
            })
            .collect()
    }

    #[test]
    fn replies_leave_from_the_address_that_was_asked() {
        let check = |bind: &str, ask: &str| {
            let requests: [&[u8]; 4] = [b"one", b"", b"two", b"three"];
            let answers = exchange(bind, ask, &requests);
            let expected: SocketAddr = ask.parse().expect("an address");
            assert!(answers.iter().all(|(from, _)| from.ip() == expected.ip()), "{bind} {ask}: {answers:?}");
            let octets: Vec<_> = answers.iter().map(|(_, octets)| octets.as_slice()).collect();
            assert_eq!(octets, [&b"one"[..], b"two", b"three"]);
        };
        check("127.0.0.1:0", "127.0.0.1:0");
        check("0.0.0.0:0", "127.0.0.77:0");
        check("[::1]:0", "[::1]:0");
        check("[::]:0", "[::1]:0");
    }

    #[test]
    fn batches_of_any_length_follow_each_other() {
        let server = UdpSocket::bind("0.0.0.0:0").expect("a server");
        want_destination(&server, false).expect("packet information");
        let asked = SocketAddr::from(([127, 0, 0, 77], server.local_addr().expect("an address").port()));
        let client = UdpSocket::bind("127.0.0.1:0").expect("a client");
        client.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let mut batch = Batch::new();
        for burst in [1, BATCH, 3, BATCH + 5, 1, 2] {
            (0..burst).for_each(|_| assert_eq!(client.send_to(b"query", asked).expect("sent"), 5));
            let mut seen = 0;
            while seen < burst {
                let count = batch.receive(&server).expect("datagrams");
                let sent = batch.exchange(&server, count, |peer, destination, request, response| {
                    assert_eq!((peer, request), (client.local_addr().expect("an address"), &b"query"[..]));
                    assert_eq!(destination.ip(), Some(asked.ip()));
                    response[..6].copy_from_slice(b"answer");
                    6
                });
                assert_eq!(sent, Sent::default());
                seen += count;
            }
            let mut buffer = [0; DATAGRAM_OCTETS];
            for _ in 0..burst {
                assert_eq!(client.recv_from(&mut buffer).expect("an answer"), (6, asked), "of {burst}");
            }
        }
    }

    #[test]
    fn a_batch_is_bounded_and_a_long_datagram_is_cut() {
        let requests = vec![&b"x"[..]; BATCH + 9];
        assert_eq!(exchange("127.0.0.1:0", "127.0.0.1:0", &requests).len(), BATCH + 9);
        let long = vec![7; DATAGRAM_OCTETS + 100];
        let answers = exchange("127.0.0.1:0", "127.0.0.1:0", &[&long]);
        assert_eq!(answers[0].1.len(), DATAGRAM_OCTETS);
    }
}
