//! Walks a TOML tree whose every value knows its place.
//!
//! The one file that knows about unknown keys, wrong types and ranges; what a key means is its callers'
//! affair. A value that cannot be used is entered as a fault and comes back as `None`. TOML 1.1
//! (toml.io/en/v1.1.0), parsed by the `toml` crate.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::duration;
use super::faults::{Faults, Span, near, shown, suggestion};

/// Parses `text`. A text that is no TOML has its faults of syntax listed, the first of each line, and `None` is
/// returned: what the parser makes of the rest may lack whole tables, and would be faulted for that.
pub(super) fn parse<'a>(text: &'a str, faults: &mut Faults<'a>) -> Option<DeTable<'a>> {
    let (root, mut errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(root.into_inner());
    }
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut line_last = None;
    for error in errors {
        let span = Span::from(error.span().unwrap_or_default());
        let line = Some(faults.line(span));
        if line == line_last {
            continue;
        }
        line_last = line;
        let part = text.get(span.start..span.end).unwrap_or_default();
        match error.message() {
            "duplicate key" => faults
                .error(span, format!("`{}` stands twice", shown(part)))
                .help("a key or a table may stand only once in a file"),
            message if message.starts_with("string values must be quoted") && part.is_empty() => {
                faults.error(span, "a key without a value")
            }
            message if message.starts_with("string values must be quoted") => faults
                .error(span, format!("`{}` is neither quoted nor a number, a date, `true` or `false`", shown(part)))
                .help(format!("write \"{}\"", shown(part))),
            message => faults.error(span, format!("not TOML: {message}")),
        };
    }
    None
}

/// The keys of one kind of table.
pub(super) struct Keys {
    /// What is read.
    pub(super) known: &'static [&'static str],
    /// What is part of the files' contract but not of this version: refused by name, so that nothing that an
    /// operator asks for is silently left undone.
    pub(super) later: &'static [&'static str],
    /// What one of `later` is: "probe", "table", "key".
    pub(super) later_is: &'static str,
    /// Those of its kind that are `known`, if any.
    pub(super) instead: &'static [&'static str],
}

impl Keys {
    /// Keys that are all read.
    pub(super) const fn only(known: &'static [&'static str]) -> Self {
        Self { known, later: &[], later_is: "key", instead: known }
    }
}

/// A value, its key and where both stand. An element of an array goes by the array's key.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) key: &'a str,
    pub(super) key_span: Span,
    pub(super) value: &'a DeValue<'a>,
    pub(super) span: Span,
    element: bool,
}

/// A table whose keys are all known.
pub(super) struct Table<'a> {
    entries: &'a DeTable<'a>,
    /// What it describes, for messages: "pool `world`".
    what: String,
    /// Its key, or all of it where it has none: where a fault of the whole table is shown.
    pub(super) span: Span,
    /// Known keys that were probably meant by unknown ones.
    meant: Vec<&'static str>,
}

impl<'a> Item<'a> {
    pub(super) fn of((key, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)) -> Self {
        Self {
            key: key.get_ref(),
            key_span: key.span().into(),
            value: value.get_ref(),
            span: value.span().into(),
            element: false,
        }
    }

