//! What a classifier is worth on labelled rows: accuracy, macro-F1, calibration error, what it confuses, what it keeps when it may
//! abstain.

use std::collections::BTreeMap;

use super::Probability;

/// Bins of the calibration error, as in Guo et al. 2017.
const ECE_BINS: usize = 15;

/// One labelled row and what a classifier said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The true label.
    pub truth: u16,
    /// The label that was found most likely; of equally likely ones the first.
    pub told: u16,
    /// How likely it was found.
    pub confidence: f32,
}

/// What a classifier is worth, in three numbers; on rows that it was not trained on, or they say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// The share of rows that were told rightly.
    pub accuracy: f64,
    /// The mean over labels of the harmonic mean of precision and recall, so that rare labels count as much as frequent ones.
    /// Over the labels that a row has or that were told of one; a label that was never told rightly counts 0.
    pub macro_f1: f64,
    /// The expected calibration error: how far confidence is from accuracy, over 15 bins of equal width weighted by their rows.
    pub ece: f64,
}

/// A label that was taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// The true label.
    pub truth: u16,
    /// What was told instead.
    pub told: u16,
    /// So many rows.
    pub count: usize,
    /// Of so many with this true label.
    pub rows: usize,
}

/// What is left when the least confident rows are not told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// The share of rows that are told; rows of equal confidence are told together, so it may be more than was asked for.
    pub share: Probability,
    /// The lowest confidence among them.
    pub threshold: Probability,
    /// The share of them that is right.
    pub precision: Probability,
}

impl Judgement {
    /// What was said of a row with this true label.
    pub fn of(probabilities: &[f32], truth: u16) -> Self {
        let mut judgement = Self { truth, told: 0, confidence: f32::NEG_INFINITY };
        for (label, probability) in (0..=u16::MAX).zip(probabilities) {
            if *probability > judgement.confidence {
                (judgement.told, judgement.confidence) = (label, *probability);
            }
        }
        judgement
    }

    /// Whether it was right.
    pub fn is_correct(&self) -> bool {
        self.told == self.truth
    }
}

impl Quality {
    /// Of these rows; zeros of none. Linear in the rows.
    pub fn of(rows: &[Judgement]) -> Self {
        if rows.is_empty() {
            return Self::default();
        }
        let correct = rows.iter().filter(|row| row.is_correct()).count();
        Self { accuracy: correct as f64 / rows.len() as f64, macro_f1: macro_f1(rows), ece: calibration_error(rows) }
    }
}

fn macro_f1(rows: &[Judgement]) -> f64 {
    /// Rows of a label: rightly told, having it, told it.
    #[derive(Default)]
    struct Counts(usize, usize, usize);
    let mut labels: BTreeMap<u16, Counts> = BTreeMap::new();
    for row in rows {
        labels.entry(row.truth).or_default().1 += 1;
        labels.entry(row.told).or_default().2 += 1;
        if row.is_correct() {
            labels.entry(row.truth).or_default().0 += 1;
        }
    }
    let f1 = labels.values().map(|Counts(right, having, told)| 2.0 * *right as f64 / (having + told) as f64);
    f1.sum::<f64>() / labels.len() as f64
}

fn calibration_error(rows: &[Judgement]) -> f64 {
    let mut bins = [(0.0f64, 0usize); ECE_BINS];
    for row in rows {
        // A bin holds its upper end: confidence 1 is in the last.
        let bin = libm::ceil(f64::from(row.confidence) * ECE_BINS as f64) as usize;
        let (confidence, correct) = &mut bins[bin.clamp(1, ECE_BINS) - 1];
        *confidence += f64::from(row.confidence);
        *correct += usize::from(row.is_correct());
    }
    bins.iter().map(|(confidence, correct)| libm::fabs(confidence - *correct as f64)).sum::<f64>() / rows.len() as f64
}

/// The pairs of labels that are most often confused, most frequent first, at most so many.
pub fn worst_confusions(rows: &[Judgement], at_most: usize) -> Vec<Confusion> {
    let mut pairs: BTreeMap<(u16, u16), usize> = BTreeMap::new();
    let mut rows_of: BTreeMap<u16, usize> = BTreeMap::new();
    for row in rows {
        *rows_of.entry(row.truth).or_default() += 1;
        if !row.is_correct() {
            *pairs.entry((row.truth, row.told)).or_default() += 1;
        }
    }
    let mut worst: Vec<Confusion> = pairs
        .into_iter()
        .map(|((truth, told), count)| Confusion { truth, told, count, rows: rows_of[&truth] })
        .collect();
    // Of equal counts, the one that hurts its label more.
    worst.sort_by_key(|pair| (std::cmp::Reverse(pair.count), pair.rows, pair.truth, pair.told));
    worst.truncate(at_most);
    worst
}

