//! The corners of DNS as data: zones, questions, and all that must come back. `tests/corners/README.md` says how
//! they are written. The same files are put to `answer()`, to a running server over every door, and to other makes.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{DNSClass, RData, Record};

/// One file.
pub(crate) struct Corners {
    pub(crate) path: PathBuf,
    /// Files of the zones folder: names and texts.
    pub(crate) files: Vec<(String, String)>,
    /// The server file, as far as it is not where to listen.
    pub(crate) server: String,
    /// Why other makes are not asked.
    pub(crate) ours_alone: Option<String>,
    pub(crate) cases: Vec<Case>,
}

/// A question and what must come back.
pub(crate) struct Case {
    pub(crate) line: usize,
    pub(crate) question: String,
    pub(crate) expected: Vec<String>,
    pub(crate) leeway: Vec<Leeway>,
}

/// What another make may say differently.
pub(crate) struct Leeway {
    /// Its name, or `all`.
    pub(crate) who: String,
    /// `head`, `an`, `ns`, `ar` or `opt`: the lines that may differ.
    pub(crate) parts: Vec<String>,
    pub(crate) why: String,
}

/// A question in octets, and by which way it comes.
pub(crate) struct Asked {
    pub(crate) octets: Vec<u8>,
    /// Names of doors; all of them when there is none.
    pub(crate) over: Vec<String>,
    /// A source that only `answer()` can be told.
    pub(crate) from: Option<IpAddr>,
}

impl Corners {
    /// Every file of `tests/corners`.
    pub(crate) fn all() -> Vec<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corners");
        let entries = fs::read_dir(folder).expect("the folder of corners");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("a file of corners");
        let mut read = Self { path, files: Vec::new(), server: String::new(), ours_alone: None, cases: Vec::new() };
        let mut part = String::new();
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(head) = line.strip_prefix("== ") {
                part = head.to_owned();
                match part.split_once(' ') {
                    Some(("zone", apex)) => read.files.push((format!("{apex}.zone"), String::new())),
                    Some(("policy", apex)) => read.files.push((format!("{apex}.toml"), String::new())),
                    Some(("ours", why)) => read.ours_alone = Some(why.to_owned()),
                    _ => assert!(matches!(&*part, "server" | "cases"), "{}:{number}: {line}", read.path.display()),
                }
                continue;
            }
            match part.split(' ').next() {
                Some("zone" | "policy") => {
                    let (_, text) = read.files.last_mut().expect("a file");
                    writeln!(text, "{line}").expect("a string");
                }
                Some("server") => writeln!(read.server, "{line}").expect("a string"),
                Some("cases") => read.case_line(number, line),
                _ => assert!(line.is_empty() || line.starts_with('#'), "{}:{number}", read.path.display()),
            }
        }
        read
    }

    fn case_line(&mut self, line: usize, text: &str) {
        if let Some(question) = text.strip_prefix("? ") {
            let (question, expected, leeway) = (question.to_owned(), Vec::new(), Vec::new());
            self.cases.push(Case { line, question, expected, leeway });
        } else if let Some(leeway) = text.strip_prefix("~ ") {
            let (what, why) = leeway.split_once(": ").expect("a reason");
            let mut words = what.split(' ').map(str::to_owned);
            let leeway = Leeway { who: words.next().expect("a name"), parts: words.collect(), why: why.to_owned() };
            self.cases.last_mut().expect("a case").leeway.push(leeway);
        } else if !text.is_empty() && !text.starts_with('#') {
            self.cases.last_mut().expect("a case").expected.push(text.to_owned());
        }
    }

    /// Writes `found` in the place of what each case expects: for whoever adds cases, and then reads every line.
    pub(crate) fn rewrite(&self, found: &[(usize, Vec<String>)]) {
        let text = fs::read_to_string(&self.path).expect("a file of corners");
        let (mut out, mut is_case) = (String::new(), false);
        for (number, line) in (1..).zip(text.lines()) {
            let asked = found.iter().find(|(at, _)| *at == number);
            is_case = asked.is_some() || is_case && !(line.is_empty() || line.starts_with(['#', '=', '?']));
            if !is_case || asked.is_some() || line.starts_with('~') {
                writeln!(out, "{line}").expect("a string");
            }
            for line in asked.into_iter().flat_map(|(_, lines)| lines) {
                writeln!(out, "{line}").expect("a string");
            }
        }
        fs::write(&self.path, out).expect("written");
    }
}

