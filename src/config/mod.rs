//! Files → meaning: policy files, the server file, the zones folder.
//!
//! | file | what for |
//! |---|---|
//! | `faults` | collects what is wrong, bounded |
//! | `table` | walks TOML whose values know their places: unknown keys, types, ranges |
//! | `duration`, `words` | what operators write: times, names, addresses |
//! | `apex`, `monitors`, `pools`, `nesting`, `aliases`, `names` | the tables of a policy file, in the order in which they build on each other |
//! | `names_apart` | the names of a long file, block by block |
//! | `policy_file`, `server_file`, `zones_folder` | the three things that are read |
//! | `doors` | the server file's tables for connections: TLS, front ends, limits |
//! | `transfer_table` | `[transfer]` of the server file |
//! | `latency_file` | the latency table, line by line |
//! | `dns` | what the server says of itself, and the file of cookie secrets |
//! | `atlas` | what is known of clients: databases of places and the latency table |
//! | `serials` | serials that move by themselves |
//! | `slack` | how long the names of an endpoint could bear to wait for its verdict |
//! | `stamp` | whether a file is still what it was when it was read |
//! | `load` | one zone: its master file and its policy file put together, checked as a zone |
//! | `shelf` | a whole zones folder: what is new in it read, on all cores, the rest kept as it is |
//! | `parallel` | does many small things on all cores |
//!
//! The text goes in and meaning comes out, with every fault listed; only `load`, `atlas`, `dns`, `stamp`,
//! `text_file` and `zones_folder` touch the file system; of what reads text, only `monitors` has files of certificates read.
//! Knows neither sockets nor octets of messages.

mod aliases;
mod apex;
mod atlas;
mod claims;
mod dns;
mod doors;
mod duration;
mod faults;
mod latency_file;
mod load;
mod monitors;
mod names;
mod names_apart;
mod nesting;
mod parallel;
mod policy_file;
mod budgets;
mod judges;
mod pools;
mod rates;
mod serials;
mod server_file;
mod shelf;
mod slack;
mod stamp;
mod table;
mod text_file;
mod transfer_table;
mod words;
mod zones_folder;

#[cfg(test)]
mod tests;

pub use apex::{Apex, Nameserver, ZoneTable};
pub use atlas::Atlas;
pub use dns::Dns;
pub use doors::{Doors, Encrypted};
pub use duration::read as read_duration;
pub use load::{LoadedZone, ZoneRead, load_server_file};
pub use names::{Balanced, Hints};
pub use policy_file::{Policies, read_policies};
pub use serials::{KeptSerial, Serials};
pub use server_file::{
    Admin, AdminTls, CONTROL_OCTETS_MAX, Process, RunAs, Settings, StateFile, WORKERS_MAX, read_server_file,
};
pub use shelf::{Loaded, Part, Reading, Shelf, load, read_after};
pub use transfer_table::{Secondary, Transfers};
pub use zones_folder::{ZoneFiles, list_zones};

/// Octets of a policy file or of the server file, at the most: 64 MiB. A line for each of a million balanced
/// names fits, and everything read from it can be numbered in 32 bits. Readers of files stop there; the functions
/// here refuse a longer text.
pub const FILE_OCTETS_MAX: usize = 64 << 20;
