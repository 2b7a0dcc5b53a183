//! The state file: JSON that people can read, with a version.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::drain::Ttls;
use super::super::earlier::KeptTtl;
use super::super::overrides::Kept as Forced;
use crate::config::KeptSerial;
use crate::health::State;
use crate::policy::{Family, LastGood};
use crate::probe::{ProbeCounts, Restored, Target};

/// Grows with every change that an older program would misread.
const VERSION: u32 = 1;

/// Octets of the file, at the most: 200,000 probes at some 300 each, and what as many endpoints give, in five zones, at
/// some 40 each.
const OCTETS_MAX: u64 = 96 << 20;

/// What a probe is known by: what is probed as people read it, and a fingerprint of all that its monitor says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(String);

impl Key {
    pub(super) fn of(target: &Target) -> Self {
        Self(format!("{target} #{:016x}", fnv_1a(format!("{:?}", target.monitor).as_bytes())))
    }
}

/// FNV-1a (Fowler, Noll, Vo) with 64 bits: the same in every process and on every machine, unlike the standard
/// library's hashes. Only an operator's own monitors meet here, so it need not withstand an attack.
fn fnv_1a(octets: &[u8]) -> u64 {
    octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    /// Milliseconds since 1970.
    pub(super) written: u64,
    pub(super) probes: HashMap<Key, Restored>,
    /// With the zones that the pools are of.
    pub(super) last_good: Vec<(String, LastGood)>,
    pub(super) overrides: Vec<Forced>,
    pub(super) earlier: Vec<KeptTtl>,
    /// By zone, of what is served.
    pub(super) ttls: BTreeMap<String, Ttls>,
    pub(super) serials: Vec<KeptSerial>,
}

/// Why a file is of no use.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Long,
    Json(serde_json::Error),
    Version(u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "it cannot be read ({error})"),
            Self::Long => write!(f, "it is longer than {OCTETS_MAX} octets"),
            Self::Json(error) => write!(f, "it is damaged ({error})"),
            Self::Version(version) => write!(f, "it is of version {version}, and this program reads {VERSION}"),
        }
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Text {
    version: u32,
    written: u64,
    probes: BTreeMap<String, ProbeText>,
    #[serde(default)]
    last_good: Vec<LastGoodText>,
    #[serde(default)]
    overrides: Vec<Forced>,
    #[serde(default)]
    earlier: Vec<KeptTtl>,
    #[serde(default)]
    ttls: BTreeMap<String, Ttls>,
    #[serde(default)]
    serials: Vec<KeptSerial>,
}

#[derive(Serialize, Deserialize)]
struct ProbeText {
    verdict: VerdictText,
    since: u64,
    #[serde(default)]
    deaths: u8,
    probes: u64,
    failures: u64,
    turns: u64,
    /// Results so far that are contrary to the verdict. Never in a file; see [`Detail`].
    #[serde(default, skip_serializing_if = "is_zero")]
    forming: u8,
}

fn is_zero(count: &u8) -> bool {
    *count == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VerdictText {
    Up,
    Down,
    Held,
    Awaiting,
}

#[derive(Serialize, Deserialize)]
struct LastGoodText {
    zone: String,
    pool: Box<str>,
    family: FamilyText,
    members: Vec<Box<str>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum FamilyText {
    IPv4,
    IPv6,
}

/// Reads the file at `path`; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Kept>, Fault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::Io(error)),
    };
    let mut octets = Vec::new();
    file.take(OCTETS_MAX + 1).read_to_end(&mut octets).map_err(Fault::Io)?;
    if octets.len() as u64 > OCTETS_MAX {
        return Err(Fault::Long);
    }
    parse(&octets).map(Some)
}

