//! Searching the decisions that are on disk: by customer, playbook, rule, tier, fallback, outcome and time.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::search_query::Conditions;
use super::{Engine, Error, Search};
use crate::actor::{RecordTerms, ShelfError};
use crate::bundle::{Bundle, BundleId};
use crate::domain::{CustomerId, Datum, DecisionId, FallbackReason, Tier, Timestamp};
use crate::journal::{Bounds, Found, Hear, JournalError, Searched, Sought, TermIndex, journal_folder};
use crate::turn::{Record, RecordedDecision, Termed};

/// Decisions that were found, the newest first, and where to go on.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct DecisionPage {
    /// The decisions, in the order of the journal, the newest first.
    pub decisions: Vec<DecisionFound>,
    /// The `cursor` of the next page; `None` if there is nothing more. What is decided meanwhile does not change what it
    /// leads to.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub cursor: Option<Cursor>,
    /// What is to be said of the page: that one call did not look through everything, or that something cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub note: Option<String>,
}

/// A decision that was found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct DecisionFound {
    /// Its id.
    #[cfg_attr(feature = "http", schema(value_type = String, format = "uuid"))]
    pub decision_id: DecisionId,
    /// When its event arrived.
    #[serde(serialize_with = "time_as_text")]
    #[cfg_attr(feature = "http", schema(value_type = String, format = DateTime))]
    pub arrival: Timestamp,
    /// Whom it is about.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// The playbook that decided.
    pub playbook: String,
    /// What was decided.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub outcome: BTreeMap<String, Datum>,
    /// What made it.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub tier: Tier,
    /// The rule that matched; `None` for the playbook's default.
    pub rule: Option<String>,
    /// Why the playbook's default was taken in place of a proposal.
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub fallback: Option<FallbackReason>,
    /// Until when someone must say what became of the decision; `None` if it is final.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime, required = true))]
    pub settle_by: Option<Timestamp>,
    /// The bundle it was decided on.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub bundle: BundleId,
    /// The sequence of its record in the journal.
    pub record: u64,
}

/// Where a search goes on: with a record's decisions from one on, and then with what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    record: u64,
    nth: usize,
}

impl Cursor {
    /// Where a search begins.
    pub(super) const NEWEST: Self = Self { record: u64::MAX - 1, nth: 0 };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nth {
            0 => write!(f, "{}", self.record),
            nth => write!(f, "{}.{nth}", self.record),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (record, nth) = text.split_once('.').unwrap_or((text, "0"));
        let cursor = Self { record: record.parse().map_err(|_| ())?, nth: nth.parse().map_err(|_| ())? };
        if cursor.record > Self::NEWEST.record { Err(()) } else { Ok(cursor) }
    }
}

/// A journal that is searched.
pub(super) trait Searchable {
    fn search(&self, sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>) -> Result<Searched, JournalError>;

    fn bundle_at(&self, seq: u64) -> Result<Arc<Bundle>, ShelfError>;

    /// Bundles that are known without reading, the one in force first.
    fn bundles(&self) -> Result<Vec<Arc<Bundle>>, Error>;
}

impl Searchable for Engine {
    fn search(&self, sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>) -> Result<Searched, JournalError> {
        self.0.journal.search(sought, bounds, hear)
    }

    fn bundle_at(&self, seq: u64) -> Result<Arc<Bundle>, ShelfError> {
        self.0.customers.bundle_at(seq)
    }

    fn bundles(&self) -> Result<Vec<Arc<Bundle>>, Error> {
        Ok(std::iter::once(self.bundle()).chain(self.0.customers.known_bundles()).collect())
    }
}

/// A data directory that another process may have open.
struct Beside {
    index: TermIndex,
    terms: Arc<RecordTerms>,
}

impl Searchable for Beside {
    fn search(&self, sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>) -> Result<Searched, JournalError> {
        self.index.search(sought, bounds, hear)
    }

    fn bundle_at(&self, seq: u64) -> Result<Arc<Bundle>, ShelfError> {
        self.terms.bundle_at(seq)
    }

    /// The one that was put in force last.
    fn bundles(&self) -> Result<Vec<Arc<Bundle>>, Error> {
        let mut last = None;
        self.index.search(all_of(&[Termed::Bundle.term()]), UNBOUNDED, &mut |found| {
            last = Some(found.seq);
            ControlFlow::Break(())
        })?;
        let bundle = last.map(|seq| self.bundle_at(seq).map_err(|e| Error::Record(e.to_string()))).transpose()?;
        Ok(bundle.into_iter().chain(self.terms.known_bundles()).collect())
    }
}

/// For someone who waits at a terminal.
const UNBOUNDED: Bounds = Bounds { records: u32::MAX, segments: u32::MAX, chunks: u32::MAX, gathered: u32::MAX };

fn all_of(terms: &[crate::domain::Term]) -> Sought<'_> {
    let all_time = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    Sought { terms, arrived: all_time, before: u64::MAX }
}

impl Engine {
    /// Searches the decisions on disk, the newest first, a page at a time. Reads the journal: not for the way of an event.
    ///
    /// What one call does is bounded; a page that says so in its note may have fewer decisions than were asked for, and its
    /// cursor leads on.
    pub fn search(&self, search: &Search) -> Result<DecisionPage, Error> {
        page(self, search, Bounds::default())
    }
}

