//! The notary: signs heads of the tree over all records, keeps them, and proves by them what the journal holds.
//!
//! A head is signed over records that are synced, and is durable before anybody is given it. At a start the last one must fit
//! the journal's size, the roots that are kept and the records behind the last whole group: what does not is refused. All records are
//! read by a verification only.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::fresh::FreshLeaves;
use super::heads::{HeadsFile, add_key, known_keys};
use super::proving::{Consistency, Inclusion, consistency_in, inclusion_in};
use super::signing_key::signing_key;
use super::tree::RecordTree;
use super::{DataDirectory, Journal, JournalError};
use crate::domain::Timestamp;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, MutexGuard};
use crate::time::{Clock, Instant};
use crate::tlog::{EntryProof, Hash, HeadError, KeyError, SignedHead, SigningKey, TreeHead, VerifierKey, base64};

/// How heads are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotaryConfig {
    /// The file of the key that signs, made if it is not there; `signing.key` in the data directory if none is named.
    pub key: Option<PathBuf>,
    /// The name of the log; `localhost/forthwith/` and its number if none is given.
    pub origin: Option<String>,
    /// How often a head is signed at most, while records are written.
    pub sign_every: Duration,
    /// Threads that read segments when much of the tree is to be made again.
    pub workers: usize,
}

impl Default for NotaryConfig {
    /// Who holds a head of a minute ago can prove everything but the last minute; a year of them takes some 100 MB.
    fn default() -> Self {
        Self { key: None, origin: None, sign_every: Duration::from_secs(60), workers: 2 }
    }
}

/// Why a head cannot be signed, or nothing can be proved by it.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The journal or a file beside it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The key.
    #[error("`{path}` does not hold a usable key: {error}", path = path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyError,
    },
    /// The key is of another log.
    #[error(
        "the key in `{path}` signs for `{name}`, and `origin` is `{origin}`; name another file by `signing_key`, or leave the \
         origin as it was",
        path = path.display()
    )]
    KeyOfAnother {
        /// Its file.
        path: PathBuf,
        /// The log that it signs for.
        name: String,
        /// The log that there is.
        origin: String,
    },
    /// The file of the heads.
    #[error("`{path}` is damaged at byte {offset}: {reason}; put back an undamaged copy of it", path = path.display())]
    Heads {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The last head is not signed by a key of this journal.
    #[error("the last tree head that was signed is not to be believed: {0}")]
    Head(#[from] HeadError),
    /// The journal is not the one that the last head was signed over.
    #[error("{0}")]
    Unfit(Box<Unfit>),
    /// There is no such tree or record yet.
    #[error("{asked} is beyond the journal, which has {size} records")]
    Beyond {
        /// What was asked for, in words.
        asked: String,
        /// How many records there are.
        size: u64,
    },
    /// No tree has such a record, or begins with such a tree.
    #[error("{0}")]
    NoSuch(String),
    /// The record, or records whose hashes its proof would need, were lost to damage.
    #[error(
        "it cannot be proved: the records {first} to {last}, whose hashes the proof needs, were lost to damage; `forthwith verify` names \
         all that were"
    )]
    Lost {
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The records do not lead to the root that they had.
    #[error(
        "the records that were read do not lead to the root of the first {size}: one of them was changed, or a root kept in \
         `journal/tree`; `forthwith verify` says which"
    )]
    Disagree {
        /// The size of the tree.
        size: u64,
        /// The root that was found.
        root: Hash,
    },
    /// Nothing was signed yet.
    #[error("no tree head covers record {0} yet; a running engine signs one when it is asked, or when it stops")]
    NotSigned(u64),
    /// A head could not be kept before.
    #[error("no tree heads are signed any more: {0}; start the engine again")]
    Stopped(String),
}

/// How a journal differs from what was signed over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The head that was signed.
    pub signed: TreeHead,
    /// How many records there are.
    pub records: u64,
    /// The root over as many records as were signed, if there are so many.
    pub root: Option<Hash>,
}

