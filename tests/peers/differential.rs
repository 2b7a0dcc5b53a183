//! The same master file, served by us and by BIND, NSD and Knot: every answer must say the same.
//!
//! Compared are the response code, AA and TC, the answer and authority sections as sets of records with their
//! TTLs, and the addresses of the glue. [`LEEWAY`] lists what may differ, each with its reason; a difference that
//! is not listed fails the test, and so does a line of the list that no peer needs.

use std::fmt;

use hickory_proto::op::Message;
use hickory_proto::rr::{Record, RecordType};

use crate::support::authority::{Authority, Kind};
use crate::support::client::{self, Client};
use crate::support::server::Server;

const ZONE: &str = include_str!("example.com.zone");

/// What is asked: names below `example.com`, `@` for the zone itself, a final dot for a full name.
const QUESTIONS: &[(&str, &[RecordType])] = {
    use RecordType::{A, AAAA, CAA, CNAME, DS, HTTPS, MX, NAPTR, NS, SOA, SRV, TXT, Unknown};
    &[
        ("@", &[SOA, NS, A, AAAA, MX, TXT, CAA, SRV, DS, CNAME]),
        ("ns1", &[A, AAAA, NS]),
        ("mail", &[A, AAAA, MX]),
        ("www", &[A, AAAA, TXT, HTTPS]),
        ("v4", &[A, AAAA]),
        ("alias", &[A, AAAA, CNAME, TXT]),
        ("chain", &[A, AAAA, CNAME, MX]),
        ("dangling", &[A, CNAME]),
        ("outside", &[A, CNAME]),
        ("wildalias", &[A, TXT, MX]),
        ("into-sub", &[A, CNAME]),
        ("loop-a", &[A, CNAME]),
        ("into-loop", &[A]),
        ("x.wildloop", &[A]),
        ("_sip._tcp", &[SRV, A]),
        ("_tcp", &[A, SRV]),
        ("naptr", &[NAPTR, A]),
        ("wild", &[A, TXT]),
        ("*.wild", &[A, TXT, MX]),
        ("any.wild", &[A, TXT, MX, AAAA, NS, DS]),
        ("any.thing.wild", &[A, TXT, AAAA]),
        ("blocked.wild", &[A, TXT]),
        ("below.blocked.wild", &[A, TXT]),
        ("deep.wild", &[A]),
        ("host.deep.wild", &[A, AAAA]),
        ("other.deep.wild", &[A, TXT]),
        ("any.cwild", &[A, AAAA, CNAME, MX]),
        ("empty", &[A, NS]),
        ("b.empty", &[A, DS]),
        ("a.b.empty", &[A, AAAA]),
        ("c.b.empty", &[A]),
        ("sub", &[A, NS, DS, SOA, TXT]),
        ("host.sub", &[A, NS, DS]),
        ("ns1.sub", &[A, AAAA]),
        ("below.sub", &[A, TXT]),
        ("lame", &[A, NS, DS]),
        ("host.lame", &[A]),
        ("sibling", &[NS]),
        ("host.sibling", &[A]),
        ("moved", &[A, RecordType::DNAME]),
        ("host.moved", &[A, CNAME, TXT]),
        ("b.inner", &[A]),
        ("a.b.inner", &[A, AAAA, CNAME]),
        ("x.inner", &[A]),
        ("x.circle", &[A, CNAME]),
        (LONG, &[A, CNAME]),
        ("unknown", &[Unknown(65280), A]),
        ("escaped\\.dot", &[A, TXT]),
        ("MiXeDcAsE", &[A]),
        ("gen1", &[A]),
        ("gen5", &[A]),
        ("big", &[TXT]),
        ("nowhere", &[A, MX, DS]),
        ("below.www", &[A]),
        ("www.example.org.", &[A, SOA]),
        ("com.", &[NS, DS]),
        (".", &[NS, SOA]),
    ]
};

/// A name that its DNAME makes longer than 255 octets.
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
    xxxxxxxxxxxxxxxxxxxx.longer";

/// What is compared, one piece each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Rcode,
    Authoritative,
    Truncated,
    Answer,
    Authority,
    Glue,
}

/// A difference that is allowed.
struct Leeway {
    peer: Kind,
    /// As in [`QUESTIONS`].
    questions: &'static [(&'static str, RecordType)],
    pieces: &'static [Piece],
    /// Why, with the place that allows it.
    why: &'static str,
}

const LEEWAY: &[Leeway] = &[
    Leeway {
        peer: Kind::Bind,
        questions: &[
            ("loop-a", RecordType::A),
            ("into-loop", RecordType::A),
            ("x.wildloop", RecordType::A),
            ("x.circle", RecordType::A),
        ],
        pieces: &[Piece::Rcode],
        why: "RFC 1034 section 3.6.2 has CNAME loops signalled as an error: BIND says SERVFAIL beside the records, \
              NSD and Knot leave the signalling to the resolver",
    },
    Leeway {
        peer: Kind::Knot,
        questions: &[("x.circle", RecordType::A)],
        pieces: &[Piece::Answer],
        why: "Knot repeats the alias that a DNAME onto itself makes; RFC 2181 section 5 knows no record twice in a set",
    },
];

