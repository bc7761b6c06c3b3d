//! The pace: when a playbook with flow control last heard of a key, and what it decided then.
//!
//! A key is a value of an event's attribute, or the customer as a whole. A customer's ledger keeps [`KEYS_MAX`] keys for each
//! playbook; beyond it the one that was longest unused is forgotten, and begins anew when it is heard of again.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::PlaybookKey;
use crate::domain::{DecisionId, TimeDelta, Timestamp, Type, Value};

/// Keys that are told apart for one customer and playbook. A key takes some 90 bytes.
pub const KEYS_MAX: usize = 64;

/// What flow control tells apart: eight bytes in place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowKey(u64);

/// What is kept of the keys of all playbooks. Nothing on the heap for a customer without any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace(Option<Box<Content>>);

#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    /// The longest unused first.
    paced: Vec<Paced>,
}

/// What is kept of one key of one playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paced {
    /// The playbook.
    pub playbook: PlaybookKey,
    /// The key.
    pub key: FlowKey,
    /// The arrival of the last event with this key, whatever became of it.
    pub last: Timestamp,
    /// The arrivals of events that the rules were asked about, oldest first, as far back as the throttle looks.
    pub asked: Vec<Timestamp>,
    /// The last decision that the rules were asked for, and its arrival.
    pub decided: Option<(Timestamp, DecisionId)>,
}

/// An event as a playbook's flow control takes it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The playbook.
    pub playbook: PlaybookKey,
    /// The event's key.
    pub key: FlowKey,
    /// When it arrived.
    pub at: Timestamp,
    /// The decision, if the rules were asked for it.
    pub asked: Option<DecisionId>,
}

/// How far back a playbook's flow control looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// For the number of decisions; `None` if they are not counted.
    pub count: Option<TimeDelta>,
    /// For anything at all.
    pub longest: TimeDelta,
}

/// Playbook, key, last, how long before it the rules were asked, and the last decision with how long before it that was made.
type StoredPaced = (PlaybookKey, FlowKey, i64, Vec<i64>, Option<(i64, [u8; 16])>);

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct StoredPace(Vec<StoredPaced>);

/// Takes a value's text without keeping it.
struct Hashing(Xxh3Default);

impl Write for Hashing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl FlowKey {
    /// The key of the customer as a whole.
    pub const WHOLE: Self = Self(0);

    /// The key of events that lack the attribute.
    pub const ABSENT: Self = Self(1);

    /// Its number: of a value the fingerprint, which is all that a state keeps of it.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The key of an attribute's value: of its text, which another bundle shows the same.
    pub fn of(ty: &Type, value: &Value) -> Self {
        let mut hashing = Hashing(Xxh3Default::new());
        // Hashing takes every text.
        let shown = write!(hashing, "{}", ty.show(value));
        debug_assert!(shown.is_ok(), "a value has a text");
        Self(hashing.0.digest())
    }
}

impl Pace {
    /// What is kept of a key.
    pub fn of(&self, playbook: PlaybookKey, key: FlowKey) -> Option<&Paced> {
        self.paced().iter().find(|paced| paced.playbook == playbook && paced.key == key)
    }

    /// Everything that is kept, the longest unused first.
    pub fn paced(&self) -> &[Paced] {
        self.0.as_ref().map_or(&[], |content| &content.paced)
    }

    /// Takes in an event, and forgets what no longer matters.
    pub fn enter(&mut self, step: Step, memory: Memory) {
        let Step { playbook, key, at, asked } = step;
        let paced = &mut self.0.get_or_insert_default().paced;
        let before = paced.iter().position(|known| known.playbook == playbook && known.key == key);
        let mut of_key = match before {
            Some(place) => paced.remove(place),
            None => Paced { playbook, key, last: at, asked: Vec::new(), decided: None },
        };
        of_key.last = of_key.last.max(at);
        if let Some(id) = asked {
            of_key.decided = Some((at, id));
            if let Some(over) = memory.count {
                of_key.asked.retain(|asked| at.since(*asked) < over);
                of_key.asked.push(at);
            }
        }
        paced.retain(|known| known.playbook != playbook || at.since(known.last) < memory.longest);
        if paced.iter().filter(|known| known.playbook == playbook).count() >= KEYS_MAX
            && let Some(oldest) = paced.iter().position(|known| known.playbook == playbook)
        {
            paced.remove(oldest);
        }
        paced.push(of_key);
    }

