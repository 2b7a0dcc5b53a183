//! Records as they come, compact: what a reader of master files fills and a [`Builder`](super::Builder) takes.
//!
//! Adding one costs no more than copying it. Records of one owner that come one after the other, a *run*, share the
//! owner's name and its hash; who comes again later, and who stands above whom, is found when all are there.
//!
//! ```text
//! run      octets of the owner 8 | its labels before the apex, in lower case | records 8 | records…
//! record   type 16 | octets 16 | TTL 32 | line 32 | rdata
//! ```
//!
//! An A record at a name of its own takes 18 octets, the labels, and 8 of [`Run`]. They lie in parts of about
//! [`PART_OCTETS`], so that what was laid out can be given back piece by piece.

use super::buffer::Buffer;
use crate::wire::name::{LABELS_MAX, NAME_OCTETS_MAX, Name};
use crate::wire::qname::{hash_label, hash_name};
use crate::wire::rtype::Rtype;

/// A part is closed when it has so many octets. Small enough that half-freed parts do not count; large enough that
/// the allocator takes each from the system and gives it back.
const PART_OCTETS: usize = 1 << 20;

/// Names above owners that a part remembers having entered, by hash, so that a host of ten thousand does not enter
/// them again.
const ABOVE_REMEMBERED: usize = 256;

/// Octets of a record before its rdata.
const RECORD_OCTETS: usize = 12;

/// Where a record came from; the caller gives the numbers their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Which file.
    pub file: u16,
    /// Which line of it, counted from 1.
    pub line: u32,
}

/// An SOA record, kept apart: its serial may be for somebody else to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// In wire form.
    pub owner: Vec<u8>,
    /// Seconds.
    pub ttl: u32,
    /// Uncompressed.
    pub rdata: Vec<u8>,
    /// Where it stands.
    pub origin: Origin,
}

/// Records of one zone in the order in which they came.
#[derive(Debug)]
pub struct Records {
    apex: Name,
    apex_hash: u32,
    parts: Vec<Part>,
    /// Runs of all parts.
    entered: u32,
    /// What of SOA records was [put apart](Self::add_soa).
    pub soas: Vec<Soa>,
}

/// Some of them, all of one file.
#[derive(Debug, Default)]
pub(super) struct Part {
    file: u16,
    /// Lines before the text that this came from.
    lines_before: u32,
    octets: Buffer,
    /// Each in 8 octets.
    runs: Buffer,
    /// By hash, 1 + the run of a name above some owner; empty until there is one.
    above: Vec<u32>,
}

/// The hash of an owner's full name, and where its run begins.
#[derive(Clone, Copy, Debug)]
struct Run {
    hash: u32,
    at: u32,
}

/// A record of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending<'r> {
    pub(super) rtype: Rtype,
    pub(super) ttl: u32,
    pub(super) origin: Origin,
    pub(super) rdata: &'r [u8],
}

impl Records {
    /// None yet, of the zone `apex`, in any case.
    pub fn new(apex: &Name) -> Self {
        let apex = apex.to_lowercase();
        Self { apex_hash: hash_name(&apex), apex, parts: Vec::new(), entered: 0, soas: Vec::new() }
    }

    /// Adds a record. `owner` is a name in wire form at or below the apex, in any case; one that is not lands at the
    /// apex. `rdata` is uncompressed and valid for its type.
    pub fn add(&mut self, owner: &[u8], rtype: Rtype, ttl: u32, rdata: &[u8], origin: Origin) {
        let labels = self.labels_of(owner);
        self.open(origin.file);
        if !self.parts.last().is_some_and(|part| part.goes_on(labels)) {
            self.enter(labels);
        }
        if let Some(part) = self.parts.last_mut() {
            part.add(rtype, ttl, rdata, origin.line);
        }
    }

    /// Puts an SOA record apart.
    pub fn add_soa(&mut self, owner: &[u8], ttl: u32, rdata: &[u8], origin: Origin) {
        self.soas.push(Soa { owner: owner.to_vec(), ttl, rdata: rdata.to_vec(), origin });
    }

    /// Enters the name `owner` without a record; its number, counted from 0 over all that was entered.
    pub(super) fn touch(&mut self, owner: &[u8], file: u16) -> u32 {
        self.open(file);
        self.enter(self.labels_of(owner));
        self.entered - 1
    }

    /// Puts `later` behind these. Its lines were counted from where its text began, `lines_before` lines on.
    pub(super) fn append(&mut self, mut later: Self, lines_before: u32) {
        for part in &mut later.parts {
            part.lines_before += lines_before;
        }
        for soa in &mut later.soas {
            soa.origin.line += lines_before;
        }
        self.entered = self.entered.saturating_add(later.entered);
        self.parts.append(&mut later.parts);
        self.soas.append(&mut later.soas);
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    fn labels_of<'o>(&self, owner: &'o [u8]) -> &'o [u8] {
        owner.len().checked_sub(self.apex.as_wire().len()).and_then(|labels| owner.get(..labels)).unwrap_or_default()
    }

    /// Sees to it that the last part takes more of this file.
    fn open(&mut self, file: u16) {
        let takes = |part: &Part| part.file == file && part.lines_before == 0 && part.octets.len() < PART_OCTETS;
        if !self.parts.last().is_some_and(takes) {
            self.parts.push(Part { file, ..Part::default() });
        }
    }

    /// Opens a run of `labels`, after one without records for each name between it and the apex that is not known to
    /// have one: empty non-terminals exist (RFC 4592 §2.2.2).
    fn enter(&mut self, labels: &[u8]) {
        let Some(part) = self.parts.last_mut() else { return };
        let before = part.len();
        let mut folded = [0; NAME_OCTETS_MAX];
        let folded = &mut folded[..labels.len().min(NAME_OCTETS_MAX)];
        folded.copy_from_slice(&labels[..folded.len()]);
        // Length octets are at most 63, below `A`.
        folded.make_ascii_lowercase();
        let folded = &*folded;
        let mut starts = [0_u8; LABELS_MAX + 1];
        let (mut count, mut at) = (0, 0);
        while let (Some(&length), Some(start)) = (folded.get(at), starts.get_mut(count)) {
            *start = at as u8;
            at += 1 + usize::from(length);
            count += 1;
        }
        let mut hash = self.apex_hash;
        let mut end = folded.len();
        for (left, &start) in starts[..count].iter().enumerate().rev() {
            let start = usize::from(start);
            hash = hash_label(hash, folded.get(start..end).unwrap_or_default());
            end = start;
            if left > 0 && !part.has_above(&folded[start..], hash) {
                part.remember_above(hash);
                part.open_run(&folded[start..], hash);
            }
        }
        part.open_run(folded, hash);
        self.entered += number(part.len() - before);
    }
}

