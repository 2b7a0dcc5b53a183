//! The reader of master files (RFC 1035 §5.1), straight to wire form.
//!
//! It hands on records as they stand, one by one, and lists every fault of the files with its place. What the
//! records mean together (a CNAME beside other data, glue that is missing) is not known here.
//!
//! # Why an own reader
//! A million A records (28 MB, one core, release build, read from a file in cache, all three in one run):
//!
//! | reader | seconds | and |
//! |---|---|---|
//! | this one | 0.13 | 14 allocations in all |
//! | `domain` 0.12 `zonefile::inplace` | 0.22 | |
//! | hickory-proto 0.26 `txt::Parser` | 1.5 | sorts into record sets besides |
//!
//! Speed alone would not earn it its place; what the two refuse does. hickory-proto has no DNAME, DS, LOC, URI,
//! RP, EUI48, `TYPEnnn` or `$GENERATE`, and no `$INCLUDE` with an origin. `domain` reads no LOC, URI, EUI48, AFSDB,
//! CERT, APL, KX, HIP, CSYNC or SMIMEA by mnemonic, no TTL with units and no `$GENERATE`. Both end at the first
//! fault (`domain` documents its scanner as invalid after one), where an operator wants them all.
//!
//! # Limits
//! Faults listed one by one: [`FAULTS_MAX`]. `$INCLUDE`: [`DEPTH_MAX`], [`INCLUDES_MAX`], [`OCTETS_MAX`].
//! `$GENERATE`: [`GENERATED_MAX`], [`GENERATED_TOTAL_MAX`].
//!
//! # Where it differs from BIND
//! An owner outside of the zone is an error (BIND leaves the record out and goes on), and so is a TTL above 2³¹ − 1
//! (BIND makes it 0). A name that repeats the zone's name for want of a final dot is a warning. WKS takes ports by
//! number only. MD and MF, obsolete to BIND, are read.
//!
//! # Sources
//! RFC 1035 §5.1; RFC 2308 §4 (`$TTL`); RFC 2181 §8 (TTLs); RFC 3597 §5 (unknown types); BIND 9 Administrator
//! Reference Manual (`$GENERATE`, units of time).

mod dialect;
mod fault;
mod fields;
mod generate;
mod include;
mod names;
mod number;
mod odd;
mod parameters;
mod reader;
mod scan;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::diagnostic::{Diagnostic, Place};
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use crate::zone::records::Records;
pub use dialect::Dialect;
pub use fault::FAULTS_MAX;
pub use generate::{GENERATED_MAX, GENERATED_TOTAL_MAX};
pub use include::{DEPTH_MAX, INCLUDES_MAX, OCTETS_MAX};
use reader::{Pieces, Reader, Sink};

/// One record as it stands in a file, borrowed for the length of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// A name in wire form, uncompressed, its case kept; at or below the apex.
    pub owner: &'a [u8],
    /// Its type; never a meta type. The class is IN.
    pub rtype: Rtype,
    /// Seconds, at most 2³¹ − 1 (RFC 2181 §8).
    pub ttl: u32,
    /// In wire form, names in it uncompressed: of the shape that [`crate::wire::rdata::check`] asks for.
    pub rdata: &'a [u8],
    /// Which of [`Outcome::files`] it stands in.
    pub file: u16,
    /// The line on which it begins, counted from 1; that of the `$GENERATE` for a record made by one.
    pub line: u32,
}

/// What was read besides records.
#[derive(Debug)]
pub struct Outcome {
    /// The file and all that it included, each once: to be watched, and to name places.
    pub files: Vec<PathBuf>,
    /// When those that could be read had been saved, as of before they were read.
    pub saved: Vec<SystemTime>,
    /// Every fault. With an error among them, what was handed on is not the zone.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the zone `apex` from `file` and hands each record to `sink`, in the order of the file. `$INCLUDE` is
/// relative to the file that it stands in and may not leave `folder`, whatever links there are.
///
/// Reads each file whole, then allocates nothing for a record, but for those of SVCB, HTTPS and NSAP. It waits for
/// the disk.
pub fn read(file: &Path, folder: &Path, apex: &Name, sink: &mut dyn FnMut(Record<'_>)) -> Outcome {
    Reader::new(apex, Some(folder), Sink::Each(sink)).read_file(file)
}

/// As [`read`], of files that were written for gdnsd.
pub fn read_dialect<'d>(
    file: &Path,
    folder: &Path,
    apex: &Name,
    dialect: Dialect<'d>,
    sink: &'d mut dyn FnMut(Record<'_>),
) -> Outcome {
    Reader::new(apex, Some(folder), Sink::Each(sink)).in_dialect(dialect).read_file(file)
}

/// As [`read`], all records at once, SOA records [apart](Records::soas). Large files are read on several cores, with
/// the same outcome.
pub fn collect(file: &Path, folder: &Path, apex: &Name) -> (Records, Outcome) {
    let mut records = Records::new(apex);
    let mut reader = Reader::new(apex, Some(folder), Sink::All(&mut records));
    reader.pieces = Pieces::of_machine();
    let outcome = reader.read_file(file);
    (records, outcome)
}

/// As [`read`], from a text in memory that is called `name` in places. `$INCLUDE` is a fault here.
pub fn read_text(name: &Path, text: &[u8], apex: &Name, sink: &mut dyn FnMut(Record<'_>)) -> Outcome {
    Reader::new(apex, None, Sink::Each(sink)).read_memory(name, text)
}

/// The place of the record that begins on `line` of `file`, for a fault found after reading. Reads the file
/// again: places are wanted on the path of faults only. Where that fails, the line is named but not shown.
pub fn place(file: &Path, line: u32) -> Place {
    let text = std::fs::read(file).unwrap_or_default();
    place_in(file, &text, line)
}

/// As [`place`], in a text at hand.
pub fn place_in(file: &Path, text: &[u8], line: u32) -> Place {
    let start: usize =
        text.split_inclusive(|&octet| octet == b'\n').take((line as usize).saturating_sub(1)).map(<[u8]>::len).sum();
    let from = text.get(start..).unwrap_or_default();
    let blank = |octet: &u8| octet.is_ascii_whitespace();
    let lead = from.iter().position(|octet| !blank(octet)).unwrap_or(0);
    let length = from[lead..].iter().position(blank).unwrap_or(from.len() - lead);
    Place { line, ..fault::place_of(file, text, start + lead, start + lead + length) }
}

#[cfg(test)]
mod tests;
