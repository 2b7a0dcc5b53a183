//! What is known of a client's network, and the codes in which operators and databases say it.
//!
//! Codes are read strictly: one that exists, in capitals. Sources: ISO 3166-1 (countries), ISO 3166-2
//! (subdivisions: checked by shape and country, since the list changes yearly), RFC 6793 (AS numbers).

use std::fmt;

use super::Fault;
use super::continent::Continent;
use super::countries::COUNTRIES;
use crate::diagnostic::nearest;

/// What is known of a client's network. Nothing is known by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Where a database names the country alone, the one that the country is counted to.
    pub continent: Option<Continent>,
    /// The country of use; where a database has none, the country of registration.
    pub country: Option<Country>,
    /// A part of that country.
    pub subdivision: Option<Subdivision>,
    /// Of the client, as a database has them; never derived from the country.
    pub coordinates: Option<Coordinates>,
    /// The AS number that announces the network; never 0.
    pub asn: Option<u32>,
}

impl Place {
    /// This, with what it lacks taken from `other`. A subdivision is taken only with its country, so that the two
    /// never contradict each other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let country = self.country.or(other.country);
        let subdivision = self.subdivision.or(other.subdivision);
        Self {
            continent: self.continent.or(other.continent),
            country,
            subdivision: subdivision.filter(|subdivision| Some(subdivision.country) == country),
            coordinates: self.coordinates.or(other.coordinates),
            asn: self.asn.or(other.asn),
        }
    }

    /// Where the client is for a measure of distance: its coordinates, else the middle of its country.
    pub fn position(&self) -> Option<Coordinates> {
        self.coordinates.or_else(|| self.country.map(Country::middle))
    }
}

/// For people: `EU DE DE-HE 50.11,8.68 AS64500`, each part where known; `nowhere known` else.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.continent.map(|continent| continent.code().to_owned()),
            self.country.map(|country| country.to_string()),
            self.subdivision.map(|subdivision| subdivision.to_string()),
            self.coordinates.map(|coordinates| coordinates.to_string()),
            self.asn.map(|asn| format!("AS{asn}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "nowhere known" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}

/// A country, by its row in the table of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(u8);

impl Country {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        // Fewer than 256.
        (0..COUNTRIES.len()).filter_map(|row| u8::try_from(row).ok().map(Self))
    }

    /// The country with this code, if it is one.
    pub fn of_code(code: &str) -> Option<Self> {
        let row = COUNTRIES.binary_search_by_key(&code, |&(code, ..)| code).ok()?;
        u8::try_from(row).ok().map(Self)
    }

    /// Reads what an operator wrote.
    ///
    /// # Errors
    /// No such country, with the nearest that is.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Self::of_code(text).ok_or_else(|| {
            let fault = Fault::new(format!("`{text}` is not the code of a country (ISO 3166-1 alpha-2)"));
            match country_meant(text) {
                Some(code) => fault.help(format!("did you mean `{code}`?")),
                None => fault,
            }
        })
    }

    /// Two capitals.
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// The continent that it is counted to.
    pub fn continent(self) -> Continent {
        self.row().1
    }

    /// About its middle, in whole degrees.
    pub fn middle(self) -> Coordinates {
        let (_, _, latitude, longitude) = *self.row();
        Coordinates { latitude: i32::from(latitude) * STEPS, longitude: i32::from(longitude) * STEPS }
    }

    fn row(self) -> &'static (&'static str, Continent, i16, i16) {
        // Made by `of_code` alone, so within the table.
        &COUNTRIES[usize::from(self.0)]
    }
}

/// The code that was probably meant: another case, a code that is used but not ISO's, or a slip of the fingers.
fn country_meant(text: &str) -> Option<&'static str> {
    let capitals = text.to_ascii_uppercase();
    let iso = match capitals.as_str() {
        "UK" => "GB",
        "EL" => "GR",
        capitals => capitals,
    };
    let known = Country::of_code(iso).map(Country::code);
    known.or_else(|| nearest(&capitals, COUNTRIES.iter().map(|&(code, ..)| code)))
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A part of a country: a state, a province.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subdivision {
    country: Country,
    /// One to three capitals or digits, zeros behind.
    part: [u8; 3],
}

