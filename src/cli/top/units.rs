//! Numbers as people read them at a glance: three digits that matter, and a unit.

use crate::cli::output::grouped;

/// A length of time, from seconds; `-` for none.
pub(super) fn time(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return "-".to_owned() };
    match seconds.abs() {
        s if s < 999.5e-6 => format!("{} us", three(seconds * 1e6)),
        s if s < 0.9995 => format!("{} ms", three(seconds * 1e3)),
        _ => format!("{} s", three(seconds)),
    }
}

/// How long something lasts, in its two largest units.
pub(super) fn age(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole} s"),
        (0, 0, _) => format!("{minutes} min {} s", whole % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A number of things; one that is small keeps its tenths.
pub(super) fn count(value: f64) -> String {
    if value.fract() == 0.0 || value >= 100.0 { grouped(value.max(0.0).round() as u64) } else { three(value) }
}

/// So many a second.
pub(super) fn rate(value: f64) -> String {
    format!("{}/s", count(value))
}

/// The same where there is little room: from ten thousand on in thousands.
pub(super) fn short_rate(value: f64) -> String {
    match value {
        v if v < 9_999.5 => rate(v),
        v if v < 999_500.0 => format!("{}k/s", three(v / 1e3)),
        v => format!("{}M/s", three(v / 1e6)),
    }
}

/// A share of one, in per cent.
pub(super) fn share(value: f64) -> String {
    let percent = value * 100.0;
    if percent > 0.0 && percent < 0.1 { "< 0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

pub(super) fn bytes(value: f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if value.abs() < 1_024.0 {
        return format!("{value:.0} B");
    }
    let mut scaled = value / 1_024.0;
    let mut unit = 0;
    // What would be written as four digits has the next unit.
    while scaled.abs() >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1_024.0;
        unit += 1;
    }
    format!("{} {}", three(scaled), UNITS[unit])
}

/// Three digits that matter, of a number below a thousand.
fn three(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_three_digits() {
        let times = [0.0, 1.5e-6, 9.996e-4, 0.0123, 0.99951, 12.34].map(|seconds| time(Some(seconds)));
        assert_eq!(times, ["0 us", "1.50 us", "1.00 ms", "12.3 ms", "1.00 s", "12.3 s"]);
        assert_eq!([0.0, 59.9, 61.0, 3_700.0, 90_061.0].map(age), ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!([0.0, 0.25, 12.34, 12_345.6].map(count), ["0", "0.25", "12.3", "12,346"]);
        assert_eq!([9_999.0, 12_345.6, 2e6].map(short_rate), ["9,999/s", "12.3k/s", "2.00M/s"]);
        assert_eq!([0.0, 0.0005, 0.123, 1.0].map(share), ["0.0 %", "< 0.1 %", "12.3 %", "100.0 %"]);
        assert_eq!([10.0, 2_048.0, 1_023_590.0, 3e9].map(bytes), ["10 B", "2.00 KiB", "0.98 MiB", "2.79 GiB"]);
    }
}
