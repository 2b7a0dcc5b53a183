//! Lines for systemd's journal: how grave each is goes before it (`<3>`, `sd-daemon(3)`), so that `journalctl -p err` finds
//! faults; the time it knows by itself.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::{env, fs};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How grave a line is, as `syslog(3)` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gravity {
    Error = 3,
    Warning = 4,
    Info = 6,
    Debug = 7,
}

/// Whether stderr is the journal's: it says which stream is, lest a program that was started with another stderr takes it for
/// one (`JOURNAL_STREAM`, `systemd.exec(5)`).
pub(super) fn listens() -> bool {
    let Ok(told) = env::var("JOURNAL_STREAM") else { return false };
    fs::metadata("/proc/self/fd/2").is_ok_and(|stderr| told == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// `text` for the journal, each line by itself, since it keeps them so.
pub(super) fn graded(gravity: Gravity, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("<{}>{line}", gravity as u8)).collect();
    lines.join("\n")
}

/// The log's lines.
pub(super) struct Lines(Format<Full, ()>);

impl Lines {
    pub(super) fn new() -> Self {
        Self(Format::default().without_time().with_level(false).with_target(false).with_ansi(false))
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let gravity = match *event.metadata().level() {
            Level::ERROR => Gravity::Error,
            Level::WARN => Gravity::Warning,
            Level::INFO => Gravity::Info,
            Level::DEBUG | Level::TRACE => Gravity::Debug,
        };
        write!(writer, "<{}>", gravity as u8)?;
        self.0.format_event(context, writer, event)
    }
}
