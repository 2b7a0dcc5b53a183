//! The commands: what a person types and reads. The only room that prints.

mod caller;
mod check;
mod demo;
mod diff;
mod explain;
mod import;
mod manual;
mod proof;
mod reload;
mod replace;
mod screen;
mod serve;
mod status;
mod steer;
mod supposed;
mod terminal;
mod journal;
mod log;
mod top;

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::admin::api::Force;
use crate::config::{self, Process, Settings};
use crate::diagnostic::Diagnostic;

/// Everything is valid and was done.
const DONE: u8 = 0;
/// The files have faults, or the system refused something.
const FAILED: u8 = 1;
/// What was asked for cannot be understood: as clap ends the process.
const MISUSED: u8 = 2;

/// Runs the command of the arguments of this process. Wrong usage ends the process with 2, as clap does.
pub fn run() -> ExitCode {
    let code = match Arguments::parse().command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Replace(replace) => replace::run(&replace),
        Command::Check(check) => check::run(&check),
        Command::Explain(explain) => explain::run(&explain),
        Command::Diff(diff) => diff::run(&diff),
        Command::Status(status) => status::run(&status),
        Command::Top(top) => top::run(&top),
        Command::Reload(reload) => reload::run(&reload),
        Command::Up(steer) => steer::run(&steer, Some(Force::Up)),
        Command::Down(steer) => steer::run(&steer, Some(Force::Down)),
        Command::Drain(drain) => steer::drain(&drain),
        Command::Auto(steer) => steer::run(&steer, None),
        Command::Import(import) => import::run(&import),
        Command::Completions(shell) => manual::completions(&shell, Arguments::command()),
        Command::Man(man) => manual::man(&man, Arguments::command()),
        Command::Demo => demo::run(),
    };
    ExitCode::from(code)
}

/// An authoritative DNS server that balances load across the globe.
///
/// Delegate a zone to it; for the names that you balance it answers A and AAAA with the endpoints that are alive,
/// and a dead endpoint is gone from every honest cache within the budget that you chose.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = FIRST_STEPS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  bellwether demo                        see it work; needs nothing
  bellwether check --zones zones         read the files, print every fault and each name's timing
  bellwether serve --zones zones         serve them on 127.0.0.1:5300 and [::1]:5300
  dig @127.0.0.1 -p 5300 www.example.com";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the zones of a folder
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArguments),
    /// Have a running server start its successor, which takes over without losing a query
    #[command(after_help = replace::HELP)]
    Replace(replace::ReplaceArguments),
    /// Read all files, list every fault, print the derived timing of each balanced name
    #[command(after_help = CHECK_HELP)]
    Check(FileArguments),
    /// Say which answer a client gets, and why
    #[command(after_help = explain::HELP)]
    Explain(explain::ExplainArguments),
    /// Say what would change for clients if one zones folder took the place of another
    #[command(after_help = diff::HELP, mut_arg("server", |arg| arg.help(diff::SERVER_HELP)))]
    Diff(diff::DiffArguments),
    /// Show how a running server stands: names, pools, endpoints, and what is forced
    #[command(after_help = status::HELP)]
    Status(status::StatusArguments),
    /// Show what a running server is asked most, by whom, and which endpoints it answers with
    #[command(after_help = top::HELP)]
    Top(top::TopArguments),
    /// Have a running server read what changed, and wait for what becomes of it
    #[command(after_help = reload::HELP)]
    Reload(reload::ReloadArguments),
    /// Force pools or endpoints up, whatever their monitors say
    #[command(after_help = steer::HELP)]
    Up(steer::SteerArguments),
    /// Force pools or endpoints down
    #[command(after_help = steer::HELP)]
    Down(steer::SteerArguments),
    /// Take pools or endpoints out of new answers, and say when they are safe to stop
    #[command(after_help = steer::DRAIN_HELP)]
    Drain(steer::DrainArguments),
    /// Let monitors decide again
    #[command(after_help = steer::HELP)]
    Auto(steer::SteerArguments),
    /// Turn what BIND, gdnsd or Route 53 serves into zone files
    #[command(after_help = import::HELP)]
    Import(import::ImportArguments),
    /// Print completions for a shell
    #[command(after_help = manual::COMPLETIONS_HELP)]
    Completions(manual::CompletionsArguments),
    /// Write the manual pages
    #[command(after_help = manual::MAN_HELP)]
    Man(manual::ManArguments),
    /// Show it work: a sample zone over a few tiny endpoints on loopback, one of which dies and comes back
    Demo,
}

