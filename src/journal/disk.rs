//! The disk as the log sees it: the writes whose order and durability everything rests on.
//!
//! A seam. The machine's disk is the one of every engine; a simulation brings one that fails, dawdles and forgets what was
//! not synced. Called once or twice per batch.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// Writes segments. What was written is durable after the sync, and only then.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {
    /// Takes room for a file's bytes before any is written, so that a full disk says so at once and is not filled to the brim
    /// to find out. Where the file system knows no such thing, writing finds out.
    fn reserve(&self, file: &File, path: &Path, bytes: u64) -> io::Result<()>;

    /// Writes bytes into a segment's file.
    fn write(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes durable what was written into a file.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()>;

    /// Gives a file its name. Durable after the folder is synced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable after the folder is synced.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The machine's.
#[derive(Debug)]
pub(super) struct MachineDisk;

impl Disk for MachineDisk {
    fn reserve(&self, file: &File, _: &Path, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            reserved => Ok(reserved?),
        }
    }

    fn write(&self, file: &File, _: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File, _: &Path) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder).and_then(|folder| folder.sync_all())
    }
}
