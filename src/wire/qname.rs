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
    /// The name, and room for a word that begins at its last octet.
    octets: [u8; NAME_OCTETS_MAX + WORD],
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
            octets: [0; NAME_OCTETS_MAX + WORD],
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
        // No place beyond the longest name is looked at, so that every number below fits its octet.
        let octets = octets.get(..octets.len().min(NAME_OCTETS_MAX)).unwrap_or_default();
        let (mut at, mut labels) = (0, 0);
        loop {
            let length = *octets.get(at).ok_or(Malformed)?;
            *self.starts.get_mut(labels).ok_or(Malformed)? = at as u8;
            match length {
                0 => break,
                1..=63 => at += 1 + usize::from(length),
                _ => return Err(Malformed),
            }
            labels += 1;
        }
        let name = octets.get(..=at).ok_or(Malformed)?;
        self.fold(name)?;
        (self.length, self.labels) = (name.len() as u8, labels as u8);
        self.hash();
        Ok(name.len())
    }

    /// Takes `name` over in lower case, a word at a time, the last one ending where the name does. Length octets are at
    /// most 63, below `A`, so the whole wire form is folded at once.
    fn fold(&mut self, name: &[u8]) -> Result<(), Malformed> {
        let target = self.octets.get_mut(..name.len()).ok_or(Malformed)?;
        let Some(last) = name.last_chunk::<WORD>() else {
            target.copy_from_slice(name);
            target.make_ascii_lowercase();
            return Ok(());
        };
        for (target, word) in target.as_chunks_mut::<WORD>().0.iter_mut().zip(name.as_chunks::<WORD>().0) {
            *target = lowercase(u64::from_le_bytes(*word)).to_le_bytes();
        }
        *target.last_chunk_mut().ok_or(Malformed)? = lowercase(u64::from_le_bytes(*last)).to_le_bytes();
        Ok(())
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

    /// Fills in the hashes, from the root leftwards, so that each takes one label's work. They are those of
    /// [`hash_label`], whose words are read here beyond the label's end and cut, which is cheaper than filling a word up
    /// from a part.
    fn hash(&mut self) {
        let labels = usize::from(self.labels);
        let (Some(starts), Some(hashes)) = (self.starts.get(..=labels), self.hashes.get_mut(..=labels)) else { return };
        let (mut hash, mut end) = (HASH_ROOT, usize::from(self.length) - 1);
        for (&start, slot) in starts.iter().zip(hashes).rev() {
            let mut at = usize::from(start);
            // The root itself has nothing before its end.
            if at < end {
                let mut state = u64::from(hash);
                while end - at > WORD {
                    state = mix(state, word_at(&self.octets, at));
                    at += WORD;
                }
                let unused = 8 * (WORD - (end - at)) as u32;
                hash = fold_hash(mix(state, word_at(&self.octets, at) & u64::MAX >> unused));
                end = usize::from(start);
            }
            *slot = hash;
        }
    }
}

/// Octets that are worked on at once.
const WORD: usize = 8;

fn word_at(octets: &[u8], at: usize) -> u64 {
    octets.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}

/// Eight octets with A–Z as a–z.
const fn lowercase(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; WORD]);
    const TOP: u64 = 0x80 * EACH;
    let below_top = word & !TOP;
    // No sum of the lower seven bits with these reaches the next octet; the top bit says whether the bound is passed.
    let from_a = below_top + (0x80 - b'A' as u64) * EACH;
    let past_z = below_top + (0x7f - b'Z' as u64) * EACH;
    let is_upper = (from_a ^ past_z) & !word & TOP;
    // 0x80 becomes 0x20, which is what sets the cases apart.
    word | is_upper >> 2
}

/// Whether two names are the same, octet by octet, by words that overlap: most names are of a word or two, for which the
/// call of memcmp is most of its cost.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    if let (Some(last), Some(other_last)) = (one.last_chunk::<WORD>(), other.last_chunk::<WORD>()) {
        return last == other_last
            && one.as_chunks::<WORD>().0.iter().zip(other.as_chunks::<WORD>().0).all(|(a, b)| a == b);
    }
    match (one.first_chunk::<4>(), one.last_chunk::<4>(), other.first_chunk::<4>(), other.last_chunk::<4>()) {
        (Some(first), Some(last), Some(other_first), Some(other_last)) => first == other_first && last == other_last,
        _ => one == other,
    }
}

/// The hash of the root.
const HASH_ROOT: u32 = 0x9e37_79b9;

/// The hash of a name, given its parent's and its leftmost label in lower case, length octet included.
///
/// Multiply and fold, eight octets a step: two multiplications for most labels. Keys come from the operator's
/// files, never from clients, so nobody can make it collide from outside.
pub fn hash_label(parent: u32, label: &[u8]) -> u32 {
    let mut hash = u64::from(parent);
    let (words, rest) = label.as_chunks::<WORD>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; WORD];
        word[..rest.len()].copy_from_slice(rest);
        hash = mix(hash, u64::from_le_bytes(word));
    }
    fold_hash(hash)
}

const fn mix(hash: u64, word: u64) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let product = (hash ^ word) as u128 * MULTIPLIER as u128;
    (product as u64) ^ ((product >> 64) as u64)
}

const fn fold_hash(hash: u64) -> u32 {
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

    /// Every octet at every place of a label of every length, beside octets that a carry would reach.
    #[test]
    fn every_octet_is_folded_as_ascii_is() {
        let mut qname = Qname::default();
        for length in 1..=40_u8 {
            for at in 1..=usize::from(length) {
                for octet in 0..=u8::MAX {
                    let mut name = [&[length][..], &[b'Z'; 40][..usize::from(length)], b"\x03Org\x00"].concat();
                    name[at] = octet;
                    assert_eq!(qname.read(&name), Ok(name.len()));
                    assert_eq!(qname.octets(), name.to_ascii_lowercase(), "{octet} at {at} of {length}");
                }
            }
        }
    }

    /// The words that are read beyond a label's end leave no trace, whatever was read there before.
    #[test]
    fn hashes_are_those_of_the_labels_alone() {
        let mut qname = Qname::default();
        for length in (1..=63_u8).chain((1..=63).rev()) {
            let name = [&[length][..], &vec![b'a' + length % 26; usize::from(length)], b"\x03org\x00"].concat();
            qname.read(&name).expect("a name");
            let whole = Name::from_wire(&name).expect("a name");
            let parent = whole.parent().expect("a parent");
            assert_eq!(qname.ancestor(0).map(|(_, hash)| hash), Some(hash_name(&whole)), "{length}");
            assert_eq!(qname.ancestor(1).map(|(_, hash)| hash), Some(hash_name(&parent)), "{length}");
        }
    }

    #[test]
    fn names_are_the_same_when_each_octet_is() {
        for length in 0..=24 {
            let name = vec![b'x'; length];
            assert!(is_same(&name, &name.clone()));
            assert!(!is_same(&name, &vec![b'x'; length + 1]));
            for at in 0..length {
                let mut other = name.clone();
                other[at] = b'y';
                assert!(!is_same(&name, &other), "{at} of {length}");
            }
        }
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
