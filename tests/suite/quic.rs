//! DNS over QUIC and over HTTP/3, by clients of the same libraries: no Debian package speaks HTTP/3.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellwether::transport::limits::Limits;
use bellwether::transport::tally::Event;
use bytes::{Buf as _, Bytes};
use hickory_proto::op::Message;
use http::{Request, Response};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, TransportConfig, VarInt};
use tokio::time::timeout;

use crate::answers::request;
use crate::doors::{HTTPS, House, TLS, patient};
use crate::support::PATIENCE;

/// A connection that speaks `protocol`, and its endpoint, which must live as long.
async fn connect(house: &House, port: u16, protocol: &str) -> Result<(Endpoint, Connection), ConnectionError> {
    connect_granting(house, port, protocol, TransportConfig::default()).await
}

/// As [`connect`], with what `transport` grants to the server.
async fn connect_granting(
    house: &House,
    port: u16,
    protocol: &str,
    transport: TransportConfig,
) -> Result<(Endpoint, Connection), ConnectionError> {
    let mut tls = house.trusted();
    tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let crypto = QuicClientConfig::try_from(tls).expect("TLS 1.3");
    let endpoint = Endpoint::client(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).expect("a socket");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    let connecting = endpoint.connect_with(config, house.at(port), "ns1.example.com");
    let connection = timeout(PATIENCE, connecting.expect("a connection")).await.expect("a handshake")?;
    Ok((endpoint, connection))
}

/// What comes back on a stream of its own to these octets.
async fn exchange(connection: &Connection, octets: &[u8]) -> Option<Vec<u8>> {
    let (mut send, mut receive) = connection.open_bi().await.ok()?;
    send.write_all(octets).await.ok()?;
    send.finish().ok()?;
    timeout(PATIENCE, receive.read_to_end(70_000)).await.expect("an end").ok()
}

fn framed(question: &str) -> Vec<u8> {
    let mut query = request(question);
    query[..2].fill(0);
    [&(query.len() as u16).to_be_bytes()[..], &query].concat()
}

fn message(octets: &[u8]) -> Message {
    let (length, message) = octets.split_first_chunk::<2>().expect("a length");
    assert_eq!(usize::from(u16::from_be_bytes(*length)), message.len());
    Message::from_vec(message).expect("a message")
}

async fn closed_with(connection: &Connection) -> Option<VarInt> {
    match timeout(PATIENCE, connection.closed()).await.expect("an end") {
        ConnectionError::ApplicationClosed(close) => Some(close.error_code),
        _ => None,
    }
}

#[tokio::test]
async fn queries_go_by_streams() {
    let house = House::open(patient());
    for port in [TLS, HTTPS] {
        let (_endpoint, connection) = connect(&house, port, "doq").await.expect("a connection");
        // All at once, and the large ones do not hold up the others.
        let questions = (0..40).map(|number| {
            let connection = connection.clone();
            let large = number % 4 == 0;
            tokio::spawn(async move {
                let question = if large { "large.example.com. TXT" } else { "www.example.com. A" };
                let answer = message(&exchange(&connection, &framed(question)).await.expect("an answer"));
                assert_eq!((answer.metadata.id, answer.answers.len()), (0, 1), "{question}");
            })
        });
        for question in questions.collect::<Vec<_>>() {
            question.await.expect("answered");
        }
    }
    // Somebody who speaks something else is not let in.
    assert!(connect(&house, TLS, "h3").await.is_err());
    house.leave().await;
}

#[tokio::test]
async fn what_is_no_query_ends_the_connection() {
    let house = House::open(patient());
    let good = framed("www.example.com. A");
    let with_id = [&good[..2], &[0, 1], &good[4..]].concat();
    let mut response = good.clone();
    response[4] |= 0x80;
    let twice = [&good[..], &good].concat();
    // The OPT record is the last, and its last two octets say how much follows: an option of code 11 without data.
    let mut kept = framed("www.example.com. A edns");
    let at = kept.len() - 2;
    kept[at..].copy_from_slice(&[0, 4]);
    kept.extend([0, 11, 0, 0]);
    kept[1] += 4;
    let cases = [&with_id[..], &response, &twice, &kept, &good[..20], &[], &[0], &vec![0; 66_000]];
    for bad in cases {
        let (_endpoint, connection) = connect(&house, TLS, "doq").await.expect("a connection");
        assert_eq!(exchange(&connection, bad).await, None, "{} octets", bad.len());
        // DOQ_PROTOCOL_ERROR (RFC 9250 §8.4).
        assert_eq!(closed_with(&connection).await, Some(VarInt::from_u32(2)), "{} octets", bad.len());
    }
    let (_endpoint, connection) = connect(&house, TLS, "doq").await.expect("a connection");
    let mut one_way = connection.open_uni().await.expect("a stream");
    one_way.write_all(&good).await.expect("sent");
    assert_eq!(closed_with(&connection).await, Some(VarInt::from_u32(2)), "a stream of one way");
    assert_eq!(house.tally.of(Event::Garbage), cases.len() as u64 + 1);
    house.leave().await;
}

