//! Recorded turns decided again under another bundle.
//!
//! Every customer's whole history is followed under the new bundle, as if it had been in force from the journal's beginning:
//! its signals count what came before the range, caps and flow control follow its own decisions. What came from outside stays
//! what it was: inputs, arrivals, and whether an answer came too late.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::again::{ReadRecord, read};
use super::bundles::Nearby;
use super::carrying::{Carried, Carrier, no_longer_on, no_playbook};
use super::changes::{Changes, Counted, Pair, PlaybookChanges};
use super::chunk::Piece;
use super::course::{Course, Work, last_seq};
use super::moves::Example;
use super::states::States;
use super::{Gap, Limits, Progress, Range, ReplayError};
use crate::bundle::Bundle;
use crate::domain::{CustomerId, DecisionId, DecisionName, Partition, TenantId, Timestamp};
use crate::journal::journal_folder;
use crate::turn::Workspace;
use crate::turn::{
    EventInput, Input, Lender, Readings, Record, RecordedDecision, Surroundings, Taken, Turn, apply_input,
    apply_outcome, take,
};

/// What is asked of a backtest.
#[derive(Clone, Debug)]
pub struct Question {
    /// The bundle under which it is decided.
    pub bundle: Arc<Bundle>,
    /// The decisions that are counted.
    pub range: Range,
    /// Those of this playbook only.
    pub playbook: Option<String>,
}

/// What a backtest came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestReport {
    /// The bundle under which it was decided.
    pub bundle: String,
    /// The last record of the journal that was looked at.
    pub last_record: u64,
    /// Turns in the range.
    pub turns: u64,
    /// Decisions recorded in the range.
    pub recorded: u64,
    /// Those of them that were decided again.
    pub decided: u64,
    /// Those of them in which anything is another: outcome, rule, tier or fallback.
    pub changed: u64,
    /// Those of them in which the outcome is.
    pub outcome_changed: u64,
    /// Decisions that were not made then.
    pub added: u64,
    /// What changes, by playbook.
    pub playbooks: Vec<PlaybookChanges>,
    /// Recorded decisions that were not decided again, and why.
    pub not_decided: Vec<Counted>,
    /// Inputs, or parts of them, that were left behind in the whole history, and why.
    pub left: Vec<Counted>,
    /// Records that could not be read, or whose bundle cannot be used: nobody knows what was decided there.
    pub unreadable_records: u64,
    /// Why they could not.
    pub unreadable: Vec<Counted>,
    /// Settlements that found nothing to settle.
    pub void_settlements: u64,
    /// Records that are lost.
    pub gaps: Vec<Gap>,
    /// How often the journal was read.
    pub passes: u32,
}

impl BacktestReport {
    /// Whether every record could be read, every decision was decided again and came out the same, and no other was made.
    pub fn is_unchanged(&self) -> bool {
        self.changed == 0 && self.added == 0 && self.not_decided.is_empty() && self.unreadable_records == 0
    }
}

/// Decides the journaled decisions of a data directory again under another bundle, and says what would change. Another
/// process may be writing there: nothing is locked, and nothing is written.
pub fn backtest(
    data: &Path,
    question: &Question,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<BacktestReport, ReplayError> {
    let folder = journal_folder(data);
    let last_seq = last_seq(&folder)?.min(question.range.last_seq());
    let is_together = question.bundle.has_global_caps();
    let course = Course { folder: &folder, limits, last_seq, is_together };
    let covered = course.run(|partition| Anew::new(partition, question), progress)?;
    let mut changes = Changes::default();
    covered.works.into_iter().for_each(|work| changes.add(work.changes));
    let Changes { turns, recorded, void_settlements, .. } = changes;
    let [not_decided, left, unreadable] =
        [&changes.not_decided, &changes.left, &changes.unreadable].map(|reasons| reasons.clone().listed());
    let playbooks = Changes::listed(changes);
    let sum = |of: fn(&PlaybookChanges) -> u64| playbooks.iter().map(of).sum();
    Ok(BacktestReport {
        bundle: question.bundle.id().to_string(),
        last_record: last_seq,
        decided: sum(|playbook| playbook.decided),
        changed: sum(|playbook| playbook.changed),
        outcome_changed: sum(|playbook| playbook.outcome_changed),
        added: sum(|playbook| playbook.added),
        turns,
        recorded,
        playbooks,
        not_decided,
        left,
        unreadable_records: unreadable.iter().map(|of| of.count).sum(),
        unreadable,
        void_settlements,
        gaps: covered.passed.gaps,
        passes: covered.passes,
    })
}

/// The turns of one partition.
struct Anew<'a> {
    partition: u8,
    question: &'a Question,
    states: States,
    changes: Changes,
    /// Whether the customer who is asked about can be in this partition.
    is_elsewhere: bool,
}

