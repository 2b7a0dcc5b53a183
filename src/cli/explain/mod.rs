//! `bellwether explain`: which answer a client gets, and why, before anybody asks.
//!
//! The files as they are, with every endpoint up but those that `--down` and `--drain` name, put before
//! [`crate::explain`].

mod text;

use std::net::IpAddr;

use clap::Args;

use super::caller::{Caller, ServerArguments};
use super::proof::ProofArguments;
use super::{DONE, FAILED, FileArguments, supposed, terminal};
use crate::admin::api::Explanation;
use crate::config::Atlas;
use crate::explain::{self, Question, Scene};
use crate::health::ProbeId;
use crate::moment::Moment;
use crate::policy::Client;
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

pub(super) const HELP: &str = "\
Nothing is probed: every endpoint counts as up but those that --down and --drain name. The client's network is told as a \
resolver would tell it: /24 or /56 of its address, by ECS. A resolver that tells nothing is known to the last bit, and so \
is one for names with ecs = false. Turns begin at their first step, so a weighted pool shows the first answer of its turn.

With --server the running server says it, as it stands: its files, its verdicts, what is forced.

Exit codes: 0 explained · 1 faulty files, an endpoint that there is not, or no server to be reached · 2 wrong usage";

#[derive(Args, Debug)]
pub(super) struct ExplainArguments {
    /// The name that is asked for, absolute with or without its final dot
    #[arg(value_parser = explain::name)]
    name: Name,
    /// The type that is asked for
    #[arg(value_name = "TYPE", default_value = "A", value_parser = explain::rtype)]
    rtype: Rtype,
    /// The client's address; without one, a client of whom nothing is known
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// The address of the resolver that asks for the client; without one, the client's
    #[arg(long, value_name = "IP")]
    resolver: Option<IpAddr>,
    /// An endpoint to count as down; may be repeated
    #[arg(long, value_name = "POOL/ENDPOINT")]
    down: Vec<supposed::Named>,
    /// A pool or an endpoint to count as drained; may be repeated
    #[arg(long, value_name = "POOL[/ENDPOINT]")]
    drain: Vec<String>,
    // Not a doc comment: rustdoc would look for a link in the address.
    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        value_parser = server_url,
        conflicts_with_all = ["down", "drain", "zones"],
        help = "Ask the running server instead, with the verdicts of now; without a URL the one that the server file opens"
    )]
    server: Option<Option<String>>,
    #[command(flatten)]
    proof: ProofArguments,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    files: FileArguments,
}

/// What comes behind --server, which may as well be the name that was meant.
fn server_url(text: &str) -> Result<String, &'static str> {
    let is_url = text.contains("://");
    is_url.then(|| text.to_owned()).ok_or("write a URL such as http://127.0.0.1:8053, or --server behind the name")
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
    let told = match &arguments.server {
        Some(url) => asked(arguments, url.clone())?,
        None => match arguments.proof.given() {
            Some(flag) => return Err(format!("{flag} is for a running server: add --server")),
            None => foreseen(arguments)?,
        },
    };
    if !arguments.json {
        return Ok(text::text(&told));
    }
    let json =
        serde_json::to_string_pretty(&told).map_err(|error| format!("the explanation cannot be written: {error}"))?;
    Ok(json + "\n")
}

/// What the running server says.
fn asked(arguments: &ExplainArguments, url: Option<String>) -> Result<Explanation, String> {
    let ExplainArguments { name, rtype, client, resolver, proof, files, .. } = arguments;
    let mut query = form_urlencoded::Serializer::new("/v1/explain?".to_owned());
    query.append_pair("name", &name.to_string()).append_pair("type", &rtype.to_string());
    for (key, address) in [("client", client), ("resolver", resolver)] {
        query.extend_pairs(address.map(|address| (key, address.to_string())));
    }
    let server = ServerArguments::named(url, proof.clone(), files.config.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async { Ok(Caller::of(&server)?.get(&query.finish()).await?) })
}

/// What the files come to.
fn foreseen(arguments: &ExplainArguments) -> Result<Explanation, String> {
    let faulty = || "the files have faults: nothing is explained".to_owned();
    let server = arguments.files.server().ok_or_else(faulty)?;
    let atlas = Atlas::read(&server.databases, server.latency.as_deref()).map_err(|faults| {
        terminal::print_faults(&faults);
        faulty()
    })?;
    let mut loaded = supposed::load(&arguments.files.zones(&server), &atlas).ok_or_else(faulty)?;
    let targets: Vec<String> = loaded.targets.iter().map(ToString::to_string).collect();
    let mut board = supposed::all_up(&loaded);
    for wanted in &arguments.down {
        if !supposed::take_down(&mut loaded, &mut board, None, wanted.parts()) {
            return Err(supposed::unknown(&[&loaded], wanted));
        }
    }
    let snapshot = supposed::snapshot(loaded, &board, &arguments.drain)?;

    let ExplainArguments { name, rtype, client, resolver, .. } = arguments;
    let question = Question { name: name.clone(), rtype: *rtype, client: *client, resolver: *resolver };
    let place = |client: Client| atlas.places().lookup(client.address()).0;
    let probe = |probe: ProbeId| targets.get(probe.0 as usize).cloned();
    let scene = Scene { snapshot: &snapshot, board: &board, place: &place, probe: &probe, now: Moment::START };
    explain::explain(&question, &scene)
}
