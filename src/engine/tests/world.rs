//! Random bundles with purposes, tags, consents and caps, and random histories of one customer on them.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::bundle::{Bundle, CONTEXT_FILE, Sources};
use crate::context::CustomerState;
use crate::domain::{CustomerId, Event, Raw, TenantId, TimeDelta, Timestamp};
use crate::engine::{Decision, Explanation};
use crate::turn::Workspace;
use crate::turn::{
    ConsentsInput, EventInput, FactsInput, Input, Made, Readings, Record, RecordBuffer, Run, Surroundings, Taken, Turn,
    Written, take,
};

pub(super) const PURPOSES: [&str; 3] = ["service", "marketing", "profiling"];

/// Those of them that need consent, by their number.
pub(super) const NEEDING: [usize; 2] = [1, 2];

pub(super) const ACTIONS: [&str; 4] = ["none", "mail", "discount", "call"];

// === bundles ===

/// What a value's tag may say: nothing, or purposes that always hold the one that all sets of the context share, so that
/// something is left for what is made from several.
fn tag(shared: usize) -> impl Strategy<Value = String> {
    let set = move |others: [bool; 3]| {
        let names = (0..3).filter(|number| *number == shared || others[*number]).map(|number| PURPOSES[number]);
        format!("purposes = [{}]", names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "))
    };
    prop_oneof![1 => Just(String::new()), 2 => any::<[bool; 3]>().prop_map(set)]
}

fn context() -> impl Strategy<Value = String> {
    (0..3_usize).prop_flat_map(|shared| {
        let tags = proptest::collection::vec(tag(shared), 15);
        (tags, proptest::option::of(Just("fresh = { soft = \"1h\", hard = \"3d\" }"))).prop_map(|(tags, fresh)| {
            let [visit, order, page, amount, secret, size, f0, f1, vip, s0, s1, s2, s3, s4, s5] = &tags[..] else {
                unreachable!("fifteen tags")
            };
            let typed = |text: &str, tag: &str| if tag.is_empty() { text.to_owned() } else { format!("{text}, {tag}") };
            let f0 = typed("type = \"int\"", typed(f0, fresh.unwrap_or_default()).trim_start_matches(", "));
            let mut text = String::from(
                "[purposes]\nservice = { needs_consent = false }\nmarketing = { needs_consent = true }\nprofiling = { needs_consent = true }\n",
            );
            for (event, tag) in [("visit", visit), ("order", order)] {
                text.push_str(&format!("[tags.events.{event}]\n{tag}\n"));
            }
            text.push_str(&format!(
                "[events.visit]\npage = {{ {} }}\namount = {{ {} }}\nsecret = {{ {} }}\n[events.order]\nsize = {{ {} }}\n",
                typed("one_of = [\"a\", \"b\", \"c\"]", page),
                typed("type = \"int\", optional = true", amount),
                typed("type = \"int\", optional = true", secret),
                typed("type = \"int\"", size),
            ));
            text.push_str(&format!(
                "[facts]\nf0 = {{ {f0} }}\nf1 = {{ {} }}\nvip = {{ {} }}\n",
                typed("type = \"int\", default = 1", f1),
                typed("type = \"bool\"", vip),
            ));
            text.push_str(&format!(
                "[signals]\nvisits = {{ {} }}\nsecrets = {{ {} }}\nsizes = {{ {} }}\nlast_page = {{ {} }}\nsame_page = {{ {} }}\norders_of_secret = {{ {} }}\n",
                typed("count = \"visit\", over = \"1d\", partial = true", s0),
                typed("sum = \"secret\", of = \"visit\", over = \"1d\", partial = true", s1),
                typed("sum = \"size\", of = \"order\", over = \"7d\", partial = true", s2),
                typed("last = \"page\", of = \"visit\"", s3),
                typed("count = \"visit\", over = \"7d\", partial = true, by = \"page\"", s4),
                typed("count = \"order\", over = \"7d\", partial = true, by = \"size\", for = \"secret\"", s5),
            ));
            text
        })
    })
}

fn condition() -> impl Strategy<Value = String> {
    let atom = select(vec![
        "event.page == \"a\"",
        "event.page in [\"a\", \"b\"]",
        "event.amount > 1",
        "event.secret >= 2",
        "event.?secret.orValue(0) < 2",
        "has(event.secret)",
        "has(customer.f0)",
        "customer.f0 > 1",
        "customer.f0 < customer.f1",
        "customer.f1 != 1",
        "customer.vip",
        "signal.visits >= 2",
        "signal.secrets > 2",
        "signal.sizes > 3",
        "signal.last_page == event.page",
        "signal.same_page > 1",
        "signal.orders_of_secret > 0",
        "ledger.decisions > 1",
        "true",
    ])
    .prop_map(str::to_owned);
    atom.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn rule() -> impl Strategy<Value = String> {
    let amount =
        select(vec!["7", "{ cel = \"customer.f1 + 1\" }", "{ cel = \"event.secret\" }", "{ cel = \"signal.visits\" }"]);
    (condition(), select(&ACTIONS[..]), amount, any::<bool>()).prop_map(|(when, action, amount, applies)| {
        let applies = if applies { "if_unavailable = \"apply\"\n" } else { "" };
        format!("when = '{when}'\nthen = {{ action = \"{action}\", amount = {amount} }}\n{applies}")
    })
}

/// What the bundles of a test may have.
#[derive(Clone, Copy)]
pub(super) struct Kinds {
    pub(super) playbooks: usize,
    pub(super) has_caps: bool,
}

fn playbook(number: usize, kinds: Kinds) -> impl Strategy<Value = String> {
    let purpose = proptest::option::weighted(0.8, select(&PURPOSES[..]));
    let consents =
        proptest::collection::vec(proptest::option::weighted(0.5, select(vec!["marketing", "profiling"])), 3);
    let on = select(vec!["\"visit\"", "\"visit\", \"order\""]);
    let caps = proptest::collection::vec(proptest::option::weighted(0.5, (1..3_u8, 1..30_u8)), 3);
    (purpose, consents, on, caps, proptest::collection::vec(rule(), 1..5)).prop_map(
        move |(purpose, consents, on, caps, rules)| {
            let mut text = format!("playbook = \"p{number}\"\non = [{on}]\n");
            text.extend(purpose.map(|purpose| format!("purpose = \"{purpose}\"\n")));
            text.push_str("[outcome]\naction = [\"none\", \"mail\", \"discount\", \"call\"]\namount = { type = \"int\", min = 0, max = 9 }\n");
            let needed = consents.iter().zip(&ACTIONS[1..]).filter_map(|(purpose, action)| Some((action, (*purpose)?)));
            let needed: Vec<String> = needed.map(|(action, purpose)| format!("{action} = \"{purpose}\"")).collect();
            text.push_str(&format!("[guardrail]\nconsent = {{ {} }}\n", needed.join(", ")));
            for (rank, rule) in rules.iter().enumerate() {
                text.push_str(&format!("[[rules]]\nid = \"r{rank}\"\n{rule}"));
            }
            let counted = caps.iter().zip(&ACTIONS[1..]).filter(|_| kinds.has_caps);
            for (action, (max, hours)) in counted.filter_map(|(cap, action)| Some((action, (*cap)?))) {
                text.push_str(&format!(
                    "[[caps]]\nid = \"p{number}-{action}\"\naction = \"{action}\"\nmax = {max}\nover = \"{hours}h\"\n"
                ));
            }
            text.push_str("[default]\nthen = { action = \"none\", amount = 0 }\n");
            text
        },
    )
}

/// A bundle. Rules that no type of event fits are none: what cannot be compiled is left out.
pub(super) fn any_bundle(kinds: Kinds) -> impl Strategy<Value = Arc<Bundle>> {
    let playbooks: Vec<_> = (0..kinds.playbooks).map(|number| playbook(number, kinds)).collect();
    (context(), playbooks).prop_map(|(context, playbooks)| {
        let mut sources = Sources::default();
        sources.insert(CONTEXT_FILE, context.as_str());
        for (number, playbook) in playbooks.iter().enumerate() {
            sources.insert(format!("playbooks/p{number}.toml"), playbook.as_str());
        }
        Arc::new(
            Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}\n{context}\n{}", playbooks.join("\n"))),
        )
    })
}

// === histories ===

/// The values of an event or of facts.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) page: u8,
    pub(super) numbers: [Option<i64>; 3],
    pub(super) vip: Option<bool>,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Visit(Values),
    Order(Values),
    Facts(Values),
    Consent {
        purpose: usize,
        is_given: bool,
        ago: i64,
    },
    Wait(i64),
    /// An earlier event comes again.
    Again(Index),
}

