//! A record in wire form → a line of a master file that reads back as the same record.

use std::fmt::Write as _;
use std::path::Path;

use hickory_proto::rr::Record as HickoryRecord;
use hickory_proto::serialize::binary::BinDecodable as _;

use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use crate::zone::master;

/// Type and rdata as they stand in a master file: as people write them where hickory-proto knows how and what it writes
/// reads back the same, else by RFC 3597 §5.
pub(super) fn text(rtype: Rtype, rdata: &[u8]) -> String {
    let readable = match rtype {
        Rtype::TXT => strings(rdata),
        _ => presented(rtype, rdata),
    };
    let readable = readable.map(|rdata| format!("{rtype} {rdata}"));
    readable.filter(|text| reads_back(text, rtype, rdata)).unwrap_or_else(|| {
        let mut text = format!("{rtype} \\# {}", rdata.len());
        if !rdata.is_empty() {
            text.push(' ');
        }
        for octet in rdata {
            let _ = write!(text, "{octet:02x}");
        }
        text
    })
}

/// Character strings in quotes; hickory-proto leaves the quotes out.
fn strings(mut rdata: &[u8]) -> Option<String> {
    let mut text = String::new();
    while let Some((&length, rest)) = rdata.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(length))?;
        text.push_str(if text.is_empty() { "\"" } else { " \"" });
        for &octet in string {
            match octet {
                b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
                b' '..=b'~' => text.push(char::from(octet)),
                _ => {
                    let _ = write!(text, "\\{octet:03}");
                }
            }
        }
        text.push('"');
        rdata = rest;
    }
    Some(text)
}

fn presented(rtype: Rtype, rdata: &[u8]) -> Option<String> {
    let length = u16::try_from(rdata.len()).ok()?;
    // The root as owner, class IN, TTL 0.
    let head = [&[0], &rtype.0.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0], &length.to_be_bytes()].concat();
    let record = HickoryRecord::from_bytes(&[&head, rdata].concat()).ok()?;
    Some(record.data.to_string())
}

fn reads_back(text: &str, rtype: Rtype, rdata: &[u8]) -> bool {
    let line = format!("@ 0 IN {text}\n");
    let mut read = Vec::new();
    let outcome = master::read_text(Path::new("record"), line.as_bytes(), &Name::root(), &mut |record| {
        read.push((record.rtype, record.rdata.to_vec()));
    });
    outcome.diagnostics.is_empty() && read.iter().map(|(rtype, rdata)| (*rtype, &rdata[..])).eq([(rtype, rdata)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_as_people_do() {
        let check = |line: &str, expected: &str| {
            let mut texts = Vec::new();
            let apex = Name::from_host("example.com").expect("a name");
            let outcome = master::read_text(Path::new("t"), line.as_bytes(), &apex, &mut |record| {
                texts.push(text(record.rtype, record.rdata));
            });
            assert_eq!(outcome.diagnostics, []);
            assert_eq!(texts, [expected]);
        };
        check("a 1 A 192.0.2.1", "A 192.0.2.1");
        check("a 1 AAAA 2001:db8::1", "AAAA 2001:db8::1");
        check("a 1 MX 10 mail", "MX 10 mail.example.com.");
        check("@ 1 SOA ns1 host 1 2 3 4 5", "SOA ns1.example.com. host.example.com. 1 2 3 4 5");
        check("a 1 SRV 1 2 53 b", "SRV 1 2 53 b.example.com.");
        check(r#"a 1 TXT "a b" "c\"\\" \195"#, r#"TXT "a b" "c\"\\" "\195""#);
        check("a 1 TYPE65280 \\# 2 abcd", "TYPE65280 \\# 2 abcd");
        check("a 1 TYPE65280 \\# 0", "TYPE65280 \\# 0");
        check("a 1 CAA 0 issue \"ca.example.net\"", "CAA 0 issue \"ca.example.net\"");
    }
}
