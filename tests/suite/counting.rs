//! An allocator that counts, thread by thread: the system's, with two counters before it.
#![allow(unsafe_code, reason = "an allocator is unsafe to write; every call is handed on as it came")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// How often this thread asked for memory and gave it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Growing or shrinking what is there counts too.
    pub(crate) allocations: u64,
    pub(crate) frees: u64,
}

thread_local! {
    // Const and without a destructor: reading it allocates nothing itself.
    static COUNT: Cell<Count> = const { Cell::new(Count { allocations: 0, frees: 0 }) };
}

/// The count of this thread so far.
pub(crate) fn count() -> Count {
    COUNT.get()
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocated() {
    COUNT.set(Count { allocations: COUNT.get().allocations + 1, ..COUNT.get() });
}

// SAFETY: every method hands its arguments, whose conditions its caller keeps, to the system's allocator and its
// result back; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated();
        // SAFETY: the caller keeps the conditions of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated();
        // SAFETY: the caller keeps the conditions of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, octets: usize) -> *mut u8 {
        allocated();
        // SAFETY: the caller keeps the conditions of `realloc`; `pointer` came from the system's allocator.
        unsafe { System.realloc(pointer, layout, octets) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNT.set(Count { frees: COUNT.get().frees + 1, ..COUNT.get() });
        // SAFETY: the caller keeps the conditions of `dealloc`; `pointer` came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}
