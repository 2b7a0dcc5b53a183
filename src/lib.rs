//! Bellwether: an authoritative DNS server that balances load across the globe.
//!
//! The map, in reading order. Rooms use only those below them; a test holds that, and who knows whom.
//!
//! Two planes. The *control plane* (`cli`, `server`, `admin`, `explain`, `preview`, `config`, `import`, `probe`) runs on
//! tokio and may allocate, wait and fail. The *data plane* (`transport` → `answer` → `zone`, `policy`) runs one thread a
//! core and never does; `observe` is how the one hears of the other's queries. They meet in the [`snapshot`]: the control
//! plane swaps in a new one when a file or a verdict changes, the data plane reads whichever is there.
//!
//! What holds throughout:
//! - [`answer::answer`] is the one truth: every transport, command and test that answers calls it.
//! - On the path of a query there is no lock, no allocation, no I/O and no clock; time is passed in.
//! - Work is moved from the query to the change: record sets are encoded and clients' places compiled into maps at
//!   load, pools compiled when a verdict turns.
//! - Queries can be listened in on ([`observe`]), some of them, by lot: those are written down without waiting for anybody,
//!   and the others do not notice.
//! - Verdicts are kept: over reloads in the prober, over restarts in a file. What nobody keeps fresh is promised for no
//!   longer than it must be; whoever probes is watched from outside.
//! - A faulty file changes nothing: the last good state keeps serving. So does a new process that cannot start: the old
//!   one hands over its sockets and verdicts only to one that is about to answer.
//! - Only [`system`] asks for time or entropy, only `transport::socket` is unsafe.

pub mod cli;
pub mod server;
pub mod explain;
pub mod admin;
pub mod import;
pub mod config;
pub mod preview;
pub mod transport;
pub mod transfer;
pub mod observe;
pub mod answer;
pub mod snapshot;
pub mod zone;
pub mod policy;
pub mod geo;
pub mod probe;
pub mod ttl;
pub mod health;
pub mod wire;
pub mod diagnostic;
pub mod system;
pub mod moment;
pub mod random;
