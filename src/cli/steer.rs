//! `bellwether up|down|drain|auto`: what operators force over the verdicts.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use super::caller::{Caller, Denied, ServerArguments, user};
use super::terminal::{note, print, span, unprinted};
use super::{DONE, FAILED};
use crate::admin::api::{Force, OverrideStatus, Status, SteerReply, SteerRequest, Stop, WHO_MAX};
use crate::system::since_boot;

pub(super) const HELP: &str = "\
POOL is the pool as a whole, POOL/ENDPOINT one endpoint; in both, `*` stands for any characters and `?` for one. What is \
forced stays so whatever the verdicts, over reloads too, until `auto` gives it back to its monitor.

Exit codes: 0 done · 1 there is no such thing, or no server to be reached · 2 wrong usage";

pub(super) const DRAIN_HELP: &str = "\
It is out of new answers at once. Answers that were given before live on in caches until the moment that is printed: \
then it is safe to stop. Where nothing else of a name is left, drained endpoints are answered all the same, and that is \
said instead.

Exit codes: 0 done · 1 there is no such thing, or no server to be reached · 2 wrong usage";

/// Between two looks while waiting, at the most: another operator may take the drain back meanwhile.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
pub(super) struct SteerArguments {
    /// What is meant; may be several
    #[arg(required = true, value_name = "POOL[/ENDPOINT]")]
    select: Vec<String>,
    /// Only of this zone; may be a pattern too
    #[arg(long)]
    zone: Option<String>,
    /// Who asks [default: who you are]
    #[arg(long = "as", value_name = "NAME", value_parser = somebody)]
    who: Option<String>,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    server: ServerArguments,
}

fn somebody(text: &str) -> Result<String, String> {
    let fits = (1..=WHO_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or_else(|| format!("write a name of 1 to {WHO_MAX} characters, in one line"))
}

#[derive(Args, Debug)]
pub(super) struct DrainArguments {
    #[command(flatten)]
    steer: SteerArguments,
    /// Wait until all of it is safe to stop
    #[arg(long)]
    wait: bool,
}

pub(super) fn run(arguments: &SteerArguments, force: Option<Force>) -> u8 {
    finish(steer(arguments, force, Wait::No))
}

pub(super) fn drain(arguments: &DrainArguments) -> u8 {
    let wait = if arguments.wait { Wait::UntilSafe } else { Wait::No };
    finish(steer(&arguments.steer, Some(Force::Drain), wait))
}

/// Whether a drain is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    No,
    UntilSafe,
}

fn finish(done: Result<u8, String>) -> u8 {
    done.unwrap_or_else(|message| {
        note(format_args!("error: {message}"));
        FAILED
    })
}

fn steer(arguments: &SteerArguments, force: Option<Force>, wait: Wait) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        let caller = Caller::of(&arguments.server)?;
        let request = SteerRequest {
            select: arguments.select.clone(),
            zone: arguments.zone.clone(),
            force,
            who: arguments.who.clone().unwrap_or_else(user),
            reason: arguments.reason.clone(),
        };
        let reply: SteerReply = caller.post("/v1/steer", &request).await?;
        if let Err(error) = print(format_args!("{}", said(&reply))) {
            return Ok(unprinted(&error));
        }
        if wait == Wait::UntilSafe {
            until_safe(&caller, &reply.forced).await?;
            let all = if reply.forced.len() == 1 { "safe to stop now" } else { "all safe to stop now" };
            if let Err(error) = print(format_args!("{all}\n")) {
                return Ok(unprinted(&error));
            }
        }
        Ok(DONE)
    })
}

