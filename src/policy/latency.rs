//! `latency`: the least expected round-trip time for the client's network, and all that come near it share.
//!
//! Who that is depends on the client: see `band`.

use std::sync::Arc;

use super::band::Latency;
use super::compiled::{LivePool, Pick, Standing};

/// The living members; which of them are near is the query's affair.
pub(super) fn compile(members: &[Standing], latency: &Arc<Latency>) -> LivePool {
    LivePool::ranked(members, Pick::Banded(Arc::clone(latency)))
}