/// Signs and proves, for a journal that is written.
#[derive(Debug)]
pub struct Notary {
    desk: Arc<Desk>,
    journal: Journal,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the notary's thread works with.
#[derive(Debug)]
struct Desk {
    tree: RecordTree,
    fresh: Arc<FreshLeaves>,
    key: SigningKey,
    keys: Vec<VerifierKey>,
    heads: Mutex<HeadsFile>,
    /// The size of the head that lost records cut off, if the journal began with one.
    cut_off: Option<u64>,
    sign_every: Duration,
    clock: Clock,
}

impl Notary {
    /// Takes up the work: reads the key or makes it, checks that the last head fits the journal, starts a thread that signs.
    pub fn start(
        directory: &DataDirectory,
        journal: &Journal,
        config: &NotaryConfig,
        clock: Clock,
    ) -> Result<Self, NotaryError> {
        let fresh = Arc::clone(journal.fresh());
        fresh.want();
        let folder = journal.folder();
        let origin = config.origin.clone();
        let origin = origin.unwrap_or_else(|| format!("localhost/forthwith/{:016x}", journal.log_number()));
        let path = config.key.clone().unwrap_or_else(|| directory.path().join("signing.key"));
        let key = signing_key(&path, &origin)?;
        let mut keys = known_keys(folder)?;
        let heads = HeadsFile::open(folder, clock.wall())?;
        if keys.last() != Some(&key.verifier()) {
            if heads.last().is_some() {
                tracing::warn!(key = %key.verifier(), "tree heads are signed with another key from now on: give it to whoever verifies them");
            }
            add_key(folder, &mut keys, key.verifier())?;
        }
        let tree = fitting_tree(journal, &fresh, heads.last(), &keys, config.workers, clock.wall())?;
        let is_cut_off = |last: &TreeHead| tree.size() == last.size && tree.root() != last.root;
        let cut_off = heads.last().map(SignedHead::head).filter(|last| is_cut_off(last)).map(|last| last.size);
        let (heads, sign_every) = (Mutex::new(heads), config.sign_every);
        let desk = Arc::new(Desk { tree, fresh, key, keys, heads, cut_off, sign_every, clock });
        let working = Arc::clone(&desk);
        let thread = thread::Builder::new().name("forthwith-notary".to_owned()).spawn(move || working.work());
        let thread = thread.map_err(|e| JournalError::io("start the notary of", folder, e))?;
        Ok(Self { desk, journal: journal.clone(), thread: Mutex::new(Some(thread)) })
    }

    /// The key that verifies what is signed now.
    pub fn key(&self) -> VerifierKey {
        self.desk.key.verifier()
    }

    /// A head over everything that is synced: the last one, or a new one if there is news. Writes and syncs a file.
    pub fn head(&self) -> Result<SignedHead, NotaryError> {
        self.head_over(self.journal.synced_seq())
    }

    /// A head over a record: the last one if it covers it, or a new one.
    pub fn head_over(&self, seq: u64) -> Result<SignedHead, NotaryError> {
        let synced = self.journal.synced_seq();
        if seq > synced {
            return Err(NotaryError::Beyond { asked: format!("record {seq}"), size: synced });
        }
        self.desk.sign(seq.max(1), synced)
    }

    /// Proves that a record is in the tree of a size.
    pub fn inclusion(&self, seq: u64, size: u64) -> Result<Inclusion, NotaryError> {
        self.has(size)?;
        let newest = self.desk.heads().last().cloned();
        inclusion_in(&mut self.desk.tree.reader(), seq, size, newest.as_ref().map(SignedHead::head))
    }

    /// Proves that the tree of one size begins with the tree of another.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Consistency, NotaryError> {
        self.has(to)?;
        let newest = self.desk.heads().last().cloned();
        consistency_in(&mut self.desk.tree.reader(), from, to, newest.as_ref().map(SignedHead::head))
    }

    /// A record's proof with the signed head it leads to.
    pub fn entry_proof(&self, seq: u64) -> Result<EntryProof, NotaryError> {
        let head = self.head_over(seq)?;
        self.entry_proof_under(seq, head)
    }

    /// A record's proof with a signed head of this journal that covers it.
    pub fn entry_proof_under(&self, seq: u64, head: SignedHead) -> Result<EntryProof, NotaryError> {
        self.has(head.head().size)?;
        inclusion_in(&mut self.desk.tree.reader(), seq, head.head().size, Some(head.head()))
            .map(|found| found.under(head))
    }

    /// Signs a last head over everything, and stops. Call it when the journal is closed.
    pub fn close(&self) -> Result<(), NotaryError> {
        let synced = self.journal.synced_seq();
        let signed = match synced {
            0 => Ok(()),
            _ => self.head_over(synced).map(drop),
        };
        self.stop();
        signed
    }

    fn has(&self, size: u64) -> Result<(), NotaryError> {
        let synced = self.journal.synced_seq();
        if size > synced {
            return Err(NotaryError::Beyond { asked: format!("a tree of {size}"), size: synced });
        }
        self.desk.tree.catch_up_to(size)?;
        Ok(())
    }

