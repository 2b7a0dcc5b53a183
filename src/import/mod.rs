//! What other servers serve → zone files of ours, and a list of what could not be carried over.
//!
//! Each reader turns its source into [`Draft`]s: a zone's records as they are, and the names that are balanced as
//! pools. Nothing is guessed in silence: what is lost, what is carried over as something else, and what is left to do
//! is a [`Note`] with its place. Knows files and their text, not the server; what it writes is read back by the same
//! reader that the server has, before anybody is told that it is done.

pub mod bind;
pub mod gdnsd;
pub mod route53;
mod draft;
mod glob;
mod label;
mod record;
mod toml_text;

use std::fmt;

pub use draft::Draft;

use crate::diagnostic::Diagnostic;

/// What a configuration came to.
#[derive(Debug, Default)]
pub struct Imported {
    /// Its zones, each once.
    pub zones: Vec<Draft>,
    /// What the operator should know.
    pub notes: Vec<Note>,
}

/// Something that did not go over as it stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What became of it.
    pub fate: Fate,
    /// Where it stands: a file and line, a zone, a name and type.
    pub at: String,
    /// What it is, and why, or what is there instead.
    pub what: String,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is not in the files.
    Lost,
    /// It is there, and means something a little different.
    Changed,
    /// The operator has to do something outside of the zone files.
    ToDo,
}

impl Imported {
    fn note(&mut self, fate: Fate, at: impl fmt::Display, what: impl Into<String>) {
        let note = Note { fate, at: at.to_string(), what: what.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// A source that cannot be read: every fault, with its place.
pub type Faults = Vec<Diagnostic>;
