//! The server itself: what it has loaded, what holds its verdicts back, what it takes of the machine.

use std::fmt;

use super::Look;
use super::page::{Family, Page};
use super::process::Process;
use crate::health::WaveFamily;
use crate::observe::dnstap::Stats;
use crate::policy::Force;

const BUILD: Family = Family::new("bellwether_build", "The version that runs.");
const GENERATION: Family = Family::new("bellwether_generation", "Which load of the files is served, counted from 1.");
const PUBLISHED: Family =
    Family::seconds("bellwether_published_timestamp", "When what is served was published, in seconds since 1970.");
const RELOADS: Family =
    Family::new("bellwether_reloads", "Reloads, by whether they were taken or left the last good state in place.");
const RELOAD_OK: Family =
    Family::new("bellwether_last_reload_successful", "0 once a reload was refused, until the next is taken.");
const ZONES: Family = Family::new("bellwether_zones", "Zones that are served.");
const NAMES: Family = Family::new("bellwether_balanced_names", "Balanced names that are served.");
const LEFT_OUT: Family =
    Family::new("bellwether_uncounted", "Zones and endpoints that are beyond the limits of what is counted by itself.");
const WATCHED: Family = Family::new("bellwether_probes_watched", "Probes that are kept up.");
const OVERDUE: Family =
    Family::new("bellwether_probes_overdue", "Probes that should have begun or ended and have not.");
const BARRED: Family =
    Family::new("bellwether_probes_barred", "Probes that this process has no right or no program to send.");
const LAG: Family = Family::seconds("bellwether_probe_lag", "By how much the latest of late probes came too late.");
const STALE: Family =
    Family::new("bellwether_verdicts_stale", "1 while verdicts cannot be counted on: too many probes are overdue.");
const OVERRIDES: Family = Family::new("bellwether_overrides", "Endpoints and pools that operators force.");
const WAVES: Family = Family::new("bellwether_waves", "Waves of failures that began.");
const WAVE: Family =
    Family::new("bellwether_wave_active", "1 while a wave of failures holds down verdicts of a family.");

const LOGGED: Family = Family::new(
    "bellwether_dnstap_frames",
    "Frames of the query log, by what became of them. A query that found no room counts as one.",
);
const LOG_OPENED: Family =
    Family::new("bellwether_dnstap_opened", "Readers of the query log that were found, or files that were begun.");
const LOG_OPEN: Family =
    Family::new("bellwether_dnstap_open", "1 while the query log has a reader, or a file that can be written.");

const CPU: Family = Family::seconds("process_cpu", "User and system time of the process.");
const RESIDENT: Family = Family::octets("process_resident_memory", "Memory that the process holds.");
const VIRTUAL: Family = Family::octets("process_virtual_memory", "Address space of the process.");
const STARTED: Family = Family::seconds("process_start_time", "When the process started, since 1970.");
const FILES: Family = Family::new("process_open_fds", "Files that the process has open.");
const FILES_MAX: Family = Family::new("process_max_fds", "Files that the process may have open.");

pub(super) fn write(look: &Look, page: &mut Page<'_>) -> fmt::Result {
    let scene = &look.scene;
    page.info(&BUILD, [("version", env!("CARGO_PKG_VERSION"))])?;
    let (served, history) = (scene.snapshot.served(), scene.history);
    page.gauge(&GENERATION, scene.snapshot.generation() as f64)?;
    if history.published_ms > 0 {
        page.gauge(&PUBLISHED, history.published_ms as f64 / 1_000.0)?;
    }
    let reloads = [("done", history.reloads_done), ("refused", history.reloads_refused)];
    page.counters(&RELOADS, reloads.map(|(outcome, count)| ([("outcome", outcome)], count)))?;
    page.gauge(&RELOAD_OK, f64::from(u8::from(!history.last_refused)))?;
    page.gauge(&ZONES, served.len() as f64)?;
    page.gauge(&NAMES, served.iter().map(|served| served.steering.names.len()).sum::<usize>() as f64)?;
    let left_out = look.layout.left_out();
    let left_out = [("zones", left_out.zones), ("endpoints", left_out.endpoints)];
    page.gauges(&LEFT_OUT, left_out.map(|(what, count)| ([("what", what)], count as f64)))?;
    page.gauge(&WATCHED, scene.lag.probes as f64)?;
    page.gauge(&OVERDUE, scene.lag.overdue as f64)?;
    page.gauge(&BARRED, scene.lag.barred as f64)?;
    page.gauge(&LAG, scene.lag.most.as_secs_f64())?;
    page.gauge(&STALE, f64::from(u8::from(scene.lag.stale)))?;
    let forced = [("up", Force::Up), ("down", Force::Down), ("drain", Force::Drain)].map(|(word, force)| {
        let count = scene.overrides.iter().filter(|(_, entry)| entry.force == force).count();
        ([("force", word)], count as f64)
    });
    page.gauges(&OVERRIDES, forced)?;
    page.counters(&WAVES, [([], history.waves)])?;
    let active = [("ipv4", WaveFamily::V4), ("ipv6", WaveFamily::V6)].map(|(word, family)| {
        let active = scene.waves.iter().any(|wave| wave.family == family);
        ([("family", word)], f64::from(u8::from(active)))
    });
    page.gauges(&WAVE, active)?;
    scene.log.as_deref().map_or(Ok(()), |log| of_log(log, page))?;
    of_process(&Process::look(), page)
}

fn of_log(log: &Stats, page: &mut Page<'_>) -> fmt::Result {
    let frames = [("written", log.written()), ("full", log.dropped_full()), ("no-reader", log.dropped_absent())];
    page.counters(&LOGGED, frames.map(|(result, count)| ([("result", result)], count)))?;
    page.counters(&LOG_OPENED, [([], log.opened())])?;
    page.gauge(&LOG_OPEN, f64::from(u8::from(log.is_open())))
}

/// What the system does not tell is left out, alone.
fn of_process(process: &Process, page: &mut Page<'_>) -> fmt::Result {
    process.cpu_seconds.map_or(Ok(()), |seconds| page.counter(&CPU, seconds))?;
    let gauges = [
        (&RESIDENT, process.resident_octets.map(|octets| octets as f64)),
        (&VIRTUAL, process.virtual_octets.map(|octets| octets as f64)),
        (&STARTED, process.start_seconds),
        (&FILES, process.open_files.map(|count| count as f64)),
        (&FILES_MAX, process.open_files_max.map(|count| count as f64)),
    ];
    let mut told = gauges.into_iter().filter_map(|(family, value)| Some((family, value?)));
    told.try_for_each(|(family, value)| page.gauge(family, value))
}
