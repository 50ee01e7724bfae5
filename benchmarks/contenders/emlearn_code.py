"""Write a model as C by emlearn into a folder, with the headers that it includes: ``net.c`` and ``net.h``."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import emlearn  # type: ignore[import-not-found]
import numpy as np


def network(arrays: dict[str, Any]) -> str:
    """Return the C of an MLP with rectified units; its logits are compared, so no softmax is taken."""
    layers = range(len(arrays) // 2)
    weights, biases = ([arrays[f"{name}{layer}"] for layer in layers] for name in ("weights", "bias"))
    activations = ["relu"] * (len(weights) - 1) + ["identity"]
    return str(emlearn.net.c_generate_net_loadable(activations, weights, biases, prefix="net"))


def forest(arrays: dict[str, Any], *, majority: bool) -> str:
    """Return the C of trees on features of 16 bits, whose leaves are probabilities of 8 bits, or a class."""
    first, row = arrays["first"], arrays["row"]
    start = np.repeat(first[:-1], np.diff(first)).astype(int)
    # A feature goes left there if it is below the threshold, here if it is at most the threshold.
    node = [arrays["feature"].astype(int), arrays["threshold"].astype(int) + 1]
    children = (arrays[side].astype(int) for side in ("left", "right"))
    node += [np.where(child < 0, child, child + start) for child in children]
    trees = np.stack(node, axis=1).tolist(), first[:-1].tolist(), row.argmax(1) if majority else row
    features = int(arrays["features"])
    options = {"leaf_bits": 0 if majority else 8, "dtype": "int16_t", "include_proba": False}
    return str(emlearn.trees.generate_c_inlined(trees, "net", features, row.shape[1], **options))


def main() -> None:
    """Read arrays and settings and write the files."""
    settings = json.loads(sys.argv[2])
    with np.load(sys.argv[1]) as file:
        arrays = dict(file)
    folder = Path(settings["out"])
    model = settings["model"]
    code = network(arrays) if model == "mlp" else forest(arrays, majority=model == "majority")
    kind = "float" if model == "mlp" else "int16_t"
    (folder / "net.c").write_text(code + "\n", encoding="utf-8")
    head = f"#include <stdint.h>\nint32_t net_predict(const {kind} *values, int32_t count);\n"
    (folder / "net.h").write_text(head, encoding="utf-8")
    for header in Path(emlearn.includedir).glob("eml_*.h"):
        shutil.copy(header, folder)


main()
