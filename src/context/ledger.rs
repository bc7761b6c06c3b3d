//! The ledger: our own records about a customer, as opposed to what we were told.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Commitments, Pace};
use crate::domain::{DecisionId, TimeDelta, Timestamp};

/// A playbook's name in a ledger: four bytes instead of a text. Two playbooks of one bundle never share one; the bundle
/// refuses that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlaybookKey(u32);

/// What was seen and decided for a customer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Events seen and decided, oldest first.
    pub(super) window: VecDeque<Entry>,
    /// Decisions by playbook.
    pub(super) tallies: Vec<Tally>,
    /// What decisions took of caps, and those that wait to be settled.
    pub commitments: Commitments,
    /// When playbooks with flow control last heard of a key.
    pub pace: Pace,
}

/// One event that was folded, or one decision on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The event's fingerprint.
    pub event: u128,
    /// The fingerprint of its content.
    pub body: u64,
    /// When it arrived.
    pub arrival: Timestamp,
    /// The playbook that decided and the decision, if one was made.
    pub decision: Option<(PlaybookKey, DecisionId)>,
}

/// How often a playbook decided for a customer, and when last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The playbook.
    pub playbook: PlaybookKey,
    /// How many decisions.
    pub decisions: u64,
    /// The arrival of the event last decided on.
    pub last: Timestamp,
}

/// How long repetitions of an event are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Events and decisions remembered per customer.
    pub entries: usize,
    /// For how long.
    pub over: TimeDelta,
}

impl Default for Window {
    /// Senders repeat within minutes, queues redeliver within a day; sixty-four entries are 4 KiB for a customer who fills
    /// them, and nothing for one who does not.
    fn default() -> Self {
        Self { entries: 64, over: TimeDelta::DAY }
    }
}

impl Window {
    /// The earliest arrival that is still remembered.
    pub fn since(self, arrival: Timestamp) -> Timestamp {
        arrival.saturating_sub(self.over)
    }
}

/// What the ledger knows of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Not seen within the window.
    New,
    /// Seen, with another content.
    Conflict,
    /// Seen, but not decided by this playbook.
    Folded,
    /// Decided by this playbook.
    Decided(DecisionId),
}

/// Event, body, arrival, and the decision with its playbook.
type StoredEntry = ([u8; 16], u64, i64, Option<(PlaybookKey, [u8; 16])>);

/// A ledger as version 1 of the stored state has it.
#[derive(Debug, Deserialize)]
pub(super) struct StoredLedger {
    window: Vec<StoredEntry>,
    tallies: Vec<(PlaybookKey, u64, i64)>,
}

impl PlaybookKey {
    /// The key of a playbook's name.
    pub fn of(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()) as u32)
    }

    pub(super) fn to_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }
}

impl Ledger {
    /// What is known of an event with this content, for one playbook; entries before `since` are forgotten.
    pub fn known(&self, event: u128, body: u64, playbook: Option<PlaybookKey>, since: Timestamp) -> Known {
        let mut known = Known::New;
        for entry in self.window.iter().rev().filter(|entry| entry.event == event && entry.arrival >= since) {
            if entry.body != body {
                return Known::Conflict;
            }
            match entry.decision {
                Some((by, id)) if Some(by) == playbook => return Known::Decided(id),
                _ => known = Known::Folded,
            }
        }
        known
    }

    /// Enters an event or a decision, and forgets what the window no longer covers.
    pub fn enter(&mut self, entry: Entry, window: Window) {
        if let Some((playbook, _)) = entry.decision {
            self.count(playbook, entry.arrival);
        }
        self.enter_repeated(entry, window);
    }

    /// Enters an event that repeats an earlier decision on another: it counts for nothing, but is known from now on.
    pub fn enter_repeated(&mut self, entry: Entry, window: Window) {
        let oldest = window.since(entry.arrival);
        while self.window.front().is_some_and(|first| self.window.len() >= window.entries || first.arrival < oldest) {
            self.window.pop_front();
        }
        self.window.push_back(entry);
    }

    fn count(&mut self, playbook: PlaybookKey, arrival: Timestamp) {
        match self.tallies.iter_mut().find(|tally| tally.playbook == playbook) {
            Some(tally) => {
                tally.decisions += 1;
                tally.last = tally.last.max(arrival);
            }
            None => self.tallies.push(Tally { playbook, decisions: 1, last: arrival }),
        }
    }

    /// The tally of a playbook.
    pub fn tally(&self, playbook: PlaybookKey) -> Option<Tally> {
        self.tallies.iter().find(|tally| tally.playbook == playbook).copied()
    }

    /// Tallies of all playbooks that ever decided, in force or not.
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// The window's entries, newest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.window.iter().rev()
    }

    /// Bytes held beyond the ledger's own size.
    pub fn heap_bytes(&self) -> usize {
        self.window.capacity() * size_of::<Entry>()
            + self.tallies.capacity() * size_of::<Tally>()
            + self.commitments.heap_bytes()
            + self.pace.heap_bytes()
    }

    pub(super) fn restore(stored: StoredLedger) -> Self {
        let entry = |(event, body, arrival, decision): StoredEntry| Entry {
            event: u128::from_be_bytes(event),
            body,
            arrival: Timestamp::from_micros(arrival),
            decision: decision.map(|(playbook, id)| (playbook, DecisionId::from_u128(u128::from_be_bytes(id)))),
        };
        let tally = |(playbook, decisions, last)| Tally { playbook, decisions, last: Timestamp::from_micros(last) };
        Self {
            window: stored.window.into_iter().map(entry).collect(),
            tallies: stored.tallies.into_iter().map(tally).collect(),
            commitments: Commitments::default(),
            pace: Pace::default(),
        }
    }
}
