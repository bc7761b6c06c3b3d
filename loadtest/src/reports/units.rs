//! Numbers as people write them: three digits that matter, and a unit.

use crate::report::thousands;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    PerSecond,
    Micros,
    /// Of one.
    Share,
    Bytes,
    Count,
    Processors,
}

impl Unit {
    pub(super) fn write(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", count(value)),
            Self::Micros => micros(value),
            Self::Share => share(value),
            Self::Bytes => bytes(value),
            Self::Count => count(value),
            Self::Processors => format!("{value:.2}"),
        }
    }
}

/// A time, from microseconds.
pub(super) fn micros(us: f64) -> String {
    match us.abs() {
        us if us < 999.5 => format!("{} us", three(us)),
        us if us < 999_500.0 => format!("{} ms", three(us / 1_000.0)),
        us => format!("{} s", three(us / 1_000_000.0)),
    }
}

/// A number of things; a rate below 100 keeps its tenths.
pub(super) fn count(value: f64) -> String {
    if value.fract() == 0.0 || value >= 100.0 { thousands(value.max(0.0).round() as u64) } else { three(value) }
}

/// A share of one, in per cent.
pub(super) fn share(value: f64) -> String {
    let percent = value * 100.0;
    match percent.abs() {
        0.0 => "0 %".to_owned(),
        size if size < 0.001 => "< 0.001 %".to_owned(),
        size if size < 0.1 => format!("{percent:.3} %"),
        _ => format!("{} %", three(percent)),
    }
}

pub(super) fn bytes(value: f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if value.abs() < 1_024.0 {
        return format!("{value:.0} B");
    }
    let mut scaled = value / 1_024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if scaled.abs() >= 1_000.0 {
            scaled /= 1_024.0;
            unit = next;
        }
    }
    format!("{} {unit}", three(scaled))
}

/// Seconds as a person would say them.
pub(super) fn seconds(s: f64) -> String {
    let whole = s.max(0.0).round() as u64;
    match whole {
        0..60 if s.fract() != 0.0 && s < 10.0 => format!("{s:.1} s"),
        0..120 => format!("{whole} s"),
        120..7_200 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
    }
}

/// `2026-11-23T10:00:00.123Z` as people write it, to the second.
pub(super) fn instant(rfc_3339: &str) -> String {
    let text = rfc_3339.replacen('T', " ", 1).replace('Z', " UTC");
    match text.split_once('.') {
        Some((whole, rest)) => format!("{whole}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => text,
    }
}

/// How often this is that.
pub(super) fn times(ratio: f64) -> String {
    if ratio.is_finite() { format!("{ratio:.3}x") } else { "-".to_owned() }
}

/// A quantile as a percentile: `p99.9`.
pub(super) fn percentile(quantile: f64) -> String {
    if quantile >= 1.0 {
        return "max".to_owned();
    }
    let text = format!("{:.3}", quantile * 100.0);
    format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Three digits that matter, or all before the point.
pub(super) fn three(value: f64) -> String {
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
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [0.0, 7.126, 99.96, 812.4, 999.6, 12_345.0, 2_500_000.0].map(micros).join(", "),
            "0 us, 7.13 us, 100 us, 812 us, 1.00 ms, 12.3 ms, 2.50 s"
        );
        assert_eq!([0.0, 12.5, 999.0, 1_234_567.2].map(count).join(", "), "0, 12.5, 999, 1,234,567");
        assert_eq!(
            [0.0, 0.000_001, 0.000_5, 0.012, 1.0].map(share).join(", "),
            "0 %, < 0.001 %, 0.050 %, 1.20 %, 100 %"
        );
        assert_eq!(
            [12.0, 2_048.0, 856_000_000.0, 1_073_741_824.0].map(bytes).join(", "),
            "12 B, 2.00 KiB, 816 MiB, 1.00 GiB"
        );
        assert_eq!([0.5, 30.0, 150.0, 9_000.0].map(seconds).join(", "), "0.5 s, 30 s, 2 min 30 s, 2 h 30 min");
        assert_eq!(instant("2026-11-23T16:21:32.132736Z"), "2026-11-23 16:21:32 UTC");
        assert_eq!(instant("2026-11-23T16:21:32+01:00"), "2026-11-23 16:21:32+01:00");
        assert_eq!([0.5, 0.99, 0.999, 0.99999, 1.0].map(percentile).join(" "), "p50 p99 p99.9 p99.999 max");
    }
}
