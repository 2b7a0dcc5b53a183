//! Faults while a master file is read: cheap until they are shown, bounded in number.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Place, Severity, plural};

/// Errors that are listed one by one, and warnings likewise; what comes after them is only counted.
pub const FAULTS_MAX: usize = 100;

/// Octets of a line that are shown; a longer line is cut, or not shown when the fault lies beyond.
const SHOWN_OCTETS_MAX: usize = 500;

/// What is wrong with octets `start..end` of the text being read.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// What reading something gives. The fault is boxed: it is rare, and the good result should stay small.
pub(super) type Reading<T> = Result<T, Box<Fault>>;

impl Fault {
    pub(super) fn at(start: usize, end: usize, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { start, end, severity: Severity::Error, message: message.into(), help: None })
    }

    pub(super) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }

    /// What is said when nothing closer was found.
    pub(super) fn help_if_none(mut self: Box<Self>, help: &str) -> Box<Self> {
        self.help.get_or_insert_with(|| help.to_owned());
        self
    }

    pub(super) fn warning(mut self: Box<Self>) -> Box<Self> {
        self.severity = Severity::Warning;
        self
    }
}

/// The faults of a file and of all that it includes, in the order of reading.
#[derive(Debug, Default)]
pub(super) struct Faults {
    listed: Vec<Diagnostic>,
    /// Of a piece of a text: those that would be listed. Their places are found when the text is put together.
    kept: Vec<Fault>,
    errors: usize,
    warnings: usize,
}

impl Faults {
    /// Lists a fault, or counts it where there are too many of its severity.
    pub(super) fn add(&mut self, file: &Path, text: &[u8], fault: Fault) {
        if !self.count(fault.severity) {
            return;
        }
        let place = place_of(file, text, fault.start, fault.end);
        let Fault { severity, message, help, .. } = fault;
        self.listed.push(Diagnostic { severity, place, message, other: None, help });
    }

    /// Counts a fault; whether it is listed.
    fn count(&mut self, severity: Severity) -> bool {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        *count <= FAULTS_MAX
    }

    /// As [`add`](Self::add), for faults of a piece, to be [joined](Self::join).
    pub(super) fn keep(&mut self, fault: Fault) {
        if self.count(fault.severity) {
            self.kept.push(fault);
        }
    }

    /// Adds the faults of a piece of `text`.
    pub(super) fn join(&mut self, file: &Path, text: &[u8], piece: Self) {
        for fault in piece.kept {
            self.add(file, text, fault);
        }
        // What was only counted there comes after as many as are listed.
        self.errors += piece.errors.saturating_sub(FAULTS_MAX);
        self.warnings += piece.warnings.saturating_sub(FAULTS_MAX);
    }

    /// For a file that has no text.
    pub(super) fn add_file(&mut self, file: &Path, message: String) {
        self.listed.push(Diagnostic::error(Place::of_file(file), message));
    }

    pub(super) fn into_diagnostics(mut self, file: &Path) -> Vec<Diagnostic> {
        let place = || Place::of_file(file);
        if let Some(more @ 1..) = self.errors.checked_sub(FAULTS_MAX) {
            self.listed.push(Diagnostic::error(
                place(),
                format!("and {} after these {FAULTS_MAX}", plural(more, "more error")),
            ));
        }
        if let Some(more @ 1..) = self.warnings.checked_sub(FAULTS_MAX) {
            self.listed.push(Diagnostic::warning(
                place(),
                format!("and {} after these {FAULTS_MAX}", plural(more, "more warning")),
            ));
        }
        self.listed
    }
}

/// The place of octets `start..end` of a text that need not be UTF-8. Costs a pass over the text before it.
pub(super) fn place_of(file: &Path, text: &[u8], start: usize, end: usize) -> Place {
    let start = start.min(text.len());
    let (before, from) = text.split_at(start);
    let line_start = before.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
    let line_end = from.iter().position(|&octet| octet == b'\n').map_or(text.len(), |at| start + at);
    let end = end.clamp(start, line_end);
    let lossy = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let (lead, token) = (lossy(&text[line_start..start]), lossy(&text[start..end]));
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let (column, length) = (count(&lead).saturating_add(1), count(&token).max(1));
    let shown_end = line_end.min(line_start + SHOWN_OCTETS_MAX).max(end);
    let fits = end - line_start <= SHOWN_OCTETS_MAX;
    let shown = if fits { lead + &token + &lossy(&text[end..shown_end]) } else { String::new() };
    Place {
        file: file.to_owned(),
        line: u32::try_from(before.iter().filter(|&&octet| octet == b'\n').count() + 1).unwrap_or(u32::MAX),
        column,
        length,
        text: shown.trim_end_matches('\r').to_owned(),
    }
}

/// Octets as they are shown in a message: valid UTF-8, on one line, not endless.
pub(super) fn shown(octets: &[u8]) -> String {
    const MAX: usize = 60;
    let cut = octets.get(..MAX).unwrap_or(octets);
    let mut text: String = String::from_utf8_lossy(cut)
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if cut.len() < octets.len() {
        text.push('…');
    }
    text
}
