//! Both families' addresses, each cut into ranges: an address in, a number and its prefix out.

use super::address::Folded;
use super::narrow::Narrow;
use super::wide::Wide;

/// A number for every address there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Partition {
    v4: Narrow,
    v6: Wide,
    /// Whether it is the same number everywhere, so that no bit of an address matters.
    uniform: bool,
}

impl Partition {
    pub(super) fn of(v4: impl Into<Narrow>, v6: Wide) -> Self {
        let v4 = v4.into();
        // Neighbours differ, so one range is one value.
        let uniform =
            v4.len() == 1 && v6.len() == 1 && v4.iter().map(|(_, value)| value).eq(v6.iter().map(|(_, value)| value));
        Self { v4, v6, uniform }
    }

    pub(super) fn v4(&self) -> &Narrow {
        &self.v4
    }

    pub(super) fn v6(&self) -> &Wide {
        &self.v6
    }

    pub(super) fn into_families(self) -> (Narrow, Wide) {
        (self.v4, self.v6)
    }

    /// The number at `address`, and how many of its leading bits that depends on: every address that agrees in
    /// those has the same number, whatever form it is in.
    pub(super) fn lookup(&self, address: Folded) -> (u32, u8) {
        let (value, bits) = match address {
            Folded::V4 { address, offset } => {
                let (value, bits) = self.v4.lookup(address);
                (value, offset + bits)
            }
            Folded::V6 { address, bits_min } => {
                let (value, bits) = self.v6.lookup(address);
                (value, bits.max(bits_min))
            }
        };
        (value, if self.uniform { 0 } else { bits })
    }

    /// Octets that it takes.
    pub(super) fn size(&self) -> usize {
        self.v4.size() + self.v6.size()
    }
}
