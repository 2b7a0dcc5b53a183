//! What end-to-end tests need: the real program in a folder of its own, real clients, real peers.
//!
//! Every process that a test starts belongs to one value and ends with it, also when the test panics, and every
//! test has loopback addresses to itself (see [`address`]). Nothing here waits for a fixed time: waiting is for a
//! line, an answer or an open port, looked for every few milliseconds, up to [`PATIENCE`], which is long because a
//! slow machine is no fault.
//!
//! A test binary takes it in as `#[cfg(test)] mod support;`: the attribute tells clippy that unwrapping is fine here.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod address;
pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod corners;
pub(crate) mod dig;
pub(crate) mod dnsdist;
pub(crate) mod dnstap;
pub(crate) mod metrics;
pub(crate) mod namespace;
pub(crate) mod nginx;
pub(crate) mod peer;
pub(crate) mod process;
pub(crate) mod roots;
pub(crate) mod server;
pub(crate) mod unbound;

use std::time::{Duration, Instant};

/// The longest that a test waits for something that must come. Only a failing test ever waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at something that is awaited by looking.
const LOOK: Duration = Duration::from_millis(20);

/// Calls `look` until it gives something.
///
/// # Panics
/// When it has given nothing for [`PATIENCE`]; `what` says what was awaited.
pub(crate) fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        // Between two looks; what ends the wait is what was seen.
        std::thread::sleep(LOOK);
    }
}
