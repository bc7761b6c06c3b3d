//! Reading records back, with the bundle that gives their values' types.

use std::sync::Arc;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use smallvec::SmallVec;

use super::asked_read::OptionalAsked;
use super::consulted_read::{OptionalConsulted, StoredCall, silence};
use super::record::{
    FORM_1, KIND_CONSENTS, KIND_EVENT, KIND_FACTS, KIND_FEEDBACK, KIND_LATE_ANSWER, KIND_SETTLEMENT, RECORD_VERSION,
    Record, RecordError, RecordedDecision,
};
use super::{
    ConsentsInput, EventInput, FactsInput, FeedbackInput, Input, LateAnswerInput, Run, SettlementInput, TraceId,
};
use crate::bundle::{Bundle, Playbook};
use crate::context::{CompactSeed, EventType, TypedEvent};
use crate::decider::{Asked, Consulted, Seen};
use crate::domain::{
    CustomerId, DecisionId, EventKey, FallbackReason, FeedbackVerdict, Raw, RawMap, Settlement, TenantId, Tier,
    Timestamp, Type, Unavailable, Value,
};
use crate::guardrail::{CapRoom, Circumstances};

#[derive(Deserialize)]
pub(super) struct OuterRead<'a> {
    _version: u8,
    tenant: TenantId,
    bundle: u64,
    semantics: u16,
    pub(super) arrival: i64,
    decisions: Vec<(usize, u8, Option<usize>, Option<u8>)>,
    key_id: u64,
    pub(super) personal: &'a [u8],
}

/// All of a record but its personal part, which is not read yet.
pub(super) struct Outer<'a> {
    pub(super) outer: OuterRead<'a>,
    pub(super) bundle: Arc<Bundle>,
    /// The heads of its decisions.
    pub(super) decisions: Vec<RecordedDecision>,
}

impl<'a> Outer<'a> {
    pub(super) fn read(
        bytes: &'a [u8],
        bundle_at: impl FnOnce(u64) -> Option<Arc<Bundle>>,
    ) -> Result<Self, RecordError> {
        // An array of eight begins with one byte, the version is the next: readable whatever follows.
        match bytes.get(1) {
            Some(FORM_1..=RECORD_VERSION) | None => {}
            Some(&version) => return Err(RecordError::Newer(version)),
        }
        let outer: OuterRead<'_> = rmp_serde::from_slice(bytes)?;
        if outer.key_id != 0 {
            return Err(RecordError::Encrypted(outer.key_id));
        }
        let bundle = bundle_at(outer.bundle).ok_or(RecordError::Misfit("the journal has no such bundle"))?;
        let mut decisions = Vec::with_capacity(outer.decisions.len());
        for &(playbook, tier, rule, fallback) in &outer.decisions {
            let known = bundle.playbooks().get(playbook).ok_or(RecordError::Misfit("no such playbook"))?;
            if rule.is_some_and(|rule| rule >= known.rules.rules().len()) {
                return Err(RecordError::Misfit("no such rule"));
            }
            let tier = Tier::from_code(tier).ok_or(RecordError::Misfit("no such tier"))?;
            let fallback = match fallback {
                Some(code) => {
                    Some(FallbackReason::from_code(code).ok_or(RecordError::Misfit("no such fallback reason"))?)
                }
                None => None,
            };
            decisions.push(RecordedDecision {
                playbook,
                tier,
                rule,
                fallback,
                outcome: vec![],
                seen: vec![],
                circumstances: Circumstances::default(),
                asked: vec![],
                agents: vec![],
            });
        }
        Ok(Self { outer, bundle, decisions })
    }
}

impl Record {
    /// Reads a record; `bundle_at` gives the bundle that the journal holds at a sequence.
    pub fn decode(
        bytes: &[u8],
        bundle_at: impl FnOnce(u64) -> Option<Arc<Bundle>>,
    ) -> Result<(Self, Arc<Bundle>), RecordError> {
        let Outer { outer, bundle, mut decisions } = Outer::read(bytes, bundle_at)?;
        let seed = PersonalSeed { bundle: &bundle, decisions: &mut decisions };
        let input = seed.deserialize(&mut rmp_serde::Deserializer::from_read_ref(outer.personal))?;
        let arrival = Timestamp::from_micros(outer.arrival);
        Ok((Self { tenant: outer.tenant, semantics: outer.semantics, arrival, input, decisions }, bundle))
    }
}