impl Case {
    /// The question in octets.
    pub(crate) fn ask(&self) -> Asked {
        let mut words = self.question.split(' ');
        let (name, rtype) = (words.next().expect("a name"), words.next().expect("a type"));
        let mut ask = Asked { octets: Vec::new(), over: Vec::new(), from: None };
        let (mut flags, mut class, mut questions) = (0_u16, 1_u16, 1_u8);
        let mut opt: Option<(u16, u32, Vec<u8>)> = None;
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<u16>().unwrap_or_else(|_| panic!("{word}: not a number"));
            let mut option = |code: u16, data: &[u8]| {
                let (_, _, options) = opt.get_or_insert((1232, 0, Vec::new()));
                options.extend([code.to_be_bytes(), (data.len() as u16).to_be_bytes()].concat());
                options.extend(data);
            };
            match key {
                "over" => ask.over = value.split(',').map(str::to_owned).collect(),
                "from" => ask.from = Some(value.parse().expect("an address")),
                "flags" => flags |= value.split(',').map(flag).fold(0, |flags, flag| flags | flag),
                "opcode" => flags |= number() << 11,
                "class" => class = if value == "CH" { 3 } else { number() },
                "questions" => questions = number() as u8,
                "nsid" => option(3, &[]),
                "keepalive" => option(11, &[]),
                "pad" => option(12, &vec![0; number().into()]),
                "cookie" => option(10, &hexadecimal(value)),
                "opt" => {
                    let (code, data) = value.split_once(':').expect("a code and octets");
                    option(code.parse().expect("a code"), &hexadecimal(data));
                }
                "edns" | "do" | "payload" | "version" | "z" => {
                    let (payload, ttl, _) = opt.get_or_insert((1232, 0, Vec::new()));
                    match key {
                        "do" => *ttl |= 0x8000,
                        "z" => *ttl |= u32::from(number()),
                        "version" => *ttl |= u32::from(number()) << 16,
                        "payload" => *payload = number(),
                        _ => {}
                    }
                }
                _ => panic!("{}: no word of a question", word),
            }
        }
        let rtype = match rtype.strip_prefix("TYPE") {
            Some(number) => number.parse().expect("a number"),
            None => u16::from(rtype.parse::<hickory_proto::rr::RecordType>().expect("a type")),
        };
        let head = [0xbe11, flags, u16::from(questions), 0, 0, u16::from(opt.is_some())];
        ask.octets.extend(head.map(u16::to_be_bytes).concat());
        for _ in 0..questions {
            ask.octets.extend(wire(name));
            ask.octets.extend([rtype, class].map(u16::to_be_bytes).concat());
        }
        if let Some((payload, ttl, options)) = opt {
            ask.octets.extend([0, 0, 41]);
            ask.octets.extend(payload.to_be_bytes());
            ask.octets.extend(ttl.to_be_bytes());
            ask.octets.extend((options.len() as u16).to_be_bytes());
            ask.octets.extend(options);
        }
        ask
    }
}

fn flag(name: &str) -> u16 {
    match name {
        "qr" => 1 << 15,
        "aa" => 1 << 10,
        "tc" => 1 << 9,
        "rd" => 1 << 8,
        "ra" => 1 << 7,
        "z" => 1 << 6,
        "ad" => 1 << 5,
        "cd" => 1 << 4,
        _ => panic!("{name}: no flag"),
    }
}

fn wire(name: &str) -> Vec<u8> {
    bellwether::wire::name::Name::from_text(name.as_bytes(), None).expect("a name").as_wire().to_vec()
}

