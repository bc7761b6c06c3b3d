//! A data directory, and starts on it.

mod args;
mod floor;
mod premises;
mod room;
mod start;

use std::time::Instant;

pub(crate) use args::Args;
use premises::Premises;

use crate::figures::time;

/// Makes a data directory and starts on it after each kind of end.
pub(crate) fn run(args: &Args) {
    let folder = tempfile::Builder::new().prefix("forthwith-bench-").tempdir_in(&args.folder).expect("a folder");
    let premises = Premises::new(folder.path(), args);
    let begun = Instant::now();
    premises.fill();
    let bytes = floor::bytes(&premises.segments());
    println!(
        "{} customers, {} records, {} MB of segments, made in {}; {} threads",
        args.customers,
        args.records,
        bytes / 1_000_000,
        time(begun.elapsed().as_nanos() as f64),
        premises.threads(),
    );
    let floor = floor::read(&premises.segments(), premises.threads());
    println!("floor: every segment read and checksummed in {}\n", time(floor.as_nanos() as f64));
    start::head();
    start::show("a crash, most records after the checkpoint", &premises, args).leave();
    std::fs::remove_dir_all(folder.path().join("store")).expect("the store is removed");
    let opened = start::show("the store deleted", &premises, args);
    opened.stop();
    start::show("a stop in good order", &premises, args).leave();
    room::show(&folder.path().join("journal"));
}
