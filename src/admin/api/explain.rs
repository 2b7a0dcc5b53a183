//! `GET /v1/explain`, and `bellwether explain --json`: which answer a client gets, and why.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What is to be explained, as it stands in the query of the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The name that is asked for, absolute, with or without its final dot.
    #[param(min_length = 1)]
    pub name: String,
    /// The type that is asked for; A where none is said.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", default)]
    pub rtype: Option<String>,
    /// The client's address; without one, a client of whom nothing is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// The address of the resolver that asks for the client; without one, the client's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(value_type = Option<String>)]
    pub resolver: Option<IpAddr>,
}

/// An answer, and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The name that was asked for.
    pub name: String,
    /// The type that was asked for.
    #[serde(rename = "type")]
    pub rtype: String,
    /// The client, if one was named.
    #[schema(value_type = Option<String>)]
    pub client: Option<IpAddr>,
    /// The resolver, if one was named.
    #[schema(value_type = Option<String>)]
    pub resolver: Option<IpAddr>,
    /// What is known of the client's network, or of the resolver's where no client was named.
    pub place: Option<PlaceFound>,
    /// What is known of the resolver's network.
    #[serde(default)]
    pub resolver_place: Option<PlaceFound>,
    /// What each name of a chain of aliases came to; empty where the name lies in no zone here.
    pub found: Vec<NameFound>,
    /// Each pool that was consulted, in order; again for each name of the chain that it was consulted for.
    pub pools: Vec<PoolConsulted>,
    /// For how long the answer lives, as the last balanced name of the chain has it; absent where nothing is balanced, or
    /// the answer has no record.
    pub ttl: Option<TtlGiven>,
    /// How many bits of the client's address the answer depended on; absent where no client subnet was told.
    pub scope: Option<u8>,
    /// The code of the answer, as dig has it: `NOERROR`, `SERVFAIL`.
    pub rcode: String,
    /// The records of the answer.
    pub answers: Vec<RecordGiven>,
    /// The records of its authority section.
    pub authorities: Vec<RecordGiven>,
}

/// What is known of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlaceFound {
    /// The code of the continent.
    pub continent: Option<String>,
    /// The code of the country (ISO 3166-1).
    pub country: Option<String>,
    /// The code of a part of it (ISO 3166-2).
    pub subdivision: Option<String>,
    /// Degrees.
    pub latitude: Option<f64>,
    /// Degrees.
    pub longitude: Option<f64>,
    /// The AS number that announces it.
    pub asn: Option<u32>,
    /// All of that in a line, for people.
    #[serde(default)]
    pub words: String,
}

/// What a name came to in its zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameFound {
    /// The name.
    pub name: String,
    /// The zone.
    pub zone: String,
    /// `static`, `balanced`, `hinted`, `alias`, `nodata`, `delegated` or `missing`.
    pub finding: String,
    /// What the zone does with the name, for people: the rest of a sentence that begins with the zone.
    #[serde(default)]
    pub words: String,
}

/// A pool that was consulted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolConsulted {
    /// Its name.
    pub name: String,
    /// How it picks.
    pub policy: String,
    /// How it picked this time.
    pub how: String,
    /// Which hints it was consulted for, `ipv4hint` or `ipv6hint`; absent where it was for addresses.
    pub hints: Option<String>,
    /// All its members.
    pub members: Vec<MemberConsidered>,
}

/// A member of a pool that was consulted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberConsidered {
    /// Its name; that of a pool begins with `pool `.
    pub name: String,
    /// The address of an endpoint that has one.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Whether it is in the answer.
    pub taken: bool,
    /// Why it is, or is not.
    pub reason: String,
}

/// For how long an answer lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TtlGiven {
    /// Seconds.
    pub seconds: u32,
    /// The least of the name, seconds.
    pub min: u32,
    /// The greatest of the name, seconds.
    pub max: u32,
    /// Why so long.
    pub reason: String,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordGiven {
    /// Its owner.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Seconds.
    pub ttl: u32,
    /// What it says, as in a master file.
    pub data: String,
}
