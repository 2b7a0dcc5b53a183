//! What every command prints alike.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::journal::{self, Gravity};
use super::{DONE, FAILED};
use crate::diagnostic::{Diagnostic, Severity};

/// What a command was asked for, to stdout.
///
/// # Errors
/// When stdout takes no more: `BrokenPipe` when its reader has read enough, as `head` does.
pub(super) fn print(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_fmt(text)?;
    stdout.flush()
}

/// A line to stderr. That nobody reads it any more is no reason to stop serving, nor is there anybody to tell.
pub(super) fn note(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// As [`note`], and the journal is told that it is no mere note.
pub(super) fn complain(line: fmt::Arguments<'_>) {
    note_as(Gravity::Error, &line.to_string());
}

fn note_as(gravity: Gravity, text: &str) {
    if journal::listens() {
        note(format_args!("{}", journal::graded(gravity, text)));
    } else {
        note(format_args!("{text}"));
    }
}

/// How a command ends that could not print all that it had to say.
pub(super) fn unprinted(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return DONE;
    }
    note(format_args!("error: cannot write to stdout: {error}"));
    FAILED
}

/// Prints faults to stderr, in colour on a terminal; a blank line sets those apart that show their line.
pub(super) fn print_faults(faults: &[Diagnostic]) {
    let colour = io::stderr().is_terminal();
    for fault in faults {
        let gravity = match fault.severity {
            Severity::Error => Gravity::Error,
            Severity::Warning => Gravity::Warning,
        };
        let fault = fault.render(colour);
        let end = if fault.contains('\n') { "\n" } else { "" };
        note_as(gravity, &format!("{fault}{end}"));
    }
}

/// How many characters a line of stdout has; `None` where it is no terminal, which has no such limit.
pub(super) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(terminal_size::Width(width), _)| usize::from(width))
}

/// `line` in at most `width` characters, where there is such a width.
pub(super) fn cut(line: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if line.chars().count() > width => {
            line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
        }
        _ => line.to_owned(),
    }
}

/// How many lines the terminal has that stdout is; `None` where it is none.
pub(super) fn height() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(_, terminal_size::Height(height))| usize::from(height))
}

/// A span as a policy file would state it: `500ms`, `13s`, `1m30s`, `2h`.
pub(super) fn span(span: Duration) -> String {
    let (seconds, milliseconds) = (span.as_secs(), span.subsec_millis());
    if milliseconds > 0 {
        return match seconds {
            0 => format!("{milliseconds}ms"),
            _ => format!("{}s", span.as_secs_f64()),
        };
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_they_are_written() {
        for (milliseconds, text) in
            [(0, "0s"), (500, "500ms"), (1500, "1.5s"), (13_000, "13s"), (90_000, "1m30s"), (7_200_000, "2h")]
        {
            assert_eq!(span(Duration::from_millis(milliseconds)), text);
        }
    }
}
