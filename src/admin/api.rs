//! What goes over the admin API, as JSON: one type for the server that writes it and for the commands that read it.
//!
//! Fields are only ever added, so a program that reads them passes over what it does not know. Moments are RFC 3339
//! in UTC; spans are seconds. Knows nothing of HTTP, nor of what stands behind.

mod explain;
mod path;
mod reload;
mod top;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use explain::{
    ExplainQuery, Explanation, MemberConsidered, NameFound, PlaceFound, PoolConsulted, RecordGiven, TtlGiven,
};
pub use path::{EndpointPath, PoolPath};
pub use reload::{FAULTS_TOLD, FaultReport, ReloadOutcome, ReloadReport, ReloadRequest, ZONES_TOLD, ZonesReport};

pub use top::{Ranking, Rate, Top};

/// `GET /v1/status`: all that is served, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// When this was true.
    pub at: Timestamp,
    /// Which load of the files is served, counted from 1; 0 before the first.
    pub generation: u64,
    /// What the operator should know at once, in words: empty while all is as it should be.
    pub alarms: Vec<String>,
    /// How far the probes are behind.
    #[serde(default)]
    pub lag: LagStatus,
    /// What the last reload came to, or the start; absent before that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reload: Option<ReloadReport>,
    /// What became of the query log; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dnstap: Option<LogStatus>,
    /// The zones, by name.
    pub zones: Vec<ZoneStatus>,
    /// Everything that is forced.
    pub overrides: Vec<OverrideStatus>,
}

/// How far the probes are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagStatus {
    /// Probes in all.
    pub probes: usize,
    /// Those that should have begun or ended and have not.
    pub overdue: usize,
    /// Those that the server has no right or no program to send; they count as overdue only where there are no others.
    #[serde(default)]
    pub barred: usize,
    /// By how much the latest of late came too late, seconds.
    pub most: f64,
    /// So much is overdue that verdicts cannot be counted on: answers carry their least TTL.
    pub stale: bool,
}

/// What became of the query log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogStatus {
    /// There is a reader now, or a file that can be written.
    pub open: bool,
    /// How often a reader was found, or a file was begun.
    pub opened: u64,
    /// Frames that were written.
    pub written: u64,
    /// Queries and frames that found no room, since the reader or this machine is too slow.
    pub dropped_full: u64,
    /// Frames that were dropped while there was no reader.
    pub dropped_no_reader: u64,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ZoneStatus {
    /// Its name, without the final dot.
    pub zone: String,
    /// What is balanced in it.
    pub names: Vec<NameStatus>,
    /// Over what; what is in a pool stands before it.
    pub pools: Vec<PoolStatus>,
}

/// One balanced name, and what it promises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NameStatus {
    /// Its owner name, without the final dot.
    pub name: String,
    /// The pool that it is answered from.
    pub pool: String,
    /// The least TTL, seconds.
    pub ttl_min: u32,
    /// The greatest TTL, seconds.
    pub ttl_max: u32,
    /// The longest from an endpoint's death to its verdict, seconds; absent where nothing is probed.
    pub detection: Option<f64>,
    /// The longest from an endpoint's death until no honest cache has it, seconds; absent where nothing is probed.
    pub failover: Option<f64>,
    /// Whether anything lives, by family.
    pub alive: Families,
    /// Nothing else is left, so it is answered with endpoints that operators took out.
    pub last_resort: bool,
}

/// Whether something lives, for each address family; absent where there is nothing of that family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Families {
    /// Of IPv4.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv4: Option<bool>,
    /// Of IPv6.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6: Option<bool>,
}

/// One pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolStatus {
    /// Its name.
    pub pool: String,
    /// How it picks.
    pub policy: String,
    /// Whether it lives.
    pub alive: Families,
    /// What is forced of the pool as a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forced: Option<Forced>,
    /// The pools in it.
    pub pools: Vec<String>,
    /// Its own endpoints.
    pub endpoints: Vec<EndpointStatus>,
}

/// One endpoint in one pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndpointStatus {
    /// Its name.
    pub endpoint: String,
    /// What is answered with it: an address, or the name that it is an alias of.
    pub gives: String,
    /// What counts: the verdict, or what is forced over it.
    pub verdict: Verdict,
    /// What its monitor says, whatever is forced; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub judged: Option<Verdict>,
    /// What is forced of it by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forced: Option<Forced>,
    /// What is asked of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probe: Option<String>,
    /// For how long the monitor has said so, seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub age: Option<f64>,
    /// Why its last probe failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When it is probed next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_probe: Option<Timestamp>,
    /// The share of its weight that it gets in its slow start, 0 to 1; absent while it has all of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub share: Option<f64>,
    /// A wave of failures is on, for which its down verdict is held: it counts as up.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub held_by_wave: bool,
    /// Each probe that judges it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub probes: Vec<ProbeStatus>,
}