/// Reads the personal part; fills in what the decisions' heads leave open.
pub(super) struct PersonalSeed<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) decisions: &'a mut [RecordedDecision],
}

impl<'de> DeserializeSeed<'de> for PersonalSeed<'_> {
    type Value = Input;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Input, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PersonalSeed<'_> {
    type Value = Input;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the personal part of a record")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
        match next::<u8, _>(&mut seq)? {
            KIND_EVENT => self.event(seq),
            KIND_FACTS => self.facts(seq),
            KIND_CONSENTS => self.consents(seq),
            KIND_SETTLEMENT => settlement(seq),
            KIND_FEEDBACK => feedback(seq),
            KIND_LATE_ANSWER => late_answer(seq),
            kind => Err(de::Error::custom(format_args!("unknown kind of input {kind}"))),
        }
    }
}

impl PersonalSeed<'_> {
    fn event<'de, A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
        let customer: CustomerId = next(&mut seq)?;
        let (source, id): (String, String) = (next(&mut seq)?, next(&mut seq)?);
        let key =
            EventKey::new(&source, &id).map_err(|(part, fault)| de::Error::custom(format_args!("`{part}` {fault}")))?;
        let kind: usize = next(&mut seq)?;
        let Some(ty) = self.bundle.layout().events().get(kind) else {
            return Err(de::Error::custom("no such event type"));
        };
        let body: u64 = next(&mut seq)?;
        let time = next::<Option<i64>, _>(&mut seq)?.map(Timestamp::from_micros);
        let trace = match next::<Option<&[u8]>, _>(&mut seq)? {
            Some(bytes) => Some(TraceId::try_from(bytes).map_err(de::Error::custom)?),
            None => None,
        };
        let run = next::<Option<usize>, _>(&mut seq)?.map_or(Run::Subscribed, Run::Playbook);
        let attributes = next_seed(&mut seq, AttributesSeed(ty))?;
        let undeclared = map_or_nil(&mut seq)?;
        next_seed(&mut seq, DecisionsSeed { bundle: self.bundle, decisions: self.decisions })?;
        let event = TypedEvent { key, kind, customer, time, attributes, undeclared, body };
        Ok(Input::Event(EventInput { event, run, trace }))
    }

    fn facts<'de, A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
        let customer = next(&mut seq)?;
        let source: String = next(&mut seq)?;
        let observed_at = Timestamp::from_micros(next(&mut seq)?);
        let facts = next_seed(&mut seq, Each(FactSeed(self.bundle)))?;
        Ok(Input::Facts(FactsInput { customer, source: source.into(), observed_at, facts }))
    }

    fn consents<'de, A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
        let customer = next(&mut seq)?;
        let source: String = next(&mut seq)?;
        let observed_at = Timestamp::from_micros(next(&mut seq)?);
        let consents: Vec<(usize, bool)> = next(&mut seq)?;
        if consents.iter().any(|(number, _)| self.bundle.purpose(*number).is_none()) {
            return Err(de::Error::custom("no such purpose"));
        }
        Ok(Input::Consents(ConsentsInput { customer, source: source.into(), observed_at, consents }))
    }
}

fn settlement<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Input, A::Error> {
    let (customer, decision) = (next(&mut seq)?, decision_id(&mut seq)?);
    let settlement = Settlement::from_code(next(&mut seq)?).ok_or_else(|| de::Error::custom("no such settlement"))?;
    Ok(Input::Settlement(SettlementInput { customer, decision, settlement }))
}