/// Searches the decisions of a data directory, which another process may have open: nothing is locked, nothing is written.
///
/// The index of a segment that is not there is made in memory, and that of the segment that is written always is.
pub fn search_from(data: &Path, search: &Search) -> Result<DecisionPage, Error> {
    let folder = journal_folder(data);
    let terms = RecordTerms::new(&folder);
    match TermIndex::beside(&folder, Arc::clone(&terms) as Arc<dyn crate::journal::Terms>)? {
        Some(index) => page(&Beside { index, terms }, search, UNBOUNDED),
        None => Ok(DecisionPage { decisions: Vec::new(), cursor: None, note: None }),
    }
}

fn page(journal: &dyn Searchable, search: &Search, bounds: Bounds) -> Result<DecisionPage, Error> {
    let query = search.checked(journal)?;
    find(journal, &query.conditions, query.cursor.unwrap_or(Cursor::NEWEST), query.limit, bounds)
}

/// The decisions that meet the conditions, from a cursor on.
pub(super) fn find(
    journal: &dyn Searchable,
    conditions: &Conditions,
    cursor: Cursor,
    limit: usize,
    bounds: Bounds,
) -> Result<DecisionPage, Error> {
    let terms = conditions.terms();
    let sought = Sought { terms: &terms, arrived: conditions.arrived, before: cursor.record + 1 };
    let mut page = Finding { journal, conditions, cursor, limit, decisions: Vec::new(), next: None, unreadable: 0 };
    let mut failed = None;
    let searched = journal.search(sought, bounds, &mut |found| match page.take(&found) {
        Ok(flow) => flow,
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let bound = searched.before.filter(|before| *before > 1).map(|before| Cursor { record: before - 1, nth: 0 });
    let note = note(bound.filter(|_| page.next.is_none()), searched.unreadable + page.unreadable);
    Ok(DecisionPage { decisions: page.decisions, cursor: page.next.or(bound), note })
}

fn note(bound: Option<Cursor>, unreadable: u64) -> Option<String> {
    let back = bound.map(|to| {
        format!("one call does not look through everything: go on with the cursor, from record {} back", to.record)
    });
    let lost = (unreadable > 0).then(|| {
        format!("{unreadable} records of the time that was searched cannot be read, so nothing is found in them")
    });
    let notes: Vec<String> = back.into_iter().chain(lost).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// A page that is being filled.
struct Finding<'a> {
    journal: &'a dyn Searchable,
    conditions: &'a Conditions,
    cursor: Cursor,
    limit: usize,
    decisions: Vec<DecisionFound>,
    next: Option<Cursor>,
    /// Records that the index has as they were, and that cannot be read: their bundle is lost.
    unreadable: u64,
}

impl Finding<'_> {
    fn take(&mut self, found: &Found) -> Result<ControlFlow<()>, Error> {
        if found.kind != crate::journal::Kind::Turn {
            return Ok(ControlFlow::Continue(()));
        }
        let Some((record, bundle)) = self.read(found)? else {
            self.unreadable += 1;
            return Ok(ControlFlow::Continue(()));
        };
        for (nth, decision) in record.decisions.iter().enumerate() {
            let is_behind = found.seq == self.cursor.record && nth < self.cursor.nth;
            if is_behind || !self.conditions.are_met(&record, decision, &bundle) {
                continue;
            }
            if self.decisions.len() >= self.limit {
                self.next = Some(Cursor { record: found.seq, nth });
                return Ok(ControlFlow::Break(()));
            }
            self.decisions.extend(DecisionFound::of(&record, decision, &bundle, found.seq));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A record and its bundle; `None` if it can be read neither now nor later. An error says that the journal cannot be read.
    fn read(&self, found: &Found) -> Result<Option<(Record, Arc<Bundle>)>, Error> {
        let mut failed = None;
        let bundle_at = |seq| self.journal.bundle_at(seq).map_err(|error| failed = Some(error)).ok();
        match (Record::decode(&found.payload, bundle_at), failed) {
            (Ok(read), _) => Ok(Some(read)),
            (Err(_), Some(ShelfError::Journal(error))) => Err(error.into()),
            (Err(_), _) => Ok(None),
        }
    }
}

impl DecisionFound {
    fn of(record: &Record, decision: &RecordedDecision, bundle: &Bundle, seq: u64) -> Option<Self> {
        let playbook = &bundle.playbooks()[decision.playbook];
        let fields = playbook.outcome.fields().iter().zip(&decision.outcome);
        Some(Self {
            decision_id: record.id_of(decision, bundle)?,
            arrival: record.arrival,
            customer: record.input.customer().clone(),
            playbook: playbook.name.to_string(),
            outcome: fields
                .map(|(field, value)| (field.name.to_string(), Datum::new(&field.ty, value.clone())))
                .collect(),
            tier: decision.tier,
            rule: decision.rule.map(|rank| playbook.rules.rules()[rank].id.to_string()),
            fallback: decision.fallback,
            settle_by: playbook.settle_by(&decision.outcome, record.arrival),
            bundle: bundle.id(),
            record: seq,
        })
    }
}

fn as_text<T: fmt::Display, S: Serializer>(of: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    of.as_ref().map(ToString::to_string).serialize(serializer)
}

fn time_as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
