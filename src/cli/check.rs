//! `bellwether check`: every fault, and the plan of each balanced name.

use std::fmt::Write;

use super::terminal::{self, note, plural, span};
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
        let errors = count(Severity::Error);
        // A lone fault has said it all.
        if errors > 1 {
            note(format_args!("{}: {}; nothing of it would be served", folder.display(), plural(errors, "error")));
        }
        return FAILED;
    };
    let mut text = String::new();
    for zone in &loaded.zones {
        write_zone(&mut text, zone);
    }
    let names: usize = loaded.zones.iter().map(|zone| zone.names.len()).sum();
    let printed = terminal::print(format_args!(
        "{text}{}: valid; {}, {}, {}, {}\n",
        folder.display(),
        plural(loaded.zones.len(), "zone"),
        plural(names, "balanced name"),
        plural(loaded.targets.len(), "probed endpoint"),
        plural(count(Severity::Warning), "warning"),
    ));
    printed.map_or_else(|error| terminal::unprinted(&error), |()| DONE)
}

/// Writing to a string cannot fail.
fn write_zone(text: &mut String, zone: &LoadedZone) {
    let _ = writeln!(text, "zone {}  {}", zone.zone.apex(), plural(zone.zone.names(), "name"));
    let width = zone.names.iter().map(|name| name.owner.to_string().chars().count()).max().unwrap_or(0);
    for name in &zone.names {
        let pool = zone.pools.pools.get(name.root.0 as usize).map_or("", |pool| &*pool.name);
        let _ = writeln!(text, "  {:width$}  pool {pool}: {}", name.owner.to_string(), timing(&name.plan));
    }
    if !zone.names.is_empty() {
        text.push('\n');
    }
}

fn timing(plan: &Plan) -> String {
    let range = format!("ttl {}s to {}s", plan.range.min, plan.range.max);
    if !plan.monitored {
        return format!("no monitor, nothing is ever detected; {range}");
    }
    format!("worst-case detection {}, {range}, worst-case failover {}", span(plan.detection), span(plan.failover))
}
