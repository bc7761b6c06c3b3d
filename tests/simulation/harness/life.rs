//! One life of an engine: switched on over what the one before left, asked by several callers, switched off in the middle.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::house::House;
use super::super::opening::{Opened, open_house};
use super::super::recovery::Recovery;
use super::super::watch;
use super::super::{Asked, Config, Metrics, Overdue, Progress, RecoveryStage, Refusal, Start, TurnDone};
use super::dice::Dice;
use super::disk::SimulatedDisk;
use super::machine::{Machine, Weather};
use super::premises::request;
use super::staff::Staff;
use super::store::SimulatedStore;
use super::story::Told;
use super::witness::Witness;
use crate::bundle::Bundle;
use crate::domain::{CustomerId, TenantId, TimeDelta};
use crate::journal::{self, Journal};
use crate::sync::atomic::Ordering;
use crate::sync::thread::{self, JoinHandle};
use crate::telemetry::Registry;
use crate::time::Clock;

/// What a life is like.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) callers: u64,
    pub(super) turns: u64,
    pub(super) customers: u64,
    /// Seconds that pass.
    pub(super) ticks: u64,
    pub(super) checkpoints: u64,
    /// In percent: turns that panic, are given up, are sent again, are sent by several callers, are not waited for at once.
    pub(super) panics: u64,
    pub(super) given_up: u64,
    pub(super) repeated: u64,
    pub(super) shared: u64,
    pub(super) hasty: u64,
    /// Whether it stops in good order before recovery is through.
    pub(super) is_hurried: bool,
    /// While the engine starts, and after.
    pub(super) dawn: Weather,
    pub(super) day: Weather,
    pub(super) config: Config,
    pub(super) segment_bytes: u64,
}

/// What lives share.
#[derive(Clone)]
pub(super) struct Lives {
    pub(super) nth: u64,
    pub(super) clock: Clock,
    pub(super) bundle: Arc<Bundle>,
    pub(super) witness: Arc<Mutex<Witness>>,
    pub(super) told: Arc<Mutex<Told>>,
}

/// An engine that runs.
#[derive(Clone)]
struct Life {
    lives: Lives,
    plan: Plan,
    machine: Arc<Machine>,
    disk: Arc<SimulatedDisk>,
    house: Arc<House>,
    journal: Journal,
}

/// Lives a life on a machine.
pub(super) fn live(lives: &Lives, machine: &Arc<Machine>, plan: &Plan, mut dice: Dice) {
    watch::begin();
    let disk = SimulatedDisk::new(machine);
    machine.set_weather(plan.dawn);
    match open(lives, machine, &disk, plan) {
        Ok((house, journal, recovery)) => {
            disk.belong_to(Some(journal.clone()));
            machine.set_weather(Weather::default());
            let staff = Staff::start(&house, house.stored_seq.load(Ordering::Acquire));
            // Behind everyone who is served.
            let recovering = recovery.map(|mut recovery| thread::spawn(move || recovery.run()));
            let (lives, machine, disk, plan) = (lives.clone(), Arc::clone(machine), Arc::clone(&disk), plan.clone());
            let life = Life { lives, plan, machine, disk, house, journal };
            life.check();
            life.machine.set_weather(life.plan.day);
            life.pass(&staff, &mut dice);
            life.end(staff, recovering);
        }
        // An engine that does not start although nothing happened to it would be one that lost what it had.
        Err(reason) => assert!(machine.is_dead() || plan.dawn != Weather::default(), "it does not start: {reason}"),
    }
    watch::end();
}

type Begun = (Arc<House>, Journal, Option<Recovery>);

fn open(lives: &Lives, machine: &Arc<Machine>, disk: &Arc<SimulatedDisk>, plan: &Plan) -> Result<Begun, String> {
    let registry = Registry::default();
    let config = journal::Config { segment_bytes: plan.segment_bytes, ..journal::Config::default() };
    let metrics = journal::Metrics::new(&registry);
    let disk = Arc::clone(disk);
    let (journal, _) = Journal::open_on(disk, &machine.folder, &config, lives.clock.clone(), metrics)
        .map_err(|error| error.to_string())?;
    let start = Start {
        config: plan.config.clone(),
        tenant: TenantId::default(),
        clock: lives.clock.clone(),
        journal: journal.clone(),
        store: Arc::new(SimulatedStore(Arc::clone(machine))),
        bundle: Arc::clone(&lives.bundle),
        metrics: Metrics::new(&registry),
        progress: Progress(&mut |_, _| {}),
    };
    let Opened { house, recovery, .. } = open_house(start).map_err(|error| error.to_string())?;
    // Callers look into the store themselves in every other life: time that stands still never calls a look slow.
    if lives.nth % 2 == 1 {
        house.looks.leave_to_keepers();
    }
    Ok((house, journal, recovery))
}

