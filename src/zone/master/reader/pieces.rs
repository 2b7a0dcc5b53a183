//! A large text, read in pieces side by side, with what comes of it as if it had been read from top to bottom.
//!
//! What an entry means depends on what stands before it: the origin, `$TTL`, the last owner and TTL, an open
//! parenthesis. So a text is cut only between two lines that begin with `$`, and only before a line that begins with a
//! word, which is then an owner. A piece is read as if a new entry began there, under the origin and the `$TTL` of the
//! last line with a `$`. Where it needs more than that, it is *torn*, and so is a piece before which an entry runs on:
//! such pieces are read again, in their turn. So nothing is guessed, and a guess that fails costs time only.
//!
//! What it gains depends on the cores that are idle: `benches/README.md` has figures.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::super::names::NameBuffer;

use super::super::scan::Scanner;
use super::{Extent, Reader, Sink};
use crate::wire::name::Name;
use crate::zone::records::Records;

/// Octets of a piece, about: enough to make little of what a piece costs, little enough that all cores end together.
const PIECE_OCTETS: usize = 512 << 10;

/// Octets at the top of a text, and after each line with a `$`, that are read before anything is read side by side:
/// what follows a `$` line mostly hangs on it.
const HEAD_PARTS: usize = 128;

/// Readers side by side, at the most: more find the builder of the zone waiting.
const READERS_MAX: usize = 8;

/// How large texts are read.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Pieces {
    /// Octets of each, about.
    pub(in super::super) octets: usize,
    pub(in super::super) readers: usize,
}

impl Pieces {
    /// As fits the machine; `None` where it has one core.
    pub(in super::super) fn of_machine() -> Option<Self> {
        let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
        (readers > 1).then_some(Self { octets: PIECE_OCTETS, readers })
    }
}

/// What every piece begins with.
struct Start<'r> {
    apex: &'r Name,
    origin: NameBuffer,
    ttl_default: Option<u32>,
    file: u16,
}

/// What was read of a piece.
struct Read<'a> {
    records: Records,
    scanner: Scanner<'a>,
    state: State,
}

/// What a reader has when it is done with a piece.
struct State {
    owner: Option<NameBuffer>,
    ttl_last: Option<u32>,
    faults: super::super::fault::Faults,
    extent: Extent,
}

impl Reader<'_> {
    /// Reads what of `text` can be read in pieces, and what comes before it; the rest is left. Says how many pieces
    /// were joined as they were read, and how many were read again.
    pub(in super::super) fn read_large(
        &mut self,
        path: &Path,
        text: &[u8],
        scanner: &mut Scanner<'_>,
    ) -> (usize, usize) {
        let (mut joined, mut again) = (0, 0);
        let (Some(pieces), Sink::All(_)) = (self.pieces, &self.sink) else { return (joined, again) };
        if text.len() < 2 * pieces.octets {
            return (joined, again);
        }
        for region in regions(text, 2 * pieces.octets) {
            let cuts = cuts(text, region, pieces.octets);
            let Some(&first) = cuts.first() else { continue };
            self.read_until(path, text, scanner, first);
            let cut: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
            let (origin, ttl_default) = (self.names.origin, self.ttl_default);
            let start = Start { apex: self.names.apex(), origin, ttl_default, file: self.file };
            let read = start.read_side_by_side(path, text, &cut, pieces.readers);
            for (piece, read) in cut.iter().zip(read) {
                let fits = scanner.position() == piece.start
                    && !scanner.is_hopeless()
                    && self.names.origin.as_wire() == origin.as_wire()
                    && self.ttl_default == ttl_default;
                match read {
                    Some(read) if fits && read.state.extent == Extent::Piece => {
                        self.join(path, text, scanner, read);
                        joined += 1;
                    }
                    _ => {
                        self.read_until(path, text, scanner, piece.end);
                        again += 1;
                    }
                }
            }
        }
        (joined, again)
    }

    /// Goes on behind a piece.
    fn join(&mut self, path: &Path, text: &[u8], scanner: &mut Scanner<'_>, read: Read<'_>) {
        let lines_before = scanner.line() - 1;
        scanner.join(&read.scanner);
        if let Sink::All(records) = &mut self.sink {
            records.append(read.records, lines_before);
        }
        self.owner = read.state.owner.or(self.owner);
        self.ttl_last = read.state.ttl_last.or(self.ttl_last);
        self.faults.join(path, text, read.state.faults);
    }
}

