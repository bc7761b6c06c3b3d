//! The machine that a life runs on: it breaks as the seed says, and loses its power between any two steps.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::dice::Dice;
use super::disk::Sectors;
use super::store::Shelves;

/// How a machine breaks, each in percent of the occasions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// A sync takes long.
    pub(super) slow: u64,
    /// A write or sync fails for good.
    pub(super) failing: u64,
    /// There is no room for another segment, for a while.
    pub(super) full: u64,
    /// The store does not answer.
    pub(super) balking: u64,
    /// A sync says that it is done and has done nothing: what no engine survives, and the checks must see.
    pub(super) lying: u64,
}

/// What the next machine finds: the store, and what of the journal in the next folder is not durable yet.
pub(super) type Found = (Shelves, Sectors);

/// One machine, from the power on to the power off. What stands here is real: it takes no part in the simulated schedule.
#[derive(Debug)]
pub(super) struct Machine {
    /// The folder of the journal.
    pub(super) folder: PathBuf,
    pub(super) sectors: Mutex<Sectors>,
    pub(super) shelves: Mutex<Shelves>,
    dice: Mutex<Dice>,
    weather: Mutex<Weather>,
    /// Steps that are left until the power goes.
    steps_left: AtomicU64,
    is_dead: AtomicBool,
    /// Where the next machine finds the disk.
    image: PathBuf,
    frozen: Mutex<Option<Found>>,
}

thread_local! {
    /// The machine whose steps are counted. One simulation at a time runs on a thread.
    static POWERED: RefCell<Option<Arc<Machine>>> = const { RefCell::new(None) };
}

/// Another step of the simulation is about to be taken. Called by the scheduler, between any two steps of any two threads.
pub(super) fn step() {
    let machine = POWERED.with_borrow(Clone::clone);
    if let Some(machine) = machine
        && machine.steps_left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        machine.pull_the_plug();
    }
}

impl Machine {
    /// Switches on a machine that has so many steps to live.
    pub(super) fn switch_on(
        root: &Path,
        life: u64,
        (shelves, sectors): Found,
        mut dice: Dice,
        steps: u64,
    ) -> Arc<Self> {
        dice.next();
        let machine = Arc::new(Self {
            folder: root.join(format!("{life}")),
            sectors: Mutex::new(sectors),
            shelves: Mutex::new(shelves),
            dice: Mutex::new(dice),
            weather: Mutex::default(),
            steps_left: AtomicU64::new(steps),
            is_dead: AtomicBool::new(false),
            image: root.join(format!("{}", life + 1)),
            frozen: Mutex::default(),
        });
        POWERED.set(Some(Arc::clone(&machine)));
        machine
    }

    /// Whether the power is gone: whatever happens from now on happened to nobody.
    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// How it breaks from now on.
    pub(super) fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Whether something happens that the weather has in it.
    pub(super) fn befalls(&self, percent: impl FnOnce(&Weather) -> u64) -> bool {
        let percent = percent(&self.weather.lock().unwrap());
        percent > 0 && self.dice.lock().unwrap().percent(percent)
    }

    /// A number from `low` to `high`.
    pub(super) fn draw(&self, low: u64, high: u64) -> u64 {
        self.dice.lock().unwrap().between(low, high)
    }

    /// Switches off. Returns what the next machine finds; the journal lies in the next folder.
    pub(super) fn switch_off(&self) -> Found {
        if !self.is_dead() {
            self.pull_the_plug();
        }
        POWERED.set(None);
        self.frozen.lock().unwrap().take().unwrap()
    }

    /// What was synced stays, and of the rest whatever the machine had come to.
    fn pull_the_plug(&self) {
        let mut dice = self.dice.lock().unwrap();
        let sectors = self.sectors.lock().unwrap().freeze(&self.folder, &self.image, &mut dice);
        *self.frozen.lock().unwrap() = Some((self.shelves.lock().unwrap().freeze(&mut dice), sectors));
        self.is_dead.store(true, Ordering::Relaxed);
    }
}