/// What one thread has at hand.
#[derive(Default)]
struct Bench {
    scratch: Workspace,
    carriers: Vec<(u64, Carrier)>,
    lender: Lender,
}

impl Bench {
    fn carrier(&mut self, seq: u64, from: &Arc<Bundle>, to: &Arc<Bundle>) -> &Carrier {
        let known = self.carriers.iter().rposition(|(known, _)| *known == seq);
        let at = known.unwrap_or_else(|| {
            self.carriers.push((seq, Carrier::new(from, to)));
            self.carriers.len() - 1
        });
        &self.carriers[at].1
    }
}

/// A record without its input, which was carried over.
struct Then<'a> {
    seq: u64,
    tenant: &'a TenantId,
    arrival: Timestamp,
    bundle: &'a Bundle,
    decisions: &'a [RecordedDecision],
}

impl Work for Anew<'_> {
    type Bench = Bench;

    fn bytes(&self) -> usize {
        self.states.bytes()
    }

    fn take(&mut self, piece: &Piece<'_>, bench: &mut Bench, bundles: &mut Nearby<'_>) {
        if self.is_elsewhere {
            return;
        }
        let ReadRecord { record, bundle, bundle_seq } = match read(piece, bundles) {
            Ok(read) => read,
            Err(reason) => return self.changes.unreadable.count(reason, 1),
        };
        // What the self-check decided was decided for nobody.
        if record.input.customer().is_synthetic() {
            return;
        }
        if self.question.range.is_behind(piece.seq, record.arrival) || self.is_passed_over(&record) {
            return;
        }
        let last_arrival = self.states.of(record.input.customer(), self.question.bundle.layout()).state.last_arrival;
        let Readings { arrival, is_late, .. } = record.readings(&bundle, last_arrival);
        let is_counted = self.is_counted(piece.seq, &record);
        let Record { tenant, arrival: at, input, decisions, .. } = record;
        let then = Then { seq: piece.seq, tenant: &tenant, arrival: at, bundle: &bundle, decisions: &decisions };
        let carried = bench.carrier(bundle_seq, &bundle, &self.question.bundle).carry(input);
        let carried = match carried {
            Ok(carried) => carried,
            Err(reason) => {
                self.changes.left.count(reason.clone(), 1);
                return self.leave(&then, is_counted, &reason);
            }
        };
        let Carried { input, unasked, left } = carried;
        left.into_iter().for_each(|reason| self.changes.left.count(reason, 1));
        if is_counted {
            self.changes.turns += 1;
            self.changes.recorded += self.asked_for(&then).count() as u64;
        }
        if let Some(reason) = unasked {
            self.fold(&input, &then);
            return self.not_decided(&then, is_counted, |_| reason.clone());
        }
        self.decide(&input, &Readings { is_late, ..Readings::at(arrival) }, &then, is_counted, bench);
    }
}

impl<'a> Anew<'a> {
    fn new(partition: u8, question: &'a Question) -> Self {
        let (states, changes) = (States::default(), Changes::default());
        Self { partition, question, states, changes, is_elsewhere: false }
    }

    /// Whether it is about somebody else than is asked about. What all customers take of global caps is needed all the same.
    fn is_passed_over(&mut self, record: &Record) -> bool {
        let Some(asked) = &self.question.range.customer else { return false };
        if self.question.bundle.has_global_caps() || record.input.customer() == asked {
            return false;
        }
        self.is_elsewhere = Partition::of(&record.tenant, asked.as_str()).number() != self.partition;
        true
    }

    fn is_counted(&self, seq: u64, record: &Record) -> bool {
        let Range { customer, .. } = &self.question.range;
        let is_asked_for = customer.as_ref().is_none_or(|customer| customer == record.input.customer());
        is_asked_for && !self.question.range.is_before(seq, record.arrival)
    }

