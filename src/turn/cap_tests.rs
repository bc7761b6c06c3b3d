//! Caps and settlements in turns: stories, and random histories against an account of their own.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::bundle::cap_tests::{ONE_A_QUARTER, offers, offers_with};
use crate::bundle::{Bundle, Sources};
use crate::context::{CustomerState, Settled};
use crate::decider::Workspace;
use crate::domain::{CustomerId, DecisionId, Event, Settlement, TenantId, TimeDelta, Timestamp, Value};

/// One customer whose carts are left, and what the journal would hold of it.
struct World {
    /// All bundles that were in force, the last one in force.
    bundles: Vec<Arc<Bundle>>,
    tenant: TenantId,
    state: CustomerState,
    now: Timestamp,
    records: Vec<Vec<u8>>,
}

impl World {
    fn with(bundle: Bundle) -> Self {
        let state = CustomerState::new(Arc::clone(bundle.layout()));
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        Self { bundles: vec![Arc::new(bundle)], tenant: TenantId::default(), state, now, records: Vec::new() }
    }

    fn bundle(&self) -> Arc<Bundle> {
        Arc::clone(self.bundles.last().unwrap())
    }

    fn take(&mut self, input: &Input) -> Taken {
        let bundle = self.bundle();
        let around = Surroundings { bundle: &bundle, tenant: &self.tenant };
        let taken = take(&mut self.state, input, &Readings::at(self.now), around, &mut Workspace::default()).unwrap();
        if let Taken::Turn(turn) = &taken {
            let bundle_seq = self.bundles.len() as u64 - 1;
            let written = Written { tenant: &self.tenant, bundle_seq, input, turn };
            self.records.push(RecordBuffer::default().write(written).to_vec());
            self.state.last_seq = self.records.len() as u64;
        }
        taken
    }

    fn observe(&mut self, event: Event) -> Taken {
        let event = self.bundle().layout().accept(event).unwrap();
        self.take(&Input::Event(EventInput { event, run: Run::Subscribed, trace: None }))
    }

    /// The decision on a cart that was left.
    fn cart(&mut self, id: &str, worth: &str) -> Made {
        match self.observe(cart(id, worth)) {
            Taken::Turn(mut turn) => turn.decisions.swap_remove(0),
            other => panic!("not decided: {other:?}"),
        }
    }

    fn settle(&mut self, decision: DecisionId, settlement: Settlement) -> Settled {
        let customer = CustomerId::new("c-1").unwrap();
        match self.take(&Input::Settlement(SettlementInput { customer, decision, settlement })) {
            Taken::Turn(_) => Settled::Now,
            Taken::Unsettled(settled) => settled,
            other => panic!("not a settlement: {other:?}"),
        }
    }

    fn wait(&mut self, delta: &str) {
        self.now = self.now.saturating_add(delta.parse::<TimeDelta>().unwrap());
    }

    /// Put to rest and brought back.
    fn rest(&mut self) {
        let last_seq = self.state.last_seq;
        self.state = CustomerState::decode(&self.state.encode(), self.bundle().layout()).unwrap();
        assert_eq!(self.state.last_seq, last_seq);
    }

    /// The state that the records lead to, and every decision of theirs made again.
    fn recovered(&self) -> CustomerState {
        let mut recovered = CustomerState::new(Arc::clone(self.bundles[0].layout()));
        for (seq, bytes) in (1..).zip(&self.records) {
            let resolve = |seq: u64| self.bundles.get(seq as usize).cloned();
            let (record, bundle) = Record::decode(bytes, resolve).unwrap();
            for decision in &record.decisions {
                let made = record.remake(decision, &bundle).unwrap();
                assert_eq!(made.decided.outcome.get().values(), decision.outcome);
            }
            apply(&mut recovered, &record, seq, &bundle).unwrap();
        }
        recovered
    }
}

fn cart(id: &str, worth: &str) -> Event {
    Event::new(id, "shop", "cart.left", "c-1").with("worth", worth)
}

