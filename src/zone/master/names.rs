//! Names in a master file: completed by the origin, held against the apex, and the slip of the missing final dot.

use super::fault::{Fault, Reading, shown};
use super::scan::Token;
use crate::wire::name::{NAME_OCTETS_MAX, Name, write_text};

/// A name in wire form in a buffer of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameBuffer {
    pub(super) octets: [u8; NAME_OCTETS_MAX],
    pub(super) length: usize,
}

impl NameBuffer {
    pub(super) fn of(name: &Name) -> Self {
        let mut octets = [0; NAME_OCTETS_MAX];
        let wire = name.as_wire();
        octets[..wire.len()].copy_from_slice(wire);
        Self { octets, length: wire.len() }
    }

    pub(super) fn as_wire(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// The names that `@Z` and `@F` stand for in the [`Dialect`](super::Dialect) that has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchors {
    pub(super) zone: NameBuffer,
    pub(super) file: NameBuffer,
}

impl Anchors {
    /// Of a zone's own file, which begins with the zone as its origin.
    pub(super) fn of_zone(apex: &Name) -> Self {
        Self { zone: NameBuffer::of(apex), file: NameBuffer::of(apex) }
    }

    /// The labels before the anchor that `text` ends with, as a name would be written that it completes; and the anchor.
    pub(super) fn find<'t>(&self, text: &'t [u8]) -> Option<(&'t [u8], &NameBuffer)> {
        let (rest, anchor) = text.split_last_chunk()?;
        let anchor = match anchor {
            b"@Z" | b"@z" => &self.zone,
            b"@F" | b"@f" => &self.file,
            _ => return None,
        };
        match rest {
            [] => Some((b"@", anchor)),
            // A dot that a backslash stands before is of the label.
            [labels @ .., b'.'] if labels.last() != Some(&b'\\') => Some((labels, anchor)),
            _ => None,
        }
    }
}

/// What completes a relative name, and what was noticed on the way.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) origin: NameBuffer,
    /// Where names may hang on these as well.
    pub(super) anchors: Option<Anchors>,
    apex: Name,
    /// Warnings about the names of the entry in progress.
    pub(super) notes: Vec<Fault>,
}

impl Names {
    pub(super) fn new(apex: &Name) -> Self {
        Self { origin: NameBuffer::of(apex), anchors: None, apex: apex.clone(), notes: Vec::new() }
    }

    pub(super) fn apex(&self) -> &Name {
        &self.apex
    }

    /// Reads a name to the front of `octets` and returns its length.
    pub(super) fn read(&mut self, token: Token<'_>, octets: &mut [u8; NAME_OCTETS_MAX]) -> Reading<usize> {
        if token.quoted {
            return Err(token.fault(format!("a name stands without quotes: `{}`", shown(token.text))));
        }
        let no_name = |error| token.fault(format!("`{}` is no name: {error}", shown(token.text)));
        if let Some((text, anchor)) = self.anchors.as_ref().and_then(|anchors| anchors.find(token.text)) {
            return write_text(text, Some(anchor.as_wire()), octets).map_err(no_name);
        }
        let length = write_text(token.text, Some(self.origin.as_wire()), octets).map_err(no_name)?;
        if token.text.last() != Some(&b'.') && self.is_doubled(&octets[..length]) {
            let written = shown(token.text);
            let message = format!("`{written}` has no final dot, so it means {}", text_of(&octets[..length]));
            let note = token.fault(message).warning().help(format!("did you mean `{written}.`?"));
            self.notes.push(*note);
        }
        Ok(length)
    }

    /// Whether a name that was completed by the origin holds the zone's name twice: `www.example.com` without
    /// its final dot in the zone `example.com`.
    fn is_doubled(&self, completed: &[u8]) -> bool {
        let apex = self.apex.as_wire();
        let written = completed.len().saturating_sub(self.origin.length);
        let body = &apex[..apex.len() - 1];
        let Some(lead) = written.checked_sub(body.len()) else { return false };
        !body.is_empty()
            && completed[lead..written].eq_ignore_ascii_case(body)
            && labels(&completed[..written]).any(|at| at == lead)
    }

    /// Holds an owner against the apex.
    pub(super) fn check_owner(&self, token: Token<'_>, owner: &[u8]) -> Reading<()> {
        let apex = self.apex.as_wire();
        let lead = owner.len().checked_sub(apex.len());
        let inside =
            lead.is_some_and(|lead| owner[lead..].eq_ignore_ascii_case(apex) && labels(owner).any(|at| at == lead));
        if inside {
            return Ok(());
        }
        let message = format!("{} is outside of the zone {}", text_of(owner), self.apex);
        Err(token.fault(message).help(self.outside_help(owner)))
    }

    fn outside_help(&self, owner: &[u8]) -> String {
        let wanted = self.apex.labels().count();
        let starts: Vec<usize> = labels(owner).collect();
        let tail = starts.len().checked_sub(wanted + 1).and_then(|at| starts.get(at)).map(|&at| text_of(&owner[at..]));
        let apex = self.apex.to_string();
        match tail.and_then(|tail| crate::diagnostic::nearest(&tail, [apex.as_str()]).map(|_| tail)) {
            Some(tail) => format!("did you mean `{apex}` where it says `{tail}`?"),
            None => format!(
                "a zone file holds names at or below {apex} only; BIND leaves such a record out, which hides the slip"
            ),
        }
    }
}

/// Where the labels of a name in wire form begin, the root's included when it is there.
fn labels(octets: &[u8]) -> impl Iterator<Item = usize> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        next += 1 + usize::from(*octets.get(at)?);
        Some(at)
    })
}

/// A name in wire form as text.
pub(super) fn text_of(octets: &[u8]) -> String {
    Name::from_wire(octets).map_or_else(|error| error.to_string(), |name| name.to_string())
}
