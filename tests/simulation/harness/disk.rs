//! A disk that keeps apart what was written and what is durable.
//!
//! The bytes are in real files, so that the ordinary code reads them; what the sectors held before an unsynced write is
//! remembered, and given back, sector by sector as the dice say, when the power goes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::dice::Dice;
use super::machine::Machine;
use crate::journal::{Disk, Journal};
use crate::sync::{point, thread};

const SECTOR: u64 = 512;

/// The disk of a machine.
#[derive(Debug)]
pub(super) struct SimulatedDisk {
    machine: Arc<Machine>,
    journal: std::sync::Mutex<Option<Journal>>,
    /// The last record that the journal had announced when a write or sync of a segment failed.
    failed_at: std::sync::Mutex<Option<u64>>,
    has_failed: AtomicBool,
}

/// What is not yet durable.
#[derive(Debug, Default)]
pub(super) struct Sectors {
    /// By file: where bytes were written, and what stood there.
    unsynced: HashMap<PathBuf, Vec<(u64, Vec<u8>)>>,
    /// Files that were renamed, from and to.
    renamed: Vec<(PathBuf, PathBuf)>,
    /// Files that were removed, and what was in them.
    removed: Vec<(PathBuf, Vec<u8>)>,
}

impl SimulatedDisk {
    pub(super) fn new(machine: &Arc<Machine>) -> Arc<Self> {
        Arc::new(Self {
            machine: Arc::clone(machine),
            journal: Default::default(),
            failed_at: Default::default(),
            has_failed: AtomicBool::new(false),
        })
    }

    /// Tells the disk whose it is, so that it can note what was announced when it fails; `None` at the end.
    pub(super) fn belong_to(&self, journal: Option<Journal>) {
        let before = std::mem::replace(&mut *self.journal.lock().unwrap(), journal);
        drop(before);
    }

    /// After a failure: the last record that had been announced by then.
    pub(super) fn failed_at(&self) -> Option<u64> {
        *self.failed_at.lock().unwrap()
    }

    /// Whether anything failed, be it only a file that another may take the place of.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    fn fail(&self, what: &str, path: &Path) -> io::Error {
        self.has_failed.store(true, Ordering::Relaxed);
        if !is_blank(path) {
            let journal = self.journal.lock().unwrap().clone();
            let announced = journal.as_ref().map_or(0, Journal::synced_seq);
            self.failed_at.lock().unwrap().get_or_insert(announced);
        }
        io::Error::other(format!("the simulated disk fails to {what}"))
    }
}

