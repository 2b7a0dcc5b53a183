//! `bellwether serve`.

use std::sync::Arc;

use super::{DONE, FAILED, ServeArguments, terminal};
use crate::diagnostic::Diagnostic;
use crate::server::{self, Audience, Ready, Reload};

pub(super) fn run(arguments: &ServeArguments) -> u8 {
    let Some(server) = arguments.files.server() else { return FAILED };
    terminal::start_log("info");
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return FAILED;
        }
    };
    match runtime.block_on(server::run(arguments.settings(server), Arc::new(Terminal), std::future::pending())) {
        Ok(()) => DONE,
        Err(error) => {
            eprintln!("error: {error}");
            FAILED
        }
    }
}

/// Whoever reads stderr.
struct Terminal;

impl Audience for Terminal {
    fn ready(&self, ready: &Ready) {
        let Ready { zones, names, probes, workers, listen } = ready;
        let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
        eprintln!(
            "ready: {zones} zones, {names} balanced names, {probes} probed endpoints, on {} (UDP × {workers}, TCP)",
            listen.join(" and ")
        );
    }

    fn faults(&self, faults: &[Diagnostic]) {
        terminal::print_faults(faults);
    }

    fn reloaded(&self, outcome: &Reload) {
        match outcome {
            Reload::Done { zones, names } => eprintln!("reloaded: {zones} zones, {names} balanced names"),
            Reload::Refused { errors } => {
                eprintln!("not reloaded: the zone files have {errors} errors; the last good state keeps serving");
            }
        }
    }
}
