//! What happened between two scrapes: how much counters grew, and the percentiles of what histograms gained.

use std::collections::BTreeMap;

use super::page::{Page, Sample};

/// Two pages, and the time from one to the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between<'p> {
    pub(super) before: &'p Page,
    pub(super) now: &'p Page,
    pub(super) seconds: f64,
}

/// What a histogram gained.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gain {
    /// Upper bounds with how many observations were at most so much, ascending; the last is without bound.
    buckets: Vec<(f64, f64)>,
    sum: f64,
}

impl<'p> Between<'p> {
    /// By how much the counters of a name grew, of those with these labels. A counter that fell began anew, with another engine.
    pub(super) fn growth(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let samples = self.now.all(name).iter().filter(|sample| sample.has(labels));
        samples.map(|sample| grown(self.former(name, sample), sample.value)).sum()
    }

    /// The same, for a second.
    pub(super) fn rate(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        if self.seconds > 0.0 { self.growth(name, labels) / self.seconds } else { 0.0 }
    }

    /// The growth by the values of a label, without those that did not grow; the largest first.
    pub(super) fn growth_by(&self, name: &str, label: &str, labels: &[(&str, &str)]) -> Vec<(&'p str, f64)> {
        let mut by: Vec<(&str, f64)> = self
            .now
            .values(name, label)
            .into_iter()
            .map(|value| (value, self.growth(name, &[labels, &[(label, value)]].concat())))
            .filter(|(_, growth)| *growth > 0.0)
            .collect();
        by.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        by
    }

    /// What the histograms of a name gained, of those with these labels, taken together.
    pub(super) fn gain(&self, name: &str, labels: &[(&str, &str)]) -> Gain {
        let bucket = format!("{name}_bucket");
        // Bounds are kept as they are written, and ordered as numbers; all have the same ones.
        let mut buckets: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for sample in self.now.all(&bucket).iter().filter(|sample| sample.has(labels)) {
            let Ok(bound) = sample.label("le").replace("+Inf", "inf").parse::<f64>() else { continue };
            let entry = buckets.entry(ordered(bound)).or_insert((bound, 0.0));
            entry.1 += grown(self.former(&bucket, sample), sample.value);
        }
        Gain { buckets: buckets.into_values().collect(), sum: self.growth(&format!("{name}_sum"), labels) }
    }

    fn former(&self, name: &str, sample: &Sample) -> f64 {
        let former = self.before.all(name).iter().find(|former| former.labels == sample.labels);
        former.map_or(0.0, |former| former.value)
    }
}

fn grown(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

/// A key with which numbers are in order.
fn ordered(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

impl Gain {
    /// How many observations.
    pub(super) fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// Their mean; `None` without any.
    pub(super) fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0.0).then(|| self.sum / count)
    }

    /// The value below which a share of the observations lies, as PromQL's `histogram_quantile` tells it: on a straight line within its
    /// bucket, and the last bound for what lies beyond it. `None` without observations.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count <= 0.0 || self.buckets.len() < 2 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * count;
        let at = self.buckets.iter().position(|(_, below)| *below >= rank)?;
        let (bound, below) = self.buckets[at];
        if !bound.is_finite() {
            return self.buckets.get(at.checked_sub(1)?).map(|(bound, _)| *bound);
        }
        let (from, before) = match at.checked_sub(1) {
            Some(former) => self.buckets[former],
            // PromQL takes a first bound that is not above zero as it is.
            None if bound <= 0.0 => return Some(bound),
            None => (0.0, 0.0),
        };
        if below <= before { Some(from) } else { Some(from + (bound - from) * (rank - before) / (below - before)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gain(buckets: &[(f64, f64)]) -> Gain {
        Gain { buckets: buckets.to_vec(), sum: 0.0 }
    }

    /// By hand, from the definition in Prometheus' documentation.
    #[test]
    fn quantiles_are_those_of_promql() {
        let known = gain(&[(0.1, 10.0), (0.5, 30.0), (1.0, 30.0), (f64::INFINITY, 40.0)]);
        let near = |share: f64, expected: f64| {
            let found = known.quantile(share).unwrap();
            assert!((found - expected).abs() < 1e-12, "{share}: {found} and not {expected}");
        };
        near(0.125, 0.05);
        near(0.25, 0.1);
        near(0.5, 0.3);
        near(0.75, 0.5);
        near(0.99, 1.0);
        assert_eq!(gain(&[(0.1, 0.0), (f64::INFINITY, 0.0)]).quantile(0.5), None);
        assert_eq!(gain(&[(f64::INFINITY, 4.0)]).quantile(0.5), None);
    }

    #[test]
    fn only_what_came_between_counts_and_a_restart_begins_at_zero() {
        let page = |text: &str| Page::parse(text).unwrap();
        let before = page(
            "n_total{a=\"x\"} 100\nn_total{a=\"y\"} 5\nh_bucket{le=\"1\"} 50\nh_bucket{le=\"2\"} 50\nh_bucket{le=\"+Inf\"} 50\nh_sum 9",
        );
        let now = page(
            "n_total{a=\"x\"} 7\nn_total{a=\"y\"} 9\nn_total{a=\"z\"} 2\nh_bucket{le=\"1\"} 50\nh_bucket{le=\"2\"} 60\n\
             h_bucket{le=\"+Inf\"} 60\nh_sum 24",
        );
        let between = Between { before: &before, now: &now, seconds: 2.0 };
        assert_eq!(between.rate("n_total", &[]), 6.5);
        assert_eq!(between.growth_by("n_total", "a", &[]), [("x", 7.0), ("y", 4.0), ("z", 2.0)]);
        assert_eq!(between.growth("n_total", &[("a", "y")]), 4.0);
        let gain = between.gain("h", &[]);
        assert_eq!((gain.count(), gain.mean()), (10.0, Some(1.5)));
    }

    proptest! {
        #[test]
        fn quantiles_rise_and_lie_within_the_bounds(counts in prop::collection::vec(0_u32..50, 2..12)) {
            let mut below = 0.0;
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            for (nth, count) in counts.iter().enumerate() {
                below += f64::from(*count);
                buckets.push(((nth + 1) as f64, below));
            }
            buckets.push((f64::INFINITY, below));
            let gain = gain(&buckets);
            let quantiles: Vec<Option<f64>> = (0..=20).map(|step| gain.quantile(f64::from(step) / 20.0)).collect();
            prop_assert_eq!(quantiles.iter().all(Option::is_none), below == 0.0);
            prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(quantiles.iter().flatten().all(|found| (0.0..=counts.len() as f64).contains(found)));
        }
    }
}
