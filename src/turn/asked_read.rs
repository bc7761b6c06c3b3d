//! Reading what models said from records.

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use smallvec::SmallVec;

use super::record::{SAID_NUMBER, SAID_RANKED, SAID_SILENT, SAID_UNREAD};
use super::record_read::{next, next_seed, seq_seed};
use crate::bundle::{Playbook, SmallModel};
use crate::context::CompactSeed;
use crate::decider::{Asked, Ranking, Said, Silence};
use crate::domain::Unavailable;
use crate::inference::{Probability, Score};

/// An array of what models said, or nil.
pub(super) struct OptionalAsked<'a>(pub(super) &'a Playbook);

impl<'de> DeserializeSeed<'de> for OptionalAsked<'_> {
    type Value = Option<Vec<Asked>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for OptionalAsked<'_> {
    type Value = Option<Vec<Asked>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what models said, or nil")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        AllAsked(self.0).deserialize(deserializer).map(Some)
    }
}

struct AllAsked<'a>(&'a Playbook);

seq_seed!(AllAsked<'_>, Vec<Asked>, |self, seq| {
    let mut all = Vec::new();
    while let Some(asked) = seq.next_element_seed(AskedSeed(self.0))? {
        all.push(asked);
    }
    Ok(all)
});

struct AskedSeed<'a>(&'a Playbook);

seq_seed!(AskedSeed<'_>, Asked, |self, seq| {
    let model: u16 = next(&mut seq)?;
    let Some(known) = self.0.models.get(usize::from(model)) else {
        return Err(de::Error::custom("no such model"));
    };
    Ok(Asked { model, said: next_seed(&mut seq, SaidSeed(known, self.0))? })
});

struct SaidSeed<'a>(&'a SmallModel, &'a Playbook);

seq_seed!(SaidSeed<'_>, Said, |self, seq| {
    match next::<u8, _>(&mut seq)? {
        SAID_RANKED => ranked(seq, self.0).map(Said::Ranked),
        SAID_NUMBER => {
            let field = self.0.sets.first().and_then(|set| self.1.outcome.fields().get(*set));
            let field = field.ok_or_else(|| de::Error::custom("a model that sets nothing"))?;
            let value = next_seed(&mut seq, CompactSeed(&field.ty))?;
            Ok(Said::Number { value, is_permitted: next(&mut seq)? })
        }
        SAID_UNREAD => {
            let position = next(&mut seq)?;
            let reason = Unavailable::from_code(next(&mut seq)?);
            let reason = reason.ok_or_else(|| de::Error::custom("unknown reason of unavailability"))?;
            Ok(Said::Unread { position, reason })
        }
        SAID_SILENT => {
            let silence = Silence::from_code(next(&mut seq)?);
            silence.map(Said::Silent).ok_or_else(|| de::Error::custom("unknown silence"))
        }
        kind => Err(de::Error::custom(format_args!("unknown kind of answer {kind}"))),
    }
});

fn ranked<'de, A: SeqAccess<'de>>(mut seq: A, model: &SmallModel) -> Result<Ranking, A::Error> {
    let best: SmallVec<[StoredScore; 4]> = next(&mut seq)?;
    let plausible: u8 = next(&mut seq)?;
    let cut: Option<StoredScore> = next(&mut seq)?;
    let is_known = |score: &StoredScore| usize::from(score.0) < model.proposals.len();
    let is_sound = best.len() <= Ranking::MAX && usize::from(plausible) <= Ranking::MAX;
    if !is_sound || !best.iter().chain(&cut).all(is_known) {
        return Err(de::Error::custom("no such proposal"));
    }
    let score = |StoredScore(index, probability)| Score { index, probability };
    Ok(Ranking {
        best: best.into_iter().map(score).collect(),
        plausible,
        cut: cut.map(score),
        cut_in_all: next(&mut seq)?,
        uncut: next(&mut seq)?,
        is_out_of_scope: next(&mut seq)?,
    })
}

/// A proposal and its probability.
#[derive(Clone, Copy, Deserialize)]
struct StoredScore(u16, Probability);
