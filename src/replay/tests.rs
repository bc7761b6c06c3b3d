//! The room over journals that were really written.

use std::path::Path;

use super::*;

/// A test's end: every turn in its journal comes out again as it was recorded.
pub(crate) fn replays(journal: &Path) {
    if std::thread::panicking() || !journal.is_dir() {
        return;
    }
    let limits = Limits { threads: 1, ..Limits::default() };
    let report = replay_journal(journal, &Range::default(), &limits, &mut |_| {});
    let report = report.unwrap_or_else(|error| panic!("the journal of the test cannot be replayed: {error}"));
    assert!(report.is_same(), "the journal of the test does not replay: {report:#?}");
    assert_eq!(report.counts.different_after_gap, 0, "{report:#?}");
}
