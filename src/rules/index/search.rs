//! The questions: which rule matches first, and which match at all?

use smallvec::SmallVec;

use super::super::Values;
use super::super::eval::{Evaluation, Miss, Truth};
use super::super::judgement::Skipped;
use super::super::rule::{IfUnavailable, Rule};
use super::attribute::Reading;
use super::bits::{BLOCK, Bits, Missing};
use super::checks::Told;
use super::tree::{Few, Index, Node};

/// Reusable memory of one search at a time.
#[derive(Debug, Default)]
pub(in crate::rules) struct IndexScratch {
    readings: Vec<Reading>,
    /// The rows that the phrases found in one text do not rule out, and in all.
    phrase_rows: Vec<u64>,
    of_phrases: Vec<u64>,
    /// Nodes that are still to be searched.
    nodes: Vec<u32>,
    /// Rules that are still to be asked.
    to_ask: Vec<u32>,
    /// Rules that could not be told, by rank.
    pub(in crate::rules) untold: Vec<(u32, Miss)>,
    /// Rules that match, by rank.
    pub(in crate::rules) matched: Vec<u32>,
}

/// One question to an index.
pub(in crate::rules) struct Search<'s, 'a, V> {
    index: &'a Index,
    rules: &'a [Rule],
    evaluation: &'s mut Evaluation<'a, V>,
    scratch: &'s mut IndexScratch,
    /// Whether every match is wanted, not only the first.
    wants_all: bool,
    /// The rank from which on nothing is wanted any more.
    end: u32,
    /// The rank up to which all is known.
    start: u32,
    missing: Missing,
    asking: Asking,
}

/// When rules are asked that the index cannot tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// As they are found: they are found best rank first.
    Now,
    /// When all are found.
    Later,
}

/// Words up to which the bitmaps of all rows are joined at once.
const AT_ONCE: usize = 4 * BLOCK;

/// How far a search among the rows of one set of bitmaps has come.
struct Walk {
    missing: Missing,
    /// The row at which it goes on.
    next: usize,
    /// The last rule of which all is known.
    told: Option<u32>,
    untold_before: usize,
}

/// How a search goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    GoOn,
    /// Nothing better can follow.
    Done,
    /// Enough rules are known that cannot be told; from here on only what matches is looked for.
    EnoughUntold,
}

impl Walk {
    fn begin(missing: Missing, untold_before: usize) -> Self {
        Self { missing, next: 0, told: None, untold_before }
    }
}

impl<'s, 'a, V: Values> Search<'s, 'a, V> {
    /// A question about the rules before the rank `end`.
    pub(in crate::rules) fn new(
        (index, rules): (&'a Index, &'a [Rule]),
        evaluation: &'s mut Evaluation<'a, V>,
        scratch: &'s mut IndexScratch,
        wants_all: bool,
        end: u32,
    ) -> Self {
        let (missing, asking) = (Missing::Kept, Asking::Now);
        Self { index, rules, evaluation, scratch, wants_all, end, start: 0, missing, asking }
    }

    /// Leaves the ranks that match and those that could not be told in the scratch, in order; of the matches only the first
    /// unless all are wanted, of the untold only those before it, and never more than [`Skipped::RULES_MAX`].
    pub(in crate::rules) fn run(mut self) {
        let index = self.index;
        self.scratch.readings.clear();
        self.scratch.readings.resize(index.attributes.len(), Reading::Unread);
        self.scratch.untold.clear();
        self.scratch.matched.clear();
        match (&index.whole, index.nodes.get(index.root)) {
            (Some(whole), _) if index.split_by.iter().any(|by| self.read(*by) == Reading::Unavailable) => {
                self.bits(whole);
            }
            (_, Some(Node::Split(_))) => self.parts(),
            (_, Some(Node::Bits(bits))) => self.bits(bits),
            (_, Some(Node::Few(few))) => self.few(few),
            (_, None) => {}
        }
        let IndexScratch { untold, matched, .. } = self.scratch;
        matched.sort_unstable();
        matched.dedup();
        untold.retain(|(rank, _)| *rank < self.end);
        untold.sort_unstable_by_key(|(rank, _)| *rank);
        untold.dedup_by_key(|(rank, _)| *rank);
        untold.truncate(Skipped::RULES_MAX);
    }

