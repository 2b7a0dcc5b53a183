//! `bellwether status`: how everything stands, as a table or as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;

use super::caller::{Caller, ServerArguments};
use super::steer::when;
use super::terminal::{note, print, span, unprinted, width};
use super::{DONE, FAILED};
use crate::admin::api::{EndpointStatus, Families, Force, Forced, NameStatus, PoolStatus, Status, Target, ZoneStatus};

pub(super) const HELP: &str = "\
Of each name its pool, TTLs and budget; of each pool and endpoint how it stands, for how long, and why. What operators \
forced is shown with who and why.

Exit codes: 0 shown · 1 no server to be reached · 2 wrong usage";

#[derive(Args, Debug)]
pub(super) struct StatusArguments {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

pub(super) fn run(arguments: &StatusArguments) -> u8 {
    match text(arguments) {
        Ok(text) => match print(format_args!("{text}")) {
            Ok(()) => DONE,
            Err(error) => unprinted(&error),
        },
        Err(message) => {
            note(format_args!("error: {message}"));
            FAILED
        }
    }
}

fn text(arguments: &StatusArguments) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        let caller = Caller::of(&arguments.server)?;
        if arguments.json {
            let value: serde_json::Value = caller.get("/v1/status").await?;
            return Ok(format!("{value:#}\n"));
        }
        Ok(table(&caller.get("/v1/status").await?, width()))
    })
}

/// A line of the table: what it is about, what is given, how that stands, for how long, and what is to be said.
struct Row([String; 5]);

const HEADS: [&str; 5] = ["pool/endpoint", "gives", "stands", "for", "why"];

/// Fewer days of a certificate than these are told, as the log tells them.
const CERTIFICATE_DAYS: f64 = 14.0;

/// All of it, in lines of at most `width` characters, where there is such a width.
fn table(status: &Status, width: Option<usize>) -> String {
    let mut text = String::new();
    for alarm in &status.alarms {
        let _ = writeln!(text, "! {alarm}");
    }
    for zone in &status.zones {
        let _ = writeln!(text, "zone {}", zone.zone);
        names(&mut text, &zone.names, width);
        if !zone.pools.is_empty() {
            rows(&mut text, &pools(status, zone), width);
        }
        text.push('\n');
    }
    let unmatched = status.overrides.iter().filter(|known| !known.matched).map(|known| {
        let why = format!("there is no such thing now; {}", by(&known.forced));
        Row([
            format!("{} {}", known.target.zone, known.target),
            String::new(),
            forced(known.forced.force),
            String::new(),
            why,
        ])
    });
    let unmatched: Vec<Row> = unmatched.collect();
    if !unmatched.is_empty() {
        text += "forced, but not in the files\n";
        rows(&mut text, &unmatched, width);
    }
    text
}

fn names(text: &mut String, names: &[NameStatus], width: Option<usize>) {
    let longest = names.iter().map(|name| name.name.chars().count()).max().unwrap_or(0);
    for name in names {
        let budget = match name.failover {
            Some(failover) => format!("failover {}", span(Duration::from_secs_f64(failover))),
            None => "nothing probed".to_owned(),
        };
        let note = match (name.last_resort, lives(name.alive)) {
            (true, _) => "  answers with what is out: nothing else is left",
            (false, false) => "  nothing lives",
            (false, true) => "",
        };
        let (owner, pool) = (&name.name, &name.pool);
        let line =
            format!("  {owner:longest$}  pool {pool}  ttl {}s to {}s  {budget}{note}", name.ttl_min, name.ttl_max);
        let _ = writeln!(text, "{}", cut(&line, width));
    }
}

fn pools(status: &Status, zone: &ZoneStatus) -> Vec<Row> {
    let mut rows = vec![Row(HEADS.map(str::to_owned))];
    for pool in &zone.pools {
        let target = Target { zone: zone.zone.clone(), pool: pool.pool.clone(), endpoint: None };
        let stands = pool.forced.as_ref().map_or_else(|| stands(pool.alive), |of| forced(of.force));
        rows.push(Row([
            pool.pool.clone(),
            gives(pool),
            stands,
            String::new(),
            why(status, &target, pool.forced.as_ref(), None),
        ]));
        for endpoint in &pool.endpoints {
            let target = Target { endpoint: Some(endpoint.endpoint.clone()), ..target.clone() };
            rows.push(row(status, &target, endpoint));
        }
    }
    rows
}

