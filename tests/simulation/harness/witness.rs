//! What the callers of all lives know, held against what a machine finds when it is switched on again.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::bundle::Bundle;
use crate::context::CustomerState;
use crate::domain::CustomerId;
use crate::journal::{Kind, Reader};
use crate::replay::{Limits, Range, replay_journal};
use crate::turn::{Input, Record, apply};

/// Everything that callers asked for and were told.
#[derive(Debug, Default)]
pub(super) struct Witness {
    asked: HashMap<String, Asked>,
    acknowledged: Vec<Acknowledged>,
    /// Records that were found at the last look, in their order.
    found: Vec<(u64, String)>,
    /// Counts asking and acknowledging: what came before what.
    now: u64,
}

#[derive(Debug)]
struct Asked {
    customer: String,
    /// Attempts that were not refused: as many of them may have been recorded.
    open: usize,
}

/// A turn whose caller was told that it is on disk.
#[derive(Debug)]
struct Acknowledged {
    customer: String,
    id: String,
    /// Nothing for a repetition.
    seq: Option<u64>,
    asked: u64,
    told: u64,
}

/// A turn of the journal.
#[derive(Debug)]
struct Turn {
    seq: u64,
    id: String,
    record: Record,
}

impl Witness {
    /// Someone asks for a turn. Returns when.
    pub(super) fn ask(&mut self, customer: &str, id: &str) -> u64 {
        let asked = self.asked.entry(id.to_owned()).or_insert_with(|| Asked { customer: customer.to_owned(), open: 0 });
        asked.open += 1;
        self.now += 1;
        self.now
    }

    /// An attempt was refused: it left nothing behind.
    pub(super) fn refuse(&mut self, id: &str) {
        self.asked.get_mut(id).unwrap().open -= 1;
    }

    /// The caller of a turn is told that it is on disk.
    pub(super) fn acknowledge(&mut self, id: &str, seq: Option<u64>, asked: u64) {
        self.now += 1;
        let customer = self.asked[id].customer.clone();
        self.acknowledged.push(Acknowledged { customer, id: id.to_owned(), seq, asked, told: self.now });
    }

    /// How many acknowledgements there were.
    pub(super) fn acknowledgements(&self) -> usize {
        self.acknowledged.len()
    }

    /// Looks at the journal in a folder. Returns the state of every customer, made from its records alone.
    pub(super) fn look(&mut self, folder: &Path, bundle: &Arc<Bundle>) -> BTreeMap<CustomerId, CustomerState> {
        check_replay(folder);
        let turns = turns(folder, bundle);
        self.check_records(&turns);
        self.check_acknowledged(&turns);
        self.found = turns.iter().map(|turn| (turn.seq, turn.id.clone())).collect();
        let mut states = BTreeMap::new();
        for turn in &turns {
            let customer = turn.record.input.customer();
            let new = || CustomerState::new(Arc::clone(bundle.layout()));
            let state = states.entry(customer.clone()).or_insert_with(new);
            apply(state, &turn.record, turn.seq, bundle).unwrap();
        }
        states
    }

    /// No record was invented, none is there twice, and what was once found stays.
    fn check_records(&self, turns: &[Turn]) {
        let mut known = HashMap::new();
        for turn in turns {
            let customer = turn.record.input.customer().as_str();
            let asked = self.asked.get(&turn.id).unwrap_or_else(|| panic!("nobody asked for record {}", turn.seq));
            assert_eq!(asked.customer, customer, "record {} is another customer's", turn.seq);
            assert!(asked.open > 0, "record {} (`{}`) is there, but its turn was refused", turn.seq, turn.id);
            if let Some(first) = known.insert(turn.id.as_str(), turn.seq) {
                panic!("`{}` is there twice, as record {first} and {}", turn.id, turn.seq);
            }
        }
        for (nth, (seq, id)) in self.found.iter().enumerate() {
            let now = turns.get(nth).map(|turn| (turn.seq, turn.id.as_str()));
            assert_eq!(now, Some((*seq, id.as_str())), "a record that was found before has changed or gone");
        }
    }

    /// Everything that was acknowledged is there, in the order in which it was.
    fn check_acknowledged(&self, turns: &[Turn]) {
        let seqs: HashMap<&str, u64> = turns.iter().map(|turn| (turn.id.as_str(), turn.seq)).collect();
        for told in &self.acknowledged {
            let seq = seqs.get(told.id.as_str()).copied();
            assert!(seq.is_some(), "`{}` was acknowledged as record {:?} and is gone", told.id, told.seq);
            assert!(told.seq.is_none() || told.seq == seq, "`{}` was another record when it was acknowledged", told.id);
        }
        for (first, later) in self.acknowledged.iter().flat_map(|a| self.acknowledged.iter().map(move |b| (a, b))) {
            let is_before = first.customer == later.customer && first.told < later.asked && later.seq.is_some();
            let in_order = seqs[first.id.as_str()] < seqs[later.id.as_str()];
            assert!(!is_before || in_order, "`{}` was acknowledged before `{}` was asked for", first.id, later.id);
        }
    }
}

/// Every turn comes out again as it was recorded.
fn check_replay(folder: &Path) {
    let limits = Limits { threads: 1, ..Limits::default() };
    let report = replay_journal(folder, &Range::default(), &limits, &mut |_| {});
    let report = report.unwrap_or_else(|error| panic!("the journal cannot be replayed: {error}"));
    assert!(report.is_same(), "the journal does not replay: {report:?}");
}

fn turns(folder: &Path, bundle: &Arc<Bundle>) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut reader = Reader::new(folder, 1).unwrap();
    let mut each = |read: crate::journal::Read<'_>| {
        if read.frame.kind == Kind::Turn {
            let (record, _) = Record::decode(read.frame.payload, |_| Some(Arc::clone(bundle))).unwrap();
            let Input::Event(event) = &record.input else { panic!("callers send events only") };
            turns.push(Turn { seq: read.seq, id: event.event.key.id().to_owned(), record });
        }
    };
    while reader.next_batch(&mut each).unwrap_or_else(|error| panic!("the journal cannot be read: {error}")) {}
    turns
}
