//! Whole folders: what zones come of them, and what is wrong with those.

use std::fs;
use std::time::{Duration, SystemTime};

use super::check_fault;
use crate::config::shelf::read_at;
use crate::config::{Atlas, Loaded, Part, Shelf, load, read_after};
use crate::diagnostic::Severity;
use crate::health::ProbeId;
use crate::system::unix_now;

const SOA: &str = "$TTL 60\n@ SOA ns1.example.net. hostmaster.example.net. 1 3600 900 1209600 60\n";

/// A sound master file, to which more may be added from line 4 on.
pub(super) fn master(more: &str) -> String {
    format!("{SOA}@ NS ns1.example.net.\n{more}")
}

const ZONE: &str = "[zone]\nnameservers = ['ns1.example.net']\ncontact = 'hostmaster.example.net'\n";

/// Balances `www` over one address without a monitor, of which there is a warning of its own.
const POOL: &str = "[pools.p]\npolicy = 'failover'\nendpoints = ['192.0.2.1']\n[names]\nwww = 'p'\n";

/// The warning of it, without its line.
pub(super) const UNMONITORED: &str = "`p` has no monitor / give it monitor";

/// Loads a folder of these files and checks its errors, if there are any, or else its warnings. Each is "file "
/// and what [`check_fault`] expects; "file 0:0 …" is the whole file.
pub(super) fn check(files: &[(&str, &str)], expected: &[&str]) -> Option<Loaded> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let (loaded, faults) = load(folder.path(), &Atlas::default());
    let severity = if loaded.is_some() { Severity::Warning } else { Severity::Error };
    let faults: Vec<_> = faults.into_iter().filter(|fault| fault.severity == severity).collect();
    let listed: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), expected.len(), "of {files:?}:\n{}", listed.join("\n"));
    for (fault, expected) in faults.iter().zip(expected) {
        let (file, expected) = expected.split_once(' ').expect("a file and a fault");
        assert_eq!(fault.place.file, folder.path().join(file), "{fault}");
        check_fault(fault, expected);
    }
    loaded
}

#[test]
fn a_folder_without_zones_is_an_error() {
    assert!(check(&[], &[" 0:0 holds no zone / named after it"]).is_none());
    assert!(check(&[("README", ""), (".example.com.zone", "")], &[" 0:0 holds no zone / named after it"]).is_none());
}

#[test]
fn a_zone_is_said_once_and_whole() {
    let beside = format!("example.com.toml 1:8 {UNMONITORED}");
    let alone = format!("example.com.toml 4:8 {UNMONITORED}");
    let whole = format!("{ZONE}{POOL}");
    assert!(check(&[("example.com.zone", &master(""))], &[]).is_some());
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", POOL)], &[&beside]).is_some());
    assert!(check(&[("example.com.toml", &whole)], &[&alone]).is_some());
    let neither = "example.com.toml 0:0 neither a [zone] table here nor a master file example.com.zone beside it \
                   / [zone] with nameservers and contact";
    assert!(check(&[("example.com.toml", POOL)], &[neither]).is_none());
    let both = "example.com.toml 1:2 [zone] is said here / take the [zone] table out; only `serial = \"auto\"` may stand in it";
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", &whole)], &[both]).is_none());
    // Of a master file's zone, that its serial moves by itself may be said.
    let auto = format!("[zone]\nserial = 'auto'\n{POOL}");
    let third = format!("example.com.toml 3:8 {UNMONITORED}");
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", &auto)], &[&third]).is_some());
    let alone = "example.com.toml 1:2 [zone] has only a `serial`, and there is no master file example.com.zone beside it \
                 / [zone] with nameservers and contact";
    assert!(check(&[("example.com.toml", &auto)], &[alone]).is_none());
    let number = format!("[zone]\nserial = 7\n{POOL}");
    let only =
        "example.com.toml 1:2 [zone] has nothing but a `serial` / beside a master file that can only be \"auto\"";
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", &number)], &[only]).is_none());
    let another = format!("[zone]\nserial = 'auto'\nttl = '1h'\n{POOL}");
    let neither = "example.com.toml 1:2 [zone] has neither `nameservers` nor `contact` \
                   / beside a master file it holds serial = \"auto\" and nothing else";
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", &another)], &[neither]).is_none());
    let word = format!("[zone]\nserial = 'now'\n{POOL}");
    let now = "example.com.toml 2:10 `serial` cannot be \"now\" / write \"auto\"";
    assert!(check(&[("example.com.zone", &master("")), ("example.com.toml", &word)], &[now]).is_none());
    // One faulty zone, and nothing of the folder comes.
    let files = [("example.com.zone", &*master("")), ("example.org.zone", &*master("www A 192.0.2.999\n"))];
    assert!(check(&files, &["example.org.zone 4:7 must be an IPv4 address"]).is_none());
}

