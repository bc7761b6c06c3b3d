//! A story: the lives of one seed, one after the other, over one disk and one store.

use std::path::Path;
use std::sync::{Arc, Mutex};

use shuttle::{Config, FailurePersistence, Runner};

use super::dice::Dice;
use super::life::{Lives, Plan, live};
use super::machine::Machine;
use super::premises::{bundle, forget_panics};
use super::scheduler::SeededScheduler;
use crate::domain::Timestamp;
use crate::time::Clock;

/// What became of a story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Machines that were switched on.
    pub lives: u64,
    /// Machines that lost their power before their time.
    pub crashes: u64,
    /// Turns that were acknowledged as durable, and found.
    pub acknowledged: u64,
    /// Steps of the schedule.
    pub steps: u64,
    /// Turns that were begun.
    pub turns: u64,
    /// Turns that panicked.
    pub panics: u64,
    /// Turns that waited because their customer was busy.
    pub queued: u64,
    /// Customers put to rest.
    pub rests: u64,
    /// Customers brought back from the warm cache.
    pub warm: u64,
    /// Customers brought back from the store.
    pub cold: u64,
    /// States that were written to the store.
    pub stored: u64,
    /// Recoveries that came to their end behind those who were served.
    pub recovered: u64,
}

/// Whether what the disk says is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// What it says to be synced is.
    Honest,
    /// Sometimes nothing is: everyone is told too early that their turn is durable.
    Lying,
}

/// Tells the story of a seed in an empty folder. Panics where an invariant does not hold.
pub fn tell(seed: u64, root: &Path, disk: Disk) -> Told {
    let told = Arc::new(Mutex::new(Told::default()));
    let (into, root) = (Arc::clone(&told), root.to_owned());
    let mut config = Config::new();
    config.silence_warnings = true;
    config.stack_size = 1 << 20;
    config.failure_persistence = FailurePersistence::None;
    Runner::new(SeededScheduler::new(seed), config).run(move || {
        let story = lives_of(seed, &root, disk);
        *into.lock().unwrap() = story;
    });
    let told = told.lock().unwrap();
    *told
}

fn lives_of(seed: u64, root: &Path, disk: Disk) -> Told {
    forget_panics();
    let mut dice = Dice::new(seed, 2);
    let mut lives = Lives {
        nth: 0,
        clock: Clock::manual(Timestamp::from_micros(1_763_800_000_000_000)),
        bundle: Arc::new(bundle()),
        witness: Arc::default(),
        told: Arc::default(),
    };
    let (count, mut crashes) = (dice.between(1, 3) + 1, 0);
    let mut found = Default::default();
    for nth in 0..count {
        lives.nth = nth;
        let mut plan = Plan::draw(&mut dice);
        if disk == Disk::Lying {
            plan.day.lying = 30;
        }
        let is_last = nth + 1 == count;
        let (plan, steps) = if is_last { (plan.rest(), u64::MAX) } else { (plan, steps_to_live(&mut dice)) };
        let machine = Machine::switch_on(root, nth, found, Dice::new(seed, 100 + nth), steps);
        live(&lives, &machine, &plan, Dice::new(seed, 200 + nth));
        crashes += u64::from(machine.is_dead());
        found = machine.switch_off();
    }
    let told = *lives.told.lock().unwrap();
    let acknowledged = lives.witness.lock().unwrap().acknowledgements() as u64;
    Told { lives: count, crashes, acknowledged, steps: shuttle::current::context_switches() as u64, ..told }
}

/// Many machines die young, while they start; some never.
fn steps_to_live(dice: &mut Dice) -> u64 {
    if dice.percent(15) {
        return u64::MAX;
    }
    let magnitude = dice.between(3, 10);
    (1 << magnitude) + dice.below(1 << magnitude)
}