fn row(status: &Status, target: &Target, endpoint: &EndpointStatus) -> Row {
    let stands = match (&endpoint.forced, endpoint.judged) {
        (Some(of), Some(judged)) => format!("{} (probed {judged})", forced(of.force)),
        (Some(of), None) => forced(of.force),
        (None, Some(judged)) => judged.to_string(),
        (None, None) => "up, not probed".to_owned(),
    };
    let gives = if endpoint.gives == endpoint.endpoint { String::new() } else { endpoint.gives.clone() };
    let age = match &endpoint.forced {
        Some(of) => Some(status.at.duration_since(of.since).as_secs_f64()),
        None => endpoint.age,
    };
    let reason = reason(endpoint);
    let why = why(status, target, endpoint.forced.as_ref(), (!reason.is_empty()).then_some(&*reason));
    Row([format!("  {}", endpoint.endpoint), gives, stands, age.map(age_text).unwrap_or_default(), why])
}

/// Why it stands so: what its probes found, and what it waits for.
fn reason(endpoint: &EndpointStatus) -> String {
    let mut words: Vec<String> = endpoint.reason.iter().cloned().collect();
    if endpoint.held_by_wave {
        words.push("down, but held: too many failed at once".to_owned());
    }
    for probe in &endpoint.probes {
        match probe.held {
            Some(held) => words.push(format!("held down for another {}", age_text(held))),
            None if probe.state == "awaiting" => words.push("well again, awaits `bellwether auto`".to_owned()),
            None => {}
        }
    }
    if let Some(share) = endpoint.share {
        words.push(format!("slow start, {:.0}% of its weight", share * 100.0));
    }
    let days = endpoint.probes.iter().filter_map(|probe| probe.certificate_days).reduce(f64::min);
    if let Some(days) = days.filter(|days| *days < CERTIFICATE_DAYS) {
        words.push(format!("its certificate ends in {days:.0} days"));
    }
    words.join("; ")
}

fn gives(pool: &PoolStatus) -> String {
    if pool.pools.is_empty() { pool.policy.clone() } else { format!("{}: {}", pool.policy, pool.pools.join(" ")) }
}

fn lives(alive: Families) -> bool {
    alive.ipv4.unwrap_or(false) || alive.ipv6.unwrap_or(false)
}

fn stands(alive: Families) -> String {
    match (alive.ipv4, alive.ipv6) {
        (Some(true), Some(false)) => "alive, not by IPv6",
        (Some(false), Some(true)) => "alive, not by IPv4",
        _ if lives(alive) => "alive",
        _ => "dead",
    }
    .to_owned()
}

fn forced(force: Force) -> String {
    match force {
        Force::Up => "forced up",
        Force::Down => "forced down",
        Force::Drain => "drained",
    }
    .to_owned()
}

fn by(forced: &Forced) -> String {
    let reason = forced.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("by {}{reason}", forced.who)
}

fn why(status: &Status, target: &Target, forced: Option<&Forced>, reason: Option<&str>) -> String {
    let Some(forced) = forced else { return reason.unwrap_or_default().to_owned() };
    let stop = status.overrides.iter().find(|known| known.target == *target).and_then(|known| known.stop.as_ref());
    // What it is waited for comes first: the end of a line may not fit.
    let stop = stop.map(|stop| format!("{}; ", when(stop))).unwrap_or_default();
    let reason = reason.map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("{stop}{}{reason}", by(forced))
}

/// In the greatest unit that fits: `40s`, `12m`, `3h`, `5d`.
fn age_text(seconds: f64) -> String {
    match seconds as u64 {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn rows(text: &mut String, rows: &[Row], width: Option<usize>) {
    let longest = |column: usize| rows.iter().map(|Row(cells)| cells[column].chars().count()).max().unwrap_or(0);
    let longest: [usize; 4] = std::array::from_fn(longest);
    for Row([what, gives, stands, age, why]) in rows {
        let [a, b, c, d] = longest;
        let line = format!("  {what:a$}  {gives:b$}  {stands:c$}  {age:>d$}  {why}");
        let _ = writeln!(text, "{}", cut(line.trim_end(), width));
    }
}

/// As much of a line as fits.
pub(super) fn cut(line: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if line.chars().count() > width => {
            line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_ages_fit() {
        for (seconds, text) in
            [(0.4, "0s"), (119.0, "119s"), (120.0, "2m"), (7_199.0, "119m"), (7_200.0, "2h"), (172_800.0, "2d")]
        {
            assert_eq!(age_text(seconds), text);
        }
        assert_eq!(cut("safe to stop", None), "safe to stop");
        assert_eq!(cut("safe to stop", Some(12)), "safe to stop");
        assert_eq!(cut("safe to stop", Some(11)), "safe to st…");
    }
}
