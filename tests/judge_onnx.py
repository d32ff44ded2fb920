"""Judges ONNX files: by ONNX's own checker and shape inference, and by what ONNX Runtime makes of the inputs beside them.

    python tests/judge_onnx.py FOLDER

reads FOLDER/NAME.onnx and, for the input and the output of each, FOLDER/NAME.input.npy and FOLDER/NAME.output.npy. Prints a line of
JSON for each file.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def judge(path):
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    shapes = [[dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim] for output in inferred.graph.output]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given, expected = (np.load(path.with_suffix(f".{kind}.npy")) for kind in ["input", "output"])
    name = session.get_inputs()[0].name
    # Each example by itself as well: a batch may have any size.
    whole = session.run(None, {name: given})[0]
    single = np.concatenate([session.run(None, {name: given[i:i + 1]})[0] for i in range(len(given))])
    return {
        "name": path.stem,
        "difference": float(max(np.abs(whole - expected).max(), np.abs(single - expected).max())),
        "spread": float(expected.std()),
        "shapes": shapes,
        "weights": sorted(tensor.name for tensor in model.graph.initializer),
    }


for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    print(json.dumps(judge(path)))
