//! What a reload came to, as JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Faults that are told with their places; the rest is only counted. More than anybody reads at once.
pub const FAULTS_TOLD: usize = 100;

/// Zones that are told by name, of those that were read, came or went; the rest is only counted.
pub const ZONES_TOLD: usize = 20;

/// `POST /v1/reload`: read again what changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReloadRequest {
    /// Take it up even if the guard would refuse what it does to answers. Faulty files are refused all the same.
    pub force: bool,
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReloadReport {
    /// Whether what was read is served.
    pub outcome: ReloadOutcome,
    /// What it was for: `start`, `a file was saved`, `SIGHUP` or `asked`.
    pub cause: String,
    /// When it was over.
    pub at: Timestamp,
    /// How long it took, first probes of what is new included, seconds.
    pub took: f64,
    /// What it found of the zones; all zero where it was refused for faults.
    pub zones: ZonesReport,
    /// Balanced names that are served now.
    pub names: usize,
    /// Why the guard refused it, in words; empty where it did not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused_for: Vec<String>,
    /// What is wrong with the files that were read, the first [`FAULTS_TOLD`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<FaultReport>,
    /// How many errors there are in all.
    pub errors: usize,
    /// How many warnings there are in all.
    pub warnings: usize,
    /// Keys of the server file that say something else than at the start, and count only after a restart.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub needs_restart: Vec<String>,
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReloadOutcome {
    /// What was read is served.
    Done,
    /// The files have errors: what was served before still is.
    Faulty,
    /// The guard refused what it would do to answers: what was served before still is.
    Guarded,
}

/// What a reload found of the zones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZonesReport {
    /// How many there are.
    pub total: usize,
    /// How many were read, new ones included.
    pub read: usize,
    /// How many were not, since nothing of them was another.
    pub unchanged: usize,
    /// How many were not there before.
    pub added: usize,
    /// How many are there no more.
    pub removed: usize,
    /// Their names: those that changed, the first [`ZONES_TOLD`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub names_changed: Vec<String>,
    /// Those that came.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub names_added: Vec<String>,
    /// Those that went.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub names_removed: Vec<String>,
}

/// One fault of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultReport {
    /// `error` or `warning`.
    pub severity: String,
    /// The file.
    pub file: String,
    /// Counted from 1; 0 for the file as a whole.
    pub line: u32,
    /// Counted from 1, in characters; 0 for the file as a whole.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
    /// All of it for people, with the line shown, as `bellwether check` prints it.
    pub text: String,
}
