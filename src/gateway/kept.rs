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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::tests::questions::{question, target};
    use super::*;
    use crate::agents::{AnswerField, AnswerFormat, Message, Role};
    use crate::time::Clock;

    /// A question from few values of each part, so that many are alike.
    fn questions() -> impl Strategy<Value = Question> {
        let whose = prop_oneof![Just(Sharing::Everyone), (0_u128..3).prop_map(Sharing::Customer)];
        let texts = proptest::collection::vec("[ab]{0,2}", 1..4);
        let names = ("[ab]{1,2}", "[ab]{1,2}", 0_u8..2);
        (whose, texts, names, 0_u16..2, 1_u32..3, 1_usize..3, any::<u64>()).prop_map(
            |(sharing, texts, (agent, playbook, bundle), temperature_milli, answer_tokens, targets, spread)| Question {
                agent: agent.into(),
                playbook: playbook.into(),
                bundle: [bundle; 32],
                sharing,
                temperature_milli,
                answer_tokens,
                spread,
                messages: texts.iter().map(|text| Message { role: Role::User, text: (&**text).into() }).collect(),
                targets: (0..targets).map(|nth| target("a", if nth == 0 { "m" } else { "n" })).collect(),
                ..question("")
            },
        )
    }

    /// What the answer may depend on, and whom it may be given to.
    fn essence(question: &Question) -> Question {
        Question { spread: 0, ..question.clone() }
    }

    proptest! {
        /// Never across a customer, a consent, a bundle, or anything else that the answer may depend on.
        #[test]
        fn two_questions_have_one_key_only_if_they_are_the_same(a in questions(), b in questions()) {
            prop_assert_eq!(Key::of(&a) == Key::of(&b), essence(&a) == essence(&b));
        }

        #[test]
        fn an_answer_is_given_to_the_same_question_alone(asked in proptest::collection::vec(questions(), 1..20)) {
            let (kept, now) = (Kept::new(1 << 20), Clock::manual(Default::default()).instant());
            let policy = CachePolicy { fresh: Duration::from_secs(1), stale: Duration::ZERO };
            let mut given: Vec<(Question, Answer)> = Vec::new();
            for (nth, question) in asked.into_iter().enumerate() {
                let question = Question { cache: Some(policy), ..question };
                let found = kept.find(Key::of(&question), &question, now).map(|found| found.answer);
                let known = given.iter().find(|(known, _)| essence(known) == essence(&question));
                prop_assert_eq!(found.as_ref(), known.map(|(_, answer)| answer));
                if known.is_none() {
                    let answer = Answer { values: Box::new([Value::Int(nth as i64)]), reason: None };
                    kept.keep(Key::of(&question), &question, &answer, 0, now);
                    given.push((question, answer));
                }
            }
        }
    }

    #[test]
    fn the_form_and_the_choices_are_part_of_the_question() {
        let asked = question("x");
        let field = asked.format.fields()[0].clone();
        let choices = |symbols: &[u16]| {
            let choices = symbols.iter().copied().map(Value::Symbol).collect();
            let field = AnswerField { choices: Some(choices), ..field.clone() };
            Question { format: Arc::new(AnswerFormat::new(vec![field], 0)), ..asked.clone() }
        };
        assert_eq!(Key::of(&choices(&[0, 1])), Key::of(&choices(&[0, 1])));
        assert_ne!(Key::of(&choices(&[0, 1])), Key::of(&choices(&[0, 2])));
        let told = Question { format: Arc::new(AnswerFormat::new(vec![field.clone()], 100)), ..asked.clone() };
        assert_ne!(Key::of(&told), Key::of(&asked));
    }

    #[test]
    fn an_answer_is_fresh_then_stale_then_gone() {
        let clock = Clock::manual(Default::default());
        let (kept, at) = (Kept::new(1 << 20), clock.instant());
        let policy = CachePolicy { fresh: Duration::from_secs(10), stale: Duration::from_secs(20) };
        let asked = Question { cache: Some(policy), ..question("x") };
        let answer = Answer { values: Box::new([Value::Symbol(1)]), reason: None };
        kept.keep(Key::of(&asked), &asked, &answer, 0, at);
        let found = |seconds| kept.find(Key::of(&asked), &asked, at.after(Duration::from_secs(seconds)));
        assert_eq!(
            [0, 9, 10, 29].map(|at| found(at).map(|found| found.is_fresh)),
            [Some(true), Some(true), Some(false), Some(false)]
        );
        assert_eq!(found(30), None);
        assert_eq!(kept.find(Key::of(&asked), &question("x"), at), None, "who wants none is given none");
    }

    #[test]
    fn answers_take_no_more_room_than_they_may() {
        let (kept, now) = (Kept::new(10_000), Clock::manual(Default::default()).instant());
        let policy = CachePolicy { fresh: Duration::from_secs(10), stale: Duration::ZERO };
        for nth in 0..1_000 {
            let asked = Question { cache: Some(policy), ..question(&nth.to_string()) };
            let answer = Answer { values: Box::new([Value::Symbol(1)]), reason: Some("because".repeat(10).into()) };
            kept.keep(Key::of(&asked), &asked, &answer, 0, now);
        }
        kept.0.run_pending_tasks();
        let (answers, bytes) = kept.size();
        assert!((1..=40).contains(&answers) && bytes <= 10_000, "{answers} answers, {bytes} bytes");
    }
}
