//! `round-robin`: each living member in turn; the rest follow in rotated order.

use super::compiled::{Branch, LivePool, Pick, Standing, soonest};

/// The living members in the operator's order. Any member's turn of verdict changes the rotation.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let branches = members.iter().filter(|member| member.alive).map(Branch::of).collect();
    LivePool::new(branches, Pick::InTurn, soonest(members))
}
