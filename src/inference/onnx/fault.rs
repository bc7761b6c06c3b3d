//! Why an ONNX file cannot be used.

use std::fmt;

/// Why an ONNX file cannot be used, with the place and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxFault {
    /// The file is larger than is read.
    #[error("the file has {bytes} bytes, more than the {bytes_max} that are read")]
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
        /// How many are read.
        bytes_max: usize,
    },
    /// The bytes are no ONNX file, or a damaged one.
    #[error("not an ONNX file, or a damaged one: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// The graph as a whole cannot be used.
    #[error("{what}")]
    Graph {
        /// What is wrong and what would be right.
        what: String,
    },
    /// Nodes that cannot be used, all of them.
    #[error("{}", joined(.0))]
    Nodes(Vec<NodeFault>),
}

/// A node of the graph that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFault {
    /// Its name; without one, the name of its first output.
    pub node: String,
    /// Its operator, such as `TreeEnsembleClassifier`.
    pub op: String,
    /// The operator's domain: `ai.onnx` or `ai.onnx.ml`, say.
    pub domain: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl OnnxFault {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(super) fn graph(what: impl Into<String>) -> Self {
        Self::Graph { what: what.into() }
    }
}

impl From<NodeFault> for OnnxFault {
    fn from(fault: NodeFault) -> Self {
        Self::Nodes(vec![fault])
    }
}

impl fmt::Display for NodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node `{}` (`{}` of `{}`): {}", self.node, self.op, self.domain, self.what)
    }
}

/// Each fault, but of nodes with the same operator and the same fault only the first, and how many more there are.
fn joined(faults: &[NodeFault]) -> String {
    let is_alike = |a: &NodeFault, b: &NodeFault| (&a.op, &a.domain, &a.what) == (&b.op, &b.domain, &b.what);
    let mut parts = Vec::new();
    for (at, fault) in faults.iter().enumerate() {
        if faults[..at].iter().any(|other| is_alike(other, fault)) {
            continue;
        }
        match faults[at + 1..].iter().filter(|other| is_alike(other, fault)).count() {
            0 => parts.push(fault.to_string()),
            more => parts.push(format!("{fault} (and {more} more of them)")),
        }
    }
    parts.join("; ")
}
