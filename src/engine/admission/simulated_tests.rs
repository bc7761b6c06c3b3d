//! Admission before a server of known speed, in time that only the test moves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::verdict::mixed;
use super::*;
use crate::domain::Timestamp;
use crate::telemetry::Registry;
use crate::time::{Clock, Instant};

/// A server that does one thing at a time, first come first served, and those who ask it.
struct World {
    admission: Admission,
    start: Instant,
    /// Nanoseconds since the start, when the server is free.
    free_at: u64,
    /// When the next request comes.
    next_at: f64,
    nth: u64,
    /// When they came, how important they are, and of whom.
    waiting: VecDeque<(u64, u8, u64)>,
    service: u64,
    shedding: u64,
    budget: Duration,
    who: fn(u64) -> (u8, u64),
    told: Vec<Told>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
struct Told {
    came: u64,
    done: u64,
    level: u8,
    customer: u64,
    is_admitted: bool,
}

const SECOND: u64 = 1_000_000_000;

/// A budget of 50 ms aims at 25 ms.
const BUDGET: Duration = Duration::from_millis(50);

impl World {
    fn new(service_us: u64, shedding_percent: u64, who: fn(u64) -> (u8, u64)) -> Self {
        let admission = Admission::new(Config::default(), &Registry::default());
        admission.fit([BUDGET].into_iter());
        Self {
            admission,
            start: Clock::manual(Timestamp::from_micros(1_000_000)).instant(),
            free_at: 0,
            next_at: 0.0,
            nth: 0,
            waiting: VecDeque::new(),
            service: service_us * 1_000,
            shedding: service_us * 10 * shedding_percent,
            budget: BUDGET,
            who,
            told: Vec::new(),
        }
    }

    /// So many times what can be done is offered for a while.
    fn offer(&mut self, load: f64, seconds: f64) {
        let end = self.next_at + seconds * SECOND as f64;
        let gap = self.service as f64 / load;
        while self.next_at < end {
            self.serve(self.next_at as u64);
            let (level, customer) = (self.who)(self.nth);
            self.waiting.push_back((self.next_at as u64, level, customer));
            // Between nothing and twice the mean.
            self.next_at += gap * 2.0 * (mixed(self.nth) >> 11) as f64 / (1_u64 << 53) as f64;
            self.nth += 1;
        }
        self.serve(end as u64);
    }

    /// The server works until then.
    fn serve(&mut self, until: u64) {
        while let Some((came, level, customer)) = self.waiting.front().copied() {
            let begun = self.free_at.max(came);
            if begun >= until {
                return;
            }
            self.waiting.pop_front();
            let now = self.start.after(Duration::from_nanos(begun));
            let waited = Duration::from_nanos(begun - came);
            self.admission.note_waited(waited);
            let lane = self.admission.own();
            if lane.is_due(now) {
                self.admission.look(lane, now, Duration::ZERO);
            }
            let weight = Weight { level, budget: self.budget, customer: Some(customer) };
            let is_admitted = self.admission.weigh(lane, waited, weight).is_ok();
            self.free_at = begun + if is_admitted { self.service } else { self.shedding };
            self.told.push(Told { came, done: self.free_at, level, customer, is_admitted });
        }
    }

    /// Those who came between two seconds.
    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = &Told> {
        let at = |seconds: f64| (seconds * SECOND as f64) as u64;
        self.told.iter().filter(move |told| (at(from)..at(to)).contains(&told.came))
    }

