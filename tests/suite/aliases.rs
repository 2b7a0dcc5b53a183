//! Answers of balanced names that are aliases, always or at times.

use bellwether::answer::Transport;
use bellwether::health::{Board, Health};

use crate::answers::{check, lines, request};
use crate::served::{Desk, Words, served};

const WORDS: Words<'_> = Words {
    apex: "example.com",
    zone: "
$TTL 300
@     3600 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@     NS  ns1
ns1   A   192.0.2.53
host  A   192.0.2.77
host  MX  10 ns1
on    CNAME host
tocdn 60 CNAME cdn
sub   NS  ns1
",
    // Aliases have no probes but count: 192.0.2.1 is probe 0, 2001:db8::1 is 1, 192.0.2.2 is 3, 2001:db8::2 is 5.
    pools: "
mixed failover    192.0.2.1 2001:db8::1 www.cdn.example.net.
four  failover    192.0.2.2 www.cdn.example.net.
six   failover    2001:db8::2 www.cdn.example.net.
cdns  round-robin a.cdn.example.net. B.cdn.example.net.
in    failover    host.example.com.
chain failover    on.example.com.
next  failover    in.example.com.
lost  failover    nope.example.com.
down  failover    www.sub.example.com.
back  failover    round.example.com.
self  failover    back.example.com.
top   failover/2  192.0.2.9 www.cdn.example.net.
",
    names: "
mixed mixed 1 5 30 serve-all
four  four  1 5 30 serve-all
six   six   1 5 30 serve-all
cdn   cdns  1 5 30 serve-all
*.w   cdns  1 5 30 serve-all
in    in    1 5 30 serve-all
chain chain 1 5 30 serve-all
next  next  1 7 40 serve-all
lost  lost  1 5 30 serve-all
down  down  1 5 30 serve-all
round self  1 5 30 serve-all
back  back  1 5 30 serve-all
all   top   1 5 30 serve-all
list  top   1 5 30 203.0.113.1
fail  top   1 5 30 servfail
",
};

const SOA: &str = "ns example.com. 60 SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 60";

fn soa(ttl: u32) -> String {
    SOA.replace(" 60 SOA", &format!(" {ttl} SOA"))
}

#[test]
fn an_alias_owns_the_whole_name() {
    let check = |text: &str, expected: &[&str]| check(&[WORDS], text, expected);
    for rtype in ["A", "AAAA", "MX", "TXT", "CNAME", "ANY", "TYPE65280"] {
        let alias = "an Cdn.example.com. 30 CNAME a.cdn.example.net.";
        check(&format!("Cdn.example.com. {rtype}"), &["NoError aa", alias]);
        let alias = "an x.y.w.example.com. 30 CNAME a.cdn.example.net.";
        check(&format!("x.y.w.example.com. {rtype}"), &["NoError aa", alias]);
    }
    let chain = ["an tocdn.example.com. 60 CNAME cdn.example.com.", "an cdn.example.com. 30 CNAME a.cdn.example.net."];
    check("tocdn.example.com. A", &["NoError aa", chain[0], chain[1]]);
    check("tocdn.example.com. MX edns", &["NoError aa", chain[0], chain[1], "opt 1232"]);
    check("tocdn.example.com. CNAME", &["NoError aa", chain[0]]);
}

#[test]
fn an_alias_is_followed_within_the_zone() {
    let check = |text: &str, expected: &[&str]| check(&[WORDS], text, expected);
    let alias = "an in.example.com. 30 CNAME host.example.com.";
    check("in.example.com. A", &["NoError aa", alias, "an host.example.com. 300 A 192.0.2.77"]);
    check("in.example.com. MX", &["NoError aa", alias, "an host.example.com. 300 MX 10 ns1.example.com."]);
    check("in.example.com. AAAA", &["NoError aa", alias, SOA]);
    check("in.example.com. CNAME", &["NoError aa", alias]);
    check("in.example.com. ANY", &["NoError aa", alias]);
    check(
        "chain.example.com. A",
        &[
            "NoError aa",
            "an chain.example.com. 30 CNAME on.example.com.",
            "an on.example.com. 300 CNAME host.example.com.",
            "an host.example.com. 300 A 192.0.2.77",
        ],
    );
    check(
        "next.example.com. A",
        &[
            "NoError aa",
            "an next.example.com. 40 CNAME in.example.com.",
            alias,
            "an host.example.com. 300 A 192.0.2.77",
        ],
    );
    check("lost.example.com. A", &["NXDomain aa", "an lost.example.com. 30 CNAME nope.example.com.", SOA]);
    check(
        "down.example.com. A",
        &[
            "NoError aa",
            "an down.example.com. 30 CNAME www.sub.example.com.",
            "ns sub.example.com. 300 NS ns1.example.com.",
            "ar ns1.example.com. 300 A 192.0.2.53",
        ],
    );
    // A loop is told once around.
    check(
        "back.example.com. A",
        &[
            "NoError aa",
            "an back.example.com. 30 CNAME round.example.com.",
            "an round.example.com. 30 CNAME back.example.com.",
        ],
    );
}

