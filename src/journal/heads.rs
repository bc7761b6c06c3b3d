//! Signed heads, kept for ever: appended to a file, durable before anybody is given one.
//!
//! ```text
//! journal/heads        signed notes, each with two empty lines behind it
//! journal/heads.keys   verifier keys of all who have signed them, one a line
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::directory::{sync_folder, write_synced};
use super::names::set_aside_path;
use super::{JournalError, NotaryError};
use crate::domain::Timestamp;
use crate::tlog::{HeadError, SignedHead, VerifierKey};

/// What stands behind a head: none of ours has empty lines of its own but one.
const END: &str = "\n\n\n";

/// Bytes at the file's end that the last head is looked for in first.
const LOOK_BACK: u64 = 1 << 16;

/// The file of heads, while it is written.
#[derive(Debug)]
pub(super) struct HeadsFile {
    path: PathBuf,
    file: File,
    last: Option<SignedHead>,
    /// Where that ends.
    end: u64,
    /// Why nothing is appended any more.
    stopped: Option<String>,
}

pub(super) fn heads_path(journal: &Path) -> PathBuf {
    journal.join("heads")
}

fn keys_path(journal: &Path) -> PathBuf {
    journal.join("heads.keys")
}

impl HeadsFile {
    /// Opens the file, making it if need be. A head that was not written whole is cut off: nobody was given it. If its end is there,
    /// what is cut off is set aside under the time `now`.
    pub(super) fn open(journal: &Path, now: Timestamp) -> Result<Self, NotaryError> {
        let path = heads_path(journal);
        let failed = |e| JournalError::io("open", &path, e);
        let is_new = !path.exists();
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        if is_new {
            sync_folder(journal)?;
        }
        let (last, end) = last_head(&path, LOOK_BACK)?;
        let length = file.metadata().map_err(failed)?.len();
        if length > end {
            let torn = tail_of(&path, length - end)?.map(|(torn, _)| torn).unwrap_or_default();
            if last_end(&torn).is_some() {
                let aside = set_aside_path(&path, now);
                write_synced(&aside, &torn).map_err(|e| JournalError::io("write", &aside, e))?;
                sync_folder(journal)?;
            }
            tracing::warn!(
                file = %path.display(), offset = end, bytes = length - end,
                "cut off a signed tree head that was not written whole; nobody was given it"
            );
            file.set_len(end).and_then(|()| file.sync_all()).map_err(|e| JournalError::io("cut", &path, e))?;
        }
        Ok(Self { path, file, last, end, stopped: None })
    }

    /// The last head.
    pub(super) fn last(&self) -> Option<&SignedHead> {
        self.last.as_ref()
    }

    /// Keeps a head. It may be given away when this returns. A write that fails is taken back, and the next may be tried. After a
    /// failed sync, or if it cannot be taken back, nothing is kept any more: what of it is on the disk is unknown.
    pub(super) fn append(&mut self, head: SignedHead) -> Result<(), NotaryError> {
        self.append_by(head, File::write_all)
    }

    fn append_by(
        &mut self,
        head: SignedHead,
        write: impl FnOnce(&mut File, &[u8]) -> io::Result<()>,
    ) -> Result<(), NotaryError> {
        if let Some(reason) = &self.stopped {
            return Err(NotaryError::Stopped(reason.clone()));
        }
        let bytes = format!("{head}\n\n").into_bytes();
        if let Err(error) = write(&mut self.file, &bytes) {
            let error = JournalError::io("write", &self.path, error);
            let taken_back = self.file.set_len(self.end).and_then(|()| self.file.sync_all());
            self.stopped = taken_back.err().map(|_| error.to_string());
            return Err(error.into());
        }
        if let Err(error) = self.file.sync_data() {
            let error = JournalError::io("sync", &self.path, error);
            self.stopped = Some(error.to_string());
            return Err(error.into());
        }
        self.end += bytes.len() as u64;
        self.last = Some(head);
        Ok(())
    }
}

