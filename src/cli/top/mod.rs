//! `bellwether top`: what a running server is asked most, over and over.

mod table;

use std::io;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::caller::{Caller, ServerArguments};
use super::screen::{self, Key, Screen};
use super::terminal::{height, note, print, unprinted, width};
use super::{DONE, FAILED};
use crate::admin::api::Top;
use crate::config::read_duration;
use table::{Paint, Shape};

pub(super) const HELP: &str = "\
Names, clients by country (or continent, or network, as far as a database knows) and endpoints, each by queries a \
second over the last ten seconds; below them types, response codes and transports. The server listens in only while \
somebody asks. Of many queries it hears some, drawn by lot, and counts them up: the second line says how many.

On a terminal the table is drawn anew each interval until `q` or Ctrl-C; elsewhere it is printed each time. NO_COLOR \
turns colours off.

Exit codes: 0 shown · 1 no server to be reached · 2 wrong usage";

/// Between two tables: twice a second is as often as anybody reads, and after a minute the server has long stopped
/// listening.
const INTERVAL_LEAST: Duration = Duration::from_millis(500);
const INTERVAL_MOST: Duration = Duration::from_secs(60);

#[derive(Args, Debug)]
pub(super) struct TopArguments {
    /// Between two tables
    #[arg(long, value_name = "TIME", value_parser = interval, default_value = "1s")]
    interval: Duration,
    /// How many tables; without it there is no end
    #[arg(long, value_name = "N", value_parser = count)]
    count: Option<u64>,
    /// One table: the same as --count 1
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// Print JSON, for programs: an object for each table, on one line unless there is only one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

fn interval(text: &str) -> Result<Duration, String> {
    let span = read_duration(text)?;
    if (INTERVAL_LEAST..=INTERVAL_MOST).contains(&span) { Ok(span) } else { Err("500ms to 1m".to_owned()) }
}

fn count(text: &str) -> Result<u64, &'static str> {
    text.parse().ok().filter(|count| *count > 0).ok_or("write a whole number, 1 or more")
}

pub(super) fn run(arguments: &TopArguments) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let shown = match runtime {
        Ok(runtime) => runtime.block_on(show(arguments)),
        Err(error) => Err(Ended::Failed(format!("cannot start the runtime: {error}"))),
    };
    match shown {
        Ok(()) => DONE,
        Err(Ended::Unprinted(error)) => unprinted(&error),
        Err(Ended::Failed(message)) => {
            note(format_args!("error: {message}"));
            FAILED
        }
    }
}

/// Why it ended before its time.
enum Ended {
    Failed(String),
    Unprinted(io::Error),
}

async fn show(arguments: &TopArguments) -> Result<(), Ended> {
    let caller = Caller::of(&arguments.server).map_err(Ended::Failed)?;
    let count = if arguments.once { Some(1) } else { arguments.count };
    // The first before the screen is cleared: what is wrong is then told on a terminal as it was.
    let ask =
        async || -> Result<Top, Ended> { caller.get("/v1/top").await.map_err(|denied| Ended::Failed(denied.into())) };
    let mut interrupted = std::pin::pin!(screen::interrupted());
    let mut top = tokio::select! {
        top = ask() => top?,
        ended = &mut interrupted => return ended.map_err(Ended::Unprinted),
    };
    let mut screen = (!arguments.json && count != Some(1)).then(Screen::open).flatten();
    let (sender, mut keys) = mpsc::channel(1);
    if screen.is_some() {
        screen::read_keys(sender);
    }
    let mut shown = 0;
    loop {
        let mut next = std::pin::pin!(sleep(arguments.interval));
        put(&top, arguments, count, shown, screen.as_mut()).map_err(Ended::Unprinted)?;
        shown += 1;
        if count == Some(shown) {
            return Ok(());
        }
        loop {
            tokio::select! {
                () = &mut next => break,
                ended = &mut interrupted => return ended.map_err(Ended::Unprinted),
                Some(key) = keys.recv() => match key {
                    Key::Quit => return Ok(()),
                    Key::Other => {}
                },
            }
        }
        top = tokio::select! {
            top = ask() => top?,
            ended = &mut interrupted => return ended.map_err(Ended::Unprinted),
        };
    }
}

/// Puts one table where it belongs; `before` have been shown.
fn put(
    top: &Top,
    arguments: &TopArguments,
    count: Option<u64>,
    before: u64,
    screen: Option<&mut Screen>,
) -> io::Result<()> {
    if arguments.json {
        let value = serde_json::to_value(top).map_err(io::Error::other)?;
        return if count == Some(1) { print(format_args!("{value:#}\n")) } else { print(format_args!("{value}\n")) };
    }
    match screen {
        Some(screen) => screen.draw(&table::table(top, &shape())),
        None => {
            let gap = if before > 0 { "\n" } else { "" };
            print(format_args!("{gap}{}", table::table(top, &shape())))
        }
    }
}

/// What a table on stdout must fit now, since windows change, and whether it is painted.
fn shape() -> Shape {
    let width = width();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Shape { width, height: height(), paint: if width.is_some() && !plain { Paint::Bold } else { Paint::Plain } }
}
