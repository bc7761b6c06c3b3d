//! Story tests: whole turns, event by event, without a runtime.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::bundle::Bundle;
use crate::bundle::tests::{bundle, sources};
use crate::context::CustomerState;
use crate::decider::Workspace;
use crate::domain::{CustomerId, DecisionId, Event, FeedbackVerdict, Raw, TenantId, TimeDelta, Timestamp, Value};

/// One customer, one bundle, a clock that the test holds in its hand.
pub(super) struct Story {
    pub(super) bundle: Arc<Bundle>,
    tenant: TenantId,
    pub(super) state: CustomerState,
    pub(super) now: Timestamp,
    /// Records as the journal would hold them.
    records: Vec<Vec<u8>>,
}

const BUNDLE_SEQ: u64 = 1;

impl Story {
    fn begin() -> Self {
        Self::with(bundle())
    }

    pub(super) fn with(bundle: Bundle) -> Self {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let state = CustomerState::new(Arc::clone(bundle.layout()));
        Self { bundle: Arc::new(bundle), tenant: TenantId::default(), state, now, records: Vec::new() }
    }

    fn take(&mut self, input: &Input) -> Taken {
        self.take_with(input, &Readings::at(self.now))
    }

    pub(super) fn take_with(&mut self, input: &Input, readings: &Readings) -> Taken {
        let around = Surroundings { bundle: &self.bundle, tenant: &self.tenant };
        let taken = take(&mut self.state, input, readings, around, &mut Workspace::default()).unwrap();
        if let Taken::Turn(turn) = &taken {
            let written = Written { tenant: &self.tenant, bundle_seq: BUNDLE_SEQ, input, turn };
            self.records.push(RecordBuffer::default().write(written).to_vec());
            self.state.last_seq = self.records.len() as u64 + BUNDLE_SEQ;
        }
        taken
    }

    /// The last record, read as a later process reads it: with a bundle that knows only what models said.
    pub(super) fn read_last(&self) -> (Record, Arc<Bundle>) {
        let bundle = Arc::new(Bundle::recall(self.bundle.sources().clone()).unwrap());
        Record::decode(self.records.last().unwrap(), |_| Some(bundle)).unwrap()
    }

    pub(super) fn decide(&mut self, event: Event) -> Taken {
        let event = self.bundle.layout().accept(event).unwrap();
        self.take(&Input::Event(EventInput { event, run: Run::Playbook(0), trace: None }))
    }

    fn observe(&mut self, event: Event) -> Taken {
        let event = self.bundle.layout().accept(event).unwrap();
        self.take(&Input::Event(EventInput { event, run: Run::Subscribed, trace: None }))
    }

    pub(super) fn facts(&mut self, facts: &[(&str, Raw)]) -> Taken {
        let layout = self.bundle.layout();
        let typed = facts.iter().map(|(name, raw)| {
            let number = layout.fact_number(name).unwrap();
            (number, layout.facts()[number].field.clone().optional().accept(raw.clone()).unwrap())
        });
        let facts = FactsInput {
            customer: CustomerId::new("c-1").unwrap(),
            source: "crm".into(),
            observed_at: self.now,
            facts: typed.collect(),
        };
        self.take(&Input::Facts(facts))
    }

    fn wait(&mut self, delta: &str) {
        self.now = self.now.saturating_add(delta.parse::<TimeDelta>().unwrap());
    }

    /// What a decision says, in one line.
    fn say(&self, taken: &Taken) -> String {
        let Taken::Turn(turn) = taken else { return format!("{taken:?}") };
        let say = |made: &Made| {
            let playbook = &self.bundle.playbooks()[made.playbook];
            let rule = made.decided.rule.map_or("default", |rule| &playbook.rules.rules()[rule].id);
            let fallback = made.decided.fallback.map_or(String::new(), |reason| format!(" ({reason})"));
            let skipped: Vec<String> = made
                .decided
                .skipped
                .iter()
                .map(|(miss, rules)| {
                    let name = miss.slot.map_or("arithmetic", |slot| &*playbook.scope.declared(slot).path);
                    format!("{name} {} for {rules}", miss.reason.name())
                })
                .collect();
            let skipped = if skipped.is_empty() { String::new() } else { format!(" [{}]", skipped.join(", ")) };
            format!("{rule}{fallback}: {}{skipped}", made.decided.outcome.get())
        };
        turn.decisions.iter().map(say).collect::<Vec<_>>().join("\n")
    }
}

fn ticket(id: &str, body: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", "c-1")
        .with("subject", "Help")
        .with("body", body)
        .with("channel", "chat")
}

