//! `dig` (BIND) and `kdig` (Knot) as clients, and what they print, read back.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::peer;

/// Which of the two is run. They print the same things in slightly different words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// ISC's `dig`.
    Dig,
    /// Knot's `kdig`.
    Kdig,
}

/// One that is installed.
#[derive(Clone, Debug)]
pub(crate) struct Dig {
    program: Program,
    path: std::path::PathBuf,
}

/// What was printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    /// `NOERROR`, `NXDOMAIN`, …
    pub(crate) status: String,
    /// In small letters: `qr`, `aa`, `tc`, …
    pub(crate) flags: Vec<String>,
    /// The name of the question section, its case kept.
    pub(crate) question: String,
    /// The answer section.
    pub(crate) answer: Vec<Line>,
    /// The authority section.
    pub(crate) authority: Vec<Line>,
    /// The additional section, without OPT.
    pub(crate) additional: Vec<Line>,
    /// The UDP size of the server's OPT record, if it sent one.
    pub(crate) udp_size: Option<u16>,
    /// `UDP` or `TCP`: what the last answer came over.
    pub(crate) transport: String,
    /// All of it, for messages.
    pub(crate) text: String,
}

/// One record in presentation format.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// The owner name as printed, its case kept.
    pub(crate) owner: String,
    /// Seconds.
    pub(crate) ttl: u32,
    /// `A`, `MX`, …
    pub(crate) rtype: String,
    /// Everything after the type, with single blanks.
    pub(crate) rdata: String,
}

impl Dig {
    /// Both programs, as far as they are installed; the missing ones have been named.
    pub(crate) fn installed() -> Vec<Self> {
        [Program::Dig, Program::Kdig].into_iter().filter_map(Self::find).collect()
    }

    /// This program, if it is installed.
    pub(crate) fn find(program: Program) -> Option<Self> {
        let path = match program {
            Program::Dig => peer::find("dig", "dnsutils"),
            Program::Kdig => peer::find("kdig", "knot-dnsutils"),
        }?;
        Some(Self { program, path })
    }

    /// Which of the two it is.
    pub(crate) fn program(&self) -> Program {
        self.program
    }

    /// Asks `server` with the words of a command line: `["www.example.com", "A", "+tcp"]`. One try, no `~/.digrc`.
    ///
    /// # Panics
    /// When the program says that there was no answer.
    pub(crate) fn ask(&self, server: SocketAddr, words: &[&str]) -> Reply {
        let mut command = Command::new(&self.path);
        // An empty home: a person's own `.digrc` must not change what is asked.
        command.env("HOME", "/nonexistent").stdin(Stdio::null());
        command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string(), "+norec", "+time=10"]);
        match self.program {
            Program::Dig => command.arg("+tries=1"),
            // Without EDNS unless told otherwise, so both programs start from the same question.
            Program::Kdig => command.args(["+retry=0", "+edns", "+bufsize=1232"]),
        };
        command.args(words);
        let output = command.output().expect("an installed program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?} {words:?} failed:\n{text}{errors}", self.program);
        let reply = Reply::read(&text);
        assert!(!reply.status.is_empty(), "{:?} {words:?} printed no answer:\n{text}{errors}", self.program);
        reply
    }
}

