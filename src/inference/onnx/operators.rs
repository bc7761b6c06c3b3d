//! The operators that are understood, each with what it becomes.

use std::rc::Rc;

use super::compile::{Compiler, Value};
use super::ensemble::Ensemble;
use super::fault::NodeFault;
use super::labels;
use super::linear::Linear;
use super::node::Node;
use super::step::{Binary, Columns, Norm, Unary, Work};
use super::tensor::{Tensor, element};

/// The operators of `ai.onnx.ml` that are understood.
const ML: [&str; 12] = [
    "ArrayFeatureExtractor",
    "Binarizer",
    "FeatureVectorizer",
    "Imputer",
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "OneHotEncoder",
    "Scaler",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "ZipMap",
];

/// The operators of `ai.onnx` that are understood.
const PLAIN: [&str; 31] = [
    "Abs",
    "Add",
    "Cast",
    "Concat",
    "Constant",
    "Div",
    "Exp",
    "Flatten",
    "Gather",
    "Gemm",
    "Identity",
    "Log",
    "LpNormalization",
    "MatMul",
    "Mul",
    "Neg",
    "Not",
    "Reciprocal",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Unsqueeze",
];

/// Whether a node's operator is understood.
pub(super) fn is_known(node: &Node<'_>) -> bool {
    match node.domain {
        "ai.onnx.ml" => ML.contains(&node.op),
        "" | "ai.onnx" => PLAIN.contains(&node.op),
        _ => false,
    }
}

/// Adds what a node does to what is compiled.
pub(super) fn compile<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    match node.op {
        "TreeEnsembleClassifier" | "TreeEnsembleRegressor" => ensemble(compiler, node)?,
        "LinearClassifier" | "LinearRegressor" => linear(compiler, node)?,
        "Scaler" => scaler(compiler, node)?,
        "Imputer" => imputer(compiler, node)?,
        "Normalizer" | "LpNormalization" => normalizer(compiler, node)?,
        "OneHotEncoder" => one_hot(compiler, node)?,
        "MatMul" | "Gemm" => product(compiler, node)?,
        "Add" | "Sub" | "Mul" | "Div" | "Sum" => binary(compiler, node)?,
        "Concat" | "FeatureVectorizer" => join(compiler, node)?,
        "ArrayFeatureExtractor" | "Gather" => pick(compiler, node)?,
        "Slice" => slice(compiler, node)?,
        "ReduceMean" | "ReduceSum" | "Softmax" => along_the_row(compiler, node)?,
        "Constant" => constant(compiler, node)?,
        "Identity" | "ZipMap" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => same(compiler, node)?,
        _ => unary(compiler, node)?,
    }
    node.refuse_the_rest(&["nodes_hitrates", "nodes_hitrates_as_tensor"])
}

fn ensemble<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    if node.op == "TreeEnsembleRegressor" {
        let (ensemble, targets) = Ensemble::regressor(node, from.count)?;
        return compiler.add(node, 0, Work::Ensemble(from, Box::new(ensemble)), targets);
    }
    let classes = label_count(node)?;
    let ensemble = Ensemble::classifier(node, from.count, classes)?;
    compiler.add(node, 1, Work::Ensemble(from, Box::new(ensemble)), classes)
}

fn linear<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    if node.op == "LinearRegressor" {
        let (linear, targets) = Linear::regressor(node, from.count)?;
        return compiler.add(node, 0, Work::Linear(from, Box::new(linear)), targets);
    }
    let (linear, scores) = Linear::classifier(node, from.count, label_count(node)?)?;
    compiler.add(node, 1, Work::Linear(from, Box::new(linear)), scores)
}

fn label_count(node: &Node<'_>) -> Result<usize, NodeFault> {
    labels::of_node(node).map(|labels| labels.count())
}

fn scaler<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    let offset = by_column(node, "offset", node.floats("offset")?, from.count)?;
    let scale = by_column(node, "scale", node.floats("scale")?, from.count)?;
    compiler.add(node, 0, Work::Scale { from, offset, scale }, from.count)
}

/// One value for all columns, or one for each.
fn by_column(node: &Node<'_>, name: &str, values: &[f32], count: usize) -> Result<Vec<f32>, NodeFault> {
    match values {
        [one] => Ok(vec![*one; count]),
        each if each.len() == count => Ok(each.to_vec()),
        other => Err(node.fault(format!("attribute `{name}` has {} values for {count} columns", other.len()))),
    }
}

