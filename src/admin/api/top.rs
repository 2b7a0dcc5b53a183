//! What is asked most, and who is answered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /v1/top`: what was asked over the last seconds, by rate. Of many queries only some are heard, drawn by lot, and
/// all rates are counted up to all of them: what was heard seldom is a guess.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Top {
    /// When this was true.
    pub at: Timestamp,
    /// The seconds that it goes over: 10, or fewer when nobody asked before.
    pub over: f64,
    /// Queries a second.
    pub rate: f64,
    /// The share of queries that were heard, 0 to 1; 1 when that was all of them.
    pub sampled: f64,
    /// How many were heard.
    pub heard: u64,
    /// How many were to be heard and found no room: the machine is too busy.
    pub lost: u64,
    /// The names that were asked for.
    pub names: Ranking,
    /// The types that they were asked for.
    pub types: Ranking,
    /// What became of them: the response codes, `dropped` where there was no response.
    pub rcodes: Ranking,
    /// What they came by.
    pub transports: Ranking,
    /// Where their clients are: the country, or else the continent, or else the network. The client is the one that the
    /// resolver told, where the answer was balanced by it, or else the resolver.
    pub clients: Ranking,
    /// The endpoints that balanced names were answered with, `pool/endpoint`; each of several in one answer counts.
    pub endpoints: Ranking,
}

/// The most frequent of some kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ranking {
    /// Those, the first most: 100 at the most.
    pub first: Vec<Rate>,
    /// All the others together, a second.
    pub others: f64,
}

/// How often something came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rate {
    /// What.
    pub what: String,
    /// How often a second.
    pub rate: f64,
}
