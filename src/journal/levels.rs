//! Roots of complete groups of leaves, kept in files so that a proof need not read the whole journal.
//!
//! ```text
//! journal/tree/08   roots of 256 leaves each, 32 bytes after 32 bytes
//! journal/tree/16   roots of 65,536
//! journal/tree/24   roots of 16,777,216
//! ```
//!
//! Derived from the segments, and made again where they are missing, in a folder of their own that then takes the place of the other:
//! of a group of which records were lost, the root that was kept is all there is. They are synced before a head over them is signed; what
//! stands behind that may be torn after a crash and is not trusted.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::JournalError;
use super::directory::sync_folder;
use super::names::set_aside_path;
use crate::domain::Timestamp;
use crate::tlog::{Hash, Subtree};

/// The levels that are kept.
const LEVELS: [u8; 3] = [8, 16, 24];

/// The level of the smallest group.
pub(super) const GROUP_LEVEL: u8 = LEVELS[0];

/// Leaves of the smallest group.
pub(super) const GROUP: u64 = 1 << GROUP_LEVEL;

const HASH_BYTES: u64 = 32;

/// The files of all levels.
#[derive(Debug)]
pub(super) struct Levels {
    levels: Vec<Level>,
    folder: PathBuf,
}

#[derive(Debug)]
struct Level {
    level: u8,
    path: PathBuf,
    file: Arc<File>,
    /// Roots that may be trusted.
    count: u64,
    /// Roots that are to be written behind those.
    fresh: Vec<u8>,
}

pub(super) fn tree_folder(journal: &Path) -> PathBuf {
    journal.join("tree")
}

/// Where roots are made again, before they take the place of others.
fn next_folder(journal: &Path) -> PathBuf {
    journal.join("tree.next")
}

fn path_in(folder: &Path, level: u8) -> PathBuf {
    folder.join(format!("{level:02}"))
}

impl Levels {
    /// Opens the files for writing, making them if need be, and cuts off what does not belong to the first `size` leaves.
    pub(super) fn open(journal: &Path, size: u64) -> Result<Self, JournalError> {
        Self::open_in(tree_folder(journal), size)
    }

    /// Begins with empty files, elsewhere, until [`Levels::install`]: what is there may be all that speaks for records that were lost.
    pub(super) fn begin_next(journal: &Path) -> Result<Self, JournalError> {
        let next = next_folder(journal);
        if next.exists() {
            fs::remove_dir_all(&next).map_err(|e| JournalError::io("remove", &next, e))?;
        }
        Self::open_in(next, 0)
    }

    fn open_in(folder: PathBuf, size: u64) -> Result<Self, JournalError> {
        fs::create_dir_all(&folder).map_err(|e| JournalError::io("make the folder", &folder, e))?;
        let level = |level| {
            let path = path_in(&folder, level);
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(|e| JournalError::io("open", &path, e))?;
            let count = count_of(&file, level, size).map_err(|e| JournalError::io("read", &path, e))?;
            file.set_len(count * HASH_BYTES).map_err(|e| JournalError::io("cut", &path, e))?;
            Ok(Level { level, path, file: Arc::new(file), count, fresh: Vec::new() })
        };
        let levels = LEVELS.into_iter().map(level).collect::<Result<_, _>>()?;
        Ok(Self { levels, folder })
    }

    /// Puts files that were begun elsewhere in the place of the others, which are set aside unless these hold all that is in them.
    /// Does nothing for others.
    pub(super) fn install(&mut self, journal: &Path, now: Timestamp) -> Result<(), JournalError> {
        let (tree, next) = (tree_folder(journal), next_folder(journal));
        if self.folder != next {
            return Ok(());
        }
        self.sync()?;
        sync_folder(&next)?;
        let aside = set_aside_path(&tree, now);
        let moved = |from: &Path, to: &Path| fs::rename(from, to).map_err(|e| JournalError::io("rename", from, e));
        let had_tree = tree.exists();
        if had_tree {
            moved(&tree, &aside)?;
        }
        moved(&next, &tree)?;
        sync_folder(journal)?;
        for level in &mut self.levels {
            level.path = path_in(&tree, level.level);
        }
        self.folder = tree;
        if had_tree && self.hold_all_of(&aside) {
            fs::remove_dir_all(&aside).map_err(|e| JournalError::io("remove", &aside, e))?;
        } else if had_tree {
            tracing::warn!(folder = %aside.display(), "the kept roots of groups of records were other ones; they are set aside");
        }
        Ok(())
    }

