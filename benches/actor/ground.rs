//! What all designs stand on: one bundle, its tenant, and inputs made from samples.

use std::cell::RefCell;
use std::sync::Arc;

use forthwith::bundle::{Bundle, Sources};
use forthwith::context::{CustomerState, TypedEvent};
use forthwith::domain::{CustomerId, EventKey, TenantId};
use forthwith::turn::Workspace;
use forthwith::turn::{EventInput, Input, Readings, Run, Surroundings, Taken, take};
use forthwith::{Event, TimeDelta, Timestamp};

/// A fact and a few signals; eight events are remembered, so that busy customers do not grow for ever.
const CONTEXT: &str = r#"
[events."order.placed"]
amount  = { type = "decimal", min = 0 }
channel = ["web", "app", "store"]
items   = { type = "int", min = 0 }

[facts]
vip = { type = "bool", default = false }

[signals]
orders_24h   = { count = "order.placed", over = "24h", every = "6h", partial = true }
spent_24h    = { sum = "amount", of = "order.placed", over = "24h", every = "6h", partial = true }
last_channel = { last = "channel", of = "order.placed" }

[repetitions]
remember = 8
"#;

const PLAYBOOK: &str = r#"
playbook = "offers"
on       = ["order.placed"]
ack      = "memory"

[outcome]
offer   = ["none", "delivery", "discount", "call"]
percent = { type = "int", min = 0, max = 30 }

[guardrail]
permit = { percent = { min = 0, max = 20 } }

[[rules]]
id   = "call"
when = 'customer.vip && event.amount > 900.0'
then = { offer = "call", percent = 0 }

[[rules]]
id   = "big-spender"
when = 'signal.spent_24h > 2500.0 && signal.orders_24h >= 4'
then = { offer = "discount", percent = 15 }

[[rules]]
id   = "delivery"
when = 'event.channel == "app" && event.amount >= 50.0'
then = { offer = "delivery", percent = 0 }

[default]
then = { offer = "none", percent = 0 }
"#;

/// Inputs a customer had before anything is measured, over the day before.
pub(crate) const HISTORY: u64 = 4;

/// What all designs stand on.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) bundle: Arc<Bundle>,
    pub(crate) tenant: TenantId,
    /// When measuring began.
    pub(crate) now: Timestamp,
    samples: Vec<TypedEvent>,
}

thread_local! {
    static SCRATCH: RefCell<Workspace> = RefCell::default();
}

impl Ground {
    /// The ground, for as long as the program runs.
    pub(crate) fn lay(now: Timestamp) -> &'static Self {
        let mut sources = Sources::default();
        sources.insert("context.toml", CONTEXT);
        sources.insert("playbooks/offers.toml", PLAYBOOK);
        let bundle = Arc::new(Bundle::compile(sources).expect("the bundle is sound"));
        let samples = (0..64).map(|nth| sample(&bundle, nth)).collect();
        Box::leak(Box::new(Self { bundle, tenant: TenantId::default(), now, samples }))
    }

    /// The nth input of a series, about a customer.
    pub(crate) fn input(&self, customer: u64, series: u64, nth: u64) -> Input {
        let number = mix(series ^ mix(nth));
        let sample = &self.samples[number as usize % self.samples.len()];
        let event = TypedEvent {
            key: EventKey::new("bench", &format!("{series:x}-{nth:x}")).expect("an id"),
            customer: customer_id(customer),
            body: number,
            kind: sample.kind,
            time: None,
            attributes: sample.attributes.clone(),
            undeclared: sample.undeclared.clone(),
        };
        Input::Event(EventInput { event, run: Run::Playbook(0), trace: None })
    }

    /// The nth input of a customer's past and when it arrived.
    pub(crate) fn past(&self, customer: u64, nth: u64) -> (Input, Readings) {
        let ago = TimeDelta::HOUR.micros() * (5 * (HISTORY - nth)) as i64;
        let arrival = self.now.saturating_sub(TimeDelta::from_micros(ago));
        (self.input(customer, u64::MAX - customer, nth), Readings::at(arrival))
    }

    /// A customer's state after the past.
    pub(crate) fn state(&self, customer: u64) -> CustomerState {
        let mut state = CustomerState::new(Arc::clone(self.bundle.layout()));
        for nth in 0..HISTORY {
            let (input, readings) = self.past(customer, nth);
            assert!(matches!(self.turn(&mut state, &input, &readings), Taken::Turn(_)), "an event of the past is new");
        }
        state
    }

    /// The turn, as every design takes it.
    pub(crate) fn turn(&self, state: &mut CustomerState, input: &Input, readings: &Readings) -> Taken {
        let around = Surroundings { bundle: &self.bundle, tenant: &self.tenant };
        SCRATCH
            .with_borrow_mut(|scratch| take(state, input, readings, around, scratch).expect("a state of this layout"))
    }

    /// Bytes of the states of all customers, the first thousand standing for them.
    pub(crate) fn state_bytes(&self) -> usize {
        (0..1_000).map(|customer| self.state(customer).bytes()).sum::<usize>() / 1_000
    }
}

fn sample(bundle: &Bundle, nth: usize) -> TypedEvent {
    let channels = ["web", "app", "store"];
    let event = Event::new("0", "bench", "order.placed", "nobody")
        .with("amount", (nth as f64 * 37.5) % 1_000.0)
        .with("channel", channels[nth % 3])
        .with("items", nth as i64 % 5);
    bundle.layout().accept(event).expect("the event fits its schema")
}

/// The id of a customer.
pub(crate) fn customer_id(customer: u64) -> CustomerId {
    CustomerId::new(&format!("customer-{customer:08}")).expect("an id")
}

/// Bits that look random (the end of SplitMix64).
pub(crate) fn mix(bits: u64) -> u64 {
    let mut mixed = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