#[test]
fn a_serial_moves_with_all_the_files_of_its_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str, saved: u64| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        let file = fs::File::options().write(true).open(path).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(saved)).expect("a time");
    };
    let mut before = Shelf::default();
    let mut check = |expected: u32, warning: Option<&str>| {
        let (found, faults) = read_after(folder.path(), &Atlas::default(), &before);
        let shelf = found.unwrap_or_else(|| panic!("{faults:?}")).shelf;
        let serials: Vec<u32> = shelf.zones().map(|zone| zone.serial()).collect();
        assert_eq!(serials, [expected]);
        let told: Vec<_> = faults.iter().map(ToString::to_string).filter(|told| told.contains("serial")).collect();
        assert_eq!(told.len(), usize::from(warning.is_some()), "{told:?}");
        assert!(warning.is_none_or(|warning| told[0].contains(warning)), "{told:?}");
        before = shelf;
    };
    write("example.com.zone", &master("$INCLUDE more\n"), 1_000);
    write("more", "a A 192.0.2.1\n", 900);
    check(1, None);
    write("example.com.toml", "[zone]\nserial = \"auto\"\n", 800);
    check(1_000, None);
    write("more", "a A 192.0.2.2\n", 1_100);
    check(1_100, None);
    write("example.com.toml", "[zone]\nserial = 'auto'\n", 1_200);
    check(1_200, None);
    check(1_200, None);
    write("more", "a A 192.0.2.1\n", 900);
    check(1_201, None);
    write("example.com.zone", &master("").replace(" 1 3600", " 2026112101 3600"), 1_300);
    check(2_026_112_101, Some("example.com.zone:2:1: warning: the serial 2026112101 is ahead"));
    write("example.com.zone", &master("").replace(" 1 3600", " 2026112101 3600"), 1_400);
    check(2_026_112_102, Some("is ahead"));
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_lacks_nothing_else() {
    let empty =
        ["example.com.zone 0:0 no SOA record / one SOA record", "example.com.zone 0:0 no NS record / two at least"];
    check(&[("example.com.zone", "")], &empty);
    check(
        &[("example.com.zone", "@ SAO x\n")],
        &["example.com.zone 1:3 `SAO` is not a record type / did you mean `SOA`?"],
    );
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("nowhere", folder.path().join("example.com.zone")).expect("a link");
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("example.com.toml")).expect("a link");
    let (loaded, faults) = load(folder.path(), &Atlas::default());
    let faults: Vec<_> = faults.iter().map(|fault| fault.message.split(':').next().unwrap_or_default()).collect();
    assert_eq!((loaded.is_none(), &*faults), (true, &["cannot be read", "is not a file"][..]));
}

#[test]
fn balanced_names_and_records_do_not_contradict_each_other() {
    let check = |records: &str, expected: &[&str]| {
        check(&[("example.com.zone", &master(records)), ("example.com.toml", POOL)], expected);
    };
    check("www TXT text\n", &[&format!("example.com.toml 1:8 {UNMONITORED}")]);
    check(
        "www A 192.0.2.2\n",
        &["example.com.toml 5:1 is balanced and has A records in the zone file too / pool answers @ 4:1"],
    );
    check("www CNAME x\n", &["example.com.toml 5:1 has CNAME records / pool answers @ 4:1"]);
    check("www NS ns.example.net.\n", &["example.com.toml 5:1 is delegated away"]);
}

