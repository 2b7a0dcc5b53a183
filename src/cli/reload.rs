//! `bellwether reload`: has a running server read what changed, and waits for what becomes of it.

use std::fmt::Write as _;

use clap::Args;

use super::caller::{Caller, ServerArguments};
use super::terminal::{note, print, unprinted};
use super::{DONE, FAILED};
use crate::admin::api::{FaultReport, ReloadOutcome, ReloadReport, ReloadRequest, ZonesReport};
use crate::diagnostic::plural;

pub(super) const HELP: &str = "\
Only zones of which a file is another are read again, and the server file. What is new is probed first; then all of it \
is served in one swap, or none of it. A faulty file changes nothing: its faults go to stderr, as `check` prints them, \
and the last good state keeps serving.

Exit codes: 0 served · 1 refused, or no server to be reached · 2 wrong usage";

#[derive(Args, Debug)]
pub(super) struct ReloadArguments {
    /// Take up what the guard would refuse for what it does to answers; faulty files are refused all the same
    #[arg(long)]
    force: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

pub(super) fn run(arguments: &ReloadArguments) -> u8 {
    let report = match ask(arguments) {
        Ok(report) => report,
        Err(message) => {
            note(format_args!("error: {message}"));
            return FAILED;
        }
    };
    let text = if arguments.json {
        serde_json::to_string_pretty(&report).map(|json| json + "\n").unwrap_or_default()
    } else {
        print_faults(&report);
        said(&report)
    };
    if let Err(error) = print(format_args!("{text}")) {
        return unprinted(&error);
    }
    if report.outcome == ReloadOutcome::Done { DONE } else { FAILED }
}

fn ask(arguments: &ReloadArguments) -> Result<ReloadReport, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        let caller = Caller::of(&arguments.server)?;
        Ok(caller.reload(&ReloadRequest { force: arguments.force }).await?)
    })
}

fn print_faults(report: &ReloadReport) {
    for FaultReport { text, .. } in &report.faults {
        let end = if text.contains('\n') { "\n" } else { "" };
        note(format_args!("{text}{end}"));
    }
    let more = (report.errors + report.warnings).saturating_sub(report.faults.len());
    if more > 0 {
        note(format_args!("not listed here: {more} more; `bellwether check` lists them"));
    }
    for reason in &report.refused_for {
        note(format_args!("refused: {reason}"));
    }
}

/// What came of it, for people: a line, and a line for each kind of zones that are not as they were.
fn said(report: &ReloadReport) -> String {
    let mut text = outcome(report) + "\n";
    let ZonesReport { read, added, removed, names_changed, names_added, names_removed, .. } = &report.zones;
    for (what, names, count) in [
        ("changed", names_changed, read - added.min(read)),
        ("added", names_added, *added),
        ("removed", names_removed, *removed),
    ] {
        let more = count.saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !names.is_empty() {
            let _ = writeln!(text, "{what}: {}{more}", names.join(", "));
        }
    }
    if !report.needs_restart.is_empty() {
        let _ = writeln!(text, "needs a restart: {}", report.needs_restart.join(", "));
    }
    text
}

/// What came of it, in one line.
pub(super) fn outcome(report: &ReloadReport) -> String {
    let ZonesReport { total, read, unchanged, removed, .. } = report.zones;
    match report.outcome {
        ReloadOutcome::Done => {
            let gone = if removed > 0 { format!(", {removed} removed") } else { String::new() };
            let (zones, names) = (plural(total, "zone"), plural(report.names, "balanced name"));
            format!("reloaded in {}: {zones} ({read} read, {unchanged} unchanged{gone}), {names}", took(report.took))
        }
        ReloadOutcome::Faulty => {
            let errors = plural(report.errors, "error");
            format!("not reloaded: the files have {errors}; the last good state keeps serving")
        }
        ReloadOutcome::Guarded => {
            let reasons = plural(report.refused_for.len(), "reason");
            format!("not reloaded: the guard has {reasons}; the last good state keeps serving; --force takes it up")
        }
    }
}

/// Seconds as people read them: `12ms`, `3.4s`.
fn took(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0}ms", seconds * 1_000.0) } else { format!("{seconds:.1}s") }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn it_is_said_what_changed() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let zones = ZonesReport {
            total: 10_000,
            read: 24,
            unchanged: 9_976,
            added: 1,
            removed: 2,
            names_changed: names(&["example.com", "example.org"]),
            names_added: names(&["example.net"]),
            names_removed: names(&["a.test", "b.test"]),
        };
        let report = ReloadReport {
            outcome: ReloadOutcome::Done,
            cause: "asked".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            took: 0.0124,
            zones,
            names: 1,
            refused_for: Vec::new(),
            faults: Vec::new(),
            errors: 0,
            warnings: 0,
            needs_restart: names(&["listen"]),
        };
        let expected = "reloaded in 12ms: 10000 zones (24 read, 9976 unchanged, 2 removed), 1 balanced name\n\
                        changed: example.com, example.org and 21 more\nadded: example.net\n\
                        removed: a.test, b.test\nneeds a restart: listen\n";
        assert_eq!(said(&report), expected);
        let guarded = ReloadReport { outcome: ReloadOutcome::Guarded, refused_for: names(&["x"]), ..report.clone() };
        assert!(outcome(&guarded).contains("the guard has 1 reason; the last good state keeps serving"));
        let faulty = ReloadReport { outcome: ReloadOutcome::Faulty, errors: 2, ..report };
        assert!(outcome(&faulty).contains("the files have 2 errors; the last good state keeps serving"));
    }
}
