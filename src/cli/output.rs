//! Writing to people and pipes.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::document::Faults;

/// Writes a line to standard error. Whoever closed it does not want to read.
pub(super) fn tell(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line to standard output; false if nobody reads it any more.
pub(super) fn say(line: impl std::fmt::Display) -> bool {
    writeln!(io::stdout().lock(), "{line}").is_ok()
}

/// Writes a whole text to a file, or to standard output. Whoever closed that does not want to read.
pub(super) fn write_whole(file: Option<&Path>, text: &str) -> Result<(), String> {
    match file {
        Some(file) => fs::write(file, text).map_err(|e| format!("`{}`: {e}", file.display())),
        None => {
            let _ = io::stdout().lock().write_all(text.as_bytes());
            Ok(())
        }
    }
}

/// Faults of a configuration as JSON.
#[derive(Serialize)]
struct FaultsShown {
    faults: Vec<FaultShown>,
}

#[derive(Serialize)]
struct FaultShown {
    place: String,
    key: String,
    message: String,
}

/// Tells faults: people on standard error, programs that asked for JSON on standard output.
pub(super) fn tell_faults(faults: &Faults, is_json: bool) {
    if !is_json {
        tell(faults);
        return;
    }
    let shown = faults.iter().map(|fault| FaultShown {
        place: fault.place.to_string(),
        key: fault.key.clone(),
        message: fault.message.clone(),
    });
    say(serde_json::to_string_pretty(&FaultsShown { faults: shown.collect() }).unwrap_or_default());
}

/// How many of a thing, with its plural where there is not one.
pub(super) fn counted(count: usize, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

/// A number with thin groups of three: 12,345.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_by_three() {
        let shown: Vec<String> = [0, 999, 1_000, 1_234_567].map(grouped).to_vec();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
