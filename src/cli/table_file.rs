//! Files of tables: reading them, writing them, and saying why not.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::exit::Exit;
use super::output::{grouped, tell, write_whole};
use crate::interchange::Fault;

/// Bytes that a file may have.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why nothing is written.
pub(super) enum Stop {
    /// One sentence says it.
    Because(String),
    /// What does not translate, or cannot be read.
    Faults(Vec<Fault>),
    /// The command itself is wrong.
    Usage(String),
}

impl Stop {
    /// Tells why nothing is written of this file.
    pub(super) fn told(self, file: &Path) -> Exit {
        match self {
            Self::Because(why) => {
                tell(format!("error: {why}"));
                Exit::Failed
            }
            Self::Usage(why) => {
                tell(format!("error: {why}"));
                Exit::Usage
            }
            Self::Faults(faults) => {
                tell_faults(file, &faults, "nothing is written");
                Exit::Failed
            }
        }
    }
}

impl From<Vec<Fault>> for Stop {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

/// Reads a file that is not too large.
pub(super) fn read_bounded(file: &Path) -> Result<Vec<u8>, String> {
    let named = |e: std::io::Error| format!("`{}`: {e}", file.display());
    let mut bytes = Vec::new();
    fs::File::open(file).map_err(named)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("`{}` has more than {FILE_BYTES_MAX} bytes", file.display()));
    }
    Ok(bytes)
}

/// Writes a text to a file, or to standard output; over a file that exists only by force.
pub(super) fn write_output(file: Option<&Path>, force: bool, text: &str) -> Result<(), String> {
    // What is no file (`/dev/stdout`, a pipe) loses nothing.
    match file.filter(|file| !force && fs::metadata(file).is_ok_and(|found| found.is_file())) {
        Some(file) => Err(format!("`{}` exists, nothing is written: `--force` writes over it", file.display())),
        None => write_whole(file, text),
    }
}

/// Lists what does not translate.
pub(super) fn tell_faults(file: &Path, faults: &[Fault], consequence: &str) {
    let plural = if faults.len() == 1 { "" } else { "s" };
    let mut lines = format!("{} fault{plural} in `{}`, {consequence}:", grouped(faults.len() as u64), file.display());
    for fault in faults {
        lines.push_str(&format!("\n  {fault}"));
    }
    tell(lines);
}
