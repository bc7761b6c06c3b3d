//! Tests of the room: typing events, facts over time, signals against a batch recomputation, the stored form.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    CustomerId, Decimal, DecisionId, Enumeration, Event, EventKey, FUTURE_MAX, Field, TimeDelta, Timestamp, Type,
    Unavailable, Value,
};

const HOUR: i64 = TimeDelta::HOUR.micros();

fn at(hours: i64) -> Timestamp {
    Timestamp::from_micros(1_763_800_000_000_000 / HOUR * HOUR + hours * HOUR)
}

fn signal(name: &str, kind: SignalKind, over: Option<TimeDelta>, ty: Type) -> SignalDefinition {
    SignalDefinition {
        name: name.into(),
        kind,
        event: 0,
        over,
        resolution: over.map_or(TimeDelta::SECOND, SignalDefinition::default_resolution),
        immutable: false,
        tags: Tags::default(),
        partial: true,
        decay: None,
        by: None,
        ty,
        of: None,
        fingerprint: SignalDefinition::fingerprint_of(name),
    }
}

fn layout() -> Arc<Layout> {
    let channel = Type::OneOf(Arc::new(Enumeration::new(vec!["email".into(), "chat".into()]).unwrap()));
    let created = EventType {
        name: "ticket.created".into(),
        attributes: vec![
            Field::new("subject", Type::Text),
            Field::new("channel", channel.clone()),
            Field::new("amount", Type::Decimal).optional(),
        ],
        undeclared: Undeclared::Keep,
        tags: Tags::default(),
        attribute_tags: vec![],
    };
    let strict = EventType {
        name: "login.failed".into(),
        attributes: vec![],
        undeclared: Undeclared::Refuse,
        tags: Tags::default(),
        attribute_tags: vec![],
    };
    let day = Some(TimeDelta::DAY);
    let mut vip = Field::new("vip", Type::Bool);
    vip.default = Some(Value::Bool(false));
    Arc::new(Layout::new(
        vec![created, strict],
        vec![
            FactDefinition {
                field: Field::new("plan", Type::Text),
                fresh: Freshness { soft: Some(TimeDelta::HOUR), hard: Some(TimeDelta::DAY) },
                tags: Tags::default(),
            },
            FactDefinition { field: vip, fresh: Freshness::default(), tags: Tags::default() },
        ],
        vec![
            signal("tickets_24h", SignalKind::Count, day, Type::Int),
            signal("amount_24h", SignalKind::Sum(2), day, Type::Decimal),
            signal("last_channel", SignalKind::Last(1), None, channel.clone()),
            signal("channels_24h", SignalKind::Distinct(1), day, Type::Int),
        ],
        Window::default(),
    ))
}

fn event(amount: Option<i64>, channel: u16) -> TypedEvent {
    TypedEvent {
        key: EventKey::new("s", "1").unwrap(),
        kind: 0,
        customer: CustomerId::new("c").unwrap(),
        time: None,
        attributes: [
            Some(Value::Text("x".into())),
            Some(Value::Symbol(channel)),
            amount.map(|units| Value::Decimal(Decimal::from_units(units))),
        ]
        .into(),
        undeclared: vec![],
        body: 0,
    }
}