    /// A string; `example` shows one, without quotes.
    pub(super) fn string(self, example: &str, faults: &mut Faults<'_>) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.mismatch(&format!("a string such as \"{example}\""), faults);
        }
        text
    }

    /// `true` or `false`.
    pub(super) fn boolean(self, faults: &mut Faults<'_>) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.mismatch("`true` or `false`", faults);
        }
        value
    }

    /// A whole number within `range`.
    pub(super) fn integer<T>(self, range: RangeInclusive<T>, faults: &mut Faults<'_>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let (least, most) = (range.start(), range.end());
        let Some(digits) = self.value.as_integer() else {
            self.mismatch(&format!("a whole number from {least} to {most}"), faults);
            return None;
        };
        let number =
            i64::from_str_radix(digits.as_str(), digits.radix()).ok().and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            faults.error(
                self.span,
                format!("`{}` must be {least} to {most}, found {}", shown(self.key), shown(&digits.to_string())),
            );
        }
        number
    }

    /// A number within `range`, with or without a fraction.
    pub(super) fn number(self, range: RangeInclusive<f64>, faults: &mut Faults<'_>) -> Option<f64> {
        let (least, most) = (range.start(), range.end());
        let text = match self.value {
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
            DeValue::Float(digits) => digits.as_str(),
            _ => {
                self.mismatch(&format!("a number from {least} to {most}"), faults);
                return None;
            }
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            faults.error(self.span, format!("`{}` must be {least} to {most}, found {}", shown(self.key), shown(text)));
        }
        number
    }

    /// A span of time within `range`.
    pub(super) fn duration(self, range: RangeInclusive<Duration>, faults: &mut Faults<'_>) -> Option<Duration> {
        if let Some(number) = self.value.as_integer() {
            let number = shown(&number.to_string());
            faults
                .error(
                    self.span,
                    format!("`{}` is a time and needs a unit, found the integer {number}", shown(self.key)),
                )
                .help(format!("write \"{number}s\" for seconds, \"{number}ms\" for milliseconds"));
            return None;
        }
        let text = self.string("30s", faults)?;
        let span = match duration::parse(text) {
            Ok(span) => span,
            Err(error) => {
                faults
                    .error(self.span, format!("`{}`: {error}, found \"{}\"", shown(self.key), shown(text)))
                    .help(error.help(text));
                return None;
            }
        };
        if !range.contains(&span) {
            let (least, most) = (duration::text(*range.start()), duration::text(*range.end()));
            faults.error(self.span, format!("`{}` must be {least} to {most}, found {}", shown(self.key), shown(text)));
            return None;
        }
        Some(span)
    }

    /// A span of time within `range` that is whole seconds, as TTLs are.
    pub(super) fn seconds(self, range: RangeInclusive<Duration>, faults: &mut Faults<'_>) -> Option<Duration> {
        let span = self.duration(range, faults)?;
        if span.subsec_nanos() > 0 {
            let (key, found) = (shown(self.key), duration::text(span));
            faults
                .error(self.span, format!("`{key}` must be whole seconds, since DNS counts in seconds, found {found}"));
            return None;
        }
        Some(span)
    }

    /// The elements of an array; `example` shows one.
    pub(super) fn elements(self, example: &str, faults: &mut Faults<'_>) -> Option<Vec<Self>> {
        let Some(array) = self.value.as_array() else {
            self.mismatch(&format!("an array such as {example}"), faults);
            return None;
        };
        let element = |value: &'a Spanned<DeValue<'a>>| {
            let span = value.span().into();
            Self { key: self.key, key_span: span, value: value.get_ref(), span, element: true }
        };
        Some(array.iter().map(element).collect())
    }

    /// The entries of a table whose keys the operator chose, in the order of the file; `header` begins one.
    pub(super) fn entries(self, header: &str, faults: &mut Faults<'_>) -> Vec<Self> {
        let Some(table) = self.value.as_table() else {
            self.mismatch(&format!("a table, which a line {header} begins"), faults);
            return Vec::new();
        };
        let mut entries: Vec<_> = table.iter().map(Self::of).collect();
        entries.sort_by_key(|item| item.key_span.start);
        entries
    }

    /// A table that describes `what`; unknown keys are faults. `example` shows one.
    pub(super) fn table(self, what: &str, keys: &Keys, example: &str, faults: &mut Faults<'_>) -> Option<Table<'a>> {
        let Some(entries) = self.value.as_table() else {
            self.mismatch(&format!("a table such as {example}"), faults);
            return None;
        };
        if self.report_unquoted(entries, keys, faults) {
            return None;
        }
        Some(Table::of(entries, what, self.key_span, keys, faults))
    }

    /// Enters, and says, whether a name with a dot was meant: `www.eu = "world"` is to TOML a table `www` with a
    /// key `eu`. A table that is only there for the keys after its dot has its key for a place.
    fn report_unquoted(self, entries: &'a DeTable<'a>, keys: &Keys, faults: &mut Faults<'_>) -> bool {
        let any_known = keys.known.iter().any(|key| entries.contains_key(*key));
        if self.element || self.span != self.key_span || any_known {
            return false;
        }
        let is_slip = |key: &str| near(key, keys.known.iter().copied()).is_none() && !keys.later.contains(&key);
        let Some(mut inner) = entries.iter().map(Item::of).find(|item| is_slip(item.key)) else { return false };
        let mut name = format!("{}.{}", self.key, inner.key);
        // A longer dotted key is such a table in such a table.
        while let Some(table) = inner.value.as_table().filter(|_| inner.span == inner.key_span) {
            match table.iter().next().map(Item::of) {
                Some(next) if is_slip(next.key) => inner = next,
                _ => break,
            }
            name = format!("{name}.{}", inner.key);
        }
        let (name, outer) = (shown(&name), shown(self.key));
        faults
            .error(self.key_span, format!("`{name}` is not quoted, which makes it keys within a table `{outer}`"))
            .help(format!("write a name that has a dot in quotes: \"{name}\""));
        true
    }

    /// Enters that the value is of another type than the one `expected`.
    pub(super) fn mismatch(self, expected: &str, faults: &mut Faults<'_>) {
        let found = match self.value {
            DeValue::String(text) => format!("the string \"{}\"", shown(text)),
            DeValue::Integer(digits) => format!("the integer {}", shown(&digits.to_string())),
            DeValue::Float(digits) => format!("the number {}", shown(digits.as_str())),
            DeValue::Boolean(value) => format!("`{value}`"),
            DeValue::Datetime(_) => "a date or time".to_owned(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        let each = if self.element { "each of " } else { "" };
        faults.error(self.span, format!("{each}`{}` must be {expected}, found {found}", shown(self.key)));
    }
}

impl<'a> Table<'a> {
    /// The whole of a file, called `what` in messages.
    pub(super) fn root(entries: &'a DeTable<'a>, what: &str, keys: &Keys, faults: &mut Faults<'_>) -> Self {
        Self::of(entries, what, Span::default(), keys, faults)
    }

    fn of(entries: &'a DeTable<'a>, what: &str, span: Span, keys: &Keys, faults: &mut Faults<'_>) -> Self {
        let mut meant = Vec::new();
        for item in entries.iter().map(Item::of) {
            let key = item.key;
            if keys.known.contains(&key) || faults.is_full() {
                continue;
            }
            if keys.later.contains(&key) {
                let is = keys.later_is;
                let message = format!("the {is} `{key}` in {what} is not supported by this version");
                let note = faults.error(item.key_span, message);
                if !keys.instead.is_empty() {
                    note.help(format!("known {is}s: {}", keys.instead.join(", ")));
                }
                meant.extend(keys.instead);
            } else {
                let help = suggestion(key, keys.known.iter().copied(), "known keys");
                faults.error(item.key_span, format!("unknown key `{}` in {what}", shown(key))).help(help);
                meant.extend(near(key, keys.known.iter().copied()));
            }
        }
        Self { entries, what: what.to_owned(), span, meant }
    }

    /// The value of `key`, where it stands.
    pub(super) fn get(&self, key: &str) -> Option<Item<'a>> {
        self.entries.get_key_value(key).map(Item::of)
    }

    /// Whether an unknown key, a fault already, probably means one of `keys`: that they are missing is then not
    /// worth another.
    pub(super) fn is_meant(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.meant.contains(key))
    }

    /// The value of `key`, which must stand; `example` shows how.
    pub(super) fn require(&self, key: &str, example: &str, faults: &mut Faults<'_>) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() && !self.is_meant(&[key]) {
            faults.error(self.span, format!("{} has no `{key}`", self.what)).help(format!("add {key} = {example}"));
        }
        item
    }
}
