//! One process takes over from another without losing a query: sockets, verdicts, what is forced.
//!
//! Both hold the very same sockets for a moment. A socket that is bound anew beside the old one (`SO_REUSEPORT`) would
//! take part of the clients at once, and what waits in the old one would be lost with it; so the descriptors themselves go
//! over a Unix socket (`SCM_RIGHTS`, `unix(7)`), with all that waits in them. The *successor* does whatever may fail or take
//! long first; the *predecessor* answers all the while.
//!
//! ```text
//!  successor                                predecessor
//!  Hello { protocol, version }       ──►
//!                                    ◄──    Welcome { pid, secret, sockets }, then the sockets
//!  binds what is new, reads all files
//!  State                             ──►
//!                                    ◄──    what is known of everything
//!  compiles, probes what is new
//!  Last                              ──►    obeys and writes no more
//!                                    ◄──    what is known by now
//!  answers UDP, takes connections in
//!  Serving                           ──►    the point of no return: stops taking anything in, answers what it has
//!                                    ◄──    Released { counts }: QUIC and the admin API are free
//!  answers QUIC and the admin API           lets connections finish, ends
//! ```
//!
//! Whatever ends this before `Serving` leaves the predecessor as it was. QUIC connections cannot move, since their keys
//! are in the old process: it closes them in order, and clients come again. Admin requests wait from `Last` on.
//!
//! A person asks for it with `bellwether replace`: the running process then starts its successor itself, so that it is in
//! the same control group with the same rights, and reports how it went. `bellwether serve --replace` is that successor.
//!
//! Sources: gdnsd's `replace` for the order; `sd_notify(3)` for `MAINPID`.

mod channel;
mod client;
mod control;
mod launch;
mod predecessor;
mod successor;

use serde::{Deserialize, Serialize};

use super::given::Named;

pub use client::{ReplaceError, replace};
pub(super) use control::Control;
pub use launch::{Again, give_up, orphan, program};
pub(super) use predecessor::{Ask, Goods, Handing, Kept, Leaving};
pub(super) use successor::Predecessor;

/// Grows with every change that an older program would misread.
const PROTOCOL: u32 = 1;

/// What a successor, or `bellwether replace`, says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Request {
    /// I would take over.
    Hello { protocol: u32, version: String },
    /// Tell me everything.
    State,
    /// Tell me everything once more, and change nothing from here on.
    Last,
    /// I answer.
    Serving,
    /// I give up.
    Failed { reason: String },
    /// Start a successor.
    Replace,
}

/// What a running server says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    /// Go on. So many messages of sockets follow.
    Welcome { version: String, pid: u32, secret: [u8; 16], names: Vec<Named>, messages: usize },
    /// Not now, or not with you.
    Refused { reason: String },
    /// What is left to you, and what I counted.
    Released { counts: Vec<(String, u64)> },
    /// The successor answers; it is this process, of this version.
    Replaced {
        pid: u32,
        /// Nothing from versions that did not say.
        #[serde(default)]
        version: String,
    },
    /// The successor did not come to answer. I go on.
    StillHere { reason: String },
}
