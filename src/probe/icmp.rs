//! An ICMP echo (RFC 792, RFC 4443 §4): a request, and the reply to that very request.
//!
//! Each probe has a socket of its own, connected to its endpoint, so the kernel does the sorting. An unprivileged
//! datagram socket (ping(4) of Linux, allowed by `net.ipv4.ping_group_range`) is handed the replies to its own
//! identifier alone. Where none is allowed, a raw socket (CAP_NET_RAW) takes its place; connected, it is handed
//! only what its endpoint sends. That costs the kernel a walk over all raw sockets that are open for every ICMP
//! packet that comes in: none to speak of while endpoints answer, and with 10,000 that hang at once some 10,000
//! comparisons a packet; the group range is the better way.
//!
//! No crate: those there are share one raw socket and sort in the process, or ask for a runtime's task of their
//! own; what is left to do here is eight octets of header.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Failure;
use crate::system;

/// Octets of an echo: header and token.
const ECHO_OCTETS: usize = HEADER_OCTETS + TOKEN_OCTETS;
const HEADER_OCTETS: usize = 8;
/// What makes a reply ours: 64 random bits, which who does not see the request cannot guess.
const TOKEN_OCTETS: usize = 8;

/// The longest IPv4 header (RFC 791 §3.1), which a raw socket is handed too.
const IPV4_HEADER_OCTETS_MAX: usize = 60;

/// Why this process may send no echoes, over one family or both, if so.
pub(super) fn fault() -> Option<Failure> {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .into_iter()
        .find_map(|address| open(address).err().and_then(|error| fault_of(&error)))
}

/// A machine without one of the families lacks no permission: it has the endpoints of the other to probe.
fn fault_of(error: &io::Error) -> Option<Failure> {
    (error.raw_os_error() != Some(libc::EAFNOSUPPORT)).then(|| unsent(error))
}

/// Sends an echo request to `address` and waits for its reply.
///
/// # Errors
/// The network says that it cannot be reached; or we may not ask, which is [`Failure::is_ours`].
pub(super) async fn ask(address: IpAddr) -> Result<(), Failure> {
    let of_io = |error: io::Error| Failure::of_io(&error);
    let (socket, kind) = open(address).map_err(|error| unsent(&error))?;
    let socket = UdpSocket::from_std(socket.into()).map_err(of_io)?;
    let echo = Echo::new(address, system::seed());
    // A datagram socket takes an address's port for nothing.
    socket.connect(SocketAddr::new(address, 0)).await.map_err(of_io)?;
    socket.send(&echo.request()).await.map_err(of_io)?;
    // One octet more, so that a longer packet is not taken for ours.
    let mut packet = [0; IPV4_HEADER_OCTETS_MAX + ECHO_OCTETS + 1];
    loop {
        let octets = socket.recv(&mut packet).await.map_err(of_io)?;
        if echo.is_answered_by(packet.get(..octets).unwrap_or_default(), kind) {
            return Ok(());
        }
    }
}

/// Who sorts the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The kernel, which sets the identifier.
    Datagram,
    /// We do; the identifier is ours.
    Raw,
}

