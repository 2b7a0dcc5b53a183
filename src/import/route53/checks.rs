//! Route 53's health checks → monitors.
//!
//! A check asks one address, whatever the sets that it is associated with hold: so does a monitor with an `address`.
//! One that asks whatever a domain name resolves to has none, and its monitor asks each endpoint.
//!
//! Source: Amazon Route 53 API Reference, HealthCheckConfig.

use std::net::IpAddr;

use super::super::toml_text::{inline, string};
use super::super::{Draft, Fate, Imported};
use super::export::{HealthCheck, HealthCheckConfig};

/// How long Route 53 waits for an answer: 4 s for the connection, 2 s for what comes then.
const TIMEOUT: &str = "6s";

/// The monitor of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judge {
    pub(super) monitor: String,
    pub(super) asks: Asks,
}

/// What a monitor asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// An address of its own.
    Itself,
    /// Each endpoint that it judges.
    Endpoints,
}

/// Enters the monitor of the check `id` into `draft`.
pub(super) fn monitor(
    id: &str,
    checks: Option<&[HealthCheck]>,
    draft: &mut Draft,
    imported: &mut Imported,
) -> Option<Judge> {
    let at = format!("health check {id}");
    let Some(checks) = checks else {
        let what = "health checks are not in an export of record sets: --health-checks takes what `aws route53 \
                    list-health-checks` prints";
        imported.note(Fate::Lost, "health checks", what);
        return None;
    };
    let Some(check) = checks.iter().find(|check| check.id == id) else {
        imported.note(Fate::Lost, at, "it is not in the list of health checks");
        return None;
    };
    let config = &check.health_check_config;
    if config.inverted || config.disabled {
        imported.note(Fate::Lost, &at, "inverted and disabled checks: what they judge counts as up");
        return None;
    }
    let Some(probe) = probe(config) else {
        imported.note(
            Fate::Lost,
            &at,
            format!("{}: judges by more than one endpoint; `monitor = [..]` with `require` combines", config.kind),
        );
        return None;
    };
    let asks = if address(config).is_some() { Asks::Itself } else { Asks::Endpoints };
    let count = config.failure_threshold.unwrap_or(3).clamp(1, 100).to_string();
    let mut keys = vec![probe];
    keys.extend(address(config).map(|address| ("address", string(&address.to_string()))));
    keys.extend([
        ("interval", string(&format!("{}s", config.request_interval.unwrap_or(30)))),
        ("timeout", string(TIMEOUT)),
        ("fall", count.clone()),
        ("rise", count),
    ]);
    // Eight of its digits tell it from the others of an account, and fit a line.
    let name = format!("check-{}", id.chars().take(8).collect::<String>());
    draft.add_monitor(&name, keys);
    Some(Judge { monitor: name, asks })
}

/// What a check asks, where that is an address; one may stand where the domain name would.
fn address(config: &HealthCheckConfig) -> Option<IpAddr> {
    config.address.as_deref().or(config.host.as_deref())?.parse().ok()
}

fn probe(config: &HealthCheckConfig) -> Option<(&'static str, String)> {
    let mut pairs = Vec::new();
    let is_tls = config.kind.starts_with("HTTPS");
    match config.kind.as_str() {
        "TCP" => return Some(("tcp", inline(&[("port", config.port?.to_string())]))),
        "HTTP" | "HTTPS" => {}
        "HTTP_STR_MATCH" | "HTTPS_STR_MATCH" => pairs.push(("body", string(config.search_string.as_deref()?))),
        _ => return None,
    }
    let path = config.resource_path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    pairs.insert(0, ("path", string(path)));
    // Without a name, both ask for the address.
    let host = config.host.as_deref().filter(|host| host.parse::<IpAddr>().is_err());
    pairs.extend(host.map(|host| ("host", string(host))));
    pairs.extend(config.port.map(|port| ("port", port.to_string())));
    // "2xx or 3xx"; certificates are not looked at.
    pairs.push(("status", "[\"200-399\"]".to_owned()));
    if is_tls {
        pairs.push(("verify", "false".to_owned()));
    }
    Some((if is_tls { "https" } else { "http" }, inline(&pairs)))
}