#[test]
fn aliases_take_turns_and_each_family_its_own() {
    let mut desk = Desk::new(vec![served(WORDS, &Board::new())]);
    let mut targets = |rtypes: &[&str]| {
        let target = |rtype: &&str| {
            let request = request(&format!("cdn.example.com. {rtype}"));
            let (_, response) = desk.ask(Transport::Udp, &request);
            lines(&request, response)[1].rsplit(' ').next().expect("a target").chars().take(1).collect::<String>()
        };
        rtypes.iter().map(target).collect::<String>()
    };
    assert_eq!(targets(&["A", "AAAA", "A", "AAAA", "A", "AAAA"]), "aabbaa");
    assert_eq!(targets(&["A", "MX", "A"]), "bab");
}

/// What a resolver holds for one type must not contradict what it is told for another.
#[test]
fn a_name_is_an_alias_to_all_or_to_nobody() {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let check = |desk: &mut Desk, name: &str, expected: &[(&str, &[&str])]| {
        for (rtype, expected) in expected {
            let request = request(&format!("{name}.example.com. {rtype}"));
            let (_, response) = desk.ask(Transport::Udp, &request);
            assert_eq!(lines(&request, response)[1..], **expected, "{name} {rtype}");
        }
    };
    let none = soa(30);
    let alias = |name: &str, ttl: u32| format!("an {name}.example.com. {ttl} CNAME www.cdn.example.net.");
    let [a, aaaa] = ["an mixed.example.com. 30 A 192.0.2.1", "an mixed.example.com. 30 AAAA 2001:db8::1"];
    let addresses: &[(&str, &[&str])] =
        &[("A", &[a]), ("AAAA", &[aaaa]), ("MX", &[&none]), ("CNAME", &[&none]), ("ANY", &[a])];
    check(&mut desk, "mixed", addresses);
    let a = "an four.example.com. 30 A 192.0.2.2";
    check(&mut desk, "four", &[("A", &[a]), ("AAAA", &[&none]), ("CNAME", &[&none]), ("ANY", &[a])]);
    let aaaa = "an six.example.com. 30 AAAA 2001:db8::2";
    check(&mut desk, "six", &[("A", &[&none]), ("AAAA", &[aaaa]), ("MX", &[&none]), ("ANY", &[aaaa])]);

    // Without its IPv4 address it is an alias for IPv6 too, whose address lives.
    desk.turn(&mut board, &[(0, Health::DOWN), (3, Health::DOWN), (5, Health::DOWN)]);
    for name in ["mixed", "four", "six"] {
        let alias = alias(name, 30);
        let alias: &[&str] = &[&alias];
        check(&mut desk, name, &["A", "AAAA", "MX", "CNAME", "ANY"].map(|rtype| (rtype, alias)));
    }
    // The other family's address may die as it likes.
    desk.turn(&mut board, &[(0, Health::UP), (1, Health::DOWN)]);
    let a = "an mixed.example.com. 30 A 192.0.2.1";
    check(&mut desk, "mixed", &[("A", &[a]), ("AAAA", &[&none]), ("CNAME", &[&none])]);
}

#[test]
fn the_ttl_of_what_is_no_alias_runs_down_too() {
    use bellwether::moment::Moment;
    use std::time::Duration;
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let suspect = Health { flip: Moment::START + Duration::from_secs(20), ..Health::UP };
    desk.turn(&mut board, &[(0, suspect)]);
    // The IPv6 answer hangs on the IPv4 address: without it, it would be an alias.
    for (rtype, expected) in [
        ("A", "an mixed.example.com. 20 A 192.0.2.1".to_owned()),
        ("AAAA", "an mixed.example.com. 20 AAAA 2001:db8::1".to_owned()),
        ("MX", soa(20)),
    ] {
        let request = request(&format!("mixed.example.com. {rtype}"));
        let (_, response) = desk.ask(Transport::Udp, &request);
        assert_eq!(lines(&request, response)[1..], [expected]);
    }
}

#[test]
fn when_all_are_down_only_addresses_are_listed() {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let top =
        WORDS.pools.split_whitespace().filter(|word| word.contains(['.', ':'])).position(|word| word == "192.0.2.9");
    desk.turn(&mut board, &[(top.expect("an address") as u32, Health::DOWN)]);
    let check = |desk: &mut Desk, text: &str, expected: &[&str]| {
        let request = request(text);
        let (_, response) = desk.ask(Transport::Udp, &request);
        assert_eq!(lines(&request, response), expected, "{text}");
    };
    let brief = soa(5);
    check(&mut desk, "all.example.com. A", &["NoError aa", "an all.example.com. 5 A 192.0.2.9"]);
    check(&mut desk, "all.example.com. MX", &["NoError aa", &brief]);
    check(&mut desk, "list.example.com. A", &["NoError aa", "an list.example.com. 5 A 203.0.113.1"]);
    check(&mut desk, "list.example.com. AAAA", &["NoError aa", &brief]);
    check(&mut desk, "list.example.com. CNAME", &["NoError aa", &brief]);
    check(&mut desk, "fail.example.com. CNAME", &["ServFail"]);
}
