//! Writing records.

use serde::ser::{SerializeMap, SerializeTuple};
use serde::{Serialize, Serializer};

use super::record::{
    AGENT_PROPOSED, AGENT_SILENT, FORM_1, FORM_2, FORM_3, KIND_CONSENTS, KIND_EVENT, KIND_FACTS, KIND_FEEDBACK,
    KIND_LATE_ANSWER, KIND_SETTLEMENT, RECORD_VERSION, SAID_NUMBER, SAID_RANKED, SAID_SILENT, SAID_UNREAD,
    SEMANTICS_VERSION,
};
use super::{EventInput, FeedbackInput, Input, LateAnswerInput, Made, Run, Turn};
use crate::agents::Call;
use crate::context::Compact;
use crate::decider::{AgentSaid, Asked, Consulted, Ranking, Said, Seen};
use crate::domain::{FallbackReason, FeedbackVerdict, Raw, TenantId, Timestamp, Value};
use crate::guardrail::Circumstances;
use crate::inference::Score;

/// Reusable memory for writing records. Keep one per thread.
#[derive(Debug, Default)]
pub struct RecordBuffer {
    personal: Vec<u8>,
    record: Vec<u8>,
}

/// What a record is written from.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Whose engine this is.
    pub tenant: &'a TenantId,
    /// The sequence of the bundle's record.
    pub bundle_seq: u64,
    /// The input.
    pub input: &'a Input,
    /// The turn that was taken on it.
    pub turn: &'a Turn,
}

impl RecordBuffer {
    /// Writes a record into the buffer and returns its bytes.
    pub fn write(&mut self, written: Written<'_>) -> &[u8] {
        self.personal.clear();
        self.record.clear();
        let form = written.form();
        let personal = Personal { form, input: written.input, turn: written.turn };
        let personal = personal.serialize(&mut rmp_serde::Serializer::new(&mut self.personal));
        let record = Outer { form, written, personal: &self.personal };
        let record = record.serialize(&mut rmp_serde::Serializer::new(&mut self.record));
        // Writing into memory cannot fail: every part has a MessagePack form of known length.
        debug_assert!(personal.is_ok() && record.is_ok(), "{personal:?} {record:?}");
        &self.record
    }
}

impl Written<'_> {
    /// The earliest form that can hold it.
    fn form(&self) -> u8 {
        let decisions = &self.turn.decisions;
        let is_plain = || decisions.iter().all(|made| made.circumstances.is_plain());
        match self.input {
            Input::LateAnswer(_) => RECORD_VERSION,
            Input::Event(_) if decisions.iter().any(|made| !made.decided.agents.is_empty()) => RECORD_VERSION,
            Input::Feedback(_) => FORM_3,
            Input::Event(_) if decisions.iter().any(|made| !made.decided.asked.is_empty()) => FORM_3,
            Input::Event(_) if is_plain() => FORM_1,
            Input::Facts(_) => FORM_1,
            Input::Event(_) | Input::Consents(_) | Input::Settlement(_) => FORM_2,
        }
    }
}

struct Outer<'a> {
    form: u8,
    written: Written<'a>,
    personal: &'a [u8],
}

impl Serialize for Outer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Written { tenant, bundle_seq, turn, .. } = self.written;
        let head = |made: &Made| {
            let decided = &made.decided;
            (made.playbook, decided.tier.code(), decided.rule, decided.fallback.map(FallbackReason::code))
        };
        let mut record = serializer.serialize_tuple(8)?;
        record.serialize_element(&self.form)?;
        record.serialize_element(tenant)?;
        record.serialize_element(&bundle_seq)?;
        record.serialize_element(&SEMANTICS_VERSION)?;
        record.serialize_element(&turn.arrival.micros())?;
        record.serialize_element(&Sequence(turn.decisions.iter().map(head)))?;
        record.serialize_element(&0_u64)?;
        record.serialize_element(&Bytes(self.personal))?;
        record.end()
    }
}

pub(super) struct Personal<'a> {
    pub(super) form: u8,
    pub(super) input: &'a Input,
    pub(super) turn: &'a Turn,
}

