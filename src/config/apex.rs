//! `[zone]`: the apex of a zone that has no master file: its SOA and its NS records.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::faults::{Faults, shown};
use super::table::{Item, Keys, Table};
use super::words::{Seen, addresses, host};
use crate::diagnostic::Place;
use crate::ttl::{TTL_LEAST, TTL_MOST};
use crate::wire::name::Name;

/// What `[zone]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneTable {
    /// The apex of a zone without a master file.
    Apex(Apex),
    /// `serial = "auto"` and nothing else, at this place: the serial of a master file's SOA moves by itself.
    AutoSerial(Place),
}

/// What stands at the apex of a zone. Times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apex {
    /// Where `[zone]` stands.
    pub place: Place,
    /// In the operator's order, none twice, at least one. The first is the SOA's MNAME.
    pub nameservers: Vec<Nameserver>,
    /// The SOA's RNAME: a mailbox, its `@` written as a dot (RFC 1035 §8).
    pub contact: Name,
    /// The TTL of the SOA, of the NS records and of the nameservers' addresses, 1 s to a week; an hour where none
    /// is given.
    pub ttl: u32,
    /// The SOA's serial number, where one is given; else it moves by itself.
    pub serial: Option<u32>,
    /// How often a secondary asks for the serial; an hour where none is given.
    pub refresh: u32,
    /// How long a secondary waits after it asked in vain; 15 minutes where none is given.
    pub retry: u32,
    /// How long a secondary serves on without an answer; two weeks where none is given.
    pub expire: u32,
    /// How long a resolver believes that something does not exist (RFC 2308 §4); 5 minutes where none is given.
    pub negative_ttl: u32,
}

/// A nameserver of the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nameserver {
    /// In lower case.
    pub name: Name,
    /// Its addresses, when it lies in the zone and the file gives them; none twice.
    pub addresses: Vec<IpAddr>,
}

/// As long as the infrastructure of a zone is left alone (RFC 1912 §2.2 speaks of a day or more): an hour lets a
/// move be done within one.
const TTL: u32 = 3_600;

/// RFC 1912 §2.2: 20 minutes to 12 hours.
const REFRESH: u32 = 3_600;

/// RFC 1912 §2.2: a fraction of the refresh.
const RETRY: u32 = 900;

/// RFC 1912 §2.2: 2 to 4 weeks; RIPE-203 takes 1,000 hours for zones that hardly change.
const EXPIRE: u32 = 1_209_600;

/// RFC 2308 §5 found 1 to 3 hours to work well. A name that was asked for a moment before it was balanced would
/// be missing for that long, and asking again costs little here.
const NEGATIVE_TTL: u32 = 300;

/// The SOA's times; a week of retries or ten years of expiry are nobody's intent, but 2³¹ − 1 s is where
/// the field ends (RFC 2181 §8).
const TIMER_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(0x7fff_ffff);

const ZONE: Keys =
    Keys::only(&["nameservers", "contact", "ttl", "serial", "refresh", "retry", "expire", "negative-ttl"]);

const NAMESERVER: Keys = Keys::only(&["name", "addresses"]);

const NAMESERVERS_EXAMPLE: &str = r#"["ns1.example.com", "ns2.example.com"]"#;

const CONTACT_EXAMPLE: &str = r#""hostmaster.example.com""#;