#[expect(clippy::cast_precision_loss, reason = "models compute with 32-bit floats")]
fn imputer<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    let integers: Vec<f32> = node.integers("imputed_value_int64s")?.iter().map(|value| *value as f32).collect();
    let replaced = (node.float("replaced_value_float")?, node.integer("replaced_value_int64")?);
    let (name, values, missing) = match node.floats("imputed_value_floats")? {
        [] => ("imputed_value_int64s", integers.as_slice(), replaced.1.map(|value| value as f32)),
        floats => ("imputed_value_floats", floats, replaced.0),
    };
    let values = by_column(node, name, values, from.count)?;
    compiler.add(node, 0, Work::Impute { from, missing: missing.unwrap_or(0.0), values }, from.count)
}

fn normalizer<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    let norm = if node.op == "LpNormalization" {
        check_axis(node, node.integer("axis")?.unwrap_or(-1))?;
        match node.integer("p")?.unwrap_or(2) {
            1 => Norm::L1,
            2 => Norm::L2,
            other => return Err(node.fault(format!("p = {other} is not supported"))),
        }
    } else {
        match node.text("norm")?.unwrap_or("MAX") {
            "MAX" => Norm::Highest,
            "L1" => Norm::L1,
            "L2" => Norm::L2,
            other => return Err(node.fault(format!("norm `{other}` is not supported"))),
        }
    };
    compiler.add(node, 0, Work::Normalize(from, norm), from.count)
}

#[expect(clippy::cast_precision_loss, reason = "models compute with 32-bit floats")]
fn one_hot<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    node.integer("zeros")?;
    let categories: Vec<f32> = node.integers("cats_int64s")?.iter().map(|value| *value as f32).collect();
    let count = from.count * categories.len();
    compiler.add(node, 0, Work::OneHot(from, categories), count)
}

fn product<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    let matrix = compiler.constant(node, 1)?;
    let ([rows, columns], Some(mut numbers)) = (matrix.dims.as_slice(), matrix.numbers()) else {
        return Err(node.fault("its second input is no matrix of numbers"));
    };
    let (mut rows, mut columns) = (*rows, *columns);
    if rows == 0 || columns == 0 {
        return Err(node.fault(format!("its second input is a matrix of {rows} x {columns}: it has no numbers")));
    }
    compiler.weigh(node, numbers.len())?;
    let mut intercepts = None;
    if node.op == "Gemm" {
        let is_plain = node.float("alpha")?.unwrap_or(1.0) == 1.0 && node.float("beta")?.unwrap_or(1.0) == 1.0;
        if !is_plain || node.integer("transA")?.unwrap_or(0) != 0 {
            return Err(node.fault("`alpha`, `beta` other than 1 and `transA` are not supported"));
        }
        if node.integer("transB")?.unwrap_or(0) != 0 {
            numbers = (0..columns)
                .flat_map(|at| (0..rows).map(move |row| (row, at)))
                .map(|(row, at)| numbers[row * columns + at])
                .collect();
            (rows, columns) = (columns, rows);
        }
        if node.inputs.len() > 2 {
            intercepts = compiler.constant(node, 2)?.numbers();
        }
    }
    let mut intercepts = intercepts.unwrap_or_else(|| vec![0.0; columns]);
    if intercepts.len() == 1 {
        intercepts = vec![intercepts[0]; columns];
    }
    if rows != from.count || intercepts.len() != columns {
        let sizes = format!("{} columns, a matrix of {rows} x {columns}, {} added", from.count, intercepts.len());
        return Err(node.fault(format!("sizes do not fit: {sizes}")));
    }
    compiler.add(node, 0, Work::Linear(from, Box::new(Linear::product(&numbers, rows, intercepts))), columns)
}

