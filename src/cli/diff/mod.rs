//! `bellwether diff`: what would change for clients if one zones folder took the place of another.
//!
//! Reads both, puts them before [`crate::preview`], and prints what it says.

mod json;
mod monitors;
mod queries;
mod records;
mod table;

use std::path::PathBuf;

use clap::Args;

use super::caller::{Caller, ServerArguments};
use super::terminal::{note, print, print_faults, unprinted, width};
use super::{DONE, FAILED, FileArguments, supposed};
use crate::admin::api::{Status, Verdict};
use crate::config::{Atlas, Loaded};
use crate::health::Board;
use crate::preview::{Clients, Moves, Query, Side, Weighing, Zone, compare};
use crate::snapshot::Snapshot;
use crate::ttl::Plan;
use crate::wire::name::Name;

pub(super) const HELP: &str = "\
What moves is read off the compiled maps, so no client is missed: by country, continent, AS number and network, with the \
part of all clients, as IPv4 addresses, that a row is about. Percentages in a row are parts of the answers that begin with \
an endpoint of that pool. Every endpoint counts as up but those that --down names, or as a running server finds them \
(--server).

Databases of places are those of the server file. Without any, places are those that the files name, and nobody knows how \
many clients there are.

A log of queries (--queries) has a line `name client-address [count]` each; `#` begins a comment, - is stdin. With it rows \
are weighed by what was asked.

The serial of an SOA is not compared.

Exit codes, as diff has them: 0 nothing changes · 1 something does · 2 faulty files, or wrong usage";

// Other commands ask a server without it, too.
pub(super) const SERVER_HELP: &str =
    "Count as down what the server at this URL finds down [default: no server is asked]";

/// Something changes.
const CHANGES: u8 = FAILED;

/// It cannot be said.
const TROUBLE: u8 = 2;

#[derive(Args, Debug)]
pub(super) struct DiffArguments {
    /// The zones folder as it is
    old: PathBuf,
    /// The zones folder as it would be
    new: PathBuf,
    /// An endpoint to count as down, on both sides; may be repeated
    #[arg(long, value_name = "POOL/ENDPOINT")]
    down: Vec<supposed::Named>,
    /// Weigh by this log of queries
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,
    /// Print every row, not the weightiest few
    #[arg(long)]
    all: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    // With a URL it is that server's, so that its verdicts can be had where the files are.
    #[command(flatten)]
    server: ServerArguments,
}

pub(super) fn run(arguments: &DiffArguments) -> u8 {
    let (text, code) = match differences(arguments) {
        Ok(differences) => differences,
        Err(message) => {
            note(format_args!("error: {message}"));
            return TROUBLE;
        }
    };
    match print(format_args!("{text}")) {
        Ok(()) => code,
        // Whoever reads has seen enough: what is so stays so.
        Err(error) if unprinted(&error) == DONE => code,
        Err(_) => TROUBLE,
    }
}

fn differences(arguments: &DiffArguments) -> Result<(String, u8), String> {
    let files = FileArguments { config: arguments.server.config().clone(), zones: None };
    let server = files.server().ok_or("the server file has faults")?;
    let queries = arguments.queries.as_deref().map(queries::read).transpose()?.unwrap_or_default();
    let mut atlas = Atlas::read(&server.databases, server.latency.as_deref()).map_err(|faults| {
        print_faults(&faults);
        "the files that the server file names have faults".to_owned()
    })?;
    // The faults of both, before either is given up.
    let read = |atlas: &Atlas| {
        let sides = (supposed::load(&arguments.old, atlas), supposed::load(&arguments.new, atlas));
        sides.0.zip(sides.1)
    };
    let faulty = "there is nothing to compare: a folder has faults";
    let mut sides = read(&atlas).ok_or(faulty)?;
    let weighing = if atlas.is_empty() { Weighing::Unknown } else { Weighing::Addresses };
    if weighing == Weighing::Unknown {
        // What the files name is known once they are read.
        atlas = atlas.made_up();
        sides = read(&atlas).ok_or(faulty)?;
    }
    let monitors = monitors::changes(&sides.0, &sides.1);
    let (mut old, mut new) = (Reading::of(sides.0), Reading::of(sides.1));
    suppose(arguments, &mut old, &mut new)?;
    let (old, new) = (old.compile()?, new.compile()?);
    let clients = Clients { places: atlas.places(), weighing, queries: &queries };
    let mut moves = compare(&old.side(), &new.side(), &clients);
    moves.settings.extend(monitors);
    Ok((rendered(arguments, &moves), if moves.is_none() { DONE } else { CHANGES }))
}

fn rendered(arguments: &DiffArguments, moves: &Moves) -> String {
    if arguments.json {
        return json::text(moves);
    }
    table::text(moves, width(), if arguments.all { table::Rows::All } else { table::Rows::Weightiest })
}

/// Counts as down what the arguments say, or what the running server finds so.
fn suppose(arguments: &DiffArguments, old: &mut Reading, new: &mut Reading) -> Result<(), String> {
    for wanted in &arguments.down {
        if ![old.take_down(None, wanted.parts()), new.take_down(None, wanted.parts())].contains(&true) {
            return Err(supposed::unknown(&[&old.loaded, &new.loaded], wanted));
        }
    }
    if !arguments.server.is_named() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    let status: Status =
        runtime.block_on(async { Ok::<_, String>(Caller::of(&arguments.server)?.get("/v1/status").await?) })?;
    for zone in &status.zones {
        for pool in &zone.pools {
            for endpoint in &pool.endpoints {
                if matches!(endpoint.verdict, Verdict::Down | Verdict::Recovering) {
                    old.take_down(Some(&zone.zone), (&pool.pool, &endpoint.endpoint));
                    new.take_down(Some(&zone.zone), (&pool.pool, &endpoint.endpoint));
                }
            }
        }
    }
    Ok(())
}

/// A folder that was read, and the verdicts that are supposed.
struct Reading {
    loaded: Loaded,
    board: Board,
}

impl Reading {
    fn of(loaded: Loaded) -> Self {
        let board = supposed::all_up(&loaded);
        Self { loaded, board }
    }

    fn take_down(&mut self, zone: Option<&str>, endpoint: (&str, &str)) -> bool {
        supposed::take_down(&mut self.loaded, &mut self.board, zone, endpoint)
    }

    fn compile(self) -> Result<Compiled, String> {
        let names = self.loaded.zones.iter();
        let names = names.map(|zone| zone.names.iter().map(|name| (name.owner.clone(), name.plan)).collect()).collect();
        Ok(Compiled { names, snapshot: supposed::snapshot(self.loaded, &self.board, &[])? })
    }
}

/// A folder as it would be served.
struct Compiled {
    names: Vec<Vec<(Name, Plan)>>,
    snapshot: Snapshot,
}

impl Compiled {
    fn side(&self) -> Side<'_> {
        let zones =
            self.snapshot.served().iter().zip(&self.names).map(|(served, names)| Zone {
                served,
                names: names.iter().map(|(owner, plan)| (owner, plan)).collect(),
            });
        Side { zones: zones.collect() }
    }
}

/// Queries that are read off a log.
type Log = Vec<Query>;
