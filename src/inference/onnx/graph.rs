//! An ONNX file as it stands: nodes, inputs, outputs, constants.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::OnnxFault;
use super::node::Node;
use super::tensor::{Tensor, element};
use super::wire::Fields;

/// How many bytes of a file are read.
pub const ONNX_BYTES_MAX: usize = 128 << 20;

/// How many nodes, inputs, outputs or constants a graph may have.
const PARTS_MAX: usize = 10_000;

/// What is read of an ONNX file.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// Inputs in their order, without those that only give an initializer's type.
    pub(super) inputs: Vec<End<'a>>,
    pub(super) outputs: Vec<End<'a>>,
    pub(super) constants: BTreeMap<&'a str, Tensor>,
}

/// An input or output of the graph.
#[derive(Clone, Debug)]
pub(super) struct End<'a> {
    pub(super) name: &'a str,
    pub(super) form: Form,
}

/// What an input or output is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// A tensor: the type of its elements and its dimensions, where they are fixed. No dimensions: the file does not say.
    Tensor { element: i64, dims: Option<Vec<Option<usize>>> },
    /// A list of maps from a label to its probability.
    Maps,
    /// The file does not say.
    Unsaid,
}

impl<'a> Graph<'a> {
    /// Reads a file.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, OnnxFault> {
        if bytes.len() > ONNX_BYTES_MAX {
            return Err(OnnxFault::TooLarge { bytes: bytes.len(), bytes_max: ONNX_BYTES_MAX });
        }
        let mut graph = None;
        let mut fields = Fields::of(bytes);
        while let Some((number, wire)) = fields.next()? {
            match number {
                7 => graph = Some(Self::read_graph(wire.bytes()?)?),
                25 => return Err(OnnxFault::graph("functions of its own are not supported")),
                _ => {}
            }
        }
        let graph = graph.ok_or_else(|| OnnxFault::damaged("it has no graph"))?;
        graph.check_names()?;
        Ok(graph)
    }

    fn read_graph(message: &'a [u8]) -> Result<Self, OnnxFault> {
        let mut graph = Self::default();
        let mut parts = 0;
        let mut fields = Fields::of(message);
        while let Some((number, wire)) = fields.next()? {
            parts += usize::from(matches!(number, 1 | 5 | 11 | 12));
            if parts > PARTS_MAX {
                return Err(OnnxFault::graph(format!(
                    "it has more than {PARTS_MAX} nodes, inputs, outputs and constants"
                )));
            }
            match number {
                1 => graph.nodes.push(Node::read(wire.bytes()?)?),
                5 => {
                    let (name, tensor) = Tensor::read(wire.bytes()?)?;
                    graph.constants.insert(name, tensor);
                }
                11 => graph.inputs.push(End::read(wire.bytes()?)?),
                12 => graph.outputs.push(End::read(wire.bytes()?)?),
                15 => return Err(OnnxFault::graph("sparse constants are not supported")),
                _ => {}
            }
        }
        let constants = &graph.constants;
        graph.inputs.retain(|input| !constants.contains_key(input.name));
        Ok(graph)
    }

    /// Each value is given once, and before it is used.
    fn check_names(&self) -> Result<(), OnnxFault> {
        let mut known: BTreeSet<&str> = self.constants.keys().copied().collect();
        for input in &self.inputs {
            if !known.insert(input.name) {
                return Err(OnnxFault::graph(format!("there are two inputs `{}`", input.name)));
            }
        }
        for node in &self.nodes {
            if let Some(name) = node.inputs.iter().find(|name| !name.is_empty() && !known.contains(*name)) {
                return Err(OnnxFault::Nodes(vec![
                    node.fault(format!("its input `{name}` is given by no node before it")),
                ]));
            }
            for name in node.outputs.iter().filter(|name| !name.is_empty()) {
                if !known.insert(name) {
                    return Err(OnnxFault::Nodes(vec![node.fault(format!("its output `{name}` is given twice"))]));
                }
            }
        }
        match self.outputs.iter().find(|output| !known.contains(output.name)) {
            Some(output) => Err(OnnxFault::graph(format!("output `{}` is given by no node", output.name))),
            None => Ok(()),
        }
    }
}

impl<'a> End<'a> {
    /// Reads a `ValueInfoProto`.
    fn read(message: &'a [u8]) -> Result<Self, OnnxFault> {
        let mut end = Self { name: "", form: Form::Unsaid };
        let mut fields = Fields::of(message);
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => end.name = wire.text()?,
                2 => end.form = Form::read(wire.bytes()?)?,
                _ => {}
            }
        }
        Ok(end)
    }
}

impl Form {
    /// Reads a `TypeProto`.
    fn read(message: &[u8]) -> Result<Self, OnnxFault> {
        let mut form = Self::Unsaid;
        let mut fields = Fields::of(message);
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => form = Self::read_tensor(wire.bytes()?)?,
                4 => form = Self::Maps,
                _ => {}
            }
        }
        Ok(form)
    }

    fn read_tensor(message: &[u8]) -> Result<Self, OnnxFault> {
        let (mut kind, mut dims) = (element::FLOAT, None);
        let mut fields = Fields::of(message);
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => kind = wire.integer()?,
                2 => dims = Some(read_dims(wire.bytes()?)?),
                _ => {}
            }
        }
        Ok(Self::Tensor { element: kind, dims })
    }
}

fn read_dims(message: &[u8]) -> Result<Vec<Option<usize>>, OnnxFault> {
    let mut dims = Vec::new();
    let mut fields = Fields::of(message);
    while let Some((number, wire)) = fields.next()? {
        if number == 1 {
            let mut dim = None;
            let mut inner = Fields::of(wire.bytes()?);
            while let Some((number, wire)) = inner.next()? {
                if number == 1 {
                    dim = usize::try_from(wire.integer()?).ok().filter(|size| *size > 0);
                }
            }
            dims.push(dim);
        }
        if dims.len() > 8 {
            return Err(OnnxFault::graph("an input or output has more than eight dimensions"));
        }
    }
    Ok(dims)
}