/// For how long, and how far apart, a server is asked that does not answer: one that is replaced has another process
/// answer within milliseconds, one that is restarted within seconds.
const PATIENCE: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// How everything stands, from a server that may be replaced or restarted meanwhile.
async fn status(caller: &Caller) -> Result<Status, String> {
    let start = since_boot();
    loop {
        match caller.get("/v1/status").await {
            // Real time: it is another process that is waited for.
            Err(Denied::ForNow(_)) if since_boot().saturating_sub(start) < PATIENCE => {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            Err(denied) => return Err(denied.into()),
            Ok(status) => return Ok(status),
        }
    }
}

async fn until_safe(caller: &Caller, drained: &[OverrideStatus]) -> Result<(), String> {
    let mut told = false;
    loop {
        let status = status(caller).await?;
        let mut longest: f64 = 0.0;
        for wanted in drained {
            let known = status.overrides.iter().find(|known| known.target == wanted.target);
            let Some(stop) = known.and_then(|known| known.stop.as_ref()) else {
                return Err(format!("{} is not drained any more", wanted.target));
            };
            match stop.remaining {
                Some(remaining) => longest = longest.max(remaining),
                None => {
                    longest = f64::INFINITY;
                    if !std::mem::replace(&mut told, true) {
                        note(format_args!("{}: {}; waiting for that to end", wanted.target, when(stop)));
                    }
                }
            }
        }
        if longest <= 0.0 {
            return Ok(());
        }
        // Real time: nothing comes to pass sooner.
        tokio::time::sleep(Duration::try_from_secs_f64(longest).map_or(LOOK, |left| left.min(LOOK))).await;
    }
}

fn said(reply: &SteerReply) -> String {
    let targets = reply.forced.iter().map(|forced| &forced.target).chain(&reply.released).chain(&reply.unforced);
    let mut zones: Vec<&str> = targets.map(|target| target.zone.as_str()).collect();
    zones.dedup();
    let zone = |zone: &str| if zones.len() > 1 { format!("{zone}: ") } else { String::new() };
    let mut text = String::new();
    for OverrideStatus { target, forced, stop, .. } in &reply.forced {
        let what = match forced.force {
            Force::Up => "forced up",
            Force::Down => "forced down",
            Force::Drain => "drained",
        };
        let stop = match (forced.force, stop) {
            (Force::Drain, Some(stop)) => format!("; {}", when(stop)),
            _ => String::new(),
        };
        text += &format!("{}{target}: {what}, by {}{stop}\n", zone(&target.zone), forced.who);
    }
    for target in &reply.released {
        let who = if target.endpoint.is_some() { "its monitor decides" } else { "its members decide" };
        text += &format!("{}{target}: {who} again\n", zone(&target.zone));
    }
    for target in &reply.unforced {
        text += &format!("{}{target}: was not forced\n", zone(&target.zone));
    }
    text
}

/// When it may be stopped: `safe to stop at 14:02:31 (in 25s)`.
pub(super) fn when(stop: &Stop) -> String {
    if !stop.last_resort_of.is_empty() {
        return format!("still answered: nothing else is left of {}", stop.last_resort_of.join(", "));
    }
    if !stop.also_given_by.is_empty() {
        return format!("still answered, by another pool: {}", stop.also_given_by.join(", "));
    }
    match (stop.safe_at, stop.remaining) {
        (Some(at), Some(remaining)) if remaining > 0.0 => {
            // Up to the whole second: never sooner than it is.
            let left = Duration::from_secs(remaining.ceil() as u64);
            let round = jiff::TimestampRound::new().smallest(jiff::Unit::Second).mode(jiff::RoundMode::Ceil);
            let at = at.round(round).unwrap_or(at).to_zoned(TimeZone::system());
            // A week is the longest TTL, so the day may be another.
            let day = if left > Duration::from_secs(12 * 3_600) { "%F " } else { "" };
            format!("safe to stop at {} (in {})", at.strftime(&format!("{day}%T")), span(left))
        }
        _ => "safe to stop".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::cli::proof::ProofArguments;

    /// What `status` comes to when a server gives `answers` one after the other, the last of them for ever, and how often
    /// it was asked.
    fn asked(answers: &'static [(u16, &'static str)]) -> (Result<Status, String>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
            let url = format!("http://{}", listener.local_addr().expect("bound"));
            let proof = ProofArguments::default();
            let caller = Caller::of(&ServerArguments::named(Some(url), proof, None)).expect("a caller");
            let mut asked = 0;
            let serve = async {
                loop {
                    let (mut stream, _) = listener.accept().await.expect("a connection");
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head).await;
                    let (code, body) = answers[asked.min(answers.len() - 1)];
                    asked += 1;
                    let length = body.len();
                    let answer = format!("HTTP/1.1 {code} x\r\nContent-Length: {length}\r\n\r\n{body}");
                    // Status 0: it goes away without a word.
                    if code > 0 {
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                }
            };
            let status = tokio::select! {
                status = status(&caller) => status,
                () = serve => unreachable!("it serves for ever"),
            };
            (status, asked)
        })
    }

    #[test]
    fn a_drain_that_is_waited_for_goes_on_over_what_passes_and_over_nothing_else() {
        const STATUS: &str =
            r#"{"version":"","at":"2026-01-01T00:00:00Z","generation":1,"alarms":[],"zones":[],"overrides":[]}"#;
        const REFUSED: &str = r#"{"title":"Unauthorized","status":401,"detail":"that is not the token"}"#;
        const STOPPING: &str = r#"{"title":"Service Unavailable","status":503,"detail":"stopping"}"#;
        let (status, times) = asked(&[(0, ""), (503, STOPPING), (502, "bad gateway"), (200, STATUS)]);
        assert_eq!((status.map(|status| status.generation), times), (Ok(1), 4));
        let refused = |answers, says: &str| {
            let (status, times) = asked(answers);
            let error = status.expect_err("refused");
            assert!(error.contains(says), "{error}");
            assert_eq!(times, answers.len(), "{error}");
        };
        refused(&[(401, REFUSED)], "that is not the token");
        refused(&[(503, STOPPING), (404, "not here")], "answers 404 Not Found: is that the admin API?");
        refused(&[(500, "")], "answers 500");
        refused(&[(200, "{}")], "is not understood: missing field");
    }
}
