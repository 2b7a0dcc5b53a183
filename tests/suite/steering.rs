//! Answers of balanced names: who is in them, in which order, and for how long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bellwether::answer::Transport;
use bellwether::health::{Board, Health};
use bellwether::moment::Moment;
use bellwether::ttl::Horizon;

use crate::answers::{check, lines, request};
use crate::served::{Desk, Words, served};

const WORDS: Words<'_> = Words {
    apex: "example.com",
    zone: "
$TTL 300
@     3600 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@     NS  ns1
ns1   A   192.0.2.53
mixed TXT \"text\"
mixed MX  10 ns1
mixed HTTPS 1 . alpn=h2
",
    // Probes are numbered as the endpoints stand here: 0 to 3 are the first pool's.
    pools: "
mixed round-robin 192.0.2.10 192.0.2.11 2001:db8::10 2001:db8::11
six   failover    2001:db8::66
shares weighted   192.0.2.1*4 192.0.2.2*3 192.0.2.3*2 192.0.2.4*1
",
    names: "
@      mixed  1    5 30 serve-all
mixed  mixed  each 5 30 serve-all hints
two    mixed  2    5 30 serve-all
six    six    1    5 30 serve-all
shares shares 1    5 30 serve-all
*.wild mixed  1    5 30 serve-all
all    mixed  each 5 30 serve-all
good   mixed  each 5 30 last-good
list   mixed  each 5 30 203.0.113.1,203.0.113.2
none   mixed  each 5 30 nodata
fail   mixed  each 5 30 servfail
refuse mixed  each 5 30 refused
",
};

const SOA: &str = "ns example.com. 60 SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 60";

#[test]
fn addresses_are_the_pools_and_all_else_the_zones() {
    let check = |text: &str, expected: &[&str]| check(&[WORDS], text, expected);
    check(
        "Mixed.example.com. A",
        &["NoError aa", "an Mixed.example.com. 30 A 192.0.2.10", "an Mixed.example.com. 30 A 192.0.2.11"],
    );
    check(
        "mixed.example.com. AAAA",
        &["NoError aa", "an mixed.example.com. 30 AAAA 2001:db8::10", "an mixed.example.com. 30 AAAA 2001:db8::11"],
    );
    check("mixed.example.com. TXT", &["NoError aa", "an mixed.example.com. 300 TXT text"]);
    check("mixed.example.com. MX", &["NoError aa", "an mixed.example.com. 300 MX 10 ns1.example.com."]);
    check("mixed.example.com. SRV", &["NoError aa", SOA]);
    check("mixed.example.com. ANY", &["NoError aa", "an mixed.example.com. 300 MX 10 ns1.example.com."]);
    check("example.com. A", &["NoError aa", "an example.com. 30 A 192.0.2.10"]);
    check("example.com. NS", &["NoError aa", "an example.com. 300 NS ns1.example.com."]);
    check("six.example.com. A", &["NoError aa", SOA]);
    check("six.example.com. AAAA", &["NoError aa", "an six.example.com. 30 AAAA 2001:db8::66"]);
    // RFC 8482 §4.1: one set of any, of whichever family there is.
    check("shares.example.com. ANY", &["NoError aa", "an shares.example.com. 30 A 192.0.2.1"]);
    check("six.example.com. ANY", &["NoError aa", "an six.example.com. 30 AAAA 2001:db8::66"]);
    check("X.wild.example.com. A", &["NoError aa", "an X.wild.example.com. 30 A 192.0.2.10"]);
    check("wild.example.com. A", &["NoError aa", SOA]);
    check("x.mixed.example.com. A", &["NXDomain aa", SOA]);
    check(
        "two.example.com. A edns",
        &["NoError aa", "an two.example.com. 30 A 192.0.2.10", "an two.example.com. 30 A 192.0.2.11", "opt 1232"],
    );
}

