//! Collects what is wrong with one file, and words it.
//!
//! Nothing stops at a fault, so one reading lists everything. What is listed is bounded: a file of nothing but
//! faults costs no more than its first thousand.

use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Place, nearest, plural};

/// Faults of one kind, errors or warnings, that are listed for one file; the rest is only counted. More than
/// anyone reads at once, and a bound on what a file of nothing but faults can make us hold.
const FAULTS_MAX: usize = 1_000;

/// Octets of a line that is still shown; columns of a longer line are counted in octets. A bound on what one
/// fault can hold, and on what finding its column costs.
const LINE_OCTETS_MAX: usize = 4_096;

/// Characters of a value or a key that a message repeats.
const SHOWN_MAX: usize = 80;

/// Known words that a suggestion lists.
const LISTED_MAX: usize = 20;

/// A part of the text, in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// The text of one file, with the starts of its lines: a place costs a binary search, so that a file of a
/// million names is not walked a million times.
struct Source<'a> {
    file: &'a Path,
    text: &'a str,
    line_starts: Vec<usize>,
    /// Where what is being read now begins: spans are counted from there.
    base: usize,
}

impl Source<'_> {
    fn line(&self, span: Span) -> usize {
        self.line_starts.partition_point(|&start| start <= self.base + span.start)
    }

    fn place(&self, span: Span) -> Place {
        let line = self.line(span).saturating_sub(1);
        let start = self.line_starts.get(line).copied().unwrap_or(0);
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |&next| next - 1);
        let number = u32::try_from(line + 1).unwrap_or(u32::MAX);
        let (from, to) = (self.base + span.start - start, self.base + span.end.max(span.start) - start);
        match self.text.get(start..end) {
            Some(text) if text.len() <= LINE_OCTETS_MAX => {
                Place { line: number, ..Place::of_span(self.file, text, from, to) }
            }
            _ => {
                let column = u32::try_from(from + 1).unwrap_or(u32::MAX);
                Place { line: number, column, ..Place::of_file(self.file) }
            }
        }
    }
}

/// What is wrong with one file, as far as it has been read.
pub(super) struct Faults<'a> {
    source: Source<'a>,
    errors: Listed,
    warnings: Listed,
    /// The files that this one names and that were read with it.
    named: Vec<PathBuf>,
}

/// Faults of one severity: the first [`FAULTS_MAX`], and how many more there were.
#[derive(Default)]
struct Listed {
    list: Vec<Diagnostic>,
    unlisted: usize,
}

/// A fault just entered, to which help and a second place may be added; empty when the list was full.
pub(super) struct Note<'n, 'a> {
    source: &'n Source<'a>,
    diagnostic: Option<&'n mut Diagnostic>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self::of(Source { file, text, line_starts, base: 0 })
    }

    /// Another collection of the same file, for a reading whose faults another one tells.
    pub(super) fn another(&self) -> Self {
        let Source { file, text, ref line_starts, .. } = self.source;
        Self::of(Source { file, text, line_starts: line_starts.clone(), base: 0 })
    }

    fn of(source: Source<'a>) -> Self {
        Self { source, errors: Listed::default(), warnings: Listed::default(), named: Vec::new() }
    }

    /// From now on spans are counted from `base` on, in octets.
    pub(super) fn set_base(&mut self, base: usize) {
        self.source.base = base;
    }

    /// `file`, as the file that this is names it: relative to the folder in which this one is. It is noted as read.
    pub(super) fn beside(&mut self, file: &str) -> PathBuf {
        let file = self.source.file.parent().unwrap_or(Path::new("")).join(file);
        self.named.push(file.clone());
        file
    }

    /// The files that this one names and that were read with it, some maybe more than once.
    pub(super) fn take_named(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.named)
    }

    /// The place of `span`, for what outlives the text.
    pub(super) fn place(&self, span: Span) -> Place {
        self.source.place(span)
    }

    /// The number of the line where `span` starts, counted from 1.
    pub(super) fn line(&self, span: Span) -> usize {
        self.source.line(span)
    }

    /// Enters what keeps the file from being used.
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) -> Note<'_, 'a> {
        let source = &self.source;
        Note { source, diagnostic: self.errors.push(|| Diagnostic::error(source.place(span), message)) }
    }

    /// Enters what is worth a second look.
    pub(super) fn warning(&mut self, span: Span, message: impl Into<String>) -> Note<'_, 'a> {
        let source = &self.source;
        Note { source, diagnostic: self.warnings.push(|| Diagnostic::warning(source.place(span), message)) }
    }

    /// Whether anything keeps the file from being used.
    pub(super) fn any_error(&self) -> bool {
        !self.errors.list.is_empty()
    }

    /// How many errors are listed.
    pub(super) fn errors(&self) -> usize {
        self.errors.list.len()
    }

    /// Whether another error would only be counted, so that nothing need be spent on wording it.
    pub(super) fn is_full(&self) -> bool {
        self.errors.list.len() >= FAULTS_MAX
    }

    /// Everything that was entered, in the order of the file.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let whole = || Place::of_file(self.source.file);
        let left_out = |count: usize, what: &str| format!("not listed of this file: {}", plural(count, what));
        let mut list: Vec<_> = self.errors.list.into_iter().chain(self.warnings.list).collect();
        list.sort_by_key(|fault| (fault.place.line, fault.place.column));
        if self.errors.unlisted > 0 {
            list.push(Diagnostic::error(whole(), left_out(self.errors.unlisted, "more error")));
        }
        if self.warnings.unlisted > 0 {
            list.push(Diagnostic::warning(whole(), left_out(self.warnings.unlisted, "more warning")));
        }
        list
    }
}

impl Listed {
    fn push(&mut self, diagnostic: impl FnOnce() -> Diagnostic) -> Option<&mut Diagnostic> {
        if self.list.len() >= FAULTS_MAX {
            self.unlisted += 1;
            return None;
        }
        self.list.push(diagnostic());
        self.list.last_mut()
    }
}

impl Note<'_, '_> {
    /// Adds what would be right.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.diagnostic {
            diagnostic.help = Some(help.into());
        }
        self
    }

    /// Adds the other end of a conflict.
    pub(super) fn other(mut self, span: Span, label: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.diagnostic {
            diagnostic.other = Some((self.source.place(span), label.into()));
        }
        self
    }
}

/// `text` as a message repeats it: on one line, and cut where it is long.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown = String::new();
    for character in characters.by_ref().take(SHOWN_MAX) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// What is right instead of the unknown `word`: the known word nearest to it, or else the known words
/// themselves, introduced by `known_are`.
pub(super) fn suggestion<'w>(word: &str, known: impl IntoIterator<Item = &'w str> + Clone, known_are: &str) -> String {
    if let Some(near) = near(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let mut words: Vec<_> = known.into_iter().take(LISTED_MAX + 1).collect();
    if words.len() > LISTED_MAX {
        words[LISTED_MAX] = "…";
    }
    let words = if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    format!("{known_are}: {words}")
}

/// The known word that `word` is, or is a slip for.
pub(super) fn near<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // The nearest word is sought in a matrix of both lengths, so a word too long to be a slip is not tried.
    if word.len() <= SHOWN_MAX { nearest(word, known) } else { None }
}