#[test]
fn servers_that_cannot_be_reached_are_told() {
    check(
        &[("example.com.zone", &master("lab NS ns.lab\n"))],
        &["example.com.zone 4:1 glue is missing: ns.lab.example.com. / add an A or AAAA record"],
    );
    let unaddressed =
        "the nameserver ns2.example.com. lies in the zone, which gives no address for it / that its parent's glue has";
    let at = |place: &str| format!("{place} {unaddressed}");
    let records = |more: &str| master(&format!("@ NS ns2\n{more}"));
    check(&[("example.com.zone", &records(""))], &[&at("example.com.zone 4:1")]);
    check(&[("example.com.zone", &records("ns2 AAAA 2001:db8::1\n"))], &[]);
    let balanced = POOL.replace("www", "ns2");
    check(
        &[("example.com.zone", &records("")), ("example.com.toml", &balanced)],
        &[&format!("example.com.toml 1:8 {UNMONITORED}")],
    );
    let zone = ZONE.replace("ns1.example.net", "ns2.example.com");
    check(&[("example.com.toml", &zone)], &[&at("example.com.toml 1:2")]);
    let addressed = zone.replace("'ns2.example.com'", "{ name = 'ns2.example.com', addresses = ['192.0.2.2'] }");
    check(&[("example.com.toml", &addressed)], &[]);
}

#[test]
fn a_zone_within_another_wants_a_delegation() {
    let child = master("");
    let warning = "lab.example.com.zone 0:0 example.com. does not delegate lab.example.com., which is served here too \
                   / give example.com. NS records at lab.example.com.";
    let check = |parent: &str, expected: &[&str]| {
        let parent = master(parent);
        check(&[("example.com.zone", &parent), ("lab.example.com.zone", &child)], expected)
    };
    assert!(check("", &[warning]).is_some());
    assert!(check("lab TXT text\n", &[warning]).is_some());
    assert!(check("* A 192.0.2.1\n", &[warning]).is_some());
    assert!(check("lab NS ns1.example.net.\n", &[]).is_some());
}

#[test]
fn equal_targets_of_all_zones_are_one() {
    let policy = |endpoints: &str, port: u16| {
        format!(
            "{}[monitors.m]\ntcp = {{ port = {port} }}\n[pools.p]\npolicy = 'failover'\nmonitor = 'm'\n\
             endpoints = [{endpoints}]\n[names]\nwww = 'p'\n",
            ZONE.replace("example.net", "example.edu"),
        )
    };
    let loaded = check(
        &[
            ("example.com.toml", &policy("'192.0.2.1', '192.0.2.2'", 80)),
            ("example.net.toml", &policy("'192.0.2.2', '192.0.2.3'", 80)),
            // The same address, judged otherwise.
            ("example.org.toml", &policy("'192.0.2.2'", 81)),
        ],
        &[],
    );
    let loaded = loaded.expect("the folder is sound");
    let probes: Vec<Vec<_>> = loaded.zones.iter().map(|zone| zone.pools.probes().collect()).collect();
    let id = ProbeId;
    assert_eq!(probes, [vec![id(0), id(1)], vec![id(1), id(2)], vec![id(3)]]);
    let targets: Vec<String> = loaded.targets.iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["tcp://192.0.2.1:80", "tcp://192.0.2.2:80", "tcp://192.0.2.3:80", "tcp://192.0.2.2:81"]);
}

#[test]
fn an_endpoint_has_the_slack_of_its_tightest_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[zone]\nnameservers = [\"ns1.example.net\"]\ncontact = \"hostmaster.example.net\"\n\
                [monitors.web]\ntcp = { port = 443 }\n\
                [pools.a]\npolicy = \"random\"\nmonitor = \"web\"\nendpoints = [\"192.0.2.1\", \"192.0.2.2\"]\n\
                [pools.b]\npolicy = \"random\"\nmonitor = \"web\"\nendpoints = [\"192.0.2.2\", \"192.0.2.3\"]\n\
                [pools.c]\npolicy = \"random\"\nmonitor = \"web\"\nendpoints = [\"192.0.2.4\"]\n\
                [pools.all]\npolicy = \"failover\"\nmembers = [\"a\", \"b\"]\n\
                [names]\nslow = { pool = \"all\", failover = \"60s\" }\nquick = { pool = \"b\", failover = \"30s\" }\n";
    fs::write(folder.path().join("example.com.toml"), text).expect("written");
    // Nothing answers with the fourth, so nothing is promised of it.
    let other = text.replace("[names]", "[pools.d]\npolicy = \"random\"\nmonitor = \"web\"\nendpoints = [\"192.0.2.1\"]\n[names]\nx = { pool = \"d\", failover = \"40s\" }");
    fs::write(folder.path().join("example.org.toml"), other).expect("written");
    let (loaded, faults) = load(folder.path(), &Atlas::default());
    let loaded = loaded.unwrap_or_else(|| panic!("{faults:?}"));
    let mut slacks: Vec<(String, u64)> = loaded
        .targets
        .iter()
        .zip(&loaded.slacks)
        .map(|(target, slack)| (target.address.to_string(), slack.as_secs()))
        .collect();
    slacks.sort();
    // The defaults detect in 13 s and answer for 5 s at least.
    let of = |address: &str, slack: u64| (format!("192.0.2.{address}"), slack);
    assert_eq!(slacks, [of("1", 22), of("2", 12), of("3", 12), of("4", u64::MAX)]);
}

