//! `bellwether status`: how everything stands, as a table or as JSON, once or again and again.

mod only;
mod table;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Zoned;

use super::caller::{Caller, ServerArguments};
use super::terminal::{height, note, print, span, unprinted, width};
use super::{DONE, FAILED};
use crate::admin::api::Status;
use crate::config;
use table::{Paint, table};

pub(super) const HELP: &str = "\
Of each name its pool, TTLs and budget; of each pool and endpoint how it stands, for how long, and why. What operators \
forced is shown with who and why. `!` marks what is not as it should be, and zones with such marks come first.

With words, only names, pools and endpoints that have one of them in their name, and what belongs to those.

Exit codes: 0 shown · 1 no server to be reached · 2 wrong usage";

/// Between two looks where nobody says.
const INTERVAL: &str = "2s";

#[derive(Args, Debug)]
pub(super) struct StatusArguments {
    /// Only what has this in its name: a zone, a name, a pool, POOL/ENDPOINT; may be several
    #[arg(value_name = "WORD")]
    only: Vec<String>,
    /// Show it again and again, until Ctrl-C
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = INTERVAL, value_parser = interval)]
    watch: Option<Duration>,
    /// Whether to use colours; NO_COLOR says never where this says nothing
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Colours,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colours {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

/// The least between two looks: each costs the server a walk over all of its names.
const INTERVAL_LEAST: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, String> {
    let interval = config::read_duration(text)?;
    (interval >= INTERVAL_LEAST).then_some(interval).ok_or_else(|| format!("write {} or more", span(INTERVAL_LEAST)))
}

pub(super) fn run(arguments: &StatusArguments) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let shown = match runtime {
        Ok(runtime) => runtime.block_on(show(arguments)),
        Err(error) => Err(format!("cannot start the runtime: {error}")),
    };
    shown.unwrap_or_else(|message| {
        note(format_args!("error: {message}"));
        FAILED
    })
}

async fn show(arguments: &StatusArguments) -> Result<u8, String> {
    let caller = Caller::of(&arguments.server)?;
    // What cannot be had at first is a slip; what cannot be had later is news.
    let mut text = text(arguments, &caller).await?;
    let Some(interval) = arguments.watch else {
        return Ok(print(format_args!("{text}")).map_or_else(|error| unprinted(&error), |()| DONE));
    };
    let redraws = io::stdout().is_terminal() && !arguments.json;
    loop {
        let page = if redraws { screen(&text, interval) } else { text };
        if let Err(error) = print(format_args!("{page}")) {
            return Ok(unprinted(&error));
        }
        // Real time: that is what is watched.
        tokio::time::sleep(interval).await;
        text = self::text(arguments, &caller).await.unwrap_or_else(|message| format!("error: {message}\n"));
    }
}

/// `text` under a heading, from the top of the screen, as much as fits.
fn screen(text: &str, interval: Duration) -> String {
    const HOME: &str = "\x1b[H";
    const REST_OF_LINE_AWAY: &str = "\x1b[K\n";
    const REST_OF_SCREEN_AWAY: &str = "\x1b[J";
    let rows = height().map_or(usize::MAX, |height| height.saturating_sub(1).max(2));
    let heading = format!("bellwether status, every {}, {}", span(interval), Zoned::now().strftime("%F %T"));
    let mut lines: Vec<&str> = [&*heading, ""].into_iter().chain(text.lines()).collect();
    let left = lines.len().saturating_sub(rows);
    let more = format!("… {} more lines", left + 1);
    if left > 0 {
        lines.truncate(rows - 1);
        lines.push(&more);
    }
    let body: String = lines.iter().flat_map(|line| [line, REST_OF_LINE_AWAY]).collect();
    format!("{HOME}{body}{REST_OF_SCREEN_AWAY}")
}

async fn text(arguments: &StatusArguments, caller: &Caller) -> Result<String, String> {
    if arguments.json && arguments.only.is_empty() {
        let value: serde_json::Value = caller.get("/v1/status").await?;
        return Ok(format!("{value:#}\n"));
    }
    let status: Status = caller.get("/v1/status").await?;
    let status = only::only(status, &arguments.only)?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&status);
        return json.map(|json| json + "\n").map_err(|error| format!("the status cannot be written: {error}"));
    }
    Ok(table(&status, width(), paint(arguments.color)))
}

fn paint(colours: Colours) -> Paint {
    // As no-color.org has it: set to anything but nothing.
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match colours {
        Colours::Always => Paint::Colours,
        Colours::Auto if io::stdout().is_terminal() && !unwanted => Paint::Colours,
        Colours::Auto | Colours::Never => Paint::Plain,
    }
}
