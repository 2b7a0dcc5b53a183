//! What is wrong in a file, where, and what would be right.
//!
//! Every reader of files reports through this one type, so a fault looks the same whether a master file, a
//! policy file or the server file has it. Readers go on after a fault where they can: an operator wants the
//! whole list, not the first line of it.

use std::fmt;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Whether the file can be served in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing of this load is used; the last good state keeps serving.
    Error,
    /// Served as it stands, but probably not what was meant.
    Warning,
}

/// A place in a file: the line as it stands there and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the operator would name it.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
    /// The length of the part that is meant, in characters; at least 1.
    pub length: u32,
    /// The text of the line without its line end; empty when there is none to show.
    pub text: String,
}

impl Place {
    /// The place of octets `start..end` in `source`, the text of `file`. Offsets past the end are taken as
    /// the end; a part that runs over several lines is cut at the end of its first.
    pub fn of_span(file: &Path, source: &str, start: usize, end: usize) -> Self {
        let floor = |mut at: usize| {
            at = at.min(source.len());
            while !source.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(start), floor(end.max(start)));
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Self {
            file: file.to_owned(),
            line: count_lines(&source[..line_start]),
            column: count(&source[line_start..start]).saturating_add(1),
            length: count(&source[start..end.min(line_end).max(start)]).max(1),
            text: source[line_start..line_end].trim_end_matches('\r').to_owned(),
        }
    }

    /// A whole file, for what has no line: a file that is missing, say. Its line and column are 0.
    pub fn of_file(file: &Path) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, length: 0, text: String::new() }
    }

    fn is_whole_file(&self) -> bool {
        self.line == 0
    }
}

fn count_lines(before: &str) -> u32 {
    u32::try_from(before.bytes().filter(|&octet| octet == b'\n').count() + 1).unwrap_or(u32::MAX)
}

/// One fault: lower case, no full stop, names the key or the record, the value and the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// A second place that the fault is about, with what it says: the other end of a conflict.
    pub other: Option<(Place, String)>,
    /// What would be right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A fault that keeps the file from being served.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, message: message.into(), other: None, help: None }
    }

    /// Something that is served but worth a second look.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the other place of a conflict.
    #[must_use]
    pub fn other(mut self, place: Place, label: impl Into<String>) -> Self {
        self.other = Some((place, label.into()));
        self
    }

    /// As a block of text with the line shown and the fault underlined, in colour when asked; as one line where
    /// there is no line to show.
    pub fn render(&self, colour: bool) -> String {
        if self.place.is_whole_file() {
            return self.to_string();
        }
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut group =
            level.primary_title(self.message.as_str()).element(snippet(&self.place, AnnotationKind::Primary, None));
        if let Some((place, label)) = &self.other
            && !place.is_whole_file()
        {
            group = group.element(snippet(place, AnnotationKind::Context, Some(label)));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

fn snippet<'a>(
    place: &'a Place,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let offset =
        |characters: u32| place.text.char_indices().nth(characters as usize).map_or(place.text.len(), |(at, _)| at);
    let start = offset(place.column - 1);
    let end = offset(place.column - 1 + place.length);
    Snippet::source(place.text.as_str())
        .line_start(place.line as usize)
        .path(place.file.to_string_lossy())
        .annotation(kind.span(start..end.max(start)).label(label))
}

/// One line, without the source: `file:line:column: error: message (help)`; `file: error: …` for a whole file.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, .. } = &self.place;
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:", file.display())?;
        if !self.place.is_whole_file() {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {severity}: {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// `1 zone`, `2 zones`.
pub fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The known word nearest to `word`, when one is near enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance * 3 <= candidate.len().max(word.len()).max(3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_become_lines_and_columns() {
        let source = "one\ntwo = 2\r\nthrée = x";
        let check = |start, end, expected: (u32, u32, u32, &str)| {
            let place = Place::of_span(Path::new("f"), source, start, end);
            assert_eq!((place.line, place.column, place.length, place.text.as_str()), expected);
        };
        check(0, 3, (1, 1, 3, "one"));
        check(4, 7, (2, 1, 3, "two = 2"));
        check(10, 11, (2, 7, 1, "two = 2"));
        check(22, 23, (3, 9, 1, "thrée = x"));
        check(2, 9, (1, 3, 1, "one"));
        check(500, 900, (3, 10, 1, "thrée = x"));
    }

    #[test]
    fn a_diagnostic_shows_the_line_and_the_help() {
        let place = Place::of_span(Path::new("a.toml"), "polcy = 1\n", 0, 5);
        let diagnostic = Diagnostic::error(place, "unknown key `polcy`").help("did you mean `policy`?");
        let text = diagnostic.render(false);
        for part in ["error", "a.toml:1:1", "polcy = 1", "^^^^^", "did you mean `policy`?"] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert_eq!(diagnostic.to_string(), "a.toml:1:1: error: unknown key `polcy` (did you mean `policy`?)");
        let diagnostic = Diagnostic::error(Place::of_file(Path::new("zones")), "no such folder");
        assert_eq!(diagnostic.to_string(), "zones: error: no such folder");
        assert_eq!(diagnostic.render(false), diagnostic.to_string());
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["policy", "monitor", "endpoints"];
        assert_eq!(nearest("polcy", known), Some("policy"));
        assert_eq!(nearest("endpoint", known), Some("endpoints"));
        assert_eq!(nearest("zebra", known), None);
    }
}
