//! `bellwether check`: every fault, and the plan of each balanced name.

use super::terminal::{self, span};
use super::{DONE, FAILED, FileArguments};
use crate::config::{self, Atlas, LoadedZone};
use crate::diagnostic::Severity;
use crate::ttl::Plan;

pub(super) fn run(arguments: &FileArguments) -> u8 {
    let Some(server) = arguments.server() else { return FAILED };
    let folder = arguments.zones(&server);
    let atlas = match Atlas::read(&server.databases, server.latency.as_deref()) {
        Ok(atlas) => atlas,
        Err(faults) => {
            terminal::print_faults(&faults);
            return FAILED;
        }
    };
    let (loaded, faults) = config::load(&folder, &atlas);
    terminal::print_faults(&faults);
    let count = |severity| faults.iter().filter(|fault| fault.severity == severity).count();
    let Some(loaded) = loaded else {
        eprintln!("{}: {}; nothing of it would be served", folder.display(), plural(count(Severity::Error), "error"));
        return FAILED;
    };
    for zone in &loaded.zones {
        print_zone(zone);
    }
    let names: usize = loaded.zones.iter().map(|zone| zone.names.len()).sum();
    println!(
        "{}: valid; {}, {}, {}, {}",
        folder.display(),
        plural(loaded.zones.len(), "zone"),
        plural(names, "balanced name"),
        plural(loaded.targets.len(), "probed endpoint"),
        plural(count(Severity::Warning), "warning"),
    );
    DONE
}

fn print_zone(zone: &LoadedZone) {
    println!("zone {}  {}", zone.zone.apex(), plural(zone.zone.names(), "name"));
    let width = zone.names.iter().map(|name| name.owner.to_string().chars().count()).max().unwrap_or(0);
    for name in &zone.names {
        let pool = zone.pools.pools.get(name.root.0 as usize).map_or("", |pool| &*pool.name);
        println!("  {:width$}  pool {pool}: {}", name.owner.to_string(), timing(&name.plan));
    }
    if !zone.names.is_empty() {
        println!();
    }
}

fn timing(plan: &Plan) -> String {
    let range = format!("ttl {}s to {}s", plan.range.min, plan.range.max);
    if !plan.monitored {
        return format!("no monitor, nothing is ever detected; {range}");
    }
    format!("worst-case detection {}, {range}, worst-case failover {}", span(plan.detection), span(plan.failover))
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
