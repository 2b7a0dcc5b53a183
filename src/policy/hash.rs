//! `hash`: a client's session stays put, a member that leaves moves only its own clients, and every node gives the
//! same answer without talking to another.

use std::sync::Arc;

use super::compiled::{LivePool, Pick, Standing};
use super::ranking::Ranking;

/// The living members; which of them is the slot's affair. A member's turn of verdict changes the answer of those
/// clients only that rank it first, so the TTL is reckoned by what a query meets.
pub(super) fn compile(members: &[Standing], ranking: &Arc<Ranking>) -> LivePool {
    LivePool::ranked(members, Pick::Ranked(Arc::clone(ranking)))
}