    /// Searches the parts that the event meets. Rules that must be asked are asked when all parts are known, best rank
    /// first: what one costs must not be at the expense of a better one.
    fn parts(&mut self) {
        self.asking = Asking::Later;
        self.nodes();
        if let Some(rank) = self.ask_gathered() {
            // Enough of them are known that cannot be told; from there on only what matches is looked for.
            self.missing = Missing::RuledOut;
            self.start = rank + 1;
            self.nodes();
            self.ask_gathered();
        }
    }

    /// Asks the rules that were left for later; ends with the rank at which enough could not be told.
    fn ask_gathered(&mut self) -> Option<u32> {
        let mut to_ask = std::mem::take(&mut self.scratch.to_ask);
        to_ask.sort_unstable();
        to_ask.dedup();
        let mut enough = None;
        for rank in &to_ask {
            if *rank >= self.end {
                break;
            }
            self.ask(*rank);
            if self.missing == Missing::Kept && self.scratch.untold.len() >= Skipped::RULES_MAX {
                enough = Some(*rank);
                break;
            }
        }
        to_ask.clear();
        self.scratch.to_ask = to_ask;
        enough
    }

    fn nodes(&mut self) {
        let index = self.index;
        self.scratch.nodes.clear();
        self.scratch.nodes.push(index.root as u32);
        while let Some(node) = self.scratch.nodes.pop() {
            match index.nodes.get(node as usize) {
                Some(Node::Few(few)) => self.few(few),
                Some(Node::Bits(bits)) => self.bits(bits),
                Some(Node::Split(split)) => {
                    self.scratch.nodes.extend(split.rest.map(|rest| rest as u32));
                    if let Reading::Number(n) = self.read(split.attribute) {
                        self.scratch.nodes.extend(split.named.get(&n).copied());
                    }
                }
                None => {}
            }
        }
    }

    #[inline]
    fn read(&mut self, attribute: u16) -> Reading {
        let attribute = usize::from(attribute);
        let reading = &mut self.scratch.readings[attribute];
        if *reading == Reading::Unread {
            *reading = self.index.attributes[attribute].read(self.evaluation.values);
        }
        *reading
    }

    /// Asks each row.
    fn few(&mut self, few: &Few) {
        let mut told = None;
        for (row, rank) in few.ranks.iter().enumerate() {
            if *rank >= self.end {
                return;
            }
            // Rows of one rule follow one another.
            if told == Some(*rank) || *rank < self.start {
                continue;
            }
            match few.checks.tell(row, |attribute| self.read(attribute)) {
                Told::DoesNot => continue,
                Told::Holds => self.matches(*rank),
                Told::AskTheRule => self.ask_now_or_later(*rank),
            }
            told = Some(*rank);
        }
    }

    fn bits(&mut self, bits: &'a Bits) {
        if bits.words() <= AT_ONCE { self.at_once(bits) } else { self.by_blocks(bits) }
    }

    /// Joins the bitmaps of all rows, one attribute after the other: what rules out the last row spares reading the rest.
    fn at_once(&mut self, bits: &'a Bits) {
        let mut kept = [0_u64; AT_ONCE];
        let kept = &mut kept[..bits.words()];
        let mut walk = Walk::begin(self.missing, self.scratch.untold.len());
        loop {
            kept.fill(!0);
            let mut is_missing = false;
            for column in &bits.columns {
                let reading = self.read(column.attribute);
                is_missing |= reading == Reading::Unavailable;
                if !keep(kept, bits.bitmap(column, reading, walk.missing)) {
                    return;
                }
            }
            is_missing |= self.phrases(bits, walk.missing, kept);
            clear_before(kept, walk.next);
            match self.candidates(bits, (0, kept), is_missing, &mut walk) {
                Flow::GoOn | Flow::Done => return,
                Flow::EnoughUntold => walk.missing = Missing::RuledOut,
            }
        }
    }

