//! Signals against a batch computation over the whole history: every kind, out of order, late, ahead, in groups, with
//! retention, with purges and stored forms in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    CustomerId, Decimal, Enumeration, EventKey, FUTURE_MAX, Field, TimeDelta, Timestamp, Type, Unavailable, Value,
};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_763_800_000 * SECOND;
const GROUP: usize = 0;
const AMOUNT: usize = 1;
const ITEMS: usize = 2;
const LABEL: usize = 3;

/// One event as the test plans it; times in seconds.
#[derive(Clone, Debug)]
struct Step {
    wait: i64,
    offset: i64,
    amount: Option<i64>,
    label: Option<u16>,
    group: Option<u16>,
    /// What happens to the state before: 0 to 2 nothing, 3 purged, 4 stored and read, 5 both.
    before: u8,
    /// How far back from the arrival a question is asked besides that of the event's own time.
    ask_back: i64,
    ask_group: Option<u16>,
}

/// An event that was folded.
#[derive(Clone, Debug)]
struct Happened {
    time: i64,
    arrival: i64,
    amount: Option<i64>,
    label: Option<u16>,
    group: Option<u16>,
}

fn names(count: usize) -> Type {
    Type::OneOf(Arc::new(Enumeration::new((0..count).map(|n| format!("n{n}")).collect()).unwrap()))
}

fn event_type() -> EventType {
    let attributes = vec![
        Field::new("group", names(6)).optional(),
        Field::new("amount", Type::Decimal).optional(),
        Field::new("items", Type::Int).optional(),
        Field::new("label", names(4)).optional(),
    ];
    EventType {
        name: "e".into(),
        attributes,
        undeclared: Undeclared::Keep,
        tags: Tags::default(),
        attribute_tags: vec![],
    }
}

fn event(happened: &Happened) -> TypedEvent {
    TypedEvent {
        key: EventKey::new("s", "1").unwrap(),
        kind: 0,
        customer: CustomerId::new("c").unwrap(),
        time: None,
        attributes: [
            happened.group.map(Value::Symbol),
            happened.amount.map(|amount| Value::Decimal(Decimal::from_units(amount))),
            happened.amount.map(Value::Int),
            happened.label.map(Value::Symbol),
        ]
        .into(),
        undeclared: vec![],
        body: 0,
    }
}

prop_compose! {
    fn definitions()(
        kind in 0_u8..10,
        is_int: bool,
        n in 1_usize..4,
        over in 60_i64..3_600,
        every in prop::sample::select(vec![10_i64, 45, 60, 600]),
        per_half_life in 1_usize..9,
        is_endless: bool,
        retain in prop::option::of(0_i64..3_600),
        groups_max in prop::option::of(1_usize..4),
        partial: bool,
    ) -> SignalDefinition {
        let of = if is_int { ITEMS } else { AMOUNT };
        let number = if is_int { Type::Int } else { Type::Decimal };
        let (kind, ty, of) = match kind {
            0 => (SignalKind::Count, Type::Int, None),
            1 => (SignalKind::Sum(of), number.clone(), Some(number)),
            2 => (SignalKind::Min(of), number.clone(), Some(number)),
            3 => (SignalKind::Max(of), number.clone(), Some(number)),
            4 => (SignalKind::Mean(of), Type::Decimal, Some(number)),
            5 => (SignalKind::Last(LABEL), names(4), Some(names(4))),
            6 => (SignalKind::LastN { of: LABEL, n }, Type::List(Box::new(names(4))), Some(names(4))),
            7 => (SignalKind::Distinct(LABEL), Type::Int, Some(names(4))),
            8 => (SignalKind::Decayed(None), Type::Decimal, None),
            _ => (SignalKind::Decayed(Some(of)), Type::Decimal, Some(number)),
        };
        let is_exact = matches!(kind, SignalKind::Last(_) | SignalKind::LastN { .. });
        let over = if is_exact && is_endless { None } else { Some(TimeDelta::from_micros(over * SECOND)) };
        let resolution = TimeDelta::from_micros(every * SECOND);
        let kept = over.unwrap_or_default().micros() + resolution.micros();
        SignalDefinition {
            name: "signal".into(),
            kind,
            event: 0,
            over,
            resolution,
            decay: matches!(kind, SignalKind::Decayed(_)).then(|| Decay::new(per_half_life)),
            by: groups_max.map(|groups_max| Grouping { by: GROUP, of: names(6), asked: [Some((GROUP, names(6)))].into(), groups_max }),
            partial,
            ty,
            of,
            immutable: false,
            tags: Tags { retain: retain.map(|more| TimeDelta::from_micros(kept + more * SECOND)), ..Tags::default() },
            fingerprint: SignalDefinition::fingerprint_of("signal"),
        }
    }
}