fn hexadecimal(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn text_of(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

/// A response, line by line: code and flags; the records of each section, sorted, since sets have no order; the OPT
/// record. Nothing that came back is left out but the question, which is the request's, case and all.
pub(crate) fn shown(request: &[u8], response: &[u8]) -> Vec<String> {
    if response.is_empty() {
        return vec!["silence".to_owned()];
    }
    assert_eq!(response[..2], request[..2], "the id");
    let message = Message::from_vec(response).unwrap_or_else(|error| panic!("{error}: {response:02x?}"));
    let mut head = match message.metadata.response_code {
        // One number with two names: BADSIG in TSIG, BADVERS in EDNS (RFC 6895 §2.3).
        ResponseCode::BADSIG => "BADVERS".to_owned(),
        code => format!("{code:?}"),
    };
    let opcode = response[2] >> 3 & 0xf;
    if opcode != 0 {
        write!(head, " opcode={opcode}").expect("a string");
    }
    let bits = u16::from_be_bytes([response[2], response[3]]);
    assert_eq!(bits & flag("qr"), flag("qr"), "QR");
    for name in ["aa", "tc", "rd", "ra", "z", "ad", "cd"] {
        if bits & flag(name) != 0 {
            write!(head, " {name}").expect("a string");
        }
    }
    let mut lines = vec![head];
    match message.queries.first() {
        None => lines.push("no question".to_owned()),
        Some(query) => {
            let length = query.name.len() + 4;
            assert_eq!(response.get(12..12 + length), request.get(12..12 + length), "the question");
        }
    }
    for (section, records) in [("an", &message.answers), ("ns", &message.authorities), ("ar", &message.additionals)] {
        let mut records: Vec<String> = records.iter().map(|record| format!("{section} {}", line_of(record))).collect();
        records.sort();
        lines.extend(records);
    }
    lines.extend(message.edns.as_ref().map(|_| opt_of(&message, response.len())));
    lines
}

fn line_of(record: &Record) -> String {
    let class = if record.dns_class == DNSClass::CH { "CH " } else { "" };
    let (rtype, rdata) = match &record.data {
        // Unknown to the decoder; its name is never compressed (RFC 6672 §2.5).
        RData::Unknown { code, rdata } if u16::from(*code) == 39 => ("DNAME".to_owned(), dotted(&rdata.anything)),
        RData::Unknown { code, rdata } => {
            (format!("TYPE{}", u16::from(*code)), format!("\\# {} {}", rdata.anything.len(), text_of(&rdata.anything)))
        }
        RData::TXT(text) => {
            let quoted = text.txt_data.iter().map(|text| format!("\"{}\"", String::from_utf8_lossy(text)));
            ("TXT".to_owned(), quoted.collect::<Vec<_>>().join(" "))
        }
        data => (record.record_type().to_string(), data.to_string()),
    };
    format!("{} {} {class}{rtype} {rdata}", record.name, record.ttl)
}

fn dotted(mut name: &[u8]) -> String {
    let mut text = String::new();
    while let [length @ 1..=63, rest @ ..] = name {
        let (label, rest) = rest.split_at((*length).into());
        write!(text, "{}.", String::from_utf8_lossy(label)).expect("a string");
        name = rest;
    }
    text
}

fn opt_of(message: &Message, octets: usize) -> String {
    let edns = message.edns.as_ref().expect("an OPT record");
    assert_eq!(edns.version(), 0, "the version");
    let mut line = format!("opt {}", edns.max_payload());
    if edns.flags().dnssec_ok {
        line += " do";
    }
    if edns.flags().z != 0 {
        write!(line, " z={}", edns.flags().z).expect("a string");
    }
    for (code, option) in &edns.options().options {
        let data = Vec::<u8>::try_from(option).expect("an option");
        let said = match (u16::from(*code), option) {
            (3, _) => format!("nsid={}", String::from_utf8_lossy(&data)),
            (8, EdnsOption::Subnet(subnet)) => {
                format!("ecs={}/{}/{}", subnet.addr(), subnet.source_prefix(), subnet.scope_prefix())
            }
            (10, _) if data.len() == 24 => format!("cookie={}+16", text_of(&data[..8])),
            (11, _) => format!("keepalive={}", u16::from_be_bytes([data[0], data[1]])),
            (12, _) => format!("padded-to={octets}"),
            (15, _) => {
                let text = String::from_utf8_lossy(&data[2..]);
                let text = if text.is_empty() { String::new() } else { format!(" \"{text}\"") };
                format!("ede={}{text}", u16::from_be_bytes([data[0], data[1]]))
            }
            (code, _) => format!("opt={code}:{}", text_of(&data)),
        };
        write!(line, " {said}").expect("a string");
    }
    line
}