/// Files of certificates lie beside the policy file and are read with it; what they hold is part of the monitor, so
/// that a probe goes on over a reload while they are the same, and begins anew when they are replaced.
#[test]
fn certificates_are_read_with_the_policy_file() {
    let issue = |end: i32| {
        let mut params = rcgen::CertificateParams::new(["client".to_owned()]).expect("a name");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(end, 1, 31);
        let key = rcgen::KeyPair::generate().expect("a key");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    };
    let ((one, one_key), (other, other_key), (old, old_key)) = (issue(3000), issue(3000), issue(2020));
    let monitor = |probe: &str| {
        let pool = "[pools.p]\npolicy = 'failover'\nmonitor = 'm'\nendpoints = ['192.0.2.1']\n[names]\nwww = 'p'\n";
        format!("[monitors.m]\n{probe}\n{pool}")
    };
    let policy = monitor("tls = { port = 853, ca = 'ca.pem', certificate = 'us.pem', key = 'us-key.pem' }");
    let load = |ca: &str, chain: &str, key: &str, expected: &[&str]| {
        let master = master("");
        let texts = [("example.com.zone", master.as_str()), ("example.com.toml", &policy)];
        let files = [&texts[..], &[("ca.pem", ca), ("us.pem", chain), ("us-key.pem", key)]].concat();
        check(&files, expected).map(|loaded| loaded.targets)
    };
    let first = load(&one, &one, &one_key, &[]);
    assert!(first.is_some());
    assert_eq!(load(&one, &one, &one_key, &[]), first);
    assert_ne!(load(&other, &one, &one_key, &[]), first);
    assert_ne!(load(&one, &other, &other_key, &[]), first);
    let refused = |expected: &str| [format!("example.com.toml {expected}")];
    let check = |ca: &str, chain: &str, key: &str, expected: &str| {
        let [expected] = refused(expected);
        load(ca, chain, key, &[&expected])
    };
    assert_eq!(check("", &one, &one_key, "2:26 ca.pem holds no certificate in PEM"), None);
    assert_eq!(check(&one, "", &one_key, "2:50 us.pem holds no certificate in PEM"), None);
    assert_eq!(check(&one, &one, &one, "2:66 us-key.pem holds no private key in PEM @ 2:50"), None);
    assert_eq!(check(&one, &one, &other_key, "2:66 us-key.pem is not the key of the certificate @ 2:50"), None);
    assert!(check(&one, &old, &old_key, "2:50 us.pem has expired").is_some(), "a warning");
}

/// A folder that is read again and again, each time after the last.
struct Folder {
    folder: tempfile::TempDir,
    shelf: Shelf,
    atlas: Atlas,
    /// Seconds since 1970 at which it is read: no later than any of its files was saved, unless a test says otherwise.
    now: u64,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut it = Self { folder, shelf: Shelf::default(), atlas: Atlas::default(), now: unix_now() };
        for (name, text) in files {
            it.write(name, text);
        }
        let (reading, faults) = read_at(it.folder.path(), &it.atlas, &it.shelf, it.now);
        it.shelf = reading.unwrap_or_else(|| panic!("{faults:?}")).shelf;
        it
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// Reads what changed and checks which zones that is; the faults.
    fn check(&mut self, expected: &[&str]) -> Vec<String> {
        let (reading, faults) = read_at(self.folder.path(), &self.atlas, &self.shelf, self.now);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let reading = reading.unwrap_or_else(|| panic!("{faults:#?}"));
        let read: Vec<String> = reading
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Read(read) => Some(read.zone.zone.apex().to_string()),
                Part::Kept(_) => None,
            })
            .collect();
        assert_eq!(read, expected);
        self.shelf = reading.shelf;
        faults
    }
}

