//! The doors for connections: what they take, what they bound, and what they do to whom asks too much of them.
//!
//! In this process, over loopback, in real time: limits are set short, and no test fails because a machine is slow;
//! what a test waits for is an answer or the end of a connection, up to [`PATIENCE`].

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellwether::answer::{Counters, Worker};
use bellwether::geo::Network;
use bellwether::health::Board;
use bellwether::observe::Tap;
use bellwether::snapshot::Snapshot;
use bellwether::system::Clock;
use bellwether::transfer::{Grant, Grants};
use bellwether::transport::doors::{Behind, Carried, Doors, Sockets};
use bellwether::transport::limits::Limits;
use bellwether::transport::proxy::FrontEnds;
use bellwether::transport::secondaries::Secondaries;
use bellwether::transport::tally::{Event, Tally};
use bellwether::transport::tls::Certificates;
use bellwether::transport::{quic, stream, udp};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Record, RecordType};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::answers::request;
use crate::served::{Words, served};
use crate::support::{PATIENCE, address, await_some};

const HOST: &str = "ns1.example.com";

/// Doors that stand open, on an address of their own.
pub(crate) struct House {
    pub(crate) ip: Ipv4Addr,
    pub(crate) tally: Arc<Tally>,
    /// Of what connections asked.
    counters: Arc<Counters>,
    runtime: Runtime,
    doors: Option<Doors>,
    certificates: Arc<Certificates>,
    folder: TempDir,
    stop: Arc<AtomicBool>,
    udp: Option<JoinHandle<()>>,
}

/// Ports of the doors of a [`House`].
pub(crate) const PLAIN: u16 = 5300;
pub(crate) const TLS: u16 = 8853;
pub(crate) const HTTPS: u16 = 8443;

/// Limits that no well-behaved client of a test meets.
pub(crate) fn patient() -> Limits {
    Limits { idle: PATIENCE, receive: PATIENCE, send: PATIENCE, ..Limits::default() }
}

impl House {
    pub(crate) fn open(limits: Limits) -> Self {
        Self::open_behind(limits, &[])
    }

    /// With front ends in these networks.
    fn open_behind(limits: Limits, fronts: &[&str]) -> Self {
        Self::open_to(limits, fronts, Grants::default(), "")
    }