fn binary<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let binary = match node.op {
        "Add" | "Sum" => Binary::Add,
        "Sub" => Binary::Subtract,
        "Mul" => Binary::Multiply,
        _ => Binary::Divide,
    };
    let mut a = compiler.columns(node, 0)?;
    if node.inputs.len() == 1 && node.op == "Sum" {
        compiler.name(node, 0, Value::Columns(a));
        return Ok(());
    }
    for nth in 1..node.inputs.len().max(2) {
        let b = compiler.columns(node, nth)?;
        if a.count != b.count && a.count != 1 && b.count != 1 {
            return Err(node.fault(format!("{} columns do not go with {}", a.count, b.count)));
        }
        a = compiler.push(node, 0, Work::Binary(a, b, binary), a.count.max(b.count))?;
    }
    Ok(())
}

fn join<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    if node.op == "Concat" {
        check_axis(node, node.integer("axis")?.unwrap_or(0))?;
    }
    let mut parts = Vec::with_capacity(node.inputs.len());
    for nth in 0..node.inputs.len() {
        parts.push(compiler.columns(node, nth)?);
    }
    if node.op == "FeatureVectorizer" {
        let sizes = node.integers("inputdimensions")?;
        let is_same = sizes.len() == parts.len()
            && sizes.iter().zip(&parts).all(|(size, part)| usize::try_from(*size) == Ok(part.count));
        if !is_same {
            return Err(node.fault("attribute `inputdimensions` does not say how many columns its inputs have"));
        }
    }
    if let Some(whole) = neighbours(&parts) {
        compiler.name(node, 0, Value::Columns(whole));
        return Ok(());
    }
    let count = parts.iter().map(|part| part.count).sum();
    compiler.add(node, 0, Work::Join(parts), count)
}

/// Columns that stand one after the other anyway.
fn neighbours(parts: &[Columns]) -> Option<Columns> {
    let (first, rest) = parts.split_first()?;
    rest.iter().try_fold(*first, |whole, part| {
        let is_next = part.source == whole.source && part.at == whole.at + whole.count;
        is_next.then_some(Columns { count: whole.count + part.count, ..whole })
    })
}

fn pick<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    if node.op == "Gather" {
        check_axis(node, node.integer("axis")?.unwrap_or(0))?;
    }
    let from = compiler.columns(node, 0)?;
    let indices = compiler.constant(node, 1)?;
    let indices = indices.integers().ok_or_else(|| node.fault("its second input is no list of integers"))?;
    let mut places = Vec::with_capacity(indices.len());
    for index in indices {
        let place = usize::try_from(*index).ok().filter(|place| *place < from.count);
        places.push(place.ok_or_else(|| node.fault(format!("it picks column {index} of {}", from.count)))?);
    }
    picked(compiler, node, from, places)
}

fn picked<'a>(
    compiler: &mut Compiler<'a>,
    node: &Node<'a>,
    from: Columns,
    places: Vec<usize>,
) -> Result<(), NodeFault> {
    let parts: Vec<Columns> = places.iter().map(|place| Columns { at: from.at + place, count: 1, ..from }).collect();
    if let Some(whole) = neighbours(&parts) {
        compiler.name(node, 0, Value::Columns(whole));
        return Ok(());
    }
    let count = places.len();
    compiler.add(node, 0, Work::Pick(from, places), count)
}

fn slice<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    let list = |nth: usize, name: &'static str| -> Result<Vec<i64>, NodeFault> {
        if node.inputs.get(nth).is_none_or(|input| input.is_empty()) {
            return Ok(node.integers(name)?.to_vec());
        }
        let tensor = compiler.constant(node, nth)?;
        tensor.integers().map(<[i64]>::to_vec).ok_or_else(|| node.fault(format!("input {nth} is no list of integers")))
    };
    let (starts, ends) = (list(1, "starts")?, list(2, "ends")?);
    let (axes, steps) = (list(3, "axes")?, list(4, "steps")?);
    let ([start], [end], [axis], [] | [1]) = (starts.as_slice(), ends.as_slice(), axes.as_slice(), steps.as_slice())
    else {
        return Err(node.fault("only a slice of neighbouring columns is supported"));
    };
    check_axis(node, *axis)?;
    let count = i64::try_from(from.count).unwrap_or(i64::MAX);
    let place = |index: i64| if index < 0 { (index.saturating_add(count)).max(0) } else { index.min(count) };
    let places: Vec<usize> = (place(*start)..place(*end)).filter_map(|place| usize::try_from(place).ok()).collect();
    picked(compiler, node, from, places)
}