impl Serialize for Personal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.input {
            Input::Event(input) => self.event(input, serializer),
            Input::Facts(input) => {
                let mut tuple = serializer.serialize_tuple(5)?;
                tuple.serialize_element(&KIND_FACTS)?;
                tuple.serialize_element(&input.customer)?;
                tuple.serialize_element(&*input.source)?;
                tuple.serialize_element(&input.observed_at.micros())?;
                tuple.serialize_element(&Sequence(input.facts.iter().map(FactPair)))?;
                tuple.end()
            }
            Input::Consents(input) => {
                let consents = &input.consents;
                (KIND_CONSENTS, &input.customer, &*input.source, input.observed_at.micros(), consents)
                    .serialize(serializer)
            }
            Input::Settlement(input) => {
                let decision = input.decision.to_u128().to_be_bytes();
                (KIND_SETTLEMENT, &input.customer, Bytes(&decision), input.settlement.code()).serialize(serializer)
            }
            Input::Feedback(input) => feedback(input, serializer),
            Input::LateAnswer(input) => late_answer(input, serializer),
        }
    }
}

impl Personal<'_> {
    fn event<S: Serializer>(&self, input: &EventInput, serializer: S) -> Result<S::Ok, S::Error> {
        let event = &input.event;
        let run = match input.run {
            Run::Playbook(number) => Some(number),
            Run::Subscribed => None,
        };
        let mut tuple = serializer.serialize_tuple(12)?;
        tuple.serialize_element(&KIND_EVENT)?;
        tuple.serialize_element(&event.customer)?;
        tuple.serialize_element(event.key.source())?;
        tuple.serialize_element(event.key.id())?;
        tuple.serialize_element(&event.kind)?;
        tuple.serialize_element(&event.body)?;
        tuple.serialize_element(&event.time.map(Timestamp::micros))?;
        tuple.serialize_element(&input.trace.as_ref().map(|trace| Bytes(trace)))?;
        tuple.serialize_element(&run)?;
        tuple.serialize_element(&Sequence(event.attributes.iter().map(|value| value.as_ref().map(Compact))))?;
        tuple.serialize_element(&MapOrNil(&event.undeclared))?;
        tuple.serialize_element(&Sequence(
            self.turn.decisions.iter().map(|made| DecisionParts { form: self.form, made }),
        ))?;
        tuple.end()
    }
}

fn feedback<S: Serializer>(input: &FeedbackInput, serializer: S) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(10)?;
    tuple.serialize_element(&KIND_FEEDBACK)?;
    tuple.serialize_element(&input.customer)?;
    tuple.serialize_element(&Bytes(&input.decision.to_u128().to_be_bytes()))?;
    tuple.serialize_element(&*input.id)?;
    tuple.serialize_element(&*input.source)?;
    tuple.serialize_element(&input.time.map(Timestamp::micros))?;
    tuple.serialize_element(&input.verdict.map(FeedbackVerdict::code))?;
    tuple.serialize_element(&MapOrNil(&input.corrected))?;
    tuple.serialize_element(&input.label.as_deref())?;
    tuple.serialize_element(&MapOrNil(&input.outcome))?;
    tuple.end()
}

fn late_answer<S: Serializer>(input: &LateAnswerInput, serializer: S) -> Result<S::Ok, S::Error> {
    let LateAnswerInput { customer, decision, agent, said, reason, call } = input;
    let mut tuple = serializer.serialize_tuple(7)?;
    tuple.serialize_element(&KIND_LATE_ANSWER)?;
    tuple.serialize_element(customer)?;
    tuple.serialize_element(&Bytes(&decision.to_u128().to_be_bytes()))?;
    tuple.serialize_element(&**agent)?;
    match said {
        Ok(proposed) => tuple.serialize_element(&MapOrNil(proposed))?,
        Err(silence) => tuple.serialize_element(&silence.code())?,
    }
    tuple.serialize_element(&reason.as_deref())?;
    tuple.serialize_element(&CallParts(call))?;
    tuple.end()
}

/// The outcome's values, the values seen, from form 2 on the circumstances, from form 3 on what models said, in form 4
/// what agents said.
struct DecisionParts<'a> {
    form: u8,
    made: &'a Made,
}