/// The last head that was written whole, and where what was written whole ends. Reads the file's end. A crash may leave zeros in the
/// place of one page of a head and the end of it in the next: such a last one was not written whole.
fn last_head(path: &Path, look_back: u64) -> Result<(Option<SignedHead>, u64), NotaryError> {
    let Some((tail, from)) = tail_of(path, look_back)? else { return Ok((None, 0)) };
    let mut whole = whole_part(&tail);
    if begin_of_last(whole).is_some_and(|at| whole[at..].contains(&0)) {
        whole = &whole[..begin_of_last(whole).unwrap_or(0)];
    } else if from == 0 && begin_of_last(whole).is_none() && whole.contains(&0) {
        whole = &[];
    }
    let before = begin_of_last(whole);
    if before.is_none() && from > 0 {
        return last_head(path, u64::MAX);
    }
    let at = before.unwrap_or(0);
    let last = parse_all(path, from + at as u64, &whole[at..])?.pop();
    Ok((last.map(|(_, head)| head), from + whole.len() as u64))
}

/// Where the last head of whole ones begins, unless it is the first.
fn begin_of_last(whole: &[u8]) -> Option<usize> {
    whole.len().checked_sub(END.len()).and_then(|last| last_end(&whole[..last]))
}

/// The last bytes of a file, as many as there are, and where they begin; `None` without a file.
fn tail_of(path: &Path, bytes: u64) -> Result<Option<(Vec<u8>, u64)>, NotaryError> {
    let failed = |e| NotaryError::from(JournalError::io("read", path, e));
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let from = file.metadata().map_err(failed)?.len().saturating_sub(bytes);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut tail)).map_err(failed)?;
    Ok(Some((tail, from)))
}

/// Where the last head ends that was written whole.
fn last_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(END.len()).rposition(|window| window == END.as_bytes()).map(|at| at + END.len())
}

fn whole_part(bytes: &[u8]) -> &[u8] {
    &bytes[..last_end(bytes).unwrap_or(0)]
}

fn parse_all(path: &Path, from: u64, whole: &[u8]) -> Result<Vec<(u64, SignedHead)>, NotaryError> {
    let damaged = |offset, reason| NotaryError::Heads { path: path.to_owned(), offset, reason };
    let text = str::from_utf8(whole)
        .map_err(|error| damaged(from + error.valid_up_to() as u64, "not a text in UTF-8".to_owned()))?;
    let mut heads = Vec::new();
    let mut offset = from;
    for text in text.split_terminator(END) {
        let head = format!("{text}\n").parse();
        heads.push((offset, head.map_err(|error: HeadError| damaged(offset, error.to_string()))?));
        offset += (text.len() + END.len()) as u64;
    }
    Ok(heads)
}

/// All heads that were kept, with the places where they begin, from a folder that another process may be writing.
pub(super) fn read_heads(journal: &Path) -> Result<Vec<(u64, SignedHead)>, NotaryError> {
    let path = heads_path(journal);
    let Some((bytes, _)) = tail_of(&path, u64::MAX)? else { return Ok(Vec::new()) };
    parse_all(&path, 0, whole_part(&bytes))
}

/// The last head that was kept, from a folder that another process may be writing. Nothing is verified.
pub fn newest_head(journal: &Path) -> Result<Option<SignedHead>, NotaryError> {
    last_head(&heads_path(journal), LOOK_BACK).map(|(last, _)| last)
}

/// The keys that have signed the heads of a journal, the newest last.
pub fn known_keys(journal: &Path) -> Result<Vec<VerifierKey>, NotaryError> {
    let path = keys_path(journal);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(JournalError::io("read", &path, e).into()),
    };
    let key = |line: &str| line.parse().map_err(|error| NotaryError::Key { path: path.clone(), error });
    text.lines().map(key).collect()
}

