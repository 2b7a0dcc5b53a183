//! A network of one host beside this machine: a namespace behind a pair of virtual devices. It needs root.

use std::env;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use super::peer;

/// The namespace, which goes when dropped; what still sends to it then would send past it, so it is made first.
pub(crate) struct Namespace {
    /// The host's own address, of RFC 2544's network for benchmarks, which nobody routes.
    pub(crate) ip: Ipv4Addr,
    /// This machine's address beside it.
    beside: Ipv4Addr,
    name: String,
    program: PathBuf,
}

impl Namespace {
    /// Makes one; `None` when `ip` is not installed or nobody lets us.
    ///
    /// # Panics
    /// When it cannot be made under CI: a test that was not run must not look like one that passed.
    pub(crate) fn new() -> Option<Self> {
        let program = peer::find("ip", "iproute2")?;
        let process = std::process::id();
        // A network of four addresses, by the process's number.
        let network = 0xc612_0000 | (process & 0x7fff) << 2;
        let (beside, ip) = (Ipv4Addr::from_bits(network | 1), Ipv4Addr::from_bits(network | 2));
        let name = format!("bw{process}");
        let made = Command::new(&program).args(["netns", "add", &name]).output().expect("ip runs");
        if !made.status.success() {
            let message = format!(
                "no network namespace can be made ({}); test not run",
                String::from_utf8_lossy(&made.stderr).trim()
            );
            assert!(!peer::means_ci(env::var("CI").ok().as_deref()), "{message}, which CI does not allow");
            peer::say(&message);
            return None;
        }
        let namespace = Self { ip, beside, name, program };
        let (here, there) = (format!("{}a", namespace.name), format!("{}b", namespace.name));
        namespace.run(&["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", &namespace.name]);
        namespace.run(&["address", "add", &format!("{beside}/30"), "dev", &here]);
        namespace.run(&["link", "set", &here, "up"]);
        namespace.run_inside(&["address", "add", &format!("{ip}/30"), "dev", &there]);
        namespace.run_inside(&["link", "set", &there, "up"]);
        Some(namespace)
    }

    /// From here on whatever it would send to us is dropped, and nobody is told.
    pub(crate) fn swallow(&self) {
        self.run_inside(&["route", "add", "blackhole", &format!("{}/32", self.beside)]);
    }

    /// What a command line begins with to run in it; the process is the command's own.
    pub(crate) fn launcher(&self) -> Vec<PathBuf> {
        let words = ["netns", "exec", &self.name].map(PathBuf::from);
        [self.program.clone()].into_iter().chain(words).collect()
    }

    fn run_inside(&self, arguments: &[&str]) {
        self.run(&[&["-n", &self.name], arguments].concat());
    }

    fn run(&self, arguments: &[&str]) {
        let run = Command::new(&self.program).args(arguments).output().expect("ip runs");
        assert!(run.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its devices go with it. Not asserted: a second panic would hide the first.
        let _ = Command::new(&self.program).args(["netns", "delete", &self.name]).status();
    }
}
