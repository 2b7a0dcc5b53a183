//! What zones are refused for, and what is worth a warning.

use super::*;

const SOA: &[u8] = &[0; 22];
const NS: &[u8] = b"\x02ns\x07example\x03net\x00";

fn faults_of(records: &[(&str, Rtype, u32, &[u8])], balanced: &[&str]) -> Vec<String> {
    let apex = Name::from_host("Example.org").expect("a name");
    let name = |text: &str| Name::from_text(text.as_bytes(), Some(&apex)).expect("a name");
    let mut builder = Builder::new(&apex);
    for (line, &(owner, rtype, ttl, rdata)) in (1..).zip(records) {
        builder.add(name(owner).as_wire(), rtype, ttl, rdata, Origin { file: 0, line });
    }
    for (index, owner) in (0..).zip(balanced) {
        let (owner, beside) = match owner.strip_suffix(" alone") {
            Some(owner) => (owner, Beside::Nothing),
            None => (*owner, Beside::OtherTypes),
        };
        builder.balance(&name(owner), index, beside, Origin { file: 1, line: index + 1 });
    }
    let (zone, faults) = builder.finish();
    assert_eq!(zone.is_none(), faults.iter().any(|fault| fault.severity == Severity::Error));
    let line = |origin: Option<Origin>| origin.map_or(0, |origin| origin.line);
    faults.iter().map(|fault| format!("{}: {}", line(fault.at), fault.message)).collect()
}

#[test]
fn a_zone_is_checked_as_a_whole() {
    let check = |records: &[(&str, Rtype, u32, &[u8])], balanced: &[&str], expected: &[&str]| {
        let whole: [(&str, Rtype, u32, &[u8]); 2] = [("@", Rtype::SOA, 60, SOA), ("@", Rtype::NS, 60, NS)];
        let faults = faults_of(&[&whole, records].concat(), balanced);
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault:?} lacks {expected:?}");
        }
    };
    let (a, b) = (&[192, 0, 2, 1][..], &[192, 0, 2, 2][..]);
    check(&[("www", Rtype::A, 60, a)], &["api"], &[]);
    check(
        &[("www", Rtype::A, 60, a), ("www", Rtype::A, 60, a)],
        &[],
        &["4: this A record of www.example.org. is there twice"],
    );
    check(
        &[("www", Rtype::A, 60, a), ("www", Rtype::A, 30, b)],
        &[],
        &["4: the A records of www.example.org. differ in TTL; all are served with 30"],
    );
    check(&[("@", Rtype::SOA, 60, b)], &[], &["3: example.org. has more than one SOA record"]);
    check(&[("x", Rtype::SOA, 60, SOA)], &[], &["3: an SOA record at x.example.org., which is not the apex"]);
    check(
        &[("x", Rtype::CNAME, 60, NS), ("x", Rtype::A, 60, a)],
        &[],
        &["3: x.example.org. has a CNAME record and other data (A)"],
    );
    check(
        &[("x", Rtype::CNAME, 60, NS), ("x", Rtype::CNAME, 60, b"\0")],
        &[],
        &["4: x.example.org. has more than one CNAME"],
    );
    check(&[("*", Rtype::NS, 60, NS)], &[], &["3: a delegation at the wildcard"]);
    let below = &["4: a.x.example.org. is below the DNAME record of x.example.org."];
    check(&[("x", Rtype::DNAME, 60, NS), ("a.x", Rtype::A, 60, a)], &[], below);
    check(
        &[("x", Rtype::NS, 60, b"\x02ns\x01x\x07example\x03org\x00")],
        &[],
        &["3: glue is missing: ns.x.example.org."],
    );
    check(&[("www", Rtype::A, 60, a)], &["www"], &["1: www.example.org. is balanced and has A records"]);
    check(&[("x", Rtype::CNAME, 60, NS)], &["X"], &["1: x.example.org. is balanced and has CNAME records"]);
    check(&[("www", Rtype::TXT, 60, b"\x00")], &["www", "api alone"], &[]);
    let beside = "1: www.example.org. may be an alias, and has TXT records";
    check(&[("www", Rtype::TXT, 60, b"\x00")], &["www alone"], &[beside]);
    check(&[("www", Rtype::A, 60, a)], &["www alone"], &["1: www.example.org. is balanced and has A records"]);
    check(
        &[("x", Rtype::NS, 60, NS)],
        &["x", "a.x"],
        &["1: x.example.org. is delegated", "2: a.x.example.org. is below"],
    );
    assert_eq!(faults_of(&[], &[]).len(), 2);
}

