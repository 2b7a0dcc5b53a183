//! `bellwether replace`: an upgrade in place.

use std::path::PathBuf;

use clap::Args;

use super::terminal::{self, note, print};
use super::{DONE, FAILED, FileArguments};
use crate::server::handover;

pub(super) const HELP: &str = "\
The running server starts the program that lies where its own did, with the arguments that it was started with itself. \
That one reads all files, takes over sockets, verdicts and overrides, and answers; then the old one ends. If the new one \
cannot start, the old one goes on, and this says why.

Exit codes: 0 replaced · 1 not replaced, or no server to be reached · 2 wrong usage";

#[derive(Args, Debug)]
pub(super) struct ReplaceArguments {
    /// The server file, whose server table names the control socket [default: bellwether.toml, if there is one here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The control socket of the running server [default: the server file's]
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

pub(super) fn run(ReplaceArguments { config, control }: &ReplaceArguments) -> u8 {
    let named = match control {
        Some(control) => Some(control.clone()),
        None => {
            let Some(server) = (FileArguments { config: config.clone(), zones: None }).server() else { return FAILED };
            server.process.control
        }
    };
    let Some(path) = named else {
        note(format_args!(
            "error: no control socket is named; give --control, or `control` in [server] of the server file"
        ));
        return FAILED;
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            note(format_args!("error: cannot start the runtime: {error}"));
            return FAILED;
        }
    };
    match runtime.block_on(handover::replace(&path)) {
        Ok((process, version)) => {
            // A server that is older than this does not say it.
            let version = if version.is_empty() { version } else { format!(" ({version})") };
            match print(format_args!("replaced: process {process}{version} answers now\n")) {
                Ok(()) => DONE,
                Err(error) => terminal::unprinted(&error),
            }
        }
        Err(error) => {
            note(format_args!("error: not replaced, by {}: {error}", path.display()));
            FAILED
        }
    }
}
