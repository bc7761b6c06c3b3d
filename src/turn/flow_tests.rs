//! Flow control in whole turns, against an oracle that keeps everything and counts.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::bundle::{Bundle, CONTEXT_FILE, Sources};
use crate::context::CustomerState;
use crate::decider::Workspace;
use crate::domain::{CustomerId, DecisionId, Event, FallbackReason, Settlement, TenantId, Timestamp, Value};

const CONTEXT: &str = r#"
[events."order.placed"]
order = { type = "string", optional = true }

[events."order.changed"]
order = { type = "string", optional = true }

[events."order.lost"]

[signals]
placed = { count = "order.placed", over = "30d", partial = true }
"#;

fn playbook(flow: &str) -> String {
    format!(
        r#"
playbook = "orders"
on = ["order.placed", "order.changed", "order.lost"]
outcome = {{ act = "bool" }}
default = {{ then = {{ act = false }} }}
rules = [{{ id = "always", when = "true", then = {{ act = true }} }}]
{flow}
"#
    )
}

fn bundle(flow: &str) -> Bundle {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/orders.toml", playbook(flow));
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

struct World {
    bundle: Arc<Bundle>,
    state: CustomerState,
    records: Vec<Vec<u8>>,
    events: u32,
}

/// What an event came to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Came {
    /// The rules were asked.
    Decided(DecisionId),
    /// They were not.
    Held(FallbackReason),
    /// An earlier decision holds.
    Repeated(DecisionId),
}

impl World {
    fn new(flow: &str) -> Self {
        Self::with(bundle(flow))
    }

    fn with(bundle: Bundle) -> Self {
        let state = CustomerState::new(Arc::clone(bundle.layout()));
        Self { bundle: Arc::new(bundle), state, records: Vec::new(), events: 0 }
    }

    fn take(&mut self, event: Event, readings: &Readings) -> Came {
        let event = self.bundle.layout().accept(event).unwrap();
        let input = Input::Event(EventInput { event, run: Run::Subscribed, trace: None });
        let tenant = TenantId::default();
        let around = Surroundings { bundle: &self.bundle, tenant: &tenant };
        let taken = take(&mut self.state, &input, readings, around, &mut Workspace::default()).unwrap();
        let turn = match &taken {
            Taken::Turn(turn) => turn,
            Taken::Repeated(repeated) => return Came::Repeated(repeated[0].1),
            other => panic!("{other:?}"),
        };
        let written = Written { tenant: &tenant, bundle_seq: 1, input: &input, turn };
        self.records.push(RecordBuffer::default().write(written).to_vec());
        self.state.last_seq = self.records.len() as u64 + 1;
        match (&*turn.decisions, &*turn.repeated) {
            ([made], []) => match made.decided.fallback {
                Some(reason) => {
                    assert!(made.circumstances.refusal.is_none_or(|refusal| refusal == reason));
                    assert_eq!(made.decided.outcome.get().values()[0], Value::Bool(false));
                    Came::Held(reason)
                }
                None => {
                    assert_eq!(made.circumstances.refusal, None);
                    assert_eq!(made.decided.outcome.get().values()[0], Value::Bool(true));
                    Came::Decided(made.id)
                }
            },
            ([], [(0, id)]) => Came::Repeated(*id),
            other => panic!("{other:?}"),
        }
    }

    /// The customer gives consent to the only purpose there is, or withdraws it.
    fn consent(&mut self, is_given: bool, second: i64) {
        let customer = CustomerId::new("c").unwrap();
        let consents = vec![(0, is_given)];
        self.enter(
            &Input::Consents(ConsentsInput { customer, source: "test".into(), observed_at: at(second), consents }),
            second,
        );
    }

    fn settle(&mut self, decision: DecisionId, second: i64) {
        self.settle_as(decision, second, Settlement::Commit);
    }

    fn settle_as(&mut self, decision: DecisionId, second: i64, settlement: Settlement) {
        let settlement = SettlementInput { customer: CustomerId::new("c").unwrap(), decision, settlement };
        self.enter(&Input::Settlement(settlement), second);
    }

    /// A turn that decides nothing.
    fn enter(&mut self, input: &Input, second: i64) {
        let tenant = TenantId::default();
        let around = Surroundings { bundle: &self.bundle, tenant: &tenant };
        let taken = take(&mut self.state, input, &Readings::at(at(second)), around, &mut Workspace::default()).unwrap();
        let Taken::Turn(turn) = &taken else { panic!("{taken:?}") };
        let written = Written { tenant: &tenant, bundle_seq: 1, input, turn };
        self.records.push(RecordBuffer::default().write(written).to_vec());
        self.state.last_seq = self.records.len() as u64 + 1;
    }

