//! Octets that grow: few of them on the heap, many in memory that is mapped for them alone.
//!
//! glibc raises the size from which it maps memory whenever a mapped block is freed, up to 32 MiB: after the first
//! reload of a large zone its blocks would come from the heap, which gives back only what lies at its end. Measured
//! of a million names, loaded three times: 151 MB resident and at the peak that way, 41 MB and 95 MB this way; mimalloc
//! and jemalloc end at 126 MB and more.
//!
//! What is mapped and not written to takes address space only, so room may be asked for generously.

use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, DerefMut};
use std::thread;

use memmap2::MmapMut;

/// From this size on, memory is mapped: what glibc begins with. Smaller, pages would be wasted.
const MAPPED_OCTETS_MIN: usize = 128 << 10;

/// From this size on, large pages are asked for: two of them, so that what is left over at the ends counts little.
const LARGE_PAGES_MIN: usize = 4 << 20;

/// Octets that are read of a file at once, in 0.3 ms: more keep others from the core.
const READ_OCTETS: usize = 1 << 20;

/// Octets that grow.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Memory,
    /// How many are in use, where they are mapped.
    length: usize,
}

#[derive(Debug)]
enum Memory {
    Heap(Vec<u8>),
    Mapped(MmapMut),
}

impl Default for Buffer {
    fn default() -> Self {
        Self { memory: Memory::Heap(Vec::new()), length: 0 }
    }
}

impl Buffer {
    /// An empty one with room for so many octets.
    pub(super) fn with_room(octets: usize) -> Self {
        match map(octets) {
            Some(map) => Self { memory: Memory::Mapped(map), length: 0 },
            None => Self { memory: Memory::Heap(Vec::with_capacity(octets)), length: 0 },
        }
    }

    /// So many octets of zero.
    pub(super) fn zeroed(octets: usize) -> Self {
        match map(octets) {
            // As the system gives them.
            Some(map) => Self { memory: Memory::Mapped(map), length: octets },
            None => Self { memory: Memory::Heap(vec![0; octets]), length: octets },
        }
    }

    /// All that is left of `file`, which has `octets`, about.
    ///
    /// # Errors
    /// What the system says when it cannot be read.
    pub(super) fn read(file: &mut File, octets: usize) -> io::Result<Self> {
        let mut buffer = Self::with_room(octets + 1);
        if let Memory::Heap(heap) = &mut buffer.memory {
            file.read_to_end(heap)?;
            return Ok(buffer);
        }
        loop {
            buffer.make_room(1);
            let Memory::Mapped(map) = &mut buffer.memory else { return Ok(buffer) };
            let end = map.len().min(buffer.length + READ_OCTETS);
            match file.read(&mut map[buffer.length..end]) {
                Ok(0) => return Ok(buffer),
                Ok(read) => {
                    buffer.length += read;
                    thread::yield_now();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends `octets`.
    #[inline]
    pub(super) fn extend(&mut self, octets: &[u8]) {
        self.make_room(octets.len());
        match &mut self.memory {
            Memory::Heap(heap) => heap.extend_from_slice(octets),
            Memory::Mapped(map) => {
                map[self.length..][..octets.len()].copy_from_slice(octets);
                self.length += octets.len();
            }
        }
    }

    /// Gives back what of its room is not used, where that is on the heap.
    pub(super) fn fit(mut self) -> Self {
        if let Memory::Heap(heap) = &mut self.memory {
            heap.shrink_to_fit();
        }
        self
    }

    /// Makes room for `more` octets. What outgrows its room is copied to four times of it: room that is not used
    /// costs nothing, copies do.
    #[inline]
    fn make_room(&mut self, more: usize) {
        let wanted = self.len() + more;
        let room = match &self.memory {
            Memory::Heap(heap) => heap.capacity().max(MAPPED_OCTETS_MIN - 1),
            Memory::Mapped(map) => map.len(),
        };
        if wanted > room {
            self.grow(wanted);
        }
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        let length = self.len();
        self.memory = match map(4 * wanted) {
            Some(mut map) => {
                map[..length].copy_from_slice(self);
                Memory::Mapped(map)
            }
            None => Memory::Heap(self.to_vec()),
        };
        self.length = length;
    }

    /// As numbers of 64 bits.
    pub(super) fn words(&self) -> &[[u8; 8]] {
        self.as_chunks().0
    }

    /// As numbers of 64 bits, to be changed.
    pub(super) fn words_mut(&mut self) -> &mut [[u8; 8]] {
        self.as_chunks_mut().0
    }
}

/// Memory for so many octets; `None` where they are few, or where the system gives none, for which the heap then says
/// so.
///
/// Large pages are asked for before anything is written: whoever writes gets them then, five hundred faults fewer each.
/// Of small pages that are to be large ones the kernel makes large ones later, and workers that read there wait
/// meanwhile: 4 to 16 ms each were measured, several in a row.
fn map(octets: usize) -> Option<MmapMut> {
    let map = if octets < MAPPED_OCTETS_MIN { None } else { MmapMut::map_anon(octets).ok() };
    #[cfg(target_os = "linux")]
    if let Some(map) = map.as_ref().filter(|map| map.len() >= LARGE_PAGES_MIN) {
        // A hint: a kernel that does not take it leaves things as they are.
        let _ = map.advise(memmap2::Advice::HugePage);
    }
    map
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            Memory::Heap(heap) => heap,
            Memory::Mapped(map) => map.get(..self.length).unwrap_or_default(),
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Heap(heap) => heap,
            Memory::Mapped(map) => map.get_mut(..self.length).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};

    #[test]
    fn octets_stay_whatever_they_lie_in() {
        let mut file = tempfile::tempfile().expect("a file");
        let octets: Vec<u8> = (0..3 * MAPPED_OCTETS_MIN).map(|at| (at % 251) as u8).collect();
        for length in [0, 1, 1_000, MAPPED_OCTETS_MIN - 1, MAPPED_OCTETS_MIN, MAPPED_OCTETS_MIN + 1, octets.len()] {
            assert!(Buffer::zeroed(length)[..] == vec![0; length][..], "{length} of zero");
            for room in [0, length / 2, length, 4 * length] {
                let mut buffer = Buffer::with_room(room);
                octets[..length].chunks(997).for_each(|chunk| buffer.extend(chunk));
                assert!(buffer.fit()[..] == octets[..length], "{length} in {room}");
                // A file may have grown, or shrunk, since it was looked at.
                file.set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| file.write_all(&octets[..length]))
                    .expect("written");
                file.rewind().expect("a file");
                assert!(Buffer::read(&mut file, room).expect("a file")[..] == octets[..length], "{length} in {room}");
            }
        }
    }
}
