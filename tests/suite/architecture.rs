//! Holds who knows whom: the edges between the rooms of `src`, the cycles, and the few words that only one file
//! may say. What it reads is the code that is served; tests may know more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{File, House};

/// Which rooms each room may use. A row that no code uses fails as well, so that this stays the map; a room that
/// is not built yet is passed over.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "admin",
            "config",
            "diagnostic",
            "explain",
            "health",
            "import",
            "moment",
            "policy",
            "preview",
            "probe",
            "server",
            "snapshot",
            "system",
            "transport",
            "ttl",
            "wire",
        ],
    ),
    (
        "server",
        &[
            "admin",
            "answer",
            "config",
            "diagnostic",
            "explain",
            "geo",
            "health",
            "moment",
            "observe",
            "policy",
            "preview",
            "probe",
            "random",
            "snapshot",
            "system",
            "transfer",
            "transport",
            "ttl",
            "wire",
            "zone",
        ],
    ),
    ("explain", &["admin", "answer", "geo", "health", "moment", "policy", "snapshot", "wire"]),
    ("admin", &[]),
    ("import", &["diagnostic", "wire", "zone"]),
    (
        "config",
        &[
            "answer",
            "diagnostic",
            "geo",
            "health",
            "observe",
            "policy",
            "preview",
            "probe",
            "snapshot",
            "system",
            "transfer",
            "transport",
            "ttl",
            "wire",
            "zone",
        ],
    ),
    ("preview", &["geo", "policy", "snapshot", "ttl", "wire", "zone"]),
    ("transport", &["answer", "diagnostic", "geo", "moment", "observe", "snapshot", "system", "transfer", "wire"]),
    ("observe", &["answer", "moment", "policy", "random", "snapshot", "system", "wire", "zone"]),
    ("transfer", &["geo", "snapshot", "wire", "zone"]),
    ("answer", &["geo", "moment", "policy", "random", "snapshot", "wire", "zone"]),
    ("snapshot", &["moment", "policy", "ttl", "wire", "zone"]),
    ("zone", &["diagnostic", "wire"]),
    ("policy", &["geo", "health", "moment", "random"]),
    ("geo", &["diagnostic"]),
    ("ttl", &["health", "moment"]),
    ("probe", &["health", "moment", "random", "system", "ttl", "wire"]),
    ("health", &["moment"]),
    ("wire", &[]),
    ("diagnostic", &[]),
    ("moment", &[]),
    ("random", &[]),
    ("system", &["moment"]),
];

/// Words that only one file may say, tests and all.
const UNSAFE_ONLY: &str = "transport/socket.rs";

/// The file that asks the system for time and entropy.
const SYSTEM_ONLY: &str = "system.rs";

/// Asking for time or entropy, as a path's end or as a word.
const SYSTEM_WORDS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "UNIX_EPOCH",
    "elapsed",
    "RandomState",
    "DefaultHasher",
    "getrandom",
    "OsRng",
    "ThreadRng",
    "thread_rng",
    "SystemRandom",
    "clock_gettime",
];

/// Rooms without sockets, files or a runtime.
const PURE_ROOMS: &[&str] =
    &["wire", "zone/tree", "health", "ttl", "policy", "preview", "answer", "snapshot", "moment", "random"];

/// What those do not say.
const IMPURE_WORDS: &[&str] = &[
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "std::fs",
    "File",
    "std::thread",
    "tokio",
    "socket2",
    "libc",
];

/// Words of waiting, which nothing on the path of a query says.
const WAITING_WORDS: &[&str] = &["Mutex", "RwLock", "Condvar", "sleep", "println", "eprintln", "tracing"];

const QUERY_ROOMS: &[&str] = &["answer", "snapshot", "policy", "wire", "zone/tree", "zone/rrset", "zone/hints"];

#[test]
fn the_house_is_as_its_map_says() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = Vec::new();
    read_folder(&src, &src, &mut texts);
    assert!(texts.len() > 40, "only {} files under {}", texts.len(), src.display());
    let faults = faults(&House::read(&texts), MAY_USE);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The rooms stand in an order of which each uses only what comes after it.
#[test]
fn rooms_use_only_those_below_them() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("the map");
    let rooms: Vec<&str> = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(rooms.len() > 20, "{rooms:?}");
    for (at, room) in rooms.iter().enumerate() {
        let (_, used) = MAY_USE.iter().find(|(from, _)| from == room).expect("a row");
        let above: Vec<_> = used.iter().filter(|&used| rooms[..at].contains(used)).collect();
        assert!(above.is_empty(), "{room} uses {above:?}, which stand above it");
    }
}

