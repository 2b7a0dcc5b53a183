//! A resolver that minimises names and mixes their case gets to everything, by whatever way it leads.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::support::server::Launch;
use crate::support::unbound::Unbound;

const ZONE: &str = include_str!("example.com.zone");

const POLICY: &str = r#"
[pools.web]
policy = "weighted"
endpoints = [{ address = "192.0.2.20", weight = 2 }, { address = "192.0.2.21" }]
[names]
"balanced" = "web"
"balanced.a.very.deep" = "web"
"*.anything" = "web"
"#;

#[test]
fn names_are_found_minimised_and_in_mixed_case() {
    let server = Launch::new().file("example.com.zone", ZONE).file("example.com.toml", POLICY).start();
    let Some(unbound) = Unbound::suspicious(server.address, "example.com") else { return };
    let client = unbound.client();
    let check = |name: &str, rtype: RecordType, code: ResponseCode, answers: usize| {
        let reply = client.ask(name, rtype);
        let found = reply.answers.iter().filter(|record| record.record_type() == rtype).count();
        assert_eq!((reply.metadata.response_code, found), (code, answers), "{name} {rtype}: {reply:?}");
    };
    use RecordType::{A, AAAA, CAA, MX, SRV, TXT};
    use ResponseCode::{NXDomain, NoError};
    check("www.example.com", A, NoError, 3);
    check("WwW.eXaMpLe.CoM", AAAA, NoError, 1);
    check("example.com", MX, NoError, 2);
    check("example.com", CAA, NoError, 1);
    check("_sip._tcp.example.com", SRV, NoError, 2);
    // Through empty non-terminals, which must not be denied on the way (RFC 8020).
    check("a.b.empty.example.com", A, NoError, 1);
    check("b.empty.example.com", A, NoError, 0);
    check("x.b.empty.example.com", A, NXDomain, 0);
    check("host.deep.wild.example.com", A, NoError, 1);
    check("some.name.wild.example.com", A, NoError, 1);
    check("some.name.wild.example.com", TXT, NoError, 1);
    check("x.blocked.wild.example.com", A, NXDomain, 0);
    check("chain.example.com", A, NoError, 3);
    check("wildalias.example.com", A, NoError, 1);
    check("nowhere.example.com", A, NXDomain, 0);
    check("balanced.example.com", A, NoError, 1);
    check("balanced.a.very.deep.example.com", A, NoError, 1);
    check("very.deep.example.com", A, NoError, 0);
    check("what.ever.anything.example.com", A, NoError, 1);
}