#[tokio::test]
async fn quic_has_its_limits() {
    let limits = Limits { idle: Duration::from_millis(300), receive: Duration::from_secs(1), ..patient() };
    let house = House::open(Limits { queries_per_connection: 3, ..limits });
    let (_endpoint, idle) = connect(&house, TLS, "doq").await.expect("a connection");
    assert!(exchange(&idle, &framed("www.example.com. A")).await.is_some());
    assert_eq!(closed_with(&idle).await, Some(VarInt::from_u32(0)));
    assert_eq!(house.tally.of(Event::Idle), 1);
    let (_endpoint, busy) = connect(&house, TLS, "doq").await.expect("a connection");
    for _ in 0..3 {
        assert!(exchange(&busy, &framed("www.example.com. A")).await.is_some());
    }
    assert_eq!(closed_with(&busy).await, Some(VarInt::from_u32(0)));
    assert_eq!(house.tally.of(Event::QueriesSpent), 1);
    // A query that never ends.
    let (_endpoint, slow) = connect(&house, TLS, "doq").await.expect("a connection");
    let (mut send, mut receive) = slow.open_bi().await.expect("a stream");
    send.write_all(&[0, 40, 0]).await.expect("sent");
    assert!(timeout(PATIENCE, receive.read_to_end(70_000)).await.expect("an end").is_err());
    assert_eq!(house.tally.of(Event::SlowToSend), 1);
    house.leave().await;
}

