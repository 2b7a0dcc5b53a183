//! What the system knows of this process: the metrics that every exporter has by these names.
//!
//! From `/proc/self` and the clocks alone: a service that may see no more of `/proc` (`ProcSubset=pid` of systemd) has no
//! `/proc/stat` to tell when the machine was started.

use std::fs;
use std::sync::OnceLock;

use crate::system::{since_boot, time_of_day, unix_nanos};

/// Of this process, as far as the system tells: what it does not tell is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Process {
    /// User and system together.
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_octets: Option<u64>,
    pub(super) virtual_octets: Option<u64>,
    /// Since 1970.
    pub(super) start_seconds: Option<f64>,
    pub(super) open_files: Option<usize>,
    /// As many may be open.
    pub(super) open_files_max: Option<u64>,
}

impl Process {
    /// As it is now.
    pub(super) fn look() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let seconds = |number: usize| field(&stat, number).map(|count| count as f64 / ticks);
        // Reckoned once: the start does not move, but what it is reckoned from is never read at one moment, and the clock
        // may be set.
        static START: OnceLock<Option<f64>> = OnceLock::new();
        let start = || {
            let age = since_boot().as_secs_f64() - seconds(22)?;
            Some(unix_nanos(time_of_day()) as f64 / 1e9 - age)
        };
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        Self {
            cpu_seconds: seconds(14).zip(seconds(15)).map(|(user, system)| user + system),
            resident_octets: field(&stat, 24).map(|pages| pages * rustix::param::page_size() as u64),
            virtual_octets: field(&stat, 23),
            start_seconds: *START.get_or_init(start),
            // Without the one by which they are counted.
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1)),
            open_files_max: limit,
        }
    }
}

/// A number of proc_pid_stat(5), counted from 1 as there. The name of the program, in brackets, may hold anything: what
/// follows counts from the last of them, and the first field there is the third.
fn field(stat: &str, number: usize) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::unix_now;

    #[test]
    fn a_process_knows_itself() {
        let before = Process::look();
        let files: Vec<_> = (0..20).map(|_| fs::File::open("/proc/self/stat").expect("a file")).collect();
        let now = Process::look();
        assert!(now.open_files.expect("a count") >= files.len() + 3, "{now:?}");
        assert!(now.cpu_seconds.expect("a time") >= before.cpu_seconds.expect("a time"), "{now:?}");
        let resident = now.resident_octets.expect("a size");
        assert!(resident > 1 << 20 && now.virtual_octets.expect("a size") > resident, "{now:?}");
        // This test started less than a day ago.
        let age = unix_now() as f64 + 2.0 - now.start_seconds.expect("a time");
        assert!((0.0..86_400.0).contains(&age), "{now:?}");
        assert_eq!(now.start_seconds, before.start_seconds, "it starts but once");
        drop(files);
    }

    #[test]
    fn fields_are_counted_from_behind_the_name() {
        let stat = "7 (a) b) (c) S 1 2 3";
        let fields: Vec<Option<u64>> = [2, 3, 4, 5, 6, 7].map(|number| field(stat, number)).into();
        assert_eq!(fields, [None, None, Some(1), Some(2), Some(3), None]);
        assert_eq!(field("", 14), None);
    }
}
