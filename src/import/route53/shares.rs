//! How a record set is chosen among its mates: its policy, and its share.

use super::super::draft::Share;
use super::super::{Fate, Imported};
use super::export::RecordSet;
use super::regions;

/// The policy that the sets of one name and type have in common.
pub(super) fn policy(set: &RecordSet) -> &'static str {
    if set.weight.is_some() {
        "weighted"
    } else if set.region.is_some() {
        "latency"
    } else if set.geo_location.is_some() {
        "geo"
    } else if set.geo_proximity_location.is_some() {
        "nearest"
    } else if set.failover.is_some() {
        "failover"
    } else {
        // What is left is MultiValueAnswer.
        "random"
    }
}

/// What `set` gets of its policy's choices. A place that is not known is told.
pub(super) fn share(set: &RecordSet, imported: &mut Imported) -> Share {
    let mut share = Share { weight: set.weight, ..Share::default() };
    let mut place = |region: &str| {
        let place = regions::place(region);
        if place.is_none() {
            imported.note(Fate::Lost, &set.name, format!("the place of the region {region}: give the member one"));
        }
        place
    };
    share.place = set.region.as_deref().and_then(&mut place);
    if let Some(proximity) = &set.geo_proximity_location {
        share.bias = proximity.bias;
        share.place = match &proximity.coordinates {
            Some(at) => at.latitude.parse().ok().zip(at.longitude.parse().ok()),
            None => proximity.region.as_deref().and_then(&mut place),
        };
    }
    if let Some(geo) = &set.geo_location {
        let claim = match (&geo.continent_code, geo.country_code.as_deref(), &geo.subdivision_code) {
            (_, Some(country), Some(part)) => Some(("subdivisions", format!("{country}-{part}"))),
            (_, Some("*"), None) => None,
            (_, Some(country), None) => Some(("countries", country.to_owned())),
            (Some(continent), None, _) => Some(("continents", continent.clone())),
            (None, None, _) => None,
        };
        share.claims.extend(claim.map(|(kind, place)| (kind, vec![place])));
    }
    share
}

/// Whether it is the default location's.
pub(super) fn is_default(set: &RecordSet) -> bool {
    set.geo_location.as_ref().is_some_and(|geo| geo.country_code.as_deref() == Some("*"))
}

/// Whether Route 53 chooses among `sets` evenly, by weight though they have none.
pub(super) fn all_zero<'a>(mut sets: impl Iterator<Item = &'a RecordSet>) -> bool {
    sets.all(|set| set.weight == Some(0))
}
