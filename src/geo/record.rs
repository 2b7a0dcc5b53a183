//! One record of a database → the place that it tells.
//!
//! Makers name the same things differently; the table in [`Field::within`] is what is known of that. A value that
//! does not read as what its name says (a country's name where others have its code, an empty string) counts as
//! not there: it is data, not a fault of the operator. Sources: the MaxMind DB file format 2.0; the field names
//! published for GeoIP2 and GeoLite2, DB-IP, IPinfo and ip-location-db.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::continent::Continent;
use super::place::{Coordinates, Country, Place, Subdivision, parse_asn};

/// The place that a record tells.
#[derive(Debug)]
pub(super) struct Record(pub(super) Place);

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut told = Told::default();
        Part { told: &mut told, field: Field::Record }.deserialize(deserializer)?;
        Ok(Self(told.place()))
    }
}

/// What a value of a record is about; a map's own values are about the same unless their name says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Record,
    Continent,
    Country,
    Registered,
    Subdivisions,
    Subdivision,
    Location,
    Latitude,
    Longitude,
    System,
    Asn,
}

impl Field {
    /// What `name` is about in a map that is about `self`; `None` for what is of no use here.
    fn within(self, name: &str) -> Option<Self> {
        Some(match (self, name) {
            // GeoIP2 and GeoLite2: maps in a record; IPinfo and others: codes. `traits` is GeoIP2 Enterprise's.
            (Self::Record, "continent" | "continent_code") => Self::Continent,
            (Self::Continent, "code") => Self::Continent,
            (Self::Record, "country" | "country_code") => Self::Country,
            (Self::Country, "iso_code" | "code") => Self::Country,
            (Self::Record, "registered_country") => Self::Registered,
            (Self::Registered, "iso_code") => Self::Registered,
            (Self::Record, "subdivisions") => Self::Subdivisions,
            (Self::Record, "region_code" | "state_code" | "subdivision_code") => Self::Subdivision,
            (Self::Record, "region" | "state" | "state1" | "stateprov") => Self::Subdivision,
            (Self::Subdivision, "iso_code") => Self::Subdivision,
            (Self::Record, "location") => Self::Location,
            (Self::Record | Self::Location, "latitude" | "lat") => Self::Latitude,
            (Self::Record | Self::Location, "longitude" | "lng" | "lon") => Self::Longitude,
            (Self::Record | Self::System, "asn" | "autonomous_system_number" | "as_number") => Self::Asn,
            (Self::Record, "as") => Self::System,
            (Self::Record, "geo" | "traits") => Self::Record,
            _ => return None,
        })
    }
}

/// What was read of a record so far.
#[derive(Debug, Default)]
struct Told<'de> {
    continent: Option<Continent>,
    country: Option<Country>,
    registered: Option<Country>,
    subdivision: Option<&'de str>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    asn: Option<u32>,
}

impl<'de> Told<'de> {
    fn text(&mut self, field: Field, text: &'de str) {
        match field {
            Field::Continent => self.continent = self.continent.or_else(|| Continent::of_code(text)),
            Field::Country => self.country = self.country.or_else(|| Country::of_code(text)),
            Field::Registered => self.registered = self.registered.or_else(|| Country::of_code(text)),
            // A name of a region stands where others have its code; no code has a small letter.
            Field::Subdivision if self.subdivision.is_none() && is_code(text) => self.subdivision = Some(text),
            Field::Latitude => self.latitude = self.latitude.or_else(|| text.parse().ok()),
            Field::Longitude => self.longitude = self.longitude.or_else(|| text.parse().ok()),
            Field::Asn => self.asn = self.asn.or_else(|| parse_asn(text).ok()),
            _ => {}
        }
    }

    fn number(&mut self, field: Field, number: f64) {
        match field {
            Field::Latitude => self.latitude = Some(number),
            Field::Longitude => self.longitude = Some(number),
            _ => {}
        }
    }

    fn whole_number(&mut self, field: Field, number: i128) {
        match field {
            Field::Asn => self.asn = self.asn.or_else(|| u32::try_from(number).ok().filter(|&asn| asn != 0)),
            _ => self.number(field, number as f64),
        }
    }

    fn place(self) -> Place {
        let country = self.country.or(self.registered);
        let subdivision = country.zip(self.subdivision).and_then(|(country, text)| match text.split_once('-') {
            Some((code, part)) if code == country.code() => Subdivision::of_part(country, part),
            Some(_) => None,
            None => Subdivision::of_part(country, text),
        });
        Place {
            continent: self.continent.or_else(|| country.map(Country::continent)),
            country,
            subdivision,
            coordinates: self
                .latitude
                .zip(self.longitude)
                .and_then(|(north, east)| Coordinates::of_degrees(north, east)),
            asn: self.asn,
        }
    }
}

fn is_code(text: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_uppercase() || octet.is_ascii_digit() || octet == b'-';
    (1..=6).contains(&text.len()) && text.bytes().all(fits)
}

/// Reads a value that is about `field` into `told`.
struct Part<'t, 'de> {
    told: &'t mut Told<'de>,
    field: Field,
}

impl<'de> DeserializeSeed<'de> for Part<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of a place")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<&str>()? {
            match self.field.within(name) {
                Some(field) => map.next_value_seed(Part { told: &mut *self.told, field })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    /// Of subdivisions the first is the largest, the one that ISO 3166-2 codes are given for everywhere.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        if self.field == Field::Subdivisions {
            sequence.next_element_seed(Part { told: &mut *self.told, field: Field::Subdivision })?;
        }
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.told.text(self.field, text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.told.whole_number(self.field, i128::from(number));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.told.whole_number(self.field, i128::from(number));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.told.number(self.field, number);
        Ok(())
    }

    fn visit_u128<E>(self, _: u128) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }
}