impl Reply {
    /// Whether this flag is set.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|set| set == flag)
    }

    /// The data of the answer section, sorted, for comparing as a set.
    pub(crate) fn data(&self) -> Vec<&str> {
        let mut data: Vec<_> = self.answer.iter().map(|line| line.rdata.as_str()).collect();
        data.sort_unstable();
        data
    }

    /// Reads the output of either program. When a truncated answer was asked for again, the last answer counts.
    fn read(text: &str) -> Self {
        let mut reply = Self::default();
        let mut section = Section::None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix(";; ->>HEADER<<- ") {
                let words = words_of(rest);
                let status = after(&words, "status:").unwrap_or_default().to_owned();
                reply = Self { status, ..Self::default() };
                section = Section::None;
            } else if let Some(rest) = line.strip_prefix(";; flags: ").or_else(|| line.strip_prefix(";; Flags: ")) {
                let flags = rest.split(';').next().unwrap_or_default();
                reply.flags = flags.split_whitespace().map(str::to_lowercase).collect();
            } else if line.starts_with(";; ") && line.ends_with("SECTION:") {
                section = Section::of(line);
            } else if line.starts_with("; EDNS:") || line.starts_with(";; Version:") {
                let words = words_of(line);
                reply.udp_size = after(&words, "udp:").or_else(|| after(&words, "size:")).and_then(|w| w.parse().ok());
            } else if line.starts_with(";; SERVER:") || line.starts_with(";; From ") {
                let transport = line.rsplit_once("(UDP)").map_or("TCP", |_| "UDP");
                transport.clone_into(&mut reply.transport);
            } else if section == Section::Question && line.starts_with(';') {
                let name = line.trim_start_matches(';').split_whitespace().next().unwrap_or_default();
                name.clone_into(&mut reply.question);
                section = Section::None;
            } else if let Some(record) = Line::read(line) {
                match section {
                    Section::Answer => reply.answer.push(record),
                    Section::Authority => reply.authority.push(record),
                    Section::Additional => reply.additional.push(record),
                    Section::Question | Section::None => {}
                }
            }
        }
        text.clone_into(&mut reply.text);
        reply
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Question,
    Answer,
    Authority,
    Additional,
}

impl Section {
    fn of(heading: &str) -> Self {
        match heading.trim_start_matches(";; ").split(' ').next() {
            Some("QUESTION") => Self::Question,
            Some("ANSWER") => Self::Answer,
            Some("AUTHORITY") => Self::Authority,
            Some("ADDITIONAL") => Self::Additional,
            _ => Self::None,
        }
    }
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        if line.starts_with(';') {
            return None;
        }
        let mut words = line.split_whitespace();
        let owner = words.next()?.to_owned();
        let ttl = words.next()?.parse().ok()?;
        let _class = words.next()?;
        let rtype = words.next()?.to_owned();
        Some(Self { owner, ttl, rtype, rdata: words.collect::<Vec<_>>().join(" ") })
    }
}

fn words_of(line: &str) -> Vec<&str> {
    line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect()
}

fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().position(|&word| word == key).and_then(|at| words.get(at + 1)).copied()
}

#[test]
fn both_formats_are_read() {
    // As the programs print them, so that a fault in the reader does not look like one in the server.
    let dig = ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n\
        ;; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1\n\n\
        ;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n\
        ;; QUESTION SECTION:\n;wWw.example.com.\t\tIN\tA\n\n\
        ;; ANSWER SECTION:\nwWw.example.com.\t3\tIN\tA\t192.0.2.9\n\n\
        ;; Query time: 0 msec\n;; SERVER: 127.9.9.1#5300(127.9.9.1) (UDP)\n";
    let kdig = ";; ->>HEADER<<- opcode: QUERY; status: NOERROR; id: 1\n\
        ;; Flags: qr aa; QUERY: 1; ANSWER: 1; AUTHORITY: 0; ADDITIONAL: 1\n\n\
        ;; EDNS PSEUDOSECTION:\n;; Version: 0; flags: ; UDP size: 1232 B; ext-rcode: NOERROR\n\n\
        ;; QUESTION SECTION:\n;; wWw.example.com.    \t\tIN\tA\n\n\
        ;; ANSWER SECTION:\nwWw.example.com.    \t3\tIN\tA\t192.0.2.9\n\n\
        ;; Received 60 B\n;; From 127.9.9.1@5300(UDP) in 0.6 ms\n";
    for text in [dig, kdig] {
        let reply = Reply::read(text);
        assert_eq!((reply.status.as_str(), reply.udp_size), ("NOERROR", Some(1232)), "{text}");
        assert_eq!((reply.flags.join(" ").as_str(), reply.transport.as_str()), ("qr aa", "UDP"), "{text}");
        assert_eq!((reply.question.as_str(), reply.data()), ("wWw.example.com.", vec!["192.0.2.9"]), "{text}");
    }
}
