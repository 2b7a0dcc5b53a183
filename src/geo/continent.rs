//! The seven continents, by the codes that databases write.

use super::Fault;

/// A continent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Continent {
    /// `AF`
    Africa,
    /// `AN`
    Antarctica,
    /// `AS`
    Asia,
    /// `EU`
    Europe,
    /// `NA`: with Central America and the Caribbean
    NorthAmerica,
    /// `OC`
    Oceania,
    /// `SA`
    SouthAmerica,
}

impl Continent {
    /// All, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Africa,
        Self::Antarctica,
        Self::Asia,
        Self::Europe,
        Self::NorthAmerica,
        Self::Oceania,
        Self::SouthAmerica,
    ];

    /// Two capitals, as databases write it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Africa => "AF",
            Self::Antarctica => "AN",
            Self::Asia => "AS",
            Self::Europe => "EU",
            Self::NorthAmerica => "NA",
            Self::Oceania => "OC",
            Self::SouthAmerica => "SA",
        }
    }

    /// The continent with this code, if it is one.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|continent| continent.code() == code)
    }

    /// Reads what an operator wrote.
    ///
    /// # Errors
    /// No such continent, with the nearest that is, or all of them.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Self::of_code(text).ok_or_else(|| {
            let capitals = text.to_ascii_uppercase();
            let codes = Self::ALL.map(Self::code);
            let help = match codes.contains(&capitals.as_str()) {
                true => format!("write `{capitals}`"),
                false => format!("one of {}", codes.map(|code| format!("`{code}`")).join(", ")),
            };
            Fault::new(format!("`{text}` is not the code of a continent")).help(help)
        })
    }
}