/// What comes back to one HTTP/3 request.
async fn ask(house: &House, head: Request<()>, body: Bytes) -> (Response<()>, Vec<u8>) {
    let (_endpoint, connection) = connect(house, HTTPS, "h3").await.expect("a connection");
    let (mut driver, mut requests) = h3::client::new(h3_quinn::Connection::new(connection)).await.expect("HTTP/3");
    let driving = tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    let mut stream = requests.send_request(head).await.expect("sent");
    if !body.is_empty() {
        stream.send_data(body).await.expect("sent");
    }
    stream.finish().await.expect("sent");
    let response = timeout(PATIENCE, stream.recv_response()).await.expect("an answer").expect("a head");
    let mut octets = Vec::new();
    while let Some(mut part) = stream.recv_data().await.expect("a body") {
        octets.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    drop(requests);
    driving.abort();
    (response, octets)
}

#[tokio::test]
async fn https_goes_by_http_3() {
    let house = House::open(patient());
    let uri = |path: &str| format!("https://ns1.example.com{path}");
    let get = |path: &str| Request::get(uri(path)).body(()).expect("a request");
    let post = Request::post(uri("/dns-query")).header("content-type", "application/dns-message");
    let query = Bytes::from(request("www.example.com. A"));
    let by_post = ask(&house, post.body(()).expect("a request"), query).await;
    let by_get = ask(&house, get("/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"), Bytes::new()).await;
    for (response, octets) in [by_post, by_get] {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/dns-message");
        assert_eq!(response.headers()["cache-control"], "private, max-age=300");
        assert_eq!(Message::from_vec(&octets).expect("a message").answers.len(), 1);
    }
    assert_eq!(ask(&house, get("/"), Bytes::new()).await.0.status(), 404);
    assert_eq!(ask(&house, get("/dns-query?dns=AAAB"), Bytes::new()).await.0.status(), 400);
    house.leave().await;
}

#[tokio::test]
async fn who_grants_no_room_for_http_3_is_let_go() {
    // Long enough for a handshake, and for a PING to come in time, on a machine that is held up.
    let short = Duration::from_secs(2);
    let house = House::open(Limits { idle: short, receive: short, send: short, ..patient() });
    // As many streams and as many octets of each, from too few for the settings to too few for the end: each client
    // says that it is there, so that QUIC itself never ends it.
    let grants = [(0, 1_000), (1, 1_000), (3, 0)].into_iter().chain((4..64).step_by(3).map(|octets| (3, octets)));
    let mut clients = Vec::new();
    for (streams, octets) in grants {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_uni_streams(VarInt::from_u32(streams))
            .stream_receive_window(VarInt::from_u32(octets))
            .keep_alive_interval(Some(Duration::from_millis(50)));
        clients.push(connect_granting(&house, HTTPS, "h3", transport).await.expect("a connection"));
    }
    for (_endpoint, connection) in &clients {
        assert!(closed_with(connection).await.is_some(), "the server ends it");
    }
    assert!(house.tally.of(Event::SlowToSend) >= 3);
    house.leave().await;
}

/// What was taken is answered to the last octet, though the server ends the connection over it (RFC 9114 §5.2).
#[tokio::test]
async fn the_last_answers_by_http_3_arrive_whole() {
    let house = House::open(Limits { queries_per_connection: 1, ..patient() });
    let get = |name: &str, rtype: &str| {
        let query = URL_SAFE_NO_PAD.encode(request(&format!("{name}.example.com. {rtype}")));
        Request::get(format!("https://ns1.example.com/dns-query?dns={query}")).body(()).expect("a request")
    };
    for (name, rtype, least) in [("www", "A", 40), ("large", "TXT", 60_000)] {
        for _ in 0..10 {
            let (response, octets) = ask(&house, get(name, rtype), Bytes::new()).await;
            assert_eq!((response.status().as_u16(), octets.len() > least), (200, true), "{name}");
        }
    }
    house.leave().await;
}

/// When the doors close, clients have as many answers as were made.
#[tokio::test]
async fn what_is_under_way_by_http_3_is_answered_when_the_doors_close() {
    let mut house = House::open(patient());
    let (_endpoint, connection) = connect(&house, HTTPS, "h3").await.expect("a connection");
    let (mut driver, mut requests) = h3::client::new(h3_quinn::Connection::new(connection)).await.expect("HTTP/3");
    let driving = tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    let query = URL_SAFE_NO_PAD.encode(request("large.example.com. TXT"));
    let mut exchanges = Vec::new();
    for _ in 0..20 {
        let head = Request::get(format!("https://ns1.example.com/dns-query?dns={query}")).body(()).expect("a request");
        let mut stream = requests.send_request(head).await.expect("sent");
        exchanges.push(tokio::spawn(async move {
            stream.finish().await.ok()?;
            timeout(PATIENCE, stream.recv_response()).await.expect("an answer or an end").ok()?;
            let mut octets = 0;
            while let Some(part) = stream.recv_data().await.ok()? {
                octets += part.remaining();
            }
            (octets > 60_000).then_some(())
        }));
    }
    // Some of them are answered by now, and others have yet to be taken.
    timeout(PATIENCE, async {
        while house.answered() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("the first is made");
    let closed = tokio::task::spawn_blocking(move || {
        house.close();
        house
    });
    let mut whole = 0;
    for exchange in exchanges {
        whole += u64::from(exchange.await.expect("no panic").is_some());
    }
    let house = closed.await.expect("all left");
    assert_eq!((whole, house.tally.of(Event::SlowToRead)), (house.answered(), 0));
    drop(requests);
    driving.abort();
    house.leave().await;
}

/// As by HTTP/2: a client that takes nothing has two of the longest answers wait.
#[tokio::test]
async fn few_answers_wait_for_one_client_of_quic() {
    let house = House::open(patient());
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(10_000));
    let (_endpoint, connection) = connect_granting(&house, TLS, "doq", transport).await.expect("a connection");
    let (asked, mut streams) = (40, Vec::new());
    for _ in 0..asked {
        let (mut send, receive) = connection.open_bi().await.expect("a stream");
        send.write_all(&framed("large.example.com. TXT")).await.expect("sent");
        send.finish().expect("sent");
        streams.push(receive);
    }
    house.makes_two_answers_alone().await;
    // Who reads has them all.
    let reading = streams.into_iter().map(|mut stream| tokio::spawn(async move { stream.read_to_end(70_000).await }));
    for reading in reading.collect::<Vec<_>>() {
        let octets = timeout(PATIENCE, reading).await.expect("an end").expect("no panic").expect("an answer");
        assert_eq!(message(&octets).answers.len(), 1);
    }
    assert_eq!((house.answered(), house.tally.of(Event::SlowToRead)), (asked, 0));
    house.leave().await;
}