impl Start<'_> {
    /// Reads each of `pieces`, as many at once as there are readers.
    fn read_side_by_side<'a>(
        &self,
        path: &Path,
        text: &'a [u8],
        pieces: &[Range<usize>],
        readers: usize,
    ) -> Vec<Option<Read<'a>>> {
        let next = AtomicUsize::new(0);
        let done: Vec<Mutex<Option<Read<'a>>>> = pieces.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&at| at < pieces.len()) {
                let read = self.read_piece(path, text, &pieces[at]);
                if let Ok(mut slot) = done[at].lock() {
                    *slot = Some(read);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..readers.min(pieces.len()) {
                // Where the system gives no thread, this one does it all.
                let _ = thread::Builder::new().name("zone".to_owned()).spawn_scoped(scope, work);
            }
            work();
        });
        done.into_iter().map(|slot| slot.into_inner().ok().flatten()).collect()
    }

    fn read_piece<'a>(&self, path: &Path, text: &'a [u8], piece: &Range<usize>) -> Read<'a> {
        let &Start { apex, origin, ttl_default, file } = self;
        let mut records = Records::new(apex);
        let mut scanner = Scanner::from(text, piece.start);
        let mut reader = Reader::new(apex, None, Sink::All(&mut records));
        (reader.extent, reader.file) = (Extent::Piece, file);
        (reader.names.origin, reader.ttl_default) = (origin, ttl_default);
        reader.read_until(path, text, &mut scanner, piece.end);
        let Reader { owner, ttl_last, faults, extent, .. } = reader;
        Read { records, scanner, state: State { owner, ttl_last, faults, extent } }
    }
}

/// The parts of `text` of at least so many octets in which no line begins with `$`; a `$` line that begins one is
/// within it.
fn regions(text: &[u8], octets_min: usize) -> Vec<Range<usize>> {
    const BLOCK: usize = 4096;
    let mut regions = Vec::new();
    let mut start = 0;
    let mut end_at = |end: usize| {
        if end - start >= octets_min {
            regions.push(start..end);
        }
        start = end;
    };
    // Block by block, since only a loop without an exit is made into vector instructions: 1 ms for 20 MB.
    for (number, block) in text.chunks(BLOCK).enumerate() {
        let at = number * BLOCK;
        let after = &text[(at + 1).min(text.len())..(at + 1 + block.len()).min(text.len())];
        let is_control = |(&octet, &next): (&u8, &u8)| octet == b'\n' && next == b'$';
        if block.iter().zip(after).filter(|&pair| is_control(pair)).count() > 0 {
            let found = block.iter().zip(after).enumerate().filter(|&(_, pair)| is_control(pair));
            found.for_each(|(of_block, _)| end_at(at + of_block + 1));
        }
    }
    end_at(text.len());
    regions
}

/// Where pieces of about so many octets begin in a region, and where the last ends: before lines that begin with a
/// word. None where nothing of the kind is found.
fn cuts(text: &[u8], region: Range<usize>, octets: usize) -> Vec<usize> {
    let begins_owner = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'*' | b'@');
    let mut cuts = Vec::new();
    let mut at = region.start + octets / HEAD_PARTS;
    while at < region.end {
        let rest = &text[at..region.end];
        let line = rest.windows(2).position(|pair| pair[0] == b'\n' && begins_owner(&pair[1]));
        let Some(line) = line else { break };
        cuts.push(at + line + 1);
        at += line + octets;
    }
    if !cuts.is_empty() {
        cuts.push(region.end);
    }
    cuts
}
