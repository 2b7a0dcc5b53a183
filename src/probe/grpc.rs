//! A gRPC probe: `grpc.health.v1.Health/Check` (github.com/grpc/grpc/blob/master/doc/health-checking.md) over HTTP/2,
//! as gRPC over HTTP2 has it (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
//!
//! Its two messages have one field each, so that they are read and written here, by protobuf's encoding
//! (protobuf.dev/programming-guides/encoding): a gRPC library would bring a client, a pool and a code generator.

use std::net::{IpAddr, SocketAddr};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Bytes;

use super::connection::{Secure, connect, hasten, peer_certificate_ends, protocol, server_name};
use super::exchange::{Body, Protocol, exchange};
use super::http::{AGENT, authority};
use super::{Answered, Failure, Tls, TlsCheck};

/// The health of a service, as its server says it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrpcProbe {
    /// The port to connect to.
    pub port: u16,
    /// Whose health is asked for; the empty name is the server's as a whole. [`SERVICE_OCTETS_MAX`] at most.
    pub service: String,
    /// What the endpoint is called, and over TLS the name of the certificate. Without one, its own address.
    pub host: Option<String>,
    /// TLS, or none.
    pub tls: Option<TlsCheck>,
}

/// Octets of a service's name: two of a length that a varint of two octets still holds.
pub const SERVICE_OCTETS_MAX: usize = 1_024;

/// Octets of the answer's message with its prefix. A serving status takes 7; the rest is room for fields to come.
const MESSAGE_OCTETS_MAX: usize = 4_096;

const PATH: &str = "/grpc.health.v1.Health/Check";

/// One endpoint, ready to be asked.
#[derive(Debug)]
pub(super) struct Asker {
    endpoint: SocketAddr,
    authority: Authority,
    /// The message that asks, with its prefix.
    question: Bytes,
    secure: Option<Secure>,
}

impl Asker {
    pub(super) fn new(address: IpAddr, probe: &GrpcProbe, tls: &Tls) -> Result<Self, Failure> {
        let authority = called(address, probe)?;
        let secure = |check| Secure::new(tls, check, address, probe.host.as_deref(), &[Protocol::Http2.alpn()]);
        Ok(Self {
            endpoint: SocketAddr::new(address, probe.port),
            authority,
            question: question(&probe.service),
            secure: probe.tls.as_ref().map(secure).transpose()?,
        })
    }

    /// Asks once, without a limit of time.
    ///
    /// # Errors
    /// The endpoint does not say that it serves.
    pub(super) async fn ask(&self) -> Result<Answered, Failure> {
        let stream = connect(self.endpoint).await?;
        let question = Some(self.question.clone());
        let Some(secure) = &self.secure else {
            hasten(&stream);
            exchange(stream, Protocol::Http2, self.request(Scheme::HTTP), question, judge).await?;
            return Ok(Answered::default());
        };
        let stream = secure.shake(stream).await?;
        let certificate_ends = peer_certificate_ends(&stream);
        if protocol(&stream) != Some(Protocol::Http2.alpn()) {
            return Err(Failure::no_http2());
        }
        exchange(stream, Protocol::Http2, self.request(Scheme::HTTPS), question, judge).await?;
        Ok(Answered { load: None, certificate_ends })
    }

    fn request(&self, scheme: Scheme) -> Request<()> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(scheme);
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(PathAndQuery::from_static(PATH));
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        // All three parts are there.
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        let fields = request.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        // Tells proxies that drop trailers from those that do not.
        fields.insert(TE, HeaderValue::from_static("trailers"));
        fields.insert(USER_AGENT, AGENT);
        request
    }
}

/// What keeps a request from being made to `address`, if anything does.
pub(super) fn fault(address: IpAddr, probe: &GrpcProbe) -> Option<Failure> {
    let named = |check| server_name(check, address, probe.host.as_deref()).err();
    called(address, probe).err().or_else(|| probe.tls.as_ref().and_then(named))
}

fn called(address: IpAddr, probe: &GrpcProbe) -> Result<Authority, Failure> {
    authority(address, probe.host.as_deref(), probe.port, if probe.tls.is_some() { 443 } else { 80 })
}