    /// With front ends, with secondaries, and with more records.
    pub(crate) fn open_to(limits: Limits, fronts: &[&str], grants: Grants, records: &str) -> Self {
        let text = format!("\"{}\" ", "x".repeat(249)).repeat(240);
        let words = Words {
            apex: "example.com",
            zone: &format!(
                "$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.1\nlarge TXT {text}\n{records}"
            ),
            pools: "near geo 192.0.2.10[198.51.100.0/24] 192.0.2.20[0.0.0.0/0] 192.0.2.60[2001:db8::/32]",
            names: "here near 1 5 30 serve-all",
        };
        let snapshot = Snapshot::new(1, vec![served(words, &Board::new())]);
        let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
        let (folder, ip, tally) = (tempfile::tempdir().expect("a folder"), address::own_ip(), Arc::default());
        write_pair(folder.path().into());
        let [certificate, key] = pair(&folder);
        let certificates = Arc::new(Certificates::read(&certificate, &key).expect("a sound pair"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let _guard = runtime.enter();
        let bind = |port| vec![stream::bind(SocketAddr::new(ip.into(), port)).expect("an address of its own")];
        let quic = |port| quic::bind(SocketAddr::new(ip.into(), port)).expect("an address of its own");
        let sockets = Sockets {
            plain: bind(PLAIN),
            tls: bind(TLS),
            https: bind(HTTPS),
            quic: vec![(quic(TLS), Carried::Dns), (quic(HTTPS), Carried::Both)],
        };
        let fronts = fronts.iter().map(|text| Network::parse(text).expect("a network")).collect();
        let (clock, fronts) = (Clock::new(), Arc::new(FrontEnds::new(fronts)));
        let secondaries = Arc::new(Secondaries::new(grants));
        let counters = Arc::<Counters>::default();
        let behind = Behind {
            snapshots: Arc::clone(&snapshots),
            workers: vec![(Worker::new(Arc::clone(&counters), 1), Tap::default())],
            clock,
            limits,
            fronts: Arc::clone(&fronts),
            secondaries: Arc::clone(&secondaries),
            tally: Arc::clone(&tally),
        };
        let mut doors = Doors::open(sockets, Some(&certificates), behind).expect("TLS can be set up");
        doors.open_quic().expect("QUIC can be set up");
        let socket = udp::bind(SocketAddr::new(ip.into(), PLAIN)).expect("an address of its own");
        let (stop, around) =
            (Arc::new(AtomicBool::new(false)), udp::Around { clock, fronts, secondaries, tally: Arc::clone(&tally) });
        let stopping = Arc::clone(&stop);
        let udp = thread::spawn(move || {
            let worker = (Worker::new(Arc::default(), 2), Tap::default());
            udp::serve(&socket, snapshots, worker, &around, (&stopping, &udp::Pulse::default()));
        });
        drop(_guard);
        Self { ip, tally, counters, runtime, doors: Some(doors), certificates, folder, stop, udp: Some(udp) }
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip.into(), port)
    }

    /// The certificate that a client trusts.
    pub(crate) fn trusted(&self) -> ClientConfig {
        trusting(&self.folder)
    }

    /// How many answers were made for connections.
    pub(crate) fn answered(&self) -> u64 {
        self.counters.answers().map(|(_, count)| count).sum()
    }

    /// Waits until two answers were made, and holds that no more come: that is how many may wait for one client.
    pub(crate) async fn makes_two_answers_alone(&self) {
        let made = async {
            while self.answered() < 2 {
                // Between two looks; what ends the wait is what was seen.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, made).await.expect("the first two are made");
        // Real time, for whoever makes more of them: too short a time makes this see less, never fail.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(self.answered(), 2);
    }

    /// Waits until `event` has come `times` times.
    fn await_event(&self, event: Event, times: u64) {
        await_some(&format!("{event:?} {times} times"), || (self.tally.of(event) >= times).then_some(()));
        assert_eq!(self.tally.of(event), times, "{event:?}");
    }

    /// Lets go of it from within another runtime, where it cannot be dropped.
    pub(crate) async fn leave(self) {
        tokio::task::spawn_blocking(move || drop(self)).await.expect("no panic");
    }

    pub(crate) fn close(&mut self) {
        let doors = self.doors.take().expect("open doors");
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, doors.close()).await }).expect("all left");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.udp.take().map(JoinHandle::join);
    }
}

fn pair(folder: &TempDir) -> [PathBuf; 2] {
    ["cert.pem", "key.pem"].map(|name| folder.path().join(name))
}

fn write_pair(folder: PathBuf) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
}

fn trusting(folder: &TempDir) -> ClientConfig {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&pair(folder)[0]).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A client's side of a connection, plain or encrypted.
trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time");
    stream
}

fn encrypt(
    stream: TcpStream,
    mut config: ClientConfig,
    protocols: &[&str],
) -> StreamOwned<ClientConnection, TcpStream> {
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(HOST).expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), stream)
}

/// DNS over TCP and DNS over TLS: what is framed alike. Each is connected when it is its turn.
fn both(house: &House) -> impl Iterator<Item = (&'static str, Box<dyn Wire>)> {
    ["TCP", "TLS"].into_iter().map(|name| {
        let wire: Box<dyn Wire> = match name {
            "TCP" => Box::new(connect(house.at(PLAIN))),
            _ => Box::new(encrypt(connect(house.at(TLS)), house.trusted(), &["dot"])),
        };
        (name, wire)
    })
}

fn framed(id: u16, question: &str) -> Vec<u8> {
    let mut query = request(question);
    query[..2].copy_from_slice(&id.to_be_bytes());
    [&(query.len() as u16).to_be_bytes()[..], &query].concat()
}

/// The next message; an error when the connection ends before it.
fn next(stream: &mut (impl Read + ?Sized)) -> io::Result<Message> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    Ok(Message::from_vec(&message).expect("a message"))
}

fn ids(stream: &mut (impl Read + ?Sized), count: usize) -> Vec<u16> {
    (0..count).map(|_| next(stream).expect("an answer").metadata.id).collect()
}

/// Whether the connection has ended: in order, by a reset, or inside TLS without a farewell.
fn has_ended(stream: &mut (impl Read + ?Sized)) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
    }
}

/// Another client, who asks one thing and is answered.
fn asks(house: &House) {
    let mut stream = connect(house.at(PLAIN));
    stream.write_all(&framed(9, "www.example.com. A")).expect("sent");
    assert_eq!(ids(&mut stream, 1), [9]);
}

