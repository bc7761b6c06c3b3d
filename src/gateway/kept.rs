//! Answers that are kept.

use std::time::Duration;

use moka::Expiry;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use crate::agents::{Answer, CachePolicy, Question, Sharing};
use crate::domain::Value;
use crate::time::Instant;

/// What makes two questions the same: everything that their answer may depend on, and whom it may be given to.
///
/// A hash of it all, which no two questions share by chance or by intent. Not in it are the name of the decision, what it may
/// cost and how soon it must be there: those say whether the question is asked, not what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

/// Answers that were given, each under its question's key.
#[derive(Debug)]
pub(super) struct Kept(Cache<Key, Entry>);

/// An answer that was given.
#[derive(Clone, Debug)]
struct Entry {
    answer: Answer,
    /// The target that gave it, by its place among the question's.
    target: usize,
    at: Instant,
    policy: CachePolicy,
}

/// A kept answer, and whether it is as good as new.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) answer: Answer,
    /// The target that gave it, by its place among the question's.
    pub(super) target: usize,
    pub(super) is_fresh: bool,
}

// === impl Key ===

impl Key {
    /// The key of a question.
    pub(super) fn of(question: &Question) -> Self {
        let mut hash = Sha256::new();
        // Each text goes in behind its length, so that no two lists of texts are written the same.
        let mut text = |text: &[u8]| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        text(&question.bundle);
        text(question.agent.as_bytes());
        text(question.playbook.as_bytes());
        match question.sharing {
            Sharing::Everyone => text(&[]),
            Sharing::Customer(whose) => text(&whose.to_le_bytes()),
        }
        text(question.format.schema().as_bytes());
        for field in question.format.fields() {
            // The schema may not say all of what may be chosen.
            text(format!("{:?}", field.choices).as_bytes());
        }
        text(&question.answer_tokens.to_le_bytes());
        text(&question.temperature_milli.to_le_bytes());
        text(&(question.targets.len() as u64).to_le_bytes());
        for target in question.targets.iter() {
            text(target.provider.as_bytes());
            text(target.model.as_bytes());
        }
        for message in &question.messages {
            text(message.role.as_str().as_bytes());
            text(message.text.as_bytes());
        }
        Self(hash.finalize().into())
    }
}

// === impl Kept ===

impl Kept {
    /// Room for so many bytes of answers.
    pub(super) fn new(bytes_max: u64) -> Self {
        let cache = Cache::builder().max_capacity(bytes_max).weigher(|_, entry: &Entry| entry.weight());
        Self(cache.expire_after(Lapse).build())
    }

    /// Keeps an answer, if the question lets it.
    pub(super) fn keep(&self, key: Key, question: &Question, answer: &Answer, target: usize, now: Instant) {
        if let Some(policy) = question.cache {
            self.0.insert(key, Entry { answer: answer.clone(), target, at: now, policy });
        }
    }

    /// The answer that is kept for a question, unless it is too old for it.
    pub(super) fn find(&self, key: Key, question: &Question, now: Instant) -> Option<Found> {
        let policy = question.cache?;
        let entry = self.0.get(&key)?;
        let age = now.since(entry.at);
        let is_fresh = age < policy.fresh;
        if !is_fresh && age >= policy.fresh + policy.stale {
            return None;
        }
        Some(Found { answer: entry.answer, target: entry.target, is_fresh })
    }

    /// The number of answers, and the bytes that they take.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.0.entry_count(), self.0.weighted_size())
    }
}

impl Entry {
    /// Bytes that it takes, roughly.
    fn weight(&self) -> u32 {
        let own = std::mem::size_of::<Value>();
        let values: usize = self.answer.values.iter().map(|value| own + value.heap_bytes()).sum();
        let reason = self.answer.reason.as_ref().map_or(0, |reason| reason.len());
        // The key, the entry and the cache's own account of them.
        u32::try_from(values + reason + 256).unwrap_or(u32::MAX)
    }
}

/// Lets go of what nobody may be given any more.
struct Lapse;

impl Expiry<Key, Entry> for Lapse {
    fn expire_after_create(&self, _: &Key, entry: &Entry, _: std::time::Instant) -> Option<Duration> {
        Some(entry.policy.fresh + entry.policy.stale)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Entry,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.policy.fresh + entry.policy.stale)
    }
}
