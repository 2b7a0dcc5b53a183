//! `tcp = { … }`: a connection, and what is said over it.

use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys, Table};
use crate::probe::{EXPECT_OCTETS_MAX, TcpProbe};

const TCP: Keys = Keys::only(&["port", "send", "send-hex", "expect", "expect-hex"]);

/// Octets that a probe sends: what fits one segment of any path (RFC 9293 §3.7.1 and RFC 8200 §5: 1,280 less the
/// headers), so that an endpoint has all of it at once.
const SEND_OCTETS_MAX: usize = 1_220;

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<TcpProbe> {
    let table = item.table("`tcp`", &TCP, "{ port = 443 }", faults)?;
    let port = table.require("port", "443", faults).and_then(|item| item.integer(1..=u16::MAX, faults));
    let send = octets(&table, "send", "send-hex", SEND_OCTETS_MAX, faults);
    let expect = octets(&table, "expect", "expect-hex", EXPECT_OCTETS_MAX, faults);
    Some(TcpProbe { port: port?, send: send?, expect: expect? })
}

/// Octets that are given as a text or in hexadecimal; none where neither stands.
fn octets(table: &Table<'_>, text: &str, hex: &str, most: usize, faults: &mut Faults<'_>) -> Option<Box<[u8]>> {
    let (item, octets) = match (table.get(text), table.get(hex)) {
        (None, None) => return Some(Box::default()),
        (Some(text), Some(hex)) => {
            faults
                .error(hex.key_span, format!("`tcp` has both `{}` and `{}`", text.key, hex.key))
                .other(text.key_span, "the other one")
                .help("leave one out: they say the same thing, as text and in hexadecimal");
            return None;
        }
        (Some(item), None) => (item, item.string("PING\\r\\n", faults)?.as_bytes().to_vec()),
        (None, Some(item)) => (item, from_hex(item, faults)?),
    };
    let wrong = if octets.is_empty() {
        "is empty: leave it out".to_owned()
    } else if octets.len() > most {
        format!("can have {most} octets, found {}", octets.len())
    } else {
        return Some(octets.into());
    };
    faults.error(item.span, format!("`{}` {wrong}", item.key));
    None
}

fn from_hex(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<u8>> {
    let text = item.string("0d 0a", faults)?;
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |high, low| high << 4 | low)).collect())
        }
        _ => {
            faults
                .error(
                    item.span,
                    format!("`{}` must be pairs of hexadecimal digits, found \"{}\"", item.key, shown(text)),
                )
                .help("write \"0d 0a\"; spaces are passed over");
            None
        }
    }
}
