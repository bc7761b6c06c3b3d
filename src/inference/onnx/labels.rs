//! Which labels a model's scores belong to.

use super::fault::{NodeFault, OnnxFault};
use super::graph::{Form, Graph};
use super::node::Node;
use super::tensor::{Tensor, Values, element};

/// What a model gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TabularOutputs {
    /// A probability for each label, which the file has as a text.
    Texts(Vec<String>),
    /// A probability for each label, which the file has as a number.
    Numbers(Vec<i64>),
    /// The values of a regression.
    Values(usize),
}

impl TabularOutputs {
    /// How many scores there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Texts(labels) => labels.len(),
            Self::Numbers(labels) => labels.len(),
            Self::Values(count) => *count,
        }
    }

    /// The labels as texts, in the order of the scores; none for a regression.
    pub fn labels(&self) -> Option<Vec<String>> {
        match self {
            Self::Texts(labels) => Some(labels.clone()),
            Self::Numbers(labels) => Some(labels.iter().map(ToString::to_string).collect()),
            Self::Values(_) => None,
        }
    }
}

/// What `count` scores belong to.
pub(super) fn outputs(
    graph: &Graph<'_>,
    score: &str,
    needed: &[bool],
    count: usize,
) -> Result<TabularOutputs, OnnxFault> {
    let Some(labels) = find(graph, score, needed)? else { return Ok(TabularOutputs::Values(count)) };
    if labels.count() == count {
        return Ok(labels);
    }
    Err(OnnxFault::graph(format!("it has {} labels and gives {count} scores", labels.count())))
}

/// The labels that a map of the scores has, or the output beside the scores, or the only classifier on their way.
fn find(graph: &Graph<'_>, score: &str, needed: &[bool]) -> Result<Option<TabularOutputs>, OnnxFault> {
    if let Some(map) = producer(graph, score).filter(|node| node.op == "ZipMap") {
        return Ok(Some(of_node(map)?));
    }
    let is_label = |form: &Form| matches!(form, Form::Tensor { element, .. } if [element::INT64, element::STRING].contains(element));
    if let Some(output) = graph.outputs.iter().find(|output| is_label(&output.form)) {
        return follow(graph, output.name).map(Some);
    }
    let mut classifiers = graph.nodes.iter().zip(needed).filter(|(node, is_needed)| **is_needed && is_classifier(node));
    match (classifiers.next(), classifiers.next()) {
        (Some((only, _)), None) => Ok(Some(of_node(only)?)),
        _ => Ok(None),
    }
}

fn is_classifier(node: &Node<'_>) -> bool {
    node.is_ml() && ["TreeEnsembleClassifier", "LinearClassifier"].contains(&node.op)
}

fn producer<'g, 'a>(graph: &'g Graph<'a>, name: &str) -> Option<&'g Node<'a>> {
    graph.nodes.iter().find(|node| node.outputs.contains(&name))
}

/// From the output that names the label back to where the labels are listed.
fn follow(graph: &Graph<'_>, output: &str) -> Result<TabularOutputs, OnnxFault> {
    let mut name = output;
    // Each node is behind the one before it, so the way is no longer than the list.
    for _ in 0..=graph.nodes.len() {
        let Some(node) = producer(graph, name) else { break };
        match node.op {
            _ if is_classifier(node) => return Ok(of_node(node)?),
            "ArrayFeatureExtractor" | "Gather" => {
                let labels = node.inputs.first().and_then(|name| graph.constants.get(name)).and_then(listed);
                return labels.ok_or_else(|| unknown(output));
            }
            "Identity" | "Cast" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => {
                name = node.inputs.first().copied().unwrap_or_default();
            }
            _ => break,
        }
    }
    Err(unknown(output))
}

fn unknown(output: &str) -> OnnxFault {
    OnnxFault::graph(format!("output `{output}` names the label, and the labels it chooses from could not be found"))
}

fn listed(tensor: &Tensor) -> Option<TabularOutputs> {
    match &tensor.values {
        Values::Texts(labels) => Some(TabularOutputs::Texts(labels.clone())),
        Values::Integers(labels) => Some(TabularOutputs::Numbers(labels.clone())),
        _ => None,
    }
}

/// The labels that a node lists.
pub(super) fn of_node(node: &Node<'_>) -> Result<TabularOutputs, NodeFault> {
    let texts = node.texts("classlabels_strings")?;
    let numbers = if node.op == "LinearClassifier" { "classlabels_ints" } else { "classlabels_int64s" };
    match (texts, node.integers(numbers)?) {
        ([], []) => Err(node.fault("it has no labels")),
        (texts, []) => Ok(TabularOutputs::Texts(texts.to_vec())),
        ([], numbers) => Ok(TabularOutputs::Numbers(numbers.to_vec())),
        _ => Err(node.fault("it has labels as texts and as numbers")),
    }
}
