//! Twice as many bytes at work as may be in memory, beside the same load with room for all; and beside a collector that goes
//! by idle time alone.

use std::time::Duration;

use forthwith::actor::{Config, Resting};

use super::args::Args;
use super::draw::Spread;
use super::ground::Ground;
use super::load::{Plan, Threads, drive};
use super::ours::{Book, Ours, roomy};
use super::report::{self, thousands};

/// Who makes room, and how much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// For everybody.
    All,
    /// For half of the bytes.
    Half(Resting),
}

impl Room {
    fn title(self) -> &'static str {
        match self {
            Self::All => "room for all",
            Self::Half(Resting::ByUse) => "room for half: ours",
            Self::Half(Resting::ByIdleTime) => "room for half: idle time alone",
        }
    }

    fn config(self, customers: u64, bytes: u64) -> Config {
        match self {
            Self::All => roomy(customers),
            Self::Half(resting) => {
                // A second is the shortest time that idle customers can be told by.
                let ours = Config::default().passivate_after;
                let idle = if resting == Resting::ByUse { ours } else { Duration::from_secs(1) };
                Config { hot_bytes: bytes / 2, passivate_after: idle, resting, ..roomy(customers) }
            }
        }
    }
}

/// Drives ours with room for everybody and with room for half.
pub(crate) fn run(args: &Args) {
    let ground = Ground::lay(forthwith::time::Clock::system().wall());
    let customers = args.customers.unwrap_or(200_000);
    for callers in &args.callers {
        let title = format!("{} customers at work, {callers} callers, journal on", thousands(customers));
        report::table(
            &title,
            &[
                "",
                "spread",
                "turns/s",
                "of that with room",
                "p50",
                "p99",
                "p99.9",
                "shed",
                "MB at most",
                "activations/s",
                "put to rest/s",
                "back within 1 s",
                "held off",
            ],
        );
        args.spreads.iter().for_each(|spread| compare(args, ground, customers, *spread, *callers));
        report::end();
    }
}

fn compare(args: &Args, ground: &'static Ground, customers: u64, spread: Spread, callers: usize) {
    let (mut bytes, mut rate) = (0, None);
    for room in [Room::All, Room::Half(Resting::ByUse), Room::Half(Resting::ByIdleTime)] {
        let folder = args.folder();
        let ours = Ours::open(ground, folder.path(), room.config(customers, bytes), Book::Memory);
        ours.bring(0..customers);
        if room == Room::All {
            bytes = ours.hot_bytes();
        }
        let threads = Threads::arbiters();
        let plan = Plan { customers, spread, callers, time: 3 * args.time, series: 1 };
        let before = Counts::of(&ours);
        let watch = Watch::start(&ours);
        let seen = drive(ground, &threads, &ours, plan);
        let most = watch.stop();
        let counts = Counts::of(&ours).since(before);
        // The counts go over the warming-up too.
        let per_second = |count: u64| thousands((count as f64 / (plan.time.as_secs_f64() * 1.2)) as u64);
        let reached = seen.per_second();
        report::cells(&[
            room.title().to_owned(),
            spread.name().to_owned(),
            thousands(reached as u64),
            format!("{:.0} %", 100.0 * reached / *rate.get_or_insert(reached)),
            report::quantiles(&seen.latencies),
            thousands(seen.shed),
            format!(
                "{} of {}",
                thousands(most / 1_000_000),
                thousands(if room == Room::All { bytes } else { bytes / 2 } / 1_000_000)
            ),
            per_second(counts.activations),
            per_second(counts.passivations),
            format!("{:.0} %", 100.0 * counts.back_soon as f64 / counts.activations.max(1) as f64),
            thousands(counts.held),
        ]);
        threads.stop();
        ours.leave();
    }
}

/// What the engine counts of comings and goings.
#[derive(Clone, Copy, Debug)]
struct Counts {
    activations: u64,
    passivations: u64,
    back_soon: u64,
    held: u64,
}

impl Counts {
    fn of(ours: &Ours) -> Self {
        Self {
            activations: ours.counted("forthwith_activations_total"),
            passivations: ours.counted("forthwith_passivations_total"),
            back_soon: ours.counted("forthwith_activations_soon_total"),
            held: ours.counted("forthwith_activations_held_total"),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            activations: self.activations - before.activations,
            passivations: self.passivations - before.passivations,
            back_soon: self.back_soon - before.back_soon,
            held: self.held - before.held,
        }
    }
}

/// Someone who looks now and then how many bytes are taken.
struct Watch {
    stop: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<u64>,
}

impl Watch {
    fn start(ours: &Ours) -> Self {
        let (ours, (stop, stopped)) = (ours.clone(), std::sync::mpsc::channel::<()>());
        let thread = std::thread::spawn(move || {
            let mut most = ours.hot_bytes();
            while stopped.recv_timeout(Duration::from_millis(20)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                most = most.max(ours.hot_bytes());
            }
            most
        });
        Self { stop, thread }
    }

    fn stop(self) -> u64 {
        drop(self.stop);
        self.thread.join().expect("the watch ends")
    }
}
