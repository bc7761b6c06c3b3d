//! An allocator that counts what is kept, while it is asked to.

#![allow(unsafe_code, reason = "an allocator is unsafe by nature; every call is handed on as it came")]
#![allow(dead_code, reason = "each bench uses its part")]
#![allow(clippy::disallowed_methods, reason = "a bench has a clock")]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counts for the allocator that it wraps.
pub(crate) struct Counting<A>(pub(crate) A);

/// What loading something cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How long it took.
    pub(crate) took: Duration,
    /// Bytes that it still held at the end.
    pub(crate) bytes: isize,
}

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static KEPT: AtomicIsize = AtomicIsize::new(0);

/// Loads something under the eyes of the counter. Not to be nested.
pub(crate) fn loading<T>(load: impl FnOnce() -> T) -> (T, Load) {
    KEPT.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
    let start = Instant::now();
    let loaded = load();
    let took = start.elapsed();
    IS_COUNTING.store(false, Relaxed);
    (loaded, Load { took, bytes: KEPT.load(Relaxed) })
}

/// Outside of [`loading`] this is one read of a flag.
#[inline]
fn count(bytes: isize) {
    if IS_COUNTING.load(Relaxed) {
        KEPT.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: every call goes to the wrapped allocator with the arguments it came with, and its answer is handed back.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { self.0.realloc(pointer, layout, size) }
    }
}