impl Subdivision {
    /// The part `part` of `country`, when it has the shape of one: one to three capitals or digits.
    pub fn of_part(country: Country, part: &str) -> Option<Self> {
        let octets = part.as_bytes();
        let fits = octets.iter().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit());
        let mut part = [0; 3];
        part.get_mut(..octets.len()).filter(|part| fits && !part.is_empty())?.copy_from_slice(octets);
        Some(Self { country, part })
    }

    /// Reads what an operator wrote: `US-CA`.
    ///
    /// # Errors
    /// Another shape, and a country that there is not.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::new(format!("`{text}` is not the code of a subdivision (ISO 3166-2)"));
        let Some((country, part)) = text.split_once('-') else {
            return Err(wrong().help("country, hyphen, one to three capitals or digits, as `US-CA`"));
        };
        let Some(country) = Country::of_code(country) else {
            return Err(match country_meant(country) {
                Some(code) => wrong().help(format!("did you mean `{code}-{}`?", part.to_ascii_uppercase())),
                None => wrong().help(format!("there is no country `{country}`")),
            });
        };
        Self::of_part(country, part).ok_or_else(|| match Self::of_part(country, &part.to_ascii_uppercase()) {
            Some(meant) => wrong().help(format!("write `{meant}`")),
            None => wrong().help(format!("after `{country}-` stand one to three capitals or digits")),
        })
    }

    /// The country that it is a part of.
    pub fn country(self) -> Country {
        self.country
    }
}

impl fmt::Display for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.country)?;
        self.part.iter().filter(|&&octet| octet != 0).try_for_each(|&octet| write!(f, "{}", char::from(octet)))
    }
}

impl fmt::Debug for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Steps in a degree: 11 m each at most, about what the makers of databases give and finer than they know.
const STEPS: i32 = 10_000;

/// A position on the globe. Held in whole ten-thousandths of a degree, so that equal ones are found equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Coordinates {
    latitude: i32,
    longitude: i32,
}

impl Coordinates {
    /// The position at these degrees, north and east positive; `None` when the latitude is not from −90 to 90 or
    /// the longitude not from −180 to 180.
    pub fn of_degrees(latitude: f64, longitude: f64) -> Option<Self> {
        let steps = |degrees: f64, most: f64| {
            // Also refuses what is not a number.
            (degrees.abs() <= most).then(|| (degrees * f64::from(STEPS)).round() as i32)
        };
        Some(Self { latitude: steps(latitude, 90.0)?, longitude: steps(longitude, 180.0)? })
    }

    /// Degrees north, −90 to 90.
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude) / f64::from(STEPS)
    }

    /// Degrees east, −180 to 180.
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude) / f64::from(STEPS)
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.latitude(), self.longitude())
    }
}

