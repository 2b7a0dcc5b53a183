//! A TCP probe: a connection that is accepted, and where that is asked for a line said and another heard; closed
//! again the ordinary way.
//!
//! Not reset (linger 0), though that would spare us TIME_WAIT: servers log a reset as a client's fault.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::failure::shown;
use super::{Failure, TcpProbe};

/// Octets of what an endpoint says that are read while `expect` is sought: enough for any greeting, and a bound
/// on what it can make us hold.
pub const EXPECT_OCTETS_MAX: usize = 4_096;

/// Connects to `address`, sends what is to be sent and reads until what is expected has come.
///
/// # Errors
/// The connection is not accepted, breaks off, ends without what is expected, or says too much before it.
pub(super) async fn ask(address: IpAddr, probe: &TcpProbe) -> Result<(), Failure> {
    let of_io = |error: std::io::Error| Failure::of_io(&error);
    let mut stream = TcpStream::connect((address, probe.port)).await.map_err(of_io)?;
    if !probe.send.is_empty() {
        stream.write_all(&probe.send).await.map_err(of_io)?;
    }
    if probe.expect.is_empty() {
        return Ok(());
    }
    let mut heard = Vec::new();
    let mut rest = stream.take(EXPECT_OCTETS_MAX as u64);
    loop {
        let before = heard.len();
        if rest.read_buf(&mut heard).await.map_err(of_io)? == 0 {
            return Err(unexpected(&probe.expect, &heard));
        }
        // What is sought may begin in what came before.
        let from = (before + 1).saturating_sub(probe.expect.len());
        if heard.get(from..).unwrap_or_default().windows(probe.expect.len()).any(|part| *part == *probe.expect) {
            return Ok(());
        }
    }
}

fn unexpected(expect: &[u8], heard: &[u8]) -> Failure {
    let expect = shown(&String::from_utf8_lossy(expect));
    let said = heard.split(|&octet| octet == b'\n').next().unwrap_or_default();
    let said = shown(String::from_utf8_lossy(said).trim_end());
    Failure::Answer(if heard.is_empty() {
        format!("closed without a word, want \"{expect}\"")
    } else if heard.len() >= EXPECT_OCTETS_MAX {
        format!("no \"{expect}\" within the first {EXPECT_OCTETS_MAX} octets, which begin with \"{said}\"")
    } else {
        format!("closed without \"{expect}\", said \"{said}\"")
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// An endpoint that says `greeting`, then `reply` once it has heard `wanted`, and closes.
    async fn check(greeting: &str, wanted: &str, reply: &str, expect: &str, expected: Result<(), &str>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let endpoint = listener.local_addr().expect("bound");
        let (greeting, wanted, reply) = (greeting.to_owned(), wanted.to_owned(), reply.to_owned());
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(greeting.as_bytes()).await.expect("open");
            let mut heard = vec![0; wanted.len()];
            stream.read_exact(&mut heard).await.expect("what is sent");
            assert_eq!(heard, wanted.as_bytes());
            // The probe may have heard enough and gone.
            let _ = stream.write_all(reply.as_bytes()).await;
        };
        let probe =
            TcpProbe { port: endpoint.port(), send: wanted.as_bytes().into(), expect: expect.as_bytes().into() };
        let (found, ()) = tokio::join!(ask(endpoint.ip(), &probe), serve);
        assert_eq!(found.map_err(|failure| failure.to_string()), expected.map_err(str::to_owned), "{expect}");
    }

    #[tokio::test]
    async fn what_is_expected_must_come() {
        check("", "PING\r\n", "+PONG\r\n", "+PONG", Ok(())).await;
        check("220 mail ESMTP\r\n", "", "", "220 ", Ok(())).await;
        check("one ", "x", "two", "one two", Ok(())).await;
        check("", "PING\r\n", "-ERR no\r\nmore", "+PONG", Err("closed without \"+PONG\", said \"-ERR no\"")).await;
        check("", "x", "", "+PONG", Err("closed without a word, want \"+PONG\"")).await;
        check("\x1b[1m\r\n", "", "", "ok", Err("closed without \"ok\", said \"\\u{1b}[1m\"")).await;
    }

    #[tokio::test]
    async fn no_more_is_heard_than_the_limit() {
        let just = format!("{}ok", "x".repeat(EXPECT_OCTETS_MAX - 2));
        check("", "q", &just, "ok", Ok(())).await;
        let late = format!("ab\n{}ok", "x".repeat(EXPECT_OCTETS_MAX - 4));
        let failure = "no \"ok\" within the first 4096 octets, which begin with \"ab\"";
        check("", "q", &late, "ok", Err(failure)).await;
    }
}