    /// What is answered in time, as a part of what could be done at most.
    fn goodput(&self, from: f64, to: f64) -> f64 {
        let budget = self.budget.as_nanos() as u64;
        let good = self.between(from, to).filter(|told| told.is_admitted && told.done - told.came <= budget).count();
        good as f64 * self.service as f64 / ((to - from) * SECOND as f64)
    }
}

fn everyone_alike(nth: u64) -> (u8, u64) {
    (5, mixed(nth) % 10_000)
}

#[test]
fn goodput_stays_near_the_peak_whatever_is_offered() {
    for (service_us, shedding_percent, load) in
        [(20, 2, 2.0), (100, 2, 2.0), (500, 2, 2.0), (50, 2, 1.2), (50, 1, 10.0), (50, 5, 4.0), (50, 30, 2.0)]
    {
        let mut world = World::new(service_us, shedding_percent, everyone_alike);
        world.offer(0.5, 1.0);
        world.offer(load, 3.0);
        // What is left when everything that is not done is shed: admitting a share `a` of `load` fills the server.
        let cost = shedding_percent as f64 / 100.0;
        let most = (1.0 - load * cost) / (1.0 - cost);
        let goodput = world.goodput(1.0, 4.0);
        let case = format!("{service_us} us, {shedding_percent} %, {load} times: {goodput:.3} of {most:.3}");
        assert!(goodput >= 0.9 * most, "{case}");
        let admitted = world.between(1.0, 4.0).filter(|told| told.is_admitted);
        let late =
            admitted.filter(|told| Duration::from_nanos(told.done - told.came) > BUDGET + Duration::from_millis(1));
        assert_eq!(late.count(), 0, "{case}: what is admitted is answered in time");
    }
}

#[test]
fn nothing_is_shed_below_capacity() {
    let mut world = World::new(100, 5, everyone_alike);
    world.offer(0.3, 2.0);
    world.offer(0.9, 3.0);
    assert!(world.told.iter().all(|told| told.is_admitted));
}

#[test]
fn a_burst_that_is_over_soon_is_waited_out() {
    let mut world = World::new(100, 5, everyone_alike);
    world.offer(0.3, 1.0);
    world.offer(5.0, 0.002);
    world.offer(0.3, 1.0);
    assert!(world.told.iter().all(|told| told.is_admitted));
}

#[test]
fn what_is_worth_least_goes_first() {
    // A tenth is important, three tenths are not.
    let mut world = World::new(50, 2, |nth| {
        let level = [8, 5, 5, 5, 5, 5, 5, 2, 2, 2][(mixed(nth) % 10) as usize];
        (level, mixed(nth + 7) % 10_000)
    });
    world.offer(0.5, 1.0);
    world.offer(2.0, 4.0);
    let shed = |level: u8| {
        let all = world.between(1.0, 5.0).filter(|told| told.level == level);
        let (count, shed) = all.fold((0, 0), |(count, shed), told| (count + 1, shed + i32::from(!told.is_admitted)));
        f64::from(shed) / f64::from(count)
    };
    let (high, normal, low) = (shed(8), shed(5), shed(2));
    assert!(high < 0.02 && low > 0.9 && normal < 0.5, "high {high:.3}, normal {normal:.3}, low {low:.3}");
}

#[test]
fn one_who_floods_does_not_push_out_the_others() {
    // Nine in ten are of one customer.
    let mut world =
        World::new(50, 2, |nth| (5, if mixed(nth).is_multiple_of(10) { 1 + mixed(nth + 7) % 1_000 } else { 0 }));
    world.offer(0.5, 1.0);
    world.offer(3.0, 4.0);
    let admitted = |is_flood: bool| {
        let all = world.between(1.5, 5.0).filter(|told| (told.customer == 0) == is_flood);
        let (count, given) = all.fold((0, 0), |(count, given), told| (count + 1, given + i32::from(told.is_admitted)));
        f64::from(given) / f64::from(count)
    };
    let (others, flood) = (admitted(false), admitted(true));
    assert!(others > 0.95, "others {others:.3}, the flood {flood:.3}");
    assert!(flood > 0.1, "what is left is the flood's: {flood:.3}");
    // The series say whose fault it is.
    let flooding = Weight { level: 5, budget: Duration::MAX, customer: Some(0) };
    let shed = (0..1_000).filter_map(|_| world.admission.weigh(world.admission.own(), Duration::ZERO, flooding).err());
    let (by_customer, others) = shed.partition::<Vec<_>, _>(|reason| *reason == ShedFor::Customer);
    assert!(by_customer.len() > 10 * others.len(), "{} and {}", by_customer.len(), others.len());
}

#[test]
fn nobody_starves() {
    let mut world = World::new(50, 2, |nth| (5, nth % 100));
    world.offer(2.0, 6.0);
    let mut given: BTreeMap<u64, u32> = BTreeMap::new();
    world
        .between(1.0, 6.0)
        .filter(|told| told.is_admitted)
        .for_each(|told| *given.entry(told.customer).or_default() += 1);
    let mean = given.values().sum::<u32>() / 100;
    assert_eq!(given.len(), 100);
    assert!(given.values().all(|count| *count > mean / 2 && *count < mean * 2), "{mean}: {given:?}");
}

#[test]
fn what_cannot_come_in_time_is_not_begun() {
    let mut world = World::new(100, 2, everyone_alike);
    // Less than the delay that is aimed at.
    world.budget = Duration::from_millis(10);
    world.offer(2.0, 2.0);
    let late = world.told.iter().filter(|told| told.is_admitted && told.done - told.came > 10_000_000);
    assert_eq!(late.count(), 0);
    let goodput = world.goodput(0.1, 2.0);
    assert!(goodput > 0.9, "{goodput}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// After any history, everything is admitted again within a second of the load's fall.
    #[test]
    fn recovers_within_a_second(
        history in proptest::collection::vec((0.1_f64..20.0, 0.01_f64..0.6), 1..6),
        after in 0.1_f64..0.85,
        service_us in 50_u64..1_000,
        shedding in 0_u64..4,
    ) {
        let mut world = World::new(service_us, shedding, everyone_alike);
        for (load, seconds) in history {
            world.offer(load, seconds);
        }
        let fall = world.next_at / SECOND as f64;
        world.offer(after, 2.0);
        let shed = world.between(fall + 1.0, fall + 2.0).filter(|told| !told.is_admitted).count();
        prop_assert_eq!(shed, 0);
    }
}

#[test]
fn requests_and_bodies_under_way_are_bounded() {
    let config = Config { under_way_max: 2, bodies_bytes_max: 100, ..Config::default() };
    let registry = Registry::default();
    let admission = Admission::new(config, &registry);
    let (one, two) = (admission.enter(|| 5).unwrap(), admission.enter(|| 5).unwrap());
    assert_eq!(admission.enter(|| 5).unwrap_err(), ShedFor::UnderWay);
    drop(one);
    assert!(admission.enter(|| 5).is_ok());
    drop(two);
    let body = admission.enter_body(1_000, 5).unwrap();
    assert_eq!(admission.enter_body(1, 8).unwrap_err(), ShedFor::Bodies, "one alone is taken on, whatever it is");
    assert!(admission.enter_body(0, 5).is_ok(), "without a body nothing is asked of the bound");
    drop(body);
    let _small = admission.enter_body(60, 5).unwrap();
    assert_eq!(admission.enter_body(60, 5).unwrap_err(), ShedFor::Bodies);
    assert!(admission.enter_body(40, 5).is_ok());
    admission.tell(Clock::system().instant());
    let page = registry.render();
    for line in [
        r#"forthwith_admission_shed_total{priority="normal",reason="under_way"} 1"#,
        r#"forthwith_admission_shed_total{priority="high",reason="bodies"} 1"#,
        "forthwith_admission_body_bytes 60",
        "forthwith_admission_under_way 0",
        "forthwith_admission_share_ratio 1",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}

#[test]
fn readiness_follows_shedding_that_lasts() {
    let mut world = World::new(100, 2, everyone_alike);
    let now = |world: &World| world.start.after(Duration::from_nanos(world.next_at as u64));
    world.offer(2.0, 4.0);
    assert!(!world.admission.is_strained(now(&world)), "it may be over soon");
    world.offer(2.0, 3.0);
    assert!(world.admission.is_strained(now(&world)));
    world.offer(0.5, 1.5);
    assert!(world.admission.is_strained(now(&world)), "it may begin again");
    world.offer(0.5, 2.0);
    assert!(!world.admission.is_strained(now(&world)));
}

#[test]
fn whoever_has_waited_for_ever_is_shed_for_its_deadline() {
    let admission = Admission::new(Config::default(), &Registry::default());
    admission.look(admission.own(), Clock::system().instant(), Duration::from_millis(1));
    let weight = Weight { level: 5, budget: Duration::from_secs(1), customer: Some(1) };
    assert_eq!(admission.weigh(admission.own(), Duration::MAX, weight).unwrap_err(), ShedFor::Deadline);
}