#[test]
fn a_customers_day() {
    let mut story = Story::begin();
    let mut said = Vec::new();
    let taken = story.decide(ticket("t-1", "How do I export my invoices?"));
    said.push(story.say(&taken));
    story.facts(&[("vip", true.into()), ("limit", 100.into())]);
    story.wait("10m");
    let taken = story.decide(ticket("t-2", "My card\nwas declined").with("amount", 99.5));
    said.push(story.say(&taken));
    let taken = story.decide(ticket("t-3", "Payment failed").with("amount", 100.5));
    said.push(story.say(&taken));
    let taken = story.decide(ticket("t-4", "Still nothing").with("amount", 3));
    said.push(story.say(&taken));
    let taken = story.decide(ticket("t-5", "everything is DOWN"));
    said.push(story.say(&taken));
    story.wait("2d");
    let taken = story.decide(ticket("t-6", "Thanks").with("amount", 1));
    said.push(story.say(&taken));
    insta::assert_snapshot!(said.join("\n"), @r#"
    default: queue = "general", priority = 3, sla_minutes = 480 [customer.limit unknown for 1]
    cards: queue = "cards", priority = 2, sla_minutes = 480
    over-limit: queue = "general", priority = 1, sla_minutes = 480
    many: queue = "general", priority = 2, sla_minutes = 480
    vip-outage: queue = "incident", priority = 1, sla_minutes = 480
    default: queue = "general", priority = 3, sla_minutes = 480
    "#);
}

#[test]
fn a_repetition_changes_nothing_and_names_the_decision() {
    let mut story = Story::begin();
    let Taken::Turn(first) = story.decide(ticket("t-1", "Hello")) else { panic!("the first is decided") };
    let before = story.state.encode();
    story.wait("1h");
    assert_eq!(story.decide(ticket("t-1", "Hello")), Taken::Repeated(vec![(0, first.decisions[0].id)]));
    assert_eq!(story.decide(ticket("t-1", "Hello again")), Taken::Conflict);
    assert_eq!(story.state.encode(), before);
    assert_eq!(story.records.len(), 1);
    story.wait("23h1m");
    assert!(matches!(story.decide(ticket("t-1", "Hello again")), Taken::Turn(_)), "forgotten after the window");
}

#[test]
fn an_event_is_folded_once_whoever_asks() {
    let mut story = Story::begin();
    let refund = Event::new("r-1", "billing", "refund.issued", "c-1").with("amount", 5);
    let Taken::Turn(turn) = story.observe(refund.clone()) else { panic!() };
    assert_eq!(turn.decisions, [], "no playbook decides on refunds");
    assert_eq!(story.observe(refund), Taken::Repeated(vec![]));
    let Taken::Turn(turn) = story.observe(ticket("t-1", "card")) else { panic!() };
    assert_eq!(turn.decisions.len(), 1);
    assert_eq!(story.decide(ticket("t-1", "card")), Taken::Repeated(vec![(0, turn.decisions[0].id)]));
    let now = story.now;
    assert_eq!(story.state.signal(0, now), Ok(Value::Int(1)));
    assert_eq!(story.state.signal(1, now), Ok(Value::Decimal("5".parse().unwrap())));
}

#[test]
fn arrivals_never_go_backwards_for_a_customer() {
    let mut story = Story::begin();
    story.decide(ticket("t-1", "a"));
    let first = story.now;
    story.wait("-1h");
    let Taken::Turn(turn) = story.decide(ticket("t-2", "b")) else { panic!() };
    assert_eq!(turn.arrival, first);
}

#[test]
fn the_guardrail_refuses_a_computed_value_and_the_default_holds() {
    let mut story = Story::begin();
    let sla = |id: &str, body: &str| ticket(id, body).with("subject", "sla please");
    let within = story.decide(sla("t-1", "four"));
    let above_permit = story.decide(sla("t-2", "six___"));
    let above_schema = story.decide(sla("t-3", "eleven_____"));
    let said = [story.say(&within), story.say(&above_permit), story.say(&above_schema)];
    insta::assert_snapshot!(said.join("\n"), @r#"
    computed: queue = "general", priority = 3, sla_minutes = 4000 [customer.limit unknown for 1]
    computed (guardrail_refused): queue = "general", priority = 3, sla_minutes = 480 [customer.limit unknown for 1]
    computed (guardrail_refused): queue = "general", priority = 3, sla_minutes = 480 [customer.limit unknown for 1]
    "#);
    let Taken::Turn(turn) = above_schema else { panic!() };
    let refused = turn.decisions[0].decided.refused.as_ref().unwrap();
    assert_eq!(refused.violations().len(), 2, "all violations are named: {refused:?}");
}

#[test]
fn a_record_leads_back_to_its_decision() {
    let mut story = Story::begin();
    story.facts(&[("vip", true.into()), ("plan", Raw::Null)]);
    let event = ticket("t-1", "an outage").at(story.now).with("unknown", Raw::List(vec![1.into(), "x".into()]));
    let event = story.bundle.layout().accept(event).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: Some([7; 16]) });
    let Taken::Turn(turn) = story.take(&input) else { panic!() };
    let resolve = |seq| (seq == BUNDLE_SEQ).then(|| Arc::clone(&story.bundle));
    let (record, bundle) = Record::decode(&story.records[1], resolve).unwrap();
    assert_eq!(record.input, input);
    let made = record.remake(&record.decisions[0], &bundle).unwrap();
    assert_eq!(made, turn.decisions[0]);
    let mut truths = Vec::new();
    record.trace(&record.decisions[0], &bundle, |trace| truths.push(trace.truth));
    assert_eq!(truths[0], crate::rules::Truth::True);

    let mut forged = record.clone();
    forged.decisions[0].rule = Some(3);
    assert!(
        forged.remake(&forged.decisions[0], &bundle).is_err(),
        "a record that does not account for itself is noticed"
    );
    assert!(story.records[1].len() < 160, "a short ticket takes {} bytes", story.records[1].len());
}

