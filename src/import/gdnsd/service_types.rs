//! gdnsd's service types → monitors.

use super::super::toml_text::{inline, string, strings};
use super::super::{Draft, Fate, Imported};
use super::vscf::{Node, Table, get};

/// Failures or successes that a monitor of ours counts, at most.
const COUNT_MAX: u32 = 100;

/// What a service type comes to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A monitor.
    Monitor,
    /// Always up: no monitor at all.
    Up,
    /// Always down.
    Down,
    /// Nothing that we have.
    Unknown,
}

/// Enters the monitor of the service type `name` into `draft`, under the same name.
pub(super) fn monitor(name: &str, types: &Table, draft: &mut Draft, imported: &mut Imported) -> Kind {
    let Some(node) = get(types, name) else {
        return match name {
            "up" => Kind::Up,
            "down" => Kind::Down,
            _ => Kind::Unknown,
        };
    };
    let plugin = node.get("plugin").and_then(Node::text).unwrap_or_default();
    let probe = match plugin {
        "http_status" => ("http", http(node)),
        "tcp_connect" => ("tcp", inline(&[("port", number(node, "port", 0).to_string())])),
        "extmon" => match exec(node) {
            Some(probe) => ("exec", probe),
            None => {
                let what = format!(
                    "service type {name}: its program gets the address by %%ITEM%%; here it is in the environment \
                     (BELLWETHER_ADDRESS), so the program wants a wrapper: exec = {{ command = [\"/path\"] }}"
                );
                imported.note(Fate::Lost, &node.at, what);
                return Kind::Unknown;
            }
        },
        "static" => {
            let state = node.get("state").and_then(Node::text).unwrap_or("UP").to_uppercase();
            return if state.starts_with("DOWN") { Kind::Down } else { Kind::Up };
        }
        "null" => return Kind::Down,
        _ => {
            let what = format!(
                "service type {name}: there is no `{plugin}` here; a monitor of push = {{ lease = \"30s\" }} takes what \
                 another program finds"
            );
            imported.note(Fate::Lost, &node.at, what);
            return Kind::Unknown;
        }
    };
    let interval = number(node, "interval", 10);
    let count = |key: &str, default: u32| number(node, key, default).clamp(1, COUNT_MAX).to_string();
    let keys = vec![
        probe,
        ("interval", string(&format!("{interval}s"))),
        ("timeout", string(&format!("{}s", number(node, "timeout", (interval / 2).max(1)).min(interval)))),
        ("fall", count("down_thresh", 10)),
        ("rise", count("up_thresh", 20)),
    ];
    draft.add_monitor(name, keys);
    let what = "thresholds count what comes in a row here, and while a verdict forms a probe goes out every second; \
                with a budget (failover = \"30s\") in place of a range of TTLs, fall = 3 and rise = 2 are usual";
    imported.note(Fate::Changed, "service_types", what);
    Kind::Monitor
}

fn http(node: &Node) -> String {
    let mut pairs = Vec::new();
    let text = |key: &str| node.get(key).and_then(Node::text);
    pairs.extend(text("url_path").map(|path| ("path", string(path))));
    pairs.extend(text("vhost").map(|host| ("host", string(host))));
    pairs.extend(text("port").map(|port| ("port", port.to_owned())));
    let codes = node.get("ok_codes").map_or_else(|| vec!["200"], Node::texts);
    pairs.push(("status", strings(&codes)));
    inline(&pairs)
}

fn exec(node: &Node) -> Option<String> {
    let command = node.get("cmd").map(Node::texts).unwrap_or_default();
    let is_plain = !command.is_empty() && !command.iter().any(|argument| argument.contains("%%ITEM%%"));
    is_plain.then(|| inline(&[("command", strings(&command))]))
}

/// A whole number; `default` where it is not given, or is none.
fn number(node: &Node, key: &str, default: u32) -> u32 {
    node.get(key).and_then(Node::text).and_then(|text| text.parse().ok()).unwrap_or(default)
}
