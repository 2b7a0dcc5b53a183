//! `bellwether check`: every fault, and the plan of each balanced name.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::terminal::{self, note, span};
use super::{CONFIG, DONE, FAILED, FileArguments};
use crate::admin::Token;
use crate::config::{self, Atlas, Balanced, Hints, LoadedZone, Settings};
use crate::diagnostic::{Diagnostic, Place, Severity, plural};
use crate::health::ProbeId;
use crate::policy::{self, PoolId, Pools};
use crate::server::check_user;
use crate::transport::tls::{Certificates, Clients};
use crate::ttl::Plan;
use crate::wire::cookie::Secret;

pub(super) fn run(arguments: &FileArguments) -> u8 {
    let server = arguments.server();
    let file = arguments.server_file().unwrap_or(Path::new(CONFIG));
    let (atlas, beside) = server.as_ref().map_or_else(Default::default, |server| beside(file, server));
    terminal::print_faults(&beside);
    let shown = server.as_ref().and_then(shown_by_commands);
    terminal::print_faults(shown.as_slice());
    // A server file that cannot be read does not say where the zones are.
    let Some(folder) = arguments.zones.clone().or_else(|| Some(server.as_ref()?.zones.clone())) else {
        // One that is not there has said it all.
        if file.is_file() {
            note(format_args!(
                "{}: nothing would be served; where the zones are it does not say (check --zones DIR reads them)",
                file.display()
            ));
        }
        return FAILED;
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
    let hindered = match (server.is_none() || !beside.is_empty(), shown.is_some()) {
        (true, _) => Some("the server would not start"),
        (false, true) => Some("commands would not come in by the server file"),
        (false, false) => None,
    };
    if let Some(hindered) = hindered {
        note(format_args!("{}: valid, but {hindered}", folder.display()));
        return FAILED;
    }
    // What reports by itself is not asked.
    let asked = loaded.targets.iter().map(|target| (!target.is_pushed()).then_some(target.monitor.timing.interval));
    let intervals: Vec<Option<Duration>> = asked.collect();
    let mut text = String::new();
    for zone in &loaded.zones {
        write_zone(&mut text, zone, &intervals);
    }
    let names: usize = loaded.zones.iter().map(|zone| zone.names.len()).sum();
    let printed = terminal::print(format_args!(
        "{text}{}: valid; {}, {}, {}, {}, {}\n",
        folder.display(),
        plural(loaded.zones.len(), "zone"),
        plural(names, "balanced name"),
        plural(loaded.targets.len(), "probed endpoint"),
        plural(count(Severity::Warning), "warning"),
        rate(intervals.iter().flatten()),
    ));
    printed.map_or_else(|error| terminal::unprinted(&error), |()| DONE)
}

/// What the server file names, and the faults of that: whatever would keep the server from starting, as far as it can be
/// told without being who the server will be. Without its databases the zones can be checked all the same.
fn beside(file: &Path, server: &Settings) -> (Atlas, Vec<Diagnostic>) {
    let (atlas, mut faults) = match Atlas::read(&server.databases, server.latency.as_deref()) {
        Ok(atlas) => (atlas, Vec::new()),
        Err(faults) => (Atlas::default(), faults),
    };
    if let Some(tls) = &server.doors.encrypted {
        faults.extend(Certificates::read(&tls.certificate, &tls.key).err().map(|fault| *fault));
    }
    if let Some(file) = server.admin.as_ref().and_then(|admin| admin.token_file.as_deref()) {
        let fault = |error| Diagnostic::error(Place::of_file(file), format!("`token-file` of [admin]: {error}"));
        faults.extend(Token::read(file).err().map(fault));
    }
    if let Some(user) = &server.process.user {
        let fault = |error| Diagnostic::error(Place::of_file(file), format!("`user` and `group` of [server]: {error}"));
        faults.extend(check_user(user).err().map(fault));
    }
    if let Some(tls) = server.admin.as_ref().and_then(|admin| admin.tls.as_ref()) {
        faults.extend(Certificates::read(&tls.certificate, &tls.key).err().map(|fault| *fault));
        faults.extend(tls.clients.as_deref().and_then(|file| Clients::read(file).err()).map(|fault| *fault));
    }
    faults.extend(server.dns.identity(Secret::new([0; 16])).err().into_iter().flatten());
    (atlas, faults)
}

/// What is wrong with the certificate that commands show to the admin API, which the server itself never reads.
fn shown_by_commands(server: &Settings) -> Option<Diagnostic> {
    let (certificate, key) = server.admin.as_ref()?.tls.as_ref()?.commands.as_ref()?;
    Certificates::read(certificate, key).err().map(|fault| *fault)
}

/// Writing to a string cannot fail.
fn write_zone(text: &mut String, zone: &LoadedZone, intervals: &[Option<Duration>]) {
    let _ = writeln!(text, "zone {}  {}", zone.zone.apex(), plural(zone.zone.names(), "name"));
    let width = zone.names.iter().map(|name| name.owner.to_string().chars().count()).max().unwrap_or(0);
    for name in &zone.names {
        let pool = zone.pools.pools.get(name.root.0 as usize).map_or("", |pool| &*pool.name);
        let derived = derived(name, &zone.pools, intervals);
        let hints = if name.hints == Hints::Pool { "; hints of HTTPS and SVCB records" } else { "" };
        let timing = timing(&name.plan);
        let _ = writeln!(text, "  {:width$}  pool {pool}: {timing}{derived}{hints}", name.owner.to_string());
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

/// The monitor that decides the plan, its times, given or derived, and what all probes of the name come to.
fn derived(name: &Balanced, pools: &Pools, intervals: &[Option<Duration>]) -> String {
    let Some((monitor, timing)) = &name.decisive else { return String::new() };
    let probes = probes(pools, name.root);
    let asked: Vec<&Duration> = probes.iter().filter_map(|probe| intervals.get(probe.0 as usize)?.as_ref()).collect();
    if asked.is_empty() {
        // It has no other times.
        return format!("; monitor {monitor}: lease {}", span(timing.timeout));
    }
    let rate = rate(asked);
    let (interval, fast, timeout) = (span(timing.interval), span(timing.fast), span(timing.timeout));
    format!("; monitor {monitor}: interval {interval}, fast {fast}, timeout {timeout}; {rate}")
}

/// All that is probed for a name that is answered from `root`, each once.
fn probes(pools: &Pools, root: PoolId) -> BTreeSet<ProbeId> {
    let mut probes = BTreeSet::new();
    let mut seen = BTreeSet::from([root]);
    let mut ahead = vec![root];
    while let Some(pool) = ahead.pop().and_then(|pool| pools.pools.get(pool.0 as usize)) {
        probes.extend(&pool.depends);
        for member in &pool.members {
            match member.target {
                policy::Target::Pool(child) if seen.insert(child) => ahead.push(child),
                policy::Target::Pool(_) => {}
                policy::Target::Endpoint(id) => {
                    let judged = pools.endpoints.get(id.0 as usize).map(|endpoint| &endpoint.judged);
                    probes.extend(judged.into_iter().flat_map(|judged| &judged.probes));
                }
            }
        }
    }
    probes
}

/// What probing at these `intervals` comes to while all is well, before jitter.
fn rate<'t>(intervals: impl IntoIterator<Item = &'t Duration>) -> String {
    let rate = intervals.into_iter().fold(0.0, |rate, interval| rate + interval.as_secs_f64().recip());
    // One in a minute is little, and not nothing.
    let digits = if rate > 0.0 && rate < 0.1 { 2 } else { 1 };
    format!("{rate:.digits$} probes a second")
}
