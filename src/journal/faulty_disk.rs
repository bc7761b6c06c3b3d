//! A disk for tests: the machine's, with faults at chosen moments.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use super::disk::{Disk, MachineDisk};
use crate::sync::{Condvar, Mutex, MutexGuard, thread};

/// What a disk is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Reserve,
    Write,
    Sync,
    Rename,
    Remove,
    SyncFolder,
}

/// The machine's disk, with faults at chosen moments.
#[derive(Debug, Default)]
pub(crate) struct FaultyDisk {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Operations that fail: after so many more, and how.
    failing: HashMap<Operation, (usize, ErrorKind)>,
    /// What failed, and every operation after that.
    since_failure: Vec<(Operation, PathBuf)>,
    /// What is full: nothing is reserved, and perhaps not even what is reserved can be written.
    full: Option<Full>,
    /// Whether syncs of segments wait.
    is_held: bool,
    /// Syncs that wait.
    waiting: usize,
}

/// How full a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// There is no room for another file.
    ForFiles,
    /// Nothing can be written at all, as where each write takes new blocks.
    ForWrites,
}

impl FaultyDisk {
    /// An operation fails after so many more of its kind have gone well. Everything after the failure is noted.
    pub(crate) fn fail(&self, operation: Operation, after: usize, how: ErrorKind) {
        self.state().failing.insert(operation, (after, how));
    }

    /// There is no room for further files.
    pub(crate) fn fill(&self) {
        self.state().full = Some(Full::ForFiles);
    }

    /// There is no room for further bytes.
    pub(crate) fn fill_to_the_brim(&self) {
        self.state().full = Some(Full::ForWrites);
    }

    /// There is room again.
    pub(crate) fn make_room(&self) {
        self.state().full = None;
    }

    /// Syncs of segments wait until they are released.
    pub(crate) fn hold(&self) {
        self.state().is_held = true;
    }

    /// Lets go of the syncs that wait.
    pub(crate) fn release(&self) {
        self.state().is_held = false;
        self.released.notify_all();
    }

    /// Waits until a sync is held.
    pub(crate) fn wait_until_held(&self) {
        while self.state().waiting == 0 {
            thread::yield_now();
        }
    }

    /// What failed, and every operation after that.
    pub(crate) fn since_failure(&self) -> Vec<(Operation, PathBuf)> {
        self.state().since_failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn go(&self, operation: Operation, path: &Path) -> Result<()> {
        let mut state = self.state();
        if !state.since_failure.is_empty() {
            state.since_failure.push((operation, path.to_owned()));
        }
        if let Some((after, how)) = state.failing.get_mut(&operation) {
            if *after > 0 {
                *after -= 1;
            } else {
                let how = *how;
                state.failing.remove(&operation);
                state.since_failure.push((operation, path.to_owned()));
                return Err(Error::new(how, "the disk of the test fails"));
            }
        }
        let is_full = match state.full {
            None => false,
            Some(Full::ForFiles) => operation == Operation::Reserve,
            Some(Full::ForWrites) => matches!(operation, Operation::Reserve | Operation::Write),
        };
        if is_full { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for FaultyDisk {
    fn reserve(&self, file: &File, path: &Path, bytes: u64) -> Result<()> {
        self.go(Operation::Reserve, path)?;
        MachineDisk.reserve(file, path, bytes)
    }

    fn write(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> Result<()> {
        // What fails has written something nevertheless.
        let gone = self.go(Operation::Write, path);
        let written = if gone.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        MachineDisk.write(file, path, written, at)?;
        gone
    }

    fn sync(&self, file: &File, path: &Path) -> Result<()> {
        let mut state = self.state();
        if path.extension().is_some_and(|ending| ending == "seg") {
            state.waiting += 1;
            state = self.released.wait_while(state, |state| state.is_held).unwrap();
            state.waiting -= 1;
        }
        drop(state);
        self.go(Operation::Sync, path)?;
        MachineDisk.sync(file, path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.go(Operation::Remove, path)?;
        MachineDisk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.go(Operation::Rename, to)?;
        MachineDisk.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> Result<()> {
        self.go(Operation::SyncFolder, folder)?;
        MachineDisk.sync_folder(folder)
    }
}
