//! Texts as the numbers that a graph takes.

use tokenizers::tokenizer::PostProcessor;
use tokenizers::utils::truncation::TruncationParams;
use tokenizers::{Encoding, Tokenizer};

use super::fault::NeuralFault;

/// A tokenizer as `tokenizer.json` describes it.
#[derive(Debug)]
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    pad: i64,
    chars_max: usize,
}

/// Texts of one length, the shorter ones filled up: a row for each.
#[derive(Debug, Default)]
pub(super) struct TokenRows {
    pub(super) rows: usize,
    pub(super) length: usize,
    pub(super) ids: Vec<i64>,
    /// 1 where there is a token, 0 where a row was filled up.
    pub(super) mask: Vec<i64>,
    pub(super) types: Vec<i64>,
}

/// Tokens of a text that count when the tokenizer names no number: what the common sentence encoders were trained for.
const TOKENS_DEFAULT: usize = 256;

/// The most tokens that a tokenizer may name: attention takes time and memory with their square.
const TOKENS_MAX: usize = 4_096;

/// Characters that are looked at for each token that counts; a token of a natural language has about four.
const CHARS_A_TOKEN: usize = 16;

impl Tokens {
    /// Reads `tokenizer.json`.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, NeuralFault> {
        let fault = |what: String| NeuralFault::Tokenizer(what);
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(|e| fault(format!("it cannot be read: {e}")))?;
        let truncation = tokenizer.get_truncation().cloned();
        let max_length = truncation.as_ref().map_or(TOKENS_DEFAULT, |given| given.max_length);
        // The special tokens at a text's beginning and end count too.
        let added = tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(false));
        if max_length <= added || max_length > TOKENS_MAX {
            let bounds = format!("expected {} to {TOKENS_MAX}", added + 1);
            return Err(fault(format!("`truncation.max_length` is {max_length}; {bounds}")));
        }
        let pad = tokenizer.get_padding().map_or(0, |padding| i64::from(padding.pad_id));
        // Rows are filled up here, to the longest of their batch.
        tokenizer.with_padding(None);
        let params = TruncationParams { max_length, stride: 0, ..truncation.unwrap_or_default() };
        tokenizer.with_truncation(Some(params)).map_err(|e| fault(e.to_string()))?;
        Ok(Self { tokenizer, pad, chars_max: CHARS_A_TOKEN * max_length })
    }

    /// The tokens of a text; what is beyond the longest that the model takes is cut off.
    pub(super) fn encode(&self, text: &str) -> Result<Encoding, NeuralFault> {
        let end = text.char_indices().nth(self.chars_max).map_or(text.len(), |(at, _)| at);
        // Alone and not as a batch, which the library would spread over threads of its own.
        self.tokenizer.encode_fast(&text[..end], true).map_err(|e| NeuralFault::Tokenizer(e.to_string()))
    }

    /// Puts texts into rows of the longest one's length.
    pub(super) fn rows<'e>(&self, texts: impl Iterator<Item = &'e Encoding> + Clone, out: &mut TokenRows) {
        // A text without tokens is a row of nothing but filling.
        out.length = texts.clone().map(Encoding::len).max().unwrap_or(0).max(1);
        out.rows = 0;
        out.ids.clear();
        out.mask.clear();
        out.types.clear();
        for encoding in texts {
            out.rows += 1;
            let end = out.rows * out.length;
            out.ids.extend(encoding.get_ids().iter().map(|id| i64::from(*id)));
            out.types.extend(encoding.get_type_ids().iter().map(|id| i64::from(*id)));
            out.mask.resize(out.ids.len(), 1);
            out.ids.resize(end, self.pad);
            out.types.resize(end, 0);
            out.mask.resize(end, 0);
        }
    }
}
