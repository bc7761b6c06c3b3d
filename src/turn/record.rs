//! The record: what the journal stores of a turn (forms 1 to 4).
//!
//! A MessagePack array. What identifies a person stands in a part of its own, with the id of the key it is encrypted with
//! (0: not encrypted), so that encryption needs no new format:
//!
//! ```text
//! record   = [version, tenant, bundle, semantics, arrival, decisions, key_id, personal as bytes]
//! decision = [playbook, tier, rule or nil, fallback or nil]
//! personal = [0, customer, source, id, event type, body, time or nil, trace or nil, run or nil,
//!             attributes, undeclared, [[outcome values, seen values], …]]
//!          | [1, customer, source, observed at, [[fact, value or nil], …]]
//!          | [2, customer, source, observed at, [[purpose, given], …]]
//!          | [3, customer, decision id, settlement]
//!          | [4, customer, decision id, feedback id, source, time or nil, verdict or nil, corrected or nil, label or nil,
//!             outcome or nil]
//! ```
//!
//! Form 2 adds the kinds of input 2 and 3 and, to a decision's values, its circumstances: `[outcome values, seen values,
//! circumstances or nil]` with `circumstances = [refusal or nil, consents, [[room, more from or nil], … for each cap], [stale
//! values]]`. A record that needs none of this is written in form 1, byte for byte as ever.
//!
//! Form 3 adds feedback, the last kind, in which `corrected` and `outcome` are maps; and what models said: `[outcome values, seen values, circumstances or nil, [[model, said], …] or nil]` with
//!
//! ```text
//! said = [0, [[proposal, probability], …], plausible, cut or nil, cut in all, uncut, out of scope]
//!      | [1, value, permitted] | [2, position, reason] | [3, silence]
//! ```
//!
//! Form 4 adds late answers, the input kind 5, `[5, customer, decision id, agent, proposed as a map or silence, reason or nil, call]`, and
//! what agents said: a fifth part of a decision's values, `[[agent, said, had a say, call], …] or nil`, with
//!
//! ```text
//! said = [0, [value, …], reason or nil, permitted] | [1, silence]
//! call = [target or nil, source, requests, hedges, prompt tokens, answer tokens, cost, microseconds]
//! ```
//!
//! The values are those of the fields that the agent sets, costs are thousand-millionths of the currency's unit.
//!
//! Models go by their number among the playbook's, proposals by theirs among the model's, probabilities are parts per million.
//! A replay asks no model.
//!
//! `bundle` is the sequence of the record in the same journal that holds the bundle's files; playbooks, rules, event types
//! and facts go by their number in it, and values are written without their types, which the bundle gives back. Ids of
//! decisions stand in the journal's frame beside the record, where an index finds them. A seen value that was unavailable is
//! a map of one entry, `{0: reason}`.

use crate::decider::{Asked, Consulted, Seen};
use crate::domain::{FallbackReason, TenantId, Tier, Timestamp, Value};
use crate::guardrail::Circumstances;

use super::Input;

/// The latest version of the record's form.
pub const RECORD_VERSION: u8 = 4;

/// The form of a record that needs nothing later.
pub(super) const FORM_1: u8 = 1;

/// The form of a record that needs what form 2 has, and nothing later.
pub(super) const FORM_2: u8 = 2;

/// The form of a record that needs what form 3 has, and nothing later.
pub(super) const FORM_3: u8 = 3;

/// The version of what rules, signals and guardrail mean. Raised when the same inputs may give another outcome.
pub const SEMANTICS_VERSION: u16 = 1;

pub(super) const SAID_RANKED: u8 = 0;
pub(super) const SAID_NUMBER: u8 = 1;
pub(super) const SAID_UNREAD: u8 = 2;
pub(super) const SAID_SILENT: u8 = 3;

pub(super) const AGENT_PROPOSED: u8 = 0;
pub(super) const AGENT_SILENT: u8 = 1;

pub(super) const KIND_EVENT: u8 = 0;
pub(super) const KIND_FACTS: u8 = 1;
pub(super) const KIND_CONSENTS: u8 = 2;
pub(super) const KIND_SETTLEMENT: u8 = 3;
pub(super) const KIND_FEEDBACK: u8 = 4;
pub(super) const KIND_LATE_ANSWER: u8 = 5;

/// A record read back, with its bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Whose engine it was.
    pub tenant: TenantId,
    /// The version of meaning it was decided under.
    pub semantics: u16,
    /// When the input arrived.
    pub arrival: Timestamp,
    /// What the turn was taken on.
    pub input: Input,
    /// What was decided.
    pub decisions: Vec<RecordedDecision>,
}

/// One decision of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedDecision {
    /// The number of the playbook in the bundle.
    pub playbook: usize,
    /// Who decided.
    pub tier: Tier,
    /// The rule that matched, by rank.
    pub rule: Option<usize>,
    /// Why the default was taken.
    pub fallback: Option<FallbackReason>,
    /// The outcome's values in the order of its fields.
    pub outcome: Vec<Value>,
    /// The context's values that were looked at.
    pub seen: Vec<Seen>,
    /// What else it was made under.
    pub circumstances: Circumstances,
    /// The models that were asked, with what they said.
    pub asked: Vec<Asked>,
    /// The agents that were asked, with what they said.
    pub agents: Vec<Consulted>,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes are not a record of this form.
    #[error("a record is damaged: {0}")]
    Damaged(#[from] rmp_serde::decode::Error),
    /// Written by a newer release.
    #[error("a record has version {0}, this release reads versions up to {RECORD_VERSION}")]
    Newer(u8),
    /// Encrypted with a key that is not there.
    #[error("a record is encrypted with key {0}, which this release cannot read")]
    Encrypted(u64),
    /// The record names things that its bundle does not have.
    #[error("a record does not fit its bundle: {0}")]
    Misfit(&'static str),
}
