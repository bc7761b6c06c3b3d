//! Leaves of records, read by sequence: of a sealed segment the blocks that hold them, of another what stands from the last mark
//! of its index on.

use std::path::Path;

use super::JournalError;
use super::index::SegmentIndex;
use super::names::{missing_segment, sealed_path, segment_numbers, segment_path};
use super::reader::segment_of;
use super::sealed::Sealed;
use super::segment::Page;
use super::volumes::{Start, Unpacked, Walk, start_of};
use super::window::{Bytes, LOOK_BYTES, Window};
use crate::tlog::{Hash, leaf_hash};

/// The hash of the leaf of a record that was lost to damage: of an empty leaf, which no record has.
pub(super) fn lost_leaf() -> Hash {
    leaf_hash(&[])
}

/// Records that are read: from a sequence to one, both included.
#[derive(Clone, Copy)]
struct Stretch {
    from: u64,
    to: u64,
}

/// Hands the leaf hashes of the records from `from` to `to`, as many as there are, to `each`: `None` for a record that was lost to
/// damage and is accounted for as lost.
pub(super) fn for_leaf_hashes(
    journal: &Path,
    (from, to): (u64, u64),
    mut each: impl FnMut(Option<Hash>),
) -> Result<(), JournalError> {
    let mut next = from;
    let behind = for_leaves(journal, Stretch { from, to }, &mut |seq, leaf| {
        (next..seq).for_each(|_| each(None));
        each(Some(leaf_hash(leaf)));
        next = seq + 1;
    })?;
    // A gap may be what stands last.
    (next..behind.min(to.saturating_add(1))).for_each(|_| each(None));
    Ok(())
}

/// The leaf of a record: what its leaf hash is made of. From a folder that another process may be writing.
pub fn record_leaf(journal: &Path, seq: u64) -> Result<Option<Vec<u8>>, JournalError> {
    let mut found = None;
    for_leaves(journal, Stretch { from: seq, to: seq }, &mut |_, leaf| found = Some(leaf.to_vec()))?;
    Ok(found)
}

/// Returns the sequence behind the last record that was come to, lost ones among them; 0 if there was none.
fn for_leaves(journal: &Path, wanted: Stretch, each: &mut dyn FnMut(u64, &[u8])) -> Result<u64, JournalError> {
    let last = segment_numbers(journal)?.len() as u64;
    let mut behind = 0;
    if last == 0 || wanted.from == 0 {
        return Ok(behind);
    }
    for number in segment_of(journal, last, wanted.from)?..=last {
        let page = Page::read(journal, number)?;
        if page.first_seq > wanted.to {
            break;
        }
        behind = in_segment(journal, &page, wanted, each)?.max(behind);
    }
    Ok(behind)
}

fn in_segment(
    journal: &Path,
    page: &Page,
    wanted: Stretch,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<u64, JournalError> {
    let nth = u32::try_from(wanted.from.saturating_sub(page.first_seq)).unwrap_or(u32::MAX);
    let path = segment_path(journal, page.number);
    let start = || SegmentIndex::read(journal, page).map_or(Start::BEGINNING, |index| start_of(&index, nth));
    match Window::of_file(path.clone(), LOOK_BYTES) {
        Ok(mut window) => {
            let start = start();
            let walk =
                Walk { page: *page, at: start.offset, seq: page.first_seq + u64::from(start.nth), ends_before: None };
            let damaged = |at, reason| JournalError::damaged(&path, at, reason);
            return leaves_of(walk, &mut window, wanted, each, &damaged);
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(JournalError::io("open", &path, e)),
    }
    let sealed = Sealed::open(&sealed_path(journal, page.number))?;
    let sealed = sealed.ok_or_else(|| missing_segment(journal, page.number))?;
    let damaged = |at, reason| JournalError::damaged(&sealed.path, sealed.offset_of(at), reason);
    let (mut bytes, mut seq) = (Vec::new(), 0);
    for block in sealed.block_of(nth)..sealed.blocks() {
        if seq > wanted.to || sealed.seq_of(block) > wanted.to {
            break;
        }
        bytes.clear();
        sealed.unpack(block, &mut bytes)?;
        let at = sealed.begin_of(block);
        let walk = Walk { page: *page, at, seq: sealed.seq_of(block), ends_before: None };
        seq = leaves_of(walk, &mut Unpacked { at, bytes: &bytes }, wanted, each, &damaged)?;
    }
    Ok(seq)
}

/// Walks until the bytes or the records that are wanted end; returns the sequence of the next record.
fn leaves_of(
    mut walk: Walk,
    bytes: &mut impl Bytes,
    wanted: Stretch,
    each: &mut dyn FnMut(u64, &[u8]),
    damaged: &impl Fn(u64, &'static str) -> JournalError,
) -> Result<u64, JournalError> {
    while walk.seq <= wanted.to
        && let Some((seq, frame)) = walk.next(bytes, damaged)?
    {
        // A gap may have led beyond what is wanted.
        if (wanted.from..=wanted.to).contains(&seq) {
            each(seq, frame.leaf);
        }
    }
    Ok(walk.seq)
}
