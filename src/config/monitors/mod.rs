//! `[monitors.NAME]`: how endpoints are judged. A file for each probe, one for the times, one for what follows a
//! death, one for the names of endpoints; what is said of TLS is for several probes, and stands with that of a
//! handshake alone.

mod comeback;
mod dns;
mod exec;
mod grpc;
mod host;
mod http;
mod icmp;
mod push;
mod tcp;
mod timing;
mod tls;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::faults::{Faults, Span, shown};
use super::table::{Item, Keys, Table};
use super::words::{address, check_label};
use crate::health::Free;
use crate::probe::{Monitor, Probe};

const MONITOR: Keys = Keys {
    known: &[
        "http",
        "https",
        "tcp",
        "tls",
        "grpc",
        "icmp",
        "ping",
        "dns",
        "exec",
        "push",
        "address",
        "interval",
        "fast",
        "timeout",
        "fall",
        "rise",
        "hold-down",
        "slow-start",
        "failback",
    ],
    later: &["udp", "script"],
    later_is: "probe",
    instead: &PROBES,
};

/// The probes, of which a monitor has exactly one.
const PROBES: [&str; 10] = ["http", "https", "tcp", "tls", "grpc", "icmp", "ping", "dns", "exec", "push"];

/// A monitor as it stands in the file. One with faults keeps its name, so that what uses it is not faulted too.
pub(super) struct Entry {
    pub(super) key_span: Span,
    pub(super) monitor: Option<Arc<Monitor>>,
    /// What it probes by itself, rather than each endpoint.
    pub(super) address: Option<IpAddr>,
    /// What the file leaves to the budgets.
    pub(super) free: Free,
}

/// Reads all monitors, by name.
pub(super) fn read<'a>(monitors: Option<Item<'a>>, faults: &mut Faults<'_>) -> HashMap<&'a str, Entry> {
    let entries = monitors.map(|item| item.entries("[monitors.web]", faults)).unwrap_or_default();
    let mut read = HashMap::new();
    for item in entries {
        let named = check_label(item.key, item.key_span, "a monitor", faults);
        let of_table = |key: &str| item.value.get(key).is_none();
        // A lease is given, and with it all times.
        let pushed = item.value.get("push").is_some();
        let is_free = |key: &str| !pushed && of_table(key);
        let free = Free { interval: is_free("interval"), fast: is_free("fast"), timeout: is_free("timeout") };
        let (monitor, address) = monitor(item, faults).filter(|_| named).unzip();
        let (monitor, address) = (monitor.map(Arc::new), address.flatten());
        read.insert(item.key, Entry { key_span: item.key_span, monitor, address, free });
    }
    read
}

fn monitor(item: Item<'_>, faults: &mut Faults<'_>) -> Option<(Monitor, Option<IpAddr>)> {
    let what = format!("monitor `{}`", shown(item.key));
    let table = item.table(&what, &MONITOR, r#"{ tcp = { port = 443 } }"#, faults)?;
    let address = given(&table, "address", None, |item| address(item, faults).map(Some));
    let comeback = comeback::read(&table, faults);
    let mut probes = PROBES.iter().filter_map(|key| table.get(key));
    let Some(first) = probes.next() else {
        if !table.is_meant(&PROBES) {
            faults
                .error(item.key_span, format!("{what} has no probe"))
                .help(format!("add one of {}, such as http = {{ path = \"/\" }}", PROBES.join(", ")));
        }
        return None;
    };
    if let Some(second) = probes.next() {
        faults
            .error(second.key_span, format!("{what} has two probes, `{}` and `{}`", first.key, second.key))
            .other(first.key_span, "the other one")
            .help("a monitor has exactly one: make two monitors of it");
        return None;
    }
    let probe = match first.key {
        "tcp" => tcp::read(first, faults).map(Probe::Tcp),
        "icmp" | "ping" => icmp::read(first, faults).map(|()| Probe::Icmp),
        "dns" => dns::read(first, faults).map(Probe::Dns),
        "exec" => exec::read(first, faults).map(Probe::Exec),
        "push" => push::read(first, faults).map(Probe::Push),
        "tls" => tls::read(first, faults).map(Probe::Tls),
        "grpc" => grpc::read(first, faults).map(Probe::Grpc),
        "https" => http::read(first, http::Scheme::Https, faults).map(Probe::Http),
        _ => http::read(first, http::Scheme::Http, faults).map(Probe::Http),
    };
    let timing = match &probe {
        Some(Probe::Push(probe)) => push::timing(&table, probe, faults),
        // Its own faults are enough: which times it may have is not known.
        None if first.key == "push" => None,
        _ => timing::read(&table, faults),
    };
    Some((Monitor { probe: probe?, timing: timing?, comeback: comeback? }, address?))
}

/// What `read` makes of the value of `key`, or `default` where there is none.
fn given<'a, T>(table: &Table<'a>, key: &str, default: T, read: impl FnOnce(Item<'a>) -> Option<T>) -> Option<T> {
    table.get(key).map_or(Some(default), read)
}
