//! A distribution of latencies.

use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// The longest time that is told from a longer one.
const LATENCY_MAX: Duration = Duration::from_secs(600);

/// Quantiles that are written out beside the histogram, for whoever reads the file without a library.
pub(crate) const QUANTILES: [f64; 9] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 1.0];

/// How long calls took: a histogram of nanoseconds with three significant digits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve(Histogram<u64>);

/// A curve in a file.
#[derive(Deserialize, Serialize)]
struct Written {
    count: u64,
    mean_us: f64,
    /// By quantile, in microseconds.
    quantiles_us: Vec<(f64, f64)>,
    /// The histogram in the interchange format of HdrHistogram (V2, deflated), in base 64.
    histogram: String,
}

impl Curve {
    pub(crate) fn new() -> Self {
        #[expect(clippy::expect_used, reason = "constant bounds, which a test tries")]
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3).expect("the bounds are sound");
        Self(histogram)
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    /// Takes all of another in.
    pub(crate) fn add(&mut self, other: &Self) {
        // Their bounds are the same, so all of it fits.
        let _ = self.0.add(&other.0);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In microseconds; 0 of nothing.
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// In microseconds; 0 of nothing.
    pub(crate) fn mean_us(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.mean() / 1_000.0 }
    }

    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

impl Default for Curve {
    fn default() -> Self {
        Self::new()
    }
}

impl Serialize for Curve {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).map_err(serde::ser::Error::custom)?;
        let written = Written {
            count: self.count(),
            mean_us: self.mean_us(),
            quantiles_us: QUANTILES.map(|quantile| (quantile, self.quantile_us(quantile))).into(),
            histogram: STANDARD.encode(bytes),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Curve {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let read = |text: &str| -> anyhow::Result<Histogram<u64>> {
            let bytes = STANDARD.decode(text).context("it is not in base 64")?;
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|e| anyhow::anyhow!("{e:?}"))
        };
        let histogram = read(&written.histogram)
            .map_err(|e| serde::de::Error::custom(format!("`histogram` is no HdrHistogram of V2: {e:#}")))?;
        Ok(Self(histogram))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut curve = Curve::new();
        (1..=1_000).for_each(|us| curve.record(Duration::from_micros(us)));
        let read: Curve = serde_json::from_str(&serde_json::to_string(&curve).unwrap()).unwrap();
        assert_eq!((read.count(), read.quantile_us(0.99)), (1_000, curve.quantile_us(0.99)));
        assert_eq!(read, curve);
        let fault = serde_json::from_str::<Curve>(r#"{"count":1,"mean_us":1,"quantiles_us":[],"histogram":"AAAA"}"#);
        assert!(fault.unwrap_err().to_string().contains("no HdrHistogram"));
    }
}
