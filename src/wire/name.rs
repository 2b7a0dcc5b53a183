//! Domain names in wire form, and the master-file text that stands for them.
//!
//! Sources: RFC 1035 §2.3.4 (limits), §3.1 (wire form), §5.1 (escapes); RFC 4343 (case).

use std::fmt;

/// Octets of a name in wire form, root label included (RFC 1035 §2.3.4).
pub const NAME_OCTETS_MAX: usize = 255;

/// Octets of a label (RFC 1035 §2.3.4).
pub const LABEL_OCTETS_MAX: usize = 63;

/// Labels of a name, the root's not counted: (255 − 1) / 2.
pub const LABELS_MAX: usize = 127;

/// A fully qualified name in wire form, uncompressed, the root label included: 1 to 255 octets.
///
/// Case is kept as written; compare [`Name::to_lowercase`]d names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<[u8]>);

/// Why a text or some octets are not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing at all.
    Empty,
    /// Two dots in a row, or one at the start.
    EmptyLabel,
    /// A label of more than 63 octets.
    LabelTooLong,
    /// A name of more than 255 octets.
    NameTooLong,
    /// A backslash that no escape follows, or `\DDD` past 255.
    BadEscape,
    /// A relative name where there is no origin to complete it.
    Relative,
    /// Octets that end inside a label, go on after the root or hold a compression pointer.
    BadWire,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a name cannot be empty",
            Self::EmptyLabel => "a name cannot have an empty label (two dots in a row, or one at the start)",
            Self::LabelTooLong => "a label cannot be longer than 63 octets",
            Self::NameTooLong => "a name cannot be longer than 255 octets",
            Self::BadEscape => "a backslash must be followed by a character or by three digits up to 255",
            Self::Relative => "a relative name needs an origin",
            Self::BadWire => "these octets are not a name in wire form",
        })
    }
}

impl std::error::Error for NameError {}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// Reads master-file text (RFC 1035 §5.1): escapes are taken, `@` is the origin, a name without a final
    /// dot is completed by `origin`.
    ///
    /// # Errors
    /// As [`NameError`] says; [`NameError::Relative`] when the text needs an origin and `origin` is `None`.
    pub fn from_text(text: &[u8], origin: Option<&Self>) -> Result<Self, NameError> {
        let mut octets = [0; NAME_OCTETS_MAX];
        let length = write_text(text, origin.map(Self::as_wire), &mut octets)?;
        Ok(Self(octets[..length].into()))
    }

    /// Reads an absolute name whether or not it ends with a dot: how host names stand in policy files.
    ///
    /// # Errors
    /// As [`NameError`] says.
    pub fn from_host(text: &str) -> Result<Self, NameError> {
        Self::from_text(text.as_bytes(), Some(&Self::root()))
    }

    /// Takes an uncompressed name in wire form that fills `octets`.
    ///
    /// # Errors
    /// [`NameError::BadWire`] or a limit that is passed.
    pub fn from_wire(octets: &[u8]) -> Result<Self, NameError> {
        if octets.len() > NAME_OCTETS_MAX {
            return Err(NameError::NameTooLong);
        }
        let mut at = 0;
        loop {
            match octets.get(at) {
                Some(0) if at + 1 == octets.len() => return Ok(Self(octets.into())),
                Some(&length @ 1..=63) => at += 1 + usize::from(length),
                _ => return Err(NameError::BadWire),
            }
        }
    }

    /// The octets, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from the leftmost on, without the root's.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, next) = after.split_at_checked(usize::from(length))?;
            rest = next;
            (length > 0).then_some(label)
        })
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (&length, after) = self.0.split_first()?;
        (length > 0).then(|| Self(after[usize::from(length)..].into()))
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// Whether this is `ancestor` or below it, whatever the case of either (RFC 4343).
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let mut rest: &[u8] = &self.0;
        while rest.len() > ancestor.0.len() {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        rest.eq_ignore_ascii_case(&ancestor.0)
    }

    /// This name with A–Z as a–z. Length octets are at most 63, below `A`, so the whole form can be folded.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }
}

