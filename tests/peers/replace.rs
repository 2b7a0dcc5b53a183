//! A server is replaced while `dnsperf` asks: no query is lost, and verdicts go over.

use std::fs;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use hickory_proto::rr::RecordType;

use crate::support::client::addresses;
use crate::support::nginx::Nginx;
use crate::support::server::Launch;
use crate::support::{address, peer};

/// How often it is replaced. `benches/replace/run` does it sixty times, at ten times the rate.
const REPLACEMENTS: usize = 8;

/// Queries a second: few, so that a machine that is busy with other tests drops none for want of time.
const RATE: u32 = 5_000;

/// Seconds for which they are sent: longer than the replacements take, on any machine that is not stuck.
const SECONDS: u32 = 8;

#[test]
fn no_query_is_lost_and_verdicts_go_over() {
    let Some(dnsperf) = peer::find("dnsperf", "dnsperf") else { return };
    let (Some(up), Some(mut down)) = (Nginx::http(), Nginx::http()) else { return };
    down.kill();
    // Nothing is probed twice within the test, and one success would not turn a verdict: what is answered was handed over.
    let policy = format!(
        "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
         [monitors.web]\nhttp = {{ path = \"/healthz\", port = {port} }}\ninterval = \"1h\"\nfast = \"1h\"\nrise = 20\n\
         [pools.web]\npolicy = \"round-robin\"\nmonitor = \"web\"\nendpoints = [\"{}\", \"{}\"]\n\
         [names]\nwww = {{ pool = \"web\", ttl = {{ min = \"5s\", max = \"30s\" }} }}\n",
        up.ip,
        down.ip,
        port = address::HTTP_PORT,
    );
    let server = Launch::new().file("example.com.toml", &policy).workers(2).controlled().start();
    let given = || addresses(&server.client().ask("www.example.com", RecordType::A));
    assert_eq!(given(), [IpAddr::V4(up.ip)]);
    // Afresh, it would be up with the first probe.
    down.start();
    let folder = tempfile::tempdir().expect("a folder");
    let queries = folder.path().join("queries");
    fs::write(&queries, "www.example.com A\nns1.example.com A\nnone.example.com A\n").expect("written");
    // Its own timeout is far above what a stuck machine takes: what is lost then is lost for good.
    let asking = Command::new(dnsperf)
        .args(["-s", &server.address.ip().to_string(), "-p", &server.address.port().to_string()])
        .args(["-l", &SECONDS.to_string(), "-Q", &RATE.to_string(), "-c", "20", "-t", "20", "-d"])
        .arg(&queries)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dnsperf runs");
    for at in 0..REPLACEMENTS {
        server.replace().unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(given(), [IpAddr::V4(up.ip)], "after replacement {at}");
    }
    let output = asking.wait_with_output().expect("dnsperf ends by itself");
    let said = String::from_utf8_lossy(&output.stdout);
    let count = |what: &str| -> u64 {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(what)).unwrap_or_else(|| panic!("{said}"));
        line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{said}"))
    };
    assert_eq!(count("Queries lost:"), 0, "{said}\n{}", server.process.log());
    assert!(count("Queries completed:") > 100, "{said}");
}