fn read_folder(src: &Path, folder: &Path, texts: &mut Vec<(String, String)>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of sources")
        .map(|entry| entry.expect("an entry of a folder").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_folder(src, &path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(src).expect("a path below src").to_string_lossy().replace('\\', "/");
            texts.push((name, std::fs::read_to_string(&path).expect("a source")));
        }
    }
}

/// Everything that is not as it should be, a line each.
fn faults(house: &House, may_use: &[(&str, &[&str])]) -> Vec<String> {
    let mut faults = edges(house, may_use);
    faults.extend(cycles(house));
    for file in &house.files {
        words(file, &mut faults);
        if !file.has_head {
            faults.push(format!("{}: does not begin with //!", file.path));
        }
    }
    faults
}

/// Edges that are not in the table, and rows of the table that nothing uses.
fn edges(house: &House, may_use: &[(&str, &[&str])]) -> Vec<String> {
    let rooms: BTreeSet<&str> = house.files.iter().map(File::room).collect();
    let allowed: BTreeSet<(&str, &str)> =
        may_use.iter().flat_map(|&(from, rooms)| rooms.iter().map(move |&to| (from, to))).collect();
    let mut used = BTreeSet::new();
    let mut faults = Vec::new();
    for reference in house.references() {
        let edge = (reference.from.room(), reference.to.room());
        if edge.0 != edge.1 && used.insert(edge) && !allowed.contains(&edge) {
            faults.push(format!("{}:{}: {} may not use {}", reference.from.path, reference.line, edge.0, edge.1));
        }
    }
    for room in rooms.iter().filter(|&&room| room != "lib" && !may_use.iter().any(|&(from, _)| from == room)) {
        faults.push(format!("the room {room} is not in the table"));
    }
    let unused = allowed.iter().filter(|edge| rooms.contains(edge.0) && rooms.contains(edge.1) && !used.contains(edge));
    faults.extend(unused.map(|(from, to)| format!("the table lets {from} use {to}, which it does not")));
    faults
}

type Graph<'h> = BTreeMap<&'h str, BTreeSet<&'h str>>;

/// Cycles between rooms, and between files of one room other than a parent and its child.
fn cycles(house: &House) -> Vec<String> {
    let (mut rooms, mut files) = (Graph::new(), Graph::new());
    for reference in house.references() {
        let (from, to) = (reference.from, reference.to);
        if from.room() != to.room() {
            rooms.entry(from.room()).or_default().insert(to.room());
        } else if !from.module.starts_with(&to.module) && !to.module.starts_with(&from.module) {
            files.entry(&from.path).or_default().insert(&to.path);
        }
    }
    let mut faults = Vec::new();
    for graph in [&mut rooms, &mut files] {
        while let Some(cycle) = cycle(graph) {
            faults.push(format!("a cycle: {}", cycle.join(" → ")));
            if let [from, to, ..] = cycle[..] {
                graph.entry(from).or_default().remove(to);
            }
        }
    }
    faults
}

/// One cycle of `graph`, its first node repeated at the end; `None` when there is none. What leads nowhere is
/// taken off until everything left leads on; then any walk comes back to where it was.
fn cycle<'h>(graph: &Graph<'h>) -> Option<Vec<&'h str>> {
    let mut left = graph.clone();
    loop {
        let nodes: BTreeSet<&str> = left.keys().copied().collect();
        let before: usize = left.values().map(BTreeSet::len).sum();
        left.values_mut().for_each(|tos| tos.retain(|to| nodes.contains(to)));
        left.retain(|_, tos| !tos.is_empty());
        if before == left.values().map(BTreeSet::len).sum::<usize>() && nodes.len() == left.len() {
            break;
        }
    }
    let mut walk = vec![*left.keys().next()?];
    loop {
        let next = *left.get(walk.last()?)?.first()?;
        let seen = walk.iter().position(|&node| node == next);
        walk.push(next);
        if let Some(start) = seen {
            return Some(walk.split_off(start));
        }
    }
}

