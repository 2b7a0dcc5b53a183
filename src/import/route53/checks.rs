//! Route 53's health checks → monitors.

use super::super::toml_text::{inline, string};
use super::super::{Draft, Fate, Imported};
use super::export::{HealthCheck, HealthCheckConfig};

/// How long Route 53 waits for an answer: 4 s for the connection, 2 s for what comes then.
const TIMEOUT: &str = "6s";

/// Enters the monitor of the check `id` into `draft`, and says its name.
pub(super) fn monitor(
    id: &str,
    checks: Option<&[HealthCheck]>,
    draft: &mut Draft,
    imported: &mut Imported,
) -> Option<String> {
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
    if config.address.is_none() {
        imported.note(Fate::Changed, &at, "it asks whatever its domain name resolves to; here each endpoint is asked");
    }
    let count = config.failure_threshold.unwrap_or(3).clamp(1, 100).to_string();
    let keys = vec![
        probe,
        ("interval", string(&format!("{}s", config.request_interval.unwrap_or(30)))),
        ("timeout", string(TIMEOUT)),
        ("fall", count.clone()),
        ("rise", count),
    ];
    // Eight of its digits tell it from the others of an account, and fit a line.
    let name = format!("check-{}", id.chars().take(8).collect::<String>());
    draft.add_monitor(&name, keys);
    Some(name)
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
    pairs.extend(config.host.as_deref().map(|host| ("host", string(host))));
    pairs.extend(config.port.map(|port| ("port", port.to_string())));
    // "2xx or 3xx"; certificates are not looked at.
    pairs.push(("status", "[\"200-399\"]".to_owned()));
    if is_tls {
        pairs.push(("verify", "false".to_owned()));
    }
    Some((if is_tls { "https" } else { "http" }, inline(&pairs)))
}
