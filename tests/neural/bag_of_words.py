"""Writes a small ONNX graph that gives logits itself: each token adds what a table says of it to each label.

    logits[label] = sum over tokens of table[token][label]

The bytes of the file are put together here, field by field of ONNX's protocol buffers, so that nothing has to be installed for it.
"""

import json
import struct

LABELS = ["password", "money"]


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, kind, dimensions, raw):
    return b"".join(field(1, d) for d in dimensions) + field(2, kind) + field(8, name) + field(9, raw)


def node(operator, inputs, outputs, attributes=b""):
    names = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    return names + field(4, operator) + attributes


def value(name, kind, dimensions):
    shape = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in dimensions)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


FLOAT, INT64 = 1, 7


def write(path, tokenizer_json):
    vocabulary = json.loads(tokenizer_json)["model"]["vocab"]
    table = [[0.0] * len(LABELS) for _ in vocabulary]
    for label, word in enumerate(LABELS):
        table[vocabulary[word]][label] = 4.0
    rows = struct.pack(f"<{len(table) * len(LABELS)}f", *(x for row in table for x in row))
    no_kept_dimension = field(5, field(1, "keepdims") + field(3, 0) + field(20, 2))
    graph = (
        field(1, node("Gather", ["table", "input_ids"], ["tokens"]))
        + field(1, node("ReduceSum", ["tokens", "axes"], ["logits"], no_kept_dimension))
        + field(2, "bag_of_words")
        + field(5, tensor("table", FLOAT, [len(table), len(LABELS)], rows))
        + field(5, tensor("axes", INT64, [1], struct.pack("<q", 1)))
        + field(11, value("input_ids", INT64, ["batch", "sequence"]))
        + field(12, value("logits", FLOAT, ["batch", len(LABELS)]))
    )
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 17)))