#[expect(clippy::cast_precision_loss, reason = "a number of columns")]
fn along_the_row<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    if node.op == "Softmax" {
        check_axis(node, node.integer("axis")?.unwrap_or(-1))?;
        return compiler.add(node, 0, Work::Softmax(from), from.count);
    }
    let axes = if node.inputs.len() > 1 {
        compiler.constant(node, 1)?.integers().map(<[i64]>::to_vec)
    } else {
        Some(node.integers("axes")?.to_vec())
    };
    let Some([axis]) = axes.as_deref() else { return Err(node.fault("only a sum over one axis is supported")) };
    check_axis(node, *axis)?;
    if node.integer("keepdims")?.unwrap_or(1) == 0 {
        return Err(node.fault("keepdims = 0 is not supported"));
    }
    let share = if node.op == "ReduceMean" { 1.0 / from.count as f32 } else { 1.0 };
    compiler.add(node, 0, Work::Sum(from, share), 1)
}

/// The axis along a row's columns.
fn check_axis(node: &Node<'_>, axis: i64) -> Result<(), NodeFault> {
    if axis == 1 || axis == -1 { Ok(()) } else { Err(node.fault(format!("axis {axis} is not supported; 1 is"))) }
}

fn constant<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let tensor = match (node.tensor("value")?, node.float("value_float")?, node.floats("value_floats")?) {
        (Some(tensor), ..) => tensor.clone(),
        (None, Some(value), _) => Tensor { dims: Vec::new(), ..Tensor::floats(vec![value]) },
        (None, None, values) => Tensor::floats(values.to_vec()),
    };
    compiler.name(node, 0, Value::Constant(Rc::new(tensor)));
    Ok(())
}

/// Operators that only say the same in another form.
fn same<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let name = node.input(0)?;
    let value = compiler.value(node, name)?.clone();
    match (node.op, &value) {
        ("Identity", _) => {}
        ("ZipMap", Value::Columns(columns)) => {
            let labels = label_count(node)?;
            if labels != columns.count {
                return Err(node.fault(format!("it has {labels} labels for {} scores", columns.count)));
            }
        }
        ("Reshape", Value::Columns(columns)) => {
            node.integer("allowzero")?;
            let shape = compiler.constant(node, 1)?.integers().unwrap_or_default();
            let is_row = match shape {
                [-1 | 0, -1] => true,
                [-1 | 0, last] => usize::try_from(*last) == Ok(columns.count),
                [-1] => columns.count == 1,
                _ => false,
            };
            if !is_row {
                return Err(node.fault(format!("the shape {shape:?} is not supported for {} columns", columns.count)));
            }
        }
        ("Flatten", Value::Columns(_)) => check_axis(node, node.integer("axis")?.unwrap_or(1))?,
        ("Squeeze" | "Unsqueeze", Value::Columns(Columns { count: 1, .. })) => {
            node.integers("axes")?;
        }
        _ => return Err(node.fault("what it is given is not supported")),
    }
    compiler.name(node, 0, value);
    Ok(())
}

fn unary<'a>(compiler: &mut Compiler<'a>, node: &Node<'a>) -> Result<(), NodeFault> {
    let from = compiler.columns(node, 0)?;
    let unary = match node.op {
        "Cast" => match node.integer("to")?.unwrap_or(0) {
            element::FLOAT | element::DOUBLE => {
                compiler.name(node, 0, Value::Columns(from));
                return Ok(());
            }
            element::INT32 | element::INT64 => Unary::Whole,
            element::BOOL => Unary::IsNonzero,
            other => return Err(node.fault(format!("a cast to the type {other} is not supported"))),
        },
        "Exp" => Unary::Exp,
        "Log" => Unary::Log,
        "Neg" => Unary::Negate,
        "Abs" => Unary::Absolute,
        "Sqrt" => Unary::Root,
        "Reciprocal" => Unary::Reciprocal,
        "Sigmoid" => Unary::Logistic,
        "Tanh" => Unary::Tanh,
        "Relu" => Unary::Relu,
        "Not" => Unary::IsZero,
        "Binarizer" => Unary::Above(node.float("threshold")?.unwrap_or(0.0)),
        _ => return Err(node.fault("this operator is not supported")),
    };
    compiler.add(node, 0, Work::Unary(from, unary), from.count)
}
