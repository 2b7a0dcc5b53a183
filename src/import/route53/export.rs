//! What `aws route53 list-resource-record-sets` and `list-health-checks` print.
//!
//! Source: Amazon Route 53 API Reference, ResourceRecordSet and HealthCheckConfig.

use serde::Deserialize;

/// A hosted zone's record sets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RecordSets {
    pub(super) resource_record_sets: Vec<RecordSet>,
}

/// One record set.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RecordSet {
    pub(super) name: String,
    #[serde(rename = "Type")]
    pub(super) rtype: String,
    #[serde(rename = "TTL")]
    pub(super) ttl: Option<u32>,
    #[serde(default)]
    pub(super) resource_records: Vec<ResourceRecord>,
    pub(super) alias_target: Option<AliasTarget>,
    pub(super) set_identifier: Option<String>,
    pub(super) health_check_id: Option<String>,
    pub(super) weight: Option<u32>,
    pub(super) region: Option<String>,
    pub(super) failover: Option<String>,
    pub(super) geo_location: Option<GeoLocation>,
    pub(super) geo_proximity_location: Option<GeoProximity>,
    pub(super) cidr_routing_config: Option<serde_json::Value>,
    pub(super) traffic_policy_instance_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ResourceRecord {
    pub(super) value: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct AliasTarget {
    #[serde(rename = "DNSName")]
    pub(super) name: String,
    #[serde(default, rename = "EvaluateTargetHealth")]
    pub(super) evaluates_health: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GeoLocation {
    pub(super) continent_code: Option<String>,
    pub(super) country_code: Option<String>,
    pub(super) subdivision_code: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GeoProximity {
    #[serde(rename = "AWSRegion")]
    pub(super) region: Option<String>,
    pub(super) coordinates: Option<Coordinates>,
    pub(super) bias: Option<i32>,
}

/// Degrees, as text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Coordinates {
    pub(super) latitude: String,
    pub(super) longitude: String,
}

/// All health checks of an account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HealthChecks {
    pub(super) health_checks: Vec<HealthCheck>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HealthCheck {
    pub(super) id: String,
    pub(super) health_check_config: HealthCheckConfig,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HealthCheckConfig {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    #[serde(rename = "IPAddress")]
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) resource_path: Option<String>,
    #[serde(rename = "FullyQualifiedDomainName")]
    pub(super) host: Option<String>,
    pub(super) search_string: Option<String>,
    pub(super) request_interval: Option<u32>,
    pub(super) failure_threshold: Option<u32>,
    #[serde(default)]
    pub(super) inverted: bool,
    #[serde(default)]
    pub(super) disabled: bool,
}