#[test]
fn a_record_that_cannot_be_read_says_why() {
    let mut story = Story::begin();
    story.decide(ticket("t-1", "x"));
    let record = story.records[0].clone();
    let read = |bytes: &[u8]| {
        let resolve = |_| Some(Arc::clone(&story.bundle));
        Record::decode(bytes, resolve).map(|_| ()).unwrap_err().to_string()
    };
    let mut newer = record.clone();
    newer[1] = RECORD_VERSION + 1;
    assert_eq!(read(&newer), "a record has version 5, this release reads versions up to 4");
    assert!(read(&record[..20]).starts_with("a record is damaged"));
    assert!(read(&[]).starts_with("a record is damaged"));
    assert_eq!(
        Record::decode(&record, |_| None).unwrap_err().to_string(),
        "a record does not fit its bundle: the journal has no such bundle"
    );
    let other = Arc::new(crate::bundle::tests::tiny_bundle());
    assert!(Record::decode(&record, |_| Some(other)).is_err());
}

/// Format v1: these bytes are on disk; every release writes them so, and reads them.
#[test]
fn records_have_the_bytes_of_format_v1() {
    let mut story = Story::begin();
    story.facts(&[("vip", true.into())]);
    story.decide(ticket("t-1", "my card was declined").with("amount", "12.50").with("extra", 1));
    let written: Vec<String> = story.records.iter().map(|record| hex(record)).collect();
    insta::assert_snapshot!(written.join("\n"), @"
    9801a764656661756c740101cf000660da8a5188009000c4179501a3632d31a363726dcf000660da8a518800919201c3
    9801a764656661756c740101cf000660da8a5188009194000003c000c4579c00a3632d31a868656c706465736ba3742d3100cf4136471cc1aeff8fc0c00094a448656c70b46d79206361726420776173206465636c696e656401ce0001e84881a56578747261019192930102cd01e093c381000101
    ");
}

#[test]
fn feedback_is_kept_as_it_was_given_and_changes_no_decision() {
    let mut story = Story::begin();
    let Taken::Turn(turn) = story.decide(ticket("t-1", "my card is broken")) else { panic!() };
    let (before, decision) = (story.state.clone(), turn.decisions[0].id);
    story.wait("90d");
    let input = Input::Feedback(feedback(decision, 1));
    let Taken::Turn(turn) = story.take(&input) else { panic!() };
    assert_eq!((turn.decisions.len(), turn.arrival), (0, story.now));
    let mut changed = before;
    (changed.last_arrival, changed.last_seq) = (story.now, story.state.last_seq);
    assert_eq!(hex(&story.state.encode()), hex(&changed.encode()), "of the state nothing moves but its time");

    let resolve = |seq| (seq == BUNDLE_SEQ).then(|| Arc::clone(&story.bundle));
    let record = &story.records[1];
    assert_eq!((Record::decode(record, resolve).unwrap().0.input, record[1]), (input.clone(), 3));
    assert_eq!(decode_input(&encode_input(&input), &story.bundle).unwrap(), input);
    let mut terms = Vec::new();
    terms_of(record, resolve, &mut |term| terms.push(term)).unwrap();
    let customer = CustomerId::new("c-1").unwrap();
    assert_eq!(terms, [Termed::Customer(&customer).term(), Termed::Feedback(decision).term()]);
    for end in 0..record.len() {
        assert!(Record::decode(&record[..end], resolve).is_err(), "cut after {end} bytes");
    }
}

#[test]
fn feedback_without_an_id_is_named_by_what_it_says() {
    let nameless = |nth| FeedbackInput { id: "".into(), ..feedback(DecisionId::from_u128(7), nth) };
    let named = FeedbackInput { id: "fb-1".into(), ..nameless(1) };
    assert_eq!(nameless(1).name_of_content(), named.name_of_content());
    assert_ne!(nameless(1).name_of_content(), nameless(2).name_of_content());
    assert!(named.is_same_as(&named.clone()) && !named.is_same_as(&nameless(1)));
    let on_another = FeedbackInput { decision: DecisionId::from_u128(8), ..nameless(1) };
    assert_ne!(nameless(1).name_of_content(), on_another.name_of_content());
}

/// Feedback that says everything that can be said.
fn feedback(decision: DecisionId, nth: i64) -> FeedbackInput {
    FeedbackInput {
        customer: CustomerId::new("c-1").unwrap(),
        decision,
        id: format!("fb-{nth}").into(),
        source: "helpdesk".into(),
        time: Some(Timestamp::from_micros(nth)),
        verdict: Some(FeedbackVerdict::Edited),
        corrected: vec![("queue".to_owned(), "billing".into())],
        label: Some("größer".into()),
        outcome: vec![
            ("closed".to_owned(), true.into()),
            ("days".to_owned(), nth.into()),
            ("refund".to_owned(), 12.5.into()),
            ("word".to_owned(), "kept".into()),
        ],
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An input in few words, for random histories.
#[derive(Debug, Clone)]
enum Step {
    Ticket { id: u8, body: String, amount: Option<i64>, late: i64 },
    Refund { id: u8, amount: i64 },
    Facts { vip: Option<bool>, limit: Option<i64> },
    Feedback { id: i64 },
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..12_u8, "(card|outage|down|sla|x){1,2}", proptest::option::of(0_i64..200), 0_i64..40)
            .prop_map(|(id, body, amount, late)| Step::Ticket { id, body, amount, late }),
        (0..6_u8, -50_i64..50).prop_map(|(id, amount)| Step::Refund { id, amount }),
        (proptest::option::of(any::<bool>()), proptest::option::of(0_i64..150))
            .prop_map(|(vip, limit)| Step::Facts { vip, limit }),
        (0_i64..5).prop_map(|id| Step::Feedback { id }),
        (0_i64..30).prop_map(Step::Wait),
    ]
}

impl Story {
    fn perform(&mut self, step: &Step) {
        match step {
            Step::Ticket { id, body, amount, late } => {
                let time = self.now.saturating_sub(TimeDelta::from_micros(late * TimeDelta::HOUR.micros()));
                self.observe(ticket(&format!("t-{id}"), body).with("amount", amount.map(Raw::from)).at(time));
            }
            Step::Refund { id, amount } => {
                self.observe(Event::new(format!("r-{id}"), "billing", "refund.issued", "c-1").with("amount", *amount));
            }
            Step::Facts { vip, limit } => {
                self.facts(&[("vip", (*vip).into()), ("limit", limit.map_or(Raw::Null, Raw::from))]);
            }
            Step::Feedback { id } => {
                self.take(&Input::Feedback(feedback(DecisionId::from_u128(7), *id)));
            }
            Step::Wait(hours) => self.wait(&format!("{hours}h")),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Recovery is exact: the records applied to nothing give the state, byte for byte; every decision can be remade.
    #[test]
    fn records_give_the_state_back(steps in proptest::collection::vec(step(), 0..30)) {
        let mut story = Story::begin();
        steps.iter().for_each(|step| story.perform(step));
        let mut recovered = CustomerState::new(Arc::clone(story.bundle.layout()));
        for (seq, bytes) in (BUNDLE_SEQ + 1..).zip(&story.records) {
            let (record, bundle) = Record::decode(bytes, |_| Some(Arc::clone(&story.bundle))).unwrap();
            for decision in &record.decisions {
                prop_assert!(record.remake(decision, &bundle).is_ok());
            }
            apply(&mut recovered, &record, seq, &bundle).unwrap();
        }
        prop_assert_eq!(hex(&recovered.encode()), hex(&story.state.encode()));
    }
}

#[test]
fn a_changed_bundle_decides_the_next_event() {
    let mut story = Story::begin();
    story.decide(ticket("t-1", "my card"));
    let mut changed = sources();
    changed.insert("tables/routing.csv", "in:event.channel,out:queue\nchat,incident\n");
    story.bundle = Arc::new(Bundle::compile(changed).unwrap());
    let taken = story.decide(ticket("t-2", "my card"));
    assert!(story.say(&taken).starts_with("routing-1: queue = \"incident\""), "{}", story.say(&taken));
}
