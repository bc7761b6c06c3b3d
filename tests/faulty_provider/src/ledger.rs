//! What was seen, counted and waited for.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::behaviour::{Behaviour, Conduct};
use crate::wire::Request;

/// Requests that are kept to be looked at; the oldest go first.
const KEPT: usize = 4_096;

/// A request for a completion that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its number since the start, from 0.
    pub number: u64,
    /// The number of the connection that it came on, from 0.
    pub connection: u64,
    /// Its headers, in their order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// When it was complete.
    pub at: Instant,
    /// Whether the client closed or reset the connection before it had its response.
    pub closed_early: bool,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Connections that were opened.
    pub connections: u64,
    /// Those of them that are open.
    pub open: u64,
    /// Requests for a completion.
    pub requests: u64,
    /// Those of them that have neither a response nor an end.
    pub under_way: u64,
    /// The most that there ever were of these at once.
    pub under_way_max: u64,
    /// Requests whose response was written to its end.
    pub answered: u64,
    /// Requests whose client closed or reset the connection before it had its response.
    pub closed_early: u64,
    /// Requests whose connection was ended by the provider instead of a response.
    pub broken: u64,
    /// Requests for anything else, such as the list of models.
    pub others: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered,
    ClosedEarly,
    Broken,
}

/// A request that was let in.
pub(crate) struct Entry {
    pub(crate) number: u64,
    /// Its number since the behaviour was set.
    pub(crate) turn: u64,
    pub(crate) conduct: Conduct,
}

/// What provider and connections share.
#[derive(Debug)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
    changed: Condvar,
}

#[derive(Debug)]
struct Pages {
    behaviour: Behaviour,
    set_at: Instant,
    /// The number of the first request after the behaviour was set.
    first: u64,
    seen: VecDeque<Seen>,
    kept: usize,
    counts: Counts,
}

impl Ledger {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        let pages =
            Pages { behaviour, set_at: now(), first: 0, seen: VecDeque::new(), kept: KEPT, counts: Counts::default() };
        Self { pages: Mutex::new(pages), changed: Condvar::new() }
    }

    pub(crate) fn set(&self, behaviour: Behaviour) {
        let mut pages = self.pages();
        pages.behaviour = behaviour;
        pages.set_at = now();
        pages.first = pages.counts.requests;
    }

    pub(crate) fn keep(&self, kept: usize) {
        let mut pages = self.pages();
        pages.kept = kept;
        let surplus = pages.seen.len().saturating_sub(kept);
        pages.seen.drain(..surplus);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.pages().seen.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.pages().counts
    }

    /// Waits until the counts are as asked; false if they are not after `patience`.
    pub(crate) fn wait(&self, mut is_so: impl FnMut(&Counts) -> bool, patience: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.pages(), patience, |pages| !is_so(&pages.counts));
        let (_pages, waited) = waiting.unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// A connection was opened; its number.
    pub(crate) fn opened(&self) -> u64 {
        self.change(|pages| {
            pages.counts.open += 1;
            pages.counts.connections += 1;
            pages.counts.connections - 1
        })
    }

    pub(crate) fn closed(&self) {
        self.change(|pages| pages.counts.open -= 1);
    }

    pub(crate) fn other(&self) {
        self.change(|pages| pages.counts.others += 1);
    }

    /// A request came.
    pub(crate) fn enter(&self, connection: u64, request: &Request) -> Entry {
        self.change(|pages| {
            let (number, at) = (pages.counts.requests, now());
            pages.counts.requests += 1;
            pages.counts.under_way += 1;
            pages.counts.under_way_max = pages.counts.under_way_max.max(pages.counts.under_way);
            if pages.kept > 0 {
                if pages.seen.len() == pages.kept {
                    pages.seen.pop_front();
                }
                let (headers, body) = (request.headers.clone(), request.body.clone());
                pages.seen.push_back(Seen { number, connection, headers, body, at, closed_early: false });
            }
            let turn = number - pages.first;
            let conduct = pages.behaviour.conduct(turn, at.saturating_duration_since(pages.set_at));
            Entry { number, turn, conduct }
        })
    }

    /// A request ended.
    pub(crate) fn leave(&self, number: u64, ending: Ending) {
        self.change(|pages| {
            pages.counts.under_way -= 1;
            match ending {
                Ending::Answered => pages.counts.answered += 1,
                Ending::Broken => pages.counts.broken += 1,
                Ending::ClosedEarly => {
                    pages.counts.closed_early += 1;
                    if let Some(seen) = pages.seen.iter_mut().rfind(|seen| seen.number == number) {
                        seen.closed_early = true;
                    }
                }
            }
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let changed = change(&mut self.pages());
        self.changed.notify_all();
        changed
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "this crate is no part of the engine, whose clock it cannot have")]
fn now() -> Instant {
    Instant::now()
}
