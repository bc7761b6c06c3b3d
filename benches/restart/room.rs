//! What decisions take on the disk when their segments are full.

use std::fs;
use std::path::Path;

use forthwith::journal::segments;

/// Prints what a record takes in sealed segments and in the files beside them.
pub(crate) fn show(journal: &Path) {
    let spans = segments(journal).expect("a sound journal");
    let file = |number: u64, ending: &str| journal.join(format!("{number:010}.{ending}"));
    let (mut records, mut unsealed, mut bytes) = (0, 0, [0; 4]);
    for pair in spans.windows(2) {
        if file(pair[0].number, "seg").exists() {
            unsealed += 1;
            continue;
        }
        records += pair[1].first_seq - pair[0].first_seq;
        for (sum, ending) in bytes.iter_mut().zip(["sealed", "idx", "terms", "filter"]) {
            // Terms and filters are made a little later.
            *sum += fs::metadata(file(pair[0].number, ending)).map_or(0, |file| file.len());
        }
    }
    if records == 0 {
        return;
    }
    let [sealed, keys, terms, filters] = bytes.map(|bytes| bytes as f64 / records as f64);
    println!(
        "\nbytes a record in {} sealed segments: {sealed:.0}, and {keys:.1} of the index by key, {terms:.1} of terms, {filters:.1} of filters; \
         {unsealed} full ones are not sealed yet",
        spans.len() - 1 - unsealed,
    );
}
