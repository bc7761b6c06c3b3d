//! Writes small ONNX files.

/// A message of Protocol Buffers that is being written.
#[derive(Clone, Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    pub(super) fn integer(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(u64::from_ne_bytes(value.to_ne_bytes()));
        self
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub(super) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A node being written.
#[derive(Clone)]
pub(super) struct Op(Message);

impl Op {
    pub(super) fn new(domain: &str, op: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        let mut message = Message::default().text(4, op).text(7, domain);
        for input in inputs {
            message = message.text(1, input);
        }
        for output in outputs {
            message = message.text(2, output);
        }
        Self(message)
    }

    pub(super) fn ml(op: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        Self::new("ai.onnx.ml", op, inputs, outputs)
    }

    fn with(self, attribute: &Message) -> Self {
        Self(self.0.message(5, attribute))
    }

    pub(super) fn integer(self, name: &str, value: i64) -> Self {
        self.with(&Message::default().text(1, name).integer(20, 2).integer(3, value))
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.with(&Message::default().text(1, name).integer(20, 3).text(4, value))
    }

    pub(super) fn integers(self, name: &str, values: &[i64]) -> Self {
        let start = Message::default().text(1, name).integer(20, 7);
        self.with(&values.iter().fold(start, |message, value| message.integer(8, *value)))
    }

    pub(super) fn floats(self, name: &str, values: &[f32]) -> Self {
        let start = Message::default().text(1, name).integer(20, 6);
        self.with(&values.iter().fold(start, |message, value| message.float(7, *value)))
    }

    /// A constant of 32-bit floats.
    pub(super) fn tensor(self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        let tensor = dims.iter().fold(Message::default(), |message, dim| message.integer(1, *dim)).integer(2, 1);
        let tensor = values.iter().fold(tensor, |message, value| message.float(4, *value));
        self.with(&Message::default().text(1, name).integer(20, 4).message(5, &tensor))
    }

    pub(super) fn texts(self, name: &str, values: &[&str]) -> Self {
        let start = Message::default().text(1, name).integer(20, 8);
        self.with(&values.iter().fold(start, |message, value| message.text(9, value)))
    }
}

/// An input or output of the graph: its name, the type of its elements, its columns.
pub(super) type End<'a> = (&'a str, i64, i64);

fn end(end: &End<'_>) -> Message {
    let dim = |size: i64| Message::default().integer(1, size);
    let shape = Message::default().message(1, &dim(0)).message(1, &dim(end.2));
    let tensor = Message::default().integer(1, end.1).message(2, &shape);
    Message::default().text(1, end.0).message(2, &Message::default().message(1, &tensor))
}

/// A whole file.
pub(super) fn file(inputs: &[End<'_>], nodes: &[Op], outputs: &[End<'_>]) -> Vec<u8> {
    let mut graph = Message::default();
    for node in nodes {
        graph = graph.message(1, &node.0);
    }
    for input in inputs {
        graph = graph.message(11, &end(input));
    }
    for output in outputs {
        graph = graph.message(12, &end(output));
    }
    Message::default().integer(1, 8).message(7, &graph).0
}

/// A tree of one branch with two leaves over `x`, to be changed by a test.
pub(super) fn stump() -> Op {
    Op::ml("TreeEnsembleRegressor", &["x"], &["y"])
        .integers("nodes_treeids", &[0, 0, 0])
        .integers("nodes_nodeids", &[0, 1, 2])
        .integers("nodes_featureids", &[1, 0, 0])
        .floats("nodes_values", &[0.5, 0.0, 0.0])
        .texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF"])
        .integers("nodes_truenodeids", &[1, 0, 0])
        .integers("nodes_falsenodeids", &[2, 0, 0])
        .integers("target_treeids", &[0, 0])
        .integers("target_nodeids", &[1, 2])
        .integers("target_ids", &[0, 0])
        .floats("target_weights", &[10.0, 20.0])
}
