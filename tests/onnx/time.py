"""How long onnxruntime takes for one row of each export, called from Python.

    python tests/onnx/time.py FOLDER

FOLDER is one that `exports.py` wrote. A session is warmed, then asked for one row at a time, its inputs ready as numpy
arrays, its threads one. Prints the median of a call in microseconds, one export a line: `name microseconds`; the bench
`inference` reads that (`FORTHWITH_ONNX_TIMES`).
"""

import pathlib
import statistics
import sys
import time

import numpy as np
import onnxruntime

ROUNDS = 3000


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def feeds(given, row):
    if len(given) == 1:
        return {given[0].name: row.reshape(1, -1).astype(TYPES[given[0].type])}
    return {one.name: row[at : at + 1].reshape(1, 1).astype(TYPES[one.type]) for at, one in enumerate(given)}


def median_us(place):
    rows, columns, _ = (int(word) for word in (place / "shape.txt").read_text().split()[:3])
    inputs = np.frombuffer((place / "inputs.f32").read_bytes(), dtype=np.float32).reshape(rows, columns)
    ready = session(place / "model.onnx")
    scores = [ready.get_outputs()[-1].name]
    asked = [feeds(ready.get_inputs(), row) for row in inputs]
    for nth in range(200):
        ready.run(scores, asked[nth % rows])
    taken = []
    for nth in range(ROUNDS):
        before = time.perf_counter_ns()
        ready.run(scores, asked[nth % rows])
        taken.append(time.perf_counter_ns() - before)
    return statistics.median(taken) / 1000


def main():
    for place in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        if (place / "model.onnx").exists():
            print(place.name, f"{median_us(place):.2f}", flush=True)


if __name__ == "__main__":
    main()
