//! Reading what agents said from records.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::record::{AGENT_PROPOSED, AGENT_SILENT};
use super::record_read::{TypedValues, next, next_seed, seq_seed};
use crate::agents::{Call, Silence, Source};
use crate::bundle::{AgentUse, Playbook};
use crate::decider::{AgentSaid, Consulted};
use crate::domain::Money;

/// An array of what agents said, or nil.
pub(super) struct OptionalConsulted<'a>(pub(super) &'a Playbook);

impl<'de> DeserializeSeed<'de> for OptionalConsulted<'_> {
    type Value = Option<Vec<Consulted>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for OptionalConsulted<'_> {
    type Value = Option<Vec<Consulted>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what agents said, or nil")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        AllConsulted(self.0).deserialize(deserializer).map(Some)
    }
}

struct AllConsulted<'a>(&'a Playbook);

seq_seed!(AllConsulted<'_>, Vec<Consulted>, |self, seq| {
    let mut all = Vec::new();
    while let Some(consulted) = seq.next_element_seed(ConsultedSeed(self.0))? {
        all.push(consulted);
    }
    Ok(all)
});

struct ConsultedSeed<'a>(&'a Playbook);

seq_seed!(ConsultedSeed<'_>, Consulted, |self, seq| {
    let agent: u16 = next(&mut seq)?;
    let Some(known) = self.0.agents.get(usize::from(agent)) else {
        return Err(de::Error::custom("no such agent"));
    };
    let said = next_seed(&mut seq, AgentSaidSeed(known, self.0))?;
    let had_a_say = next(&mut seq)?;
    let StoredCall(call) = next(&mut seq)?;
    Ok(Consulted { agent, said, had_a_say, call })
});

struct AgentSaidSeed<'a>(&'a AgentUse, &'a Playbook);

seq_seed!(AgentSaidSeed<'_>, AgentSaid, |self, seq| {
    match next::<u8, _>(&mut seq)? {
        AGENT_PROPOSED => {
            let fields = self.1.outcome.fields();
            let types = self.0.sets.iter().filter_map(|set| Some(&fields.get(*set)?.ty)).collect();
            let values = next_seed(&mut seq, TypedValues(types))?.into_boxed_slice();
            let reason = next::<Option<String>, _>(&mut seq)?.map(String::into_boxed_str);
            Ok(AgentSaid::Proposed { values, reason, is_permitted: next(&mut seq)? })
        }
        AGENT_SILENT => silence(next(&mut seq)?).map(AgentSaid::Silent).map_err(de::Error::custom),
        kind => Err(de::Error::custom(format_args!("unknown kind of answer {kind}"))),
    }
});

/// The silence stored as a number.
pub(super) fn silence(code: u8) -> Result<Silence, &'static str> {
    Silence::from_code(code).ok_or("unknown silence")
}

/// What was done for a question.
pub(super) struct StoredCall(pub(super) Call);

impl<'de> Deserialize<'de> for StoredCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Stored = (Option<String>, u8, u8, u8, u32, u32, Money, u64);
        let (target, source, requests, hedges, prompt_tokens, answer_tokens, cost, took) =
            Stored::deserialize(deserializer)?;
        let source = Source::from_code(source).ok_or_else(|| de::Error::custom("unknown source of an answer"))?;
        let (target, took) = (target.map(Into::into), Duration::from_micros(took));
        Ok(Self(Call { target, source, requests, hedges, prompt_tokens, answer_tokens, cost, took }))
    }
}
