//! An ONNX graph over tokens, and which of its outputs counts.

use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::fault::NeuralFault;
use super::runtime::Runtime;
use super::tokens::TokenRows;

/// A graph, ready to run.
#[derive(Debug)]
pub(super) struct Graph {
    session: Session,
    inputs: Vec<(String, Input)>,
    output: String,
    output_kind: OutputKind,
}

/// What an output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputKind {
    /// A vector for each token.
    OfTokens,
    /// A vector for each text.
    OfTexts,
}

/// What an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Ids,
    Mask,
    Types,
}

/// What a graph is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Embeddings,
    Logits,
}

impl Graph {
    /// Loads a graph. One thread of `threads` computes within a batch; they do not spin between batches.
    pub(super) fn load(runtime: &Runtime, onnx: &[u8], threads: usize, purpose: Purpose) -> Result<Self, NeuralFault> {
        let session = build(runtime, onnx, threads).map_err(|e| NeuralFault::Graph(e.to_string()))?;
        let inputs = inputs(&session)?;
        let (output, output_kind) = output(&session, purpose)?;
        Ok(Self { session, inputs, output, output_kind })
    }

    pub(super) fn output_kind(&self) -> OutputKind {
        self.output_kind
    }

    /// Runs the graph over rows; `read` gets the output's width and its numbers, of each token or of each text.
    pub(super) fn run<T>(&mut self, rows: &TokenRows, read: impl FnOnce(usize, &[f32]) -> T) -> Result<T, NeuralFault> {
        let fault = |e: ort::Error| NeuralFault::Run(e.to_string());
        let shape = [rows.rows, rows.length];
        let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(self.inputs.len());
        for (name, input) in &self.inputs {
            let numbers = match input {
                Input::Ids => &rows.ids,
                Input::Mask => &rows.mask,
                Input::Types => &rows.types,
            };
            let tensor = TensorRef::from_array_view((shape, numbers.as_slice())).map_err(fault)?;
            values.push((name, tensor.into()));
        }
        let outputs = self.session.run(values).map_err(fault)?;
        let output = outputs.get(&self.output).ok_or_else(|| NeuralFault::Run("its output is gone".to_owned()))?;
        let (found, numbers) = output.try_extract_tensor::<f32>().map_err(fault)?;
        let width = usize::try_from(found.last().copied().unwrap_or(0)).unwrap_or(0);
        let expected = match self.output_kind {
            OutputKind::OfTokens => rows.rows * rows.length,
            OutputKind::OfTexts => rows.rows,
        };
        if width == 0 || numbers.len() != expected * width {
            let expected = format!("{expected} vectors for {} texts of {} tokens", rows.rows, rows.length);
            return Err(NeuralFault::Run(format!(
                "output `{}` has the shape {found}; expected {expected}",
                self.output
            )));
        }
        Ok(read(width, numbers))
    }
}

fn build(runtime: &Runtime, onnx: &[u8], threads: usize) -> ort::Result<Session> {
    Session::builder(&runtime.0)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads.max(1))?
        .with_inter_threads(1)?
        // Threads that spin for the next batch would take the turns' cores.
        .with_intra_op_spinning(false)?
        .commit_from_memory(onnx)
}

/// What the graph takes, by the names that the exporters of encoders give.
fn inputs(session: &Session) -> Result<Vec<(String, Input)>, NeuralFault> {
    let mut inputs = Vec::new();
    for input in session.inputs() {
        let kind = match input.name() {
            "input_ids" => Input::Ids,
            "attention_mask" => Input::Mask,
            "token_type_ids" => Input::Types,
            other => {
                let known = "expected `input_ids`, `attention_mask` and perhaps `token_type_ids`";
                return Err(NeuralFault::Graph(format!("it has an input `{other}`; {known}")));
            }
        };
        if !matches!(input.dtype(), ValueType::Tensor { ty: TensorElementType::Int64, shape, .. } if shape.len() == 2) {
            let message =
                format!("input `{}` is {}; expected a tensor(int64) of two dimensions", input.name(), input.dtype());
            return Err(NeuralFault::Graph(message));
        }
        inputs.push((input.name().to_owned(), kind));
    }
    if !inputs.iter().any(|(_, kind)| *kind == Input::Ids) {
        return Err(NeuralFault::Graph("it has no input `input_ids`".to_owned()));
    }
    Ok(inputs)
}

/// The output that is meant: of those that could be, one of a usual name before others.
fn output(session: &Session, purpose: Purpose) -> Result<(String, OutputKind), NeuralFault> {
    let usual: &[&str] = match purpose {
        Purpose::Embeddings => &["sentence_embedding", "last_hidden_state", "token_embeddings"],
        Purpose::Logits => &["logits"],
    };
    let kind = |dtype: &ValueType| match dtype {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => match shape.len() {
            3 if purpose == Purpose::Embeddings => Some(OutputKind::OfTokens),
            2 => Some(OutputKind::OfTexts),
            _ => None,
        },
        _ => None,
    };
    let candidates = || session.outputs().iter().filter_map(|output| Some((output.name(), kind(output.dtype())?)));
    let named = usual.iter().find_map(|name| candidates().find(|(candidate, _)| candidate == name));
    let chosen = named.or_else(|| candidates().next());
    let (name, kind) = chosen.ok_or_else(|| {
        let found: Vec<String> =
            session.outputs().iter().map(|output| format!("`{}` {}", output.name(), output.dtype())).collect();
        let expected = match purpose {
            Purpose::Embeddings => "a tensor(float) with a vector for each token or for each text",
            Purpose::Logits => "a tensor(float) with a logit for each text and label, or a head beside it",
        };
        NeuralFault::Graph(format!("none of its outputs can be used: {}; expected {expected}", found.join(", ")))
    })?;
    Ok((name.to_owned(), kind))
}
