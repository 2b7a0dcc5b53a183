//! Texts and what is read of them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::diagnostic::Severity;

fn apex() -> Name {
    Name::from_host("example.com").expect("a name")
}

/// A record as its generic text (RFC 3597 §5).
fn generic(record: Record<'_>) -> String {
    let owner = Name::from_wire(record.owner).expect("an owner in wire form");
    let mut line = format!("{owner} {} IN TYPE{} \\# {} ", record.ttl, record.rtype.0, record.rdata.len());
    record.rdata.iter().for_each(|octet| write!(line, "{octet:02x}").expect("a string"));
    line
}

fn zone_file(name: &str) -> (Vec<String>, Outcome) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones");
    let mut lines = Vec::new();
    let outcome = read(&folder.join(name), &folder, &apex(), &mut |record| {
        assert_eq!(crate::wire::rdata::check(record.rtype, record.rdata), Ok(()), "{record:?}");
        lines.push(generic(record));
    });
    (lines, outcome)
}

/// BIND reads the sample and what was made of it to the same zone. Where BIND is not installed, nothing is
/// compared, and the test says so.
#[test]
fn bind_reads_the_same() {
    let (lines, outcome) = zone_file("every-type.zone");
    assert_eq!(outcome.diagnostics, []);
    let folder = tempfile::tempdir().expect("a folder");
    let ours = folder.path().join("ours.zone");
    std::fs::write(&ours, lines.join("\n") + "\n").expect("a file");
    let compiled = |zone: &Path, to: &str| {
        let to = folder.path().join(to);
        let run = Command::new("named-compilezone")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones"))
            .args([
                "-q", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-r", "ignore", "-i", "none", "-s", "full", "-o",
            ])
            .args([to.as_os_str(), "example.com".as_ref(), zone.as_os_str()])
            .output();
        match run {
            Ok(run) if run.status.success() => Some(std::fs::read_to_string(&to).expect("a zone")),
            Ok(run) => panic!("{}", String::from_utf8_lossy(&run.stdout)),
            Err(_) => None,
        }
    };
    let Some(bind) = compiled(Path::new("every-type.zone"), "bind.zone") else {
        eprintln!("named-compilezone is not installed: nothing was compared with BIND");
        return;
    };
    let ours = compiled(&ours, "ours.out").unwrap_or_default();
    let differing: Vec<_> = bind.lines().filter(|line| !ours.lines().any(|ours| ours == *line)).collect();
    assert_eq!(differing, [""; 0], "lines of BIND that are not ours");
    assert_eq!(bind.lines().count(), ours.lines().count());
    let _ = Severity::Error;
}
