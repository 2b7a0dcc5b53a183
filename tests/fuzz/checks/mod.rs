//! One check a target: any octets in, and a panic where something does not hold that always must.
//!
//! | file | what is held against what |
//! |---|---|
//! | `messages` | what is read of requests, against hickory-proto |
//! | `answers`, `options` | what is answered, against `truth` |
//! | `truth` | what zones say, found naively |
//! | `files` | what operators write, against nothing but its limits |
//! | `strangers` | what must not be believed without proof: cookies, PROXY headers, signatures |

#![allow(clippy::expect_used, clippy::panic, unreachable_pub, reason = "a panic is what a fuzzer looks for")]

mod answers;
mod files;
mod messages;
mod options;
mod strangers;
mod truth;

pub use answers::answer;
pub use files::{include, latency, policy, server, zone};
pub use messages::{ecs, query};
pub use strangers::{cookie, proxy, transfer};

/// Panics where something does not hold.
pub type Check = fn(&[u8]);

/// Every target's name and its check.
pub const ALL: [(&str, Check); 11] = [
    ("query", query),
    ("answer", answer),
    ("ecs", ecs),
    ("cookie", cookie),
    ("proxy", proxy),
    ("transfer", transfer),
    ("zone", zone),
    ("include", include),
    ("policy", policy),
    ("server", server),
    ("latency", latency),
];
