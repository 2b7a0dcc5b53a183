//! `[tls]`, `[proxy]` and `[limits]` of the server file: the doors for connections.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::faults::Faults;
use super::rates::rates;
use super::table::{Item, Keys, Table};
use super::words::{networks, path, sockets};
use crate::answer::rate::RateLimits;
use crate::transport::limits::Limits;
use crate::transport::proxy::FrontEnds;

/// Encryption, front ends and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors {
    /// The encrypted doors, if there are any.
    pub encrypted: Option<Encrypted>,
    /// Whose PROXY headers are required and believed.
    pub fronts: FrontEnds,
    /// How much a client may take.
    pub limits: Limits,
    /// What is sent by UDP to those who may be somebody else.
    pub rates: RateLimits,
}

/// The encrypted doors: at least one address, none of which is a plain one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// The chain, in PEM. A relative path starts from the folder of the server file.
    pub certificate: PathBuf,
    /// Its key, in PEM; relative as that.
    pub key: PathBuf,
    /// Where DNS over TLS is spoken.
    pub dot: Vec<SocketAddr>,
    /// Where DNS over HTTPS is spoken: HTTP/2 and HTTP/1.1 over TCP, HTTP/3 over UDP.
    pub doh: Vec<SocketAddr>,
    /// Where DNS over QUIC is spoken.
    pub doq: Vec<SocketAddr>,
}

const TLS: Keys = Keys::only(&["certificate", "key", "dot", "doh", "doq"]);

const PROXY: Keys = Keys::only(&["from"]);

const LIMITS: Keys = Keys::only(&[
    "connections",
    "connections-per-client",
    "queries-per-connection",
    "streams-per-connection",
    "idle",
    "receive",
    "send",
    "responses-per-second",
    "slip",
    "unproven-octets",
    "rate-exempt",
]);

/// Networks of front ends, at the most. Each is compared with the source of every packet.
const FRONTS_MAX: usize = 256;

/// Reads the three tables of the server file. `listen` are the plain addresses, `folder` is where the file lies.
/// What is faulty is as if it were not there.
pub(super) fn doors(file: &Table<'_>, listen: &[SocketAddr], folder: &Path, faults: &mut Faults<'_>) -> Doors {
    let limits = file.get("limits").and_then(|item| limits(item, faults));
    let (limits, rates) = limits.unwrap_or_default();
    Doors {
        encrypted: file.get("tls").and_then(|item| encrypted(item, listen, folder, faults)),
        fronts: file.get("proxy").and_then(|item| fronts(item, faults)).unwrap_or_default(),
        limits,
        rates,
    }
}

fn encrypted(item: Item<'_>, listen: &[SocketAddr], folder: &Path, faults: &mut Faults<'_>) -> Option<Encrypted> {
    let example = r#"{ certificate = "fullchain.pem", key = "privkey.pem", dot = ["0.0.0.0:853"] }"#;
    let table = item.table("[tls]", &TLS, example, faults)?;
    let mut file = |key, example: &str, of| {
        let item = table.require(key, &format!("\"{example}\""), faults)?;
        path(item, example, of, faults).map(|file| folder.join(file))
    };
    let certificate = file("certificate", "fullchain.pem", "a certificate");
    let key = file("key", "privkey.pem", "a private key");
    if !["dot", "doh", "doq"].iter().any(|key| table.get(key).is_some()) {
        faults
            .error(table.span, "[tls] says nowhere to listen")
            .help("give `dot` (DNS over TLS), `doh` (over HTTPS) or `doq` (over QUIC) addresses");
        return None;
    }
    let mut door = |key, port, taken: &[(&str, &[SocketAddr])]| match table.get(key) {
        Some(item) => apart(item, port, taken, faults),
        None => Some(Vec::new()),
    };
    let plain = ("listen", listen);
    let dot = door("dot", 853, &[plain]);
    let doh = door("doh", 443, &[plain, ("dot", dot.as_deref().unwrap_or_default())]);
    // DNS over TLS is TCP, and HTTP/3 may share an address with DNS over QUIC.
    let doq = door("doq", 853, &[plain]);
    Some(Encrypted { certificate: certificate?, key: key?, dot: dot?, doh: doh?, doq: doq? })
}

