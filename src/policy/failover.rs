//! `failover`: the first living member; active-passive.

use super::compiled::{Branch, LivePool, Pick, Standing};
use crate::moment::Moment;

/// The living members in the operator's order.
///
/// The answer changes when its own member dies, or when one that is preferred to it and dead comes back: the
/// members behind it are not asked, so what befalls them shortens no TTL.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let first = members.iter().position(|member| member.alive);
    let consulted = first.map_or(members, |first| &members[..=first]);
    let flip = consulted.iter().map(|member| member.flip).min().unwrap_or(Moment::NEVER);
    let branches = members.iter().filter(|member| member.alive).map(Branch::of).collect();
    LivePool::new(branches, Pick::First, flip)
}
