//! A DNS probe: one query and the response that it must have (RFC 1035 §4, §7.3).
//!
//! Encoded and decoded by hickory-proto, so that our own server is not the judge of itself. Nothing is sent
//! twice: a lost datagram is a failed probe, and how many of those count is the monitor's to say. A response that
//! was truncated is asked for again over TCP, as any resolver would.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::failure::shown;
use super::{DnsProbe, DnsTransport, Failure};
use crate::system;

/// Octets of a datagram without EDNS (RFC 1035 §4.2.1).
const DATAGRAM_OCTETS_MAX: usize = 512;

/// Why no query can be made of `probe`, if so.
pub(super) fn fault(probe: &DnsProbe) -> Option<Failure> {
    Asker::new(probe).err()
}

/// A query, ready to be sent but for its ID.
#[derive(Debug)]
pub(super) struct Asker {
    query: Query,
    probe: DnsProbe,
}

impl Asker {
    /// # Errors
    /// `probe`'s name or type is none that can be asked for.
    pub(super) fn new(probe: &DnsProbe) -> Result<Self, Failure> {
        let monitor =
            |what: &str, text: &str| Failure::Monitor(format!("{what} \"{}\" cannot be asked for", shown(text)));
        let mut name = Name::from_ascii(&probe.name).map_err(|_| monitor("the name", &probe.name))?;
        name.set_fqdn(true);
        let record_type: RecordType = probe.record_type.parse().map_err(|_| monitor("the type", &probe.record_type))?;
        Ok(Self { query: Query::query(name, record_type), probe: probe.clone() })
    }

    /// Asks `address`.
    ///
    /// # Errors
    /// No connection, no DNS, or not the response that counts as a success.
    pub(super) async fn ask(&self, address: IpAddr) -> Result<(), Failure> {
        let server = SocketAddr::new(address, self.probe.port);
        let [_, _, _, _, _, _, id @ ..] = system::seed().to_be_bytes();
        let mut message = Message::new(u16::from_be_bytes(id), MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = self.probe.recursion;
        message.add_query(self.query.clone());
        let request = message.to_vec().map_err(|error| Failure::Monitor(shown(&error.to_string())))?;
        let response = match self.probe.transport {
            DnsTransport::Udp => match self.over_udp(server, &message, &request).await? {
                cut if cut.metadata.truncation => self.over_tcp(server, &message, &request).await?,
                whole => whole,
            },
            DnsTransport::Tcp => self.over_tcp(server, &message, &request).await?,
        };
        self.judge(&response)
    }

    /// The socket is connected, so the kernel refuses what other sources send; what does not match the query is
    /// not the response to it, and is passed over (RFC 5452 §3).
    async fn over_udp(&self, server: SocketAddr, query: &Message, request: &[u8]) -> Result<Message, Failure> {
        let of_io = |error: io::Error| Failure::of_io(&error);
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).await.map_err(of_io)?;
        socket.connect(server).await.map_err(of_io)?;
        socket.send(request).await.map_err(of_io)?;
        let mut datagram = [0; DATAGRAM_OCTETS_MAX];
        loop {
            let octets = socket.recv(&mut datagram).await.map_err(of_io)?;
            let octets = datagram.get(..octets).unwrap_or_default();
            // Not the ID of this query: nothing of it is worth a look.
            if octets.get(..2) != Some(&query.metadata.id.to_be_bytes()) {
                continue;
            }
            let response = decoded(octets)?;
            if answers(&response, query) {
                return Ok(response);
            }
        }
    }

    async fn over_tcp(&self, server: SocketAddr, query: &Message, request: &[u8]) -> Result<Message, Failure> {
        let of_io = |error: io::Error| Failure::of_io(&error);
        let mut stream = TcpStream::connect(server).await.map_err(of_io)?;
        // Length and message in one segment (RFC 7766 §8).
        let length = u16::try_from(request.len()).map_err(|_| Failure::Monitor("the query is too long".to_owned()))?;
        stream.write_all(&[&length.to_be_bytes(), request].concat()).await.map_err(of_io)?;
        let mut octets = vec![0; usize::from(stream.read_u16().await.map_err(of_io)?)];
        stream.read_exact(&mut octets).await.map_err(of_io)?;
        let response = decoded(&octets)?;
        if !answers(&response, query) {
            return Err(Failure::Answer("the response is to another query".to_owned()));
        }
        Ok(response)
    }

    fn judge(&self, response: &Message) -> Result<(), Failure> {
        let rcode = u16::from(response.metadata.response_code);
        if rcode != self.probe.rcode.0 {
            return Err(Failure::Answer(format!("{}, want {}", super::Rcode(rcode), self.probe.rcode)));
        }
        let of_type = response.answers.iter().filter(|record| record.record_type() == self.query.query_type());
        let found: Vec<String> = of_type.map(|record| plain(&record.data.to_string())).collect();
        match self.probe.answer.iter().find(|wanted| !found.contains(&plain(wanted))) {
            None => Ok(()),
            Some(wanted) if found.is_empty() => {
                Err(Failure::Answer(format!("no {} in the answer, want {wanted}", self.probe.record_type)))
            }
            Some(wanted) => Err(Failure::Answer(format!("answers {}, want {wanted}", shown(&found.join(", "))))),
        }
    }
}

