//! Which monitors judge an endpoint, how many of them must say that it lives, and what a pool depends on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::faults::{Faults, Span, shown};
use super::monitors::Entry;
use super::table::{Item, Table};
use super::words::{Probed, Seen, unknown};
use crate::policy::JUDGES_MAX;
use crate::probe::{Monitor, Target};

/// A monitor and where it stands.
#[derive(Clone)]
pub(super) struct Judge {
    pub(super) name: Box<str>,
    pub(super) monitor: Arc<Monitor>,
    pub(super) key_span: Span,
    /// What it probes by itself, rather than each endpoint.
    address: Option<IpAddr>,
}

impl Judge {
    /// What it probes of an endpoint that is answered with `address`: what it says by itself, or else the endpoint's
    /// `probe`, or else that very address.
    pub(super) fn target(&self, address: IpAddr, probed: Option<&Probed>) -> Target {
        if let Some(own) = self.own_target() {
            return own;
        }
        let port = probed.and_then(|probed| probed.port);
        let at_port = port.and_then(|port| self.monitor.at_port(port)).map(Arc::new);
        Target {
            address: probed.and_then(|probed| probed.address).unwrap_or(address),
            monitor: at_port.unwrap_or_else(|| Arc::clone(&self.monitor)),
        }
    }

    /// What it probes by itself.
    pub(super) fn own_target(&self) -> Option<Target> {
        self.address.map(|address| Target { address, monitor: Arc::clone(&self.monitor) })
    }
}

/// The monitors of an endpoint, at least one, and how many of them must say that it lives.
#[derive(Clone)]
pub(super) struct Judges {
    pub(super) need: u16,
    pub(super) list: Vec<Judge>,
}

/// `monitor` and `require` of a pool, or of an endpoint that says otherwise than its pool, which has `pool`.
pub(super) fn judges(
    table: &Table<'_>,
    pool: Option<&Judges>,
    monitors: &HashMap<&str, Entry>,
    faults: &mut Faults<'_>,
) -> Option<Judges> {
    let list = match table.get("monitor") {
        Some(item) => named(item, monitors, faults)?,
        None => pool.map(|judges| judges.list.clone()).unwrap_or_default(),
    };
    let need = match table.get("require") {
        Some(item) if list.is_empty() => {
            faults
                .error(item.key_span, "`require` counts monitors, and there are none")
                .help("add monitor = [\"web\"]");
            return None;
        }
        Some(item) => require(item, list.len(), faults)?,
        None => list.len(),
    };
    let need = u16::try_from(need).ok()?;
    (!list.is_empty()).then_some(Judges { need, list })
}

/// `depends`: monitors that probe something by themselves.
pub(super) fn depends(item: Item<'_>, monitors: &HashMap<&str, Entry>, faults: &mut Faults<'_>) -> Vec<Judge> {
    let judges = named(item, monitors, faults).unwrap_or_default();
    for judge in judges.iter().filter(|judge| judge.address.is_none()) {
        faults
            .error(item.span, format!("the monitor `{}` does not say what it probes by itself", judge.name))
            .other(judge.key_span, "the monitor")
            .help("give it address = \"192.0.2.53\"");
    }
    judges
}

/// `"web"` or `["web", "db"]`; `None` when any is faulty, which has been reported where it stands.
fn named(item: Item<'_>, monitors: &HashMap<&str, Entry>, faults: &mut Faults<'_>) -> Option<Vec<Judge>> {
    let items = match item.value.as_array() {
        Some(_) => item.elements(r#"["web", "db"]"#, faults)?,
        None => vec![item],
    };
    if items.is_empty() || items.len() > JUDGES_MAX {
        let count = items.len();
        faults.error(item.span, format!("`{}` must list 1 to {JUDGES_MAX} monitors, found {count}", shown(item.key)));
        return None;
    }
    let mut seen = Seen::default();
    let mut judges = Some(Vec::new());
    for item in items {
        let judge = item.string("web", faults).and_then(|name| {
            let once = seen.enter(name, item.span, &format!("the monitor `{}`", shown(name)), faults);
            let Some(entry) = monitors.get(name) else {
                unknown(item.span, name, "monitor", monitors.keys().copied(), faults);
                return None;
            };
            let (monitor, key_span) = (entry.monitor.clone().filter(|_| once)?, entry.key_span);
            Some(Judge { name: name.into(), monitor, key_span, address: entry.address })
        });
        match judge {
            Some(judge) => judges.iter_mut().for_each(|judges| judges.push(judge.clone())),
            None => judges = None,
        }
    }
    judges
}

/// `"all"`, `"any"`, or a number of `count` monitors.
fn require(item: Item<'_>, count: usize, faults: &mut Faults<'_>) -> Option<usize> {
    match item.value.as_str() {
        Some("all") => Some(count),
        Some("any") => Some(1),
        None if item.value.as_integer().is_some() => {
            let most = u16::try_from(count).unwrap_or(u16::MAX);
            item.integer(1..=most, faults).map(usize::from)
        }
        _ => {
            item.mismatch(&format!("\"all\", \"any\" or a number from 1 to {count}"), faults);
            None
        }
    }
}