#[test]
fn what_helps_nobody_is_worth_a_warning() {
    let check = |records: &[(&str, Rtype, u32, &[u8])], balanced: &[&str], expected: &[&str]| {
        let whole: [(&str, Rtype, u32, &[u8]); 4] = [
            ("@", Rtype::SOA, 60, SOA),
            ("@", Rtype::NS, 60, NS),
            ("www", Rtype::A, 60, &[192, 0, 2, 1]),
            ("text", Rtype::TXT, 60, b"\x01x"),
        ];
        let faults = faults_of(&[&whole, records].concat(), balanced);
        assert_eq!(faults.len(), expected.len(), "{records:?}: {faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault:?} lacks {expected:?}");
        }
    };
    let to = |skip: usize, host: &str| {
        let host = Name::from_text(host.as_bytes(), Some(&Name::from_host("example.org").expect("a name")));
        [&vec![0; skip][..], host.expect("a name").as_wire()].concat()
    };
    let (www, text, nope, outside) = (to(2, "www"), to(2, "text"), to(2, "nope"), to(2, "www.example.net."));
    check(&[("a", Rtype::MX, 60, &www), ("b", Rtype::MX, 60, &outside), ("c", Rtype::MX, 60, &to(2, "."))], &[], &[]);
    check(
        &[("a", Rtype::MX, 60, &text)],
        &[],
        &["5: the MX record of a.example.org. leads to text.example.org., which has no address"],
    );
    check(&[("a", Rtype::MX, 60, &nope)], &[], &["leads to nope.example.org., which this zone does not have"]);
    check(&[("a", Rtype::MX, 60, &nope)], &["nope"], &[]);
    check(&[("a", Rtype::MX, 60, &nope), ("*", Rtype::A, 60, &[192, 0, 2, 1])], &[], &[]);
    let alias: (&str, Rtype, u32, &[u8]) = ("alias", Rtype::CNAME, 60, &to(0, "www"));
    check(
        &[alias, ("a", Rtype::SRV, 60, &to(6, "alias"))],
        &[],
        &["6: the SRV record of a.example.org. leads to alias.example.org., which is an alias"],
    );
    check(
        &[alias, ("a", Rtype::NS, 60, &to(0, "alias"))],
        &[],
        &["6: the NS record of a.example.org. leads to alias.example.org., which is an alias"],
    );
    check(&[alias, ("a", Rtype::CNAME, 60, &to(0, "alias"))], &[], &[]);
    check(
        &[("a", Rtype::CNAME, 60, &to(0, "nope"))],
        &[],
        &["the CNAME record of a.example.org. leads to nope.example.org."],
    );
    check(&[("a", Rtype::CNAME, 60, &to(0, "text"))], &[], &[]);
    let cut: (&str, Rtype, u32, &[u8]) = ("sub", Rtype::NS, 60, NS);
    check(&[cut, ("a", Rtype::CNAME, 60, &to(0, "x.sub"))], &[], &[]);
    check(&[cut, ("x.sub", Rtype::A, 60, &[192, 0, 2, 1]), ("sub", Rtype::DS, 60, &[0; 24])], &[], &[]);
    check(&[cut, ("x.sub", Rtype::TXT, 60, b"\x01x")], &[], &["6: the TXT record of x.sub.example.org. is hidden"]);
    check(&[cut, ("sub", Rtype::TXT, 60, b"\x01x")], &[], &["6: the TXT record of sub.example.org. is hidden"]);
    check(&[("www", Rtype::DS, 60, &[0; 24])], &[], &["5: a DS record at www.example.org., which is not delegated"]);
    check(&[("@", Rtype::DS, 60, &[0; 24])], &[], &["5: a DS record at example.org., which is not delegated"]);
    check(
        &[cut, ("sub", Rtype::DNAME, 60, NS)],
        &[],
        &[
            "6: sub.example.org. is delegated and has a DNAME record",
            "6: the DNAME record of sub.example.org. is hidden",
        ],
    );
    check(&[("*.w", Rtype::DNAME, 60, NS)], &[], &["5: a DNAME record at the wildcard *.w.example.org."]);
}

#[test]
fn a_nameserver_in_the_zone_needs_an_address() {
    // Whether there is the one warning, of the zone's server ns1.sub.example.org.
    let check = |records: &[(&str, Rtype, u32, &[u8])], balanced: &[&str], warned: bool| {
        let server = b"\x03NS1\x03sub\x07example\x03org\x00";
        let whole: [(&str, Rtype, u32, &[u8]); 2] = [("@", Rtype::SOA, 60, SOA), ("@", Rtype::NS, 60, server)];
        let faults = faults_of(&[&whole, records].concat(), balanced);
        let warning =
            "2: the nameserver ns1.sub.example.org. lies in the zone, which gives no address for it".to_owned();
        assert_eq!(faults.contains(&warning), warned, "{faults:?}");
    };
    let (a, aaaa) = (&[192, 0, 2, 1][..], &[0; 16][..]);
    check(&[], &[], true);
    check(&[("ns1.sub", Rtype::TXT, 60, b"\x01x")], &[], true);
    check(&[("ns1.sub", Rtype::CNAME, 60, NS)], &[], true);
    check(&[("other.sub", Rtype::A, 60, a)], &[], true);
    check(&[("below.ns1.sub", Rtype::A, 60, a)], &[], true);
    check(&[("ns1.sub", Rtype::A, 60, a)], &[], false);
    check(&[("ns1.sub", Rtype::AAAA, 60, aaaa)], &[], false);
    check(&[], &["NS1.sub"], false);
    check(&[], &["sub"], true);
    check(&[("*", Rtype::A, 60, a)], &[], false);
    check(&[("*", Rtype::A, 60, a), ("x.sub", Rtype::A, 60, a)], &[], true);
    check(&[("*.sub", Rtype::A, 60, a)], &[], false);
    check(&[("sub", Rtype::NS, 60, NS)], &[], false);
}