/// What an answer says, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    rcode: String,
    authoritative: bool,
    truncated: bool,
    answer: Vec<String>,
    authority: Vec<String>,
    /// The addresses beside a referral; elsewhere the additional section is a courtesy (RFC 1034 §4.3.2 step 6).
    glue: Vec<String>,
}

impl Said {
    fn of(message: &Message) -> Self {
        // In any order, but each record as often as it came.
        let set = |records: &[Record]| {
            let mut lines: Vec<_> = records.iter().map(line_of).collect();
            lines.sort();
            lines
        };
        let referral = !message.metadata.authoritative && message.answers.is_empty() && !message.authorities.is_empty();
        Self {
            rcode: message.metadata.response_code.to_string(),
            authoritative: message.metadata.authoritative,
            truncated: message.metadata.truncation,
            // How much of a cut answer is kept is everybody's own choice (RFC 2181 §9).
            answer: if message.metadata.truncation { Vec::new() } else { set(&message.answers) },
            authority: if message.metadata.truncation { Vec::new() } else { set(&message.authorities) },
            glue: if referral { set(&message.additionals) } else { Vec::new() },
        }
    }

    fn differences(&self, other: &Self) -> Vec<Piece> {
        [
            (Piece::Rcode, self.rcode != other.rcode),
            (Piece::Authoritative, self.authoritative != other.authoritative),
            (Piece::Truncated, self.truncated != other.truncated),
            (Piece::Answer, self.answer != other.answer),
            (Piece::Authority, self.authority != other.authority),
            (Piece::Glue, self.glue != other.glue),
        ]
        .into_iter()
        .filter_map(|(piece, differs)| differs.then_some(piece))
        .collect()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rcode, authoritative, truncated, answer, authority, glue } = self;
        writeln!(f, "    {rcode}, aa {authoritative}, tc {truncated}")?;
        for (section, lines) in [("answer", answer), ("authority", authority), ("glue", glue)] {
            for line in lines {
                writeln!(f, "    {section}: {line}")?;
            }
        }
        Ok(())
    }
}

/// A record as text, its owner in small letters: the case of names in the data is kept by some and not by others.
fn line_of(record: &Record) -> String {
    let data = &record.data;
    format!("{} {} {} {data:?}", record.name.to_lowercase(), record.ttl, record.record_type())
}

#[test]
fn bind_answers_as_we_do() {
    compare(Kind::Bind);
}

#[test]
fn nsd_answers_as_we_do() {
    compare(Kind::Nsd);
}

#[test]
fn knot_answers_as_we_do() {
    compare(Kind::Knot);
}

fn compare(kind: Kind) {
    let Some(peer) = Authority::serving(kind, "example.com", ZONE) else { return };
    let ours = Server::serving(&[("example.com.zone", ZONE)]);
    let (us, them) = (ours.client(), Client::to(peer.address));
    let leeway: Vec<_> = LEEWAY.iter().filter(|leeway| leeway.peer == kind).collect();
    let mut needed = Vec::new();
    let mut report = String::new();
    let questions = QUESTIONS.iter().flat_map(|&(name, rtypes)| rtypes.iter().map(move |&rtype| (name, rtype)));
    for (name, rtype) in questions {
        for dnssec_ok in [false, true] {
            let qname = full(name);
            let mut question = client::question(&qname, rtype);
            question.edns.get_or_insert_default().set_dnssec_ok(dnssec_ok);
            let (our, their) = (Said::of(&us.ask_message(&question)), Said::of(&them.ask_message(&question)));
            let mut differences = our.differences(&their);
            for leeway in leeway.iter().filter(|leeway| leeway.questions.contains(&(name, rtype))) {
                needed.extend(differences.extract_if(.., |piece| leeway.pieces.contains(piece)).map(|_| (name, rtype)));
            }
            if !differences.is_empty() {
                report += &format!(
                    "{qname} {rtype}, DO {dnssec_ok}: {differences:?} differ\n  ours:\n{our}  {kind}:\n{their}"
                );
            }
        }
    }
    for (leeway, question) in leeway.iter().flat_map(|leeway| leeway.questions.iter().map(move |asked| (leeway, asked)))
    {
        if !needed.contains(question) {
            report += &format!("{question:?}: {kind} agrees, so no leeway is needed ({})\n", leeway.why);
        }
    }
    assert!(report.is_empty(), "{report}");
}

fn full(name: &str) -> String {
    match name {
        "@" => "example.com.".to_owned(),
        name if name.ends_with('.') => name.to_owned(),
        name => format!("{name}.example.com."),
    }
}
