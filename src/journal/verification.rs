//! The whole journal verified: every checksum, the chain, the tree, and every head that was signed over it.

use std::path::Path;

use super::heads::{known_keys, read_heads};
use super::leaves::lost_leaf;
use super::levels::{GROUP, GROUP_LEVEL, Levels};
use super::survey::{Piece, Survey, Surveyed};
use super::{Gap, JournalError, NotaryError, SegmentSpan, segments};
use crate::sync::thread;
use crate::tlog::{Frontier, Hash, HeadError, SignedHead, Subtree, TreeHead, VerifierKey, base64};

/// What to verify, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Verify<'a> {
    /// The folder of the segments.
    pub journal: &'a Path,
    /// A key that the newest head and the head held outside must be signed by. Without one those that the journal names are believed.
    pub key: Option<&'a VerifierKey>,
    /// A head that was held outside.
    pub held: Option<&'a SignedHead>,
    /// Segments that are read at a time.
    pub workers: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Verified {
    /// How many segments there are.
    pub segments: u64,
    /// How many records were read.
    pub records: u64,
    /// The root of the tree over all records; `None` if they could not all be read.
    pub root: Option<Hash>,
    /// How many heads were kept.
    pub heads: u64,
    /// How many of those lie behind records of their group that were lost, and cannot be checked.
    pub unchecked: u64,
    /// The newest that was kept.
    pub newest: Option<TreeHead>,
    /// Records that were lost to damage, and are accounted for by a repair.
    pub gaps: Vec<Gap>,
    /// What does not hold. Empty if everything does.
    pub faults: Vec<VerifyFault>,
}

/// Something that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum VerifyFault {
    /// A segment.
    #[error(transparent)]
    Damaged(#[from] JournalError),
    /// The heads or keys beside the journal cannot be read.
    #[error(transparent)]
    Notary(#[from] NotaryError),
    /// A head is not signed as it should be.
    #[error("{which} over {size} records is not to be believed: {error}")]
    Signature {
        /// Which head.
        which: &'static str,
        /// How many records it is over.
        size: u64,
        /// What is wrong with it.
        error: HeadError,
    },
    /// A key was demanded, and nothing is signed.
    #[error(
        "no tree head is kept in `journal/heads`, so nothing here is signed with `{0}`; a running engine signs one when it is asked, or \
         when it stops"
    )]
    Unsigned(String),
    /// A head that was held outside cannot be checked any more.
    #[error(
        "{which} over {size} records cannot be checked: the records {first} to {last}, of the {group} that its last root is made of, \
         were lost to damage; give one over fewer records or more", group = GROUP
    )]
    Unchecked {
        /// Which head.
        which: &'static str,
        /// How many records it is over.
        size: u64,
        /// The first record of its group that was lost.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// A head is signed over more than there is.
    #[error(
        "{which} was signed over {size} records, and the journal has {records}: records were removed after they were signed, or \
         this is an older copy"
    )]
    Beyond {
        /// Which head.
        which: &'static str,
        /// How many records it is over.
        size: u64,
        /// How many there are.
        records: u64,
    },
    /// A head is signed over other records.
    #[error(
        "{which} over {size} records has the root {signed}, the records have {found}: one of the records {first} to {last} was \
         changed, removed or slipped in after it was signed",
        signed = base64(signed), found = base64(found)
    )]
    Changed {
        /// Which head.
        which: &'static str,
        /// How many records it is over.
        size: u64,
        /// The root that was signed.
        signed: Hash,
        /// The root that the records have.
        found: Hash,
        /// The first record that may be another.
        first: u64,
        /// The last record that may be another.
        last: u64,
    },
    /// Further heads do not fit, which a change before them explains.
    #[error("later heads that do not fit either: {0}")]
    More(u64),
    /// Kept roots are not those of the records.
    #[error(
        "`journal/tree` has another root of the records {first} to {last}; delete the folder, and the next start makes it again"
    )]
    Roots {
        /// The first record.
        first: u64,
        /// The last record.
        last: u64,
    },
}

const KEPT: &str = "the tree head kept in `journal/heads`";
const HELD: &str = "the tree head held outside";

