//! Writing to people and pipes.

use std::io::{self, Write};

/// Writes a line to standard error. Whoever closed it does not want to read.
pub(super) fn tell(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line to standard output; false if nobody reads it any more.
pub(super) fn say(line: impl std::fmt::Display) -> bool {
    writeln!(io::stdout().lock(), "{line}").is_ok()
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
