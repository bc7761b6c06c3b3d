//! The room over journals that were really written.

mod backtests;
pub(crate) mod book;
mod differing;
mod same;

use std::path::Path;
use std::sync::Arc;

use super::*;

/// A test's end: every turn in its journal comes out again as it was recorded.
pub(crate) fn replays(journal: &Path) {
    if std::thread::panicking() || !journal.is_dir() {
        return;
    }
    let report = replay_journal(journal, &Range::default(), &alone(), &mut |_| {});
    let report = report.unwrap_or_else(|error| panic!("the journal of the test cannot be replayed: {error}"));
    assert!(report.is_same(), "the journal of the test does not replay: {report:#?}");
    assert_eq!(report.counts.different_after_gap, 0, "{report:#?}");
}

/// One thread, and room for everyone.
fn alone() -> Limits {
    Limits { threads: 1, ..Limits::default() }
}

/// The differences as people read them, without what changes from run to run.
fn changed(report: &Report) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        text.push_str(&format!("record {}, {}, {:?}\n", difference.record, difference.customer, difference.kind));
        for Changed { what, recorded, came_out } in &difference.changed {
            text.push_str(&format!("  {what}: {recorded} -> {came_out}\n"));
        }
    }
    text
}
