//! The floor: the same segments read, and a checksum made of every byte.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Bytes of these files.
pub(crate) fn bytes(files: &[PathBuf]) -> u64 {
    files.iter().map(|file| std::fs::metadata(file).expect("a segment").len()).sum()
}

/// Reads the files on so many threads.
pub(crate) fn read(files: &[PathBuf], threads: usize) -> Duration {
    let (begun, next) = (Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::hint::black_box(crc32c::crc32c(&std::fs::read(file).expect("a segment is read")));
                }
            });
        }
    });
    begun.elapsed()
}