#[test]
fn only_zones_of_which_a_file_is_another_are_read() {
    let ca = rcgen::generate_simple_self_signed(vec!["ca.test".to_owned()]).expect("a certificate").cert.pem();
    let probed = "[monitors.m]\nhttps = { ca = 'ca.pem' }\n[pools.p]\npolicy = 'failover'\nmonitor = 'm'\n\
                  endpoints = ['127.0.0.1']\n[names]\nwww = 'p'\n";
    let (probed, ca_more) = (format!("{ZONE}{probed}"), format!("# more\n{ca}"));
    let mut folder = Folder::new(&[
        ("a.test.zone", &master("")),
        ("b.test.zone", &master("$INCLUDE more\n")),
        ("more", "a A 192.0.2.1\n"),
        ("c.test.zone", &master("")),
        ("c.test.toml", POOL),
        ("ca.pem", &ca),
        ("d.test.toml", &probed),
    ]);
    // Files that others name and that were saved just before nobody can tell; once they are old, they are believed.
    folder.check(&["b.test.", "d.test."]);
    let begun = std::mem::replace(&mut folder.now, unix_now() + 3_600);
    folder.check(&["b.test.", "d.test."]);
    folder.check(&[]);
    folder.write("a.test.zone", &master("a A 192.0.2.1\n"));
    assert_eq!(folder.check(&["a.test."]), Vec::<String>::new());
    folder.check(&[]);
    // Of another length: within one tick of the file system only that tells, to who believes stamps.
    folder.write("more", "a A 192.0.2.22\n");
    folder.now = begun;
    folder.check(&["b.test."]);
    // A warning is told when its zone is read, and only then.
    folder.write("c.test.toml", &format!("{POOL}\n"));
    let told = folder.check(&["b.test.", "c.test."]);
    assert!(told.len() == 1 && told[0].contains("`p` has no monitor"), "{told:?}");
    folder.write("ca.pem", &ca_more);
    folder.check(&["b.test.", "d.test."]);
    // One comes, one goes, one loses a file.
    folder.write("e.test.zone", &master(""));
    fs::remove_file(folder.folder.path().join("a.test.zone")).expect("a file");
    fs::remove_file(folder.folder.path().join("c.test.toml")).expect("a file");
    folder.check(&["b.test.", "c.test.", "d.test.", "e.test."]);
    assert_eq!(folder.shelf.zones().len(), 4);
}

#[test]
fn what_is_kept_is_the_very_same() {
    let mut folder = Folder::new(&[("a.test.zone", &master("")), ("b.test.zone", &master(""))]);
    let before: Vec<_> = folder.shelf.zones().cloned().collect();
    folder.write("b.test.zone", &master("a A 192.0.2.1\n"));
    folder.check(&["b.test."]);
    let same: Vec<bool> =
        folder.shelf.zones().zip(&before).map(|(now, before)| std::sync::Arc::ptr_eq(now, before)).collect();
    assert_eq!(same, [true, false]);
    // A faulty reading leaves the shelf of before, which still says what is what.
    folder.write("a.test.zone", &master("a A 192.0.2.999\n"));
    let (reading, faults) = read_at(folder.folder.path(), &folder.atlas, &folder.shelf, folder.now);
    assert!(reading.is_none() && faults.len() == 1, "{faults:?}");
    folder.write("a.test.zone", &master("a A 192.0.2.9\n"));
    folder.check(&["a.test."]);
}

#[test]
fn zones_that_lean_on_a_replaced_table_are_read_again() {
    let latency = "[pools.p]\npolicy = 'latency'\nmembers = ['q', 'r']\n[pools.q]\npolicy = 'failover'\n\
                   endpoints = ['192.0.2.1']\n[pools.r]\npolicy = 'failover'\nendpoints = ['192.0.2.2']\n\
                   [names]\nwww = 'p'\n";
    let mut folder = Folder::new(&[("a.test.zone", &master(""))]);
    let table = folder.folder.path().join("latency.csv");
    fs::write(&table, "192.0.2.0/24,q,10\n192.0.2.0/24,r,20\n").expect("a table");
    folder.atlas = Atlas::read(&[], Some(&table)).expect("a table");
    folder.write("b.test.toml", &format!("{ZONE}{latency}"));
    folder.check(&["b.test."]);
    folder.check(&[]);
    fs::write(&table, "192.0.2.0/24,q,30\n192.0.2.0/24,r,20\n").expect("a table");
    folder.atlas = folder.atlas.refreshed().0;
    folder.check(&["b.test."]);
    folder.check(&[]);
}