/// One probe of an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProbeStatus {
    /// What is asked.
    pub probe: String,
    /// Where it stands: `up`, `suspect`, `down`, `recovering`, `unknown`, `held` (well again, but kept down for it
    /// flaps) or `awaiting` (well again, but kept down until an operator lets it up).
    pub state: String,
    /// For how long its verdict has been the same, seconds; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub age: Option<f64>,
    /// Why it failed when last it ran, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When it runs next, or has to end if it runs now.
    pub next: Timestamp,
    /// How much later than planned it ran last, seconds.
    pub late: f64,
    /// For how long it stays down at least, seconds; absent where nothing holds it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held: Option<f64>,
    /// Deaths in a row, which the next hold-down is reckoned by.
    pub deaths: u8,
    /// Days until the certificate ends that it showed, negative once it has; absent where it shows none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate_days: Option<f64>,
    /// It ends so soon that its monitor warns of it (`expires`).
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub certificate_ends_soon: bool,
    /// Probes so far, over restarts where state is kept.
    pub count: u64,
    /// Those that failed.
    pub failures: u64,
    /// Verdicts that turned.
    pub turns: u64,
}

/// How an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It serves.
    Up,
    /// It serves, with failures counting.
    Suspect,
    /// It does not.
    Down,
    /// It does not, with successes counting.
    Recovering,
    /// It was not probed yet; it counts as up.
    Unknown,
}

/// What an operator may force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// It counts as alive.
    Up,
    /// It counts as dead.
    Down,
    /// It is out of new answers, to be stopped once the last old one has passed.
    Drain,
}

/// A force as it stands with what it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forced {
    /// What.
    pub force: Force,
    /// Who did it.
    pub who: String,
    /// Why, if they said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When.
    pub since: Timestamp,
}

/// One override.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OverrideStatus {
    /// On what.
    #[serde(flatten)]
    pub target: Target,
    /// What, by whom, why and when.
    #[serde(flatten)]
    pub forced: Forced,
    /// Whether there is such a pool or endpoint now. What vanished from the files is remembered for a day.
    pub matched: bool,
    /// Of what is out of answers: when it may be stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<Stop>,
}

/// When what is out of answers may be stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stop {
    /// When no honest cache holds an answer with it any more; absent while it is still given.
    pub safe_at: Option<Timestamp>,
    /// Until then, seconds; 0 once it has passed, absent while it is still given.
    pub remaining: Option<f64>,
    /// Names that are answered with it since nothing else of them is left, the first ten.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub last_resort_of: Vec<String>,
    /// Names that may be answered with it by another way, through another pool, the first ten.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub also_given_by: Vec<String>,
}

/// A pool, or an endpoint in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// The zone, without the final dot.
    pub zone: String,
    /// The pool.
    pub pool: String,
    /// The endpoint; absent for the pool as a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoint: Option<String>,
}

/// As operators write it, the zone left out: `frankfurt/fra1`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pool)?;
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, "/{endpoint}"))
    }
}

// The schemas below take literals alone: a test holds them to these.

/// Characters of whoever forces something, at the most; at the least one.
pub const WHO_MAX: usize = 64;

/// Characters of a reason, at the most.
pub const REASON_MAX: usize = 200;

/// Patterns of one request, at the most; at the least one.
pub const PATTERNS_MAX: usize = 100;

/// `PUT …/override`: what is to be forced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    /// What.
    pub force: Force,
    /// Who asks, 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub who: String,
    /// Why, up to 200 characters.
    #[schema(max_length = 200)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// `POST /v1/steer`: one thing for all that some patterns match, in one swap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SteerRequest {
    /// Patterns `POOL` or `POOL/ENDPOINT`, where `*` stands for any characters and `?` for one; 1 to 100. Each must
    /// match something.
    #[schema(min_items = 1, max_items = 100)]
    pub select: Vec<String>,
    /// A pattern for the zones that are meant; all where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub zone: Option<String>,
    /// What is to be forced; absent to force nothing any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub force: Option<Force>,
    /// Who asks, 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub who: String,
    /// Why, up to 200 characters.
    #[schema(max_length = 200)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// `PUT …/health`: what an endpoint, or a tool on its behalf, reports to a `push` monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// How it stands.
    pub status: Reported,
    /// How loaded it is, 0 to 1; more counts as 1.
    #[schema(minimum = 0)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub load: Option<f64>,
    /// Why, up to 200 characters.
    #[schema(max_length = 200)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// How an endpoint reports that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reported {
    /// It serves. Takes a drain back that it reported before.
    Up,
    /// It does not.
    Down,
    /// It still serves and is about to stop: it is out of new answers at once, as by [`Force::Drain`].
    Drain,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportReply {
    /// When its lease ends: without another report by then the endpoint counts as failed.
    pub good_until: Timestamp,
    /// Of one that drains: when it may be stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<Stop>,
}

/// What became of a steer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SteerReply {
    /// What was matched and is forced now.
    pub forced: Vec<OverrideStatus>,
    /// What was matched and is not forced any more.
    pub released: Vec<Target>,
    /// What was matched and was not forced anyway.
    pub unforced: Vec<Target>,
}

/// As it is written on the command line and in JSON.
impl fmt::Display for Force {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Drain => "drain",
        })
    }
}

/// As it is written in JSON.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Recovering => "recovering",
            Self::Unknown => "unknown",
        })
    }
}
