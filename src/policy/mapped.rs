//! `geo` and `nearest`: the client's class in a compiled map says who is preferred.
//!
//! Both are one thing to a query: what tells them apart is how the map was made ([`crate::geo::Rules`]), when the
//! files were read.

use std::sync::Arc;

use super::compiled::{LivePool, Pick, Standing};
use crate::geo::Map;

/// The living members; a query takes the first of them in its class, or in the operator's order when none is.
pub(super) fn compile(members: &[Standing], map: &Arc<Map>) -> LivePool {
    LivePool::ranked(members, Pick::Mapped(Arc::clone(map)))
}
