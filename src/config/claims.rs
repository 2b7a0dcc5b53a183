//! What a member says of clients and of itself: claims, place, bias; and what a `geo` pool does with the rest.

use toml::de::DeValue;

use super::faults::{Faults, Span, shown};
use super::table::{Item, Keys, Table};
use crate::geo::{BIAS_MAX, Bias, Claim, Continent, Coordinates, Country, Fault, Network, Subdivision, parse_asn};

/// The keys that claim clients, the most specific first.
pub(super) const CLAIMS: [&str; 5] = ["networks", "asns", "subdivisions", "countries", "continents"];

const PLACE: Keys = Keys::only(&["latitude", "longitude"]);

/// A claim and where it stands.
pub(super) type Placed = (Claim, Span);

/// Reads the claims of a member's table.
pub(super) fn claims(table: &Table<'_>, faults: &mut Faults<'_>) -> Vec<Placed> {
    let mut claims = Vec::new();
    strings(table, "networks", r#"["203.0.113.0/24"]"#, &mut claims, faults, |text| {
        Network::parse(text).map(Claim::Network)
    });
    asns(table, &mut claims, faults);
    strings(table, "subdivisions", r#"["US-CA"]"#, &mut claims, faults, |text| {
        Subdivision::parse(text).map(Claim::Subdivision)
    });
    strings(table, "countries", r#"["TR"]"#, &mut claims, faults, |text| Country::parse(text).map(Claim::Country));
    strings(table, "continents", r#"["EU"]"#, &mut claims, faults, |text| Continent::parse(text).map(Claim::Continent));
    claims
}

fn strings(
    table: &Table<'_>,
    key: &str,
    example: &str,
    claims: &mut Vec<Placed>,
    faults: &mut Faults<'_>,
    parse: impl Fn(&str) -> Result<Claim, Fault>,
) {
    let Some(item) = table.get(key) else { return };
    for element in item.elements(example, faults).unwrap_or_default() {
        let Some(text) = element.string(example.trim_matches(['[', ']', '"']), faults) else { continue };
        match parse(text) {
            Ok(claim) => claims.push((claim, element.span)),
            Err(fault) => enter(element, fault, faults),
        }
    }
}

/// Numbers, or the words that registries write: `64500`, `"AS64500"`.
fn asns(table: &Table<'_>, claims: &mut Vec<Placed>, faults: &mut Faults<'_>) {
    let Some(item) = table.get("asns") else { return };
    for element in item.elements("[64500]", faults).unwrap_or_default() {
        let asn = match element.value {
            DeValue::String(text) => match parse_asn(text) {
                Ok(asn) => Some(asn),
                Err(fault) => {
                    enter(element, fault, faults);
                    None
                }
            },
            _ => element.integer(1..=u32::MAX, faults),
        };
        claims.extend(asn.map(|asn| (Claim::Asn(asn), element.span)));
    }
}

fn enter(item: Item<'_>, fault: Fault, faults: &mut Faults<'_>) {
    let note = faults.error(item.span, fault.message);
    if let Some(help) = fault.help {
        note.help(help);
    }
}

/// Where a pool or an endpoint is, in degrees: `{ latitude = 50.1, longitude = 8.7 }`.
pub(super) fn place(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Coordinates> {
    let table = item.table("a place", &PLACE, "{ latitude = 50.1, longitude = 8.7 }", faults)?;
    let mut degrees = |key, example, most: f64| {
        table.require(key, example, faults).and_then(|item| item.number(-most..=most, faults))
    };
    let (latitude, longitude) = (degrees("latitude", "50.1", 90.0), degrees("longitude", "8.7", 180.0));
    Coordinates::of_degrees(latitude?, longitude?)
}

/// How much nearer a member counts than it is, in percent.
pub(super) fn bias(table: &Table<'_>, faults: &mut Faults<'_>) -> Bias {
    let percent = table.get("bias").and_then(|item| item.integer(-BIAS_MAX..=BIAS_MAX, faults));
    percent.and_then(Bias::new).unwrap_or_default()
}

/// What becomes of clients whom no living member claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise<'a> {
    /// The nearest member.
    Nearest,
    /// The members in the operator's order.
    Failover,
    /// This member; whether there is one of that name is seen when the pool is whole.
    Member(&'a str, Span),
}

/// Reads `otherwise`: how to choose, or which member.
pub(super) fn otherwise<'a>(item: Item<'a>, members: &[&str], faults: &mut Faults<'_>) -> Option<Otherwise<'a>> {
    let text = item.string("nearest", faults)?;
    if members.contains(&text) {
        return Some(Otherwise::Member(text, item.span));
    }
    match text {
        "nearest" => Some(Otherwise::Nearest),
        "failover" => Some(Otherwise::Failover),
        _ => {
            let known = ["nearest", "failover"].into_iter().chain(members.iter().copied());
            faults
                .error(
                    item.span,
                    format!(
                        "`otherwise` is neither a member of this pool nor a way to choose one: \"{}\"",
                        shown(text)
                    ),
                )
                .help(super::faults::suggestion(text, known, "what it can be"));
            None
        }
    }
}
