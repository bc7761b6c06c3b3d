//! One step of a compiled graph: reads columns that are there, writes columns of its own.

use libm::{expf, fabsf, logf, sqrtf, tanhf};

use super::ensemble::Ensemble;
use super::forest::Walk;
use super::linear::Linear;
use super::post_transform::{logistic, softmax};

/// Where columns stand: among the features, the constants, or what earlier steps wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) source: Source,
    pub(super) at: usize,
    pub(super) count: usize,
}

/// What columns belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Features,
    Constants,
    Written,
}

/// A step and where it writes.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) work: Work,
    pub(super) at: usize,
    pub(super) count: usize,
}

/// What a step does.
#[derive(Debug)]
pub(super) enum Work {
    Ensemble(Columns, Box<Ensemble>),
    Linear(Columns, Box<Linear>),
    /// `(x - offset) * scale`, column by column.
    Scale {
        from: Columns,
        offset: Vec<f32>,
        scale: Vec<f32>,
    },
    Normalize(Columns, Norm),
    /// Puts a value where one is missing. `missing` may be NaN.
    Impute {
        from: Columns,
        missing: f32,
        values: Vec<f32>,
    },
    Unary(Columns, Unary),
    Binary(Columns, Columns, Binary),
    Join(Vec<Columns>),
    Pick(Columns, Vec<usize>),
    /// The sum of a row times a share of it: 1, or 1 by the number of columns.
    Sum(Columns, f32),
    Softmax(Columns),
    /// For each column and each of its categories, 1 where they are equal.
    OneHot(Columns, Vec<f32>),
}

/// What a row is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Norm {
    Highest,
    L1,
    L2,
}

/// An operation on one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary {
    Exp,
    Log,
    Negate,
    Absolute,
    Root,
    Reciprocal,
    Logistic,
    Tanh,
    Relu,
    /// 1 unless it is zero.
    IsNonzero,
    /// 1 if it is zero.
    IsZero,
    /// Without what is behind the point.
    Whole,
    /// 1 above the threshold, else 0.
    Above(f32),
}

/// An operation on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// What a step may read.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) features: &'a [f32],
    pub(super) constants: &'a [f32],
    pub(super) written: &'a [f32],
}

impl<'a> Sight<'a> {
    /// The numbers of columns.
    #[inline]
    pub(super) fn of(self, columns: &Columns) -> &'a [f32] {
        let all = match columns.source {
            Source::Features => self.features,
            Source::Constants => self.constants,
            Source::Written => self.written,
        };
        &all[columns.at..columns.at + columns.count]
    }
}

impl Work {
    /// Does the work: reads what it may and fills `out`.
    pub(super) fn run(&self, sight: Sight<'_>, walk: &mut Walk, out: &mut [f32]) {
        match self {
            Self::Ensemble(from, ensemble) => ensemble.score(sight.of(from), walk, out),
            Self::Linear(from, linear) => linear.score(sight.of(from), out),
            Self::Scale { from, offset, scale } => {
                let inputs = sight.of(from).iter().zip(offset).zip(scale);
                write(out, inputs.map(|((x, offset), scale)| (x - offset) * scale));
            }
            Self::Normalize(from, norm) => norm.divide(sight.of(from), out),
            Self::Impute { from, missing, values } => {
                let is_missing = |x: f32| x == *missing || (x.is_nan() && missing.is_nan());
                let inputs = sight.of(from).iter().zip(values);
                write(out, inputs.map(|(x, value)| if is_missing(*x) { *value } else { *x }));
            }
            Self::Unary(from, unary) => write(out, sight.of(from).iter().map(|x| unary.of(*x))),
            Self::Binary(a, b, binary) => binary.of(sight.of(a), sight.of(b), out),
            Self::Join(parts) => write(out, parts.iter().flat_map(|part| sight.of(part)).copied()),
            Self::Pick(from, places) => {
                let from = sight.of(from);
                write(out, places.iter().map(|place| from[*place]));
            }
            Self::Sum(from, share) => out[0] = sight.of(from).iter().sum::<f32>() * share,
            Self::Softmax(from) => {
                out.copy_from_slice(sight.of(from));
                softmax(out);
            }
            Self::OneHot(from, categories) => {
                let from = sight.of(from).iter();
                let pairs = from.flat_map(|x| categories.iter().map(move |category| (x, category)));
                write(out, pairs.map(|(x, category)| f32::from(u8::from(x == category))));
            }
        }
    }
}

fn write(out: &mut [f32], values: impl Iterator<Item = f32>) {
    for (place, value) in out.iter_mut().zip(values) {
        *place = value;
    }
}

impl Norm {
    fn divide(self, row: &[f32], out: &mut [f32]) {
        let norm = match self {
            Self::Highest => row.iter().copied().fold(f32::MIN, f32::max),
            Self::L1 => row.iter().map(|x| fabsf(*x)).sum(),
            Self::L2 => sqrtf(row.iter().map(|x| x * x).sum()),
        };
        let divisor = if norm == 0.0 { 1.0 } else { norm };
        write(out, row.iter().map(|x| x / divisor));
    }
}

impl Unary {
    fn of(self, x: f32) -> f32 {
        match self {
            Self::Exp => expf(x),
            Self::Log => logf(x),
            Self::Negate => -x,
            Self::Absolute => fabsf(x),
            Self::Root => sqrtf(x),
            Self::Reciprocal => 1.0 / x,
            Self::Logistic => logistic(x),
            Self::Tanh => tanhf(x),
            Self::Relu => x.max(0.0),
            Self::IsNonzero => f32::from(u8::from(x != 0.0)),
            Self::IsZero => f32::from(u8::from(x == 0.0)),
            Self::Whole => x.trunc(),
            Self::Above(threshold) => f32::from(u8::from(x > threshold)),
        }
    }
}

impl Binary {
    /// Column by column; one column alone goes with each of the other's.
    fn of(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        for (at, place) in out.iter_mut().enumerate() {
            let (x, y) = (if a.len() == 1 { a[0] } else { a[at] }, if b.len() == 1 { b[0] } else { b[at] });
            *place = match self {
                Self::Add => x + y,
                Self::Subtract => x - y,
                Self::Multiply => x * y,
                Self::Divide => x / y,
            };
        }
    }
}
