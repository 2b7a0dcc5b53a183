//! The `bellwether` program: see [`bellwether`] for the map.

use std::process::ExitCode;

fn main() -> ExitCode {
    bellwether::cli::run()
}