/// Record data as it is compared: names in lower case, with or without their final dot, and texts without quotes.
fn plain(text: &str) -> String {
    text.trim_matches('"').trim_end_matches('.').to_ascii_lowercase()
}

fn decoded(octets: &[u8]) -> Result<Message, Failure> {
    Message::from_vec(octets).map_err(|error| Failure::Answer(format!("no DNS message: {}", shown(&error.to_string()))))
}

/// Whether `response` is one to `query`: ID, direction and question.
fn answers(response: &Message, query: &Message) -> bool {
    // An error may come without the question, FORMERR above all (RFC 1035 §4.1.1).
    let question = response.queries.is_empty() && u16::from(response.metadata.response_code) != 0
        || response.queries == query.queries;
    response.metadata.id == query.metadata.id && response.metadata.message_type == MessageType::Response && question
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::ResponseCode;
    use hickory_proto::rr::{RData, Record};
    use tokio::net::TcpListener;

    use super::super::Rcode;
    use super::*;

    fn probe(port: u16, answer: &[&str]) -> DnsProbe {
        DnsProbe {
            port,
            name: "www.example.org.".to_owned(),
            record_type: "A".to_owned(),
            rcode: Rcode(0),
            answer: answer.iter().map(|&datum| datum.to_owned()).collect(),
            transport: DnsTransport::Udp,
            recursion: false,
        }
    }

    /// The response to `request` with `addresses`.
    fn response(request: &[u8], addresses: &[[u8; 4]]) -> Message {
        let query = Message::from_vec(request).expect("a query");
        assert!(!query.metadata.recursion_desired);
        let mut response = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
        response.queries.clone_from(&query.queries);
        for &address in addresses {
            let data = RData::A(Ipv4Addr::from(address).into());
            response.add_answer(Record::from_rdata(query.queries[0].name().clone(), 60, data));
        }
        response
    }

    /// A server that sends back what `reply` makes of the query, over UDP, and `over_tcp` over TCP.
    async fn check(answer: &[&str], reply: fn(&[u8]) -> Vec<Message>, expected: Result<(), &str>) {
        let (listener, socket) = loop {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            let port = listener.local_addr().expect("bound").port();
            if let Ok(socket) = UdpSocket::bind(("127.0.0.1", port)).await {
                break (listener, socket);
            }
        };
        let endpoint = listener.local_addr().expect("bound");
        let serve = async {
            let mut request = [0; 512];
            let (octets, client) = socket.recv_from(&mut request).await.expect("a query");
            for message in reply(&request[..octets]) {
                socket.send_to(&message.to_vec().expect("encodes"), client).await.expect("sent");
            }
            let (mut stream, _) = listener.accept().await.expect("the query again");
            let mut request = vec![0; usize::from(stream.read_u16().await.expect("its length"))];
            stream.read_exact(&mut request).await.expect("whole");
            let whole = response(&request, &[[192, 0, 2, 9]]).to_vec().expect("encodes");
            stream.write_u16(whole.len().try_into().expect("short")).await.expect("open");
            stream.write_all(&whole).await.expect("open");
            std::future::pending().await
        };
        let asker = Asker::new(&probe(endpoint.port(), answer)).expect("a query");
        let found = tokio::select! {
            found = asker.ask(endpoint.ip()) => found,
            () = serve => Ok(()),
        };
        assert_eq!(found.map_err(|failure| failure.to_string()), expected.map_err(str::to_owned), "{answer:?}");
    }

    #[tokio::test]
    async fn the_response_must_be_the_one_that_is_wanted() {
        let two = |query: &[u8]| vec![response(query, &[[192, 0, 2, 1], [192, 0, 2, 2]])];
        check(&[], two, Ok(())).await;
        check(&["192.0.2.2", "192.0.2.1"], two, Ok(())).await;
        check(&["192.0.2.2", "192.0.2.3"], two, Err("answers 192.0.2.1, 192.0.2.2, want 192.0.2.3")).await;
        check(&[], |query| vec![response(query, &[])], Ok(())).await;
        check(&["192.0.2.1"], |query| vec![response(query, &[])], Err("no A in the answer, want 192.0.2.1")).await;
        let servfail = |query: &[u8]| {
            let mut response = response(query, &[]);
            response.metadata.response_code = ResponseCode::ServFail;
            vec![response]
        };
        check(&[], servfail, Err("SERVFAIL, want NOERROR")).await;
    }

    #[tokio::test]
    async fn only_the_response_to_this_query_is_taken() {
        let others = |query: &[u8]| {
            let right = response(query, &[[192, 0, 2, 1]]);
            let wrong = response(query, &[[192, 0, 2, 66]]);
            let (mut id, mut question, mut direction) = (wrong.clone(), wrong.clone(), wrong);
            id.metadata.id ^= 1;
            question.queries[0].set_query_type(RecordType::AAAA);
            direction.metadata.message_type = MessageType::Query;
            vec![id, question, direction, right]
        };
        check(&["192.0.2.1"], others, Ok(())).await;
    }

    #[tokio::test]
    async fn what_is_truncated_is_asked_for_over_tcp() {
        let cut = |query: &[u8]| {
            let mut response = response(query, &[]);
            response.metadata.truncation = true;
            vec![response]
        };
        check(&["192.0.2.9"], cut, Ok(())).await;
    }
}
