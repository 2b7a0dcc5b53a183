//! A DNS client of our own, for tests that send thousands of queries or odd octets. What comes back is read by
//! hickory-proto, so that our own reader is not the judge of our own writer.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::PATIENCE;

/// The largest DNS message.
const MESSAGE_OCTETS_MAX: usize = 65_535;

static NEXT_ID: AtomicU16 = AtomicU16::new(1);

/// A UDP socket connected to one server, so that only its answers, from the address that was asked, come in.
pub(crate) struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    /// Whether RD is set: a resolver answers only then, and an authority takes no notice.
    recursion: bool,
}

impl Client {
    /// A client of `server` with a source port of its own.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let local: IpAddr = if server.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        let socket = UdpSocket::bind((local, 0)).expect("a client socket can be bound");
        socket.connect(server).expect("a loopback address is reachable");
        Self { socket, server, recursion: false }
    }

    /// A client of a resolver, which it asks for recursion.
    pub(crate) fn of_resolver(resolver: SocketAddr) -> Self {
        Self { recursion: true, ..Self::to(resolver) }
    }

    /// Asks over UDP and gives the answer to it.
    ///
    /// # Panics
    /// When no answer has come within [`PATIENCE`]: on loopback nothing may be lost.
    pub(crate) fn ask(&self, name: &str, rtype: RecordType) -> Message {
        self.ask_message(&self.question(name, rtype))
    }

    /// Asks over UDP with a message of the caller's.
    ///
    /// # Panics
    /// As [`ask`](Self::ask).
    pub(crate) fn ask_message(&self, message: &Message) -> Message {
        let asked = message.queries.first().map(ToString::to_string).unwrap_or_default();
        let answer = self
            .exchange_within(&octets_of(message), PATIENCE)
            .unwrap_or_else(|| panic!("{} left a query unanswered: {asked}", self.server));
        let answer = Message::from_vec(&answer).expect("the answer is well-formed");
        assert_eq!(answer.metadata.id, message.metadata.id, "the id of the answer to {asked}");
        assert_eq!(answer.metadata.message_type, MessageType::Response, "QR of the answer to {asked}");
        answer
    }

    /// Asks over UDP; `None` when the server does not answer within `limit`.
    pub(crate) fn try_ask(&self, name: &str, rtype: RecordType, limit: Duration) -> Option<Message> {
        let answer = self.exchange_within(&octets_of(&self.question(name, rtype)), limit)?;
        Message::from_vec(&answer).ok()
    }

    /// Sends any octets over UDP and gives what comes back within `limit`.
    pub(crate) fn exchange_within(&self, octets: &[u8], limit: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(limit)).expect("a limit above zero is accepted");
        self.socket.send(octets).ok()?;
        let mut buffer = vec![0; MESSAGE_OCTETS_MAX];
        loop {
            let length = self.socket.recv(&mut buffer).ok()?;
            // A late answer to a query that was given up is not the answer to this one.
            if octets.len() < 2 || buffer[..length].starts_with(&octets[..2]) {
                buffer.truncate(length);
                return Some(buffer);
            }
        }
    }

    /// Asks over TCP.
    ///
    /// # Panics
    /// As [`ask`](Self::ask).
    pub(crate) fn ask_tcp(&self, name: &str, rtype: RecordType) -> Message {
        let answer = exchange_tcp(self.server, &octets_of(&self.question(name, rtype)));
        Message::from_vec(&answer.expect("an answer over TCP")).expect("the answer is well-formed")
    }

    fn question(&self, name: &str, rtype: RecordType) -> Message {
        let mut message = question(name, rtype);
        message.metadata.recursion_desired = self.recursion;
        message
    }
}

/// Sends any octets as one TCP message (RFC 1035 §4.2.2) and gives the message that comes back.
///
/// # Errors
/// What the socket says, or that the server closed the connection first.
pub(crate) fn exchange_tcp(server: SocketAddr, octets: &[u8]) -> io::Result<Vec<u8>> {
    exchange_framed(connect(server)?, octets)
}

/// The same over TLS (RFC 7858), with a server that shows a certificate for `host`.
///
/// # Errors
/// As [`exchange_tcp`], and what TLS says.
pub(crate) fn exchange_tls(
    server: SocketAddr,
    (trusting, host): (&Arc<ClientConfig>, &'static str),
    octets: &[u8],
) -> io::Result<Vec<u8>> {
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let tls = ClientConnection::new(Arc::clone(trusting), name).map_err(io::Error::other)?;
    exchange_framed(StreamOwned::new(tls, connect(server)?), octets)
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn exchange_framed(mut stream: impl Read + Write, octets: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(octets.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    stream.write_all(&[&length.to_be_bytes()[..], octets].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// A query as a resolver sends it to an authority: no recursion, EDNS with 1232 octets, an id of its own.
pub(crate) fn question(name: &str, rtype: RecordType) -> Message {
    let mut message = question_without_edns(name, rtype);
    let mut edns = Edns::new();
    edns.set_max_payload(1232).set_version(0);
    message.set_edns(edns);
    message
}

/// The same without EDNS, so that 512 octets are the limit of the answer (RFC 1035 §4.2.1).
pub(crate) fn question_without_edns(name: &str, rtype: RecordType) -> Message {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    let mut query = Query::query(name_of(name), rtype);
    query.set_query_class(DNSClass::IN);
    message.add_query(query);
    message
}

/// The octets of a message.
pub(crate) fn octets_of(message: &Message) -> Vec<u8> {
    message.to_vec().expect("a test's message can be written")
}

/// The addresses of an answer section, in the order in which they came.
pub(crate) fn addresses(answer: &Message) -> Vec<IpAddr> {
    answer.answers.iter().filter_map(address_of).collect()
}

fn address_of(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

fn name_of(name: &str) -> Name {
    let mut name = Name::from_str(name).unwrap_or_else(|error| panic!("{name:?} is no name: {error}"));
    name.set_fqdn(true);
    name
}
