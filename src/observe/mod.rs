//! Listening in on queries: some of them, drawn by lot, are written down by the workers and read by others.
//!
//! ```text
//!   worker ── Tap ──► three rings, bounded ──► Outlet ── Heard ──► dnstap
//!   (writes, never waits: full → dropped, counted)        └──────► `bellwether top`
//! ```
//!
//! A worker counts down to the next query that is heard, which is all that it costs the others. One that is heard is
//! answered by the same code, made for a [witness](Notes) that notes numbers of pools and endpoints; what they are called is
//! for whoever reads them to find out, on a thread of its own.
//!
//! Knows no sockets and no files: those are [`dnstap`]'s.

mod share;
mod notes;
mod heard;
mod tap;
mod outlet;
mod reason;
pub mod dnstap;

pub use heard::{Ends, Head, Heard, Losses};
pub use notes::{Balancing, Notes, Step};
pub use outlet::Outlet;
pub use reason::{Choice, name_text, reason};
pub use share::{Share, Volume};
pub use tap::{Depth, Tap, tap};