/// Everybody on loopback may have the zone.
fn granted() -> Grants {
    let network = Network::parse("127.0.0.0/8").expect("a network");
    Grants { grants: [Grant { network, key: None }].into(), ..Grants::default() }
}

/// As many records of 250 octets.
fn records(count: usize) -> String {
    (0..count).map(|n| format!("r{n} TXT \"{n:>240}\"\n")).collect()
}

#[test]
fn a_zone_is_transferred_by_streams() {
    let house = House::open_to(patient(), &[], granted(), &records(2_000));
    for (name, mut stream) in both(&house) {
        stream.write_all(&framed(1, "www.example.com. A")).expect("sent");
        stream.write_all(&framed(2, "example.com. AXFR")).expect("sent");
        stream.write_all(&framed(3, "www.example.com. A")).expect("sent");
        assert_eq!(ids(&mut *stream, 1), [1], "{name}");
        let (mut taken, mut messages) = (Vec::new(), 0);
        while taken.iter().filter(|&&rtype| rtype == RecordType::SOA).count() < 2 {
            let message = next(&mut *stream).expect("a part of the zone");
            assert_eq!(message.metadata.id, 2, "{name}");
            taken.extend(message.answers.iter().map(Record::record_type));
            messages += 1;
        }
        // SOA, NS, ns, www, large, what was added, SOA.
        assert_eq!(taken.len(), 5 + 2_000 + 1, "{name}");
        assert!(messages > 5, "{name}: {messages}");
        assert_eq!(ids(&mut *stream, 1), [3], "{name}: the connection goes on");
    }
    house.await_event(Event::Transferred, 2);
    let mut stream = connect(house.at(PLAIN));
    stream.write_all(&framed(4, "example.net. AXFR")).expect("sent");
    assert_eq!(next(&mut stream).expect("an answer").metadata.response_code, ResponseCode::NotAuth);
    house.await_event(Event::TransferRefused, 1);
}

#[test]
fn a_slow_secondary_is_let_go_and_nobody_waits_for_it() {
    let limits = Limits { send: Duration::from_millis(500), ..patient() };
    let house = House::open_to(limits, &[], granted(), &records(40_000));
    let mut slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_recv_buffer_size(4_096).expect("a size");
            socket.connect_timeout(&house.at(PLAIN).into(), PATIENCE).expect("a connection");
            let mut stream = TcpStream::from(socket);
            stream.write_all(&framed(1, "example.com. AXFR")).expect("sent");
            stream
        })
        .collect();
    asks(&house);
    // Those without a place wait for one as long as the others are let go, or are told to come again.
    await_some("all to be let go", || {
        let gone = house.tally.of(Event::TransferBroken) + house.tally.of(Event::TransferPutOff);
        (gone == 20).then_some(())
    });
    assert!(house.tally.of(Event::SlowToRead) >= 16, "{}", house.tally.of(Event::SlowToRead));
    assert_eq!(house.tally.of(Event::Transferred), 0);
    slow.clear();
    asks(&house);
}

#[test]
fn queries_may_be_pipelined_and_cut_anywhere() {
    let house = House::open(patient());
    let queries: Vec<u8> = (0..300).flat_map(|id| framed(id, "www.example.com. A")).collect();
    let expected: Vec<u16> = (0..300).collect();
    for step in [queries.len(), 7, 1] {
        for (name, mut stream) in both(&house) {
            if name == "TLS" && step == 1 {
                // A record of TLS for each octet shows nothing more.
                continue;
            }
            for part in queries.chunks(step) {
                stream.write_all(part).expect("sent");
            }
            assert_eq!(ids(&mut *stream, 300), expected, "{name} by {step}");
        }
    }
}

#[test]
fn large_answers_come_whole() {
    let house = House::open(patient());
    for (name, mut stream) in both(&house) {
        for id in 0..20 {
            stream.write_all(&framed(id, "large.example.com. TXT")).expect("sent");
        }
        for id in 0..20 {
            let answer = next(&mut *stream).expect("an answer");
            assert_eq!(
                (answer.metadata.id, answer.answers.len(), answer.metadata.truncation),
                (id, 1, false),
                "{name}"
            );
        }
    }
}

#[test]
fn a_half_closed_connection_gets_its_answers() {
    let house = House::open(patient());
    let mut stream = connect(house.at(PLAIN));
    let queries: Vec<u8> = (0..50).flat_map(|id| framed(id, "www.example.com. A")).collect();
    // And the beginning of one more, which nobody will end.
    stream.write_all(&[&queries[..], &[0, 40, 1]].concat()).expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    assert_eq!(ids(&mut stream, 50), (0..50).collect::<Vec<_>>());
    assert!(has_ended(&mut stream));
}

