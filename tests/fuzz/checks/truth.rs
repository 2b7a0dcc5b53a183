//! What zones say, by reading RFC 1034 §4.3.2 aloud over a list of records: whole names compared, nothing indexed,
//! nothing shared with `src/zone` and `src/answer` but the text.

use std::ops::RangeInclusive;

use hickory_proto::rr::{DNSClass, Name, RData, Record};

/// A name's labels from the left, in lower case.
pub type Labels = Vec<Vec<u8>>;

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const CNAME: u16 = 5;
pub const AAAA: u16 = 28;
pub const DNAME: u16 = 39;
pub const DS: u16 = 43;
pub const ANY: u16 = 255;

/// Aliases that are followed: the first name, and as many more.
const CHAIN_MAX: usize = 16;

/// Octets of the longest name.
const NAME_OCTETS_MAX: usize = 255;

pub fn labels(name: &Name) -> Labels {
    name.iter().map(<[u8]>::to_ascii_lowercase).collect()
}

/// One zone's records, and the names in it that are balanced.
pub struct Said {
    pub apex: Labels,
    pub records: Vec<Record>,
    pub balanced: Vec<Balanced>,
}

/// A name and what its pool may give.
pub struct Balanced {
    pub owner: Labels,
    pub ipv4: Given,
    pub ipv6: Given,
}

#[derive(Clone)]
pub enum Given {
    /// Some of these.
    Addresses(Vec<RData>),
    /// An alias to one of these, for whatever type.
    Aliases(Vec<Labels>),
    /// No member of that family.
    Nothing,
    /// Members that are all dead, and nothing is said then, for so many seconds.
    Dead(u32),
}

/// What must be answered.
#[derive(Debug)]
pub struct Expected {
    /// Which of the zones answers.
    pub zone: usize,
    pub rcode: u16,
    pub authoritative: bool,
    pub answer: Vec<Set>,
    pub authority: Authority,
}

/// Records of an answer that belong together.
#[derive(Debug)]
pub enum Set {
    /// All of these, in any order.
    Static { owner: Labels, rtype: u16, ttl: u32, data: Vec<RData> },
    /// One or more of these, none twice.
    Some { owner: Labels, rtype: u16, data: Vec<RData> },
    /// One alias to one of these.
    Alias { owner: Labels, ttl: RangeInclusive<u32>, targets: Vec<Labels> },
}

#[derive(Debug)]
pub enum Authority {
    Nothing,
    /// There is no such thing: the SOA, with this TTL.
    Soa(u32),
    /// The servers of the zone below.
    Referral(Labels),
}

/// The TTLs between which balanced answers move in every zone here.
const BALANCED_TTL: RangeInclusive<u32> = 5..=30;

/// How long "there is no such thing" may be believed in every zone here.
const NEGATIVE_TTL: u32 = 300;

impl Said {
    fn at<'s>(&'s self, owner: &[Vec<u8>], rtype: u16) -> impl Iterator<Item = &'s Record> {
        let owner = owner.to_vec();
        self.records
            .iter()
            .filter(move |record| u16::from(record.record_type()) == rtype && labels(&record.name) == owner)
    }

    fn has(&self, owner: &[Vec<u8>], rtype: u16) -> bool {
        self.at(owner, rtype).next().is_some()
    }

    fn balanced(&self, owner: &[Vec<u8>]) -> Option<&Balanced> {
        self.balanced.iter().find(|balanced| balanced.owner == owner)
    }

    /// Whether anything stands at the name or below it (RFC 4592 §2.2.2).
    fn exists(&self, name: &[Vec<u8>]) -> bool {
        self.records.iter().any(|record| labels(&record.name).ends_with(name))
            || self.balanced.iter().any(|balanced| balanced.owner.ends_with(name))
    }

    /// The types that stand at an owner.
    fn types(&self, owner: &[Vec<u8>]) -> Vec<u16> {
        let here = self.records.iter().filter(|record| labels(&record.name) == owner);
        here.map(|record| u16::from(record.record_type())).collect()
    }

    fn set(&self, node: &[Vec<u8>], rtype: u16, owner: &Labels) -> Set {
        let ttl = self.at(node, rtype).next().map_or(0, |record| record.ttl);
        let data = self.at(node, rtype).map(|record| record.data.clone()).collect();
        Set::Static { owner: owner.clone(), rtype, ttl, data }
    }

    /// The addresses of the servers of the cut at `owner` that nobody else can give, and those that may come along.
    pub fn glue(&self, cut: &[Vec<u8>]) -> (Vec<&Record>, Vec<&Record>) {
        let servers: Vec<Labels> = self
            .at(cut, NS)
            .filter_map(|record| match &record.data {
                RData::NS(server) => Some(labels(&server.0)),
                _ => None,
            })
            .collect();
        let is_address = |record: &&Record| matches!(u16::from(record.record_type()), A | AAAA);
        let may = self.records.iter().filter(is_address).filter(|record| servers.contains(&labels(&record.name)));
        let may: Vec<&Record> = may.collect();
        (may.iter().copied().filter(|record| labels(&record.name).ends_with(cut)).collect(), may)
    }
}