/// What `octets` say, which [`render`] made.
pub(super) fn parse(octets: &[u8]) -> Result<Kept, Fault> {
    // Another version may hold anything else.
    let Versioned { version } = serde_json::from_slice(octets).map_err(Fault::Json)?;
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    let text: Text = serde_json::from_slice(octets).map_err(Fault::Json)?;
    let probes = text.probes.into_iter().map(|(key, probe)| {
        let ProbeText { verdict, since, deaths, probes, failures, turns, forming } = probe;
        let state = match verdict {
            VerdictText::Up if forming > 0 => State::Suspect { failures: forming },
            VerdictText::Down if forming > 0 => State::Recovering { successes: forming },
            VerdictText::Up => State::Up,
            VerdictText::Down => State::Down,
            VerdictText::Held => State::Held,
            VerdictText::Awaiting => State::Awaiting,
        };
        (Key(key), Restored { state, since, deaths, tally: ProbeCounts { probes, failures, turns } })
    });
    let last_good = text.last_good.into_iter().map(|LastGoodText { zone, pool, family, members }| {
        let family = match family {
            FamilyText::IPv4 => Family::V4,
            FamilyText::IPv6 => Family::V6,
        };
        (zone, LastGood { family, pool, members })
    });
    Ok(Kept {
        written: text.written,
        probes: probes.collect(),
        last_good: last_good.collect(),
        overrides: text.overrides,
        earlier: text.earlier,
        ttls: text.ttls,
        serials: text.serials,
    })
}

/// How much is told of verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// What is forming is left out: nobody probed while the process was gone.
    Settled,
    /// And what is forming, for a process that goes on where this one stops. Without it a process that is replaced
    /// faster than verdicts form would never find a dead endpoint.
    Forming,
}

/// `kept` in the words of the file.
pub(super) fn render(kept: &Kept, detail: Detail) -> io::Result<Vec<u8>> {
    let known = kept.probes.iter().filter(|(_, restored)| restored.state != State::Unknown);
    let probes = known.map(|(key, &Restored { state, since, deaths, tally })| {
        let verdict = match state {
            State::Held => VerdictText::Held,
            State::Awaiting => VerdictText::Awaiting,
            state if state.is_alive() => VerdictText::Up,
            _ => VerdictText::Down,
        };
        let ProbeCounts { probes, failures, turns } = tally;
        let forming = if detail == Detail::Forming { state.count() } else { 0 };
        (key.0.clone(), ProbeText { verdict, since, deaths, probes, failures, turns, forming })
    });
    let last_good = kept.last_good.iter().map(|(zone, LastGood { family, pool, members })| {
        let family = match family {
            Family::V4 => FamilyText::IPv4,
            Family::V6 => FamilyText::IPv6,
        };
        LastGoodText { zone: zone.clone(), pool: pool.clone(), family, members: members.clone() }
    });
    let text = Text {
        version: VERSION,
        written: kept.written,
        probes: probes.collect(),
        last_good: last_good.collect(),
        overrides: kept.overrides.clone(),
        earlier: kept.earlier.clone(),
        ttls: kept.ttls.clone(),
        serials: kept.serials.clone(),
    };
    let mut octets = serde_json::to_vec_pretty(&text)?;
    octets.push(b'\n');
    Ok(octets)
}