prop_compose! {
    fn steps()(
        wait in prop_oneof![0_i64..100, 0_i64..3_000],
        offset in prop_oneof![Just(0_i64), -100_i64..300, -9_000_i64..300],
        amount in prop::option::weighted(0.9, prop_oneof![-50_i64..1_000, -1_000_000_000_i64..1_000_000_000]),
        label in prop::option::weighted(0.9, 0_u16..4),
        group in prop::option::weighted(0.9, 0_u16..6),
        before in 0_u8..6,
        ask_back in prop_oneof![0_i64..100, -300_i64..9_000],
        ask_group in prop::option::weighted(0.9, 0_u16..6),
    ) -> Step {
        Step { wait, offset, amount, label, group, before, ask_back, ask_group }
    }
}

/// The batch computation: everything from the history, nothing kept.
struct Batch<'a> {
    definition: &'a SignalDefinition,
    history: &'a [Happened],
    since: i64,
}

/// What became of the groups: the events that the asked one still has, and what may be missing from it.
struct Kept<'a> {
    events: Vec<&'a Happened>,
    missing: Option<i64>,
}

impl<'a> Batch<'a> {
    fn bucket(&self, time: i64) -> i64 {
        time.div_euclid(self.definition.resolution.micros())
    }

    fn is_exact(&self) -> bool {
        matches!(self.definition.kind, SignalKind::Last(_) | SignalKind::LastN { .. })
    }

    fn is_expired(&self, time: i64, now: i64) -> bool {
        let Some(retain) = self.definition.tags.retain else { return false };
        let begins = if self.is_exact() { time } else { self.bucket(time) * self.definition.resolution.micros() };
        begins + retain.micros() <= now
    }

    fn has_value(&self, event: &Happened) -> bool {
        match self.definition.kind.attribute() {
            None => true,
            Some(LABEL) => event.label.is_some(),
            Some(_) => event.amount.is_some(),
        }
    }

