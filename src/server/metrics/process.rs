//! What the system knows of this process: the metrics that every exporter has by these names.

use std::fs;

/// Of this process, as far as `/proc` tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Process {
    /// User and system together.
    pub(super) cpu_seconds: f64,
    pub(super) resident_octets: u64,
    pub(super) virtual_octets: u64,
    /// Since 1970.
    pub(super) start_seconds: f64,
    pub(super) open_files: usize,
    /// As many may be open.
    pub(super) open_files_max: Option<u64>,
}

impl Process {
    /// As it is now; `None` where there is no such `/proc`.
    pub(super) fn look() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program, in brackets, may hold anything: what follows counts from the last of them. The first
        // field there is the third of proc_pid_stat(5).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let booted: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / ticks,
            resident_octets: field(24)? * rustix::param::page_size() as u64,
            virtual_octets: field(23)?,
            start_seconds: booted + field(22)? as f64 / ticks,
            // Without the one by which they are counted.
            open_files: fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1),
            open_files_max: limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::unix_now;

    #[test]
    fn a_process_knows_itself() {
        let before = Process::look().expect("a /proc");
        let files: Vec<_> = (0..20).map(|_| fs::File::open("/proc/self/stat").expect("a file")).collect();
        let now = Process::look().expect("a /proc");
        assert!(now.open_files >= files.len() + 3, "{now:?}");
        assert!(now.cpu_seconds >= before.cpu_seconds && now.resident_octets > 1 << 20, "{now:?}");
        assert!(now.virtual_octets > now.resident_octets, "{now:?}");
        // This test started less than a day ago.
        assert!((0.0..86_400.0).contains(&(unix_now() as f64 + 2.0 - now.start_seconds)), "{now:?}");
        drop(files);
    }
}
