//! The data directory: who has it, and which format it is in.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::JournalError;

/// The format of the data directory that this release writes.
pub const FORMAT: u32 = 2;

/// A data directory that this process has to itself.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    migrated_from: Option<u32>,
    /// Holds the lock while it is open; the kernel releases it when the process ends, however it ends.
    _lock: File,
}

impl DataDirectory {
    /// Opens a directory, making it if need be: takes its lock and checks its format.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        fs::create_dir_all(path).map_err(|e| JournalError::io("make the data directory", path, e))?;
        let lock = lock(path)?;
        let migrated_from = bring_to_format(path)?;
        Ok(Self { path: path.to_owned(), migrated_from, _lock: lock })
    }

    /// Takes the lock of a directory that exists, to look at it or repair it: its format is checked and stays what it is.
    pub fn hold(path: &Path) -> Result<Self, JournalError> {
        let lock = lock(path)?;
        let found = format_of(path)?.map(|format| known_format(path, &format)).transpose()?;
        Ok(Self { path: path.to_owned(), migrated_from: found.filter(|found| *found != FORMAT), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format that the directory had, if it was an older one. It has this release's now.
    pub fn migrated_from(&self) -> Option<u32> {
        self.migrated_from
    }

    /// The folder of the journal's segments.
    pub fn journal(&self) -> PathBuf {
        journal_folder(&self.path)
    }

    /// The folder of the state store.
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }
}

/// The folder of a data directory's segments.
pub fn journal_folder(data: &Path) -> PathBuf {
    data.join("journal")
}

fn lock(directory: &Path) -> Result<File, JournalError> {
    let path = directory.join("LOCK");
    let failed = |e| JournalError::io("open", &path, e);
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // A holder that has not yet written itself down is unknown.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { "?" } else { holder }.to_owned();
            return Err(JournalError::Locked { path: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(e)) => return Err(JournalError::io("lock", &path, e)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(|e| JournalError::io("write", &path, e))?;
    Ok(file)
}

/// Reads the directory's format, or writes it into a directory that has none or an older one: what older formats have written stays
/// as it is and is read as it is. Returns the older format.
fn bring_to_format(directory: &Path) -> Result<Option<u32>, JournalError> {
    let path = directory.join("FORMAT");
    match format_of(directory)?.map(|format| known_format(directory, &format)).transpose()? {
        Some(FORMAT) => Ok(None),
        Some(older) => write_format(directory, &path).map(|()| Some(older)),
        None => write_format(directory, &path).map(|()| None),
    }
}

/// What the directory says of its format, if it says anything.
fn format_of(directory: &Path) -> Result<Option<String>, JournalError> {
    let path = directory.join("FORMAT");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().strip_prefix("forthwith data format ").unwrap_or(text.trim()).to_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(JournalError::io("read", &path, e)),
    }
}

/// A format that this release reads.
fn known_format(directory: &Path, found: &str) -> Result<u32, JournalError> {
    let newer = || JournalError::NewerFormat { path: directory.to_owned(), found: found.to_owned(), known: FORMAT };
    found.parse().ok().filter(|format| (1..=FORMAT).contains(format)).ok_or_else(newer)
}

fn write_format(directory: &Path, path: &Path) -> Result<(), JournalError> {
    let text = format!("forthwith data format {FORMAT}\n");
    let next = path.with_extension("next");
    write_synced(&next, text.as_bytes()).map_err(|e| JournalError::io("write", &next, e))?;
    fs::rename(&next, path).map_err(|e| JournalError::io("write", path, e))?;
    sync_folder(directory)
}

pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| JournalError::io("sync the folder", folder, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        let held = DataDirectory::open(&data).unwrap();
        let refused = DataDirectory::open(&data).unwrap_err().to_string();
        assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
        drop(held);
        assert!(DataDirectory::open(&data).is_ok());
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("FORMAT"), "forthwith data format 3\n").unwrap();
        let refused = DataDirectory::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("has format 3, this release reads format 2"), "{refused}");
        assert_eq!(fs::read_to_string(folder.path().join("FORMAT")).unwrap(), "forthwith data format 3\n");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "").unwrap();
        let refused = DataDirectory::open(&path).unwrap_err().to_string();
        assert!(
            refused.contains("cannot make the data directory") && refused.contains("a file stands where"),
            "{refused}"
        );
    }
}
