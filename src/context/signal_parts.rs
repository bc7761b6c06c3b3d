//! What a signal holds, part by part and group by group, for someone who looks at it.

use super::content::{Content, Span};
use super::distinct::unfingerprinted;
use super::groups::Groups;
use super::signal::Signal;
use super::{CustomerState, SignalDefinition, SignalKind};
use crate::domain::{Datum, Timestamp, Type, Unavailable, Value};

/// The group of a signal that is kept apart for each value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupLabel {
    /// The value's fingerprint, which is all that a state keeps of it.
    pub key: u64,
    /// The value, if its fingerprint or one of the latest events tells it.
    pub of: Option<Datum>,
}

/// How one group of a signal stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupStanding {
    /// Which.
    pub group: GroupLabel,
    /// Its value.
    pub value: Result<Value, Unavailable>,
}

/// One thing that a signal holds.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalPart {
    /// The group it belongs to, if the signal has groups.
    pub group: Option<GroupLabel>,
    /// When what is held happened, or when its bucket begins.
    pub from: Timestamp,
    /// When its bucket ends; `None` for what is held with its exact time.
    pub until: Option<Timestamp>,
    /// What is held.
    pub held: PartHeld,
}

/// What a part of a signal holds.
#[derive(Clone, Debug, PartialEq)]
pub enum PartHeld {
    /// How many events, or their sum, smallest or largest value; `None` for a sum that left its range.
    Number(Option<Datum>),
    /// What a mean is made from: a sum and how many values.
    Mean(Option<Datum>, i64),
    /// A value.
    Value(Datum),
    /// A value of which only the fingerprint is kept, and the value if that tells it.
    Fingerprint(u64, Option<Datum>),
}

impl CustomerState {
    /// Since when a signal watches; `None` before the customer's first turn with it.
    pub fn signal_since(&self, number: usize) -> Option<Timestamp> {
        self.signals.get(number)?.watches_since()
    }

    /// The groups of a signal as of a time, those of the latest events first; nothing for one without groups.
    pub fn signal_groups(&self, number: usize, as_of: Timestamp) -> Vec<GroupStanding> {
        let (Some(definition), Some(signal)) = (self.layout.signals().get(number), self.signals.get(number)) else {
            return Vec::new();
        };
        let arrival = as_of.max(self.last_arrival);
        let standings = signal.group_values(definition, as_of, arrival).into_iter();
        let labelled = |(key, value)| GroupStanding { group: self.label(definition, key, as_of), value };
        standings.map(labelled).collect()
    }

    /// Everything that a signal holds, oldest first within each group, expired or not.
    pub fn signal_parts(&self, number: usize) -> Vec<SignalPart> {
        let (Some(definition), Some(signal)) = (self.layout.signals().get(number), self.signals.get(number)) else {
            return Vec::new();
        };
        let Content::Groups(groups) = &signal.content else { return parts(&signal.content, definition, None) };
        let list = groups.iter().flat_map(|groups| &groups.list);
        let of_group = |group: &super::groups::Group| {
            let label = self.label(definition, group.key, self.last_arrival);
            parts(&group.content, definition, Some(&label))
        };
        list.flat_map(of_group).collect()
    }

    /// A group's label. Texts have lost their value; one of the latest events may still have it.
    fn label(&self, definition: &SignalDefinition, key: u64, now: Timestamp) -> GroupLabel {
        let Some(grouping) = &definition.by else { return GroupLabel { key, of: None } };
        let told = unfingerprinted(key, &grouping.of).or_else(|| {
            let watched = self.recent(now).filter(|event| event.kind == definition.event);
            let mut values = watched.flat_map(|event| event.values(&self.layout, now));
            let is_it = |(number, value): &(usize, &Value)| *number == grouping.by && grouping.key_of(value) == key;
            values.find(is_it).map(|(_, value)| value.clone())
        });
        GroupLabel { key, of: told.map(|value| Datum::new(&grouping.of, value)) }
    }
}

impl Signal {
    fn group_values(
        &self,
        definition: &SignalDefinition,
        as_of: Timestamp,
        arrival: Timestamp,
    ) -> Vec<(u64, Result<Value, Unavailable>)> {
        let Content::Groups(Some(groups)) = &self.content else { return Vec::new() };
        let span = Span::new(definition, as_of, arrival);
        let is_warming = self.is_warming(definition, as_of);
        let value = |(key, value)| (key, if is_warming { Err(Unavailable::Warming) } else { value });
        Groups::standings(groups, definition, &span, arrival).into_iter().map(value).collect()
    }
}

fn parts(content: &Content, definition: &SignalDefinition, group: Option<&GroupLabel>) -> Vec<SignalPart> {
    let of = definition.of.as_ref().unwrap_or(&Type::Int);
    let number = |number: i64| {
        let is_whole = matches!(definition.kind, SignalKind::Count | SignalKind::Decayed(None));
        Content::total(if is_whole { &Type::Int } else { of }, number)
    };
    let bucket = |bucket: i64, held: PartHeld| {
        let begins = |bucket: i64| Timestamp::from_micros(bucket.saturating_mul(definition.resolution.micros()));
        SignalPart { group: group.cloned(), from: begins(bucket), until: Some(begins(bucket + 1)), held }
    };
    let exact = |at: Timestamp, value: &Value| {
        let held = PartHeld::Value(Datum::new(of, value.clone()));
        SignalPart { group: group.cloned(), from: at, until: None, held }
    };
    match content {
        Content::Totals(totals) => totals.iter().map(|(at, n)| bucket(*at, PartHeld::Number(number(*n)))).collect(),
        Content::Means(means) => means.iter().map(|(at, n, of)| bucket(*at, PartHeld::Mean(number(*n), *of))).collect(),
        Content::Last(last) => last.iter().map(|last| exact(last.0, &last.1)).collect(),
        Content::Latest(latest) => {
            let kept = latest.iter().flat_map(|latest| &latest.kept);
            kept.map(|(at, value)| exact(*at, value)).collect()
        }
        Content::Values(values) => {
            let told = |print: u64| unfingerprinted(print, of).map(|value| Datum::new(of, value));
            let seen = values.iter().flat_map(|values| &values.seen);
            seen.map(|(at, print)| bucket(*at, PartHeld::Fingerprint(*print, told(*print)))).collect()
        }
        // Groups have no groups.
        Content::Groups(_) => Vec::new(),
    }
}