/// Addresses none of which is in a list of `taken` ones.
fn apart(
    item: Item<'_>,
    port: u16,
    taken: &[(&str, &[SocketAddr])],
    faults: &mut Faults<'_>,
) -> Option<Vec<SocketAddr>> {
    let addresses = sockets(item, &format!(r#"["0.0.0.0:{port}", "[::]:{port}"]"#), port, faults)?;
    for (list, others) in taken {
        if let Some(both) = addresses.iter().find(|address| others.contains(address)) {
            faults
                .error(item.span, format!("{both} is in `{list}` too, and one port speaks one protocol"))
                .help(format!("the usual port of `{}` is {port}", item.key));
            return None;
        }
    }
    Some(addresses)
}

fn fronts(item: Item<'_>, faults: &mut Faults<'_>) -> Option<FrontEnds> {
    let table = item.table("[proxy]", &PROXY, r#"{ from = ["127.0.0.1/32"] }"#, faults)?;
    let item = table.require("from", r#"["127.0.0.1/32"]"#, faults)?;
    networks(item, 1..=FRONTS_MAX, faults).map(FrontEnds::new)
}

fn limits(item: Item<'_>, faults: &mut Faults<'_>) -> Option<(Limits, RateLimits)> {
    let table = item.table("[limits]", &LIMITS, r#"{ connections = 20000, idle = "10s" }"#, faults)?;
    let default = Limits::default();
    let wide = |range: RangeInclusive<usize>| *range.start() as i64..=*range.end() as i64;
    let mut count = |key, range, default: usize| match table.get(key) {
        Some(item) => item.integer(range, faults).and_then(|count: i64| usize::try_from(count).ok()),
        None => Some(default),
    };
    let connections = count("connections", wide(Limits::CONNECTIONS), default.connections);
    let per_client = count(
        "connections-per-client",
        wide(Limits::CONNECTIONS_PER_CLIENT),
        default.connections_per_client.min(connections.unwrap_or(usize::MAX)),
    );
    let queries = match table.get("queries-per-connection") {
        Some(item) => {
            let (least, most) = Limits::QUERIES_PER_CONNECTION.into_inner();
            item.integer(least as i64..=most as i64, faults).and_then(|count| u64::try_from(count).ok())
        }
        None => Some(default.queries_per_connection),
    };
    let streams = match table.get("streams-per-connection") {
        Some(item) => item.integer(Limits::STREAMS_PER_CONNECTION, faults),
        None => Some(default.streams_per_connection),
    };
    let mut time = |key, range, default| table.get(key).map_or(Some(default), |item| item.duration(range, faults));
    let idle = time("idle", Limits::IDLE, default.idle);
    let receive = time("receive", Limits::RECEIVE, default.receive);
    let send = time("send", Limits::SEND, default.send);
    let rates = rates(&table, faults);
    let limits = Limits {
        connections: connections?,
        connections_per_client: per_client?,
        queries_per_connection: queries?,
        streams_per_connection: streams?,
        idle: idle?,
        receive: receive?,
        send: send?,
    };
    Some((limits, rates?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::server_file::tests::{check_refused, read};
    use super::*;

    #[test]
    fn doors_are_read() {
        let (server, faults) = read(
            "[tls]\ncertificate = 'fullchain.pem'\nkey = '/keys/privkey.pem'\ndot = ['0.0.0.0:853']\n\
             doh = ['0.0.0.0:443', '[::]:443']\ndoq = ['0.0.0.0:853', '0.0.0.0:443']\n\
             [proxy]\nfrom = ['127.0.0.1/32', '2001:db8::/64']\n\
             [limits]\nconnections = 12\nqueries-per-connection = 3\nstreams-per-connection = 5\nidle = '2s'\n\
             receive = '500ms'\nsend = '1m'",
        );
        assert_eq!(faults, [""; 0]);
        let doors = server.expect("a server").doors;
        let at = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect::<Vec<_>>();
        assert_eq!(
            doors.encrypted,
            Some(Encrypted {
                certificate: "/etc/bellwether/fullchain.pem".into(),
                key: "/keys/privkey.pem".into(),
                dot: at(&["0.0.0.0:853"]),
                doh: at(&["0.0.0.0:443", "[::]:443"]),
                doq: at(&["0.0.0.0:853", "0.0.0.0:443"]),
            })
        );
        assert!(doors.fronts.include("2001:db8::9".parse().expect("an address")));
        assert_eq!(
            doors.limits,
            Limits {
                connections: 12,
                connections_per_client: 12,
                queries_per_connection: 3,
                streams_per_connection: 5,
                idle: Duration::from_secs(2),
                receive: Duration::from_millis(500),
                send: Duration::from_secs(60),
            }
        );
        let (server, _) = read("");
        assert_eq!(server.expect("a server").doors, Doors::default());
    }

    #[test]
    fn faults_are_listed() {
        let check = check_refused;
        check("[tls]\ncertificate = 'a'\nkey = 'b'", &["1:2 [tls] says nowhere to listen"]);
        check("[tls]\ndot = ['0.0.0.0:853']", &["1:2 `certificate`", "1:2 `key`"]);
        check("[tls]\ncertificat = 'a'\nkey = 'b'\ndot = ['0.0.0.0:853']", &["2:1 (did you mean `certificate`?)"]);
        let pair = "certificate = 'a'\nkey = 'b'";
        check(&format!("[tls]\n{pair}\ndot = ['0.0.0.0']"), &["4:8 (write \"0.0.0.0:853\")"]);
        check(&format!("[tls]\n{pair}\ndoh = []"), &["4:7 `doh` must list 1 to 1024"]);
        check(
            &format!("listen = ['0.0.0.0:53']\n[tls]\n{pair}\ndoq = ['0.0.0.0:53']"),
            &["5:7 0.0.0.0:53 is in `listen` too"],
        );
        check(
            &format!("[tls]\n{pair}\ndot = ['0.0.0.0:853']\ndoh = ['0.0.0.0:853']"),
            &["5:7 0.0.0.0:853 is in `dot` too"],
        );
        check("[proxy]\nfrom = ['127.0.0.1', '10.0.0.1/8']", &["2:9 has no prefix length", "2:22 has bits set"]);
        check("[proxy]\nfrom = []", &["2:8 `from` must list 1 to 256 networks, found 0"]);
        check("[proxy]", &["1:2 `from`"]);
        check("[limits]\nslips = 1", &["2:1 (did you mean `slip`?)"]);
        check(
            "[limits]\nconnections = 0\nidle = 10\nsend = '1ms'",
            &[
                "2:15 `connections` must be 1 to 1000000, found 0",
                "3:8 needs a unit",
                "4:8 `send` must be 100ms to 10m",
            ],
        );
    }
}