#[test]
fn who_is_idle_is_let_go() {
    let house = House::open(Limits { idle: Duration::from_millis(300), ..patient() });
    for (name, mut stream) in both(&house) {
        stream.write_all(&framed(1, "www.example.com. A")).expect("sent");
        assert_eq!(ids(&mut *stream, 1), [1], "{name}");
        assert!(has_ended(&mut *stream), "{name}");
    }
    let mut silent = connect(house.at(PLAIN));
    assert!(has_ended(&mut silent));
    house.await_event(Event::Idle, 3);
}

#[test]
fn who_sends_too_slowly_is_let_go() {
    let house = House::open(Limits { receive: Duration::from_secs(1), ..patient() });
    for (name, mut stream) in both(&house) {
        // One answer first: what came before does not buy time.
        stream.write_all(&[&framed(1, "www.example.com. A")[..], &[0, 40, 0, 1, 0]].concat()).expect("sent");
        assert_eq!(ids(&mut *stream, 1), [1], "{name}");
        asks(&house);
        assert!(has_ended(&mut *stream), "{name}");
    }
    house.await_event(Event::SlowToSend, 2);
    // A handshake that never comes to an end.
    let mut stream = connect(house.at(TLS));
    stream.write_all(&[22, 3, 1]).expect("sent");
    assert!(has_ended(&mut stream));
    house.await_event(Event::SlowToSend, 3);
    assert_eq!(house.tally.of(Event::Idle), 0);
}

/// A client that asks for large answers and never takes one is not read from either, and is let go.
#[test]
fn who_never_reads_holds_little() {
    let house = House::open(Limits { send: Duration::from_millis(500), ..patient() });
    let mut stream = connect(house.at(PLAIN));
    let query = framed(1, "large.example.com. TXT");
    let mut sent = 0_usize;
    // Until the connection is reset; each of these asks for 60 KB.
    while stream.write_all(&query).is_ok() {
        sent += 1;
        assert!(sent < 200_000, "the server reads on and on");
    }
    asks(&house);
    house.await_event(Event::SlowToRead, 1);
}