    /// Events that left a mark, in the order of their arrival.
    fn taken(&self) -> Vec<&'a Happened> {
        let taken =
            self.history.iter().filter(|event| self.has_value(event) && !self.is_expired(event.time, event.arrival));
        taken.filter(|event| self.definition.by.is_none() || event.group.is_some()).collect()
    }

    /// Plays the groups through: a list in the order of their last events, of which the first goes.
    fn kept(&self, group: Option<u16>, now: i64) -> Kept<'a> {
        let Some(grouping) = &self.definition.by else { return Kept { events: self.taken(), missing: None } };
        let mut groups: Vec<(u16, Option<i64>, Vec<&Happened>)> = Vec::new();
        let mut forgotten: Option<i64> = None;
        let is_gone = |events: &[&Happened], now: i64| events.iter().all(|event| self.is_expired(event.time, now));
        for event in self.taken() {
            let known = groups.iter().position(|(key, ..)| Some(*key) == event.group).map(|at| groups.remove(at));
            let mut entry = match known.filter(|(_, _, events)| !is_gone(events, event.arrival)) {
                Some(entry) => entry,
                None => {
                    if groups.len() >= grouping.groups_max {
                        groups.retain(|(_, _, events)| !is_gone(events, event.arrival));
                    }
                    if groups.len() >= grouping.groups_max {
                        let (_, _, events) = groups.remove(0);
                        forgotten = forgotten.max(events.iter().map(|event| self.bucket(event.time)).max());
                    }
                    (event.group.unwrap(), forgotten, vec![])
                }
            };
            entry.2.push(event);
            groups.push(entry);
        }
        let found = groups.into_iter().find(|(key, _, events)| Some(*key) == group && !is_gone(events, now));
        found.map_or(Kept { events: vec![], missing: forgotten }, |(_, missing, events)| Kept { events, missing })
    }

    fn value(&self, group: Option<u16>, as_of: i64, now: i64) -> Result<Value, Unavailable> {
        let over = self.definition.over.map(TimeDelta::micros);
        if !self.definition.partial && over.is_some_and(|over| as_of - self.since < over) {
            return Err(Unavailable::Warming);
        }
        if self.definition.by.is_some() && group.is_none() {
            return Err(Unavailable::Absent);
        }
        let kept = self.kept(group, now);
        let all = self.taken().into_iter().filter(|event| self.definition.by.is_none() || event.group == group);
        let all: Vec<&Happened> = all.filter(|event| !self.is_expired(event.time, now)).collect();
        if self.is_exact() { self.exact(&all, &kept, as_of, now) } else { self.bucketed(&all, &kept, as_of, now) }
    }

    /// The first bucket of the window.
    fn from(&self, as_of: i64, now: i64) -> i64 {
        let width = self.definition.resolution.micros();
        let back = self.definition.over.map(|over| self.bucket(as_of) - (over.micros() + width - 1) / width);
        let retained = self.definition.tags.retain.map(|retain| {
            let first = self.bucket(now - retain.micros());
            if self.is_exact() { first } else { first + 1 }
        });
        back.unwrap_or(i64::MIN).max(retained.unwrap_or(i64::MIN))
    }

    fn bucketed(&self, all: &[&Happened], kept: &Kept<'_>, as_of: i64, now: i64) -> Result<Value, Unavailable> {
        let (from, last) = (self.from(as_of, now), self.bucket(as_of));
        let width = self.definition.resolution.micros();
        if let Some(newest) = kept.events.iter().map(|event| self.bucket(event.time)).max() {
            let reach = (self.definition.over.unwrap().micros() + width - 1) / width;
            let ahead = FUTURE_MAX.micros() / width + 1;
            if from < newest - 2 * reach - ahead {
                return Err(Unavailable::Late);
            }
        }
        if kept.missing.is_some_and(|missing| missing >= from) {
            return Err(Unavailable::Late);
        }
        let within: Vec<&&Happened> =
            all.iter().filter(|event| (from..=last).contains(&self.bucket(event.time))).collect();
        let amounts = || within.iter().map(|event| event.amount.unwrap());
        let number = |units: i64| match &self.definition.ty {
            Type::Decimal => Value::Decimal(Decimal::from_units(units)),
            _ => Value::Int(units),
        };
        let places = if matches!(self.definition.of, None | Some(Type::Int)) { 10_000 } else { 1 };
        match self.definition.kind {
            SignalKind::Count => Ok(Value::Int(within.len() as i64)),
            SignalKind::Sum(_) => Ok(number(amounts().sum())),
            SignalKind::Min(_) => amounts().min().map(number).ok_or(Unavailable::Never),
            SignalKind::Max(_) => amounts().max().map(number).ok_or(Unavailable::Never),
            SignalKind::Mean(_) if within.is_empty() => Err(Unavailable::Never),
            SignalKind::Mean(_) => {
                let sum: i128 = amounts().map(i128::from).sum();
                Ok(number(rounded(sum * places, within.len() as i128)))
            }
            SignalKind::Distinct(_) => {
                let labels: BTreeSet<_> = within.iter().map(|event| event.label).collect();
                Ok(Value::Int(labels.len() as i64))
            }
            SignalKind::Decayed(of) => {
                let mut buckets: BTreeMap<i64, i64> = BTreeMap::new();
                for event in within {
                    *buckets.entry(self.bucket(event.time)).or_default() += of.map_or(1, |_| event.amount.unwrap());
                }
                let decay = self.definition.decay.as_ref().unwrap();
                let left = |(bucket, total): (i64, i64)| {
                    let age = (last - bucket) as usize;
                    let weight = i128::from(decay.weight(age % decay.buckets()));
                    (i128::from(total) * weight).div_euclid(1_i128 << (age / decay.buckets()).min(126))
                };
                let sum: i128 = buckets.into_iter().map(left).sum();
                Ok(number(rounded(sum * places, 1 << 62)))
            }
            SignalKind::Last(_) | SignalKind::LastN { .. } => unreachable!("values with exact times"),
        }
    }

    fn exact(&self, all: &[&Happened], kept: &Kept<'_>, as_of: i64, now: i64) -> Result<Value, Unavailable> {
        let reaches = |time: i64| {
            self.definition.over.is_none_or(|over| as_of - time <= over.micros()) && !self.is_expired(time, now)
        };
        let may_miss = |oldest: Option<i64>| {
            let missing = kept.missing.filter(|missing| *missing >= self.from(as_of, now));
            missing.is_some_and(|missing| oldest.is_none_or(|oldest| self.bucket(oldest) <= missing))
        };
        let mut by_time = kept.events.clone();
        by_time.sort_by_key(|event| event.time);
        let mut within: Vec<&&Happened> =
            all.iter().filter(|event| event.time <= as_of && reaches(event.time)).collect();
        within.sort_by_key(|event| event.time);
        within.reverse();
        match self.definition.kind {
            SignalKind::LastN { n, .. } => {
                let dropped = by_time.len().saturating_sub(n + 4);
                let found =
                    by_time[dropped..].iter().filter(|event| event.time <= as_of && reaches(event.time)).count();
                if found < n && by_time[..dropped].last().is_some_and(|event| reaches(event.time)) {
                    return Err(Unavailable::Late);
                }
                let values: Vec<Value> =
                    within.iter().take(n).map(|event| Value::Symbol(event.label.unwrap())).collect();
                // The oldest of those that are kept; of those that had to go with their group there may be later ones.
                let kept_oldest = by_time[dropped..]
                    .iter()
                    .rev()
                    .filter(|event| event.time <= as_of && reaches(event.time))
                    .nth(n - 1);
                if may_miss(kept_oldest.map(|event| event.time)) {
                    Err(Unavailable::Late)
                } else {
                    Ok(Value::List(values.into()))
                }
            }
            _ => match by_time.last().filter(|event| event.time <= as_of && reaches(event.time)) {
                // One value is kept: for a time before it there is none.
                None if may_miss(None) => Err(Unavailable::Late),
                None => Err(Unavailable::Never),
                Some(last) if may_miss(Some(last.time)) => Err(Unavailable::Late),
                Some(_) => Ok(Value::Symbol(within[0].label.unwrap())),
            },
        }
    }
}

