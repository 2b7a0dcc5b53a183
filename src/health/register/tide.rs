//! One family's endpoints, counted by how they stand, so that a wave is seen when it comes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::entry::Standing;
use super::wave::Wave;
use crate::health::PerMille;

/// Endpoints of a family that must live before their failing together is called a wave.
pub const ENDPOINTS_LEAST: usize = 5;

/// One family's endpoints.
#[derive(Debug, Default)]
pub(super) struct Tide {
    /// By address: probes that live and probes that were struck lately.
    pub(super) endpoints: BTreeMap<IpAddr, Count>,
    /// Addresses with a struck probe.
    pub(super) struck: usize,
    /// Probes whose verdict is held.
    pub(super) held: usize,
    pub(super) wave: Option<Wave>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    living: u32,
    struck: u32,
}

impl Tide {
    pub(super) fn count(&mut self, address: IpAddr, standing: Standing, by: i32) {
        let count = self.endpoints.entry(address).or_default();
        let before = count.struck > 0;
        match standing {
            Standing::Living => count.living = count.living.saturating_add_signed(by),
            Standing::Struck(_) => count.struck = count.struck.saturating_add_signed(by),
            Standing::Absent => {}
        }
        match (before, count.struck > 0) {
            (false, true) => self.struck += 1,
            (true, false) => self.struck -= 1,
            _ => {}
        }
        if count.living == 0 && count.struck == 0 {
            self.endpoints.remove(&address);
        }
    }

    /// Whether more than `share` of all that lived were struck.
    pub(super) fn is_high(&self, share: PerMille) -> bool {
        let lived = self.endpoints.len();
        lived >= ENDPOINTS_LEAST && self.struck * 1_000 > lived * usize::from(share.get())
    }
}
