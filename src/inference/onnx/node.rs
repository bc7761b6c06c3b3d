//! A node of the graph with its attributes.

use std::cell::RefCell;

use super::fault::{NodeFault, OnnxFault};
use super::tensor::{Tensor, Values};
use super::wire::Fields;

/// A node: an operator with the names of its inputs and outputs.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) op: &'a str,
    pub(super) domain: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    attributes: Vec<(&'a str, Attribute)>,
    /// The attributes that were asked for: one that nobody asked for is one that is not understood.
    asked: RefCell<Vec<&'static str>>,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
enum Attribute {
    Float(f32),
    Integer(i64),
    Text(String),
    Tensor(Tensor),
    /// A part of the format that is not read: a graph within the graph, say.
    Other,
}

/// How many inputs or outputs a node may have: as many as there may be columns.
const ENDS_MAX: usize = 10_000;

/// How many attributes a node may have; a tree ensemble has some twenty.
const ATTRIBUTES_MAX: usize = 64;

impl<'a> Node<'a> {
    /// Reads a `NodeProto`.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, OnnxFault> {
        let mut node = Self::default();
        let mut fields = Fields::of(message);
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => node.inputs.push(wire.text()?),
                2 => node.outputs.push(wire.text()?),
                3 => node.name = wire.text()?,
                4 => node.op = wire.text()?,
                5 => node.attributes.push(Attribute::read(wire.bytes()?)?),
                7 => node.domain = wire.text()?,
                _ => {}
            }
            if node.inputs.len().max(node.outputs.len()) > ENDS_MAX || node.attributes.len() > ATTRIBUTES_MAX {
                let what = format!("more than {ENDS_MAX} inputs or outputs, or {ATTRIBUTES_MAX} attributes");
                return Err(OnnxFault::Nodes(vec![node.fault(what)]));
            }
        }
        Ok(node)
    }

    /// Whether the operator belongs to the domain of trees and linear models.
    pub(super) fn is_ml(&self) -> bool {
        self.domain == "ai.onnx.ml"
    }

    /// A fault of this node.
    pub(super) fn fault(&self, what: impl Into<String>) -> NodeFault {
        let node = if self.name.is_empty() { self.outputs.first().copied().unwrap_or_default() } else { self.name };
        let domain = if self.domain.is_empty() { "ai.onnx" } else { self.domain };
        NodeFault { node: node.to_owned(), op: self.op.to_owned(), domain: domain.to_owned(), what: what.into() }
    }

    /// The name of an input that must be there.
    pub(super) fn input(&self, nth: usize) -> Result<&'a str, NodeFault> {
        let name = self.inputs.get(nth).copied().unwrap_or_default();
        if name.is_empty() { Err(self.fault(format!("input {nth} is missing"))) } else { Ok(name) }
    }

    /// Says which attributes were never asked for, if any.
    pub(super) fn refuse_the_rest(&self, ignored: &[&str]) -> Result<(), NodeFault> {
        let asked = self.asked.borrow();
        let is_known = |name: &str| asked.contains(&name) || ignored.contains(&name);
        match self.attributes.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(self.fault(format!("attribute `{name}` is not supported"))),
            None => Ok(()),
        }
    }

    fn attribute(&self, name: &'static str) -> Option<&Attribute> {
        self.asked.borrow_mut().push(name);
        self.attributes.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    fn wrong_type(&self, name: &str, wanted: &str) -> NodeFault {
        self.fault(format!("attribute `{name}` is not {wanted}"))
    }

    /// An integer attribute.
    pub(super) fn integer(&self, name: &'static str) -> Result<Option<i64>, NodeFault> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Integer(value)) => Ok(Some(*value)),
            Some(_) => Err(self.wrong_type(name, "an integer")),
        }
    }

    /// A float attribute.
    pub(super) fn float(&self, name: &'static str) -> Result<Option<f32>, NodeFault> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Float(value)) => Ok(Some(*value)),
            Some(_) => Err(self.wrong_type(name, "a float")),
        }
    }

    /// A text attribute.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, NodeFault> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Text(value)) => Ok(Some(value)),
            Some(_) => Err(self.wrong_type(name, "a text")),
        }
    }

    /// A list of integers; empty if it is absent.
    pub(super) fn integers(&self, name: &'static str) -> Result<&[i64], NodeFault> {
        match self.attribute(name) {
            None => Ok(&[]),
            Some(Attribute::Tensor(Tensor { values: Values::Integers(values), .. })) => Ok(values),
            Some(Attribute::Tensor(tensor)) if tensor.dims == [0] => Ok(&[]),
            Some(_) => Err(self.wrong_type(name, "a list of integers")),
        }
    }

    /// A list of floats; empty if it is absent.
    pub(super) fn floats(&self, name: &'static str) -> Result<&[f32], NodeFault> {
        match self.attribute(name) {
            None => Ok(&[]),
            Some(Attribute::Tensor(Tensor { values: Values::Floats(values), .. })) => Ok(values),
            Some(Attribute::Tensor(tensor)) if tensor.dims == [0] => Ok(&[]),
            Some(_) => Err(self.wrong_type(name, "a list of 32-bit floats")),
        }
    }

    /// A list of texts; empty if it is absent.
    pub(super) fn texts(&self, name: &'static str) -> Result<&[String], NodeFault> {
        match self.attribute(name) {
            None => Ok(&[]),
            Some(Attribute::Tensor(Tensor { values: Values::Texts(values), .. })) => Ok(values),
            Some(Attribute::Tensor(tensor)) if tensor.dims == [0] => Ok(&[]),
            Some(_) => Err(self.wrong_type(name, "a list of texts")),
        }
    }

    /// A list of numbers that is given as 32-bit floats under one name, or as a constant of 64-bit floats under another.
    pub(super) fn doubles(&self, name: &'static str, as_tensor: &'static str) -> Result<Vec<f64>, NodeFault> {
        match self.attribute(as_tensor) {
            None => Ok(self.floats(name)?.iter().map(|value| f64::from(*value)).collect()),
            Some(Attribute::Tensor(tensor)) => match &tensor.values {
                Values::Floats(values) => Ok(values.iter().map(|value| f64::from(*value)).collect()),
                Values::Doubles(values) => Ok(values.clone()),
                _ => Err(self.wrong_type(as_tensor, "a constant of floats")),
            },
            Some(_) => Err(self.wrong_type(as_tensor, "a constant of floats")),
        }
    }

    /// A constant.
    pub(super) fn tensor(&self, name: &'static str) -> Result<Option<&Tensor>, NodeFault> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Tensor(tensor)) => Ok(Some(tensor)),
            Some(_) => Err(self.wrong_type(name, "a constant")),
        }
    }
}

