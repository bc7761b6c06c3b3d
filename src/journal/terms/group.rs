//! Filters of groups of 64 segments: which of them may have a term, told by one read, so that what is rare or absent costs a
//! look at the few segments that may have it.
//!
//! ```text
//! N.filter = page of 4096 bytes, blocks of 4096 bytes; N is the group's first segment
//! page     = magic "FWGRP001", crc32c of the rest, version of the terms u32, log u64, number u64, blocks u32, reserved u32,
//!            for each segment: first sequence u64, earliest and latest arrival i64, records u32, unreadable records u32
//! block    = 511 rows of 64 bits, its number u32, crc32c
//! ```
//!
//! A Bloom filter for each segment, laid side by side: bit `s` of a row belongs to segment `s` of the group. A term has
//! [`PROBES`] rows in one block; a segment may have the term if its bit is set in all of them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::batch::{u32_at, u64_at};
use super::file::TermsFile;
use super::gathered::Overview;
use super::postings::{Unsound, checked, push_checked};
use super::table::{Belongs, short};
use crate::domain::Term;

/// Segments of a group.
pub(super) const GROUP: u64 = 64;

const MAGIC: [u8; 8] = *b"FWGRP001";
const PAGE_BYTES: usize = 4_096;
const HEAD_BYTES: usize = 40;
const OVERVIEW_BYTES: usize = 32;
const BLOCK_ROWS: usize = 511;

/// Rows for each term: with ten of them one segment in a hundred is looked into for nothing.
const ROWS_PER_TERM: usize = 10;

/// Rows that a term sets.
const PROBES: u32 = 6;

/// The filter of a complete group.
#[derive(Debug)]
pub(super) struct GroupFilter {
    path: PathBuf,
    blocks: u32,
    pub(super) segments: Vec<Overview>,
}

/// The first segment of the group that a segment is in.
pub(super) fn first_of(number: u64) -> u64 {
    (number - 1) / GROUP * GROUP + 1
}

fn filter_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:010}.filter"))
}

/// The block of a short hash, and its rows there.
fn rows_of(short: u32, blocks: u32) -> (u32, impl Iterator<Item = usize>) {
    // The constants of splitmix64: every bit of the hash has its say in block and rows.
    let mut mixed = u64::from(short).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    let block = ((mixed >> 32) * u64::from(blocks)) >> 32;
    let (first, step) = (mixed & 0xFFFF, (mixed >> 16) & 0xFFFF | 1);
    let rows = (0..u64::from(PROBES)).map(move |probe| ((first + probe * step) % BLOCK_ROWS as u64) as usize);
    (block as u32, rows)
}

impl GroupFilter {
    /// The filter of a group, if its file is there, sound as far as one sees, and of this version. `belongs` names the first
    /// segment.
    pub(super) fn find(folder: &Path, belongs: Belongs) -> Option<Self> {
        let path = filter_path(folder, belongs.number);
        let mut page = vec![0; PAGE_BYTES];
        let file = File::open(&path).ok()?;
        file.read_exact_at(&mut page, 0).ok()?;
        let found = Belongs { version: u32_at(&page, 12), log: u64_at(&page, 16), number: u64_at(&page, 24) };
        if page[..8] != MAGIC || u32_at(&page, 8) != crc32c::crc32c(&page[12..]) || found != belongs {
            return None;
        }
        let overviews = page[HEAD_BYTES..].chunks_exact(OVERVIEW_BYTES).take(GROUP as usize);
        let segments = overviews.map(decode_overview).collect();
        let blocks = u32_at(&page, 32);
        let is_whole = file.metadata().ok()?.len() == PAGE_BYTES as u64 * (1 + u64::from(blocks));
        (is_whole && blocks > 0).then_some(Self { path, blocks, segments })
    }

    /// The bytes of the filter of 64 files.
    pub(super) fn encode(files: &[TermsFile], belongs: Belongs) -> Result<Vec<u8>, Unsound> {
        let terms = files.iter().map(|file| file.header.terms as usize).max().unwrap_or_default();
        let blocks = (terms * ROWS_PER_TERM).div_ceil(BLOCK_ROWS).max(1);
        let mut rows = vec![0_u64; blocks * BLOCK_ROWS];
        for (segment, file) in files.iter().enumerate() {
            for short in file.shorts()? {
                let (block, of_term) = rows_of(short, blocks as u32);
                of_term.for_each(|row| rows[block as usize * BLOCK_ROWS + row] |= 1 << segment);
            }
        }
        let mut bytes = Vec::with_capacity(PAGE_BYTES * (1 + blocks));
        bytes.extend_from_slice(&page(files, belongs, blocks as u32));
        for (number, rows) in rows.chunks_exact(BLOCK_ROWS).enumerate() {
            let mut block = Vec::with_capacity(PAGE_BYTES - 4);
            rows.iter().for_each(|row| block.extend_from_slice(&row.to_le_bytes()));
            block.extend_from_slice(&(number as u32).to_le_bytes());
            push_checked(&mut bytes, &block);
        }
        Ok(bytes)
    }

    /// Puts a filter's bytes beside the segments.
    pub(super) fn path_in(folder: &Path, first: u64) -> PathBuf {
        filter_path(folder, first)
    }

    /// The segments of the group that may have all terms, a bit for each.
    pub(super) fn may_have(&self, terms: &[Term]) -> Result<u64, Unsound> {
        let file = File::open(&self.path).map_err(|_| Unsound("it cannot be opened"))?;
        let mut segments = u64::MAX;
        let mut block = vec![0; PAGE_BYTES];
        for term in terms {
            let (number, rows) = rows_of(short(*term), self.blocks);
            let at = PAGE_BYTES as u64 * (1 + u64::from(number));
            file.read_exact_at(&mut block, at).map_err(|_| Unsound("it cannot be read"))?;
            let data = checked(&block)?;
            if u32_at(data, BLOCK_ROWS * 8) != number {
                return Err(Unsound("a block is not where it belongs"));
            }
            rows.for_each(|row| segments &= u64_at(data, row * 8));
        }
        Ok(segments)
    }
}

fn page(files: &[TermsFile], belongs: Belongs, blocks: u32) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    page[..8].copy_from_slice(&MAGIC);
    page[12..16].copy_from_slice(&belongs.version.to_le_bytes());
    page[16..24].copy_from_slice(&belongs.log.to_le_bytes());
    page[24..32].copy_from_slice(&belongs.number.to_le_bytes());
    page[32..36].copy_from_slice(&blocks.to_le_bytes());
    for (segment, file) in files.iter().enumerate() {
        let Overview { first_seq, records, unreadable, arrived } = file.header.overview;
        let into = &mut page[HEAD_BYTES + segment * OVERVIEW_BYTES..][..OVERVIEW_BYTES];
        into[..8].copy_from_slice(&first_seq.to_le_bytes());
        into[8..16].copy_from_slice(&arrived.0.to_le_bytes());
        into[16..24].copy_from_slice(&arrived.1.to_le_bytes());
        into[24..28].copy_from_slice(&records.to_le_bytes());
        into[28..32].copy_from_slice(&unreadable.to_le_bytes());
    }
    let crc = crc32c::crc32c(&page[12..]);
    page[8..12].copy_from_slice(&crc.to_le_bytes());
    page
}

fn decode_overview(bytes: &[u8]) -> Overview {
    Overview {
        first_seq: u64_at(bytes, 0),
        arrived: (u64_at(bytes, 8) as i64, u64_at(bytes, 16) as i64),
        records: u32_at(bytes, 24),
        unreadable: u32_at(bytes, 28),
    }
}
