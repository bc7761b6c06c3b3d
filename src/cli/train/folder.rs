//! Model folders, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The file that makes a folder a model's.
pub(in crate::cli) const MANIFEST: &str = "manifest.toml";

/// Refuses what is in the way of a new folder, before anything is learnt.
pub(in crate::cli) fn refuse_occupied(out: &Path, may_replace: bool) -> Result<(), String> {
    let shown = out.display();
    match fs::symlink_metadata(out) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => refuse_unwritable(out),
        Err(e) => Err(format!("cannot look at `{shown}`: {e}")),
        Ok(found) if !found.is_dir() => Err(format!("`{shown}` is not a folder")),
        Ok(_) if is_empty(out) => Ok(()),
        Ok(_) if !out.join(MANIFEST).is_file() => {
            Err(format!("`{shown}` is a folder without `{MANIFEST}`, so it is no model's; name another with `--out`"))
        }
        Ok(_) if !may_replace => Err(format!(
            "there is a model in `{shown}`; replace it with `--replace`, or name another folder with `--out`"
        )),
        Ok(_) => Ok(()),
    }
}

/// Refuses a place where nothing can be written, before hours went into what would be written there.
fn refuse_unwritable(out: &Path) -> Result<(), String> {
    let Some(standing) = out.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists()) else {
        return Ok(());
    };
    let standing = if standing.as_os_str().is_empty() { Path::new(".") } else { standing };
    let tried = tempfile::Builder::new().prefix(".train-").tempdir_in(standing);
    tried.map(|_| ()).map_err(|e| format!("cannot write `{}`: {e}", out.display()))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Writes a folder's files beside its place and puts it there when all are on disk. What was there goes afterwards.
pub(in crate::cli) fn write(out: &Path, files: &[(&str, &[u8])]) -> Result<(), String> {
    write_whole(out, files).map_err(|e| format!("cannot write `{}`: {e}", out.display()))
}

fn write_whole(out: &Path, files: &[(&str, &[u8])]) -> io::Result<()> {
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    // A name with a dot in front is no model's.
    let aside = tempfile::Builder::new().prefix(".train-").tempdir_in(parent)?;
    let (new, old) = (aside.path().join("new"), aside.path().join("old"));
    fs::create_dir(&new)?;
    for (name, bytes) in files {
        let mut file = File::create(new.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    let had_one = out.exists();
    if had_one {
        fs::rename(out, &old)?;
    }
    if let Err(error) = fs::rename(&new, out) {
        if had_one {
            fs::rename(&old, out)?;
        }
        return Err(error);
    }
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_replaced_only_when_asked_and_only_if_it_is_a_models() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("models/intent-1");
        assert_eq!(refuse_occupied(&out, false), Ok(()));
        write(&out, &[(MANIFEST, b"one"), ("model.bin", b"1")]).unwrap();
        assert!(refuse_occupied(&out, false).unwrap_err().contains("--replace"));
        assert_eq!(refuse_occupied(&out, true), Ok(()));
        write(&out, &[(MANIFEST, b"two")]).unwrap();
        assert_eq!(fs::read(out.join(MANIFEST)).unwrap(), b"two");
        assert!(!out.join("model.bin").exists(), "nothing of the old one is left");
        let beside: Vec<_> = fs::read_dir(out.parent().unwrap()).unwrap().collect();
        assert_eq!(beside.len(), 1, "nothing is left beside it");

        #[cfg(target_os = "linux")]
        let nowhere = Path::new("/proc/nobody/writes/here-1");
        #[cfg(target_os = "linux")]
        assert!(refuse_occupied(nowhere, false).unwrap_err().starts_with("cannot write"));

        let other = place.path().join("home");
        fs::create_dir(&other).unwrap();
        assert_eq!(refuse_occupied(&other, false), Ok(()), "an empty folder is nobody's");
        fs::write(other.join("letter.txt"), "dear").unwrap();
        assert!(refuse_occupied(&other, true).unwrap_err().contains("no model's"));
        assert!(refuse_occupied(&other.join("letter.txt"), true).unwrap_err().contains("not a folder"));
    }
}