/// By HTTPS as well, and the system forgets what waits for it, rather than send that for minutes more.
#[test]
fn who_never_reads_by_https_is_reset() {
    // Idle for long enough that the requests are there before, on a machine that is held up.
    let limits = Limits { idle: Duration::from_secs(3), send: Duration::from_millis(500), ..patient() };
    let house = House::open(limits);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a size");
    socket.connect_timeout(&house.at(HTTPS).into(), PATIENCE).expect("a connection");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    let mut stream = encrypt(stream, house.trusted(), &["http/1.1"]);
    let query = request("large.example.com. TXT");
    let head = format!(
        "POST /dns-query HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/dns-message\r\ncontent-length: {}\r\n\r\n",
        query.len()
    );
    // 60 KB each: more than both systems hold.
    let asked = [head.as_bytes(), &query].concat().repeat(40);
    stream.write_all(&asked).expect("sent");
    house.await_event(Event::SlowToRead, 1);
    let rest = io::copy(stream.get_mut(), &mut io::sink());
    assert_eq!(rest.expect_err("no end in order").kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn garbage_ends_a_connection_after_the_answers_before_it() {
    let house = House::open(patient());
    let response = {
        let mut octets = framed(1, "www.example.com. A");
        octets[4] |= 0x80;
        octets
    };
    for (number, garbage) in [&[0, 0][..], &[0, 3, 1, 2, 3], &response].into_iter().enumerate() {
        for (name, mut stream) in both(&house) {
            let queries = [&framed(7, "www.example.com. A")[..], garbage, &framed(8, "www.example.com. A")].concat();
            stream.write_all(&queries).expect("sent");
            assert_eq!(ids(&mut *stream, 1), [7], "{name} {garbage:?}");
            assert!(has_ended(&mut *stream), "{name} {garbage:?}");
        }
        house.await_event(Event::Garbage, 2 * (number as u64 + 1));
    }
    // A message that can be refused is: FORMERR, and the connection goes on.
    let mut stream = connect(house.at(PLAIN));
    let mut broken = framed(7, "www.example.com. A");
    broken[7] = 9;
    stream.write_all(&[broken, framed(8, "www.example.com. A")].concat()).expect("sent");
    assert_eq!(ids(&mut stream, 2), [7, 8]);
    let mut tls = connect(house.at(TLS));
    tls.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    while !has_ended(&mut tls) {}
    house.await_event(Event::Handshake, 1);
}

#[test]
fn a_connection_has_so_many_queries() {
    let house = House::open(Limits { queries_per_connection: 5, ..patient() });
    let queries: Vec<u8> = (0..500).flat_map(|id| framed(id, "www.example.com. A")).collect();
    for (name, mut stream) in both(&house) {
        stream.write_all(&queries).expect("sent");
        assert_eq!(ids(&mut *stream, 5), [0, 1, 2, 3, 4], "{name}");
        assert!(has_ended(&mut *stream), "{name}");
    }
    house.await_event(Event::QueriesSpent, 2);
}

#[test]
fn a_client_has_so_many_connections() {
    let house = House::open(Limits { connections_per_client: 3, ..patient() });
    let mut held: Vec<_> = (0..3).map(|_| connect(house.at(PLAIN))).collect();
    for stream in &mut held {
        stream.write_all(&framed(1, "www.example.com. A")).expect("sent");
        assert_eq!(ids(stream, 1), [1]);
    }
    for port in [PLAIN, TLS] {
        assert!(has_ended(&mut connect(house.at(port))));
    }
    house.await_event(Event::RefusedClient, 2);
    drop(held.pop());
    await_some("a place", || {
        let mut stream = connect(house.at(PLAIN));
        stream.write_all(&framed(2, "www.example.com. A")).ok()?;
        next(&mut stream).ok()
    });
}

#[test]
fn who_finds_no_place_is_refused_once() {
    // Whoever owes a header waits for it elsewhere than at the gate, so that nobody can be told to make room: there is
    // one place, and 64 more for those who come while others leave.
    let house = House::open_behind(Limits { connections: 1, ..patient() }, &["127.0.0.0/8"]);
    let _held: Vec<_> = (0..65).map(|_| connect(house.at(PLAIN))).collect();
    for _ in 0..10 {
        assert!(has_ended(&mut connect(house.at(PLAIN))));
    }
    assert_eq!((house.tally.of(Event::Accepted), house.tally.of(Event::RefusedFull)), (65, 10));
}

/// Connections from as many networks as there are numbers, so that no client's own limit is met.
fn connect_from(number: u16, to: SocketAddr) -> TcpStream {
    let [high, low] = number.to_be_bytes();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let source = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 64 + high, low, 1)), 0);
    socket.bind(&source.into()).expect("all of 127.0.0.0/8 is ours");
    socket.connect_timeout(&to.into(), PATIENCE).expect("a connection");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream
}

#[test]
fn a_flood_of_connections_pushes_itself_out() {
    let house = House::open(Limits { connections: 50, connections_per_client: 50, ..patient() });
    let out = |house: &House| house.tally.of(Event::MadeRoom) + house.tally.of(Event::RefusedFull);
    // Nothing is asked by any of them; all are held until the end.
    let flood: Vec<_> = (0..600)
        .map(|number| {
            let stream = connect_from(number, house.at(PLAIN));
            if number % 50 == 0 {
                // Who is told to go has a moment for it, and 64 places more are there meanwhile: a machine that is slower
                // than this flood must not turn away whoever asks.
                await_some("all but 50 to be told to go", || (out(&house) + 50 >= number as u64).then_some(()));
                asks(&house);
            }
            stream
        })
        .collect();
    await_some("all but 50 to be told to go", || (out(&house) >= 550).then_some(()));
    asks(&house);
    await_some("the first of the flood to be out", || has_ended(&mut &flood[0]).then_some(()));
    assert!(out(&house) >= 500, "only {} are out", out(&house));
}

#[test]
fn doors_close_when_everybody_has_been_answered() {
    let mut house = House::open(patient());
    let mut streams: Vec<_> = both(&house).collect();
    for (name, stream) in &mut streams {
        stream.write_all(&framed(1, "www.example.com. A")).expect("sent");
        assert_eq!(ids(&mut **stream, 1), [1], "{name}");
    }
    house.close();
    for (name, stream) in &mut streams {
        assert!(has_ended(&mut **stream), "{name}");
    }
    assert!(TcpStream::connect_timeout(&house.at(PLAIN), PATIENCE).is_err(), "nobody listens");
}

