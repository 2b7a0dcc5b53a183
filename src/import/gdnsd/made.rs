//! What resources came to, and data centres in order.

use super::super::draft::{Member, Share};

/// Keys of a resource that are no labels.
pub(super) const SPECIAL: [&str; 7] =
    ["service_types", "up_thresh", "multi", "ignore_health", "addrs_v4", "addrs_v6", "plugin"];

/// What a resource came to.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) pool: String,
    /// How many addresses of a family an answer has.
    pub(super) answers: usize,
    /// Whether the client's subnet is passed over.
    pub(super) ignores_ecs: bool,
}

/// The members for `order`, without the first `skip`.
pub(super) fn in_order(order: &[&str], skip: usize, made: &[(&str, Made)]) -> Vec<Member> {
    let pools = order.iter().skip(skip).filter_map(|wanted| made.iter().find(|(centre, _)| centre == wanted));
    pools.map(|(_, made)| Member { pool: made.pool.clone(), share: Share::default() }).collect()
}