/// What was decided, in a line.
fn say(made: &Made) -> String {
    let outcome = made.decided.outcome.get();
    let fallback = made.decided.fallback.map_or(String::new(), |reason| format!(" ({reason})"));
    let refused = made.decided.refused.iter().flat_map(crate::guardrail::Refused::violations);
    let why: Vec<String> = refused.chain(&made.decided.clamped).map(ToString::to_string).collect();
    let why = if why.is_empty() { String::new() } else { format!(" [{}]", why.join("; ")) };
    format!("{outcome}{fallback}{why}")
}

fn is_granted(made: &Made) -> bool {
    made.decided.outcome.get().text("action") == Some("offer_discount")
}

const GOODWILL: &str = r#"
[[caps]]
id           = "goodwill"
action       = "offer_discount"
amount       = "discount"
max          = 50.5
over         = "30d"
on_violation = "clamp"
"#;

#[test]
fn one_discount_a_quarter() {
    let mut world = World::with(offers("", ONE_A_QUARTER));
    let mut said = Vec::new();
    for (id, wait) in [("1", "0s"), ("2", "1h"), ("3", "89d22h59m59s999ms"), ("4", "1ms"), ("5", "1d")] {
        world.wait(wait);
        said.push(say(&world.cart(id, "10")));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    action = "offer_discount", discount = 10
    action = "nothing", discount = 0 (cap_reached) [action = "offer_discount": cap `one-discount-a-quarter` leaves 0 of 1 within 90d, more from 2027-02-20T10:00:00Z]
    action = "nothing", discount = 0 (cap_reached) [action = "offer_discount": cap `one-discount-a-quarter` leaves 0 of 1 within 90d, more from 2027-02-20T10:00:00Z]
    action = "offer_discount", discount = 10
    action = "nothing", discount = 0 (cap_reached) [action = "offer_discount": cap `one-discount-a-quarter` leaves 0 of 1 within 90d, more from 2027-05-21T10:00:00Z]
    "#);
    assert_eq!(world.recovered().encode(), world.state.encode());
}

#[test]
fn amounts_are_lowered_to_what_is_left() {
    let mut world = World::with(offers("", GOODWILL));
    let mut said = Vec::new();
    for (id, worth, wait) in
        [("1", "30", "0s"), ("2", "20.25", "1d"), ("3", "20", "1d"), ("4", "1", "1d"), ("5", "60", "27d")]
    {
        world.wait(wait);
        said.push(say(&world.cart(id, worth)));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    action = "offer_discount", discount = 30
    action = "offer_discount", discount = 20.25
    action = "offer_discount", discount = 0.25 [discount = 20: cap `goodwill` leaves 0.25 of 50.5 within 30d, more from 2026-12-22T10:00:00Z]
    action = "nothing", discount = 0 (cap_reached) [discount = 1: cap `goodwill` leaves 0 of 50.5 within 30d, more from 2026-12-22T10:00:00Z]
    action = "offer_discount", discount = 30 [discount = 60: cap `goodwill` leaves 30 of 50.5 within 30d, more from 2026-12-23T10:00:00Z]
    "#);
    assert_eq!(world.recovered().encode(), world.state.encode());
}

#[test]
fn a_pending_decision_holds_its_place_until_it_is_settled() {
    let mut world = World::with(offers("settle_within = \"15m\"", ONE_A_QUARTER));
    let first = world.cart("1", "10");
    assert_eq!(first.settle_by, Some(world.now.saturating_add("15m".parse().unwrap())));
    assert!(!is_granted(&world.cart("2", "10")), "what is pending is taken");
    assert_eq!(world.settle(first.id, Settlement::Release), Settled::Now);
    let third = world.cart("3", "10");
    assert!(is_granted(&third), "what was released is free");
    assert_eq!(world.settle(first.id, Settlement::Release), Settled::Before);
    assert_eq!(world.settle(first.id, Settlement::Commit), Settled::Otherwise);
    world.wait("15m");
    let fourth = world.cart("4", "10");
    assert!(is_granted(&fourth), "what nobody settled in time is free, and the instant itself is too late");
    assert_eq!(world.settle(fourth.id, Settlement::Commit), Settled::Now);
    world.wait("1d");
    assert!(!is_granted(&world.cart("5", "10")), "what was committed stays taken");
    assert_eq!(world.recovered().encode(), world.state.encode());
}

#[test]
fn a_settlement_counts_until_just_before_the_limit_wherever_the_state_has_been() {
    for (wait, expected) in [("14m59s999ms", Settled::Now), ("15m", Settled::Expired)] {
        for way in ["in memory", "at rest", "from the journal"] {
            let mut world = World::with(offers("settle_within = \"15m\"", ONE_A_QUARTER));
            let made = world.cart("1", "10");
            match way {
                "at rest" => world.rest(),
                "from the journal" => world.state = world.recovered(),
                _ => {}
            }
            world.wait(wait);
            assert_eq!(world.settle(made.id, Settlement::Commit), expected, "{way}, after {wait}");
            assert_eq!(is_granted(&world.cart("2", "10")), expected == Settled::Expired, "{way}, after {wait}");
            assert_eq!(world.recovered().encode(), world.state.encode());
        }
    }
}

#[test]
fn only_what_is_to_be_carried_out_waits_for_a_settlement() {
    let mut world = World::with(offers("settle_within = \"15m\"", ONE_A_QUARTER));
    let default = world.cart("1", "0");
    assert_eq!((default.settle_by, world.settle(default.id, Settlement::Commit)), (None, Settled::Unknown));
    let mut world = World::with(offers("", ONE_A_QUARTER));
    let granted = world.cart("1", "10");
    assert_eq!((granted.settle_by, world.settle(granted.id, Settlement::Commit)), (None, Settled::Unknown));
    assert_eq!(world.records.len(), 1, "nothing changed, so nothing was recorded");
}

/// The offers of two playbooks on the same event, which share a cap.
fn two_playbooks() -> Sources {
    let mut sources = offers_with("", ONE_A_QUARTER);
    let playbook = sources.get("playbooks/offers.toml").unwrap().replace("\"offers\"", "\"second\"");
    sources.insert("playbooks/second.toml", playbook);
    sources
}

#[test]
fn playbooks_that_decide_on_one_event_share_its_caps() {
    let mut world = World::with(Bundle::compile(two_playbooks()).unwrap());
    let Taken::Turn(turn) = world.observe(cart("1", "10")) else { panic!() };
    let granted: Vec<bool> = turn.decisions.iter().map(is_granted).collect();
    assert_eq!(granted, [true, false], "the first leaves no room for the second, in the same turn");
    assert_eq!(world.recovered().encode(), world.state.encode());
}

#[test]
fn no_more_decisions_are_pending_than_a_ledger_holds() {
    let mut world = World::with(offers("settle_within = \"15m\"", ""));
    let made: Vec<Made> = (0..300).map(|n| world.cart(&n.to_string(), "10")).collect();
    let granted = made.iter().filter(|made| is_granted(made)).count();
    assert_eq!(granted, crate::context::PENDING_MAX);
    assert_eq!(made[299].decided.fallback, Some(crate::domain::FallbackReason::TooManyPending));
    assert_eq!(world.settle(made[0].id, Settlement::Commit), Settled::Now);
    assert!(is_granted(&world.cart("next", "10")), "one that is settled makes room");
    assert_eq!(world.recovered().encode(), world.state.encode());
}

// === random histories ===

/// An input in few words.
#[derive(Debug, Clone)]
enum Step {
    /// A cart that was left, and how many hours ago it says so.
    Cart { id: u8, halves: i64, late: i64 },
    /// The numbered grant is settled.
    Settle { nth: usize, settlement: Settlement },
    /// Time goes on, or back, by so many minutes.
    Wait(i64),
    /// Time goes on to the end of the numbered grant's window or to its limit, and so many microseconds beyond.
    WaitUntil { nth: usize, is_window: bool, beyond: i64 },
    /// Another bundle, with another `max` for the discounts of a quarter.
    Reload { max: i64 },
    /// Put to rest and brought back.
    Rest,
}

fn step() -> impl Strategy<Value = Step> {
    let settlement = prop_oneof![Just(Settlement::Commit), Just(Settlement::Release)];
    prop_oneof![
        6 => (0..40_u8, 0_i64..80, 0_i64..2_000).prop_map(|(id, halves, late)| Step::Cart { id, halves, late }),
        3 => (0..20_usize, settlement).prop_map(|(nth, settlement)| Step::Settle { nth, settlement }),
        2 => (-100_i64..4_000).prop_map(Step::Wait),
        3 => (0..20_usize, any::<bool>(), -1_i64..2)
            .prop_map(|(nth, is_window, beyond)| Step::WaitUntil { nth, is_window, beyond }),
        1 => (1_i64..4).prop_map(|max| Step::Reload { max }),
        1 => Just(Step::Rest),
    ]
}

/// Something that was granted, as an account in its plainest form has it.
#[derive(Debug, Clone)]
struct Grant {
    id: DecisionId,
    at: Timestamp,
    units: i64,
    until: Timestamp,
    settled: Option<Settlement>,
}

impl Grant {
    fn counts(&self, now: Timestamp, over: TimeDelta) -> bool {
        let is_free = match self.settled {
            Some(Settlement::Release) => true,
            Some(_) => false,
            None => self.until <= now,
        };
        !is_free && now < self.at.saturating_add(over)
    }
}

/// What is granted must follow from these grants and limits, and from nothing else.
#[derive(Debug, Default)]
struct Account {
    grants: Vec<Grant>,
    max: i64,
}

const GOODWILL_UNITS: i64 = 505_000;

fn days(days: i64) -> TimeDelta {
    TimeDelta::from_micros(days * TimeDelta::DAY.micros())
}

impl Account {
    fn of_count(&self, now: Timestamp) -> i64 {
        self.max - self.grants.iter().filter(|grant| grant.counts(now, days(90))).count() as i64
    }

    fn of_amount(&self, now: Timestamp) -> i64 {
        let counting = self.grants.iter().filter(|grant| grant.counts(now, days(30)));
        GOODWILL_UNITS - counting.map(|grant| grant.units).sum::<i64>()
    }

    /// When one of these leaves more than now: some instant at which a grant goes.
    fn more(&self, now: Timestamp, over: TimeDelta, left: impl Fn(Timestamp) -> i64) -> Option<Timestamp> {
        let ends = self.grants.iter().flat_map(|grant| [grant.at.saturating_add(over), grant.until]);
        ends.filter(|end| *end > now && left(*end) > left(now).max(0)).min()
    }

    /// What a cart worth so much is granted now.
    fn expected(&self, units: i64, now: Timestamp) -> Option<i64> {
        let left = self.of_amount(now);
        let units = if units <= left { units } else { left };
        (self.of_count(now) >= 1 && units > 0).then_some(units)
    }
}

struct History {
    world: World,
    account: Account,
}

impl History {
    fn begin() -> Self {
        Self { world: World::with(both(1)), account: Account { grants: Vec::new(), max: 1 } }
    }

    fn arrival(&self) -> Timestamp {
        self.world.now.max(self.world.state.last_arrival)
    }

    fn perform(&mut self, step: &Step) {
        match step {
            Step::Cart { id, halves, late } => self.cart(*id, *halves, *late),
            Step::Settle { nth, settlement } => self.settle(*nth, *settlement),
            Step::Wait(minutes) => self.world.wait(&format!("{minutes}m")),
            Step::WaitUntil { nth, is_window, beyond } => {
                if let Some(grant) = self.account.grants.get(*nth) {
                    let end = if *is_window { grant.at.saturating_add(days(30)) } else { grant.until };
                    self.world.now = end.saturating_add(TimeDelta::from_micros(*beyond));
                }
            }
            Step::Reload { max } => {
                self.account.max = *max;
                self.world.bundles.push(Arc::new(both(*max)));
            }
            Step::Rest => self.world.rest(),
        }
    }

    fn cart(&mut self, id: u8, halves: i64, late: i64) {
        let now = self.arrival();
        let time = now.saturating_sub(TimeDelta::from_micros(late * TimeDelta::HOUR.micros()));
        let worth = format!("{}.{}", halves / 2, if halves % 2 == 0 { 0 } else { 5 });
        let Taken::Turn(turn) = self.world.observe(cart(&id.to_string(), &worth).at(time)) else { return };
        let made = &turn.decisions[0];
        let account = &self.account;
        let room = [made.circumstances.room(0), made.circumstances.room(1)];
        assert_eq!([room[0].left, room[1].left], [account.of_count(now), account.of_amount(now)]);
        let more = [
            account.more(now, days(90), |at| account.of_count(at)),
            account.more(now, days(30), |at| account.of_amount(at)),
        ];
        assert_eq!([room[0].again, room[1].again], more);
        let granted = is_granted(made).then(|| match made.decided.outcome.get().values()[1] {
            Value::Decimal(discount) => discount.units(),
            ref other => panic!("{other:?}"),
        });
        assert_eq!(granted, account.expected(halves * 5_000, now), "{}", say(made));
        if let Some(units) = granted {
            let until = made.settle_by.unwrap();
            self.account.grants.push(Grant { id: made.id, at: now, units, until, settled: None });
            assert!(self.account.of_count(now) >= 0 && self.account.of_amount(now) >= 0);
        }
    }

    fn settle(&mut self, nth: usize, settlement: Settlement) {
        let now = self.arrival();
        let Some(grant) = self.account.grants.get_mut(nth) else { return };
        let settled = self.world.settle(grant.id, settlement);
        match (grant.settled, grant.until > now) {
            (None, true) => {
                assert_eq!(settled, Settled::Now);
                grant.settled = Some(settlement);
            }
            (None, false) => assert!(matches!(settled, Settled::Expired | Settled::Unknown), "{settled:?}"),
            // What is settled is forgotten when its time is over.
            (Some(_), false) if settled == Settled::Unknown => {}
            (Some(known), _) if known == settlement => assert_eq!(settled, Settled::Before),
            (Some(_), _) => assert_eq!(settled, Settled::Otherwise),
        }
    }
}

/// A bundle with both caps, so many discounts a quarter, and decisions that wait to be settled.
fn both(max: i64) -> Bundle {
    let count = ONE_A_QUARTER.replace("= 1\n", &format!("= {max}\n"));
    offers("settle_within = \"15m\"", &format!("{count}{GOODWILL}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What is granted, what is left and when there is more are what a plain account of all grants says, whatever happens in
    /// between; at no instant more counts than may. The records lead to the same state, byte for byte.
    #[test]
    fn nothing_is_granted_beyond_a_cap(steps in proptest::collection::vec(step(), 0..60)) {
        let mut history = History::begin();
        steps.iter().for_each(|step| history.perform(step));
        prop_assert_eq!(history.world.recovered().encode(), history.world.state.encode());
    }
}

/// A cap that counts more than a ledger keeps apart: what is merged leaves later, so that never too much is granted.
#[test]
fn reservations_beyond_what_is_kept_leave_the_window_later_never_sooner() {
    let many =
        "[[caps]]\nid = \"sum\"\naction = \"offer_discount\"\namount = \"discount\"\nmax = 1100\nover = \"1d\"\n";
    let mut world = World::with(offers("", many));
    let granted = (0..1_100).filter(|n| {
        world.wait("1s");
        is_granted(&world.cart(&n.to_string(), "1"))
    });
    assert_eq!(granted.count(), 1_100);
    assert!(!is_granted(&world.cart("full", "1")));
    world.wait("23h41m41s");
    assert!(!is_granted(&world.cart("merged", "1")), "the first hundred leave with the hundred-and-first");
    world.wait("1m40s");
    assert!(is_granted(&world.cart("free", "100")));
    assert_eq!(world.recovered().encode(), world.state.encode());
}