#[test]
fn a_certificate_is_swapped_under_running_connections() {
    let house = House::open(patient());
    let ask = |stream: &mut dyn Wire| -> io::Result<()> {
        stream.write_all(&framed(1, "www.example.com. A"))?;
        next(stream).map(|_| ())
    };
    let (before, mut old) = (house.trusted(), encrypt(connect(house.at(TLS)), house.trusted(), &[]));
    ask(&mut old).expect("an answer");
    // A faulty pair is refused, and everybody is served as before.
    let [certificate, key] = pair(&house.folder);
    let sound = std::fs::read(&key).expect("a key");
    std::fs::write(&key, "").expect("written");
    house.certificates.refresh().expect_err("there is no key");
    ask(&mut old).expect("an answer");
    ask(&mut encrypt(connect(house.at(TLS)), before.clone(), &[])).expect("an answer");
    std::fs::write(&key, sound).expect("written");
    assert_eq!(house.certificates.refresh(), Ok(false));
    write_pair(certificate.parent().expect("a folder").into());
    assert_eq!(house.certificates.refresh(), Ok(true));
    ask(&mut old).expect("the old connection goes on");
    ask(&mut encrypt(connect(house.at(TLS)), house.trusted(), &["dot"])).expect("an answer");
    let mut distrusting = before;
    distrusting.resumption = rustls::client::Resumption::disabled();
    ask(&mut encrypt(connect(house.at(TLS)), distrusting, &["dot"])).expect_err("another certificate");
    // Something else than DNS is not spoken here (RFC 7301 §3.2).
    ask(&mut encrypt(connect(house.at(TLS)), house.trusted(), &["h2"])).expect_err("no such protocol");
}

/// A PROXY header of `family` with these addresses and ports.
fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() as u16).to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, family], &length[..], rest].concat()
}

fn v4(family: u8, source: [u8; 4]) -> Vec<u8> {
    header(1, family, &[&source[..], &[127, 0, 0, 1, 0x30, 0x39, 0, 53]].concat())
}

fn v6(family: u8) -> Vec<u8> {
    let source = "2001:db8::7".parse::<std::net::Ipv6Addr>().expect("an address").octets();
    header(1, family, &[&source[..], &[0; 20]].concat())
}

#[test]
fn a_front_end_says_whose_query_it_is() {
    let house = House::open_behind(patient(), &["127.0.0.0/8"]);
    let question = "here.example.com. A";
    let check = |stream_header: &[u8], datagram_header: &[u8], expected: &str| {
        let address = |answer: &Message| answer.answers.first().map(|record| record.data.to_string());
        let mut plain = connect(house.at(PLAIN));
        plain.write_all(&[stream_header, &framed(1, question), &framed(2, question)].concat()).expect("sent");
        assert_eq!(address(&next(&mut plain).expect("an answer")).as_deref(), Some(expected));
        assert_eq!(address(&next(&mut plain).expect("an answer")).as_deref(), Some(expected));
        // Before TLS, in the clear.
        let mut clear = connect(house.at(TLS));
        clear.write_all(stream_header).expect("sent");
        let mut tls = encrypt(clear, house.trusted(), &["dot"]);
        tls.write_all(&framed(1, question)).expect("sent");
        assert_eq!(address(&next(&mut tls).expect("an answer")).as_deref(), Some(expected));
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        client.set_read_timeout(Some(PATIENCE)).expect("a time");
        client.send_to(&[datagram_header, &request(question)].concat(), house.at(PLAIN)).expect("sent");
        let mut octets = [0; 1500];
        let length = client.recv(&mut octets).expect("an answer");
        assert_eq!(address(&Message::from_vec(&octets[..length]).expect("a message")).as_deref(), Some(expected));
    };
    check(&v4(0x11, [198, 51, 100, 7]), &v4(0x12, [198, 51, 100, 7]), "192.0.2.10");
    check(&v4(0x11, [203, 0, 113, 7]), &v4(0x12, [203, 0, 113, 7]), "192.0.2.20");
    check(&v6(0x21), &v6(0x22), "192.0.2.60");
    let with_values = |family| {
        let rest = [&[198, 51, 100, 7, 127, 0, 0, 1, 0, 1, 0, 53][..], &[0x20, 0, 3, 1, 2, 3]].concat();
        header(1, family, &rest)
    };
    check(&with_values(0x11), &with_values(0x12), "192.0.2.10");
    // The front end's own: it is the client.
    check(&header(0, 0, &[]), &header(0, 0, &[]), "192.0.2.20");
    assert_eq!(house.tally.of(Event::ProxyMalformed), 0);
}

