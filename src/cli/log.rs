//! The log of a process that serves: which lines of it, and how they look.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::journal;

/// Says how much is logged.
const VARIABLE: &str = "BELLWETHER_LOG";

/// Libraries that say more than an operator wants, however much is asked of us: h2, hyper, h3 and quinn log each frame
/// at `debug` and warn of peers' faults; notify warns of a folder that was removed when both it and its parent tell so.
const QUIET: &str =
    "notify=error,h2=info,hyper=info,h3=error,h3_quinn=error,quinn=error,quinn_proto=error,quinn_udp=error";

/// Logs to stderr, at `level` where BELLWETHER_LOG says nothing.
///
/// # Errors
/// What is wrong with BELLWETHER_LOG.
pub(super) fn start(level: &str) -> Result<(), String> {
    let wanted = std::env::var_os(VARIABLE).unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    let filter = filter(if wanted.trim().is_empty() { level } else { &wanted })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        // It would be reported with a macro that panics when stderr is gone.
        .log_internal_errors(false);
    if journal::listens() {
        log.event_format(journal::Lines::new()).init();
    } else {
        log.init();
    }
    Ok(())
}

/// What `wanted` lets through.
fn filter(wanted: &str) -> Result<EnvFilter, String> {
    let wrong = || {
        format!(
            "{VARIABLE}={wanted} is no level; write error, warn, info, debug or trace, also of a part alone: \
             info,bellwether::probe=debug"
        )
    };
    // The filter takes any other word for the name of a module, shows that alone, and so silences all the rest.
    let is_level = |word: &str| word.parse::<Level>().is_ok() || word.eq_ignore_ascii_case("off");
    let is_module = |word: &str| word == "bellwether" || word.starts_with("bellwether::");
    let mut words = wanted.split(',').map(str::trim).filter(|word| !word.is_empty());
    if !words.all(|word| word.contains(['=', '[']) || is_level(word) || is_module(word)) {
        return Err(wrong());
    }
    EnvFilter::builder().parse(format!("{QUIET},{wanted}")).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_level_is_refused() {
        for sound in ["info", "WARN", "off", "bellwether=debug", "info,bellwether::probe=debug", "info, debug", "info,"]
        {
            assert!(filter(sound).is_ok(), "{sound}: {:?}", filter(sound));
        }
        for wrong in ["warning", "verbose", "info,verbose", "bellwether=verbose", "bellweather", "info debug"] {
            let said = filter(wrong).map(|filter| filter.to_string());
            let expected = format!("BELLWETHER_LOG={wrong} is no level; write error, warn, ");
            assert!(said.as_ref().is_err_and(|said| said.starts_with(&expected)), "{wrong}: {said:?}");
        }
    }
}
