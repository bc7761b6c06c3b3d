//! The models that are registered, and which of them is due.

use std::sync::Arc;

use super::config::Config;
use super::metrics::ModelMetrics;
use super::model::SlowModel;
use super::queue::{ClosedBy, Question, Queue};
use crate::time::{Deadline, Instant};

/// What the threads of a pool share, behind one lock.
#[derive(Default)]
pub(super) struct Roster {
    entries: Vec<Entry>,
    next_id: u64,
    /// Counts what a thread that waits should look at.
    pub(super) changes: u64,
    /// Threads that have not ended.
    pub(super) running: usize,
    pub(super) is_closing: bool,
}

/// A registered model.
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) queue: Queue,
    pub(super) metrics: Arc<ModelMetrics>,
    /// None while a thread has it.
    seat: Option<Seat>,
    /// Whether nobody can ask it any more.
    is_leaving: bool,
}

/// A model, as the thread takes it that asks it.
pub(super) struct Seat {
    pub(super) name: Arc<str>,
    pub(super) model: Box<dyn SlowModel>,
    pub(super) health: Health,
}

/// Whether a model may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Sound,
    /// The latest batch failed for a reason of its own.
    Failing,
    /// To be rebuilt, not before the instant; and why.
    Broken {
        retry_at: Instant,
        reason: Arc<str>,
    },
}

/// A batch to be put to its model.
pub(super) struct Batch {
    pub(super) id: u64,
    pub(super) seat: Seat,
    pub(super) metrics: Arc<ModelMetrics>,
    pub(super) questions: Vec<Question>,
    pub(super) closed_by: ClosedBy,
}

/// What a thread does next.
pub(super) enum Next {
    Ask(Batch),
    WaitUntil(Instant),
    Wait,
}

/// Questions that are answered without the model, with whose they are.
pub(super) type Hopeless = Vec<(Arc<ModelMetrics>, Vec<Question>)>;

impl Roster {
    /// Enters a model; its id.
    pub(super) fn enter(&mut self, seat: Seat, metrics: ModelMetrics, config: &Config, now: Instant) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let queue = Queue::new(config, now);
        self.entries.push(Entry { id, queue, metrics: Arc::new(metrics), seat: Some(seat), is_leaving: false });
        id
    }

    /// The model of an id, as long as it is registered.
    pub(super) fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }

    pub(super) fn entries(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    /// The batch that is due, the earliest deadline first; else when the next one will be.
    pub(super) fn next(&mut self, now: Instant, hopeless: &mut Hopeless) -> Next {
        loop {
            let due = self.entries.iter().enumerate().filter_map(|(nth, entry)| {
                let (closes, by) = entry.queue.closes(now)?;
                (closes <= now).then_some((entry.queue.earliest()?, nth, by))
            });
            let Some((_, nth, closed_by)) = due.min_by_key(|(earliest, nth, _): &(Deadline, _, _)| (*earliest, *nth))
            else {
                let later = self.entries.iter().filter_map(|entry| entry.queue.closes(now)).map(|(closes, _)| closes);
                return later.min().map_or(Next::Wait, Next::WaitUntil);
            };
            let entry = &mut self.entries[nth];
            let mut gone = Vec::new();
            let questions = entry.queue.take(now, &mut gone);
            if !gone.is_empty() {
                hopeless.push((Arc::clone(&entry.metrics), gone));
            }
            if questions.is_empty() {
                continue;
            }
            // INVARIANT: a queue that is not busy has its model in its seat: `take` and `sit` change both.
            let Some(seat) = entry.seat.take() else { continue };
            return Next::Ask(Batch { id: entry.id, seat, metrics: Arc::clone(&entry.metrics), questions, closed_by });
        }
    }

    /// Puts a model back that was asked; gives it out again if nobody can ask it any more.
    pub(super) fn sit(&mut self, id: u64, seat: Seat) -> Option<Seat> {
        let Some(entry) = self.entry(id) else { return Some(seat) };
        entry.seat = Some(seat);
        self.let_go(id)
    }

    /// Nobody can ask the model any more: it is given out as soon as it has nothing to do.
    pub(super) fn leave(&mut self, id: u64) -> Option<Seat> {
        self.entry(id)?.is_leaving = true;
        self.let_go(id)
    }

    fn let_go(&mut self, id: u64) -> Option<Seat> {
        let at = self.entries.iter().position(|entry| entry.id == id && entry.may_go())?;
        self.entries.swap_remove(at).seat
    }
}

impl Entry {
    fn may_go(&self) -> bool {
        self.is_leaving && self.queue.is_empty() && self.seat.is_some()
    }
}