impl Disk for SimulatedDisk {
    fn reserve(&self, _: &File, path: &Path, _: u64) -> io::Result<()> {
        point();
        if is_blank(path) && self.machine.befalls(|weather| weather.full) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn write(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
        point();
        let is_failing = self.machine.befalls(|weather| weather.failing);
        let written = if is_failing { &bytes[..bytes.len() / 2] } else { bytes };
        let mut before = vec![0; written.len()];
        // A log that was begun with smaller segments makes its last file longer: what was not there counts as zeros.
        let _ = file.read_at(&mut before, at)?;
        self.machine.sectors.lock().unwrap().unsynced.entry(path.to_owned()).or_default().push((at, before));
        file.write_all_at(written, at)?;
        point();
        if is_failing { Err(self.fail("write", path)) } else { Ok(()) }
    }

    fn sync(&self, _: &File, path: &Path) -> io::Result<()> {
        if self.machine.befalls(|weather| weather.slow) {
            for _ in 0..self.machine.draw(1, 60) {
                thread::yield_now();
            }
        }
        if is_blank(path) && self.machine.befalls(|weather| weather.full) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if self.machine.befalls(|weather| weather.failing) {
            return Err(self.fail("sync", path));
        }
        if !self.machine.befalls(|weather| weather.lying) {
            self.machine.sectors.lock().unwrap().unsynced.remove(path);
        }
        point();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        point();
        fs::rename(from, to)?;
        let mut sectors = self.machine.sectors.lock().unwrap();
        sectors.renamed.push((from.to_owned(), to.to_owned()));
        if let Some(unsynced) = sectors.unsynced.remove(from) {
            sectors.unsynced.insert(to.to_owned(), unsynced);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        point();
        let bytes = fs::read(path)?;
        fs::remove_file(path)?;
        let mut sectors = self.machine.sectors.lock().unwrap();
        sectors.unsynced.remove(path);
        sectors.removed.push((path.to_owned(), bytes));
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        point();
        let mut sectors = self.machine.sectors.lock().unwrap();
        sectors.renamed.clear();
        sectors.removed.clear();
        drop(sectors);
        point();
        Ok(())
    }
}

/// Whether a file is not yet a segment.
fn is_blank(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "tmp")
}

impl Sectors {
    /// Copies a folder as it would be found after the power went, or, now and then, after the process was killed and nothing
    /// else: then all of it is there, and what was not durable still is not. Returns what is not durable of the copy.
    pub(super) fn freeze(&self, folder: &Path, image: &Path, dice: &mut Dice) -> Self {
        fs::create_dir_all(image).unwrap();
        let Ok(entries) = fs::read_dir(folder) else { return Self::default() };
        if dice.percent(25) {
            for entry in entries {
                let path = entry.unwrap().path();
                fs::copy(&path, image.join(path.file_name().unwrap())).unwrap();
            }
            return self.moved_to(image);
        }
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let survival = dice.one_of(&[Survival::Nothing, Survival::Everything, Survival::Prefix, Survival::Sectors]);
        for path in paths {
            let mut bytes = fs::read(&path).unwrap();
            for (at, before) in self.unsynced.get(&path).into_iter().flatten().rev() {
                survival.revert(&mut bytes, *at, before, dice);
            }
            let renamed = self.renamed.iter().rev().find(|(_, to)| *to == path);
            let name = match renamed {
                Some((from, _)) if dice.percent(50) => from.file_name().unwrap(),
                _ => path.file_name().unwrap(),
            };
            fs::write(image.join(name), bytes).unwrap();
        }
        for (path, bytes) in &self.removed {
            if dice.percent(50) {
                fs::write(image.join(path.file_name().unwrap()), bytes).unwrap();
            }
        }
        Self::default()
    }

    /// The same of a copy of the folder.
    fn moved_to(&self, image: &Path) -> Self {
        let moved = |path: &PathBuf| image.join(path.file_name().unwrap());
        let unsynced = self.unsynced.iter().map(|(path, writes)| (moved(path), writes.clone())).collect();
        Self {
            unsynced,
            renamed: self.renamed.iter().map(|(from, to)| (moved(from), moved(to))).collect(),
            removed: self.removed.iter().map(|(path, bytes)| (moved(path), bytes.clone())).collect(),
        }
    }
}

/// What survives of unsynced writes.
#[derive(Clone, Copy, Debug)]
enum Survival {
    Nothing,
    Everything,
    /// Bytes from the front.
    Prefix,
    /// Any sectors.
    Sectors,
}

impl Survival {
    fn revert(self, bytes: &mut [u8], at: u64, before: &[u8], dice: &mut Dice) {
        let length = before.len() as u64;
        match self {
            Self::Everything => {}
            Self::Nothing => put_back(bytes, at, before, 0, length),
            Self::Prefix => put_back(bytes, at, before, dice.between(0, length), length),
            Self::Sectors => {
                let mut from = 0;
                while from < length {
                    let until = (((at + from) / SECTOR + 1) * SECTOR - at).min(length);
                    if dice.percent(50) {
                        put_back(bytes, at, before, from, until);
                    }
                    from = until;
                }
            }
        }
    }
}

fn put_back(bytes: &mut [u8], at: u64, before: &[u8], from: u64, until: u64) {
    let (from, until, at) = (from as usize, until as usize, at as usize);
    // A file that was begun anew is shorter than what was written into the one before.
    let until = until.min(bytes.len().saturating_sub(at));
    if from >= until {
        return;
    }
    bytes[at + from..at + until].copy_from_slice(&before[from..until]);
}
