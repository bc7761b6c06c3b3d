//! Values along an axis, and its ticks.

use crate::reports::units::{self, Unit};

/// From where to where an axis goes, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear {
        low: f64,
        high: f64,
    },
    /// Of values above zero.
    Log {
        low: f64,
        high: f64,
    },
}

/// What an axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// Seconds since the run began.
    Time,
    /// The logarithm of one over the share above: 2 is the 99th percentile.
    Percentile,
    Of(Unit),
}

impl Scale {
    /// From zero to a round number above all values.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>, along: Along) -> Self {
        let most = values.fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let step = along.step(most / 4.0);
        Self::Linear { low: 0.0, high: (most * 1.02 / step).ceil() * step }
    }

    /// From a power of ten below all values to one above; a step of 2 or 5 where that leaves less empty.
    pub(super) fn log(values: &[f64]) -> Self {
        let above_zero = || values.iter().copied().filter(|value| *value > 0.0);
        let (low, high) = (above_zero().fold(f64::INFINITY, f64::min), above_zero().fold(0.0, f64::max));
        if high <= 0.0 {
            return Self::Log { low: 1.0, high: 10.0 };
        }
        let (low, high) = (round(low, f64::floor), round(high, f64::ceil));
        Self::Log { low, high: if high > low { high } else { low * 10.0 } }
    }

    /// Where a value lies: 0 at the beginning of the axis, 1 at its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value.max(*low) / low).ln() / (high / low).ln(),
        }
    }

    pub(super) fn ends(&self) -> (f64, f64) {
        match self {
            Self::Linear { low, high } | Self::Log { low, high } => (*low, *high),
        }
    }

    /// Round values, at most about so many.
    pub(super) fn ticks(&self, along: Along, most: usize) -> Vec<f64> {
        match *self {
            Self::Linear { low, high } => {
                let step = along.step((high - low) / most as f64);
                let (first, last) = ((low / step).ceil() as i64, (high / step + 1e-9).floor() as i64);
                (first..=last).map(|nth| nth as f64 * step).collect()
            }
            Self::Log { low, high } => {
                let decades = (high / low).log10();
                let factors: &[f64] = if decades * 3.0 <= most as f64 + 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let every = (decades / most as f64).ceil().max(1.0) as i32;
                let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
                (first..=last)
                    .filter(|power| (power - first) % every == 0)
                    .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
                    .filter(|value| *value >= low * 0.999 && *value <= high * 1.001)
                    .collect()
            }
        }
    }
}

impl Along {
    /// A round step of at least this.
    fn step(self, least: f64) -> f64 {
        const TIMES: [f64; 15] =
            [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0];
        match self {
            Self::Time => {
                TIMES.into_iter().find(|step| *step >= least).unwrap_or_else(|| nice(least / 14_400.0) * 14_400.0)
            }
            Self::Percentile => 1.0,
            Self::Of(Unit::Bytes) => 2_f64.powf(least.max(1.0).log2().ceil()),
            Self::Of(Unit::Count | Unit::PerSecond) => nice(least).max(1.0),
            Self::Of(_) => nice(least),
        }
    }

    /// A value beside its tick.
    pub(super) fn tick(self, value: f64) -> String {
        match self {
            Self::Time if value < 120.0 => format!("{value:.0} s"),
            Self::Time if value < 7_200.0 => format!("{} min", short(value / 60.0)),
            Self::Time => format!("{} h", short(value / 3_600.0)),
            Self::Percentile => percent(value),
            Self::Of(unit) => {
                let written = unit.write(value);
                match written.split_once(' ') {
                    Some((number, of)) => format!("{} {of}", trimmed(number)),
                    None => trimmed(written.trim_end_matches("/s")).to_owned(),
                }
            }
        }
    }

    /// A value in a table.
    pub(super) fn write(self, value: f64) -> String {
        match self {
            Self::Time => clock(value),
            Self::Percentile => percent(value),
            Self::Of(unit) => unit.write(value),
        }
    }
}

/// The percentile at so many nines.
fn percent(nines: f64) -> String {
    let text = format!("{:.*}", (nines.ceil() as usize).max(1), 100.0 - 100.0 * 10_f64.powf(-nines));
    format!("{} %", trimmed(&text))
}

/// Seconds in a table: which of a minute's they are only where there are minutes.
fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..3_600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3_600, whole % 3_600 / 60, whole % 60),
    }
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

fn short(value: f64) -> String {
    trimmed(&format!("{value:.1}")).to_owned()
}

/// The next of 1, 2, 5, 10, 20 and so on.
fn nice(least: f64) -> f64 {
    if least <= 0.0 || !least.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(power * 10.0)
}

/// To 1, 2 or 5 times a power of ten.
fn round(value: f64, towards: fn(f64) -> f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let is_up = towards(0.5) > 0.5;
    let found = if is_up {
        steps.into_iter().find(|step| *step >= value * 0.999_999)
    } else {
        steps.into_iter().rev().find(|step| *step <= value * 1.000_001)
    };
    found.unwrap_or(value)
}

/// A span of time on an axis, for a table's head.
pub(super) fn span(seconds: usize) -> String {
    units::seconds(seconds as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_not_too_many() {
        let time = Scale::Linear { low: 0.0, high: 35.0 };
        assert_eq!(time.ticks(Along::Time, 8), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0]);
        let hours = Scale::Linear { low: 0.0, high: 14_400.0 };
        let labels: Vec<_> = hours.ticks(Along::Time, 5).into_iter().map(|tick| Along::Time.tick(tick)).collect();
        assert_eq!(labels.join(", "), "0 s, 60 min, 2 h, 3 h, 4 h");
        let log = Scale::log(&[180.0, 57_000.0]);
        assert_eq!(log.ends(), (100.0, 100_000.0));
        assert_eq!(log.ticks(Along::Of(Unit::Micros), 5), [100.0, 1_000.0, 10_000.0, 100_000.0]);
        let labels: Vec<_> = [0.0, 1.0, 2.0, 3.0, 5.0].map(|nines| Along::Percentile.tick(nines)).into();
        assert_eq!(labels.join(", "), "0 %, 90 %, 99 %, 99.9 %, 99.999 %");
        let bytes = Scale::from_zero([221_000_000.0].into_iter(), Along::Of(Unit::Bytes));
        let labels: Vec<_> =
            bytes.ticks(Along::Of(Unit::Bytes), 5).into_iter().map(|tick| Along::Of(Unit::Bytes).tick(tick)).collect();
        assert_eq!(labels.join(", "), "0 B, 64 MiB, 128 MiB, 192 MiB, 256 MiB");
    }

    #[test]
    fn no_values_make_no_broken_axis() {
        for scale in [Scale::log(&[]), Scale::from_zero(std::iter::empty(), Along::Time), Scale::log(&[5.0])] {
            let (low, high) = scale.ends();
            assert!(low < high && scale.at(low) == 0.0 && scale.at(high) == 1.0, "{scale:?}");
        }
    }
}
