//! `bellwether status`: how everything stands, as a table or as JSON, once or again and again.

mod only;
mod table;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Zoned;
use tokio::sync::mpsc;

use super::caller::{Caller, ServerArguments};
use super::screen::{self, Key, Screen};
use super::terminal::{height, note, print, span, unprinted, width};
use super::{DONE, FAILED};
use crate::admin::api::Status;
use crate::config;
use table::{Paint, table};

pub(super) const HELP: &str = "\
Of each name its pool, TTLs and budget; of each pool and endpoint how it stands, for how long, and why. What operators \
forced is shown with who and why. `!` marks what is not as it should be, and zones with such marks come first.

With words, only names, pools and endpoints that have one of them in their name, and what belongs to those.

With --watch it is shown anew every two seconds, or as often as it says (--watch=500ms), until `q` or Ctrl-C.

Exit codes: 0 shown · 1 nothing has one of the words in its name, or no server to be reached · 2 wrong usage";

/// Between two looks where nobody says.
const INTERVAL: &str = "2s";

#[derive(Args, Debug)]
pub(super) struct StatusArguments {
    /// Only what has this in its name: a zone, a name, a pool, POOL/ENDPOINT; may be several
    #[arg(value_name = "WORD")]
    only: Vec<String>,
    /// Show it again and again, every 2s or INTERVAL
    #[arg(
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = INTERVAL,
        value_parser = interval
    )]
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
    let page = page(arguments, &caller).await?;
    if let Some(interval) = arguments.watch {
        return match watch(arguments, &caller, interval, page).await {
            Ok(()) => Ok(DONE),
            Err(error) => Ok(unprinted(&error)),
        };
    }
    if let Err(error) = print(format_args!("{}", page.text)) {
        return Ok(unprinted(&error));
    }
    page.unmet.map_or(Ok(DONE), Err)
}

/// Shows `page`, and again what has become of it every `interval`, until somebody has seen enough.
async fn watch(arguments: &StatusArguments, caller: &Caller, interval: Duration, page: Page) -> io::Result<()> {
    let mut interrupted = std::pin::pin!(screen::interrupted());
    let mut screen = (!arguments.json).then(Screen::open).flatten();
    let (sender, mut keys) = mpsc::channel(1);
    if screen.is_some() {
        screen::read_keys(sender);
    }
    let mut page = Ok(page);
    loop {
        let text = match page {
            Ok(Page { text, unmet: None }) => text,
            Ok(Page { text, unmet: Some(message) }) => format!("{text}error: {message}\n"),
            Err(message) => format!("error: {message}\n"),
        };
        match &mut screen {
            Some(screen) => screen.draw(&fitting(&text, interval))?,
            None => print(format_args!("{text}"))?,
        }
        // Real time: that is what is watched.
        let mut next = std::pin::pin!(async {
            tokio::time::sleep(interval).await;
            self::page(arguments, caller).await
        });
        page = loop {
            tokio::select! {
                page = &mut next => break page,
                ended = &mut interrupted => return ended,
                Some(key) = keys.recv() => match key {
                    Key::Quit => return Ok(()),
                    Key::Other => {}
                },
            }
        };
    }
}

/// `text` under a heading, as much as fits on the screen.
fn fitting(text: &str, interval: Duration) -> String {
    let rows = height().map_or(usize::MAX, |height| height.max(2));
    let heading = format!("bellwether status, every {}, {}", span(interval), Zoned::now().strftime("%F %T"));
    let mut lines: Vec<&str> = [&*heading, ""].into_iter().chain(text.lines()).collect();
    let left = lines.len().saturating_sub(rows);
    let more = format!("… {} more lines", left + 1);
    if left > 0 {
        lines.truncate(rows - 1);
        lines.push(&more);
    }
    lines.join("\n")
}

/// What is shown.
struct Page {
    text: String,
    /// A word that nothing has in its name, in words.
    unmet: Option<String>,
}

async fn page(arguments: &StatusArguments, caller: &Caller) -> Result<Page, String> {
    if arguments.json && arguments.only.is_empty() {
        let value: serde_json::Value = caller.get("/v1/status").await?;
        return Ok(Page { text: format!("{value:#}\n"), unmet: None });
    }
    let status: Status = caller.get("/v1/status").await?;
    let (status, unmet) = only::only(status, &arguments.only);
    if arguments.json {
        // A program gets what there is, however little.
        let json = serde_json::to_string_pretty(&status);
        let text = json.map(|json| json + "\n").map_err(|error| format!("the status cannot be written: {error}"))?;
        return Ok(Page { text, unmet });
    }
    let text = if unmet.is_some() { String::new() } else { table(&status, width(), paint(arguments.color)) };
    Ok(Page { text, unmet })
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
