//! The name that is looked up: read from a message or put together from a CNAME, folded to lower case, with
//! the hash of each of its ancestors.
//!
//! It lives in the worker and is overwritten by each query, so nothing is allocated or cleared.

use super::name::{LABELS_MAX, NAME_OCTETS_MAX, Name};

/// A name in lower case, wire form, with the places of its labels.
///
/// ```text
/// octets   3 w w w 7 e x a m p l e 3 o r g 0
/// starts   ^0      ^1              ^2      ^3 (the root)
/// hashes   of www.example.org, of example.org, of org, of the root
/// ```
#[derive(Clone, Debug)]
pub struct Qname {
    octets: [u8; NAME_OCTETS_MAX],
    length: u8,
    /// Labels, the root's not counted.
    labels: u8,
    starts: [u8; LABELS_MAX + 1],
    hashes: [u32; LABELS_MAX + 1],
}

/// The question's name cannot be read: RFC 1035 §4.1.1, Format error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Default for Qname {
    fn default() -> Self {
        Self {
            octets: [0; NAME_OCTETS_MAX],
            length: 1,
            labels: 0,
            starts: [0; LABELS_MAX + 1],
            hashes: [HASH_ROOT; LABELS_MAX + 1],
        }
    }
}

impl Qname {
    /// Reads the name at the front of `octets` and returns how many octets it takes. A compression pointer has
    /// nothing to point to in a question, so it is malformed too.
    ///
    /// # Errors
    /// [`Malformed`] when the name is cut short, too long or not of plain labels.
    pub fn read(&mut self, octets: &[u8]) -> Result<usize, Malformed> {
        let (mut at, mut labels) = (0, 0);
        loop {
            let length = *octets.get(at).ok_or(Malformed)?;
            *self.starts.get_mut(labels).ok_or(Malformed)? = u8::try_from(at).map_err(|_| Malformed)?;
            match length {
                0 => break,
                1..=63 => at += 1 + usize::from(length),
                _ => return Err(Malformed),
            }
            labels += 1;
        }
        let length = at + 1;
        // Length octets are at most 63, below `A`, so the whole wire form is folded at once.
        let target = self.octets.get_mut(..length).ok_or(Malformed)?;
        target.copy_from_slice(octets.get(..length).ok_or(Malformed)?);
        target.make_ascii_lowercase();
        self.length = u8::try_from(length).map_err(|_| Malformed)?;
        self.labels = u8::try_from(labels).map_err(|_| Malformed)?;
        self.hash();
        Ok(length)
    }

    /// Becomes `prefix`, whole labels without an end, followed by `suffix`, a name: how a stored name that
    /// ends in its zone's apex comes back.
    ///
    /// # Errors
    /// [`Malformed`] when that is not a name.
    pub fn join(&mut self, prefix: &[u8], suffix: &[u8]) -> Result<(), Malformed> {
        let mut octets = [0; NAME_OCTETS_MAX];
        let length = prefix.len() + suffix.len();
        octets.get_mut(..prefix.len()).ok_or(Malformed)?.copy_from_slice(prefix);
        octets.get_mut(prefix.len()..length).ok_or(Malformed)?.copy_from_slice(suffix);
        self.read(&octets[..length]).map(drop)
    }

    /// Labels, the root's not counted.
    pub fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// The whole name, in lower case.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The ancestor left when `skip` labels are taken from the left: its octets and its hash. The name itself
    /// for 0; `None` past the root.
    pub fn ancestor(&self, skip: usize) -> Option<(&[u8], u32)> {
        if skip > self.labels() {
            return None;
        }
        let start = usize::from(*self.starts.get(skip)?);
        Some((self.octets.get(start..usize::from(self.length))?, *self.hashes.get(skip)?))
    }

    /// Fills in the hashes, from the root leftwards, so that each takes one label's work.
    fn hash(&mut self) {
        let mut hash = HASH_ROOT;
        for at in (0..self.labels()).rev() {
            if let (Some(&start), Some(&end), Some(slot)) =
                (self.starts.get(at), self.starts.get(at + 1), self.hashes.get_mut(at))
            {
                let label = self.octets.get(usize::from(start)..usize::from(end)).unwrap_or_default();
                hash = hash_label(hash, label);
                *slot = hash;
            }
        }
        if let Some(slot) = self.hashes.get_mut(usize::from(self.labels)) {
            *slot = HASH_ROOT;
        }
    }
}

/// The hash of the root.
const HASH_ROOT: u32 = 0x9e37_79b9;

/// The hash of a name, given its parent's and its leftmost label in lower case, length octet included.
///
/// Multiply and fold, eight octets a step: two multiplications for most labels. Keys come from the operator's
/// files, never from clients, so nobody can make it collide from outside.
pub fn hash_label(parent: u32, label: &[u8]) -> u32 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(parent);
    let mut mix = |word: u64| {
        let product = u128::from(hash ^ word) * u128::from(MULTIPLIER);
        hash = (product as u64) ^ ((product >> 64) as u64);
    };
    let (words, rest) = label.as_chunks::<8>();
    for word in words {
        mix(u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        mix(u64::from_le_bytes(word));
    }
    (hash ^ (hash >> 32)) as u32
}

/// The hash of a whole name in lower case, as [`Qname::ancestor`] gives it.
pub fn hash_name(name: &Name) -> u32 {
    let labels: Vec<&[u8]> = name.labels().collect();
    labels.iter().rev().fold(HASH_ROOT, |hash, label| {
        let mut octets = [0; 64];
        octets[0] = u8::try_from(label.len()).unwrap_or(0);
        octets[1..=label.len()].copy_from_slice(label);
        hash_label(hash, &octets[..=label.len()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_hashed_alike() {
        let mut qname = Qname::default();
        for text in ["www.example.org", "a-label-of-more-than-eight.x", "org", "."] {
            let name = Name::from_host(text).expect("a name");
            let shouted = name.as_wire().to_ascii_uppercase();
            assert_eq!(qname.read(&shouted), Ok(name.as_wire().len()));
            assert_eq!(qname.octets(), name.as_wire());
            assert_eq!(qname.ancestor(0), Some((name.as_wire(), hash_name(&name))));
            let labels = name.labels().count();
            assert_eq!(qname.labels(), labels);
            assert_eq!(qname.ancestor(labels), Some((&b"\0"[..], HASH_ROOT)));
            assert_eq!(qname.ancestor(labels + 1), None);
        }
        assert_eq!(qname.join(b"\x03www", b"\x03Org\x00"), Ok(()));
        assert_eq!(qname.octets(), b"\x03www\x03org\x00");
    }

    #[test]
    fn malformed_names_are_refused() {
        let mut qname = Qname::default();
        let long = [b"\x01x".repeat(127), vec![0]].concat();
        assert_eq!(qname.read(&long), Ok(255));
        assert_eq!(qname.labels(), 127);
        let too_long = [b"\x01x".repeat(128), vec![0]].concat();
        for octets in [&b""[..], b"\x03ww", b"\x03www", b"\xc0\x0c", b"\x40", &too_long] {
            assert_eq!(qname.read(octets), Err(Malformed), "{octets:?}");
        }
    }
}
