use super::*;
use crate::reports::sample::{self, Plan};

#[test]
fn write_out() {
    let mut failed = Plan { rate: 3000, ..Plan::USUAL }.runs(1);
    sample::violate(&mut failed);
    failed.runs[0].missed.push("p99 was 7.10 ms, not at most 5.00 ms".to_owned());
    std::fs::write("/tmp/scratch8/failed.html", html(&failed)).unwrap();
    std::fs::write("/tmp/scratch8/runs.html", html(&sample::outcome(3))).unwrap();
}