fn rounded(numerator: i128, denominator: i128) -> i64 {
    let (whole, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let is_up = 2 * rest > denominator || (2 * rest == denominator && whole % 2 != 0);
    (whole + i128::from(is_up)) as i64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1_000), ..ProptestConfig::default() })]

    /// Kept incrementally a signal says what a batch computation over the whole history says, or that it cannot say; and a
    /// state that is purged and stored now and then says what one says that is not.
    #[test]
    fn a_signal_agrees_with_a_batch_computation(
        definition in definitions(),
        steps in prop::collection::vec(steps(), 1..40),
    ) {
        let layout = Arc::new(Layout::new(vec![event_type()], vec![], vec![definition.clone()], Window::default()));
        let mut state = CustomerState::new(Arc::clone(&layout));
        let mut untouched = CustomerState::new(Arc::clone(&layout));
        let (mut history, mut now): (Vec<Happened>, i64) = (Vec::new(), START);
        let since = START + steps[0].wait * SECOND;
        for step in &steps {
            now += step.wait * SECOND;
            let arrival = Timestamp::from_micros(now);
            if matches!(step.before, 3 | 5) {
                state.purge(arrival);
                prop_assert!(state.next_expiry().is_none_or(|expiry| expiry > arrival), "what has expired is gone");
            }
            if matches!(step.before, 4 | 5) {
                let bytes = state.encode();
                state = CustomerState::decode(&bytes, &layout).unwrap();
                prop_assert_eq!(state.encode(), bytes);
            }
            let time = now + step.offset.min(FUTURE_MAX.micros() / SECOND) * SECOND;
            let happened = Happened { time, arrival: now, amount: step.amount, label: step.label, group: step.group };
            let folded = event(&happened);
            for state in [&mut state, &mut untouched] {
                state.conform(&layout, arrival).unwrap();
                state.last_arrival = arrival;
                state.fold(&folded, Timestamp::from_micros(time));
            }
            history.push(happened.clone());
            let batch = Batch { definition: &definition, history: &history, since };
            let asked = Happened { group: step.ask_group, ..happened };
            for (event, group, as_of) in [(&folded, step.group, time), (&event(&asked), step.ask_group, now - step.ask_back * SECOND)] {
                let said = state.signal_for(0, Some(event), Timestamp::from_micros(as_of), arrival);
                prop_assert_eq!(&said, &batch.value(group, as_of, now), "as of {}, at {}: {:?}", as_of, now, &history);
                let before = untouched.signal_for(0, Some(event), Timestamp::from_micros(as_of), arrival);
                prop_assert_eq!(said, before, "not purged");
            }
        }
    }
}