/// Turns probes of the first pool down and asks, always of one worker.
#[test]
fn when_all_are_down_the_name_says_what() {
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let check = |desk: &mut Desk, text: &str, expected: &[&str]| {
        let request = request(text);
        let (_, response) = desk.ask(Transport::Udp, &request);
        assert_eq!(lines(&request, response), expected, "{text}");
    };
    // One of two is down: the other answers alone, and the other family is untouched.
    desk.turn(&mut board, &[(0, Health::DOWN)]);
    check(&mut desk, "good.example.com. A", &["NoError aa", "an good.example.com. 30 A 192.0.2.11"]);
    desk.turn(&mut board, &[(1, Health::DOWN)]);
    let both = |owner: &str| [10, 11].map(|last| format!("an {owner}.example.com. 5 A 192.0.2.{last}"));
    let [first, second] = both("all");
    check(&mut desk, "all.example.com. A", &["NoError aa", &first, &second]);
    check(&mut desk, "good.example.com. A", &["NoError aa", "an good.example.com. 5 A 192.0.2.11"]);
    let listed = ["an list.example.com. 5 A 203.0.113.1", "an list.example.com. 5 A 203.0.113.2"];
    check(&mut desk, "list.example.com. A", &["NoError aa", listed[0], listed[1]]);
    let brief = SOA.replace(" 60 SOA", " 5 SOA");
    check(&mut desk, "none.example.com. A", &["NoError aa", &brief]);
    check(&mut desk, "fail.example.com. A", &["ServFail"]);
    check(&mut desk, "refuse.example.com. A", &["Refused"]);
    let six = "an none.example.com. 30 AAAA 2001:db8::1";
    check(&mut desk, "none.example.com. AAAA", &["NoError aa", &format!("{six}0"), &format!("{six}1")]);
    desk.turn(&mut board, &[(2, Health::DOWN), (3, Health::DOWN)]);
    // A list without an address of that family has no data of it.
    check(&mut desk, "list.example.com. AAAA", &["NoError aa", &brief]);
    desk.turn(&mut board, &[(0, Health::UP)]);
    check(&mut desk, "none.example.com. A", &["NoError aa", "an none.example.com. 30 A 192.0.2.10"]);
}

/// Neither with addresses nor with the hints of a service record.
#[test]
fn nothing_is_promised_beyond_the_horizon() {
    let mut desk = Desk::new(vec![served(WORDS, &Board::new())]);
    let horizon = Arc::new(Horizon::default());
    desk.snapshot = desk.snapshot.clone().within(Arc::clone(&horizon));
    desk.now = Moment::START + Duration::from_secs(100);
    let mut check = |at: Moment, name: &str, rtype: &str, expected: u32| {
        horizon.set(at);
        let request = request(&format!("{name}.example.com. {rtype}"));
        let (_, response) = desk.ask(Transport::Udp, &request);
        let lines = lines(&request, response);
        assert!(lines[1].contains(&format!(" {expected} {rtype} ")), "{at:?}: {lines:?}");
    };
    for rtype in ["A", "AAAA", "HTTPS"] {
        check(Moment::NEVER, "mixed", rtype, 30);
        check(Moment::START, "mixed", rtype, 5);
        check(Moment::START + Duration::from_secs(112), "mixed", rtype, 12);
        check(Moment::NEVER, "mixed", rtype, 30);
    }
    check(Moment::START, "ns1", "A", 300);
}

/// DESIGN's promise in one answer: the TTL is the time left until the soonest change, within the range.
#[test]
fn the_ttl_runs_down_to_the_soonest_flip() {
    let second = Duration::from_secs(1);
    let mut board = Board::new();
    let mut desk = Desk::new(vec![served(WORDS, &board)]);
    let suspect = Health { flip: Moment::START + 20 * second, ..Health::UP };
    desk.turn(&mut board, &[(1, suspect)]);
    let mut check = |millis: u64, rtype: &str, expected: u32| {
        desk.now = Moment::START + Duration::from_millis(millis);
        let request = request(&format!("mixed.example.com. {rtype}"));
        let (_, response) = desk.ask(Transport::Udp, &request);
        let lines = lines(&request, response);
        let ttl = format!(" {expected} ");
        assert!(lines.len() == 3 && lines[1..].iter().all(|line| line.contains(&ttl)), "{millis} ms: {lines:?}");
    };
    check(0, "A", 20);
    check(1, "A", 19);
    check(8_000, "A", 12);
    check(15_000, "A", 5);
    check(19_000, "A", 5);
    check(60_000, "A", 5);
    // The other family has no part in it.
    check(8_000, "AAAA", 30);
}

#[test]
fn weights_hold_exactly() {
    let mut desk = Desk::new(vec![served(WORDS, &Board::new())]);
    let request = request("shares.example.com. A");
    let mut answers: BTreeMap<u8, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        let (_, response) = desk.ask(Transport::Udp, &request);
        *answers.entry(*response.last().expect("an answer")).or_default() += 1;
    }
    assert_eq!(answers, BTreeMap::from([(1, 4_000), (2, 3_000), (3, 2_000), (4, 1_000)]));
}

/// As BIND does: each of a static name's addresses comes first in turn, and they keep their order.
#[test]
fn static_addresses_rotate() {
    let zone = format!("{}\nfour A 192.0.2.1\nfour A 192.0.2.2\nfour A 192.0.2.3\n", WORDS.zone);
    let mut desk = Desk::new(vec![served(Words { zone: &zone, ..WORDS }, &Board::new())]);
    let request = request("four.example.com. A");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (_, response) = desk.ask(Transport::Udp, &request);
        let order: Vec<_> = lines(&request, response)[1..].iter().map(|line| line.as_bytes()[line.len() - 1]).collect();
        seen.push(String::from_utf8(order).expect("digits"));
    }
    assert_eq!(seen, ["123", "231", "312", "123"]);
}
