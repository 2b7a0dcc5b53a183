//! Files → meaning: policy files, the server file, the zones folder.
//!
//! | file | what for |
//! |---|---|
//! | `shelf` | a whole zones folder: what is new in it read, on all cores, the rest kept as it is |
//! | `parallel` | does many small things on all cores |
//! | `load` | one zone: its master file and its policy file put together, checked as a zone |
//! | `zones_folder`, `policy_file`, `server_file` | the three things that are read |
//! | `names_apart` | the names of a long policy file, block by block |
//! | `names`, `aliases`, `nesting`, `pools`, `judges`, `claims`, `monitors`, `apex` | the tables of a policy file and what their entries say, each building on those behind it |
//! | `budgets` | what the budgets of names make of the times of monitors |
//! | `slack` | how long the names of an endpoint could bear to wait for its verdict |
//! | `doors`, `rates` | the server file's tables for connections: TLS, front ends, limits; and for what is sent by UDP |
//! | `transfer_table` | `[transfer]` of the server file |
//! | `dns` | what the server says of itself, and the file of cookie secrets |
//! | `atlas`, `latency_file` | what is known of clients: databases of places and the latency table, line by line |
//! | `serials` | serials that move by themselves |
//! | `stamp` | whether a file is still what it was when it was read |
//! | `text_file` | the text of a file, as far as it may be long, and who may see it |
//! | `words`, `duration` | what operators write: names, addresses, paths, times |
//! | `table` | walks TOML whose values know their places: unknown keys, types, ranges |
//! | `faults` | collects what is wrong, bounded |
//!
//! The text goes in and meaning comes out, with every fault listed; only `load`, `atlas`, `dns`, `stamp`,
//! `text_file` and `zones_folder` touch the file system; of what reads text, only `monitors` has files of certificates read
//! and asks whether this process may send echoes. Opens no other socket, and knows no
//! octets of messages.

mod shelf;
mod parallel;
mod load;
mod zones_folder;
mod policy_file;
mod names_apart;
mod names;
mod aliases;
mod nesting;
mod pools;
mod judges;
mod claims;
mod monitors;
mod apex;
mod budgets;
mod slack;
mod server_file;
mod doors;
mod rates;
mod transfer_table;
mod dns;
mod atlas;
mod latency_file;
mod serials;
mod stamp;
mod text_file;
mod words;
mod duration;
mod table;
mod faults;

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
pub use server_file::{Admin, AdminTls, Process, RunAs, Settings, StateFile, WORKERS_MAX, read_server_file};
pub use shelf::{Loaded, Part, Reading, Shelf, load, read_after};
pub use text_file::is_open_to_all;
pub use transfer_table::{Secondary, Transfers};
pub use zones_folder::{ZoneFiles, list_zones};

/// Octets of a policy file or of the server file, at the most: 64 MiB. A line for each of a million balanced
/// names fits, and everything read from it can be numbered in 32 bits. Readers of files stop there; the functions
/// here refuse a longer text.
pub const FILE_OCTETS_MAX: usize = 64 << 20;