    /// Bytes held beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |content| {
            let asked: usize = content.paced.iter().map(|paced| paced.asked.capacity()).sum();
            size_of::<Content>() + content.paced.capacity() * size_of::<Paced>() + asked * size_of::<Timestamp>()
        })
    }

    /// Its stored form; `None` if there is nothing to store.
    pub(super) fn store(&self) -> Option<StoredPace> {
        self.0.as_ref()?;
        let before = |last: Timestamp, at: Timestamp| last.since(at).micros();
        let stored = |paced: &Paced| {
            let Paced { playbook, key, last, asked, decided } = paced;
            let asked = asked.iter().map(|at| before(*last, *at)).collect();
            let decided = decided.map(|(at, id)| (before(*last, at), id.to_u128().to_be_bytes()));
            (*playbook, *key, last.micros(), asked, decided)
        };
        Some(StoredPace(self.paced().iter().map(stored).collect()))
    }

    pub(super) fn restore(StoredPace(stored): StoredPace) -> Self {
        let paced = |(playbook, key, last, asked, decided): StoredPaced| {
            let last = Timestamp::from_micros(last);
            let at = |before| last.saturating_sub(TimeDelta::from_micros(before));
            Paced {
                playbook,
                key,
                last,
                asked: asked.into_iter().map(at).collect(),
                decided: decided.map(|(before, id)| (at(before), DecisionId::from_u128(u128::from_be_bytes(id)))),
            }
        };
        Self(Some(Box::new(Content { paced: stored.into_iter().map(paced).collect() })))
    }
}

impl Paced {
    /// How many decisions the rules were asked for within a time before `now`.
    pub fn asked_within(&self, over: TimeDelta, now: Timestamp) -> usize {
        self.asked.iter().filter(|asked| now.since(**asked) < over).count()
    }

    /// The last decision that the rules were asked for, if that was within a time before `now`.
    pub fn decided_within(&self, over: TimeDelta, now: Timestamp) -> Option<DecisionId> {
        self.decided.filter(|(at, _)| now.since(*at) < over).map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Memory = Memory { count: Some(TimeDelta::HOUR), longest: TimeDelta::DAY };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn step(key: u64, seconds: i64) -> Step {
        let asked = Some(DecisionId::from_u128(u128::from(key)));
        Step { playbook: PlaybookKey::of("a"), key: FlowKey(key), at: at(seconds), asked }
    }

    #[test]
    fn the_key_that_was_longest_unused_is_forgotten_first() {
        let mut pace = Pace::default();
        (0..KEYS_MAX as u64).for_each(|key| pace.enter(step(key, key as i64), MEMORY));
        let other = Step { playbook: PlaybookKey::of("b"), ..step(0, 70) };
        pace.enter(other, MEMORY);
        pace.enter(step(0, 80), MEMORY);
        pace.enter(step(1_000, 90), MEMORY);
        let is_kept = |playbook: &str, key| pace.of(PlaybookKey::of(playbook), FlowKey(key)).is_some();
        assert!(is_kept("a", 0) && !is_kept("a", 1) && is_kept("a", 2) && is_kept("a", 1_000) && is_kept("b", 0));
        assert_eq!(pace.paced().len(), KEYS_MAX + 1);
    }

    #[test]
    fn what_no_longer_matters_is_forgotten() {
        let mut pace = Pace::default();
        (0..10).for_each(|nth| pace.enter(step(1, nth * 600), MEMORY));
        let paced = pace.of(PlaybookKey::of("a"), FlowKey(1)).unwrap();
        assert_eq!(paced.asked.len(), 6, "an hour is kept: {:?}", paced.asked);
        assert_eq!(paced.asked_within(TimeDelta::HOUR, at(5_400)), 6);
        pace.enter(step(2, 5_400 + 86_400), MEMORY);
        assert_eq!(pace.paced().len(), 1);
        assert_eq!(Pace::restore(pace.store().unwrap()), pace);
        assert!(Pace::default().store().is_none());
    }

    #[test]
    fn a_value_is_known_by_its_text() {
        let symbols = |names: [&str; 2]| {
            Type::OneOf(std::sync::Arc::new(
                crate::domain::Enumeration::new(names.map(str::to_owned).to_vec()).unwrap(),
            ))
        };
        let (one, other) = (symbols(["a", "b"]), symbols(["b", "a"]));
        assert_eq!(FlowKey::of(&one, &Value::Symbol(0)), FlowKey::of(&other, &Value::Symbol(1)));
        assert_ne!(FlowKey::of(&one, &Value::Symbol(0)), FlowKey::of(&one, &Value::Symbol(1)));
        assert_ne!(FlowKey::of(&Type::Int, &Value::Int(0)), FlowKey::WHOLE);
    }
}
