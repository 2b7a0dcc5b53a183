//! What an endpoint gives to a client: an address, or another name to ask for.
//!
//! A name that is an alias is one as a whole, for every type that is asked (RFC 1034 §3.6.2), while addresses
//! are chosen for each family by itself. So of a name whose pool holds both, one family decides what it is now.

use std::net::IpAddr;

use super::family::Family;
use super::{Pools, Target};

/// Which name an alias leads to: a number into what is kept beside the [`Pools`]. Nothing here reads names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasId(pub u32);

/// What is answered with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Given {
    /// An address, to clients that ask for its family.
    Address(IpAddr),
    /// Another name, to all clients: it belongs to both families.
    Alias(AliasId),
}

impl Given {
    /// Whether one who asks for `family` can be answered so.
    pub const fn is_for(self, family: Family) -> bool {
        match self {
            Self::Address(address) => family.holds(address),
            Self::Alias(_) => true,
        }
    }

    /// The address, where it is one.
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Alias(_) => None,
        }
    }

    /// The alias, where it is one.
    pub const fn alias(self) -> Option<AliasId> {
        match self {
            Self::Address(_) => None,
            Self::Alias(alias) => Some(alias),
        }
    }
}

impl Pools {
    /// For each pool, which family says whether a name over it is an alias now: IPv4, but where IPv6 has all of
    /// the addresses. `None` where no alias can be reached.
    pub fn deciding(&self) -> Vec<Option<Family>> {
        let mut reached: Vec<Reached> = Vec::with_capacity(self.pools.len());
        for pool in &self.pools {
            let mut of_pool = Reached::default();
            for member in &pool.members {
                match member.target {
                    // Children stand before their parents.
                    Target::Pool(child) => of_pool.join(reached.get(child.0 as usize).copied().unwrap_or_default()),
                    Target::Endpoint(id) => match self.endpoints.get(id.0 as usize).map(|endpoint| endpoint.given) {
                        Some(Given::Address(IpAddr::V4(_))) => of_pool.v4 = true,
                        Some(Given::Address(IpAddr::V6(_))) => of_pool.v6 = true,
                        Some(Given::Alias(_)) => of_pool.alias = true,
                        None => {}
                    },
                }
            }
            reached.push(of_pool);
        }
        let family = |reached: &Reached| if reached.v6 && !reached.v4 { Family::V6 } else { Family::V4 };
        reached.iter().map(|reached| reached.alias.then(|| family(reached))).collect()
    }
}

/// What can be reached from a pool.
#[derive(Clone, Copy, Default)]
struct Reached {
    v4: bool,
    v6: bool,
    alias: bool,
}

impl Reached {
    fn join(&mut self, other: Self) {
        self.v4 |= other.v4;
        self.v6 |= other.v6;
        self.alias |= other.alias;
    }
}
