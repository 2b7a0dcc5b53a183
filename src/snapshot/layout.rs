//! Where queries are counted by zone and answers by endpoint: which rows of a sheet of counters are whose.
//!
//! A snapshot that is counted carries its layout; workers keep a sheet for it, and whoever sums the sheets up knows from
//! the layout what the rows stand for. Knows nothing of counters. However many zones there are, rows are limited: what is
//! beyond is counted together.

use std::collections::HashMap;
use std::sync::Arc;

use super::Served;
use crate::policy::EndpointId;
use crate::wire::name::Name;

/// The row of queries that are of no zone here.
pub const NO_ZONE: u32 = 0;

/// The row of zones that have none of their own.
pub const OTHER_ZONES: u32 = 1;

/// The first row of a zone.
const FIRST_ZONE: u32 = 2;

/// How many zones and endpoints are counted by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowLimits {
    /// Zones; a row of each worker's is 1 KiB.
    pub zones: usize,
    /// Endpoints, each in its pool; a row of each worker's is 32 octets.
    pub endpoints: usize,
}

/// The rows of one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// That of its queries.
    pub zone: u32,
    endpoints: Option<u32>,
}

impl Rows {
    pub(super) const NONE: Self = Self { zone: OTHER_ZONES, endpoints: None };

    /// That of its first endpoint, where endpoints of this zone have rows; the others follow, by [`EndpointId`].
    pub fn first_endpoint(&self) -> Option<usize> {
        self.endpoints.map(|first| first as usize)
    }
}

/// Who an endpoint's row belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Counted {
    /// The row of its zone.
    pub zone: u32,
    /// Its pool; empty where it is in none.
    pub pool: Box<str>,
    /// Its name in that.
    pub endpoint: Box<str>,
}

/// What the rows of a snapshot stand for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Layout {
    zones: Box<[Name]>,
    endpoints: Box<[Counted]>,
    left_out: LeftOut,
}

/// What has no row of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Zones.
    pub zones: usize,
    /// Endpoints.
    pub endpoints: usize,
}

impl Layout {
    /// Gives rows to `served` and says what they stand for. Zones that had one in the layout `before` keep the right to
    /// it; the others come by name. Where nothing has changed the layout is the same one.
    pub(super) fn assign(served: &mut [Served], before: Option<&Arc<Self>>, limits: RowLimits) -> Arc<Self> {
        let had =
            before.map(|before| before.zones.iter().collect::<std::collections::HashSet<_>>()).unwrap_or_default();
        let mut order: Vec<usize> = (0..served.len()).collect();
        order.sort_by_key(|&at| (!had.contains(served[at].zone.apex()), served[at].zone.apex()));
        let (mut zones, mut endpoints, mut left_out) = (Vec::new(), Vec::new(), LeftOut::default());
        for at in order {
            let served = &mut served[at];
            let pools = &served.steering.pools;
            let room = endpoints.len() + pools.endpoints.len() <= limits.endpoints;
            if zones.len() >= limits.zones {
                served.rows = Rows::NONE;
                (left_out.zones, left_out.endpoints) = (left_out.zones + 1, left_out.endpoints + pools.endpoints.len());
                continue;
            }
            let zone = FIRST_ZONE + zones.len() as u32;
            zones.push(served.zone.apex().clone());
            served.rows = Rows { zone, endpoints: room.then_some(endpoints.len() as u32) };
            if !room {
                left_out.endpoints += pools.endpoints.len();
                continue;
            }
            let mut homes: HashMap<EndpointId, &str> = HashMap::new();
            for pool in &pools.pools {
                homes.extend(pool.endpoints().map(|id| (id, &*pool.name)));
            }
            endpoints.extend((0..).zip(&pools.endpoints).map(|(id, endpoint)| Counted {
                zone,
                pool: homes.get(&EndpointId(id)).copied().unwrap_or_default().into(),
                endpoint: endpoint.name.clone(),
            }));
        }
        let made = Self { zones: zones.into(), endpoints: endpoints.into(), left_out };
        match before {
            Some(before) if **before == made => Arc::clone(before),
            _ => Arc::new(made),
        }
    }

    /// Rows of zones, with those of no zone and of others.
    pub fn zone_rows(&self) -> usize {
        self.zones.len() + FIRST_ZONE as usize
    }

    /// The zone whose row this is; `None` for [`NO_ZONE`] and [`OTHER_ZONES`].
    pub fn zone(&self, row: u32) -> Option<&Name> {
        self.zones.get(row.checked_sub(FIRST_ZONE)? as usize)
    }

    /// Whose the rows of endpoints are, in order.
    pub fn endpoints(&self) -> &[Counted] {
        &self.endpoints
    }

    /// What has no row.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// For each row of zones of this layout, and for each of endpoints, which row of `other` belongs to the same.
    pub fn rows_in(&self, other: &Self) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
        let zones: HashMap<&Name, usize> =
            (FIRST_ZONE as usize..).zip(&other.zones).map(|(row, zone)| (zone, row)).collect();
        let known = |row: u32| other.zone(row);
        let endpoints: HashMap<(Option<&Name>, &str, &str), usize> = (0..)
            .zip(&other.endpoints)
            .map(|(row, counted)| ((known(counted.zone), &*counted.pool, &*counted.endpoint), row))
            .collect();
        let own =
            |counted: &Counted| endpoints.get(&(self.zone(counted.zone), &*counted.pool, &*counted.endpoint)).copied();
        let fixed = (0..FIRST_ZONE as usize).map(Some);
        (
            fixed.chain(self.zones.iter().map(|zone| zones.get(zone).copied())).collect(),
            self.endpoints.iter().map(own).collect(),
        )
    }
}
