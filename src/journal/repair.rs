//! Repairing a journal: damaged segments are written anew, with gaps in the place of what is lost. Nothing is deleted but what can be
//! made again: a damaged file stays under another name.

use std::fs;
use std::path::{Path, PathBuf};

use super::batch::{BatchHeader, HEADER_BYTES};
use super::directory::{sync_folder, write_synced};
use super::inspection::{Inspection, Lost, Part, Plan};
use super::names::{damaged_path, derived, sealed_path, segment_path, unfinished};
use super::salvage::Image;
use super::{Gap, JournalError};
use crate::domain::Timestamp;

/// A segment that was written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Its file.
    pub path: PathBuf,
    /// Where the damaged file is kept, if there was one.
    pub kept: Option<PathBuf>,
}

impl Inspection {
    /// Writes the damaged segments anew: what is sound in each, and a gap wherever records are lost. Each is in place at once or not
    /// at all, so that a repair that was interrupted can be done again.
    pub fn repair(&self, now: Timestamp, release: &str) -> Result<Vec<Rewritten>, JournalError> {
        self.plans.iter().map(|plan| rewrite(&self.folder, plan, now, release)).collect()
    }
}

fn rewrite(folder: &Path, plan: &Plan, now: Timestamp, release: &str) -> Result<Rewritten, JournalError> {
    let image = Image::load(folder, plan.number)?;
    let path = segment_path(folder, plan.number);
    let temporary = unfinished(&path);
    let bytes = bytes_of(plan, image.as_ref(), now, release);
    write_synced(&temporary, &bytes).map_err(|e| JournalError::io("write", &temporary, e))?;
    let kept = image.map(|image| keep(folder, plan.number, &image.path, now)).transpose()?;
    fs::rename(&temporary, &path).map_err(|e| JournalError::io("rename", &temporary, e))?;
    sync_folder(folder)?;
    // The file as it was written counts while both are there, so this may come last.
    let mut made_from_it = derived(folder, plan.number)?;
    made_from_it.extend(Some(sealed_path(folder, plan.number)).filter(|sealed| sealed.exists()));
    for path in made_from_it {
        fs::remove_file(&path).map_err(|e| JournalError::io("remove", &path, e))?;
    }
    sync_folder(folder)?;
    Ok(Rewritten { path, kept })
}

/// Gives a damaged file a second name, under which it stays. A file system without such names gets a copy.
fn keep(folder: &Path, number: u64, path: &Path, now: Timestamp) -> Result<PathBuf, JournalError> {
    let kept = damaged_path(folder, number, now);
    fs::hard_link(path, &kept)
        .or_else(|_| fs::copy(path, &kept).map(drop))
        .map_err(|e| JournalError::io("keep a damaged segment as", &kept, e))?;
    sync_folder(folder)?;
    Ok(kept)
}

fn bytes_of(plan: &Plan, image: Option<&Image>, now: Timestamp, release: &str) -> Vec<u8> {
    let mut bytes = plan.page.encode();
    for part in &plan.parts {
        match part {
            Part::Keep { from, until } => {
                let kept = image.and_then(|image| image.bytes.get(*from..*until));
                bytes.extend_from_slice(kept.unwrap_or_default());
            }
            Part::Lost(lost) => bytes.extend(gap_of(lost, plan.page.log, now, release)),
        }
    }
    // Room for more, as there was, in case this is the segment that is written.
    let length = image.map_or(0, |image| image.bytes.len());
    bytes.resize(bytes.len().max(length), 0);
    bytes
}

fn gap_of(lost: &Lost, log: u64, now: Timestamp, release: &str) -> Vec<u8> {
    let gap = Gap {
        first_seq: lost.loss.first_seq,
        records: lost.loss.records,
        batches: lost.loss.batches,
        repaired_at: now,
        release: release.to_owned(),
        resumes: lost.resumes,
    };
    let body = gap.encode();
    let header = BatchHeader {
        length: body.len() as u32,
        count: 0,
        batch: lost.before.last_batch + 1,
        first_seq: gap.first_seq,
        epoch: lost.before.epoch,
        written_at: now.micros(),
        previous: lost.before.hash,
        is_seal: false,
        is_gap: true,
        log,
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(&body);
    bytes
}