/// Writes the wire form of `text` to `octets` and returns its length: [`Name::from_text`] without allocation,
/// for the reader of master files. `origin` is a name in wire form.
///
/// # Errors
/// As [`Name::from_text`].
pub fn write_text(text: &[u8], origin: Option<&[u8]>, octets: &mut [u8; NAME_OCTETS_MAX]) -> Result<usize, NameError> {
    let complete = |octets: &mut [u8; NAME_OCTETS_MAX], length: usize| {
        let origin = origin.ok_or(NameError::Relative)?;
        let end = length + origin.len();
        octets.get_mut(length..end).ok_or(NameError::NameTooLong)?.copy_from_slice(origin);
        Ok(end)
    };
    match text {
        b"" => return Err(NameError::Empty),
        b"@" => return complete(octets, 0),
        b"." => {
            octets[0] = 0;
            return Ok(1);
        }
        _ => {}
    }
    // `start` is where the length octet of the label in progress goes, `at` where its next octet goes.
    let (mut start, mut at, mut rest) = (0, 1, text);
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        let octet = match octet {
            b'.' => {
                if at == start + 1 {
                    return Err(NameError::EmptyLabel);
                }
                octets[start] = u8::try_from(at - start - 1).map_err(|_| NameError::LabelTooLong)?;
                start = at;
                at += 1;
                if at > NAME_OCTETS_MAX {
                    return Err(NameError::NameTooLong);
                }
                continue;
            }
            b'\\' => {
                let (octet, after) = escaped(rest).ok_or(NameError::BadEscape)?;
                rest = after;
                octet
            }
            plain => plain,
        };
        if at - start > LABEL_OCTETS_MAX {
            return Err(NameError::LabelTooLong);
        }
        *octets.get_mut(at).ok_or(NameError::NameTooLong)? = octet;
        at += 1;
    }
    if at == start + 1 {
        // The text ended with a dot: absolute.
        octets[start] = 0;
        return Ok(at);
    }
    octets[start] = u8::try_from(at - start - 1).map_err(|_| NameError::LabelTooLong)?;
    complete(octets, at)
}

/// The octet that an escape stands for, given what follows the backslash, and what follows the escape:
/// `\DDD` is the octet of that decimal number, `\X` is X (RFC 1035 §5.1).
pub fn escaped(after: &[u8]) -> Option<(u8, &[u8])> {
    match after {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let value = [a, b, c].into_iter().fold(0_u16, |value, digit| value * 10 + u16::from(digit - b'0'));
            Some((u8::try_from(value).ok()?, rest))
        }
        [b'0'..=b'9', ..] | [] => None,
        [octet, rest @ ..] => Some((*octet, rest)),
    }
}

/// As master-file text, absolute, with a final dot.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => write!(f, "\\{}", octet as char)?,
                    b'!'..=b'~' => write!(f, "{}", octet as char)?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_wire_and_comes_back() {
        let origin = Name::from_wire(b"\x07example\x03org\x00").expect("a name");
        let check = |text: &str, expected: Result<&str, NameError>| {
            let name = Name::from_text(text.as_bytes(), Some(&origin));
            assert_eq!(
                name.as_ref().map(Name::to_string).map_err(|&error| error),
                expected.map(str::to_owned),
                "{text}"
            );
            if let Ok(name) = name {
                assert_eq!(Name::from_wire(name.as_wire()).as_ref(), Ok(&name));
                assert_eq!(Name::from_text(name.to_string().as_bytes(), None).as_ref(), Ok(&name));
            }
        };
        check("www", Ok("www.example.org."));
        check("WWW.example.net.", Ok("WWW.example.net."));
        check("@", Ok("example.org."));
        check(".", Ok("."));
        check("*", Ok("*.example.org."));
        check("a\\.b.c", Ok("a\\.b.c.example.org."));
        check("a\\000b", Ok("a\\000b.example.org."));
        check("\\097bc", Ok("abc.example.org."));
        check("", Err(NameError::Empty));
        check("a..b", Err(NameError::EmptyLabel));
        check(".a", Err(NameError::EmptyLabel));
        check("a\\", Err(NameError::BadEscape));
        check("a\\256", Err(NameError::BadEscape));
        check("a\\12", Err(NameError::BadEscape));
        check(&"x".repeat(63), Ok(&format!("{}.example.org.", "x".repeat(63))));
        check(&"x".repeat(64), Err(NameError::LabelTooLong));
        check(&format!("{}.", "x.".repeat(127).trim_end_matches('.')), Ok(&"x.".repeat(127)));
        check(&"x.".repeat(128), Err(NameError::NameTooLong));
        check(&"x.".repeat(124), Ok(&"x.".repeat(124)));
        check("x.".repeat(124).trim_end_matches('.'), Err(NameError::NameTooLong));
        assert_eq!(Name::from_text(b"www", None), Err(NameError::Relative));
    }

    #[test]
    fn wire_that_is_not_a_name_is_refused() {
        for octets in [&b""[..], b"\x03ww", b"\x03www", b"\x00\x00", b"\xc0\x0c", b"\x40"] {
            assert_eq!(Name::from_wire(octets), Err(NameError::BadWire), "{octets:?}");
        }
        assert_eq!(Name::from_wire(&[1; 256]), Err(NameError::NameTooLong));
    }

    #[test]
    fn names_know_their_ancestors() {
        let name = |text: &str| Name::from_host(text).expect("a name");
        assert!(name("a.B.org").is_at_or_below(&name("b.ORG")));
        assert!(name("b.org").is_at_or_below(&name("b.org")));
        assert!(name("b.org").is_at_or_below(&Name::root()));
        assert!(!name("ab.org").is_at_or_below(&name("b.org")));
        assert!(!name("org").is_at_or_below(&name("b.org")));
        assert_eq!(name("a.b").parent(), Some(name("b")));
        assert_eq!(Name::root().parent(), None);
        assert!(name("*.b").is_wildcard() && !name("a.*.b").is_wildcard());
    }
}
