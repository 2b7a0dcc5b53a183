//! `import`: other servers' configurations into zone files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::terminal::{self, note};
use super::{DONE, FAILED};
use crate::config::{self, Atlas};
use crate::diagnostic::{Diagnostic, Severity, plural};
use crate::import::{Draft, Fate, Faults, Imported, Note, bind, gdnsd, route53};
use crate::wire::name::Name;

pub(super) const HELP: &str = "\
Writes a NAME.zone for each zone and, where something is balanced, a NAME.toml. Everything that could not be carried \
over is listed, and so is what means something a little different here; nothing of the source is changed.

Exit codes: 0 written, and valid · 1 the source has faults, or the files need a hand · 2 wrong usage";

#[derive(Args, Debug)]
pub(super) struct ImportArguments {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    /// BIND: a named.conf, or the master file of one zone; names with several addresses become pools
    Bind {
        /// The named.conf, or with --zone a master file
        file: PathBuf,
        /// The zone that FILE is the master file of
        #[arg(long, value_name = "NAME", value_parser = name)]
        zone: Option<Name>,
        #[command(flatten)]
        out: Out,
    },
    /// gdnsd: its configuration folder, with the plugins behind DYNA and DYNC
    Gdnsd {
        /// The folder that holds `config` and `zones`, such as /etc/gdnsd
        folder: PathBuf,
        #[command(flatten)]
        out: Out,
    },
    /// Route 53: what `aws route53 list-resource-record-sets` printed
    Route53 {
        /// The JSON of one hosted zone
        file: PathBuf,
        /// The zone, where the export has no SOA record
        #[arg(long, value_name = "NAME", value_parser = name)]
        zone: Option<Name>,
        /// What `aws route53 list-health-checks` printed
        #[arg(long, value_name = "FILE")]
        health_checks: Option<PathBuf>,
        #[command(flatten)]
        out: Out,
    },
}

#[derive(Args, Debug)]
struct Out {
    /// The folder to write to; it is made where there is none
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

fn name(text: &str) -> Result<Name, String> {
    Name::from_host(text).map_err(|error| error.to_string())
}

pub(super) fn run(arguments: &ImportArguments) -> u8 {
    let (kind, source, out, read) = match &arguments.source {
        Source::Bind { file, zone, out } => ("BIND", file, out, bind::read(file, zone.as_ref())),
        Source::Gdnsd { folder, out } => ("gdnsd", folder, out, gdnsd::read(folder)),
        Source::Route53 { file, zone, health_checks, out } => {
            ("Route 53", file, out, route53::read(file, zone.as_ref(), health_checks.as_deref()))
        }
    };
    let imported = match read {
        Ok(imported) => imported,
        Err(faults) => return refuse(&faults),
    };
    if let Err(problem) = write(&imported.zones, kind, out) {
        if imported.zones.is_empty() {
            // Why there is none.
            note(format_args!("{}", listed(&imported).trim_start()));
        }
        note(format_args!("error: {problem}"));
        return FAILED;
    }
    let told = account(&imported, source, &out.out);
    match terminal::print(format_args!("{told}")) {
        Ok(()) => verify(&out.out),
        Err(error) => terminal::unprinted(&error),
    }
}

fn refuse(faults: &Faults) -> u8 {
    terminal::print_faults(faults);
    note(format_args!("nothing was written"));
    FAILED
}

/// Writes the files of all zones, or none: where one is there already, or one cannot be written.
fn write(zones: &[Draft], kind: &str, out: &Out) -> Result<(), String> {
    let mut files = Vec::new();
    for zone in zones {
        let stem = zone.stem().ok_or("zone files are named after their zone, and the root has no name")?;
        files.push((format!("{stem}.zone"), Some(zone.master_file(kind))));
        files.push((format!("{stem}.toml"), zone.policy_file(kind)));
    }
    if files.is_empty() {
        return Err("there is no zone to be imported".to_owned());
    }
    for (file, text) in &files {
        let file = out.out.join(file);
        let shown = file.display();
        // A policy file of before would be served with the records of now, so it is in the way even where none is to be
        // written.
        match (file.exists(), text) {
            (true, None) => {
                return Err(format!(
                    "{shown} is there, and nothing is balanced in what is imported: it would be served with the new \
                     records; take it away, or let --out name another folder"
                ));
            }
            (true, Some(_)) if file.is_dir() => return Err(format!("{shown} is a folder")),
            (true, Some(_)) if !out.force => {
                return Err(format!("{shown} is there already; --force writes over it, --out names another folder"));
            }
            _ => {}
        }
    }
    let files: Vec<(String, String)> = files.into_iter().filter_map(|(file, text)| Some((file, text?))).collect();
    let is_new = !out.out.exists();
    fs::create_dir_all(&out.out).map_err(|error| format!("{}: {error}", out.out.display()))?;
    // Beside the files to be, so that they come to their places whole; whoever watches the folder passes over it.
    let aside = out.out.join(format!(".import-{}", std::process::id()));
    let written = write_aside(&files, &aside, &out.out);
    // What is left in it, if anything, is of no use; and the folder was not there before.
    let _ = fs::remove_dir_all(&aside);
    if written.is_err() && is_new {
        let _ = fs::remove_dir(&out.out);
    }
    written
}

/// Writes all files to the folder `aside`, and then moves them into `out`.
fn write_aside(files: &[(String, String)], aside: &Path, out: &Path) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir(aside).map_err(|error| failed(aside, error))?;
    for (file, text) in files {
        fs::write(aside.join(file), text).map_err(|error| failed(&out.join(file), error))?;
    }
    for (file, _) in files {
        fs::rename(aside.join(file), out.join(file)).map_err(|error| failed(&out.join(file), error))?;
    }
    Ok(())
}