/// Judges the answer as a whole: its head, its message, its trailers.
async fn judge(response: Response<Body>) -> Result<(), Failure> {
    let (head, mut body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(Failure::Status { status: head.status.as_u16(), wanted: vec![200..=200] });
    }
    let is_grpc = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
    if !head.headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
        return Err(Failure::Grpc("the answer is not gRPC (its content type is another)".to_owned()));
    }
    // An answer without a message has its trailers in its head.
    if head.headers.contains_key(STATUS) {
        judge_status(&head.headers)?;
    }
    let mut message = Vec::new();
    while let Some(piece) = body.piece().await? {
        if message.len() + piece.len() > MESSAGE_OCTETS_MAX {
            return Err(Failure::Grpc(format!("the answer is longer than {MESSAGE_OCTETS_MAX} octets")));
        }
        message.extend_from_slice(&piece);
    }
    match body.trailers().await? {
        Some(trailers) => judge_status(&trailers)?,
        None if head.headers.contains_key(STATUS) => {}
        None => return Err(Failure::Grpc("the answer has no grpc-status".to_owned())),
    }
    match serving_status(&message) {
        Some(1) => Ok(()),
        Some(0) => Err(Failure::Grpc("it says UNKNOWN".to_owned())),
        Some(2) => Err(Failure::Grpc("it says NOT_SERVING".to_owned())),
        Some(3) => Err(Failure::Grpc("it says SERVICE_UNKNOWN: it has no such service".to_owned())),
        Some(other) => Err(Failure::Grpc(format!("it says {other}, which is no serving status"))),
        None => Err(Failure::Grpc("the answer is no HealthCheckResponse".to_owned())),
    }
}

const STATUS: &str = "grpc-status";

/// The names of status codes (github.com/grpc/grpc/blob/master/doc/statuscodes.md).
const STATUS_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn judge_status(fields: &HeaderMap) -> Result<(), Failure> {
    let said = fields.get(STATUS).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let code = said.parse().ok().filter(|_| said.bytes().all(|octet| octet.is_ascii_digit()));
    let name = match code.map(|code: usize| (code, STATUS_NAMES.get(code))) {
        Some((0, _)) => return Ok(()),
        // What the health service's specification has for a service that is not registered.
        Some((5, _)) => "NOT_FOUND: it has no such service",
        Some((12, _)) => "UNIMPLEMENTED: it has no grpc.health.v1.Health",
        Some((_, Some(name))) => name,
        _ => "which is no status code",
    };
    let message = fields.get("grpc-message").map(|message| String::from_utf8_lossy(message.as_bytes()));
    Err(Failure::grpc_status(said, name, message.as_deref()))
}

/// A length-prefixed message: HealthCheckRequest, whose field 1 is the service.
fn question(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(1 << 3 | LENGTH_DELIMITED as u8);
        let mut length = service.len();
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    // Not compressed, and this long.
    let mut octets = vec![0];
    octets.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    octets.extend_from_slice(&message);
    octets.into()
}

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

/// Field 1 of the one HealthCheckResponse that `octets` are, with its prefix; 0 where it is left out, as protobuf
/// has it. Other fields are passed over, and of two the last counts. `None` when it is none.
fn serving_status(octets: &[u8]) -> Option<u64> {
    let (prefix, mut rest) = octets.split_first_chunk::<5>()?;
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 || u32::from_be_bytes(length) as usize != rest.len() {
        return None;
    }
    let mut status = 0;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        match (key >> 3, key & 7) {
            (0, _) => return None,
            (1, VARINT) => status = varint(&mut rest)?,
            (_, VARINT) => drop(varint(&mut rest)?),
            (_, FIXED_64) => rest = rest.get(8..)?,
            (_, FIXED_32) => rest = rest.get(4..)?,
            (_, LENGTH_DELIMITED) => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            _ => return None,
        }
    }
    Some(status)
}