    /// A new event of a type, with a key, at a second.
    fn event(&mut self, kind: &str, order: Option<&str>, second: i64) -> Came {
        self.events += 1;
        let event = Event::new(format!("e-{}", self.events), "shop", kind, "c");
        let event = if kind == "order.lost" { event } else { event.with("order", order) };
        self.take(event, &Readings::at(at(second)))
    }

    fn placed(&mut self, order: &str, second: i64) -> Came {
        self.event("order.placed", Some(order), second)
    }

    fn recovered(&self) -> CustomerState {
        let mut recovered = CustomerState::new(Arc::clone(self.bundle.layout()));
        for (seq, bytes) in (2..).zip(&self.records) {
            let (record, bundle) = Record::decode(bytes, |_| Some(Arc::clone(&self.bundle))).unwrap();
            for decision in &record.decisions {
                assert!(record.remake(decision, &bundle).is_ok());
            }
            apply(&mut recovered, &record, seq, &bundle).unwrap();
        }
        recovered
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

#[test]
fn a_burst_is_decided_once_and_the_next_when_it_has_been_quiet() {
    let mut world = World::new("flow = { debounce = '30s' }");
    let debounced = Came::Held(FallbackReason::Debounced);
    assert!(matches!(world.placed("a", 0), Came::Decided(_)));
    assert_eq!(world.placed("b", 20), debounced);
    assert_eq!(world.placed("a", 49), debounced, "each event prolongs the quiet time");
    assert_eq!(world.placed("a", 78), debounced);
    assert!(matches!(world.placed("a", 108), Came::Decided(_)));
}

#[test]
fn each_key_has_a_quiet_time_of_its_own() {
    let mut world = World::new("flow = { key = 'event.order', debounce = '30s' }");
    assert!(matches!(world.placed("a", 0), Came::Decided(_)));
    assert!(matches!(world.placed("b", 1), Came::Decided(_)));
    assert!(matches!(world.event("order.placed", None, 2), Came::Decided(_)));
    assert_eq!(world.event("order.changed", Some("a"), 3), Came::Held(FallbackReason::Debounced), "whatever the type");
    assert_eq!(world.event("order.lost", None, 4), Came::Held(FallbackReason::Debounced), "no key is one key");
}

#[test]
fn a_throttle_counts_decisions_and_not_what_it_held_back() {
    let mut world = World::new("flow = { throttle = { max = 2, over = '1h' } }");
    assert!(matches!(world.placed("a", 0), Came::Decided(_)));
    assert!(matches!(world.placed("a", 600), Came::Decided(_)));
    assert_eq!(world.placed("a", 1_200), Came::Held(FallbackReason::Throttled));
    assert_eq!(world.placed("a", 3_599), Came::Held(FallbackReason::Throttled));
    assert!(matches!(world.placed("a", 3_600), Came::Decided(_)));
    assert_eq!(world.placed("a", 3_601), Came::Held(FallbackReason::Throttled));
}

#[test]
fn an_event_about_the_same_repeats_the_decision_and_is_folded_all_the_same() {
    let mut world = World::new("flow = { key = 'event.order', deduplicate = '10m' }");
    let Came::Decided(first) = world.placed("a", 0) else { panic!() };
    assert_eq!(world.placed("a", 599), Came::Repeated(first));
    assert_eq!(world.state.signal(0, at(599)), Ok(Value::Int(2)));
    assert_eq!(world.state.ledger.tally(world.bundle.playbooks()[0].key).unwrap().decisions, 1);
    assert!(matches!(world.placed("a", 600), Came::Decided(id) if id != first), "a repetition prolongs nothing");
    // The event that repeated it keeps to the decision that its caller was given.
    let again = Event::new("e-2", "shop", "order.placed", "c").with("order", "a");
    assert_eq!(world.take(again, &Readings::at(at(1_300))), Came::Repeated(first));
    let unkeyed = [world.event("order.placed", None, 2_000), world.event("order.placed", None, 2_001)];
    assert!(unkeyed.iter().all(|came| matches!(came, Came::Decided(_))), "what lacks the key is not the same");
}

#[test]
fn an_offer_is_repeated_only_while_it_stands() {
    let mut world = World::new("settle_within = '5m'\nflow = { key = 'event.order', deduplicate = '10m' }");
    let Came::Decided(first) = world.placed("a", 0) else { panic!() };
    assert_eq!(world.placed("a", 299), Came::Repeated(first));
    let Came::Decided(second) = world.placed("a", 300) else { panic!("its time is over") };
    world.settle_as(second, 301, Settlement::Release);
    let Came::Decided(third) = world.placed("a", 302) else { panic!("it was released") };
    world.settle(third, 303);
    assert_eq!(world.placed("a", 304), Came::Repeated(third), "it was carried out");
    assert_eq!(world.recovered().encode(), world.state.encode());
}

#[test]
fn decisions_that_wait_to_be_settled_are_bounded_for_each_key() {
    let mut world = World::new("settle_within = '1h'\nflow = { key = 'event.order', pending_max = 1 }");
    let Came::Decided(first) = world.placed("a", 0) else { panic!() };
    assert_eq!(world.placed("a", 1), Came::Held(FallbackReason::TooManyPending));
    assert!(matches!(world.placed("b", 2), Came::Decided(_)));
    world.settle(first, 3);
    assert!(matches!(world.placed("a", 4), Came::Decided(_)), "what is settled is pending no more");
    assert_eq!(world.placed("b", 3_601), Came::Held(FallbackReason::TooManyPending));
    assert!(matches!(world.placed("b", 3_602), Came::Decided(_)), "and neither is what nobody settled in time");
    assert_eq!(world.recovered().encode(), world.state.encode());
}

#[test]
fn what_is_answered_late_is_not_repeated_for_others() {
    let mut world = World::new("flow = { key = 'event.order', deduplicate = '10m' }");
    let late = Readings { is_late: true, ..Readings::at(at(0)) };
    let event = Event::new("late", "shop", "order.placed", "c").with("order", "a");
    assert_eq!(world.take(event.clone(), &late), Came::Held(FallbackReason::Late));
    let Came::Decided(first) = world.placed("a", 1) else { panic!("the rules have not been asked yet") };
    assert_eq!(world.placed("a", 2), Came::Repeated(first));
    assert!(matches!(world.take(event, &Readings::at(at(3))), Came::Repeated(id) if id != first), "it has its own");
}

/// Its caller has been told an id, and finds the decision under it.
#[test]
fn what_is_answered_late_is_recorded_under_its_id_even_if_its_key_was_decided_before() {
    let mut world = World::new("flow = { key = 'event.order', deduplicate = '10m' }");
    let Came::Decided(first) = world.placed("a", 0) else { panic!("it is the first") };
    let late = Readings { is_late: true, ..Readings::at(at(1)) };
    let event = Event::new("late", "shop", "order.placed", "c").with("order", "a");
    assert_eq!(world.take(event.clone(), &late), Came::Held(FallbackReason::Late));
    assert!(matches!(world.take(event, &Readings::at(at(2))), Came::Repeated(id) if id != first), "the one told");
    assert_eq!(world.placed("a", 3), Came::Repeated(first), "for others the first one holds");
    assert_eq!(world.recovered().encode(), world.state.encode());
}

/// What was let out with a consent must not be repeated without it, whoever asks for it: the purpose or the guardrail.
#[test]
fn a_withdrawn_consent_ends_the_repetition_of_what_was_decided_with_it() {
    let context = format!("[purposes]\noffers = {{ needs_consent = true }}\n{CONTEXT}");
    let flow = "flow = { key = 'event.order', deduplicate = '10m' }";
    let by_purpose = playbook(&format!("purpose = 'offers'\n{flow}"));
    let by_guardrail = playbook(&format!("{flow}\n[guardrail]\nconsent = {{ write = 'offers' }}"))
        .replace("{ act = \"bool\" }", "{ act = \"bool\", action = ['none', 'write'] }")
        .replace("act = false", "act = false, action = 'none'")
        .replace("act = true", "act = true, action = 'write'");
    for playbook in [by_purpose, by_guardrail] {
        let mut sources = Sources::default();
        sources.insert(CONTEXT_FILE, context.as_str());
        sources.insert("playbooks/orders.toml", playbook);
        let mut world = World::with(Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}")));
        world.consent(true, 0);
        let Came::Decided(first) = world.placed("a", 1) else { panic!("there is consent") };
        assert_eq!(world.placed("a", 2), Came::Repeated(first));
        world.consent(false, 3);
        assert_eq!(world.placed("a", 4), Came::Held(FallbackReason::ConsentMissing), "it needs the consent");
        let again = Event::new("e-2", "shop", "order.placed", "c").with("order", "a");
        assert_eq!(world.take(again, &Readings::at(at(5))), Came::Repeated(first), "the same event has its answer");
        assert_eq!(world.recovered().encode(), world.state.encode());
    }
}

#[derive(Clone, Debug)]
struct Rules {
    is_keyed: bool,
    debounce: Option<i64>,
    throttle: Option<(usize, i64)>,
    deduplicate: Option<i64>,
}

impl Rules {
    fn toml(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.is_keyed.then(|| "key = 'event.order'".to_owned()));
        parts.extend(self.debounce.map(|quiet| format!("debounce = '{quiet}s'")));
        parts.extend(self.throttle.map(|(max, over)| format!("throttle = {{ max = {max}, over = '{over}s' }}")));
        parts.extend(self.deduplicate.map(|over| format!("deduplicate = '{over}s'")));
        format!("flow = {{ {} }}", parts.join(", "))
    }

    /// What an event should come to, by all that came before it: key, second, and what that came to.
    fn expected(&self, past: &[(Option<u8>, i64, Came)], key: Option<u8>, now: i64) -> Expected {
        let key_of = |order: Option<u8>| if self.is_keyed { order } else { None };
        let same: Vec<_> = past.iter().filter(|(order, ..)| key_of(*order) == key_of(key)).collect();
        let decided = || {
            same.iter().filter_map(|(_, second, came)| match came {
                Came::Decided(id) => Some((*second, *id)),
                _ => None,
            })
        };
        if let Some(over) = self.deduplicate
            && key.is_some()
            && let Some((_, id)) = decided().next_back().filter(|(second, _)| now - second < over)
        {
            return Expected::Repeated(id);
        }
        let quiet_since = same.iter().map(|(_, second, _)| *second).max();
        if let (Some(quiet), Some(last)) = (self.debounce, quiet_since)
            && now - last < quiet
        {
            return Expected::Held(FallbackReason::Debounced);
        }
        if let Some((max, over)) = self.throttle
            && decided().filter(|(second, _)| now - second < over).count() >= max
        {
            return Expected::Held(FallbackReason::Throttled);
        }
        Expected::Decided
    }
}

#[derive(Debug, PartialEq)]
enum Expected {
    Decided,
    Held(FallbackReason),
    Repeated(DecisionId),
}

fn rules() -> impl Strategy<Value = Rules> {
    let span = || proptest::option::of(1_i64..60);
    (any::<bool>(), span(), proptest::option::of((1_usize..4, 1_i64..90)), span())
        .prop_map(|(is_keyed, debounce, throttle, deduplicate)| Rules {
            is_keyed,
            debounce,
            throttle,
            deduplicate: deduplicate.filter(|_| is_keyed),
        })
        .prop_filter("something is held back", |rules| {
            rules.debounce.is_some() || rules.throttle.is_some() || rules.deduplicate.is_some()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Flow control does what an oracle that forgets nothing says; the records give the state back, byte for byte.
    #[test]
    fn flow_control_is_what_the_whole_history_says(
        rules in rules(),
        steps in proptest::collection::vec((proptest::option::of(0_u8..5), -3_i64..40, any::<bool>()), 1..60),
    ) {
        let mut world = World::new(&rules.toml());
        let (mut past, mut second, mut last) = (Vec::new(), 0, i64::MIN);
        for (order, wait, is_stored) in steps {
            second += wait;
            // Arrivals never go backwards.
            last = second.max(last);
            let expected = rules.expected(&past, order, last);
            let name = order.map(|order| order.to_string());
            let came = world.event("order.placed", name.as_deref(), second);
            let found = match came {
                Came::Decided(_) => Expected::Decided,
                Came::Held(reason) => Expected::Held(reason),
                Came::Repeated(id) => Expected::Repeated(id),
            };
            prop_assert_eq!(found, expected, "{:?} at {} of {:?}", order, last, past);
            past.push((order, last, came));
            if is_stored {
                world.state = CustomerState::decode(&world.state.encode(), world.bundle.layout()).unwrap();
            }
        }
        prop_assert_eq!(world.recovered().encode(), world.state.encode());
        let paced = world.state.ledger.pace.paced();
        prop_assert!(paced.iter().all(|paced| paced.asked.len() <= rules.throttle.map_or(0, |(max, _)| max)));
    }
}