/// Reads `[zone]` of the zone `apex`; `None` when it is faulty.
pub(super) fn read(item: Item<'_>, apex: &Name, faults: &mut Faults<'_>) -> Option<ZoneTable> {
    let example = r#"{ nameservers = ["ns1.example.com"], contact = "hostmaster.example.com" }"#;
    let table = item.table("[zone]", &ZONE, example, faults)?;
    let serial = table.get("serial").map_or(Some(None), |item| serial(item, faults));
    if matches!(item.value, DeValue::Table(entries) if entries.len() == 1) && table.get("serial").is_some() {
        if serial?.is_some() {
            faults.error(item.key_span, "[zone] has nothing but a `serial`").help(
                "beside a master file that can only be \"auto\"; without one [zone] needs `nameservers` and `contact`",
            );
            return None;
        }
        return Some(ZoneTable::AutoSerial(faults.place(item.key_span)));
    }
    let needed = ["nameservers", "contact"];
    if needed.iter().all(|key| table.get(key).is_none()) && !table.is_meant(&needed) {
        faults.error(item.key_span, "[zone] has neither `nameservers` nor `contact`").help(format!(
            "beside a master file it holds serial = \"auto\" and nothing else; without one \
             add nameservers = {NAMESERVERS_EXAMPLE} and contact = {CONTACT_EXAMPLE}"
        ));
        return None;
    }
    let nameservers =
        table.require("nameservers", NAMESERVERS_EXAMPLE, faults).and_then(|item| nameservers(item, apex, faults));
    let contact = table.require("contact", CONTACT_EXAMPLE, faults).and_then(|item| contact(item, faults));
    let ttl = seconds(&table, "ttl", TTL_LEAST..=TTL_MOST, TTL, faults);
    let negative_ttl = seconds(&table, "negative-ttl", TTL_LEAST..=TTL_MOST, NEGATIVE_TTL, faults);
    let refresh = seconds(&table, "refresh", TIMER_RANGE, REFRESH, faults);
    let retry = seconds(&table, "retry", TIMER_RANGE, RETRY, faults);
    let expire = seconds(&table, "expire", TIMER_RANGE, EXPIRE, faults);
    Some(ZoneTable::Apex(Apex {
        place: faults.place(item.key_span),
        nameservers: nameservers?,
        contact: contact?,
        ttl: ttl?,
        serial: serial?,
        refresh: refresh?,
        retry: retry?,
        expire: expire?,
        negative_ttl: negative_ttl?,
    }))
}

/// A number, or `"auto"`, for which there is none.
fn serial(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Option<u32>> {
    match item.value.as_str() {
        Some("auto") => Some(None),
        Some(other) => {
            faults
                .error(item.span, format!("`serial` cannot be \"{}\"", shown(other)))
                .help("write \"auto\", or a whole number without quotes");
            None
        }
        None => item.integer(0..=u32::MAX, faults).map(Some),
    }
}

fn seconds(
    table: &Table<'_>,
    key: &str,
    range: RangeInclusive<Duration>,
    default: u32,
    faults: &mut Faults<'_>,
) -> Option<u32> {
    let Some(item) = table.get(key) else { return Some(default) };
    item.seconds(range, faults).and_then(|span| u32::try_from(span.as_secs()).ok())
}

fn nameservers(item: Item<'_>, apex: &Name, faults: &mut Faults<'_>) -> Option<Vec<Nameserver>> {
    let elements = item.elements(NAMESERVERS_EXAMPLE, faults)?;
    if elements.is_empty() {
        faults
            .error(item.span, "`nameservers` is empty: a zone must have at least one")
            .help("give the names that the parent zone delegates to, two or more (RFC 2182 §5)");
        return None;
    }
    let mut seen = Seen::default();
    let mut sound = true;
    let mut nameservers = Vec::new();
    for element in elements {
        match nameserver(element, apex, faults) {
            Some(nameserver) => {
                let what = format!("the nameserver {}", nameserver.name);
                sound &= seen.enter(nameserver.name.clone(), element.span, &what, faults);
                nameservers.push(nameserver);
            }
            None => sound = false,
        }
    }
    sound.then_some(nameservers)
}

/// A name, or a table of a name and its addresses.
fn nameserver(item: Item<'_>, apex: &Name, faults: &mut Faults<'_>) -> Option<Nameserver> {
    let example = "ns1.example.com";
    if !matches!(item.value, DeValue::Table(_)) {
        return Some(Nameserver { name: host(item, example, faults)?, addresses: Vec::new() });
    }
    let table = item.table("a nameserver", &NAMESERVER, "", faults)?;
    let name = table.require("name", "\"ns1.example.com\"", faults).and_then(|item| host(item, example, faults));
    let addresses_item = table.get("addresses");
    let addresses = addresses_item.map_or(Some(Vec::new()), |item| addresses(item, faults));
    let (name, addresses) = (name?, addresses?);
    if let Some(item) = addresses_item.filter(|_| !addresses.is_empty() && !name.is_at_or_below(apex)) {
        faults
            .error(item.span, format!("the nameserver {name} lies outside {apex} and cannot have addresses here"))
            .help("leave `addresses` out: they belong to the nameserver's own zone");
        return None;
    }
    Some(Nameserver { name, addresses })
}

fn contact(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Name> {
    let example = "hostmaster.example.com";
    if let Some((mailbox, domain)) = item.value.as_str().and_then(|text| text.split_once('@')) {
        let name = format!("{}.{domain}", mailbox.replace('.', "\\\\."));
        faults
            .error(item.span, "`contact` must be a domain name: DNS writes the `@` of a mailbox as a dot")
            .help(format!("write \"{}\" (RFC 1035 §8)", shown(&name)));
        return None;
    }
    host(item, example, faults)
}