#[test]
fn a_front_end_without_a_header_is_not_answered() {
    let house = House::open_behind(patient(), &["127.0.0.0/8"]);
    let query = framed(1, "here.example.com. A");
    let bad = [Vec::new(), header(2, 0x11, &[0; 12]), header(1, 0x11, &[0; 4]), header(1, 0x11, &[0; 1009])];
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    for (number, bad) in bad.iter().enumerate() {
        let mut stream = connect(house.at(PLAIN));
        stream.write_all(&[&bad[..], &query].concat()).expect("sent");
        assert!(has_ended(&mut stream), "{bad:?}");
        client.send_to(&[&bad[..], &query[2..]].concat(), house.at(PLAIN)).expect("sent");
        await_some("both to be dropped", || {
            (house.tally.of(Event::ProxyMalformed) >= 2 * (number as u64 + 1)).then_some(())
        });
    }
    client.set_nonblocking(true).expect("a mode");
    assert!(client.recv(&mut [0; 1500]).is_err(), "nothing of that is answered");
    // One that is cut short, by the end of the stream and of the datagram.
    let cut = &v4(0x11, [198, 51, 100, 7])[..20];
    let mut stream = connect(house.at(PLAIN));
    stream.write_all(cut).expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    assert!(has_ended(&mut stream));
    client.send_to(cut, house.at(PLAIN)).expect("sent");
    house.await_event(Event::ProxyMalformed, 10);
}