impl Verify<'_> {
    /// Verifies the journal. `progress` is told how many records were read. Reads only: it may run beside a process that writes.
    pub fn run(&self, progress: &mut dyn FnMut(u64)) -> Verified {
        let mut faults = Vec::new();
        // Heads first: what is signed meanwhile is over records that may come to be read or not.
        let heads = self.believed_heads(&mut faults);
        let newest = heads.iter().rfind(|(which, _)| *which == KEPT).map(|(_, head)| head.clone());
        let kept = heads.iter().filter(|(which, _)| *which == KEPT).count() as u64;
        let spans = self.spans(&mut faults);
        let judged =
            Judged::new(heads, Levels::look(self.journal, newest.as_ref().map_or(0, |head| head.size)).groups());
        let judged = self.survey(&spans, judged, progress, &mut faults);
        let (records, is_whole) = (judged.tree.size(), judged.is_whole && !spans.is_empty());
        let root = is_whole.then(|| judged.tree.root());
        let (gaps, unchecked) = (judged.gaps.clone(), judged.unchecked.of(KEPT));
        judged.conclude(is_whole, &mut faults);
        Verified { segments: spans.len() as u64, records, root, heads: kept, unchecked, newest, gaps, faults }
    }

    /// The segments there are, which must be all.
    fn spans(&self, faults: &mut Vec<VerifyFault>) -> Vec<SegmentSpan> {
        let spans = segments(self.journal).unwrap_or_else(|error| {
            faults.push(error.into());
            Vec::new()
        });
        let missing = (1..).zip(&spans).find(|(number, span)| *number != span.number);
        if let Some((number, _)) = missing {
            let path = super::names::segment_path(self.journal, number);
            faults.push(JournalError::damaged(&path, 0, "the segment is missing").into());
        }
        spans
    }

    fn survey(
        &self,
        spans: &[SegmentSpan],
        mut judged: Judged,
        progress: &mut dyn FnMut(u64),
        faults: &mut Vec<VerifyFault>,
    ) -> Judged {
        let sizes: Vec<u64> = judged.heads.iter().map(|(_, head)| head.size).collect();
        let leaves = (0, u64::MAX);
        let survey = Survey { journal: self.journal, segments: spans, leaves, sizes: &sizes, workers: self.workers };
        survey.run(progress, &mut |_, surveyed| {
            match surveyed {
                Ok(surveyed) => judged.take(&surveyed),
                Err(error) => {
                    judged.is_whole = false;
                    faults.push(error.into());
                }
            }
            true
        });
        judged
    }

    /// All heads that are rightly signed, by size.
    fn believed_heads(&self, faults: &mut Vec<VerifyFault>) -> Vec<(&'static str, TreeHead)> {
        let kept = read_heads(self.journal).unwrap_or_else(|error| {
            faults.push(error.into());
            Vec::new()
        });
        let mut keys = known_keys(self.journal).unwrap_or_else(|error| {
            faults.push(error.into());
            Vec::new()
        });
        keys.extend(self.key.cloned());
        let mut of: Vec<(&SignedHead, &'static str, &[VerifierKey])> =
            kept.iter().map(|(_, head)| (head, KEPT, keys.as_slice())).collect();
        let demanded = self.key.map(std::slice::from_ref);
        if let (Some(newest), Some(demanded)) = (of.last_mut(), demanded) {
            newest.2 = demanded;
        }
        of.extend(self.held.map(|head| (head, HELD, demanded.unwrap_or(&keys))));
        if let (true, true, Some(key)) = (of.is_empty(), faults.is_empty(), self.key) {
            faults.push(VerifyFault::Unsigned(key.to_string()));
        }
        let mut heads = Vec::with_capacity(of.len());
        for ((head, which, _), verified) in of.iter().zip(self.signatures(&of)) {
            let head = head.head();
            match verified {
                Ok(()) => heads.push((*which, head.clone())),
                Err(error) => faults.push(VerifyFault::Signature { which, size: head.size, error }),
            }
        }
        heads.sort_by_key(|(_, head)| head.size);
        heads
    }

    /// Whether each head is signed by one of its keys, several at a time.
    fn signatures(&self, heads: &[(&SignedHead, &'static str, &[VerifierKey])]) -> Vec<Result<(), HeadError>> {
        let chunk = heads.len().div_ceil(self.workers.max(1)).max(1);
        let verify = |chunk: &[(&SignedHead, &'static str, &[VerifierKey])]| {
            let verify = |(head, _, keys): &(&SignedHead, &str, &[VerifierKey])| head.verify(keys).map(drop);
            chunk.iter().map(verify).collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let threads: Vec<_> = heads.chunks(chunk).map(|chunk| scope.spawn(move || verify(chunk))).collect();
            let joined =
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
            joined.flatten().collect()
        })
    }
}

/// Heads that cannot be checked, with how many records they are over.
#[derive(Default)]
struct Unchecked(Vec<(&'static str, u64)>);

impl Unchecked {
    /// How many of one kind.
    fn of(&self, kind: &str) -> u64 {
        self.0.iter().filter(|(which, _)| *which == kind).count() as u64
    }

    /// Heads held outside: whoever gives one wants to know whether the journal begins with it, and nobody can say.
    fn held(&self, gaps: &[Gap]) -> impl Iterator<Item = VerifyFault> {
        self.0.iter().filter(|(which, _)| *which == HELD).map(|(which, size)| {
            let group = size - size % GROUP;
            let lost = gaps.iter().filter(|gap| gap.records > 0 && gap.first_seq <= *size && gap.last_seq() > group);
            let (first, last) = lost.fold((u64::MAX, 0), |(first, last), gap| {
                (first.min(gap.first_seq.max(group + 1)), last.max(gap.last_seq().min(*size)))
            });
            VerifyFault::Unchecked { which, size: *size, first, last }
        })
    }
}

/// The tree while it is made again, and what it says of the heads.
struct Judged {
    tree: Frontier,
    /// Whether every segment so far could be read.
    is_whole: bool,
    /// By size.
    heads: Vec<(&'static str, TreeHead)>,
    /// The next head to come to.
    next: usize,
    /// How many records the last kept head before the first unfit one is over.
    sound: u64,
    /// Heads that lie behind lost records of their group.
    unchecked: Unchecked,
    gaps: Vec<Gap>,
    /// Heads that do not fit, with the root that there is.
    unfit: Vec<(usize, Hash)>,
    /// The roots of groups as they were kept.
    kept: Vec<Hash>,
    /// The first group whose root is another.
    other: Option<u64>,
}

impl Judged {
    fn new(heads: Vec<(&'static str, TreeHead)>, kept: Vec<Hash>) -> Self {
        Self {
            tree: Frontier::default(),
            is_whole: true,
            heads,
            next: 0,
            sound: 0,
            unchecked: Unchecked::default(),
            gaps: Vec::new(),
            unfit: Vec::new(),
            kept,
            other: None,
        }
    }

    fn take(&mut self, surveyed: &Surveyed) {
        if !self.is_whole {
            return;
        }
        let Self { tree, heads, next, sound, unchecked, gaps, unfit, kept, other, .. } = self;
        gaps.extend_from_slice(&surveyed.gaps);
        let mut completed = |subtree: Subtree, hash: &Hash| {
            let is_other =
                subtree.level == GROUP_LEVEL && kept.get(subtree.index as usize).is_some_and(|kept| kept != hash);
            if is_other && other.is_none() {
                *other = Some(subtree.index);
            }
        };
        let mut each = |tree: &Frontier| {
            while let Some((which, head)) = heads.get(*next).filter(|(_, head)| head.size <= tree.size()) {
                let root = tree.root();
                let is_cut_off = || gaps.iter().any(|gap| gap.cuts_last_group(head.size));
                if head.size < tree.size() || root != head.root && is_cut_off() {
                    unchecked.0.push((*which, head.size));
                } else if root != head.root {
                    unfit.push((*next, root));
                } else if unfit.is_empty() && *which == KEPT {
                    *sound = head.size;
                }
                *next += 1;
            }
        };
        for piece in &surveyed.pieces {
            if let Piece::Lost(leaves) = piece {
                // Up to the first record that was lost nothing stands in for anything.
                let mut sound = tree.clone();
                for leaf in leaves.iter().take_while(|leaf| **leaf != lost_leaf()) {
                    sound.push(*leaf);
                    each(&sound);
                }
            }
            piece.push_to(tree, |group| kept.get(group as usize).copied(), &mut completed, &mut each);
        }
    }

    /// What does not hold, once everything was read.
    fn conclude(self, is_whole: bool, faults: &mut Vec<VerifyFault>) {
        let records = self.tree.size();
        // The kept roots narrow it down, unless they were changed as well.
        let group = self.other.map(|group| (group * GROUP + 1, (group + 1) * GROUP));
        for of in [KEPT, HELD] {
            let mut unfit =
                self.unfit.iter().map(|(at, found)| (&self.heads[*at], *found)).filter(|((which, _), _)| *which == of);
            let Some(((which, TreeHead { size, root: signed, .. }), found)) = unfit.next() else { continue };
            // What is kept here may have been made again by whoever changed the records: it says nothing of a head held outside.
            let narrowed = if of == HELD {
                None
            } else {
                group.filter(|(first, _)| first <= size).or(Some((self.sound + 1, *size)))
            };
            let (first, last) = narrowed.unwrap_or((1, *size));
            let (size, last) = (*size, last.min(*size));
            faults.push(VerifyFault::Changed { which, size, signed: *signed, found, first, last });
            faults.extend(Some(unfit.count() as u64).filter(|more| *more > 0).map(VerifyFault::More));
        }
        faults.extend(self.unchecked.held(&self.gaps));
        if let (Some((first, last)), true) = (group, self.unfit.is_empty()) {
            faults.push(VerifyFault::Roots { first, last });
        }
        if is_whole {
            let beyond = self.heads[self.next..].last();
            faults.extend(beyond.map(|(which, head)| VerifyFault::Beyond { which, size: head.size, records }));
        }
    }
}
