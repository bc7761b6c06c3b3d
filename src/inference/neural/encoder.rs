//! Sentence embeddings.

use tokenizers::Encoding;

use super::fault::NeuralFault;
use super::graph::{Graph, OutputKind, Purpose};
use super::runtime::Runtime;
use super::tokens::{TokenRows, Tokens};

/// The bytes of an encoder's files.
#[derive(Clone, Copy, Debug)]
pub struct EncoderFiles<'a> {
    /// The ONNX graph, its weights in it.
    pub model: &'a [u8],
    /// `tokenizer.json`, as the `tokenizers` libraries write it.
    pub tokenizer: &'a [u8],
}

/// Makes a vector of each text: of length 1, close to those of texts that mean the same. A graph that gives a vector for each
/// token is averaged over the tokens.
#[derive(Debug)]
pub struct Encoder {
    reader: Reader,
    dimensions: usize,
    out: Vec<f32>,
}

/// A graph with its tokenizer: texts in, a vector of each out.
#[derive(Debug)]
pub(super) struct Reader {
    tokens: Tokens,
    graph: Graph,
    rows: TokenRows,
}

impl Encoder {
    /// Loads an encoder and tries it on a text.
    ///
    /// # Errors
    /// When a file cannot be read, or the graph takes or gives something else than tokens and vectors.
    pub fn load(runtime: &Runtime, files: EncoderFiles<'_>, threads: usize) -> Result<Self, NeuralFault> {
        let reader = Reader::load(runtime, files, threads, Purpose::Embeddings)?;
        let mut encoder = Self { reader, dimensions: 0, out: Vec::new() };
        encoder.embed(&["forthwith"])?;
        encoder.dimensions = encoder.out.len();
        Ok(encoder)
    }

    /// Numbers of an embedding.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The embeddings of texts, one after the other.
    pub fn embed(&mut self, texts: &[&str]) -> Result<&[f32], NeuralFault> {
        self.reader.read(texts, &mut self.out)?;
        if !texts.is_empty() {
            let width = self.out.len() / texts.len();
            self.out.chunks_exact_mut(width).for_each(normalise);
        }
        Ok(&self.out)
    }
}

impl Reader {
    pub(super) fn load(
        runtime: &Runtime,
        files: EncoderFiles<'_>,
        threads: usize,
        purpose: Purpose,
    ) -> Result<Self, NeuralFault> {
        let tokens = Tokens::from_json(files.tokenizer)?;
        let graph = Graph::load(runtime, files.model, threads, purpose)?;
        Ok(Self { tokens, graph, rows: TokenRows::default() })
    }

    /// Writes the vectors of the texts, in their order.
    ///
    /// Texts of about one length run together: filling short ones up to the length of a long one would cost as if they
    /// were long.
    pub(super) fn read(&mut self, texts: &[&str], out: &mut Vec<f32>) -> Result<(), NeuralFault> {
        out.clear();
        let encodings = texts.iter().map(|text| self.tokens.encode(text)).collect::<Result<Vec<_>, _>>()?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|nth| std::cmp::Reverse(encodings[*nth].len()));
        for group in order.chunk_by(are_alike(&encodings)) {
            self.tokens.rows(group.iter().map(|nth| &encodings[*nth]), &mut self.rows);
            let (rows, kind) = (&self.rows, self.graph.output_kind());
            self.graph.run(rows, |width, numbers| {
                // A graph whose vectors grow with its texts is none that can be used: the first width counts.
                if out.is_empty() {
                    out.resize(texts.len() * width, 0.0);
                } else if out.len() != texts.len() * width {
                    return Err(NeuralFault::Run("its vectors are not of one length".to_owned()));
                }
                for (row, nth) in group.iter().enumerate() {
                    let vector = &mut out[nth * width..(nth + 1) * width];
                    match kind {
                        OutputKind::OfTexts => vector.copy_from_slice(&numbers[row * width..(row + 1) * width]),
                        OutputKind::OfTokens => average(rows, row, numbers, vector),
                    }
                }
                Ok(())
            })??;
        }
        Ok(())
    }
}

/// Whether the next of texts that get shorter belongs into the group of the one before it: a group's texts have lengths
/// between the same powers of two, so that filling up at most doubles the work.
fn are_alike(encodings: &[Encoding]) -> impl Fn(&usize, &usize) -> bool {
    let magnitude = |nth: usize| encodings[nth].len().max(1).next_power_of_two();
    move |a, b| magnitude(*a) == magnitude(*b)
}

/// The mean of the vectors of a row's tokens.
fn average(rows: &TokenRows, row: usize, numbers: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let mut count = 0.0_f32;
    for nth in row * rows.length..(row + 1) * rows.length {
        if rows.mask[nth] == 0 {
            continue;
        }
        count += 1.0;
        let vector = &numbers[nth * out.len()..(nth + 1) * out.len()];
        out.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
    }
    // A text without tokens keeps a vector of zeros.
    out.iter_mut().for_each(|sum| *sum /= count.max(1.0));
}

/// Brings a vector to length 1; one of zeros stays.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_counts_tokens_and_no_filling() {
        let rows = TokenRows { rows: 2, length: 3, mask: vec![1, 1, 0, 1, 0, 0], ..TokenRows::default() };
        let numbers = [1.0, 2.0, 3.0, 4.0, 99.0, 99.0, 5.0, 6.0, 99.0, 99.0, 99.0, 99.0];
        let mut out = [0.0; 2];
        average(&rows, 0, &numbers, &mut out);
        assert_eq!(out, [2.0, 3.0]);
        average(&rows, 1, &numbers, &mut out);
        assert_eq!(out, [5.0, 6.0]);
    }

    #[test]
    fn a_vector_has_length_one_unless_it_is_nothing() {
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut nothing = [0.0; 2];
        normalise(&mut nothing);
        assert_eq!(nothing, [0.0; 2]);
    }
}
