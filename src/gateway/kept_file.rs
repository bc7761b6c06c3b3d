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