// A paragraph is one line: it is wrapped for the terminal that it is read on.
const SERVE_HELP: &str = "\
Once every socket is bound and every endpoint has been probed, a line that begins with `ready` goes to stderr. \
Saving a file in the zones folder, `bellwether reload` or SIGHUP reloads what changed, all at once; a faulty file is \
reported and changes nothing. SIGINT or SIGTERM stops, a second one at once. BELLWETHER_LOG=debug logs more (error, \
warn, info, debug, trace).

Exit codes: 0 stopped by a signal · 1 faulty files, or a socket that cannot be bound · 2 wrong usage";

const CHECK_HELP: &str = "\
For each balanced name: the longest from an endpoint's death to its verdict, the range of TTLs, and the longest \
until it is gone from every honest cache. Faults go to stderr, the rest to stdout.

Exit codes: 0 valid · 1 faults, all of them listed · 2 wrong usage";

#[derive(Args, Clone, Debug)]
struct FileArguments {
    /// The server file [default: bellwether.toml, if there is one here]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of zone files: NAME.zone (a master file), NAME.toml (what is balanced), or both [default: zones]
    #[arg(long, value_name = "DIR")]
    zones: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
struct ServeArguments {
    #[command(flatten)]
    files: FileArguments,
    // Not a doc comment: rustdoc would look for a link in the address.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        value_parser = socket,
        help = "Where to answer, over UDP and TCP; may be repeated [default: 127.0.0.1:5300 and [::1]:5300]"
    )]
    listen: Vec<SocketAddr>,
    /// UDP threads for each address; 0 for one a core [default: 0]
    #[arg(long, value_name = "N", value_parser = workers)]
    workers: Option<u16>,
    /// The Unix socket by which another process takes over from this one [default: none]
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Take over from the server behind the control socket: its sockets, verdicts and overrides, without losing a query.
    /// If this one cannot start, that one goes on
    #[arg(long)]
    replace: bool,
    /// Only start the one that takes over, say its number to whoever reads stdin's other end, and end
    #[arg(long, hide = true, requires = "replace")]
    orphan: bool,
}

fn socket(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address with a port, such as 127.0.0.1:5300 or [::1]:5300")
}

fn workers(text: &str) -> Result<u16, String> {
    let most = config::WORKERS_MAX;
    let count = text.parse().ok().filter(|count| *count <= most);
    count.ok_or_else(|| format!("write a whole number from 0 to {most}"))
}

/// The server file that is read when none is named and it is there.
const CONFIG: &str = "bellwether.toml";

impl FileArguments {
    /// The server file, or what goes without one; its faults are printed. `None` when one of them is an error.
    fn server(&self) -> Option<Settings> {
        let (server, faults) = self.read_server();
        terminal::print_faults(&faults);
        server
    }

    /// The same, its faults for somebody else to print.
    fn read_server(&self) -> (Option<Settings>, Vec<Diagnostic>) {
        self.server_file().map_or_else(|| (Some(Settings::default()), Vec::new()), config::load_server_file)
    }

    /// The server file that is to be read, if any is.
    fn server_file(&self) -> Option<&Path> {
        let here = Path::new(CONFIG);
        self.config.as_deref().or_else(|| here.is_file().then_some(here))
    }

    /// The zones folder: the flag's over the server file's.
    fn zones(&self, server: &Settings) -> PathBuf {
        self.zones.clone().unwrap_or_else(|| server.zones.clone())
    }
}

impl ServeArguments {
    /// Flags over the server file.
    fn settings(&self, file: Settings) -> Settings {
        Settings {
            zones: self.files.zones(&file),
            listen: if self.listen.is_empty() { available(file.listen) } else { self.listen.clone() },
            workers: self.workers.map_or(file.workers, usize::from),
            process: Process { control: self.control.clone().or(file.process.control), ..file.process },
            ..file
        }
    }
}

/// Where to listen when nobody said: on the loopback addresses that this machine has. Many containers have no ::1,
/// and whoever asked for nothing should not be refused it.
fn available(listen: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if listen != Settings::default().listen {
        return listen;
    }
    listen.into_iter().filter(|address| UdpSocket::bind((address.ip(), 0)).is_ok()).collect()
}