/// Seven bits an octet, the least first; at most ten octets.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&octet, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(octet & 0x7f) << shift;
        if octet < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use rustls::RootCertStore;

    use super::super::Trust;
    use super::super::endpoint::{Authority, Endpoint, Reply, loopback};
    use super::super::http2_endpoint::{Answer, End, Http2Endpoint};
    use super::*;

    /// As github.com/grpc/grpc/blob/master/doc/health-checking.md has them, encoded by prost.
    #[derive(Clone, PartialEq, Message)]
    struct HealthCheckRequest {
        #[prost(string, tag = "1")]
        service: String,
    }

    #[derive(Clone, PartialEq, Message)]
    struct HealthCheckResponse {
        #[prost(int32, tag = "1")]
        status: i32,
    }

    /// One of a version to come.
    #[derive(Clone, PartialEq, Message)]
    struct LongerResponse {
        #[prost(int32, tag = "1")]
        status: i32,
        #[prost(string, tag = "2")]
        text: String,
        #[prost(fixed64, tag = "3")]
        long: u64,
        #[prost(fixed32, tag = "4")]
        short: u32,
        #[prost(uint64, tag = "5")]
        number: u64,
    }

    fn framed(message: &impl Message) -> Vec<u8> {
        let mut octets = vec![0];
        octets.extend_from_slice(&u32::try_from(message.encoded_len()).expect("short").to_be_bytes());
        octets.extend_from_slice(&message.encode_to_vec());
        octets
    }

    /// An answer with this serving status, as a server of gRPC's gives it.
    fn says(status: i32) -> Answer {
        Answer {
            status: 200,
            headers: vec![("content-type", "application/grpc".to_owned())],
            body: framed(&HealthCheckResponse { status }),
            trailers: Some(vec![("grpc-status", "0".to_owned())]),
            end: End::Whole,
        }
    }

    async fn ask(endpoint: SocketAddr, probe: &GrpcProbe) -> Result<Answered, String> {
        let asker = Asker::new(endpoint.ip(), probe, &Tls::with_roots(RootCertStore::empty)).expect("sound");
        asker.ask().await.map_err(|failure| failure.to_string())
    }

    fn whole(endpoint: SocketAddr) -> GrpcProbe {
        GrpcProbe { port: endpoint.port(), service: String::new(), host: None, tls: None }
    }

    #[tokio::test]
    async fn only_serving_is_a_success() {
        let check = async |answer: Answer, expected: Result<(), &str>| {
            let endpoint = Http2Endpoint::plain(loopback(42), answer.clone()).await;
            let found = ask(endpoint.address, &whole(endpoint.address)).await.map(drop);
            let expected = expected.map_err(|reason| format!("gRPC health: {reason}"));
            assert_eq!(found, expected, "{answer:?}");
        };
        check(says(1), Ok(())).await;
        check(says(0), Err("it says UNKNOWN")).await;
        check(says(2), Err("it says NOT_SERVING")).await;
        check(says(3), Err("it says SERVICE_UNKNOWN: it has no such service")).await;
        check(says(7), Err("it says 7, which is no serving status")).await;

        // An error has no message, and its trailers may stand in its head.
        let status = |code: &str, message: &str| {
            let mut fields = vec![("grpc-status", code.to_owned())];
            fields.extend((!message.is_empty()).then(|| ("grpc-message", message.to_owned())));
            fields
        };
        let trailers = |code, message| Answer { body: Vec::new(), trailers: Some(status(code, message)), ..says(1) };
        let only_head = |code, message| {
            let headers = [says(1).headers, status(code, message)].concat();
            Answer { headers, body: Vec::new(), trailers: None, ..says(1) }
        };
        check(trailers("5", ""), Err("status 5 NOT_FOUND: it has no such service")).await;
        check(only_head("5", "unknown service"), Err("status 5 NOT_FOUND: it has no such service (unknown service)"))
            .await;
        check(only_head("12", ""), Err("status 12 UNIMPLEMENTED: it has no grpc.health.v1.Health")).await;
        check(only_head("14", "try later"), Err("status 14 UNAVAILABLE (try later)")).await;
        check(trailers("99", ""), Err("status 99 which is no status code")).await;
        check(trailers("", ""), Err("status  which is no status code")).await;
        check(Answer { trailers: Some(status("2", "")), ..says(1) }, Err("status 2 UNKNOWN")).await;
        check(only_head("0", ""), Err("the answer is no HealthCheckResponse")).await;
        check(Answer { trailers: None, ..says(1) }, Err("the answer has no grpc-status")).await;
        let html = vec![("content-type", "text/html".to_owned())];
        check(Answer { headers: html, ..says(1) }, Err("the answer is not gRPC (its content type is another)")).await;
        check(Answer { end: End::Endless, ..says(1) }, Err("the answer is longer than 4096 octets")).await;
    }

    #[tokio::test]
    async fn what_is_not_grpc_says_what_it_is() {
        let endpoint = Http2Endpoint::plain(loopback(43), Answer::new(404, "")).await;
        let found = ask(endpoint.address, &whole(endpoint.address)).await;
        assert_eq!(found, Err("status 404, want 200".to_owned()));
        let endpoint = Endpoint::plain(loopback(43), Reply::new("400 Bad Request", "")).await;
        let reason = ask(endpoint.address, &whole(endpoint.address)).await.expect_err("HTTP/1.1");
        assert!(reason.starts_with("HTTP/2: "), "{reason}");
    }

    #[tokio::test]
    async fn the_question_is_grpcs() {
        let authority = Authority::new("root.example.com");
        let server = authority.server("grpc.example.com");
        let endpoint = Http2Endpoint::tls(loopback(44), server, says(1)).await;
        let trust = Trust::Only(super::super::Authorities::read(&authority.pem()).expect("a root").into());
        let probe = GrpcProbe {
            service: "x".repeat(300),
            host: Some("grpc.example.com".to_owned()),
            tls: Some(TlsCheck { trust, ..TlsCheck::verified() }),
            ..whole(endpoint.address)
        };
        let answered = ask(endpoint.address, &probe).await.expect("it serves");
        assert!(answered.certificate_ends.is_some());
        let seen = &endpoint.seen()[0];
        let called = format!("https://grpc.example.com:{}/grpc.health.v1.Health/Check", endpoint.address.port());
        assert_eq!((seen.method(), seen.uri().to_string()), (&Method::POST, called));
        assert_eq!(
            (&seen.headers()["content-type"], &seen.headers()["te"]),
            (&"application/grpc".parse().expect("a value"), &"trailers".parse().expect("a value"))
        );
        let (prefix, message) = seen.body().split_at(5);
        assert_eq!(prefix, [0, 0, 0, 1, 47]);
        assert_eq!(HealthCheckRequest::decode(message).expect("a request").service, probe.service);
        let server = Http2Endpoint::plain(loopback(44), says(1)).await;
        ask(server.address, &whole(server.address)).await.expect("it serves");
        assert_eq!(server.seen()[0].body(), &[0; 5]);
    }

    #[test]
    fn answers_are_read_as_prost_writes_them() {
        let longer = LongerResponse { status: 1, text: "well".into(), long: u64::MAX, short: 9, number: u64::MAX };
        assert_eq!(serving_status(&framed(&longer)), Some(1));
        assert_eq!(serving_status(&framed(&LongerResponse { status: 0, ..longer })), Some(0));
        let check = |octets: &[u8]| assert_eq!(serving_status(octets), None, "{octets:?}");
        check(&[]);
        check(&[0, 0, 0, 0]);
        check(&[0, 0, 0, 0, 1]);
        check(&[1, 0, 0, 0, 2, 8, 1]);
        check(&[0, 0, 0, 0, 2, 8, 1, 8]);
        check(&[0, 0, 0, 0, 1, 8]);
        check(&[0, 0, 0, 0, 2, 0, 1]);
        check(&[0, 0, 0, 0, 2, 0x0b, 1]);
        check(&[0, 0, 0, 0, 3, 0x12, 2, 1]);
        check(&[0, 0, 0, 0, 11, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]);
    }

    proptest! {
        #[test]
        fn any_status_and_any_service_pass_through(status: i32, service in "[!-~]{0,1024}") {
            let read = serving_status(&framed(&HealthCheckResponse { status }));
            // Negative ones are written as if they had 64 bits.
            prop_assert_eq!(read, Some(i64::from(status).cast_unsigned()));
            prop_assert_eq!(question(&service).to_vec(), framed(&HealthCheckRequest { service }));
        }

        #[test]
        fn any_octets_are_read_or_refused(octets: Vec<u8>) {
            let mut framed = vec![0];
            framed.extend_from_slice(&u32::try_from(octets.len()).unwrap_or(0).to_be_bytes());
            framed.extend_from_slice(&octets);
            // prost knows the type of each field, and refuses the wrong one; otherwise both agree.
            if let Ok(response) = HealthCheckResponse::decode(&*octets) {
                let read = serving_status(&framed).map(|status| status as u32);
                prop_assert_eq!(read, Some(response.status.cast_unsigned()));
            }
            let _ = serving_status(&octets);
        }
    }
}
