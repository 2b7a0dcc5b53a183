//! The OPT record of a response: what it owes to its request, and nothing else.

use std::ops::Range;

use bellwether::answer::Transport;
use bellwether::wire::option::{COOKIE, ECS, EDE, KEEPALIVE, NSID, PADDING};
use bellwether::wire::query::Query;

/// What the server calls itself.
pub const NSID_DATA: &[u8] = b"fuzzed";

/// Seconds that it lets streams idle.
pub const IDLE_SECONDS: u16 = 10;

/// RFC 8467 §4.1.
const BLOCK_OCTETS: usize = 468;

/// Where the octets of an option's data stand in a message, by its code.
pub type Options = Vec<(u16, Range<usize>)>;

/// The OPT record of `message`, whose records are whole: where it begins, and its options.
pub fn find(message: &[u8]) -> Option<(usize, Options)> {
    let number = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
    let after_name = |mut at: usize| loop {
        match message[at] {
            0 => return at + 1,
            0xc0.. => return at + 2,
            length => at += 1 + usize::from(length),
        }
    };
    let mut at = 12;
    for _ in 0..number(4) {
        at = after_name(at) + 4;
    }
    let mut found = None;
    for _ in 0..number(6) + number(8) + number(10) {
        let fixed = after_name(at);
        let (mut option, end) = (fixed + 10, fixed + 10 + number(fixed + 8));
        if number(fixed) == 41 {
            assert!(found.is_none() && message[at] == 0, "a second OPT record, or one of a name");
            let mut options = Options::new();
            while option < end {
                let data = option + 4..option + 4 + number(option + 2);
                options.push((number(option) as u16, data.clone()));
                option = data.end;
            }
            assert_eq!(option, end, "options are whole");
            found = Some((fixed, options));
        }
        at = end;
    }
    assert_eq!(at, message.len(), "nothing is behind the last record");
    found
}

/// The message with a client subnet of a family that hickory-proto can read: one that says nothing may have any.
pub fn readable(message: &[u8], options: Option<&Options>) -> Vec<u8> {
    let mut readable = message.to_vec();
    let subnet = options.and_then(|options| options.iter().find(|(code, _)| *code == ECS));
    if let Some((_, data)) = subnet.filter(|(_, data)| message[data.start + 2] == 0) {
        readable[data.start..data.start + 2].copy_from_slice(&[0, 1]);
    }
    readable
}

/// Holds the OPT record against the request's; gives the cookie in it.
pub fn check(
    transport: Transport,
    query: &Query<'_>,
    is_sound: bool,
    message: &[u8],
    (at, options): (usize, &Options),
) -> Option<Vec<u8>> {
    let edns = query.edns?;
    let fixed = &message[at..at + 8];
    assert_eq!(fixed[2..4], 1232_u16.to_be_bytes(), "the payload size");
    assert_eq!(fixed[5..8], [0, if edns.dnssec_ok { 0x80 } else { 0 }, 0], "version and flags");
    let is_stream = matches!(transport, Transport::Tcp | Transport::Tls);
    let is_encrypted = matches!(transport, Transport::Tls | Transport::Https | Transport::Quic);
    let owed = [
        (NSID, edns.wants_nsid),
        (COOKIE, edns.cookie.is_some()),
        (KEEPALIVE, edns.wants_keepalive && is_stream),
        (ECS, edns.ecs.is_some()),
        (PADDING, edns.pads && is_encrypted),
    ];
    let owed = owed.into_iter().filter(|&(_, owed)| owed && is_sound).map(|(code, _)| code);
    let mut given: Vec<u16> = options.iter().map(|(code, _)| *code).filter(|&code| code != EDE).collect();
    given.sort_unstable();
    assert_eq!(
        given,
        {
            let mut owed: Vec<u16> = owed.collect();
            owed.sort_unstable();
            owed
        },
        "the options"
    );
    let mut cookie = None;
    for (code, data) in options {
        let data = &message[data.clone()];
        match *code {
            NSID => assert_eq!(data, NSID_DATA),
            KEEPALIVE => assert_eq!(data, (10 * IDLE_SECONDS).to_be_bytes()),
            PADDING => assert!(data.iter().all(|&octet| octet == 0) && message.len().is_multiple_of(BLOCK_OCTETS)),
            EDE => assert!(data.len() >= 2),
            COOKIE => {
                let asked = edns.cookie.expect("a cookie");
                assert!(data.len() == 24 && data[..8] == asked[..8], "the client's part is given back");
                cookie = Some(data.to_vec());
            }
            _ => {
                let asked = edns.ecs.expect("a subnet");
                assert!(data.len() == asked.len() && data[..3] == asked[..3] && data[4..] == asked[4..]);
                let bits = if data[1] == 1 { 32 } else { 128 };
                assert!(data[3] <= if data[2] == 0 { 0 } else { bits }, "the scope {}", data[3]);
            }
        }
    }
    cookie
}
