//! A model over a row of numbers.

use super::compile::Program;
use super::fault::OnnxFault;
use super::forest::Walk;
use super::graph::Graph;
use super::labels::TabularOutputs;
use super::step::{Sight, Source};

/// A linear model or a tree ensemble, with what stands before and after it, read from an ONNX file.
#[derive(Debug)]
pub struct TabularModel {
    program: Program,
}

/// What a model takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TabularInputs {
    /// How many features a row has.
    pub count: usize,
    /// Their names, where the file has an input for each; empty if all are columns of one input.
    pub names: Vec<String>,
}

/// Memory that is used again from one score to the next, with any model.
#[derive(Clone, Debug, Default)]
pub struct TabularScratch {
    written: Vec<f32>,
    walk: Walk,
}

impl TabularModel {
    /// Reads an ONNX file. Everything in it that bears on the scores is understood, or it is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OnnxFault> {
        let graph = Graph::read(bytes)?;
        Ok(Self { program: Program::compile(&graph)? })
    }

    /// What it takes.
    pub fn inputs(&self) -> &TabularInputs {
        &self.program.inputs
    }

    /// What it gives.
    pub fn outputs(&self) -> &TabularOutputs {
        &self.program.outputs
    }

    /// The scores of a row, in the order of [`TabularModel::outputs`]: probabilities, or the values of a regression. A missing
    /// value is NaN. Nothing is allocated once the scratch memory has served this model.
    ///
    /// The scores are empty if the row has another number of features than [`TabularModel::inputs`] says.
    pub fn score<'s>(&self, features: &[f32], scratch: &'s mut TabularScratch) -> &'s [f32] {
        let program = &self.program;
        if features.len() != program.inputs.count {
            return &[];
        }
        let TabularScratch { written, walk } = scratch;
        if written.len() < program.written + program.scores.count {
            written.resize(program.written + program.scores.count, 0.0);
        }
        for step in &program.steps {
            let (before, out) = written.split_at_mut(step.at);
            let sight = Sight { features, constants: &program.constants, written: before };
            step.work.run(sight, walk, &mut out[..step.count]);
        }
        let scores = program.scores;
        if scores.source == Source::Written {
            return &written[scores.at..scores.at + scores.count];
        }
        // A model that only picks what it was given.
        let (before, out) = written.split_at_mut(program.written);
        let sight = Sight { features, constants: &program.constants, written: before };
        out[..scores.count].copy_from_slice(sight.of(&scores));
        &out[..scores.count]
    }
}
