//! The settings as they were at the start, and as the server file has them now: what can be changed while it runs, and
//! what takes a restart.
//!
//! What is bound, opened or started once takes one: sockets, threads, files that are kept open. That is never passed
//! over: whoever reloads is told which keys.

use crate::config::Settings;

/// The keys of the server file that say something else in `now` than in `start`, and do not count before a restart.
pub(super) fn needs_restart(start: &Settings, now: &Settings) -> Vec<String> {
    let Settings {
        zones,
        listen,
        workers,
        databases,
        latency,
        admin,
        doors,
        dns: _,
        transfers,
        wave: _,
        guard: _,
        state,
        process,
        dnstap,
    } = now;
    let differs = [
        ("zones", zones != &start.zones),
        ("listen", listen != &start.listen),
        ("workers", workers != &start.workers),
        ("geo.databases", databases != &start.databases),
        ("latency.table", latency != &start.latency),
        ("tls", doors.encrypted != start.doors.encrypted),
        ("proxy", doors.fronts != start.doors.fronts),
        ("limits", doors.limits != start.doors.limits || doors.rates != start.doors.rates),
        ("transfer", transfers != &start.transfers),
        ("admin", admin != &start.admin),
        ("state", state != &start.state),
        ("server", process != &start.process),
        ("dnstap", dnstap != &start.dnstap),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::read_server_file;

    fn settings(text: &str) -> Settings {
        let (settings, faults) = read_server_file(Path::new("/etc/bellwether.toml"), text);
        settings.unwrap_or_else(|| panic!("{faults:?}"))
    }

    #[test]
    fn every_key_that_takes_a_restart_is_named() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(needs_restart(&settings(""), &settings(text)), expected, "{text}");
        };
        check("", &[]);
        check("zones = 'other'", &["zones"]);
        check("listen = ['192.0.2.53:53']\nworkers = 2", &["listen", "workers"]);
        check("[geo]\ndatabases = ['city.mmdb']", &["geo.databases"]);
        check("[latency]\ntable = 'latency.csv'", &["latency.table"]);
        check("[limits]\nidle = '7s'", &["limits"]);
        check("[limits]\nresponses-per-second = 7", &["limits"]);
        check("[admin]", &["admin"]);
        check("[proxy]\nfrom = ['192.0.2.0/24']", &["proxy"]);
        check("[transfer]\nallow = ['192.0.2.7']", &["transfer"]);
        check("[state]\nfile = 'state'", &["state"]);
        check("[server]\nstop-delay = '7s'", &["server"]);
        check("[dnstap]\nfile = 'log'", &["dnstap"]);
        // These count at once.
        check("[dns]\nnsid = 'fra1'\n[health]\nwave-hold = '10s'\n[reload]\nkeep-alive = false", &[]);
    }
}
