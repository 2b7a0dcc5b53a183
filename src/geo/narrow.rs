//! The IPv4 address space cut into ranges: as they come where they are few, in blocks where they are many and their
//! values small. Places are as many as ranges and stay as they come; so may the classes of a million networks.

use super::blocks::Blocks;
use super::ranges::Ranges;

/// The IPv4 address space in ranges. Immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Narrow {
    Few(Ranges<u32>),
    Many(Blocks),
}

impl Narrow {
    /// The value at `key`, and the length of the widest prefix around it that has that value throughout.
    pub(super) fn lookup(&self, key: u32) -> (u32, u8) {
        match self {
            Self::Few(ranges) => ranges.lookup(key),
            Self::Many(blocks) => blocks.lookup(key),
        }
    }

    /// First address and value of each range, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let (few, many) = match self {
            Self::Few(ranges) => (Some(ranges.iter()), None),
            Self::Many(blocks) => (None, Some(blocks.iter())),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }

    /// How many ranges there are; at least one.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(ranges) => ranges.len(),
            Self::Many(blocks) => blocks.len(),
        }
    }

    /// Whether the value is 0 everywhere.
    pub(super) fn is_zero(&self) -> bool {
        self.len() == 1 && self.iter().all(|(_, value)| value == 0)
    }

    /// Octets that it takes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Few(ranges) => ranges.size(),
            Self::Many(blocks) => blocks.size(),
        }
    }
}

impl From<Ranges<u32>> for Narrow {
    fn from(ranges: Ranges<u32>) -> Self {
        match Blocks::of(&ranges) {
            Some(blocks) => Self::Many(blocks),
            None => Self::Few(ranges),
        }
    }
}

impl Default for Narrow {
    fn default() -> Self {
        Self::Few(Ranges::default())
    }
}