impl Part {
    /// Whether a record of this owner goes on with the last run.
    fn goes_on(&self, labels: &[u8]) -> bool {
        let Some(run) = self.last_run() else { return false };
        let (owner, records) = self.split(run);
        owner.eq_ignore_ascii_case(labels) && records.first().is_some_and(|&records| records < u8::MAX)
    }

    fn open_run(&mut self, labels: &[u8], hash: u32) {
        let run = Run { hash, at: number(self.octets.len()) };
        self.runs.extend(&(u64::from(run.hash) << 32 | u64::from(run.at)).to_ne_bytes());
        let mut octets = [0; NAME_OCTETS_MAX + 2];
        octets[0] = u8::try_from(labels.len()).unwrap_or(u8::MAX);
        octets[1..=labels.len()].copy_from_slice(labels);
        self.octets.extend(&octets[..labels.len() + 2]);
    }

    fn run(&self, number: usize) -> Option<Run> {
        let run = u64::from_ne_bytes(*self.runs.words().get(number)?);
        Some(Run { hash: (run >> 32) as u32, at: run as u32 })
    }

    fn last_run(&self) -> Option<Run> {
        self.run(self.len().checked_sub(1)?)
    }

    /// Adds a record to the last run.
    fn add(&mut self, rtype: Rtype, ttl: u32, rdata: &[u8], line: u32) {
        let Some(run) = self.last_run() else { return };
        let at = run.at as usize;
        let count = at + 1 + usize::from(self.octets[at]);
        self.octets[count] += 1;
        let length = u16::try_from(rdata.len()).unwrap_or(u16::MAX);
        let mut head = [0; RECORD_OCTETS];
        head[..2].copy_from_slice(&rtype.0.to_be_bytes());
        head[2..4].copy_from_slice(&length.to_be_bytes());
        head[4..8].copy_from_slice(&ttl.to_be_bytes());
        head[8..].copy_from_slice(&line.to_be_bytes());
        self.octets.extend(&head);
        self.octets.extend(&rdata[..usize::from(length)]);
    }

    fn has_above(&self, labels: &[u8], hash: u32) -> bool {
        let slot = self.above.get(hash as usize % ABOVE_REMEMBERED).and_then(|slot| slot.checked_sub(1));
        let run = slot.and_then(|number| self.run(number as usize));
        run.is_some_and(|run| run.hash == hash && self.split(run).0 == labels)
    }

    /// Remembers the run to be opened next.
    fn remember_above(&mut self, hash: u32) {
        if self.above.is_empty() {
            self.above = vec![0; ABOVE_REMEMBERED];
        }
        self.above[hash as usize % ABOVE_REMEMBERED] = number(self.len() + 1);
    }

    /// Runs.
    pub(super) fn len(&self) -> usize {
        self.runs.words().len()
    }

    /// Octets of all runs.
    pub(super) fn octets(&self) -> usize {
        self.octets.len()
    }

    /// The hashes of the owners.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u32> {
        self.runs.words().iter().map(|&run| (u64::from_ne_bytes(run) >> 32) as u32)
    }

    /// The labels of a run's owner before the apex, in lower case.
    pub(super) fn owner(&self, run: usize) -> &[u8] {
        self.run(run).map_or(&[], |run| self.split(run).0)
    }

    /// The records of a run.
    pub(super) fn records(&self, run: usize) -> impl Iterator<Item = Pending<'_>> {
        let (count, mut rest) = match self.run(run).map(|run| self.split(run).1.split_first()) {
            Some(Some((&count, rest))) => (count, rest),
            _ => (0, &[][..]),
        };
        let (file, before) = (self.file, self.lines_before);
        (0..count).map_while(move |_| {
            let (&[t, y, h, l, a, b, c, d, e, i, j, k], after) = rest.split_first_chunk::<RECORD_OCTETS>()?;
            let (rdata, after) = after.split_at_checked(usize::from(u16::from_be_bytes([h, l])))?;
            rest = after;
            Some(Pending {
                rtype: Rtype(u16::from_be_bytes([t, y])),
                ttl: u32::from_be_bytes([a, b, c, d]),
                origin: Origin { file, line: u32::from_be_bytes([e, i, j, k]).saturating_add(before) },
                rdata,
            })
        })
    }

    /// The owner of a run, and what follows it.
    fn split(&self, run: Run) -> (&[u8], &[u8]) {
        match self.octets.get(run.at as usize..).and_then(<[u8]>::split_first) {
            Some((&length, rest)) => rest.split_at_checked(usize::from(length)).unwrap_or_default(),
            None => (&[], &[]),
        }
    }
}

/// Places and numbers are 32 bits; a part ends long before.
fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