fn open(address: IpAddr) -> io::Result<(Socket, Kind)> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let open = |kind| {
        let socket = Socket::new(domain, kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let datagram: io::Result<Socket> = open(Type::DGRAM);
    match datagram {
        Ok(socket) => Ok((socket, Kind::Datagram)),
        // A kernel without such sockets refuses the protocol.
        Err(error) if is_refusal(&error) || error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => {
            Ok((open(Type::RAW)?, Kind::Raw))
        }
        Err(error) => Err(error),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Why there is no socket, in an operator's words.
fn unsent(error: &io::Error) -> Failure {
    if is_refusal(error) {
        let why = "ICMP is not permitted: widen net.ipv4.ping_group_range to this group, or grant CAP_NET_RAW";
        Failure::Barred(why.to_owned())
    } else {
        Failure::Unsent(format!("no ICMP socket: {error}"))
    }
}

/// One echo.
///
/// ```text
///  0               8               16                              32
/// | type          | code 0        | checksum                      |
/// | identifier                    | sequence number               |
/// | token, 8 octets                                               |
/// ```
struct Echo {
    request: u8,
    reply: u8,
    family: Family,
    identifier: [u8; 2],
    sequence: [u8; 2],
    token: [u8; TOKEN_OCTETS],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Echo {
    fn new(address: IpAddr, random: u64) -> Self {
        let (request, reply, family) = match address {
            IpAddr::V4(_) => (8, 0, Family::Ipv4),
            IpAddr::V6(_) => (128, 129, Family::Ipv6),
        };
        let token = random.to_be_bytes();
        let [i0, i1, s0, s1, ..] = random.rotate_left(32).to_be_bytes();
        Self { request, reply, family, identifier: [i0, i1], sequence: [s0, s1], token }
    }

    fn request(&self) -> [u8; ECHO_OCTETS] {
        let mut packet = [0; ECHO_OCTETS];
        packet[0] = self.request;
        packet[4..6].copy_from_slice(&self.identifier);
        packet[6..8].copy_from_slice(&self.sequence);
        packet[HEADER_OCTETS..].copy_from_slice(&self.token);
        // Over IPv6 the kernel fills it in, whatever the socket: it covers the addresses (RFC 4443 §2.3).
        if self.family == Family::Ipv4 {
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum);
        }
        packet
    }

    /// Whether `packet`, as the socket handed it over, is the reply. Its checksum was the kernel's to verify.
    fn is_answered_by(&self, packet: &[u8], kind: Kind) -> bool {
        let icmp = match (kind, self.family) {
            (Kind::Raw, Family::Ipv4) => {
                let header = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
                packet.get(header..).unwrap_or_default()
            }
            (Kind::Raw, Family::Ipv6) | (Kind::Datagram, _) => packet,
        };
        let Ok(icmp) = <&[u8; ECHO_OCTETS]>::try_from(icmp) else { return false };
        let (head, rest) = (&icmp[..2], &icmp[4..]);
        head == [self.reply, 0]
            && (kind == Kind::Datagram || rest[..2] == self.identifier)
            && rest[2..4] == self.sequence
            && rest[4..] == self.token
    }
}

/// The Internet checksum (RFC 1071) of whole 16-bit words.
fn checksum(octets: &[u8; ECHO_OCTETS]) -> [u8; 2] {
    let words = octets.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    u16::try_from(folded).map_or([0, 0], |folded| (!folded).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    const RANDOM: u64 = 0x0102_0304_a5b6_c7d8;

    #[test]
    fn a_request_is_laid_out_as_the_rfcs_say() {
        let packet = Echo::new(V4, RANDOM).request();
        assert_eq!(packet[..2], [8, 0]);
        assert_eq!(packet[4..8], [0xa5, 0xb6, 0xc7, 0xd8]);
        assert_eq!(packet[8..], RANDOM.to_be_bytes());
        assert_eq!(checksum(&packet), [0, 0], "a packet with its checksum sums to nothing");
        let packet = Echo::new(V6, RANDOM).request();
        assert_eq!(packet[..4], [128, 0, 0, 0]);
    }

    #[test]
    fn only_the_reply_to_this_very_request_is_taken() {
        for (address, kind) in [(V4, Kind::Datagram), (V4, Kind::Raw), (V6, Kind::Datagram), (V6, Kind::Raw)] {
            let echo = Echo::new(address, RANDOM);
            let mut icmp = echo.request().to_vec();
            icmp[0] = echo.reply;
            let check = |icmp: &[u8], expected: bool, what: &str| {
                let mut packet = if (address, kind) == (V4, Kind::Raw) { vec![0x45; 20] } else { Vec::new() };
                packet.extend(icmp);
                assert_eq!(echo.is_answered_by(&packet, kind), expected, "{what}, {address}, {kind:?}");
            };
            check(&icmp, true, "the reply");
            check(&echo.request(), false, "our own request, which loopback shows a raw socket");
            check(&[], false, "nothing");
            check(&icmp[..ECHO_OCTETS - 1], false, "cut");
            check(&[icmp.clone(), vec![0]].concat(), false, "longer");
            for (at, what) in [(0, "type"), (1, "code"), (7, "sequence"), (15, "token")] {
                let mut other = icmp.clone();
                other[at] ^= 1;
                check(&other, false, what);
            }
            let mut other = icmp.clone();
            other[5] ^= 1;
            check(&other, kind == Kind::Datagram, "identifier, which the kernel sets on a datagram socket");
        }
    }

    #[test]
    fn a_machine_without_a_family_is_not_warned_of_it() {
        let check = |code: i32, expected: Option<&str>| {
            let fault = fault_of(&io::Error::from_raw_os_error(code)).map(|fault| fault.to_string());
            assert_eq!(fault.is_some(), expected.is_some(), "errno {code}: {fault:?}");
            assert!(fault.unwrap_or_default().contains(expected.unwrap_or_default()), "errno {code}");
        };
        check(libc::EAFNOSUPPORT, None);
        check(libc::EACCES, Some("not sent: ICMP is not permitted"));
        check(libc::EPERM, Some("not sent: ICMP is not permitted"));
        check(libc::EMFILE, Some("not sent: no ICMP socket"));
    }

    /// Asks the kernel itself; where no echo may be sent, the failure must be ours.
    #[tokio::test]
    async fn loopback_answers_many_at_once() {
        for address in ["127.0.0.1", "127.0.0.77", "::1"] {
            let address: IpAddr = address.parse().expect("an address");
            let asked = (0..50).map(|_| tokio::spawn(ask(address))).collect::<Vec<_>>();
            for answer in asked {
                match answer.await.expect("no panic") {
                    Ok(()) => {}
                    Err(failure) => assert!(failure.is_ours(), "{address}: {failure}"),
                }
            }
        }
    }
}