impl Attribute {
    /// Reads an `AttributeProto`. Lists become constants.
    fn read(message: &[u8]) -> Result<(&str, Self), OnnxFault> {
        let mut name = "";
        let mut one = Self::Other;
        let (mut floats, mut integers, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let mut kind = 0;
        let mut fields = Fields::of(message);
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => name = wire.text()?,
                2 => one = Self::Float(wire.float()?),
                3 => one = Self::Integer(wire.integer()?),
                4 => one = Self::Text(wire.text()?.to_owned()),
                5 => one = Self::Tensor(Tensor::read(wire.bytes()?)?.1),
                7 => wire.floats_into(&mut floats)?,
                8 => wire.integers_into(&mut integers)?,
                9 => texts.push(wire.text()?.to_owned()),
                20 => kind = wire.integer()?,
                _ => {}
            }
        }
        let list = |length: usize, values: Values| Self::Tensor(Tensor { dims: vec![length], values });
        let value = match kind {
            // Zeros are not written by every writer.
            1 if one == Self::Other => Self::Float(0.0),
            2 if one == Self::Other => Self::Integer(0),
            3 if one == Self::Other => Self::Text(String::new()),
            6 => list(floats.len(), Values::Floats(floats)),
            7 => list(integers.len(), Values::Integers(integers)),
            8 => list(texts.len(), Values::Texts(texts)),
            _ => one,
        };
        Ok((name, value))
    }
}
