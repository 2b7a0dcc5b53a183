//! `bellwether serve`.

use std::env;
use std::ffi::OsStr;
use std::sync::Arc;

use super::terminal::{self, complain, note};
use super::{DONE, FAILED, MISUSED, ServeArguments, log};
use crate::config::Settings;
use crate::diagnostic::{Diagnostic, plural};
use crate::server::handover::{self, Again};
use crate::server::{self, Audience, Given, Ready, Reload, Start, StartError};

pub(super) fn run(arguments: &ServeArguments) -> u8 {
    if arguments.orphan {
        return match handover::orphan() {
            Ok(()) => DONE,
            Err(error) => give_up(FAILED, &format!("cannot start the successor: {error}")),
        };
    }
    if let Err(message) = log::start("info") {
        return give_up(MISUSED, &message);
    }
    if let Some(twice) = arguments.listen.iter().enumerate().find(|(at, one)| arguments.listen[..*at].contains(one)) {
        return give_up(MISUSED, &format!("--listen {} stands twice", twice.1));
    }
    let (server, faults) = arguments.files.read_server();
    terminal::print_faults(&faults);
    let Some(server) = server else {
        handover::give_up(&StartError::of(&faults).told());
        return FAILED;
    };
    // Before there is any other thread, since it changes the environment.
    let given = match Given::from_service_manager() {
        Ok(given) => given,
        Err(error) => return give_up(FAILED, &format!("a socket of the service manager is of no use: {error}")),
    };
    let start = Start { given, replaces: arguments.replace, again: again() };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(FAILED, &format!("cannot start the runtime: {error}")),
    };
    let audience = Arc::new(Terminal { arguments: arguments.clone() });
    let ended = runtime.block_on(server::run(arguments.settings(server), start, audience, std::future::pending()));
    // What still reads or writes a file has nobody to tell any more.
    runtime.shutdown_background();
    match ended {
        Ok(()) => DONE,
        Err(error) => {
            handover::give_up(&error.told());
            // A lone fault has said it all.
            if !matches!(error, StartError::Faults { errors: 1, .. }) {
                complain(format_args!("error: {error}"));
            }
            FAILED
        }
    }
}

/// Ends with `code`, and says why to whoever started this, a server as its successor too.
fn give_up(code: u8, reason: &str) -> u8 {
    handover::give_up(reason);
    complain(format_args!("error: {reason}"));
    code
}

/// How to start this very program with these very arguments, to take over.
fn again() -> Option<Again> {
    // Asked for now: after an upgrade the system would call it deleted.
    let program = handover::program().ok()?;
    let flag = OsStr::new("--replace");
    let arguments = env::args_os().skip(1).filter(|argument| argument != flag).chain([flag.to_owned()]);
    Some(Again { program, arguments: arguments.collect() })
}

/// Whoever reads stderr, and wrote the flags and the server file.
struct Terminal {
    arguments: ServeArguments,
}

impl Audience for Terminal {
    fn ready(&self, ready: &Ready) {
        let Ready { zones, names, probes, workers, listen, encrypted } = ready;
        let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
        let encrypted: String = encrypted.iter().map(|(spoken, address)| format!(", {spoken} on {address}")).collect();
        note(format_args!(
            "ready: {}, {}, {}, on {} (UDP × {workers}, TCP){encrypted}",
            plural(*zones, "zone"),
            plural(*names, "balanced name"),
            plural(*probes, "probed endpoint"),
            listen.join(" and ")
        ));
    }

    fn faults(&self, faults: &[Diagnostic]) {
        terminal::print_faults(faults);
    }

    fn settings(&self) -> Option<(Option<Settings>, Vec<Diagnostic>)> {
        let (server, faults) = self.arguments.files.read_server();
        Some((server.map(|server| self.arguments.settings(server)), faults))
    }

    fn reloaded(&self, outcome: &Reload) {
        match outcome {
            Reload::Done { zones, names } => {
                note(format_args!("reloaded: {}, {}", plural(*zones, "zone"), plural(*names, "balanced name")));
            }
            Reload::Refused { errors } => complain(format_args!(
                "not reloaded: the files have {}; the last good state keeps serving",
                plural(*errors, "error")
            )),
            Reload::Guarded { reasons } => {
                for reason in reasons {
                    complain(format_args!("refused: {reason}"));
                }
                complain(format_args!(
                    "not reloaded: the last good state keeps serving; `bellwether reload --force` takes it up all the same"
                ));
            }
        }
    }
}
