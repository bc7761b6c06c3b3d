//! A small file that is there whole, old or new, whatever happens while it is written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Where a few bytes are kept. A trait, so that properties can let it fail at every write.
pub(super) trait Keep: Send {
    /// What was written last; `None` if nothing ever was.
    fn read(&self) -> io::Result<Option<Vec<u8>>>;

    /// Puts these bytes in the place of all that was there. They are on the disk when this returns; if it fails, it holds either
    /// what was there or these.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Its name in messages.
    fn name(&self) -> String;
}

/// A file in a folder.
#[derive(Debug)]
pub(super) struct KeptFile {
    folder: PathBuf,
    path: PathBuf,
}

impl KeptFile {
    /// The file of this name. Nothing is read or written yet.
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), path: folder.join(name) }
    }
}

impl Keep for KeptFile {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|e| e.error)?;
        // The name is in the folder, which has to be on the disk as well.
        File::open(&self.folder)?.sync_all()
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// A file in memory that fails when it is told to.
#[cfg(test)]
pub(super) mod faulty {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::Keep;

    /// What becomes of a write.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(in super::super) enum Fate {
        /// It succeeds.
        #[default]
        Kept,
        /// It fails, and what was there is there still.
        Lost,
        /// It fails, and is on the disk all the same.
        KeptAndFailed,
    }

    /// What is on the disk. Clones are the same disk: so that a restart finds what a crash left.
    #[derive(Clone, Default)]
    pub(in super::super) struct Disk(Arc<Mutex<(Option<Vec<u8>>, Fate)>>);

    impl Disk {
        pub(in super::super) fn set_fate(&self, fate: Fate) {
            self.0.lock().unwrap().1 = fate;
        }

        pub(in super::super) fn set_bytes(&self, bytes: &[u8]) {
            self.0.lock().unwrap().0 = Some(bytes.to_vec());
        }

        pub(in super::super) fn bytes(&self) -> Option<Vec<u8>> {
            self.0.lock().unwrap().0.clone()
        }

        pub(in super::super) fn file(&self) -> Box<dyn Keep> {
            Box::new(self.clone())
        }
    }

    impl Keep for Disk {
        fn read(&self) -> io::Result<Option<Vec<u8>>> {
            Ok(self.bytes())
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            let mut disk = self.0.lock().unwrap();
            if disk.1 != Fate::Lost {
                disk.0 = Some(bytes.to_vec());
            }
            if disk.1 == Fate::Kept { Ok(()) } else { Err(io::Error::other("no space left on device")) }
        }

        fn name(&self) -> String {
            "spending.json".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("gateway");
        let mut file = KeptFile::new(&inner, "spending.json");
        assert_eq!(file.read().unwrap(), None);
        file.write(b"first").unwrap();
        file.write(b"second").unwrap();
        assert_eq!(KeptFile::new(&inner, "spending.json").read().unwrap().as_deref(), Some(&b"second"[..]));
        let names: Vec<_> = fs::read_dir(&inner).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["spending.json"], "nothing is left of what it was written with");
    }

    #[test]
    fn says_when_it_cannot_be_written_and_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("gateway");
        fs::write(&in_the_way, "a file, not a folder").unwrap();
        let mut file = KeptFile::new(&in_the_way, "spending.json");
        assert!(file.write(b"first").is_err());
        assert!(file.read().is_err(), "that is not the same as nothing");
        assert_eq!(fs::read(&in_the_way).unwrap(), b"a file, not a folder");
    }
}
