//! Whatever an operator may have written: faults or a meaning, never a panic.

use std::path::{Path, PathBuf};

use bellwether::config::{Atlas, read_policies, read_server_file};
use bellwether::diagnostic::{Diagnostic, Severity};
use bellwether::health::ProbeId;
use bellwether::wire::name::Name;
use bellwether::wire::qname::Qname;
use bellwether::zone::{Builder, Found, Origin, master};
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable};

/// Records that a zone is built of, at the most: a `$GENERATE` makes more than is worth the time.
const BUILT_MAX: usize = 10_000;

/// Any text as a master file: faults or a zone, never a panic, and in a zone that was taken what it was made of is
/// found.
pub fn zone(octets: &[u8]) {
    let apex = Name::from_host("example.com").expect("a name");
    let mut builder = Builder::new(&apex);
    let mut records = Vec::new();
    let read = master::read_text(Path::new("zone"), octets, &apex, &mut |record| {
        assert!(bellwether::wire::rdata::check(record.rtype, record.rdata).is_ok(), "{record:?}");
        assert!(record.ttl < 1 << 31 && record.line > 0);
        check_rdata(record);
        if records.len() < BUILT_MAX {
            builder.add(record.owner, record.rtype, record.ttl, record.rdata, Origin { file: 0, line: record.line });
            records.push((record.owner.to_vec(), record.rtype));
        }
    });
    check_faults(&read.diagnostics);
    let (zone, faults) = builder.finish();
    assert!(faults.iter().all(|fault| !fault.message.is_empty()));
    let Some(zone) = zone else {
        assert!(faults.iter().any(|fault| fault.severity == Severity::Error), "neither a zone nor a fault");
        return;
    };
    let mut qname = Qname::default();
    for (owner, rtype) in records {
        qname.read(&owner).expect("a name");
        match zone.find(&qname, rtype) {
            Found::Name(node) => assert!(node.rrset(rtype).is_some(), "{rtype:?} is lost"),
            Found::Cut(_) | Found::Dname(_) => {}
            Found::Missing => panic!("{owner:?} is lost"),
        }
    }
}

/// Types that hickory-proto reads and writes octet by octet: A, NS, CNAME, PTR, MX, TXT, AAAA, SRV. It compresses what
/// it writes of SOA, and is stricter than the RFCs with some others.
const THEIRS: [u16; 8] = [1, 2, 5, 12, 15, 16, 28, 33];

/// Holds the rdata of a record against hickory-proto's reading of it.
fn check_rdata(record: master::Record<'_>) {
    if !THEIRS.contains(&record.rtype.0) {
        return;
    }
    let mut octets = record.owner.to_vec();
    for part in [record.rtype.0, 1, 0, 0, record.rdata.len() as u16] {
        octets.extend_from_slice(&part.to_be_bytes());
    }
    octets.extend_from_slice(record.rdata);
    let theirs = Record::read(&mut BinDecoder::new(&octets)).expect("a record that we took");
    let written = theirs.data.to_bytes().expect("a record");
    assert!(written.eq_ignore_ascii_case(record.rdata), "{theirs} is not {:?}", record.rdata);
}

/// Parts between octets 0 as the files of a zones folder: the first is the zone's, the others are called 1, 2 and so
/// on, and may be included.
pub fn include(octets: &[u8]) {
    let folder = Folder::new();
    let mut parts = octets.splitn(FILES_MAX, |&octet| octet == 0);
    let zone = folder.write("zone", parts.next().unwrap_or_default());
    for (number, part) in parts.enumerate() {
        folder.write(&(number + 1).to_string(), part);
    }
    let apex = Name::from_host("example.com").expect("a name");
    let (mut records, mut highest) = (0_u64, 0);
    let read = master::read(&zone, &folder.0, &apex, &mut |record| {
        records += 1;
        highest = highest.max(record.file);
    });
    check_faults(&read.diagnostics);
    assert!(read.files.len() <= FILES_MAX && usize::from(highest) < read.files.len().max(1));
    // Each line of text may make one record, each `$INCLUDE` and `$GENERATE` as many as their limits say.
    let texts = u64::from(master::INCLUDES_MAX) + 1;
    assert!(records <= master::GENERATED_TOTAL_MAX + texts * octets.len() as u64, "{records} records");
    // All at once, which is what a server does.
    let (_, all) = master::collect(&zone, &folder.0, &apex);
    assert_eq!((all.diagnostics, &all.files), (read.diagnostics, &read.files));
    let real = std::fs::canonicalize(&folder.0).expect("a folder");
    for file in read.files {
        assert!(std::fs::canonicalize(file).expect("a file").starts_with(&real), "a file from outside");
    }
}

/// Files that a folder is made of, at the most.
const FILES_MAX: usize = 4;

/// A folder for the files of one input, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("bellwether-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn write(&self, name: &str, octets: &[u8]) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, octets).expect("a file");
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Any text as a latency table.
pub fn latency(octets: &[u8]) {
    let folder = Folder::new();
    let table = folder.write("latency.csv", octets);
    match Atlas::read(&[], Some(&table)) {
        Ok(atlas) => check_faults(&atlas.refreshed().1),
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a word");
            check_faults(&faults);
        }
    }
}

/// Whatever is at fault can be shown.
fn check_faults(faults: &[Diagnostic]) {
    for fault in faults {
        assert!(!fault.message.is_empty());
        fault.render(false);
    }
}

/// Any text as a policy file.
pub fn policy(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let apex = Name::from_host("example.com").expect("a name");
    let mut probes = 0;
    let mut register = |_| {
        probes += 1;
        ProbeId(probes - 1)
    };
    let (_, faults) = read_policies(Path::new("z.toml"), text, &apex, &Atlas::default(), &mut register);
    check_faults(&faults);
}

/// Any text as the server file.
pub fn server(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let (_, faults) = read_server_file(Path::new("bellwether.toml"), text);
    check_faults(&faults);
}
