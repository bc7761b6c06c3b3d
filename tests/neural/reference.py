"""What Python makes of sentences with the encoder: the vectors that the tests compare with.

Each sentence goes alone, without filling, through the `tokenizers` and `onnxruntime` packages; the vectors of its tokens are
averaged and brought to length 1.
"""

import json
import pathlib
import sys

import numpy
import onnxruntime
import tokenizers

import bag_of_words

SENTENCES = [
    "My card was declined at the till this morning.",
    "card declined",
    "I would like to close my account, please.",
    "Wo bleibt meine Rückerstattung? Ich warte seit drei Wochen.",
    "¿Cómo cambio mi contraseña?",
    "支払いが二重に引き落とされました。",
    "naïve café — ‘quotes’ … and a\ttab\nand a line",
    "😀 emoji 🏳️‍🌈 and ZWJ",
    "",
    " ",
    "a",
    "unbelievablylongwordthatnobodyhaseverwrittenbeforebutatokenizermustsurvive" * 3,
    "The parcel was due on Monday and has not come; tracking says it left the depot on Friday. " * 20,
    "İstanbul'da ǅ ﬁn \u0000 \ufffd \u200b end",
]


def main(folder):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    rows = []
    for sentence in SENTENCES:
        encoding = tokenizer.encode(sentence)
        (tokens,) = session.run(
            None,
            {
                "input_ids": numpy.array([encoding.ids], dtype=numpy.int64),
                "attention_mask": numpy.array([encoding.attention_mask], dtype=numpy.int64),
                "token_type_ids": numpy.array([encoding.type_ids], dtype=numpy.int64),
            },
        )
        vector = tokens[0].astype(numpy.float64).mean(axis=0)
        vector /= numpy.linalg.norm(vector)
        rows.append({"text": sentence, "tokens": len(encoding.ids), "vector": vector.tolist()})
    (folder / "expected.json").write_text(json.dumps(rows))
    bag_of_words.write(folder / "bag_of_words.onnx", (folder / "tokenizer.json").read_text())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