    /// The recorded decisions that are asked for, with their playbooks' names.
    fn asked_for<'t>(&self, then: &Then<'t>) -> impl Iterator<Item = (&'t RecordedDecision, &'t str)> + use<'t, 'a> {
        let (bundle, asked) = (then.bundle, self.question.playbook.as_deref());
        let named = then.decisions.iter().map(|decision| (decision, &*bundle.playbooks()[decision.playbook].name));
        named.filter(move |(_, name)| asked.is_none_or(|asked| asked == *name))
    }

    /// An input that cannot be carried over: it is as if it had not come.
    fn leave(&mut self, then: &Then<'_>, is_counted: bool, reason: &str) {
        if is_counted {
            self.changes.turns += 1;
            self.changes.recorded += self.asked_for(then).count() as u64;
        }
        self.not_decided(then, is_counted, |_| reason.to_owned());
    }

    fn not_decided(&mut self, then: &Then<'_>, is_counted: bool, reason: impl Fn(&str) -> String) {
        let names: Vec<&str> =
            if is_counted { self.asked_for(then).map(|(_, name)| name).collect() } else { Vec::new() };
        names.into_iter().for_each(|name| self.changes.not_decided.count(reason(name), 1));
    }

    /// Takes an event in that no playbook is asked about.
    fn fold(&mut self, input: &Input, then: &Then<'_>) {
        let bundle = &*self.question.bundle;
        let around = Surroundings { bundle, tenant: then.tenant };
        let state = &mut self.states.of(input.customer(), bundle.layout()).state;
        // A state that is made under one bundle needs no other layout.
        if apply_input(state, input, then.arrival, around).is_ok()
            && let Input::Event(event) = input
        {
            apply_outcome(state, event, then.arrival, (std::iter::empty(), true), around);
        }
    }

    fn decide(&mut self, input: &Input, read: &Readings, then: &Then<'_>, is_counted: bool, bench: &mut Bench) {
        let bundle = &*self.question.bundle;
        let around = Surroundings { bundle, tenant: then.tenant };
        let leases =
            if bundle.has_global_caps() { bench.lender.readings(read.arrival, bundle).leases } else { Vec::new() };
        let readings = Readings { leases, ..read.clone() };
        let state = &mut self.states.of(input.customer(), bundle.layout()).state;
        let taken = take(state, input, &readings, around, &mut bench.scratch);
        state.last_seq = then.seq;
        match taken {
            Ok(Taken::Turn(turn)) => {
                bench.lender.enter(input, &turn, bundle);
                if is_counted && let Input::Event(event) = input {
                    self.compare(event, &turn, then);
                }
            }
            Ok(Taken::Repeated(_)) => self.not_decided(then, is_counted, |_| REPEATED.to_owned()),
            Ok(Taken::Conflict) => {
                let reason = "the event's id had been used with another content";
                self.not_decided(then, is_counted, |_| reason.to_owned());
            }
            // A slow model that nobody has asked counts as late (`Readings::at`).
            Ok(Taken::Asks(_)) => self.not_decided(then, is_counted, |_| "a slow model would be asked".to_owned()),
            Ok(Taken::Unsettled(_)) => self.changes.void_settlements += u64::from(is_counted),
            Err(error) => self.not_decided(then, is_counted, |_| error.to_string()),
        }
    }

    /// Holds what was decided then against what is decided now.
    fn compare(&mut self, event: &EventInput, turn: &Turn, then: &Then<'_>) {
        let bundle = &*self.question.bundle;
        let name_of = |number: usize| &*bundle.playbooks()[number].name;
        let recorded: Vec<(&RecordedDecision, &str)> = self.asked_for(then).collect();
        for (decision, name) in &recorded {
            let Some(made) = turn.decisions.iter().find(|made| name_of(made.playbook) == *name) else {
                let is_repeated = turn.repeated.iter().any(|(number, _)| name_of(*number) == *name);
                self.changes.not_decided.count(why_not(name, is_repeated, event, bundle), 1);
                continue;
            };
            let playbooks = (&then.bundle.playbooks()[decision.playbook], &bundle.playbooks()[made.playbook]);
            let pair = Pair { then: (decision, playbooks.0), now: (made, playbooks.1) };
            let example = || Example::new(then.seq, id_of(name, event, then), customer_of(event));
            self.changes.compare(&pair, example);
        }
        let asked = self.question.playbook.as_deref();
        for name in turn.decisions.iter().map(|made| name_of(made.playbook)) {
            let is_known = then.decisions.iter().any(|of| &*then.bundle.playbooks()[of.playbook].name == name);
            if !is_known && asked.is_none_or(|asked| asked == name) {
                self.changes.added(name);
            }
        }
    }
}

const REPEATED: &str = "it repeats an earlier decision";

/// Why a playbook that decided then does not now.
fn why_not(name: &str, is_repeated: bool, event: &EventInput, bundle: &Bundle) -> String {
    if is_repeated {
        return REPEATED.to_owned();
    }
    if bundle.playbook_number(name).is_none() {
        return no_playbook(name);
    }
    no_longer_on(name, &bundle.layout().events()[event.event.kind].name)
}

fn customer_of(event: &EventInput) -> &CustomerId {
    &event.event.customer
}

/// The id that the decision was recorded under.
fn id_of(playbook: &str, event: &EventInput, then: &Then<'_>) -> DecisionId {
    let (customer, key) = (&event.event.customer, &event.event.key);
    DecisionId::of(DecisionName { tenant: then.tenant, playbook, customer, event: key, arrival: then.arrival })
}