impl Serialize for DecisionParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { form, made } = self;
        let mut tuple = serializer.serialize_tuple(1 + usize::from(*form))?;
        tuple.serialize_element(&Sequence(made.decided.outcome.get().values().iter().map(Compact)))?;
        tuple.serialize_element(&Sequence(made.seen.iter().map(SeenValue)))?;
        if *form != FORM_1 {
            let circumstances = &made.circumstances;
            let parts = CircumstancesParts(circumstances);
            tuple.serialize_element(&(!circumstances.is_plain()).then_some(parts))?;
        }
        if *form > FORM_2 {
            let asked = &made.decided.asked;
            tuple.serialize_element(&(!asked.is_empty()).then(|| Sequence(asked.iter().map(AskedParts))))?;
        }
        if *form > FORM_3 {
            let agents = &made.decided.agents;
            tuple.serialize_element(&(!agents.is_empty()).then(|| Sequence(agents.iter().map(ConsultedParts))))?;
        }
        tuple.end()
    }
}

struct CircumstancesParts<'a>(&'a Circumstances);

impl Serialize for CircumstancesParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Circumstances { refusal, consents, room, stale } = self.0;
        let room = room.iter().map(|room| (room.left, room.again.map(Timestamp::micros)));
        (refusal.map(FallbackReason::code), consents, Sequence(room), stale.as_slice()).serialize(serializer)
    }
}

struct AskedParts<'a>(&'a Asked);

impl Serialize for AskedParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0.model, SaidParts(&self.0.said)).serialize(serializer)
    }
}

struct ConsultedParts<'a>(&'a Consulted);

impl Serialize for ConsultedParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Consulted { agent, said, had_a_say, call } = self.0;
        (agent, AgentSaidParts(said), had_a_say, CallParts(call)).serialize(serializer)
    }
}

struct AgentSaidParts<'a>(&'a AgentSaid);

impl Serialize for AgentSaidParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AgentSaid::Proposed { values, reason, is_permitted } => {
                (AGENT_PROPOSED, Sequence(values.iter().map(Compact)), reason.as_deref(), is_permitted)
                    .serialize(serializer)
            }
            AgentSaid::Silent(silence) => (AGENT_SILENT, silence.code()).serialize(serializer),
        }
    }
}

struct CallParts<'a>(&'a Call);

impl Serialize for CallParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Call { target, source, requests, hedges, prompt_tokens, answer_tokens, cost, took } = self.0;
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        (target.as_deref(), source.code(), requests, hedges, prompt_tokens, answer_tokens, cost, took)
            .serialize(serializer)
    }
}

struct SaidParts<'a>(&'a Said);

impl Serialize for SaidParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Said::Ranked(ranking) => {
                let Ranking { best, plausible, cut, cut_in_all, uncut, is_out_of_scope } = ranking;
                let pair = |score: &Score| (score.index, score.probability.ppm());
                let best = Sequence(best.iter().map(pair));
                (SAID_RANKED, best, plausible, cut.as_ref().map(pair), cut_in_all.ppm(), uncut.ppm(), is_out_of_scope)
                    .serialize(serializer)
            }
            Said::Number { value, is_permitted } => (SAID_NUMBER, Compact(value), is_permitted).serialize(serializer),
            Said::Unread { position, reason } => (SAID_UNREAD, position, reason.code()).serialize(serializer),
            Said::Silent(silence) => (SAID_SILENT, silence.code()).serialize(serializer),
        }
    }
}

struct FactPair<'a>(&'a (usize, Option<Value>));

impl Serialize for FactPair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0.0, self.0.1.as_ref().map(Compact)).serialize(serializer)
    }
}

struct SeenValue<'a>(&'a Seen);

impl Serialize for SeenValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ok(value) => Compact(value).serialize(serializer),
            Err(reason) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&0_u8, &reason.code())?;
                map.end()
            }
        }
    }
}

/// A map, or nil where there is nothing.
struct MapOrNil<'a>(&'a [(String, Raw)]);

impl Serialize for MapOrNil<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return serializer.serialize_none();
        }
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// An array from an iterator.
struct Sequence<I>(I);

impl<I: ExactSizeIterator + Clone> Serialize for Sequence<I>
where
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}