#[test]
fn a_header_from_anybody_else_is_garbage() {
    let house = House::open_behind(patient(), &["192.0.2.0/24"]);
    let mut stream = connect(house.at(PLAIN));
    stream.write_all(&[v4(0x11, [198, 51, 100, 7]), framed(1, "here.example.com. A")].concat()).expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    // 0x0d0a is a length, and what follows is no query of that length.
    assert!(has_ended(&mut stream));
    asks(&house);
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    client.set_read_timeout(Some(PATIENCE)).expect("a time");
    for octets in
        [[v4(0x12, [198, 51, 100, 7]), request("here.example.com. A")].concat(), request("www.example.com. A")]
    {
        client.send_to(&octets, house.at(PLAIN)).expect("sent");
    }
    let mut octets = [0; 1500];
    let answers: Vec<_> = (0..2)
        .map(|_| {
            let length = client.recv(&mut octets).expect("an answer");
            Message::from_vec(&octets[..length]).expect("a message")
        })
        .collect();
    // Read as a message it has an opcode that nobody knows; at any rate it gets no record.
    assert_eq!(answers.iter().map(|answer| answer.answers.len()).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn https_is_spoken_by_its_rules() {
    let house = House::open(patient());
    let query = request("www.example.com. A");
    let ask = |request_line: &str, media: &str, body: &[u8]| -> (String, Vec<u8>) {
        let mut stream = encrypt(connect(house.at(HTTPS)), house.trusted(), &["http/1.1"]);
        let head = format!(
            "{request_line} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\ncontent-type: {media}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        // The server may refuse before it has taken all.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        let mut octets = Vec::new();
        let _ = stream.read_to_end(&mut octets);
        let end = octets.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
        (String::from_utf8_lossy(&octets[..end]).to_lowercase(), octets[end + 4..].to_vec())
    };
    let check_answer = |(head, body): (String, Vec<u8>)| {
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: application/dns-message"), "{head}");
        assert!(head.contains("cache-control: private, max-age=300"), "{head}");
        assert_eq!(Message::from_vec(&body).expect("a message").answers.len(), 1);
    };
    let media = "application/dns-message";
    check_answer(ask("POST /dns-query", media, &query));
    // The very query of www.example.com. A.
    check_answer(ask("GET /dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB", media, &[]));
    let refused = |(head, _): (String, Vec<u8>), status: u16| {
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{status}: {head}");
    };
    refused(ask("GET /", media, &[]), 404);
    refused(ask("GET /dns-query", media, &[]), 400);
    refused(ask("GET /dns-query?dns=AAAB", media, &[]), 400);
    refused(ask("DELETE /dns-query", media, &[]), 405);
    refused(ask("POST /dns-query", "text/plain", &query), 415);
    refused(ask("POST /dns-query", media, &vec![0; 70_000]), 413);
    refused(ask("POST /dns-query", media, &[1, 2, 3]), 400);
    house.await_event(Event::HttpRefused, 7);
}

/// Asks once over a connection that stays, in HTTP/1.1, and takes the answer.
fn asks_over(stream: &mut impl Wire) -> io::Result<()> {
    write!(stream, "GET /dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB HTTP/1.1\r\nhost: {HOST}\r\n\r\n")?;
    let (mut head, mut octet) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet)?;
        head.extend(octet);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    stream.read_exact(&mut vec![0; length.expect("a length")])
}

#[test]
fn who_has_just_asked_by_https_is_not_the_first_to_go() {
    let house = House::open(Limits { connections: 2, ..patient() });
    let mut streams = [(), ()].map(|()| {
        let mut stream = encrypt(connect(house.at(HTTPS)), house.trusted(), &["http/1.1"]);
        asks_over(&mut stream).expect("an answer");
        stream
    });
    let [older, younger] = &mut streams;
    asks_over(older).expect("an answer");
    let _third = connect(house.at(PLAIN));
    assert!(has_ended(younger), "it has asked nothing for longer");
    asks_over(older).expect("an answer");
    assert_eq!(house.tally.of(Event::MadeRoom), 1);
}

#[test]
fn a_connection_by_https_has_so_many_queries() {
    // Found at once, long before anybody is idle.
    let idle = Duration::from_secs(3_600);
    let house = House::open(Limits { queries_per_connection: 3, idle, ..patient() });
    let mut stream = encrypt(connect(house.at(HTTPS)), house.trusted(), &["http/1.1"]);
    for _ in 0..3 {
        asks_over(&mut stream).expect("an answer");
    }
    house.await_event(Event::QueriesSpent, 1);
    assert!(has_ended(&mut stream));
}

/// A client that takes no answers has two of the longest wait, however much it asks; once it takes them it gets all.
#[tokio::test]
async fn few_answers_wait_for_one_client_of_http_2() {
    let house = House::open(patient());
    let mut tls = house.trusted();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(house.at(HTTPS)).await.expect("a connection");
    let name = ServerName::try_from(HOST).expect("a name");
    let stream = tokio_rustls::TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect("TLS");
    // No stream may send anything but its head.
    let shut = h2::client::Builder::new().initial_window_size(0).handshake::<_, bytes::Bytes>(stream);
    let (requests, mut connection) = shut.await.expect("HTTP/2");
    let mut requests = requests.ready().await.expect("room");
    let query = URL_SAFE_NO_PAD.encode(request("large.example.com. TXT"));
    let asked = 60;
    let responses: Vec<_> = (0..asked)
        .map(|_| {
            let uri = format!("https://{HOST}/dns-query?dns={query}");
            let head = http::Request::get(uri).body(()).expect("a request");
            requests.send_request(head, true).expect("sent").0
        })
        .collect();
    let mut ping = connection.ping_pong().expect("the first");
    let (open, mut opened) = tokio::sync::oneshot::channel::<()>();
    let driving = tokio::spawn(async move {
        tokio::select! {
            _ = &mut connection => return,
            _ = &mut opened => {}
        }
        connection.set_initial_window_size(65_535).expect("a size");
        let _ = connection.await;
    });
    // Its answer comes behind all that was asked before.
    for _ in 0..2 {
        tokio::time::timeout(PATIENCE, ping.ping(h2::Ping::opaque())).await.expect("an answer").expect("a connection");
    }
    house.makes_two_answers_alone().await;
    open.send(()).expect("it is driven");
    // All at once: they come in any order, and what is not read keeps back what is.
    let taken = responses.into_iter().map(|response| {
        tokio::spawn(async move {
            let response = response.await.expect("a head");
            assert_eq!(response.status(), 200);
            let (mut body, mut octets) = (response.into_body(), Vec::new());
            while let Some(part) = body.data().await {
                let part = part.expect("a part");
                body.flow_control().release_capacity(part.len()).expect("what was taken");
                octets.extend_from_slice(&part);
            }
            assert_eq!(Message::from_vec(&octets).expect("a message").answers.len(), 1);
        })
    });
    for taken in taken.collect::<Vec<_>>() {
        tokio::time::timeout(PATIENCE, taken).await.expect("an answer").expect("a whole one");
    }
    assert_eq!((house.answered(), house.tally.of(Event::SlowToRead)), (asked, 0));
    driving.abort();
    house.leave().await;
}