/// How precise a classifier is when it tells only its most confident rows, for each of these shares of all rows.
///
/// It describes these rows and promises nothing about others: for a threshold with a promise, certify one.
pub fn coverage_table(rows: &[Judgement], shares: &[Probability]) -> Vec<Coverage> {
    let mut sorted: Vec<(Probability, bool)> =
        rows.iter().map(|row| (Probability::from_f32(row.confidence), row.is_correct())).collect();
    sorted.sort_by_key(|row| std::cmp::Reverse(*row));
    let line = |share: &Probability| {
        let wanted = (sorted.len() as u64 * u64::from(share.ppm())).div_ceil(1_000_000) as usize;
        let (threshold, _) = *sorted.get(wanted.checked_sub(1)?)?;
        let told = sorted.partition_point(|(confidence, _)| *confidence >= threshold);
        let correct = sorted[..told].iter().filter(|(_, is_correct)| *is_correct).count();
        let share = Probability::share(told, sorted.len());
        Some(Coverage { share, threshold, precision: Probability::share(correct, told) })
    };
    shares.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(truth: u16, told: u16, confidence: f32) -> Judgement {
        Judgement { truth, told, confidence }
    }

    #[test]
    fn the_first_of_equally_likely_labels_is_told() {
        assert_eq!(Judgement::of(&[0.1, 0.45, 0.45], 2), judgement(2, 1, 0.45));
    }

    /// By hand: label 0 has precision 2/3 and recall 2/2, label 1 1/1 and 1/3, label 2 0/1 and nothing to recall.
    #[test]
    fn accuracy_and_macro_f1_are_those_of_the_textbook() {
        let rows = [(0, 0), (0, 0), (1, 0), (1, 1), (1, 2)].map(|(truth, told)| judgement(truth, told, 1.0));
        let quality = Quality::of(&rows);
        assert_eq!(quality.accuracy, 0.6);
        assert!((quality.macro_f1 - (0.8 + 0.5 + 0.0) / 3.0).abs() < 1e-12);
        assert!((quality.ece - 0.4).abs() < 1e-12, "certain of all, right in three of five");
    }

    /// Two bins: (0.6, 0.6667] with mean confidence 0.65 and accuracy 0.5, (0.9333, 1] with 0.95 and 1.
    #[test]
    fn the_calibration_error_is_weighted_by_rows() {
        let rows = [judgement(0, 0, 0.64), judgement(1, 0, 0.66), judgement(0, 0, 0.94), judgement(0, 0, 0.96)];
        assert!((Quality::of(&rows).ece - (0.15 + 0.05) / 2.0).abs() < 1e-6);
        assert_eq!(Quality::of(&[]), Quality::default());
    }

    #[test]
    fn the_worst_confusion_comes_first() {
        let rows = [(0, 1), (0, 1), (0, 0), (2, 1), (2, 1), (1, 2)].map(|(truth, told)| judgement(truth, told, 0.5));
        let found = worst_confusions(&rows, 2);
        assert_eq!(found[0], Confusion { truth: 2, told: 1, count: 2, rows: 2 });
        assert_eq!(found[1], Confusion { truth: 0, told: 1, count: 2, rows: 3 });
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn who_tells_less_is_more_precise() {
        let rows = [judgement(0, 0, 0.9), judgement(0, 0, 0.8), judgement(0, 1, 0.8), judgement(0, 1, 0.3)];
        let shares = [1_000_000, 500_000, 250_000, 0].map(|ppm| Probability::from_ppm(ppm).unwrap());
        let found: Vec<_> = coverage_table(&rows, &shares)
            .iter()
            .map(|line| (line.share.ppm(), line.threshold.ppm(), line.precision.ppm()))
            .collect();
        assert_eq!(found, [(1_000_000, 300_000, 500_000), (750_000, 800_000, 666_667), (250_000, 900_000, 1_000_000)]);
    }
}
