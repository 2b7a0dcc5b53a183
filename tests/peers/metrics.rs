//! The metrics and what the README says of them, judged by Prometheus' own tool.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use hickory_proto::rr::RecordType;

use crate::support::metrics::scrape;
use crate::support::server::Launch;
use crate::support::{address, peer};

/// What `promtool` says to these arguments and this input, and whether it is content.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let program = peer::find("promtool", "prometheus")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn promtool_likes_the_metrics() {
    let admin = SocketAddr::new(address::own_ip().into(), 8053);
    // Labels that want escaping.
    let policy = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                  [monitors.m]\ntcp = { port = 1 }\n[pools.p]\npolicy = \"weighted\"\nmonitor = \"m\"\n\
                  endpoints = [\"127.0.0.9\", \"127.0.0.10\"]\n[names]\nwww = \"p\"\n";
    let server = Launch::new()
        .config("bellwether.toml", &format!("[admin]\nlisten = \"{admin}\"\n"))
        .file("example.com.toml", policy)
        .start();
    let client = server.client();
    for rtype in [RecordType::A, RecordType::AAAA, RecordType::TXT, RecordType::NAPTR] {
        client.ask("www.example.com", rtype);
        client.ask_tcp("nothing.example.com", rtype);
    }
    let (status, text) = scrape(admin, "text/plain");
    assert_eq!(status, 200);
    assert!(text.contains("bellwether_zone_queries_total{zone=\"example.com\",type=\"A\""), "{text}");
    let Some((content, said)) = promtool(&["check", "metrics"], &text) else { return };
    assert!(content && said.trim().is_empty(), "{said}\n{text}");
    // And it does find fault with what is none.
    let (content, _) = promtool(&["check", "metrics"], "a{ 1\n").expect("it was there");
    assert!(!content);
}

#[test]
fn promtool_likes_the_readme() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let section = readme.split_once("\n## Metrics\n").expect("the section on metrics").1;
    let blocks: Vec<&str> =
        section.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    for (what, kind, marks) in [("config", "config", "scrape_configs:"), ("rules", "rules", "groups:")] {
        let block = blocks.iter().find(|block| block.starts_with(marks)).unwrap_or_else(|| panic!("no {what}"));
        let file = folder.path().join(what);
        fs::write(&file, block).expect("a file");
        let Some((content, said)) = promtool(&["check", kind, file.to_str().expect("a path")], "") else { return };
        assert!(content, "{said}");
    }
}
