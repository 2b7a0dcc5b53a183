//! Record sets, laid out ready to copy.
//!
//! ```text
//! set     type 16 | records 16 | ttl 32 | octets of all records 32 | records…
//! record  rdata length 16 | where an apex pointer goes 16, once a compressible name | rdata
//! ```
//!
//! Compression costs one patch. A name in rdata that RFC 3597 §4 lets us compress and that ends in the zone's
//! apex is stored as its first labels and an empty pointer. The qname ends in the apex too, so the pointer is
//! always to a known place in the question, and filling it in is a store of two octets.

use super::buffer::Buffer;
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

/// Octets before a set's records.
const SET_OCTETS: usize = 12;

/// "No pointer": the name does not end in the apex and stands in full.
const IN_FULL: u16 = u16::MAX;

/// A record set within its zone: a view, free to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rrset<'z> {
    /// The type of every record in it.
    pub rtype: Rtype,
    /// In seconds, of every record in it (RFC 2181 §5.2).
    pub ttl: u32,
    /// Records, at least 1.
    pub count: u16,
    records: &'z [u8],
}

/// One record's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'z> {
    /// As sent, but for the pointers at [`Record::apex_pointers`], which are yet empty.
    pub rdata: &'z [u8],
    pointers: &'z [u8],
}

impl<'z> Rrset<'z> {
    /// The set at the front of `octets`, and what follows it.
    pub(super) fn read(octets: &'z [u8]) -> Option<(Self, &'z [u8])> {
        let (&[t, y, c, n, a, b, d, e, i, j, k, l], after) = octets.split_first_chunk::<SET_OCTETS>()?;
        let (records, rest) = after.split_at_checked(u32::from_be_bytes([i, j, k, l]) as usize)?;
        let set = Self {
            rtype: Rtype(u16::from_be_bytes([t, y])),
            count: u16::from_be_bytes([c, n]),
            ttl: u32::from_be_bytes([a, b, d, e]),
            records,
        };
        Some((set, rest))
    }

    /// The records in the operator's order.
    pub fn records(self) -> impl Iterator<Item = Record<'z>> {
        let pointer_octets = 2 * compressible(self.rtype).names;
        let mut rest = self.records;
        std::iter::from_fn(move || {
            let (&[h, l], after) = rest.split_first_chunk()?;
            let (pointers, after) = after.split_at_checked(pointer_octets)?;
            let (rdata, after) = after.split_at_checked(usize::from(u16::from_be_bytes([h, l])))?;
            rest = after;
            Some(Record { rdata, pointers })
        })
    }

    /// Octets that all records take in a message, their owners compressed to pointers.
    pub fn octets_sent(self) -> usize {
        const OWNER_TYPE_CLASS_TTL: usize = 2 + 2 + 2 + 4;
        let stored_beside = 2 * compressible(self.rtype).names;
        self.records.len() + usize::from(self.count) * OWNER_TYPE_CLASS_TTL - usize::from(self.count) * stored_beside
    }
}

impl<'z> Record<'z> {
    /// Where within the rdata a pointer to the apex goes.
    pub fn apex_pointers(self) -> impl Iterator<Item = usize> + 'z {
        let (places, _) = self.pointers.as_chunks::<2>();
        places.iter().map(|&place| u16::from_be_bytes(place)).filter(|&at| at != IN_FULL).map(usize::from)
    }

    /// Appends the rdata in full, with `apex` where pointers to it would go.
    pub fn write_in_full(self, apex: &Name, octets: &mut Vec<u8>) {
        let mut from = 0;
        for at in self.apex_pointers() {
            octets.extend_from_slice(self.rdata.get(from..at).unwrap_or_default());
            octets.extend_from_slice(apex.as_wire());
            from = at + 2;
        }
        octets.extend_from_slice(self.rdata.get(from..).unwrap_or_default());
    }

    /// The one name that is all of this rdata, of a CNAME or an NS: its labels up to the apex, and whether the
    /// apex follows.
    pub fn name(self) -> (&'z [u8], bool) {
        match self.apex_pointers().next() {
            Some(at) => (self.rdata.get(..at).unwrap_or_default(), true),
            None => (self.rdata, false),
        }
    }
}

/// Where the compressible names of a type's rdata stand: `names` of them in a row after `skip` octets.
struct Compressible {
    skip: usize,
    names: usize,
}

/// RFC 3597 §4: only the types of RFC 1035 may be compressed. The table of types says the same, field by field; here
/// it is a match, since every record that is sent passes by, and a test holds the two together.
const fn compressible(rtype: Rtype) -> Compressible {
    match rtype.0 {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR
        2..=5 | 7..=9 | 12 => Compressible { skip: 0, names: 1 },
        // SOA, MINFO
        6 | 14 => Compressible { skip: 0, names: 2 },
        // MX
        15 => Compressible { skip: 2, names: 1 },
        _ => Compressible { skip: 0, names: 0 },
    }
}