fn feedback<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Input, A::Error> {
    let (customer, decision) = (next(&mut seq)?, decision_id(&mut seq)?);
    let (id, source): (String, String) = (next(&mut seq)?, next(&mut seq)?);
    let time = next::<Option<i64>, _>(&mut seq)?.map(Timestamp::from_micros);
    let verdict = match next::<Option<u8>, _>(&mut seq)? {
        Some(code) => Some(FeedbackVerdict::from_code(code).ok_or_else(|| de::Error::custom("no such verdict"))?),
        None => None,
    };
    let corrected = map_or_nil(&mut seq)?;
    let label = next::<Option<String>, _>(&mut seq)?.map(String::into_boxed_str);
    let outcome = map_or_nil(&mut seq)?;
    let (id, source) = (id.into_boxed_str(), source.into());
    Ok(Input::Feedback(FeedbackInput { customer, decision, id, source, time, verdict, corrected, label, outcome }))
}

fn late_answer<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Input, A::Error> {
    let (customer, decision) = (next(&mut seq)?, decision_id(&mut seq)?);
    let agent = next::<String, _>(&mut seq)?.into();
    let said = match next::<Option<Raw>, _>(&mut seq)? {
        Some(Raw::Map(proposed)) => Ok(proposed),
        Some(Raw::Int(code)) => {
            let known = u8::try_from(code).map_err(|_| "unknown silence").and_then(silence);
            Err(known.map_err(de::Error::custom)?)
        }
        _ => Ok(RawMap::new()),
    };
    let reason = next::<Option<String>, _>(&mut seq)?.map(String::into_boxed_str);
    let StoredCall(call) = next(&mut seq)?;
    Ok(Input::LateAnswer(LateAnswerInput { customer, decision, agent, said, reason, call }))
}

pub(super) fn decision_id<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<DecisionId, A::Error> {
    let bytes: &[u8] = next(seq)?;
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| de::Error::custom("a decision id has 16 bytes"))?;
    Ok(DecisionId::from_u128(u128::from_be_bytes(bytes)))
}

/// The entries of a map; none where there is nil.
fn map_or_nil<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<RawMap, A::Error> {
    match next::<Option<Raw>, _>(seq)? {
        Some(Raw::Map(entries)) => Ok(entries),
        _ => Ok(RawMap::new()),
    }
}

pub(super) fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(seq: &mut A) -> Result<T, A::Error> {
    seq.next_element()?.ok_or_else(|| de::Error::custom("the array is too short"))
}

pub(super) fn next_seed<'de, T: DeserializeSeed<'de>, A: SeqAccess<'de>>(
    seq: &mut A,
    seed: T,
) -> Result<T::Value, A::Error> {
    seq.next_element_seed(seed)?.ok_or_else(|| de::Error::custom("the array is too short"))
}

/// A visitor of arrays that hands the array to a function.
macro_rules! seq_seed {
    ($seed:ty, $value:ty, |$self:ident, $seq:ident| $body:block) => {
        impl<'de> DeserializeSeed<'de> for $seed {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_seq(self)
            }
        }

        impl<'de> Visitor<'de> for $seed {
            type Value = $value;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>($self, mut $seq: A) -> Result<Self::Value, A::Error> $body
        }
    };
}

pub(super) use seq_seed;

struct AttributesSeed<'a>(&'a EventType);

seq_seed!(AttributesSeed<'_>, Box<[Option<Value>]>, |self, seq| {
    let fields = &self.0.attributes;
    fields.iter().map(|field| next_seed(&mut seq, OptionSeed(&field.ty))).collect()
});

struct DecisionsSeed<'a> {
    bundle: &'a Bundle,
    decisions: &'a mut [RecordedDecision],
}

seq_seed!(DecisionsSeed<'_>, (), |self, seq| {
    for decision in self.decisions {
        let playbook = &self.bundle.playbooks()[decision.playbook];
        let seed = DecisionSeed { bundle: self.bundle, playbook };
        DecisionParts {
            outcome: decision.outcome,
            seen: decision.seen,
            circumstances: decision.circumstances,
            asked: decision.asked,
            agents: decision.agents,
        } = next_seed(&mut seq, seed)?;
    }
    Ok(())
});

struct DecisionSeed<'a> {
    bundle: &'a Bundle,
    playbook: &'a Playbook,
}

/// What the personal part says of a decision.
struct DecisionParts {
    outcome: Vec<Value>,
    seen: Vec<Seen>,
    circumstances: Circumstances,
    asked: Vec<Asked>,
    agents: Vec<Consulted>,
}