/// Words in a file that does not own them.
fn words(file: &File, faults: &mut Vec<String>) {
    let mut fault = |line: u32, word: &str, why: &str| faults.push(format!("{}:{line}: {word}: {why}", file.path));
    if file.path != UNSAFE_ONLY {
        for token in file.tokens.iter().filter(|token| token.text == "unsafe") {
            fault(token.line, "unsafe", &format!("only {UNSAFE_ONLY} may"));
        }
    }
    let name = file.module.join("/");
    let within = |rooms: &[&str]| {
        rooms.iter().any(|&room| name.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let banned = [
        (SYSTEM_WORDS, file.path != SYSTEM_ONLY, "only system.rs asks the system for time and entropy"),
        (IMPURE_WORDS, within(PURE_ROOMS), "this room knows no sockets, files or threads"),
        (WAITING_WORDS, within(QUERY_ROOMS), "nothing on the path of a query waits or logs"),
    ];
    for (words, _, why) in banned.into_iter().filter(|(_, applies, _)| *applies) {
        for &word in words {
            match word.split_once("::") {
                Some((from, to)) => {
                    let says = |path: &&crate::source::Path| path.segments.windows(2).any(|pair| pair == [from, to]);
                    file.paths.iter().filter(says).for_each(|path| fault(path.line, word, why));
                }
                None => {
                    let says = |token: &&crate::source::Token| token.text == word;
                    file.served.iter().filter(says).for_each(|token| fault(token.line, word, why));
                }
            }
        }
    }
}

/// What is planted is found, and what is right is left alone.
#[test]
fn planted_faults_are_found() {
    let table: &[(&str, &[&str])] =
        &[("zone", &["wire"]), ("health", &[]), ("wire", &[]), ("system", &[]), ("transport", &[])];
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        let mut texts: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), format!("//! A file.\n{text}"))).collect();
        for needed in ["lib.rs", "zone/mod.rs", "wire/mod.rs"] {
            if !files.iter().any(|(path, _)| *path == needed) {
                texts.push((needed.to_owned(), "//! A file.".to_owned()));
            }
        }
        if !files.iter().any(|(path, _)| *path == "zone/tree.rs") {
            texts.push(("zone/tree.rs".to_owned(), "//! A file.\nuse crate::wire::Name;".to_owned()));
        }
        assert_eq!(faults(&House::read(&texts), table), expected, "{files:?}");
    };
    check(&[], &[]);
    check(&[("health/mod.rs", "fn f() {\n crate::zone::x() }")], &["health/mod.rs:3: health may not use zone"]);
    check(&[("health/mod.rs", "// crate::zone::x\n#[cfg(test)] mod t { use crate::zone; }")], &[]);
    check(&[("geo.rs", "")], &["the room geo is not in the table"]);
    check(&[("zone/tree.rs", "")], &["the table lets zone use wire, which it does not"]);
    check(
        &[("wire/mod.rs", "use crate::zone::Y;")],
        &["wire/mod.rs:2: wire may not use zone", "a cycle: wire → zone → wire"],
    );
    let siblings =
        [("zone/a.rs", "use super::B;"), ("zone/b.rs", "use super::a::A;"), ("zone/mod.rs", "pub use b::B;")];
    check(&siblings, &["a cycle: zone/a.rs → zone/b.rs → zone/a.rs"]);
    check(&[("zone/a.rs", "use super::X; mod b;"), ("zone/a/b.rs", "use super::Y;")], &[]);
    check(&[("zone/a.rs", "#[cfg(test)] mod t { unsafe {} }")], &["zone/a.rs:2: unsafe: only transport/socket.rs may"]);
    check(&[("transport/socket.rs", "unsafe {}")], &[]);
    let clock = "only system.rs asks the system for time and entropy";
    check(&[("zone/a.rs", "let x = std::time::Instant::now();")], &[&format!("zone/a.rs:2: Instant::now: {clock}")]);
    check(&[("zone/a.rs", "use std::hash::{RandomState, X};")], &[&format!("zone/a.rs:2: RandomState: {clock}")]);
    check(&[("system.rs", "let x = Instant::now();"), ("zone/a.rs", "fn f(x: Instant) {}")], &[]);
    let pure = "this room knows no sockets, files or threads";
    check(&[("wire/a.rs", "use std::{fs, io};")], &[&format!("wire/a.rs:2: std::fs: {pure}")]);
    check(&[("wire/a.rs", "use std::net::{IpAddr, UdpSocket};")], &[&format!("wire/a.rs:2: UdpSocket: {pure}")]);
    check(&[("zone/a.rs", "use std::{fs, io};")], &[]);
    let waiting = "nothing on the path of a query waits or logs";
    check(&[("wire/a.rs", "let x = Mutex::new(1);")], &[&format!("wire/a.rs:2: Mutex: {waiting}")]);
    let headless = House::read(&[("lib.rs".to_owned(), "mod a;".to_owned())]);
    assert_eq!(faults(&headless, &[]), ["lib.rs: does not begin with //!"]);
}
