//! `bellwether explain`: which answer a client gets, and why, before anybody asks.
//!
//! The files as they are, with every endpoint up but those that `--down` and `--drain` name, put before
//! [`crate::explain`].

mod text;

use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;

use super::{DONE, FAILED, FileArguments, terminal};
use crate::config::{self, Atlas, Loaded};
use crate::diagnostic::{Severity, nearest};
use crate::explain::{self, Question, Scene};
use crate::health::{Board, Health, ProbeId};
use crate::moment::Moment;
use crate::policy::{Client, EndpointId, Force, Forced, Judged, Live, PoolId, Pools, Target};
use crate::snapshot::{Served, Snapshot, Steering};
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

pub(super) const HELP: &str = "\
Nothing is probed: every endpoint counts as up but those that --down and --drain name. The client's network is told as a \
resolver would tell it: /24 or /56 of its address, by ECS. A resolver that tells nothing is known to the last bit, and so \
is one for names with ecs = false. Turns begin at their first step, so a weighted pool shows the first answer of its turn.

Exit codes: 0 explained · 1 faulty files, or an endpoint that there is not · 2 wrong usage";

#[derive(Args, Debug)]
pub(super) struct ExplainArguments {
    /// The name that is asked for, absolute with or without its final dot
    #[arg(value_parser = explain::name)]
    name: Name,
    /// The type that is asked for
    #[arg(default_value = "A", value_parser = explain::rtype)]
    rtype: Rtype,
    /// The client's address; without one, a client of whom nothing is known
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// The address of the resolver that asks for the client; without one, the client's
    #[arg(long, value_name = "IP")]
    resolver: Option<IpAddr>,
    /// An endpoint to count as down; may be repeated
    #[arg(long, value_name = "POOL/ENDPOINT")]
    down: Vec<String>,
    /// A pool or an endpoint to count as drained; may be repeated
    #[arg(long, value_name = "POOL[/ENDPOINT]")]
    drain: Vec<String>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    files: FileArguments,
}

pub(super) fn run(arguments: &ExplainArguments) -> u8 {
    match explained(arguments) {
        Ok(text) => match terminal::print(format_args!("{text}")) {
            Ok(()) => DONE,
            Err(error) => terminal::unprinted(&error),
        },
        Err(message) => {
            terminal::note(format_args!("error: {message}"));
            FAILED
        }
    }
}

fn explained(arguments: &ExplainArguments) -> Result<String, String> {
    let faulty = || "the files have faults; `bellwether check` lists them".to_owned();
    let server = arguments.files.server().ok_or_else(faulty)?;
    let atlas = Atlas::read(&server.databases, server.latency.as_deref()).map_err(|faults| {
        terminal::print_faults(&faults);
        faulty()
    })?;
    let (loaded, faults) = config::load(&arguments.files.zones(&server), &atlas);
    let errors: Vec<_> = faults.into_iter().filter(|fault| fault.severity == Severity::Error).collect();
    terminal::print_faults(&errors);
    let mut loaded = loaded.ok_or_else(faulty)?;
    let board = board(&mut loaded, &arguments.down)?;
    let snapshot = snapshot(loaded, &board, &arguments.drain)?;

    let ExplainArguments { name, rtype, client, resolver, .. } = arguments;
    let question = Question { name: name.clone(), rtype: *rtype, client: *client, resolver: *resolver };
    let place = |client: Client| atlas.places().lookup(client.address()).0;
    let scene = Scene { snapshot: &snapshot, board: &board, place: &place, now: Moment::START };
    let told = explain::explain(&question, &scene)?;
    if !arguments.json {
        return Ok(text::text(&told));
    }
    let json =
        serde_json::to_string_pretty(&told).map_err(|error| format!("the explanation cannot be written: {error}"))?;
    Ok(json + "\n")
}