    /// Removes files that were begun elsewhere.
    pub(super) fn discard(self, journal: &Path) {
        if self.folder == next_folder(journal) {
            // The next start removes what is left.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    /// Whether the files of another folder hold nothing but the beginning of these.
    fn hold_all_of(&self, other: &Path) -> bool {
        let holds = |level: &Level| match fs::read(path_in(other, level.level)) {
            Ok(bytes) => fs::read(&level.path).is_ok_and(|all| all.starts_with(&bytes)),
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
        self.levels.iter().all(holds)
    }

    /// Opens what files there are for reading; nothing behind the first `size` leaves is trusted.
    pub(super) fn look(journal: &Path, size: u64) -> Self {
        Self::look_in(tree_folder(journal), size)
    }

    fn look_in(folder: PathBuf, size: u64) -> Self {
        let level = |level| {
            let path = path_in(&folder, level);
            let file = File::open(&path).ok()?;
            let count = count_of(&file, level, size).ok()?;
            Some(Level { level, path, file: Arc::new(file), count, fresh: Vec::new() })
        };
        let levels = LEVELS.into_iter().filter_map(level).collect();
        Self { levels, folder }
    }

    /// The same files once more, for reading what was written so far: they need not be found in the folder any more.
    pub(super) fn again(&self) -> Self {
        let again = |Level { level, path, file, count, .. }: &Level| Level {
            level: *level,
            path: path.clone(),
            file: Arc::clone(file),
            count: *count,
            fresh: Vec::new(),
        };
        Self { levels: self.levels.iter().map(again).collect(), folder: self.folder.clone() }
    }

    /// How many leaves all levels know of.
    pub(super) fn leaves(&self) -> u64 {
        if self.levels.len() < LEVELS.len() {
            return 0;
        }
        let groups = self.levels.first().map_or(0, |level| level.count);
        // A higher level that is behind is filled up by growing from where it is.
        let covered = |level: &Level| match (groups << GROUP_LEVEL) >> level.level {
            due if due <= level.count => groups << GROUP_LEVEL,
            _ => level.count << level.level,
        };
        self.levels.iter().map(covered).min().unwrap_or(0)
    }

    /// Keeps a root, if its level is kept. On disk after [`Levels::write`].
    pub(super) fn push(&mut self, subtree: Subtree, hash: &Hash) {
        if let Some(level) = self.levels.iter_mut().find(|level| level.level == subtree.level) {
            let next = level.count + level.fresh.len() as u64 / HASH_BYTES;
            debug_assert_eq!(subtree.index, next, "roots come in their order");
            level.fresh.extend_from_slice(hash);
        }
    }

    /// Writes what was kept since.
    pub(super) fn write(&mut self) -> Result<(), JournalError> {
        for level in self.levels.iter_mut().filter(|level| !level.fresh.is_empty()) {
            let written = level.file.write_all_at(&level.fresh, level.count * HASH_BYTES);
            written.map_err(|e| JournalError::io("write", &level.path, e))?;
            level.count += level.fresh.len() as u64 / HASH_BYTES;
            level.fresh.clear();
        }
        Ok(())
    }

    /// Makes durable what was written.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        let sync = |level: &Level| level.file.sync_all().map_err(|e| JournalError::io("sync", &level.path, e));
        self.levels.iter().try_for_each(sync)
    }

    /// All roots of the smallest groups.
    pub(super) fn groups(&self) -> Vec<Hash> {
        let lowest = self.levels.iter().find(|level| level.level == GROUP_LEVEL);
        lowest.and_then(|level| level.read(0, level.count).ok()).unwrap_or_default()
    }

    /// The hashes of the highest level kept that a subtree is made of; `None` if they are not all there.
    pub(super) fn parts(&self, subtree: Subtree) -> Option<Vec<Hash>> {
        let of = |level: &Level| {
            let up = subtree.level.checked_sub(level.level)?;
            let (first, count) = (subtree.index << up, 1u64 << up);
            (first + count <= level.count).then(|| level.read(first, count).ok())?
        };
        self.levels.iter().rev().find_map(of)
    }
}

impl Level {
    fn read(&self, first: u64, count: u64) -> io::Result<Vec<Hash>> {
        let mut bytes = vec![0; (count * HASH_BYTES) as usize];
        self.file.read_exact_at(&mut bytes, first * HASH_BYTES)?;
        Ok(bytes.as_chunks().0.to_vec())
    }
}

/// Roots of a level that are whole and belong to the first `size` leaves.
fn count_of(file: &File, level: u8, size: u64) -> io::Result<u64> {
    Ok((file.metadata()?.len() / HASH_BYTES).min(size >> level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(index: u64) -> (Subtree, Hash) {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&index.to_le_bytes());
        (Subtree { level: 8, index }, hash)
    }

    #[test]
    fn keeps_roots_and_trusts_no_more_than_it_is_told() {
        let journal = tempfile::tempdir().unwrap();
        assert_eq!(Levels::look(journal.path(), 10_000).leaves(), 0);
        let mut levels = Levels::open(journal.path(), 0).unwrap();
        for index in 0..5 {
            let (subtree, hash) = root(index);
            levels.push(subtree, &hash);
        }
        assert_eq!(levels.leaves(), 0, "not yet written");
        levels.write().unwrap();
        levels.sync().unwrap();
        assert_eq!(levels.leaves(), 5 * GROUP);
        assert_eq!(levels.parts(Subtree { level: 9, index: 1 }), Some(vec![root(2).1, root(3).1]));
        assert_eq!(levels.parts(Subtree { level: 9, index: 2 }), None);
        assert_eq!(levels.parts(Subtree { level: 7, index: 0 }), None);
        assert_eq!(Levels::look(journal.path(), 4 * GROUP - 1).leaves(), 3 * GROUP);
        // Half a hash at the end, as a crash may leave it.
        fs::write(path_in(&tree_folder(journal.path()), 8), [7; 32 * 2 + 5]).unwrap();
        assert_eq!(Levels::open(journal.path(), u64::MAX).unwrap().leaves(), 2 * GROUP);
        assert_eq!(fs::metadata(path_in(&tree_folder(journal.path()), 8)).unwrap().len(), 64);
    }
}