/// The zone that answers: the longest apex, the parent's for DS at an apex (RFC 4035 §3.1.4.1).
fn zone_of(zones: &[Said], name: &[Vec<u8>], qtype: u16) -> Option<usize> {
    let longest = |name: &[Vec<u8>]| {
        let above = (0..zones.len()).filter(|&zone| name.ends_with(&zones[zone].apex));
        above.max_by_key(|&zone| zones[zone].apex.len())
    };
    let own = longest(name)?;
    if qtype == DS && zones[own].apex == name && !name.is_empty() {
        return longest(&name[1..]).or(Some(own));
    }
    Some(own)
}

/// What must be answered to a question of class IN; `None` where the name is in none of the zones. Where one of
/// several may be chosen, what was `told` says which.
pub fn expected(zones: &[Said], qname: &Labels, qtype: u16, told: &[Record]) -> Option<Expected> {
    let number = zone_of(zones, qname, qtype)?;
    let zone = &zones[number];
    let authority = Authority::Nothing;
    let mut expected = Expected { zone: number, rcode: 0, authoritative: false, answer: Vec::new(), authority };
    let (mut name, mut seen) = (qname.clone(), Vec::new());
    loop {
        let left = !seen.is_empty() && zone_of(zones, &name, qtype) != Some(number);
        if left || seen.contains(&name) || seen.len() > CHAIN_MAX {
            return Some(expected);
        }
        seen.push(name.clone());
        match step(zone, &name, qtype, told, &mut expected) {
            Some(target) => name = target,
            None => return Some(expected),
        }
    }
}

/// What `name` adds to the answer, and where it leads.
fn step(zone: &Said, name: &Labels, qtype: u16, told: &[Record], expected: &mut Expected) -> Option<Labels> {
    let depth = name.len() - zone.apex.len();
    // From the apex down: whoever has delegated or redirected first decides.
    for above in (0..=depth).rev() {
        let ancestor = &name[above..];
        let is_parents = above == 0 && qtype == DS;
        if above < depth && zone.has(ancestor, NS) && !is_parents {
            expected.authority = Authority::Referral(ancestor.to_vec());
            return None;
        }
        if above > 0 && zone.has(ancestor, DNAME) {
            expected.authoritative = true;
            return redirect(zone, name, above, qtype, expected);
        }
    }
    expected.authoritative = true;
    if zone.exists(name) {
        return node(zone, name, name, qtype, told, expected);
    }
    let encloser = (1..=depth).find(|&above| zone.exists(&name[above..])).unwrap_or(depth);
    let wildcard = [&[b"*".to_vec()], &name[encloser..]].concat();
    if zone.exists(&wildcard) {
        return node(zone, &wildcard, name, qtype, told, expected);
    }
    expected.rcode = 3;
    expected.authority = Authority::Soa(NEGATIVE_TTL);
    None
}

/// RFC 6672 §3.1.
fn redirect(zone: &Said, name: &Labels, above: usize, qtype: u16, expected: &mut Expected) -> Option<Labels> {
    let owner = name[above..].to_vec();
    expected.answer.push(zone.set(&owner, DNAME, &owner));
    let record = zone.at(&owner, DNAME).next().expect("a DNAME record");
    let target = [&name[..above], &dname_target(record)].concat();
    if target.iter().map(|label| label.len() + 1).sum::<usize>() + 1 > NAME_OCTETS_MAX {
        expected.rcode = 6;
        return None;
    }
    expected.answer.push(Set::Alias {
        owner: name.clone(),
        ttl: record.ttl..=record.ttl,
        targets: vec![target.clone()],
    });
    (qtype != CNAME && qtype != ANY).then_some(target)
}