/// Writes down who signs from now on.
pub(super) fn add_key(journal: &Path, keys: &mut Vec<VerifierKey>, key: VerifierKey) -> Result<(), NotaryError> {
    keys.retain(|known| *known != key);
    keys.push(key);
    let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
    let (path, next) = (keys_path(journal), journal.join("heads.keys.next"));
    let written =
        File::create(&next).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&next, &path)).map_err(|e| JournalError::io("write", &path, e))?;
    Ok(sync_folder(journal)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{SEED_BYTES, SigningKey, TreeHead};

    fn head(size: u64) -> SignedHead {
        let key = SigningKey::new("example.com/log", &[1; SEED_BYTES]).unwrap();
        TreeHead { origin: "example.com/log".to_owned(), size, root: [size as u8; 32], extensions: Vec::new() }
            .sign(&key)
            .unwrap()
    }

    fn open(journal: &Path) -> Result<HeadsFile, NotaryError> {
        HeadsFile::open(journal, Timestamp::from_micros(0))
    }

    #[test]
    fn what_was_kept_is_there_and_what_was_torn_is_not() {
        let journal = tempfile::tempdir().unwrap();
        let path = heads_path(journal.path());
        assert_eq!(newest_head(journal.path()).unwrap(), None);
        let mut file = open(journal.path()).unwrap();
        // More than is looked back for the last.
        let count = LOOK_BACK / 100;
        (1..=count).for_each(|size| file.append(head(size)).unwrap());
        drop(file);
        let whole = fs::read(&path).unwrap();
        assert!(whole.len() as u64 > LOOK_BACK);
        assert_eq!(read_heads(journal.path()).unwrap().len() as u64, count);
        // A crash may leave any part of the next one, or zeros in its place.
        let next = format!("{}\n\n", head(count + 1)).into_bytes();
        let ends = (0..next.len()).step_by(7).chain([next.len() - 1]);
        for torn in ends.map(|end| next[..end].to_vec()).chain([vec![0; 300]]) {
            fs::write(&path, [whole.as_slice(), &torn].concat()).unwrap();
            assert_eq!(newest_head(journal.path()).unwrap(), Some(head(count)), "{} bytes", torn.len());
            assert_eq!(open(journal.path()).unwrap().last(), Some(&head(count)));
            assert!(fs::read(&path).unwrap() == whole, "cut off");
        }
        open(journal.path()).unwrap().append(head(count + 1)).unwrap();
        assert_eq!(newest_head(journal.path()).unwrap(), Some(head(count + 1)));
    }

    /// A head lies across the border of two pages, and only the second came to the disk.
    #[test]
    fn a_head_that_was_torn_in_its_middle_is_set_aside() {
        for before in [0, 1, 3] {
            let journal = tempfile::tempdir().unwrap();
            let path = heads_path(journal.path());
            let whole: String = (1..=before).map(|size| format!("{}\n\n", head(size))).collect();
            let mut torn = format!("{}\n\n", head(before + 1)).into_bytes();
            let half = torn.len() / 2;
            torn[..half].fill(0);
            fs::write(&path, [whole.as_bytes(), &torn].concat()).unwrap();
            let last = (before > 0).then(|| head(before));
            assert_eq!(newest_head(journal.path()).unwrap(), last);
            assert_eq!(open(journal.path()).unwrap().last(), last.as_ref());
            assert!(fs::read(&path).unwrap() == whole.as_bytes(), "cut off");
            assert_eq!(fs::read(set_aside_path(&path, Timestamp::from_micros(0))).unwrap(), torn);
        }
    }

    #[test]
    fn a_write_that_fails_is_taken_back_and_the_next_is_kept() {
        let journal = tempfile::tempdir().unwrap();
        let mut file = open(journal.path()).unwrap();
        file.append(head(1)).unwrap();
        let failed = file.append_by(head(2), |file, bytes| {
            file.write_all(&bytes[..50])?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(NotaryError::Journal(JournalError::Io { .. }))), "{failed:?}");
        file.append(head(3)).unwrap();
        let kept = read_heads(journal.path()).unwrap().into_iter().map(|(_, head)| head);
        assert_eq!(kept.collect::<Vec<_>>(), [head(1), head(3)]);
        // What cannot be taken back ends it.
        file.file = File::open(heads_path(journal.path())).unwrap();
        assert!(matches!(file.append(head(4)), Err(NotaryError::Journal(_))));
        assert!(matches!(file.append(head(4)), Err(NotaryError::Stopped(_))));
    }

    #[test]
    fn what_is_no_head_is_named_by_its_place() {
        let journal = tempfile::tempdir().unwrap();
        let text = format!("{}\n\n{}\n\n", head(1), head(2).to_string().replacen("\n2\n", "\n02\n", 1));
        fs::write(heads_path(journal.path()), text).unwrap();
        let offset = head(1).to_string().len() + 2;
        let refused = open(journal.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("at byte {offset}: ")) && refused.contains("second line"), "{refused}");
    }
}
