//! What a pool or an endpoint is called in the path of an address.

use serde::Deserialize;
use utoipa::IntoParams;

use super::Target;

/// `{zone}/{pool}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PoolPath {
    /// The zone, without its final dot.
    pub zone: String,
    /// The name of the pool.
    pub pool: String,
}

/// `{zone}/{pool}/{endpoint}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EndpointPath {
    /// The zone, without its final dot.
    pub zone: String,
    /// The name of the pool.
    pub pool: String,
    /// The name of the endpoint.
    pub endpoint: String,
}

impl From<PoolPath> for Target {
    fn from(PoolPath { zone, pool }: PoolPath) -> Self {
        Self { zone, pool, endpoint: None }
    }
}

impl From<EndpointPath> for Target {
    fn from(EndpointPath { zone, pool, endpoint }: EndpointPath) -> Self {
        Self { zone, pool, endpoint: Some(endpoint) }
    }
}