impl Life {
    /// Callers ask, seconds pass, checkpoints are made.
    fn pass(&self, staff: &Staff, dice: &mut Dice) {
        let callers: Vec<_> = (0..self.plan.callers)
            .map(|nth| {
                let (life, dice) = (self.clone(), Dice::new(dice.next(), nth));
                thread::spawn(move || life.call(nth, dice))
            })
            .collect();
        let mut left = (self.plan.ticks, self.plan.checkpoints);
        while left != (0, 0) && !self.machine.is_dead() {
            for _ in 0..dice.between(1, 120) {
                thread::yield_now();
            }
            if left.0 > 0 {
                left.0 -= 1;
                self.lives.clock.advance(TimeDelta::from_micros(1_000_000));
                staff.tick();
            } else if left.1 > 0 {
                left.1 -= 1;
                staff.order_checkpoint();
            }
            if left.1 > 0 && dice.percent(40) {
                left.1 -= 1;
                staff.order_checkpoint();
            }
        }
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }

    /// The end in good order, if nothing has happened by then.
    fn end(self, staff: Staff, recovering: Option<JoinHandle<()>>) {
        // Some stop before recovery is through.
        if self.plan.is_hurried || self.machine.is_dead() {
            self.house.backlog.abandon();
        }
        self.machine.set_weather(Weather::default());
        if let Some(recovering) = recovering {
            assert!(recovering.join().is_ok(), "recovery does not panic");
            let stage = self.house.backlog.progress().stage;
            self.lives.told.lock().unwrap().recovered += u64::from(stage == RecoveryStage::Finished);
            let is_troubled = self.machine.is_dead() || self.plan.day != Weather::default();
            assert!(is_troubled || !matches!(stage, RecoveryStage::Failed(_)), "recovery fails: {stage:?}");
        }
        // Turns that nobody waits for any more are taken all the same.
        while self.house.waiting() > 0 {
            thread::yield_now();
        }
        let is_sound = !self.machine.is_dead() && !self.disk.has_failed();
        if is_sound {
            // Turns whose callers did not wait for them are taken all the same.
            while self.house.waiting() > 0 {
                thread::yield_now();
            }
            self.journal.wait_synced_blocking(self.journal.last_seq()).unwrap();
            self.check();
        }
        staff.dismiss();
        self.count();
        let closed = self.journal.close();
        self.disk.belong_to(None);
        assert!(closed.is_ok() || self.disk.has_failed(), "the journal does not close: {closed:?}");
    }

    /// Adds what happened in this life to what happened in the story.
    fn count(&self) {
        let (metrics, mut told) = (&self.house.metrics, self.lives.told.lock().unwrap());
        told.turns += metrics.turns.get();
        told.panics += metrics.panics.get();
        told.queued += metrics.queued.get();
        told.rests += metrics.passivations.get();
        told.warm += metrics.activated.warm.get();
        told.cold += metrics.activated.cold.get();
        told.stored += metrics.saved.get();
    }

    /// Holds the journal and the states against what the callers know.
    fn check(&self) {
        // What is written after the power is gone, nobody finds later.
        if self.machine.is_dead() {
            return;
        }
        let expected = self.lives.witness.lock().unwrap().look(&self.machine.folder, &self.lives.bundle);
        for (customer, expected) in expected {
            let found = self.state(&customer);
            assert_eq!(
                (found.0, found.1),
                (expected.last_seq, expected.encode()),
                "the state of `{}` is not what its records make it",
                customer.as_str()
            );
        }
    }

    fn state(&self, customer: &CustomerId) -> (u64, Vec<u8>) {
        loop {
            // A full mailbox, a cell that went, or had no room to be loaded: the next look finds another.
            if let Ok(view) = self.house.view(customer)
                && let Ok(Some(state)) = shuttle::future::block_on(view)
            {
                return (state.last_seq, state.encode());
            }
            thread::yield_now();
        }
    }

    /// One caller.
    fn call(&self, caller: u64, mut dice: Dice) {
        let mut hasty = Vec::new();
        for nth in 0..self.plan.turns {
            let (customer, id) = self.draw(caller, nth, &mut dice);
            let times = if dice.percent(self.plan.repeated) { 2 } else { 1 };
            for _ in 0..times {
                if self.machine.is_dead() {
                    return;
                }
                let asked = self.lives.witness.lock().unwrap().ask(&customer, &id);
                match self.turn(&customer, &id, &mut dice) {
                    Came::Done(done) if dice.percent(self.plan.hasty) => hasty.push((id.clone(), done, asked)),
                    Came::Done(done) => self.wait_for_disk(&id, &done, asked),
                    // It will be taken all the same, and is in the journal unless the machine dies before.
                    Came::Late => {}
                    Came::Refused if self.machine.is_dead() => return,
                    Came::Refused => self.lives.witness.lock().unwrap().refuse(&id),
                }
            }
        }
        for (id, done, asked) in hasty {
            self.wait_for_disk(&id, &done, asked);
        }
    }