/// Appends a set of `records`, uncompressed rdata each, to `octets`.
pub(super) fn write<'r>(
    octets: &mut Buffer,
    apex: &Name,
    rtype: Rtype,
    ttl: u32,
    records: impl Iterator<Item = &'r [u8]>,
) {
    let start = octets.len();
    octets.extend(&[0; SET_OCTETS]);
    let mut count = 0_u16;
    for rdata in records {
        write_record(octets, apex, &compressible(rtype), rdata);
        count = count.saturating_add(1);
    }
    let size = u32::try_from(octets.len() - start - SET_OCTETS).unwrap_or(u32::MAX);
    let head = &mut octets[start..start + SET_OCTETS];
    head[..2].copy_from_slice(&rtype.0.to_be_bytes());
    head[2..4].copy_from_slice(&count.to_be_bytes());
    head[4..8].copy_from_slice(&ttl.to_be_bytes());
    head[8..].copy_from_slice(&size.to_be_bytes());
}

fn write_record(octets: &mut Buffer, apex: &Name, names: &Compressible, rdata: &[u8]) {
    let start = octets.len();
    let pointers = start + 2;
    let body = pointers + 2 * names.names;
    octets.extend(&[0; 6][..body - start]);
    let (skipped, mut rest) = rdata.split_at(names.skip.min(rdata.len()));
    octets.extend(skipped);
    for name in 0..names.names {
        let (labels, after) = split_name(rest);
        let at = match before_apex(labels, apex) {
            Some(prefix) => {
                octets.extend(prefix);
                let at = u16::try_from(octets.len() - body).unwrap_or(IN_FULL);
                octets.extend(&[0xc0, 0]);
                at
            }
            None => {
                octets.extend(labels);
                IN_FULL
            }
        };
        octets[pointers + 2 * name..][..2].copy_from_slice(&at.to_be_bytes());
        rest = after;
    }
    octets.extend(rest);
    let length = u16::try_from(octets.len() - body).unwrap_or(u16::MAX);
    octets[start..pointers].copy_from_slice(&length.to_be_bytes());
}

/// The name at the front of `rdata`, root label included, and what follows it.
pub(super) fn split_name(rdata: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while let Some(&length) = rdata.get(at) {
        at += 1 + usize::from(length);
        if length == 0 {
            break;
        }
    }
    rdata.split_at(at.min(rdata.len()))
}

/// The labels of `name` before `apex`, whatever the case; `None` when it does not end in the apex, or when a
/// pointer would not be shorter (the root).
fn before_apex<'n>(name: &'n [u8], apex: &Name) -> Option<&'n [u8]> {
    if apex.is_root() {
        return None;
    }
    let mut at = 0;
    while name.len() - at > apex.as_wire().len() {
        at += 1 + usize::from(name[at]);
    }
    name.get(at..)?.eq_ignore_ascii_case(apex.as_wire()).then(|| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::field::Kind;
    use crate::wire::rtype::Form;

    fn wire(text: &str) -> Vec<u8> {
        Name::from_host(text).expect("a name").as_wire().to_vec()
    }

    #[test]
    fn what_is_compressed_is_what_the_table_of_types_says() {
        for mnemonic in Rtype::mnemonics() {
            let rtype: Rtype = mnemonic.parse().expect("a mnemonic");
            let fields = match rtype.definition().map(|definition| definition.form) {
                Some(Form::Fields(fields)) => fields,
                _ => &[],
            };
            let names = fields.iter().filter(|(_, kind)| *kind == Kind::CompressibleName).count();
            assert_eq!(compressible(rtype).names, names, "{mnemonic}");
            // The octets before the first of them: only MX has any, its preference.
            let before = fields.iter().take_while(|(_, kind)| *kind != Kind::CompressibleName);
            let skip: usize = before.map(|(_, kind)| if *kind == Kind::U16 { 2 } else { usize::MAX / 8 }).sum();
            assert!(names == 0 || compressible(rtype).skip == skip, "{mnemonic}");
        }
    }

    #[test]
    fn sets_come_back_and_names_leave_out_the_apex() {
        let apex = Name::from_host("example.org").expect("a name");
        let mut octets = Buffer::default();
        let hosts = [wire("ns1.Example.ORG"), wire("ns.example.net"), wire("example.org")];
        write(&mut octets, &apex, Rtype::NS, 3600, hosts.iter().map(Vec::as_slice));
        write(&mut octets, &apex, Rtype::A, 60, [&[192, 0, 2, 1][..]].into_iter());
        let mail = [&[0, 10][..], &wire("mail.example.org")].concat();
        write(&mut octets, &apex, Rtype::MX, 60, [mail.as_slice()].into_iter());

        let (ns, rest) = Rrset::read(&octets).expect("a set");
        assert_eq!((ns.rtype, ns.ttl, ns.count), (Rtype::NS, 3600, 3));
        let names: Vec<_> = ns.records().map(Record::name).collect();
        assert_eq!(names, [(&b"\x03ns1"[..], true), (hosts[1].as_slice(), false), (&b""[..], true)]);
        assert_eq!(ns.records().map(|record| record.rdata.len()).collect::<Vec<_>>(), [6, 16, 2]);
        assert_eq!(ns.octets_sent(), 3 * 12 + 6 + 16 + 2);

        let (a, rest) = Rrset::read(rest).expect("a set");
        assert_eq!(a.records().map(|record| record.rdata).collect::<Vec<_>>(), [[192, 0, 2, 1]]);
        assert_eq!(a.octets_sent(), 16);

        let (mx, rest) = Rrset::read(rest).expect("a set");
        let record = mx.records().next().expect("a record");
        assert_eq!(record.rdata, b"\x00\x0a\x04mail\xc0\x00");
        assert_eq!(record.apex_pointers().collect::<Vec<_>>(), [7]);
        assert!(rest.is_empty());
    }
}