/// Puts `kept` in the place of the file at `path`, whole or not at all.
pub(super) fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let octets = render(kept, Detail::Settled)?;
    let mut draft: PathBuf = path.to_owned();
    draft.as_mut_os_string().push(".new");
    let mut file = File::create(&draft)?;
    file.write_all(&octets)?;
    // Before the rename, or a crash of the machine could leave an empty file under the good name.
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::health::{Comeback, Timing};
    use crate::probe::{Monitor, Probe, TcpProbe};

    fn target(port: u16, timing: Timing) -> Target {
        let monitor =
            Arc::new(Monitor { probe: Probe::Tcp(TcpProbe::connect(port)), timing, comeback: Comeback::default() });
        Target { address: [192, 0, 2, 1].into(), monitor }
    }

    fn forced() -> Forced {
        let text = r#"{ "zone": "example.com", "pool": "web", "endpoint": "a", "force": "drain", "who": "me",
            "reason": null, "since": "2026-01-02T03:04:05Z", "origin": "endpoint", "safe": "2026-01-02T03:05:05Z" }"#;
        serde_json::from_str(text).expect("an override")
    }

    fn kept() -> Kept {
        let tally = ProbeCounts { probes: 10, failures: 3, turns: 1 };
        let restored = |state| Restored { state, since: 1_700_000_000_000, deaths: 3, tally };
        let key = |port| Key::of(&target(port, Timing::default()));
        let last = LastGood { family: Family::V6, pool: "web".into(), members: vec!["a".into(), "b".into()] };
        let earlier = r#"{ "zone": "example.com", "gives": "192.0.2.1", "until": "2026-01-02T03:04:05Z" }"#.to_owned();
        let serial = r#"{ "zone": "example.com.", "serial": 4294967295, "saved": [1700000000123456789] }"#.to_owned();
        Kept {
            written: 1_700_000_000_001,
            probes: HashMap::from([
                (key(1), restored(State::Up)),
                (key(2), restored(State::Down)),
                (key(3), restored(State::Held)),
                (key(4), restored(State::Awaiting)),
            ]),
            last_good: vec![("example.com.".to_owned(), last)],
            overrides: vec![forced()],
            earlier: vec![serde_json::from_str(&earlier).expect("a memory")],
            ttls: BTreeMap::from([("example.com".to_owned(), Ttls::from([("192.0.2.1".to_owned(), 7_200)]))]),
            serials: vec![serde_json::from_str(&serial).expect("a serial")],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        assert!(matches!(read(&path), Ok(None)));
        for _ in 0..2 {
            write(&path, &kept()).expect("written");
            assert_eq!(read(&path).expect("whole"), Some(kept()));
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft is left");
    }

    #[test]
    fn what_forms_is_handed_over_but_not_kept() {
        let mut forming = kept();
        let mut states = [State::Suspect { failures: 2 }, State::Recovering { successes: 1 }].into_iter();
        forming.probes.retain(|_, probe| matches!(probe.state, State::Up | State::Down));
        forming.probes.values_mut().for_each(|probe| probe.state = states.next().expect("two"));
        let unknown = Restored { state: State::Unknown, since: 0, deaths: 0, tally: ProbeCounts::default() };
        forming.probes.insert(Key::of(&target(3, Timing::default())), unknown);
        let check = |detail, expected: [State; 2]| {
            let read = parse(&render(&forming, detail).expect("text")).expect("whole");
            let has = |state: &State| read.probes.values().any(|probe| probe.state == *state);
            assert!(read.probes.len() == 2 && expected.iter().all(has), "{detail:?}: {read:?}");
        };
        check(Detail::Settled, [State::Up, State::Down]);
        check(Detail::Forming, [State::Suspect { failures: 2 }, State::Recovering { successes: 1 }]);
    }

    #[test]
    fn a_probe_is_known_by_all_that_its_monitor_says() {
        let timing = Timing::default();
        let key = Key::of(&target(443, timing));
        assert_eq!(key, Key::of(&target(443, timing)));
        assert_ne!(key, Key::of(&target(444, timing)));
        assert_ne!(key, Key::of(&target(443, Timing { fall: 4, ..timing })));
        assert!(key.0.starts_with("tcp://192.0.2.1:443 #"), "{key:?}");
        // Known values, so that a restart of another build finds its own.
        assert_eq!((fnv_1a(b""), fnv_1a(b"foobar")), (0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let whole = render(&kept(), Detail::Settled).expect("text");
        for length in 0..whole.len() - 1 {
            // The last octets are the closing brace and a line end.
            assert!(matches!(parse(&whole[..length]), Err(Fault::Json(_))), "{length}");
        }
        let other = String::from_utf8(whole).expect("text").replace("\"version\": 1", "\"version\": 2");
        assert!(matches!(parse(other.as_bytes()), Err(Fault::Version(2))));
        for text in ["", "[]", "{}", "\0", r#"{"version": 1}"#, r#"{"version": -1}"#] {
            assert!(matches!(parse(text.as_bytes()), Err(Fault::Json(_))), "{text:?}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(read(folder.path()), Err(Fault::Io(_))), "a folder is no file");
    }
}