#[test]
fn an_event_is_typed_or_every_fault_is_named() {
    let layout = layout();
    let good = Event::new("t-1", "helpdesk", "ticket.created", "c-1")
        .with("channel", "chat")
        .with("subject", "Hi")
        .with("zz", 1)
        .with("aa", true);
    let typed = layout.accept(good).unwrap();
    assert_eq!(typed.attributes[1], Some(Value::Symbol(1)));
    assert_eq!(typed.undeclared[0].0, "aa", "undeclared attributes stand in the order of their names");
    let same = Event::new("t-1", "helpdesk", "ticket.created", "c-1").with("subject", "Hi").with("channel", "chat");
    assert_eq!(layout.accept(same.clone().with("aa", true).with("zz", 1)).unwrap().body, typed.body);
    assert_ne!(layout.accept(same.with("aa", true).with("zz", 2)).unwrap().body, typed.body);

    let faults = |event: Event| -> String {
        let faults = layout.accept(event).unwrap_err();
        faults.iter().map(|f| format!("{}: {f}\n", f.pointer())).collect()
    };
    let bad =
        Event::new("", "helpdesk", "ticket.created", "x".repeat(300)).with("channel", "chta").with("amount", "1.23456");
    let mut twice = Event::new("1", "s", "ticket.created", "c").with("subject", "a").with("channel", "chat");
    twice.data.push(("subject".into(), "b".into()));
    let shown = [
        faults(bad),
        faults(twice),
        faults(Event::new("1", "s", "ticket.craeted", "c")),
        faults(Event::new("1", "s", "x", "c")),
        faults(Event::new("1", "s", "login.failed", "c").with("ip", "::1")),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    /id: `id` must not be empty
    /subject: `subject` (the customer's id) is 300 bytes long, the limit is 256
    /data/subject: `data.subject` is required: a text
    /data/channel: `data.channel` expected one of `email`, `chat`, found `"chta"` (did you mean `chat`?)
    /data/amount: `data.amount` expected a number with at most 4 decimal places, found `"1.23456"`: more than 4 decimal places

    /data/subject: `data.subject` is given twice

    /type: unknown event type `ticket.craeted` (did you mean `ticket.created`?)

    /type: unknown event type `x`; known types are `ticket.created`, `login.failed`

    /data/ip: `data.ip` is not an attribute of `login.failed`
    "#);
}

#[test]
fn a_fact_ages_and_a_later_observation_wins() {
    let layout = layout();
    let mut state = CustomerState::new(Arc::clone(&layout));
    let fact = |value: &str, hours| Fact {
        value: Some(Value::Text(value.into())),
        source: "crm".into(),
        observed_at: at(hours),
    };
    assert_eq!(state.fact(0, at(0)), Err(Unavailable::Unknown));
    assert_eq!(state.fact(1, at(0)), Ok(&Value::Bool(false)), "a declared default stands in");
    assert!(state.put_fact(0, fact("pro", 2)));
    assert!(!state.put_fact(0, fact("free", 1)), "an older observation is not taken");
    assert_eq!((state.fact(0, at(3)), state.is_stale(0, at(3))), (Ok(&Value::Text("pro".into())), false));
    assert_eq!((state.fact(0, at(26)), state.is_stale(0, at(26))), (Ok(&Value::Text("pro".into())), true));
    assert_eq!((state.fact(0, at(27)), state.is_stale(0, at(27))), (Err(Unavailable::Stale), false));
    let withdrawn = |hours| Fact { value: None, source: "crm".into(), observed_at: at(hours) };
    assert!(!state.put_fact(0, withdrawn(1)) && state.put_fact(0, withdrawn(4)));
    assert_eq!(state.fact(0, at(4)), Err(Unavailable::Unknown));
    let mut state = CustomerState::decode(&state.encode(), &layout).unwrap();
    assert!(!state.put_fact(0, fact("pro", 3)), "what was withdrawn does not come back with an older observation");
    assert_eq!(state.fact(0, at(4)), Err(Unavailable::Unknown));
    assert!(state.put_fact(0, fact("pro", 5)));
    assert_eq!(state.fact(0, at(5)), Ok(&Value::Text("pro".into())));
}

#[test]
fn a_signal_warms_up_unless_it_may_be_partial() {
    let mut definition = signal("n", SignalKind::Count, Some(TimeDelta::DAY), Type::Int);
    let fold = |definition: &SignalDefinition| {
        let mut signal = Signal::new(definition, at(0));
        signal.fold(definition, &event(None, 0), at(1), at(1));
        signal
    };
    assert_eq!(fold(&definition).value(&definition, None, at(1), at(1)), Ok(Value::Int(1)));
    definition.partial = false;
    assert_eq!(fold(&definition).value(&definition, None, at(23), at(23)), Err(Unavailable::Warming));
    assert_eq!(fold(&definition).value(&definition, None, at(24), at(24)), Ok(Value::Int(1)));
}

#[test]
fn the_latest_value_of_all_times_needs_no_warming_up() {
    let mut definition = signal("last", SignalKind::Last(1), None, Type::Int);
    definition.partial = false;
    let mut signal = Signal::new(&definition, at(1));
    // The event happened before it arrived, and the signal began to watch when it arrived.
    signal.fold(&definition, &event(None, 1), at(0), at(0));
    assert_eq!(signal.value(&definition, None, at(0), at(0)), Ok(Value::Symbol(1)));
}

#[test]
fn an_event_a_little_ahead_of_the_clock_outdates_nothing_that_counts_now() {
    let definition = signal("n", SignalKind::Count, Some(TimeDelta::MINUTE), Type::Int);
    let mut signal = Signal::new(&definition, at(0));
    signal.fold(&definition, &event(None, 0), at(0), at(0));
    signal.fold(&definition, &event(None, 0), at(0).saturating_add(FUTURE_MAX), at(0));
    assert_eq!(signal.value(&definition, None, at(0), at(0)), Ok(Value::Int(1)));
    assert_eq!(
        signal.value(&definition, None, at(0).saturating_add(FUTURE_MAX), at(0).saturating_add(FUTURE_MAX)),
        Ok(Value::Int(1))
    );
}

#[test]
fn names_are_counted_not_their_order() {
    let names = |names: [&str; 3]| {
        let names = names.map(str::to_owned).to_vec();
        Some(Type::OneOf(Arc::new(Enumeration::new(names).unwrap())))
    };
    let mut definition = signal("d", SignalKind::Distinct(1), Some(TimeDelta::DAY), Type::Int);
    definition.of = names(["email", "chat", "phone"]);
    let mut signal = Signal::new(&definition, at(0));
    signal.fold(&definition, &event(None, 0), at(0), at(0));
    // A later bundle has the names in another order: chat is 0 now, and was not seen yet.
    definition.of = names(["chat", "email", "phone"]);
    signal.fold(&definition, &event(None, 0), at(0), at(0));
    assert_eq!(signal.value(&definition, None, at(0), at(0)), Ok(Value::Int(2)));
}

#[test]
fn a_total_that_overflows_is_unavailable_not_wrong() {
    let definition = signal("sum", SignalKind::Sum(2), Some(TimeDelta::DAY), Type::Decimal);
    let mut signal = Signal::new(&definition, at(0));
    signal.fold(&definition, &event(Some(i64::MAX), 0), at(0), at(0));
    signal.fold(&definition, &event(Some(1), 0), at(0), at(0));
    signal.fold(&definition, &event(Some(-5), 0), at(0), at(0));
    assert_eq!(signal.value(&definition, None, at(0), at(0)), Err(Unavailable::Overflow));
    assert_eq!(signal.value(&definition, None, at(40), at(40)), Ok(Value::Decimal(Decimal::default())));
}

#[test]
fn a_state_survives_its_stored_form_and_another_layout() {
    let layout = layout();
    let mut state = CustomerState::new(Arc::clone(&layout));
    state.conform(&layout, at(0)).unwrap();
    state.put_fact(0, Fact { value: Some(Value::Text("pro".into())), source: "crm".into(), observed_at: at(0) });
    state.fold(&event(Some(25_000), 1), at(1));
    state.last_seq = 9;
    let decision = Some((PlaybookKey::of("p"), DecisionId::from_u128(7)));
    let window = Window { entries: 8, over: TimeDelta::DAY };
    state.ledger.enter(Entry { event: 1, body: 2, arrival: at(1), decision }, window);
    let read = CustomerState::decode(&state.encode(), &layout).unwrap();
    assert_eq!(read.encode(), state.encode());
    assert_eq!(read.signal(2, at(1)), Ok(Value::Symbol(1)));

    // Another bundle forgets the fact and means something else by the count; going back brings the fact back.
    let mut other = state.clone();
    other.conform(&Arc::new(Layout::new(vec![], vec![], vec![], Window::default())), at(2)).unwrap();
    assert_eq!(other.fact(0, at(2)), Err(Unavailable::Unknown));
    other.conform(&layout, at(3)).unwrap();
    assert_eq!(other.fact(0, at(3)), Ok(&Value::Text("pro".into())));
    assert_eq!(other.signal(0, at(3)), Ok(Value::Int(0)), "a signal that was not watching does not pretend it was");
    assert_eq!((other.last_seq, other.ledger), (9, state.ledger));
    assert!(CustomerState::decode(&[0xc1], &layout).is_err());
}

/// The store keeps what a layout does not know until a turn under that layout: so must whoever has only looked.
#[test]
fn a_look_under_another_layout_loses_nothing() {
    let tickets = || EventType {
        name: "ticket.created".into(),
        attributes: vec![Field::new("subject", Type::Text)],
        undeclared: Undeclared::Keep,
        tags: Tags::default(),
        attribute_tags: vec![],
    };
    let with = |signals: &[&str], events, kept: &[&str]| {
        let count = |name: &&str| signal(name, SignalKind::Count, Some(TimeDelta::DAY), Type::Int);
        let signals = signals.iter().map(count).collect();
        Arc::new(Layout::new(vec![tickets()], vec![], signals, Window::default()).with_recent(events, kept))
    };
    let first = with(&["a", "b"], 4, &["subject"]);
    let mut state = CustomerState::new(Arc::clone(&first));
    state.conform(&first, at(0)).unwrap();
    (1..4).for_each(|hours| state.fold(&event(None, 0), at(hours)));
    let stored = state.encode();
    for other in [with(&["a"], 4, &["subject"]), with(&["a", "b"], 2, &["subject"]), with(&["a", "b"], 4, &[])] {
        let mut looked_at = CustomerState::decode(&stored, &other).unwrap();
        assert!(Arc::ptr_eq(looked_at.layout(), &other));
        assert_eq!(looked_at.encode(), stored, "it rests as it is stored");
        let mut back = looked_at.clone();
        back.conform(&first, at(4)).unwrap();
        assert_eq!((back.signal(1, at(4)), back.encode()), (Ok(Value::Int(3)), stored.clone()), "and comes back whole");
        // A turn under the other layout is recorded, and recovery takes it likewise: what it does not know is gone.
        looked_at.conform(&other, at(4)).unwrap();
        assert!(looked_at.encode().len() < stored.len());
        // So is what nobody can say the end of, once something of it has expired.
        let mut expired = CustomerState::decode(&stored, &other).unwrap();
        assert!(expired.drop_unknown() && !expired.drop_unknown());
        assert!(expired.encode().len() < stored.len());
    }
    assert!(!CustomerState::decode(&stored, &first).unwrap().drop_unknown(), "nothing of it is unknown");
}

#[test]
fn the_ledger_knows_repetitions_within_its_window() {
    let (p, q) = (PlaybookKey::of("p"), PlaybookKey::of("q"));
    let window = Window { entries: 3, over: TimeDelta::DAY };
    let known = |ledger: &Ledger, event, body, by| ledger.known(event, body, by, window.since(at(0)));
    let mut ledger = Ledger::default();
    let entry = |event, hours, decision| Entry { event, body: 5, arrival: at(hours), decision };
    let id = DecisionId::from_u128(1);
    assert_eq!(known(&ledger, 1, 5, Some(p)), Known::New);
    ledger.enter(entry(1, 0, Some((p, id))), window);
    assert_eq!(known(&ledger, 1, 5, Some(p)), Known::Decided(id));
    assert_eq!(known(&ledger, 1, 5, Some(q)), Known::Folded);
    assert_eq!(known(&ledger, 1, 6, Some(p)), Known::Conflict);
    ledger.enter(entry(2, 25, None), window);
    assert_eq!(known(&ledger, 1, 5, Some(p)), Known::New, "forgotten after the window's time");
    for event in 3..6 {
        ledger.enter(entry(event, 25, None), window);
    }
    assert_eq!(known(&ledger, 2, 5, None), Known::New, "forgotten beyond the window's entries");
    assert_eq!(ledger.tally(p).map(|t| t.decisions), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Kept incrementally, out of order included, a signal says what a batch computation over the whole history says.
    #[test]
    fn signals_agree_with_a_batch_recomputation(
        history in proptest::collection::vec((0_i64..60, 0_i64..60, -5_i64..6, 0_u16..2), 0..40),
        ask in 0_i64..60,
        minutes in 0_i64..60,
    ) {
        let layout = layout();
        let mut state = CustomerState::new(Arc::clone(&layout));
        let time = |hours: i64, minutes: i64| Timestamp::from_micros(at(hours).micros() + minutes * 60_000_000);
        for (hours, minutes, amount, channel) in &history {
            state.fold(&event(Some(*amount), *channel), time(*hours, *minutes));
        }
        let ask = time(ask, minutes);
        let newest = history.iter().map(|(h, ..)| *h).max().unwrap_or(0);
        // The window begins at a full hour (its resolution), a day back.
        let hour = |t: Timestamp| t.micros().div_euclid(HOUR);
        let within: Vec<_> = history.iter().filter(|(h, m, ..)| (hour(ask) - 24..=hour(ask)).contains(&hour(time(*h, *m)))).collect();
        // What is kept: two windows, and an hour for events that are a little ahead of the clock.
        if hour(ask) - 24 < hour(at(newest)) - 49 {
            prop_assert_eq!(state.signal(0, ask), Err(Unavailable::Late));
            return Ok(());
        }
        prop_assert_eq!(state.signal(0, ask), Ok(Value::Int(within.len() as i64)));
        let sum: i64 = within.iter().map(|(_, _, amount, _)| amount).sum();
        prop_assert_eq!(state.signal(1, ask), Ok(Value::Decimal(Decimal::from_units(sum))));
        let channels: std::collections::BTreeSet<u16> = within.iter().map(|(.., channel)| *channel).collect();
        prop_assert_eq!(state.signal(3, ask), Ok(Value::Int(channels.len() as i64)));
    }
}

/// Version 1 of the stored state stays readable; the files were written when it was new.
#[test]
fn a_state_of_version_1_is_read() {
    let layout = layout();
    let stored =
        |name: &str| std::fs::read(format!("{}/tests/fixtures/state-1/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut state = CustomerState::decode(&stored("known.mpk"), &layout).unwrap();
    for _ in 0..2 {
        assert_eq!((state.last_seq, state.last_arrival), (9, at(3)));
        assert_eq!(state.fact(0, at(3)), Ok(&Value::Text("pro".into())));
        assert_eq!(state.held_fact(1).map(|fact| (&fact.value, &*fact.source)), Some((&None, "crm")));
        assert_eq!(state.signal(0, at(3)), Ok(Value::Int(3)));
        assert_eq!(state.signal(1, at(3)), Ok(Value::Decimal(Decimal::from_units(12_655))));
        assert_eq!(state.signal(2, at(3)), Ok(Value::Symbol(0)));
        assert_eq!(state.signal(3, at(3)), Ok(Value::Int(2)));
        let entries: Vec<Entry> = state.ledger.entries().copied().collect();
        let id = DecisionId::from_u128(0x019a_b3c2_5f00_8d1e_9a41_6c1f_0e2b_7d33);
        assert_eq!((entries[0].event, entries[0].body, entries[0].decision), (u128::MAX, u64::MAX, None));
        assert_eq!(entries[1].decision, Some((PlaybookKey::of("p"), id)));
        assert_eq!(state.ledger.tally(PlaybookKey::of("p")).map(|tally| tally.decisions), Some(1));
        state = CustomerState::decode(&state.encode(), &layout).unwrap();
    }
    // A fact that no bundle declared when the state was read comes back with the bundle that does.
    let mut parked = CustomerState::decode(&stored("parked.mpk"), &layout).unwrap();
    parked = CustomerState::decode(&parked.encode(), &layout).unwrap();
    let gone =
        FactDefinition { field: Field::new("gone", Type::Decimal), fresh: Freshness::default(), tags: Tags::default() };
    parked.conform(&Arc::new(Layout::new(vec![], vec![gone], vec![], Window::default())), at(1)).unwrap();
    assert_eq!(parked.fact(0, at(1)), Ok(&Value::Decimal("1.25".parse().unwrap())));
    assert_eq!(parked.held_fact(0).map(|fact| (&*fact.source, fact.observed_at)), Some(("erp", at(0))));
}

#[test]
fn the_latest_events_are_kept_until_they_expire() {
    let tags = |hours: i64| Tags { retain: Some(TimeDelta::from_micros(hours * HOUR)), ..Tags::default() };
    let ty = || EventType {
        name: "ticket.created".into(),
        attributes: vec![Field::new("subject", Type::Text), Field::new("channel", Type::Text)],
        undeclared: Undeclared::Keep,
        tags: tags(10),
        attribute_tags: vec![tags(5), tags(10)],
    };
    let layout =
        |events| Arc::new(Layout::new(vec![ty()], vec![], vec![], Window::default()).with_recent(events, &["subject"]));
    let mut state = CustomerState::new(layout(3));
    for hours in [0, 4, 1, 2] {
        state.last_arrival = at(4);
        state.fold(&event(None, 0), at(hours));
    }
    let shown = |state: &CustomerState, hours: i64| -> Vec<(i64, usize)> {
        let now = at(hours);
        state
            .recent(now)
            .map(|e| ((e.time.micros() - at(0).micros()) / HOUR, e.values(state.layout(), now).count()))
            .collect()
    };
    assert_eq!(shown(&state, 4), [(2, 1), (1, 1), (4, 1)], "three, newest arrival first");
    let mut read = CustomerState::decode(&state.encode(), &layout(3)).unwrap();
    for (now, left) in
        [(4, vec![(2, 1), (1, 1), (4, 1)]), (6, vec![(2, 1), (1, 0), (4, 1)]), (11, vec![(2, 0), (4, 0)]), (14, vec![])]
    {
        assert_eq!(shown(&state, now), left, "at {now}");
        read.purge(at(now));
        assert_eq!(shown(&read, now), left, "purged at {now}");
    }
    assert_eq!(read.next_expiry(), None);
    assert!(read.encode().len() < 14, "nothing is left of them");
    // What has expired makes room first, so that a purged ring and one that was not hold the same.
    let mut purged = state.clone();
    purged.purge(at(11));
    for state in [&mut state, &mut purged] {
        state.last_arrival = at(11);
        state.fold(&event(None, 0), at(11));
    }
    assert_eq!(shown(&state, 11), [(11, 1), (2, 0), (4, 0)]);
    assert_eq!(shown(&purged, 11), shown(&state, 11));
    state.conform(&layout(2), at(11)).unwrap();
    assert_eq!(shown(&state, 11), [(11, 1), (2, 0)], "a smaller ring keeps the latest");
}

#[test]
fn an_expired_fact_is_unavailable_at_once_and_gone_when_purged() {
    let fact = |name: &str, retain: Option<i64>, default: Option<Value>| {
        let mut field = Field::new(name, Type::Text);
        field.default = default;
        let retain = retain.map(|hours| TimeDelta::from_micros(hours * HOUR));
        FactDefinition { field, fresh: Freshness::default(), tags: Tags { retain, ..Tags::default() } }
    };
    let free = || Some(Value::Text("free".into()));
    let layout = Arc::new(Layout::new(
        vec![],
        vec![fact("plan", Some(24), free()), fact("city", None, None)],
        vec![],
        Window::default(),
    ));
    let mut state = CustomerState::new(Arc::clone(&layout));
    let told = |value: &str, hours| Fact {
        value: Some(Value::Text(value.into())),
        source: "crm".into(),
        observed_at: at(hours),
    };
    state.put_fact(0, told("enterprise", 0));
    state.put_fact(1, told("Wien", 0));
    assert_eq!((state.next_expiry(), state.fact(0, at(23)).is_ok()), (Some(at(24)), true));
    assert!(!state.purge(at(23)), "nothing has expired yet");
    let mut purged = state.clone();
    assert!(purged.purge(at(24)) && !purged.purge(at(24)));
    for (state, hours) in
        [(&state, 24), (&purged, 24), (&CustomerState::decode(&purged.encode(), &layout).unwrap(), 100)]
    {
        assert_eq!(state.fact(0, at(hours)), Err(Unavailable::Expired), "no default stands in for what is expired");
        assert_eq!(state.fact(1, at(hours)), Ok(&Value::Text("Wien".into())));
    }
    let holds =
        |state: &CustomerState, text: &str| state.encode().windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds(&state, "enterprise") && !holds(&purged, "enterprise") && purged.held_fact(0).is_none());
    assert!(!purged.put_fact(0, told("pro", -1)), "an older observation does not take its place");
    assert!(purged.put_fact(0, told("pro", 30)) && purged.fact(0, at(40)).is_ok());
    // A bundle that does not declare the fact keeps it no longer than the one that did.
    state.conform(&Arc::new(Layout::new(vec![], vec![], vec![], Window::default())), at(1)).unwrap();
    assert_eq!(state.next_expiry(), Some(at(24)));
    assert!(state.purge(at(24)) && !holds(&state, "enterprise") && holds(&state, "Wien"));
    state.conform(&layout, at(25)).unwrap();
    assert_eq!((state.fact(0, at(25)), state.fact(1, at(25)).is_ok()), (Err(Unavailable::Expired), true));
}