seq_seed!(DecisionSeed<'_>, DecisionParts, |self, seq| {
    let types = self.playbook.outcome.fields().iter().map(|field| &field.ty);
    let outcome = next_seed(&mut seq, TypedValues(types.collect()))?;
    let types = self.playbook.sights.iter().map(|source| source.ty(self.bundle.layout()));
    let seen = next_seed(&mut seq, SeenValues(types.collect()))?;
    // Form 1 ends here.
    let circumstances = match seq.next_element::<Option<StoredCircumstances>>()?.flatten() {
        Some(stored) => circumstances(stored).map_err(de::Error::custom)?,
        None => Circumstances::default(),
    };
    // Form 2 ends here.
    let asked = seq.next_element_seed(OptionalAsked(self.playbook))?.flatten().unwrap_or_default();
    // Form 3 ends here.
    let agents = seq.next_element_seed(OptionalConsulted(self.playbook))?.flatten().unwrap_or_default();
    Ok(DecisionParts { outcome, seen, circumstances, asked, agents })
});

/// Refusal, consents, what each cap leaves and when it leaves more, stale values.
type StoredCircumstances = (Option<u8>, u32, SmallVec<[(i64, Option<i64>); 2]>, SmallVec<[u16; 4]>);

fn circumstances((refusal, consents, room, stale): StoredCircumstances) -> Result<Circumstances, &'static str> {
    let refusal = match refusal {
        Some(code) => Some(FallbackReason::from_code(code).ok_or("no such fallback reason")?),
        None => None,
    };
    let room = room.into_iter().map(|(left, again)| CapRoom { left, again: again.map(Timestamp::from_micros) });
    Ok(Circumstances { refusal, consents, room: room.collect(), stale })
}

pub(super) struct TypedValues<'a>(pub(super) Vec<&'a Type>);

seq_seed!(TypedValues<'_>, Vec<Value>, |self, seq| {
    self.0.into_iter().map(|ty| next_seed(&mut seq, CompactSeed(ty))).collect()
});

struct SeenValues<'a>(Vec<&'a Type>);

seq_seed!(SeenValues<'_>, Vec<Seen>, |self, seq| {
    self.0.into_iter().map(|ty| next_seed(&mut seq, SeenSeed(ty))).collect()
});

/// Every item of an array by the same seed.
struct Each<T>(T);

seq_seed!(Each<FactSeed<'_>>, Vec<(usize, Option<Value>)>, |self, seq| {
    let mut items = Vec::new();
    while let Some(item) = seq.next_element_seed(self.0)? {
        items.push(item);
    }
    Ok(items)
});

#[derive(Clone, Copy)]
struct FactSeed<'a>(&'a Bundle);

seq_seed!(FactSeed<'_>, (usize, Option<Value>), |self, seq| {
    let number: usize = next(&mut seq)?;
    let Some(fact) = self.0.layout().facts().get(number) else {
        return Err(de::Error::custom("no such fact"));
    };
    Ok((number, next_seed(&mut seq, OptionSeed(&fact.field.ty))?))
});

struct OptionSeed<'a>(&'a Type);

impl<'de> DeserializeSeed<'de> for OptionSeed<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for OptionSeed<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value or nil")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        CompactSeed(self.0).deserialize(deserializer).map(Some)
    }
}

struct SeenSeed<'a>(&'a Type);

impl<'de> DeserializeSeed<'de> for SeenSeed<'_> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SeenSeed<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value or the reason why there was none")
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Seen, E> {
        CompactSeed(self.0).visit_bool(v).map(Ok)
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Seen, E> {
        CompactSeed(self.0).visit_i64(v).map(Ok)
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Seen, E> {
        CompactSeed(self.0).visit_u64(v).map(Ok)
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Seen, E> {
        CompactSeed(self.0).visit_str(v).map(Ok)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Seen, A::Error> {
        CompactSeed(self.0).visit_seq(seq).map(Ok)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        let entry: Option<(u8, u8)> = map.next_entry()?;
        let reason = entry.and_then(|(_, code)| Unavailable::from_code(code));
        reason.map(Err).ok_or_else(|| de::Error::custom("unknown reason of unavailability"))
    }
}
