//! Who may be connected at once: so many in all, of strangers fewer, and of each of them a few.
//!
//! Whoever connects holds a place before they have proved anything. On an address that others reach, one of them must not
//! hold them all, and all of them together not those of the commands on this machine.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections at once. A few people, a scraper and the probes of a router: one more is closed at once.
pub(super) const CONNECTIONS_MAX: usize = 64;

/// Of these, from other machines: a quarter is kept for loopback.
const STRANGERS_MAX: usize = 48;

/// Of these, from one address: three such take all that strangers may have, and endpoints that report from behind one
/// address take milliseconds each.
const PER_ADDRESS_MAX: usize = 16;

/// What is free.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    all: usize,
    strangers: usize,
    /// Never more entries than connections.
    by_address: HashMap<IpAddr, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    /// Whose it is; `None` on loopback.
    stranger: Option<IpAddr>,
}

impl Places {
    /// A place for who has connected from `address`, if there is one.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let stranger = stranger(address);
        let mut held = self.held();
        if held.all >= CONNECTIONS_MAX {
            return None;
        }
        if let Some(address) = stranger {
            if held.strangers >= STRANGERS_MAX {
                return None;
            }
            let of_address = held.by_address.entry(address).or_default();
            if *of_address >= PER_ADDRESS_MAX {
                return None;
            }
            *of_address += 1;
            held.strangers += 1;
        }
        held.all += 1;
        Some(Place { places: Arc::clone(self), stranger })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Counts are whole at every moment at which a panic could be.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held();
        held.all -= 1;
        let Some(address) = self.stranger else { return };
        held.strangers -= 1;
        if let Some(count) = held.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                held.by_address.remove(&address);
            }
        }
    }
}

/// As whom `address` counts: an IPv6 host has all of its /64. `None` for this machine itself.
fn stranger(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    Some(match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Arc<Places>, address: &str) -> Option<Place> {
        places.take(address.parse().expect("an address"))
    }

    fn fill(places: &Arc<Places>, address: &str) -> Vec<Place> {
        std::iter::repeat_with(|| take(places, address)).map_while(|place| place).collect()
    }

    #[test]
    fn one_stranger_leaves_room_for_others_and_all_of_them_for_this_machine() {
        let places = Arc::new(Places::default());
        let mut held = vec![fill(&places, "192.0.2.1")];
        assert_eq!(held[0].len(), PER_ADDRESS_MAX);
        assert!(take(&places, "::ffff:192.0.2.1").is_none());
        held.push(fill(&places, "2001:db8::1"));
        assert!(take(&places, "2001:db8::ffff:1").is_none(), "all of a host's /64");
        held.push(fill(&places, "2001:db8:0:1::1"));
        assert_eq!(held.iter().map(Vec::len).sum::<usize>(), STRANGERS_MAX);
        assert!(take(&places, "192.0.2.9").is_none());
        let own = fill(&places, "127.0.0.1");
        assert_eq!(own.len(), CONNECTIONS_MAX - STRANGERS_MAX);
        assert!(take(&places, "::1").is_none());
        held.remove(0);
        assert!(take(&places, "192.0.2.9").is_some() && take(&places, "::1").is_some());
        drop((held, own));
        assert_eq!(fill(&places, "127.0.0.7").len(), CONNECTIONS_MAX, "this machine may have them all");
        let held = places.held();
        assert!(held.all == 0 && held.strangers == 0 && held.by_address.is_empty(), "{held:?}");
    }
}