    fn stop(&self) {
        self.desk.fresh.end();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic there was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Notary {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Desk {
    /// Takes in what the committer hands over, and signs now and then.
    fn work(&self) {
        let mut signed = self.clock.instant();
        loop {
            let left = self.sign_every.saturating_sub(self.clock.instant().since(signed));
            let is_end = self.fresh.wait_for_many(left);
            if is_end {
                return;
            }
            let done = self.tree.catch_up().map_err(NotaryError::from).and_then(|_| self.sign_if_due(&mut signed));
            if let Err(error) = done {
                tracing::error!(%error, "no tree head is signed until this is mended");
                signed = self.clock.instant();
            }
        }
    }

    fn sign_if_due(&self, signed: &mut Instant) -> Result<(), NotaryError> {
        if self.clock.instant().since(*signed) < self.sign_every {
            return Ok(());
        }
        *signed = self.clock.instant();
        match self.tree.size() {
            0 => Ok(()),
            size => self.sign(size, size).map(drop),
        }
    }

    /// A head over the record `seq`: the last one, or a new one over all that is `synced`. Who waits here while another is signed is
    /// mostly served with that one, so however many ask, heads are signed one after the other.
    fn sign(&self, seq: u64, synced: u64) -> Result<SignedHead, NotaryError> {
        let mut heads = self.heads();
        // INVARIANT: heads are signed in the order of their sizes, each over a tree that begins with the one before.
        // The one exception: where lost records cut the last head off, the next one is over what is accounted for.
        if let Some(last) = heads.last()
            && last.head().size >= seq
            && (self.cut_off != Some(last.head().size) || synced == last.head().size)
        {
            return Ok(last.clone());
        }
        let (size, root) = self.tree.catch_up_to(synced)?;
        if size < seq {
            return Err(NotaryError::NotSigned(seq));
        }
        self.tree.sync()?;
        let origin = self.key.name().to_owned();
        let head = TreeHead { origin, size, root, extensions: Vec::new() }.sign(&self.key)?;
        head.verify(&self.keys)?;
        heads.append(head.clone())?;
        Ok(head)
    }

    fn heads(&self) -> MutexGuard<'_, HeadsFile> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tree as far as the last head goes, whose root it must have.
fn fitting_tree(
    journal: &Journal,
    fresh: &Arc<FreshLeaves>,
    last: Option<&SignedHead>,
    keys: &[VerifierKey],
    workers: usize,
    now: Timestamp,
) -> Result<RecordTree, NotaryError> {
    let open = |trusted| RecordTree::open(journal.folder(), Arc::clone(fresh), trusted, workers, now);
    let Some(last) = last else { return Ok(open(0)?) };
    last.verify(keys)?;
    let signed = last.head();
    let unfit =
        |root| NotaryError::Unfit(Box::new(Unfit { signed: signed.clone(), records: journal.synced_seq(), root }));
    if signed.size > journal.synced_seq() {
        return Err(unfit(None));
    }
    let fits = |tree: &RecordTree| {
        tree.read_until(signed.size)?;
        Ok::<bool, JournalError>(tree.root() == signed.root)
    };
    let tree = open(signed.size)?;
    if fits(&tree)? {
        return Ok(tree);
    }
    // The roots that are kept may be what is damaged: they are made again before the journal is doubted.
    let tree = tree.anew()?;
    if fits(&tree)? {
        tree.sync()?;
        return Ok(tree);
    }
    if tree.has_lost_end(signed.size) {
        tracing::warn!(
            size = signed.size,
            "the last tree head cannot be checked: records of the group that it ends within were lost to damage"
        );
        tree.sync()?;
        return Ok(tree);
    }
    let root = tree.root();
    tree.discard();
    Err(unfit(Some(root)))
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { signed: TreeHead { size, root: signed, .. }, records, root } = self;
        match root {
            None => write!(
                f,
                "the journal has {records} records, and a tree head was signed over {size}: records were removed after they were \
                 signed, or an older copy of the journal was put back. Put back the newest copy"
            ),
            Some(root) => write!(
                f,
                "the first {size} records are not those that were signed: their tree has the root {}, the signed head has {}. A record \
                 was changed, removed or slipped in. Put back an untouched copy",
                base64(root),
                base64(signed)
            ),
        }?;
        f.write_str(
            "; if there is none and the loss is accepted, move `journal/heads` out of the data directory and keep it, for it is the \
             evidence",
        )
    }
}
