//! A linear classifier over embeddings, and its file.
//!
//! The file `head.bin`, little endian: 8 bytes `fwhead\0\x01`, the number of labels and that of dimensions (u32 each), then for
//! each label its weights and its bias (f32 each).

use super::fault::NeuralFault;

/// A linear classifier over embeddings: a row of weights and a bias for each label.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    dimensions: usize,
    /// For each label its weights, then its bias.
    rows: Vec<f32>,
}

const MAGIC: [u8; 8] = *b"fwhead\0\x01";

/// Labels that a head may have: more than any set of intents, and 64 MiB at the widest embeddings.
const LABELS_MAX: usize = 4_096;

/// Dimensions that an embedding may have; the widest encoders in use have a quarter of them.
const DIMENSIONS_MAX: usize = 16_384;

impl Head {
    /// A head of weights, for each dimension that of each label, and of biases.
    ///
    /// # Errors
    /// When the numbers do not fit one another, or one of them is not finite.
    pub fn new(dimensions: usize, weights: &[f32], biases: &[f32]) -> Result<Self, NeuralFault> {
        let labels = biases.len();
        checked_size(labels, dimensions)?;
        if weights.len() != labels * dimensions {
            let expected = labels * dimensions;
            let message = format!("{} weights for {labels} labels; expected {expected}", weights.len());
            return Err(NeuralFault::Head(message));
        }
        let row = |label: usize| weights[label..].iter().step_by(labels).chain(&biases[label..=label]);
        Self { dimensions, rows: (0..labels).flat_map(row).copied().collect() }.checked()
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When the bytes are not those of a head, whole and sound.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NeuralFault> {
        let fault = |message: &str| NeuralFault::Head(message.to_owned());
        let rest = bytes.strip_prefix(&MAGIC).ok_or_else(|| fault("it does not begin as a head of version 1 does"))?;
        let mut numbers = rest.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
        let mut count = || numbers.next().map(|four| u32::from_le_bytes(four) as usize);
        let (labels, dimensions) =
            count().zip(count()).ok_or_else(|| fault("it ends before it says how large it is"))?;
        checked_size(labels, dimensions)?;
        let expected = 8 + 4 * labels * (dimensions + 1);
        if rest.len() != expected {
            let message = format!(
                "{} bytes for {labels} labels of {dimensions} dimensions; expected {}",
                bytes.len(),
                MAGIC.len() + expected
            );
            return Err(NeuralFault::Head(message));
        }
        Self { dimensions, rows: numbers.map(f32::from_le_bytes).collect() }.checked()
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for count in [self.labels(), self.dimensions] {
            bytes.extend((count as u32).to_le_bytes());
        }
        bytes.extend(self.rows.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    /// Labels that it tells apart.
    pub fn labels(&self) -> usize {
        self.rows.len() / (self.dimensions + 1)
    }

    /// Numbers of an embedding.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Writes the logits of an embedding.
    ///
    /// # Panics
    /// When the embedding or `out` has another length than it should.
    pub fn logits_into(&self, embedding: &[f32], out: &mut [f32]) {
        assert_eq!(embedding.len(), self.dimensions, "an embedding of the head's dimensions");
        assert_eq!(out.len(), self.labels(), "a logit for each label");
        for (row, logit) in self.rows.chunks_exact(self.dimensions + 1).zip(out) {
            let (weights, bias) = row.split_at(self.dimensions);
            *logit = dot(weights, embedding) + bias[0];
        }
    }

    fn checked(self) -> Result<Self, NeuralFault> {
        if self.rows.iter().all(|number| number.is_finite()) {
            return Ok(self);
        }
        Err(NeuralFault::Head("one of its numbers is not finite".to_owned()))
    }
}

fn checked_size(labels: usize, dimensions: usize) -> Result<(), NeuralFault> {
    if (1..=LABELS_MAX).contains(&labels) && (1..=DIMENSIONS_MAX).contains(&dimensions) {
        return Ok(());
    }
    let bounds = format!("expected 1 to {LABELS_MAX} and 1 to {DIMENSIONS_MAX}");
    Err(NeuralFault::Head(format!("{labels} labels of {dimensions} dimensions; {bounds}")))
}

/// The sum of products, in eight sums side by side that are added in a fixed order: the same bits everywhere, and a shape that
/// the compiler makes vectors of.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum::<f32>();
    for (x, y) in a_chunks.zip(b_chunks) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_logit_is_the_sum_of_products_and_the_bias() {
        // The first label's are 0 to 9, the second's 10 to 19.
        let weights: Vec<f32> = (0..10).flat_map(|n| [n as f32, n as f32 + 10.0]).collect();
        let head = Head::new(10, &weights, &[0.5, -0.5]).unwrap();
        let mut logits = [0.0; 2];
        head.logits_into(&[1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0], &mut logits);
        assert_eq!(logits, [4.0 + 27.0 + 0.5, 10.0 + 24.0 + 57.0 - 0.5]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let refused = |head: Result<Head, NeuralFault>| head.unwrap_err().to_string();
        let small = Head::new(2, &[1.0, 2.0], &[0.0]).unwrap();
        let bytes = small.to_bytes();
        let mut endless = bytes.clone();
        endless[8..12].fill(0xff);
        insta::assert_snapshot!([
            refused(Head::new(2, &[1.0], &[0.0])),
            refused(Head::new(0, &[], &[])),
            refused(Head::new(1, &[f32::NAN], &[0.0])),
            refused(Head::from_bytes(b"PK")),
            refused(Head::from_bytes(&bytes[..12])),
            refused(Head::from_bytes(&bytes[..bytes.len() - 1])),
            refused(Head::from_bytes(&endless)),
        ].join("\n"), @r"
        head: 1 weights for 1 labels; expected 2
        head: 0 labels of 0 dimensions; expected 1 to 4096 and 1 to 16384
        head: one of its numbers is not finite
        head: it does not begin as a head of version 1 does
        head: it ends before it says how large it is
        head: 27 bytes for 1 labels of 2 dimensions; expected 28
        head: 4294967295 labels of 2 dimensions; expected 1 to 4096 and 1 to 16384
        ");
    }

    proptest! {
        #[test]
        fn a_head_comes_back_from_its_file(
            dimensions in 1_usize..20,
            labels in 1_usize..10,
            seed in any::<i16>(),
        ) {
            let number = |nth: usize| f32::from(seed) + nth as f32 / 7.0;
            let weights: Vec<f32> = (0..dimensions * labels).map(number).collect();
            let biases: Vec<f32> = (0..labels).map(number).collect();
            let head = Head::new(dimensions, &weights, &biases).unwrap();
            prop_assert_eq!(Head::from_bytes(&head.to_bytes()).unwrap(), head);
        }

        #[test]
        fn strange_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), is_marked in any::<bool>()) {
            let bytes = if is_marked { [&MAGIC[..], &bytes].concat() } else { bytes };
            if let Ok(head) = Head::from_bytes(&bytes) {
                prop_assert_eq!(head.to_bytes(), bytes);
            }
        }
    }
}