    /// Joins the bitmaps block by block, so that a match ends the search.
    fn by_blocks(&mut self, bits: &'a Bits) {
        let mut walk = Walk::begin(self.missing, self.scratch.untold.len());
        let mut is_missing = false;
        let mut chosen: SmallVec<[&[u64]; 16]> = SmallVec::new();
        for column in &bits.columns {
            let reading = self.read(column.attribute);
            is_missing |= reading == Reading::Unavailable;
            chosen.push(bits.bitmap(column, reading, walk.missing));
        }
        let mut of_phrases = std::mem::take(&mut self.scratch.of_phrases);
        of_phrases.clear();
        for block in (0..bits.words()).step_by(BLOCK) {
            let mut kept = [!0_u64; BLOCK];
            if !chosen.iter().all(|bitmap| keep(&mut kept, &bitmap[block..block + BLOCK])) {
                continue;
            }
            if !bits.phrases.is_empty() {
                if of_phrases.is_empty() {
                    of_phrases.resize(bits.words(), !0);
                    is_missing |= self.phrases(bits, walk.missing, &mut of_phrases);
                }
                keep(&mut kept, &of_phrases[block..block + BLOCK]);
            }
            match self.candidates(bits, (block, &kept), is_missing, &mut walk) {
                Flow::GoOn => {}
                Flow::Done => break,
                Flow::EnoughUntold => {
                    walk.missing = Missing::RuledOut;
                    let readings = bits.columns.iter().map(|column| (column, self.read(column.attribute)));
                    chosen = readings.map(|(column, reading)| bits.bitmap(column, reading, walk.missing)).collect();
                    of_phrases.clear();
                    // What is left of this block was kept for rules that cannot be told: it is looked at again.
                    clear_before(&mut kept, walk.next - block * 64);
                    if self.candidates(bits, (block, &kept), is_missing, &mut walk) == Flow::Done {
                        break;
                    }
                }
            }
        }
        self.scratch.of_phrases = of_phrases;
    }

    /// Keeps the rows whose phrases are found; says whether a text is missing.
    fn phrases(&mut self, bits: &Bits, missing: Missing, kept: &mut [u64]) -> bool {
        let mut is_missing = false;
        for column in &bits.phrases {
            match self.evaluation.phrases_in(column.slot) {
                Some(found) => column.keep_found(found, kept, &mut self.scratch.phrase_rows),
                None => {
                    is_missing = true;
                    column.keep_without(missing, kept);
                }
            }
        }
        is_missing
    }

    /// Asks the rows that are left, `first` being the number of the first word.
    #[inline]
    fn candidates(&mut self, bits: &Bits, (first, kept): (usize, &[u64]), is_missing: bool, walk: &mut Walk) -> Flow {
        for (word, kept) in kept.iter().enumerate() {
            let mut left = *kept;
            while left != 0 {
                let row = (first + word) * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let Some(rank) = bits.rank(row).filter(|rank| *rank < self.end) else { return Flow::Done };
                walk.next = row + 1;
                // Rows of one rule follow one another.
                if walk.told == Some(rank) || rank < self.start {
                    continue;
                }
                let told = if is_missing {
                    Told::AskTheRule
                } else {
                    bits.checks.tell(row, |attribute| self.scratch.readings[usize::from(attribute)])
                };
                match told {
                    Told::DoesNot => continue,
                    Told::Holds => self.matches(rank),
                    Told::AskTheRule => self.ask_now_or_later(rank),
                }
                walk.told = Some(rank);
                let is_enough = self.scratch.untold.len() - walk.untold_before >= Skipped::RULES_MAX;
                if is_enough && walk.missing == Missing::Kept {
                    return Flow::EnoughUntold;
                }
            }
        }
        Flow::GoOn
    }

    #[inline]
    fn ask_now_or_later(&mut self, rank: u32) {
        match self.asking {
            Asking::Now => self.ask(rank),
            Asking::Later => self.scratch.to_ask.push(rank),
        }
    }

    /// Asks a rule itself.
    fn ask(&mut self, rank: u32) {
        let rule = &self.rules[rank as usize];
        match rule.condition.truth(self.evaluation) {
            Truth::False => {}
            Truth::Unavailable(miss) if rule.if_unavailable == IfUnavailable::Skip => {
                self.scratch.untold.push((rank, miss));
            }
            Truth::True | Truth::Unavailable(_) => self.matches(rank),
        }
    }

    #[inline]
    fn matches(&mut self, rank: u32) {
        if !self.wants_all {
            self.scratch.matched.clear();
            self.end = rank;
        }
        self.scratch.matched.push(rank);
    }
}

/// Keeps the bits that are also set in the bitmap; whether any is left.
#[inline]
fn keep(kept: &mut [u64], bitmap: &[u64]) -> bool {
    let mut any = 0;
    for (kept, word) in kept.iter_mut().zip(bitmap) {
        *kept &= word;
        any |= *kept;
    }
    any != 0
}

/// Clears the bits of the rows before one.
fn clear_before(kept: &mut [u64], row: usize) {
    let whole = (row / 64).min(kept.len());
    kept[..whole].fill(0);
    if let Some(word) = kept.get_mut(row / 64) {
        *word &= !0 << (row % 64);
    }
}
