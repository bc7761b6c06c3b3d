//! Twice as many customers at work as may be in memory, beside the same load with room for all.

use forthwith::actor::Config;

use super::args::Args;
use super::ground::Ground;
use super::load::{Plan, Threads, drive};
use super::ours::{Book, Ours, roomy};
use super::report::{self, thousands};

/// Drives ours with room for everybody and with room for half.
pub(crate) fn run(args: &Args) {
    let ground = Ground::lay(forthwith::time::Clock::system().wall());
    let customers = args.customers.unwrap_or(200_000);
    let title = format!("{} customers at work, 64 callers, journal on", thousands(customers));
    report::table(
        &title,
        &["room for", "spread", "turns/s", "of that with room", "p50", "p99", "p99.9", "shed", "in memory"],
    );
    for spread in &args.spreads {
        let mut roomy_rate = None;
        for room in [customers, customers / 2] {
            let folder = args.folder();
            let config = Config { hot_customers_max: room as usize, ..roomy(customers) };
            let ours = Ours::open(ground, folder.path(), config, Book::Memory);
            ours.bring(0..customers);
            let threads = Threads::arbiters();
            let plan = Plan { customers, spread: *spread, callers: 64, time: 3 * args.time, series: 1 };
            let seen = drive(ground, &threads, &ours, plan);
            let rate = seen.per_second();
            report::cells(&[
                thousands(room),
                spread.name().to_owned(),
                thousands(rate as u64),
                format!("{:.0} %", 100.0 * rate / *roomy_rate.get_or_insert(rate)),
                report::quantiles(&seen.latencies),
                thousands(seen.shed),
                thousands(ours.hot_customers() as u64),
            ]);
            threads.stop();
            ours.leave();
        }
    }
    report::end();
}