/// The board on which everything is up but what `down` names.
fn board(loaded: &mut Loaded, down: &[String]) -> Result<Board, String> {
    let mut board = Board::new();
    let mut probes = 0;
    for target in 0..loaded.targets.len() {
        board.set(ProbeId(target as u32), Health::UP);
        probes += 1;
    }
    for wanted in down {
        let (pool, endpoint) = wanted
            .split_once('/')
            .ok_or_else(|| format!("--down {wanted}: write POOL/ENDPOINT, such as frankfurt/fra1"))?;
        let mut found = false;
        for pools in loaded.zones.iter_mut().map(|zone| &mut zone.pools) {
            for at in endpoints(pools, pool, endpoint) {
                let judged = &mut pools.endpoints[at].judged;
                if judged.probes.is_empty() {
                    // An endpoint that nothing probes is given a verdict for once.
                    *judged = Judged::by(ProbeId(probes));
                    probes += 1;
                }
                // Without any of its probes it is down, however many it needs.
                judged.probes.iter().for_each(|&probe| board.set(probe, Health::DOWN));
                found = true;
            }
        }
        if !found {
            return Err(unknown(loaded, wanted));
        }
    }
    Ok(board)
}

/// The endpoints called `endpoint`, or of that address, in the pool called `pool`.
fn endpoints(pools: &Pools, pool: &str, endpoint: &str) -> Vec<usize> {
    let of_pool = pools.pools.iter().filter(|candidate| *candidate.name == *pool).flat_map(|pool| pool.endpoints());
    let called = |&at: &usize| {
        let known = pools.endpoints.get(at);
        let address = known.and_then(|known| known.given.address());
        known.is_some_and(|known| *known.name == *endpoint)
            || address.is_some_and(|known| known.to_string() == endpoint)
    };
    of_pool.map(|id| id.0 as usize).filter(called).collect()
}

fn unknown(loaded: &Loaded, wanted: &str) -> String {
    let pools: Vec<&Pools> = loaded.zones.iter().map(|zone| &zone.pools).collect();
    format!("--down {wanted}: there is no such endpoint ({})", near(&pools, wanted))
}

/// What is called nearly so, or all that there is.
fn near(pools: &[&Pools], wanted: &str) -> String {
    let known: Vec<String> = pools
        .iter()
        .flat_map(|pools| pools.pools.iter().map(move |pool| (pools, pool)))
        .flat_map(|(pools, pool)| {
            pool.endpoints().map(move |id| format!("{}/{}", pool.name, pools.endpoints[id.0 as usize].name))
        })
        .collect();
    nearest(wanted, known.iter().map(String::as_str))
        .map_or_else(|| format!("there are {}", known.join(", ")), |near| format!("did you mean {near}?"))
}

fn snapshot(loaded: Loaded, board: &Board, drain: &[String]) -> Result<Snapshot, String> {
    let mut all_forced = vec![Forced::default(); loaded.zones.len()];
    for wanted in drain {
        let mut found = false;
        for (zone, forced) in loaded.zones.iter().zip(&mut all_forced) {
            for target in targets(&zone.pools, wanted) {
                forced.set(target, Force::Drain);
                found = true;
            }
        }
        if !found {
            let pools: Vec<&Pools> = loaded.zones.iter().map(|zone| &zone.pools).collect();
            return Err(format!("--drain {wanted}: there is no such pool or endpoint ({})", near(&pools, wanted)));
        }
    }
    let served = loaded.zones.into_iter().zip(all_forced).map(|(zone, forced)| {
        let live = Live::compile(&zone.pools, board, &forced, None);
        let names = zone.names.into_iter().map(config::Balanced::served).collect();
        Served::new(zone.zone, Arc::new(Steering::new(names, zone.pools, zone.aliases)), Arc::new(live))
    });
    Ok(Snapshot::new(1, served.collect()))
}

/// What `POOL` or `POOL/ENDPOINT` means.
fn targets(pools: &Pools, wanted: &str) -> Vec<Target> {
    match wanted.split_once('/') {
        Some((pool, endpoint)) => {
            endpoints(pools, pool, endpoint).into_iter().map(|at| Target::Endpoint(EndpointId(at as u32))).collect()
        }
        None => {
            let called = (0..).zip(&pools.pools).filter(|(_, pool)| *pool.name == *wanted);
            called.map(|(id, _)| Target::Pool(PoolId(id))).collect()
        }
    }
}