pub(super) fn values() -> impl Strategy<Value = Values> {
    (0..3_u8, any::<[(bool, u8); 3]>(), any::<Option<bool>>()).prop_map(|(page, numbers, vip)| Values {
        page,
        numbers: numbers.map(|(is_there, number)| is_there.then_some(i64::from(number % 5))),
        vip,
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => values().prop_map(Step::Visit),
        2 => values().prop_map(Step::Order),
        3 => values().prop_map(Step::Facts),
        3 => (select(&NEEDING[..]), proptest::bool::weighted(0.7), -2_i64..5)
            .prop_map(|(purpose, is_given, ago)| Step::Consent { purpose, is_given, ago }),
        2 => (0_i64..40).prop_map(Step::Wait),
        1 => any::<Index>().prop_map(Step::Again),
    ]
}

/// One customer of one bundle.
#[derive(Clone)]
pub(super) struct World {
    pub(super) bundle: Arc<Bundle>,
    pub(super) state: CustomerState,
    pub(super) now: Timestamp,
    tenant: TenantId,
}

fn customer() -> CustomerId {
    CustomerId::new("c-1").unwrap()
}

const BUNDLE_SEQ: u64 = 1;

impl World {
    pub(super) fn new(bundle: &Arc<Bundle>) -> Self {
        let state = CustomerState::new(Arc::clone(bundle.layout()));
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        Self { bundle: Arc::clone(bundle), state, now, tenant: TenantId::default() }
    }

    /// The input of a step, the `at`-th of its history; `None` for one that only takes time.
    pub(super) fn input(&self, steps: &[Step], at: usize) -> Option<Input> {
        match &steps[at] {
            Step::Visit(values) => Some(self.event(Event::new(format!("e-{at}"), "s", "visit", "c-1"), values)),
            Step::Order(values) => Some(self.event(Event::new(format!("e-{at}"), "s", "order", "c-1"), values)),
            Step::Facts(values) => Some(self.facts(values)),
            Step::Consent { purpose, is_given, ago } => {
                let observed_at = self.now.saturating_sub(TimeDelta::from_micros(ago * TimeDelta::MINUTE.micros()));
                let consents = vec![(*purpose, *is_given)];
                Some(Input::Consents(ConsentsInput {
                    customer: customer(),
                    source: "form".into(),
                    observed_at,
                    consents,
                }))
            }
            Step::Wait(_) => None,
            Step::Again(index) => {
                let is_event = |step: &Step| matches!(step, Step::Visit(_) | Step::Order(_));
                let events: Vec<usize> = (0..at).filter(|n| is_event(&steps[*n])).collect();
                let again = events.get(index.index(events.len().max(1)))?;
                self.input(steps, *again)
            }
        }
    }

    pub(super) fn event(&self, event: Event, values: &Values) -> Input {
        let number = |n: usize| values.numbers[n].map_or(Raw::Null, Raw::from);
        let event = match &*event.kind {
            "visit" => event
                .with("page", ["a", "b", "c"][usize::from(values.page)])
                .with("amount", number(0))
                .with("secret", number(1)),
            _ => event.with("size", values.numbers[2].unwrap_or(0)),
        };
        let event = self.bundle.layout().accept(event).unwrap();
        Input::Event(EventInput { event, run: Run::Subscribed, trace: None })
    }

    pub(super) fn facts(&self, values: &Values) -> Input {
        let layout = self.bundle.layout();
        let mut facts = Vec::new();
        let told = [
            ("f0", values.numbers[0].map(crate::domain::Value::Int)),
            ("f1", values.numbers[1].map(crate::domain::Value::Int)),
            ("vip", values.vip.map(crate::domain::Value::Bool)),
        ];
        for (name, value) in told {
            facts.push((layout.fact_number(name).unwrap(), value));
        }
        Input::Facts(FactsInput { customer: customer(), source: "crm".into(), observed_at: self.now, facts })
    }

    /// Takes a step; what was decided by it.
    pub(super) fn perform(&mut self, steps: &[Step], at: usize) -> Option<Told> {
        if let Step::Wait(hours) = &steps[at] {
            self.now = self.now.saturating_add(TimeDelta::from_micros(hours * TimeDelta::HOUR.micros()));
        }
        let input = self.input(steps, at)?;
        self.take(input)
    }

    pub(super) fn take(&mut self, input: Input) -> Option<Told> {
        self.take_with(input, &Readings::at(self.now))
    }

    pub(super) fn take_with(&mut self, input: Input, readings: &Readings) -> Option<Told> {
        let around = Surroundings { bundle: &self.bundle, tenant: &self.tenant };
        match take(&mut self.state, &input, readings, around, &mut Workspace::default()).unwrap() {
            Taken::Turn(turn) => {
                Some(Told { bundle: Arc::clone(&self.bundle), tenant: self.tenant.clone(), input, turn })
            }
            _ => None,
        }
    }
}

/// A turn that was taken, as others get to know of it.
pub(super) struct Told {
    bundle: Arc<Bundle>,
    tenant: TenantId,
    input: Input,
    pub(super) turn: Turn,
}

impl Told {
    /// The decision of a playbook, if it made one.
    pub(super) fn made(&self, playbook: usize) -> Option<&Made> {
        self.turn.decisions.iter().find(|made| made.playbook == playbook)
    }

    /// The decision as a caller gets it.
    pub(super) fn decision(&self, made: &Made) -> String {
        serde_json::to_string(&Decision::of(made.clone(), &self.bundle, customer())).unwrap()
    }

    /// What the record holds of the decision, apart from its input.
    pub(super) fn recorded(&self, made: &Made) -> Vec<u8> {
        // Form and layout of a record depend on the kind of its input: an event without attributes stands for all.
        let mut input = self.input.clone();
        if let Input::Event(of) = &mut input {
            of.event.attributes.iter_mut().for_each(|value| *value = None);
            of.event.body = 0;
            of.event.time = None;
        }
        let turn = Turn { decisions: vec![made.clone()], ..self.turn.clone() };
        RecordBuffer::default()
            .write(Written { tenant: &self.tenant, bundle_seq: BUNDLE_SEQ, input: &input, turn: &turn })
            .to_vec()
    }

    /// The explanations of the decision as readers get them: the plain one, and why each rule did not decide.
    pub(super) fn explained(&self, made: &Made) -> Vec<String> {
        let written = Written { tenant: &self.tenant, bundle_seq: BUNDLE_SEQ, input: &self.input, turn: &self.turn };
        let bytes = RecordBuffer::default().write(written).to_vec();
        let (record, bundle) = Record::decode(&bytes, |_| Some(Arc::clone(&self.bundle))).unwrap();
        let explanation = || Explanation::of(&record, &bundle, 2, made.id).unwrap();
        let rules = bundle.playbooks()[made.playbook].rules.rules();
        let mut all = vec![serde_json::to_string_pretty(&explanation()).unwrap()];
        for rule in rules {
            let why_not = explanation().with_why_not(&rule.id, &record, &bundle).unwrap();
            all.push(serde_json::to_string_pretty(&why_not).unwrap());
        }
        all
    }
}