    fn draw(&self, caller: u64, nth: u64, dice: &mut Dice) -> (String, String) {
        let life = self.lives.nth;
        if dice.percent(self.plan.shared) {
            let number = dice.below(3);
            return (format!("c-{}", number % self.plan.customers), format!("shared-{life}-{number}"));
        }
        let customer = format!("c-{}", dice.below(self.plan.customers));
        let kind = if dice.percent(self.plan.panics) { "panic" } else { "e" };
        (customer, format!("{kind}-{life}-{caller}-{nth}"))
    }

    /// A turn, asked for and waited for, unless the caller has no patience.
    fn turn(&self, customer: &str, id: &str, dice: &mut Dice) -> Came {
        let result: Result<TurnDone, Refusal> = match self.house.ask(request(&self.house, customer, id)) {
            Asked::Done(result) => result,
            Asked::Late(_) => return Came::Late,
            Asked::Waiting(waiting) => {
                let reply = if dice.percent(self.plan.given_up) {
                    (0..dice.below(20)).for_each(|_| thread::yield_now());
                    match waiting.leave() {
                        Overdue::Late(_) => return Came::Late,
                        Overdue::GivenUp => return Came::Refused,
                        Overdue::Begun(reply) => reply,
                    }
                } else {
                    waiting.reply
                };
                shuttle::future::block_on(reply).unwrap_or_else(|_| panic!("`{id}` was never answered"))
            }
        };
        result.map_or(Came::Refused, Came::Done)
    }

    /// Waits until a turn is on disk, as an engine does before it answers, and is told so.
    fn wait_for_disk(&self, id: &str, done: &TurnDone, asked: u64) {
        if let Some(synced) = self.journal.wait_synced(done.last_seq)
            && !matches!(shuttle::future::block_on(synced), Ok(Ok(())))
        {
            return;
        }
        if !self.machine.is_dead() {
            let failed_at = self.disk.failed_at();
            assert!(failed_at.is_none_or(|last| done.last_seq <= last), "`{id}` was acknowledged after a failed sync");
            self.lives.witness.lock().unwrap().acknowledge(id, done.seq, asked);
        }
    }
}

/// What came of a turn for its caller.
enum Came {
    Done(TurnDone),
    Late,
    Refused,
}

impl Plan {
    /// A plan, drawn.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let often = |dice: &mut Dice, percents: &[u64]| dice.one_of(percents);
        let slow = often(dice, &[0, 20, 80]);
        let day = Weather {
            slow,
            failing: often(dice, &[0, 0, 0, 0, 3, 15]),
            full: often(dice, &[0, 0, 60]),
            balking: often(dice, &[0, 0, 0, 10, 40]),
            lying: 0,
        };
        let config = Config {
            keepers: dice.between(1, 2) as usize,
            mailbox: dice.one_of(&[1, 2, 64]),
            hot_customers_max: dice.between(1, 3) as usize,
            passivate_after: Duration::from_secs(dice.one_of(&[1, 2, 600])),
            warm_bytes: dice.one_of(&[0, 400, 100_000]),
            recovery_threads: dice.between(1, 2) as usize,
            recovery_bytes: dice.one_of(&[0, 1 << 20]),
            recovery_ahead: dice.one_of(&[0, 0, 20_000]),
            ..Config::default()
        };
        Self {
            callers: dice.between(1, 4),
            turns: dice.between(2, 12),
            customers: dice.between(1, 4),
            ticks: dice.below(8),
            checkpoints: dice.below(4),
            panics: often(dice, &[0, 15, 40]),
            given_up: often(dice, &[0, 30]),
            repeated: often(dice, &[0, 15]),
            shared: often(dice, &[0, 25]),
            hasty: often(dice, &[0, 50, 100]),
            is_hurried: dice.percent(20),
            dawn: if dice.percent(20) { day } else { Weather::default() },
            day,
            config,
            segment_bytes: dice.one_of(&[8_192, 12_288, 65_536]),
        }
    }

    /// The last plan: nothing breaks, nobody asks.
    pub(super) fn rest(self) -> Self {
        let (dawn, day) = (Weather::default(), Weather::default());
        Self { callers: 0, ticks: 0, checkpoints: 0, is_hurried: false, dawn, day, ..self }
    }
}