/// hickory-proto does not know DNAME, so its rdata is what it was.
fn dname_target(record: &Record) -> Labels {
    let RData::Unknown { rdata, .. } = &record.data else { panic!("{record} is known") };
    let (mut rest, mut target) = (&rdata.anything[..], Vec::new());
    while let Some((&length @ 1.., after)) = rest.split_first() {
        let (label, after) = after.split_at(usize::from(length));
        target.push(label.to_ascii_lowercase());
        rest = after;
    }
    target
}

/// What stands at `node`, for `name`.
fn node(
    zone: &Said,
    node: &[Vec<u8>],
    name: &Labels,
    qtype: u16,
    told: &[Record],
    expected: &mut Expected,
) -> Option<Labels> {
    let types = zone.types(node);
    let chosen = told.iter().find(|record| labels(&record.name) == *name);
    if let Some(balanced) = zone.balanced(node) {
        let given = match qtype {
            A => Some((A, &balanced.ipv4)),
            AAAA => Some((AAAA, &balanced.ipv6)),
            _ if matches!(balanced.ipv4, Given::Aliases(_)) => Some((A, &balanced.ipv4)),
            // RFC 8482 §4.1: whichever there is.
            ANY if types.is_empty() && !matches!(balanced.ipv4, Given::Nothing) => Some((A, &balanced.ipv4)),
            ANY if types.is_empty() => Some((AAAA, &balanced.ipv6)),
            _ => None,
        };
        match given {
            Some((rtype, Given::Addresses(data))) => {
                expected.answer.push(Set::Some { owner: name.clone(), rtype, data: data.clone() });
                return None;
            }
            Some((_, Given::Aliases(targets))) => {
                let set = Set::Alias { owner: name.clone(), ttl: BALANCED_TTL, targets: targets.clone() };
                expected.answer.push(set);
                let target = chosen.and_then(|record| match &record.data {
                    RData::CNAME(target) => Some(labels(&target.0)),
                    _ => None,
                });
                return target.filter(|_| qtype != CNAME && qtype != ANY);
            }
            Some((_, Given::Nothing)) => {
                expected.authority = Authority::Soa(NEGATIVE_TTL);
                return None;
            }
            Some((_, &Given::Dead(ttl))) => {
                expected.authority = Authority::Soa(ttl);
                return None;
            }
            None => {}
        }
    }
    // RFC 8482 §4.1: any of the sets.
    let any = || chosen.map_or(types[0], |record| u16::from(record.record_type()));
    let wanted = if qtype == ANY && !types.is_empty() { any() } else { qtype };
    if types.contains(&wanted) {
        expected.answer.push(zone.set(node, wanted, name));
        return None;
    }
    if let Some(alias) = zone.at(node, CNAME).next() {
        expected.answer.push(zone.set(node, CNAME, name));
        let RData::CNAME(target) = &alias.data else { panic!("{alias} is none") };
        return Some(labels(&target.0));
    }
    expected.authority = Authority::Soa(NEGATIVE_TTL);
    None
}

/// Holds the answer section against what was expected of it; of one that was cut short, as far as it goes.
pub fn check_answer(sets: &[Set], mut told: &[Record], is_cut: bool) {
    for set in sets {
        if is_cut && told.is_empty() {
            return;
        }
        let (owner, rtype, count) = match set {
            Set::Static { owner, rtype, data, .. } => (owner, *rtype, data.len()),
            Set::Some { owner, rtype, .. } => (owner, *rtype, told.len().max(1)),
            Set::Alias { owner, .. } => (owner, CNAME, 1),
        };
        assert!(count <= told.len(), "{set:?} is not in {told:?}");
        let (records, rest) = told.split_at(count);
        told = rest;
        for (at, record) in records.iter().enumerate() {
            let is = (labels(&record.name), u16::from(record.record_type()), record.dns_class);
            assert_eq!(is, (owner.clone(), rtype, DNSClass::IN), "{record}");
            let again = records[..at].iter().any(|other| other.data == record.data);
            assert!(!again, "{record} stands there twice");
            let fits = match set {
                Set::Static { ttl, data, .. } => data.contains(&record.data) && record.ttl == *ttl,
                Set::Some { data, .. } => data.contains(&record.data) && BALANCED_TTL.contains(&record.ttl),
                Set::Alias { ttl, targets, .. } => match &record.data {
                    RData::CNAME(target) => targets.contains(&labels(&target.0)) && ttl.contains(&record.ttl),
                    _ => false,
                },
            };
            assert!(fits, "{record} is none of {set:?}");
        }
    }
    assert!(told.is_empty(), "{told:?} beyond {sets:?}");
}
