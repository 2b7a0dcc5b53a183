//! `dig` and `kdig` ask for a static zone, over UDP and TCP, and get what an operator would expect to see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use hickory_proto::rr::RecordType;

use crate::support::PATIENCE;
use crate::support::address::{self, own_ip};
use crate::support::client;
use crate::support::dig::{Dig, Line, Program};
use crate::support::peer::say;
use crate::support::server::{Launch, Server};

const ZONE: &str = include_str!("example.com.zone");

fn server() -> Server {
    Server::serving(&[("example.com.zone", ZONE)])
}

/// What one question must bring.
struct Expected<'a> {
    question: [&'a str; 2],
    status: &'a str,
    /// Whether we answer with authority.
    aa: bool,
    /// The data of the answer section, sorted.
    answer: &'a [&'a str],
    /// The types and owners of the authority section, sorted.
    authority: &'a [&'a str],
}

#[test]
fn both_programs_read_the_static_zone_over_udp_and_tcp() {
    let server = server();
    let check = |expected: &Expected<'_>| {
        for dig in Dig::installed() {
            for transport in ["UDP", "TCP"] {
                let [name, rtype] = expected.question;
                let switch = if transport == "TCP" { "+tcp" } else { "+notcp" };
                let reply = dig.ask(server.address, &[name, rtype, switch]);
                let text = &reply.text;
                assert_eq!(reply.status, expected.status, "{text}");
                assert!(reply.has("qr") && !reply.has("ra") && !reply.has("tc"), "{text}");
                assert_eq!(reply.has("aa"), expected.aa, "{text}");
                assert_eq!(reply.data(), expected.answer, "{text}");
                assert_eq!(kinds(&reply.authority), expected.authority, "{text}");
                assert_eq!(reply.transport, transport, "{text}");
                assert_eq!(reply.udp_size, Some(1232), "{text}");
            }
        }
    };
    let answered =
        |name, rtype, answer| Expected { question: [name, rtype], status: "NOERROR", aa: true, answer, authority: &[] };
    check(&answered("www.example.com", "A", &["192.0.2.10", "192.0.2.11", "192.0.2.12"]));
    check(&answered("www.example.com", "AAAA", &["2001:db8::10"]));
    check(&answered("example.com", "MX", &["10 mail.example.com.", "20 mail.example.net."]));
    check(&answered("example.com", "TXT", &[r#""two strings" " in one record""#, r#""v=spf1 -all""#]));
    check(&answered("example.com", "CAA", &[r#"0 issue "ca.example.net""#]));
    check(&answered("_sip._tcp.example.com", "SRV", &["10 60 5060 www.example.com.", "20 40 5060 mail.example.com."]));
    check(&answered("gen3.example.com", "A", &["192.0.2.103"]));
    check(&answered("unknown.example.com", "TYPE65280", &[r"\# 4 0A000001"]));
    // Wildcards: the owner is the name that was asked for (RFC 1034 §4.3.3).
    check(&answered("any.thing.wild.example.com", "A", &["192.0.2.77"]));
    check(&answered("alias.example.com", "A", &["192.0.2.10", "192.0.2.11", "192.0.2.12", "www.example.com."]));
    let soa = &["SOA example.com."][..];
    let denied =
        |name, rtype, status| Expected { question: [name, rtype], status, aa: true, answer: &[], authority: soa };
    check(&denied("nowhere.example.com", "A", "NXDOMAIN"));
    check(&denied("v4.example.com", "AAAA", "NOERROR"));
    check(&denied("b.empty.example.com", "A", "NOERROR"));
    check(&denied("blocked.wild.example.com", "A", "NOERROR"));
    check(&denied("deep.wild.example.com", "A", "NOERROR"));
    check(&denied("x.deep.wild.example.com", "A", "NXDOMAIN"));
}

#[test]
fn a_denial_may_be_cached_for_the_negative_ttl() {
    let server = server();
    for dig in Dig::installed() {
        let reply = dig.ask(server.address, &["nowhere.example.com", "A"]);
        // The lesser of the SOA's TTL and its last field (RFC 2308 §3).
        assert_eq!(reply.authority.iter().map(|line| line.ttl).collect::<Vec<_>>(), [300], "{}", reply.text);
    }
}

#[test]
fn a_delegation_is_referred_with_its_glue() {
    let server = server();
    for dig in Dig::installed() {
        for name in ["sub.example.com", "host.sub.example.com", "below.sub.example.com"] {
            let reply = dig.ask(server.address, &[name, "A"]);
            let text = &reply.text;
            assert_eq!((reply.status.as_str(), reply.has("aa")), ("NOERROR", false), "{text}");
            assert!(reply.answer.is_empty(), "{text}");
            let ns: Vec<_> = reply.authority.iter().filter(|line| line.rtype == "NS").collect();
            assert!(ns.iter().all(|line| line.owner == "sub.example.com."), "{text}");
            assert_eq!(ns.len(), 2, "{text}");
            let glue = kinds(&reply.additional);
            assert_eq!(glue, ["A ns1.sub.example.com.", "AAAA ns1.sub.example.com."], "{text}");
        }
    }
}

#[test]
fn names_outside_every_zone_are_refused() {
    let server = server();
    for dig in Dig::installed() {
        let reply = dig.ask(server.address, &["www.example.org", "A"]);
        assert_eq!(reply.status, "REFUSED", "{}", reply.text);
        assert!(!reply.has("aa") && reply.answer.is_empty() && reply.authority.is_empty(), "{}", reply.text);
    }
}

#[test]
fn an_answer_too_large_for_udp_is_truncated_and_comes_over_tcp() {
    let server = server();
    for dig in Dig::installed() {
        for limit in [&["+noedns"][..], &["+bufsize=512"], &["+bufsize=1232"], &["+bufsize=4096"]] {
            let words = [&["big.example.com", "TXT"], limit].concat();
            let cut = dig.ask(server.address, &[&words[..], &["+ignore"]].concat());
            assert!(cut.has("tc") && cut.transport == "UDP", "{}", cut.text);
            let whole = dig.ask(server.address, &words);
            assert_eq!((whole.transport.as_str(), whole.answer.len()), ("TCP", 60), "{}", whole.text);
            assert!(!whole.has("tc"), "{}", whole.text);
        }
    }
}

#[test]
fn edns_is_answered_in_kind() {
    let server = server();
    for dig in Dig::installed() {
        let size = |words: &[&str]| {
            let reply = dig.ask(server.address, &[&["www.example.com", "A"], words].concat());
            (reply.status, reply.udp_size)
        };
        assert_eq!(size(&["+bufsize=4096"]), ("NOERROR".to_owned(), Some(1232)));
        // No OPT in, no OPT out (RFC 6891 §7).
        assert_eq!(size(&["+noedns"]), ("NOERROR".to_owned(), None));
        if dig.program() == Program::Dig {
            // RFC 6891 §6.1.3: a version that is not ours is BADVERS; dig shows it and asks again with 0 unless told.
            assert_eq!(size(&["+edns=1", "+noednsnegotiation"]), ("BADVERS".to_owned(), Some(1232)));
            // An option that nobody knows is ignored (§6.1.2).
            assert_eq!(size(&["+ednsopt=65001:abcd"]), ("NOERROR".to_owned(), Some(1232)));
        }
    }
}

#[test]
fn the_case_of_the_question_comes_back() {
    let server = server();
    // Not kdig, which asks in small letters whatever it is told.
    let dig = Dig::find(Program::Dig);
    for name in ["WwW.ExAmPlE.cOm.", "mixedcase.EXAMPLE.com.", "any.WILD.example.com.", "NoWhere.Example.COM."] {
        let question = client::octets_of(&client::question_without_edns(name, RecordType::A));
        let answer = server.client().exchange_within(&question, PATIENCE).expect("an answer");
        // Everything after the header is the question; resolvers that mix the case compare it to the octet.
        assert_eq!(answer.get(12..question.len()), question.get(12..), "the question section for {name}");
        let Some(dig) = &dig else { continue };
        let reply = dig.ask(server.address, &[name, "A"]);
        assert_eq!(reply.question, name, "{}", reply.text);
        // Names are compressed against the question, so the owner of an answer has its case too.
        assert!(reply.answer.iter().all(|line| line.owner == name), "{}", reply.text);
    }
}

#[test]
fn any_is_answered_with_little() {
    let server = server();
    for dig in Dig::installed() {
        let reply = dig.ask(server.address, &["example.com", "ANY", "+notcp"]);
        // RFC 8482 §4.1 and §4.2: one record set, or a synthesised HINFO; never everything.
        let mut types: Vec<_> = reply.answer.iter().map(|line| line.rtype.as_str()).collect();
        types.dedup();
        assert_eq!((reply.status.as_str(), types.len()), ("NOERROR", 1), "{}", reply.text);
    }
}

#[test]
fn the_version_is_nobodys_business() {
    let server = server();
    for dig in Dig::installed() {
        let reply = dig.ask(server.address, &["version.bind", "TXT", "-c", "CH"]);
        assert_eq!((reply.status.as_str(), reply.answer.len()), ("REFUSED", 0), "{}", reply.text);
    }
}

#[test]
fn ipv6_is_served() {
    // Containers often have none, and then there is nothing to ask.
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        say("this machine has no address ::1; test not run");
        return;
    }
    let address = address::shared(Ipv6Addr::LOCALHOST.into());
    let server = Launch::new().file("example.com.zone", ZONE).listen(address).start();
    for dig in Dig::installed() {
        for transport in ["+notcp", "+tcp"] {
            let reply = dig.ask(server.address, &["v4.example.com", "A", transport]);
            assert_eq!(reply.data(), ["192.0.2.4"], "{}", reply.text);
        }
    }
}

#[test]
fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
    let wildcard = address::shared(Ipv4Addr::UNSPECIFIED.into());
    let server = Launch::new().file("example.com.zone", ZONE).listen(wildcard).start();
    // Both programs drop, or complain of, an answer that comes from another address than they asked.
    let check = |ip: IpAddr| {
        let asked = SocketAddr::new(ip, server.address.port());
        for dig in Dig::installed() {
            let reply = dig.ask(asked, &["v4.example.com", "A", "+notcp"]);
            assert_eq!(reply.data(), ["192.0.2.4"], "{}", reply.text);
            assert!(!reply.text.contains("unexpected source"), "{}", reply.text);
        }
    };
    check(own_ip().into());
    check(own_ip().into());
    check(Ipv4Addr::LOCALHOST.into());
}

/// `TYPE owner` of each record, sorted, each once.
fn kinds(lines: &[Line]) -> Vec<String> {
    let mut kinds: Vec<_> = lines.iter().map(|line| format!("{} {}", line.rtype, line.owner)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}