/// What was written, and what became of the rest.
fn account(imported: &Imported, source: &Path, out: &Path) -> String {
    let mut text = String::new();
    for zone in &imported.zones {
        let (records, names) = (plural(zone.records(), "record"), plural(zone.names(), "balanced name"));
        let _ = writeln!(text, "zone {}: {records}, {names}", zone.apex);
    }
    let _ = writeln!(text, "{} → {}: {}", source.display(), out.display(), plural(imported.zones.len(), "zone"));
    text + &listed(imported)
}

/// What did not go over as it stood.
fn listed(imported: &Imported) -> String {
    let mut text = String::new();
    let mut notes: Vec<&Note> = imported.notes.iter().collect();
    notes.sort();
    let mut last = None;
    for note in notes {
        if last.replace(note.fate) != Some(note.fate) {
            let _ = writeln!(text, "\n{}", heading(note.fate));
        }
        let _ = writeln!(text, "  {}: {}", note.at, note.what);
    }
    text
}

fn heading(fate: Fate) -> &'static str {
    match fate {
        Fate::Lost => "Not carried over:",
        Fate::Changed => "Carried over as something a little different:",
        Fate::ToDo => "To be done outside of the zone files:",
    }
}

/// Reads what was written as the server would.
fn verify(out: &Path) -> u8 {
    let (_, faults) = config::load(out, &Atlas::default());
    let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
    if errors == 0 {
        let next = format!("\nNext: bellwether check --zones {}\n", out.display());
        let printed = terminal::print(format_args!("{}{next}", doubts(&faults)));
        return printed.map_or_else(|error| terminal::unprinted(&error), |()| DONE);
    }
    terminal::print_faults(&faults);
    let things = plural(errors, "thing");
    note(format_args!("written, but {things} must be mended by hand before it can be served"));
    FAILED
}

/// Warnings that are listed, at most: `check` prints them all, with what would be right.
const DOUBTS_MAX: usize = 20;

/// What `check` will warn of, a line each.
fn doubts(warnings: &[Diagnostic]) -> String {
    let mut text = String::new();
    if !warnings.is_empty() {
        text.push_str("\nValid, with warnings:\n");
    }
    for Diagnostic { place, message, .. } in warnings.iter().take(DOUBTS_MAX) {
        let _ = writeln!(text, "  {}:{}: {message}", place.file.display(), place.line);
    }
    if let Some(more) = warnings.len().checked_sub(DOUBTS_MAX).filter(|&more| more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
    text
}