/// Reads an AS number as databases and operators write it: `64500` or `AS64500`. 0 names no network
/// (RFC 7607).
///
/// # Errors
/// What is no number from 1 to 4294967295.
pub fn parse_asn(text: &str) -> Result<u32, Fault> {
    let digits = match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("AS") => &text[2..],
        _ => text,
    };
    let number = digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number
        .filter(|&asn| asn != 0)
        .ok_or_else(|| Fault::new(format!("`{text}` is not an AS number")).help("from 1 to 4294967295, as `64500`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_in_range() {
        for pair in COUNTRIES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
        for &(code, continent, latitude, longitude) in &COUNTRIES {
            assert!(code.len() == 2 && code.bytes().all(|octet| octet.is_ascii_uppercase()), "{code}");
            assert!(Coordinates::of_degrees(latitude.into(), longitude.into()).is_some(), "{code}");
            let country = Country::of_code(code).expect(code);
            assert_eq!((country.code(), country.continent()), (code, continent));
        }
        let size = size_of::<Place>();
        assert!(size <= 32, "a place takes {size} octets; a city database has hundreds of thousands");
    }

    #[test]
    fn codes_are_read() {
        for continent in Continent::ALL {
            assert_eq!(Continent::parse(continent.code()), Ok(continent));
        }
        for code in ["AD", "DE", "XK", "ZW", "US"] {
            assert_eq!(Country::parse(code).expect(code).to_string(), code);
        }
        for code in ["US-CA", "DE-HE", "FR-75C", "RU-MOW", "JP-13", "AD-1"] {
            assert_eq!(Subdivision::parse(code).expect(code).to_string(), code);
        }
        for (text, asn) in [("64500", 64500), ("AS64500", 64500), ("as1", 1), ("4294967295", u32::MAX)] {
            assert_eq!(parse_asn(text), Ok(asn));
        }
    }

    #[test]
    fn codes_that_are_none_say_the_nearest() {
        let check = |fault: Fault, expected: &str| assert_eq!(fault.to_string(), expected);
        let country = |text: &str| Country::parse(text).expect_err(text);
        check(country("UK"), "`UK` is not the code of a country (ISO 3166-1 alpha-2) (did you mean `GB`?)");
        check(country("de"), "`de` is not the code of a country (ISO 3166-1 alpha-2) (did you mean `DE`?)");
        check(country("DEU"), "`DEU` is not the code of a country (ISO 3166-1 alpha-2) (did you mean `DE`?)");
        check(country("Germany"), "`Germany` is not the code of a country (ISO 3166-1 alpha-2)");
        let continents = "(one of `AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`)";
        check(Continent::parse("XX").expect_err("XX"), &format!("`XX` is not the code of a continent {continents}"));
        check(Continent::parse("eu").expect_err("eu"), "`eu` is not the code of a continent (write `EU`)");
        let subdivision = |text: &str| Subdivision::parse(text).expect_err(text);
        let what = "is not the code of a subdivision (ISO 3166-2)";
        let shape = "country, hyphen, one to three capitals or digits, as `US-CA`";
        check(subdivision("CA"), &format!("`CA` {what} ({shape})"));
        check(subdivision("us-ca"), &format!("`us-ca` {what} (did you mean `US-CA`?)"));
        check(subdivision("US-ca"), &format!("`US-ca` {what} (write `US-CA`)"));
        check(subdivision("UK-ENG"), &format!("`UK-ENG` {what} (did you mean `GB-ENG`?)"));
        check(subdivision("US-"), &format!("`US-` {what} (after `US-` stand one to three capitals or digits)"));
        check(subdivision("US-CALI"), &format!("`US-CALI` {what} (after `US-` stand one to three capitals or digits)"));
        for text in ["0", "AS0", "4294967296", "AS", "", "-1", "+5", "AS 5", "ÄS5"] {
            let expected = format!("`{text}` is not an AS number (from 1 to 4294967295, as `64500`)");
            check(parse_asn(text).expect_err(text), &expected);
        }
    }

    #[test]
    fn coordinates_stay_on_the_globe() {
        let check = |latitude: f64, longitude: f64, expected: Option<&str>| {
            let coordinates = Coordinates::of_degrees(latitude, longitude).map(|coordinates| coordinates.to_string());
            assert_eq!(coordinates.as_deref(), expected);
        };
        check(50.1, 8.7, Some("50.1,8.7"));
        check(-90.0, 180.0, Some("-90,180"));
        check(f64::from(37.774_93_f32), -122.419_42, Some("37.7749,-122.4194"));
        check(90.1, 0.0, None);
        check(0.0, -180.5, None);
        check(f64::NAN, 0.0, None);
        check(0.0, f64::INFINITY, None);
    }

    #[test]
    fn the_first_that_knows_wins_by_field() {
        let country = Country::of_code;
        let part = |text: &str| Subdivision::parse(text).ok();
        let first = Place { country: country("DE"), ..Place::default() };
        let german = Place { subdivision: part("DE-HE"), asn: Some(64500), country: country("DE"), ..first };
        let american = Place { subdivision: part("US-CA"), asn: Some(64501), country: country("US"), ..first };
        assert_eq!(first.or(german), german);
        assert_eq!(first.or(american), Place { asn: Some(64501), ..first }, "no part of another country");
        assert_eq!(german.or(american), german);
        assert_eq!(german.to_string(), "DE DE-HE AS64500");
        assert_eq!(Place::default().to_string(), "nowhere known");
    }
}
