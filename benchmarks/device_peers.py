"""Measure the same model as C of stillmotion and of emlearn on emulated microcontrollers.

Two models that emlearn can run: an MLP on windows (``mlp-small`` with weights drawn by a seed, at WISDM's shape; in
float32, as emlearn's, and in int8), and a forest of 10 trees on features that are given, in integers of 16 bits,
trained on simulated subjects at SPAR's shape. Both get the same weights and trees. Of a forest ours gives logits,
emlearn a class, by the probabilities of leaves as ours does or, its default, by a majority of trees: ``equal`` counts
the class of our reference. All are called with a whole window or row, which the caller holds and which is in no figure.
emlearn is searched in ``STILLMOTION_BENCH_PYTHON``.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stillmotion.deploy import CExport, export_c, fit_counts, read_classifier
from stillmotion.deploy.blocks import Block, read_support
from stillmotion.deploy.emulator import MACHINES, Entry, measure
from stillmotion.deploy.emulator.exported import counts_of
from stillmotion.deploy.forest import ForestInt
from stillmotion.deploy.program import quantise_program
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, fit_classifier
from stillmotion.features.window_features import compute_feature_table
from stillmotion.networks import network_cost

from .contest import SCRIPTS, interpreter
from .device_networks import COLUMNS, SHAPES, Row, columns_of, cut_windows, draw_windows, save_network

#: Windows or rows that are run, and trees of the forest with their depth.
COUNT, TREES, DEPTH = 20, 10, 6
MISSING = "emlearn is in no interpreter of STILLMOTION_BENCH_PYTHON."


@dataclass(frozen=True)
class Case:
    """C to measure, what it is given and what it must give; without an entry there is no such C."""

    shape: str
    network: str
    parameters: int | None
    contender: str
    entry: Entry | None
    given: ArrayLike
    expected: ArrayLike


def rows() -> Iterator[Row]:
    """Yield a row for each model, contender and machine."""
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
        for case in (*mlps(Path(scratch)), *forests(Path(scratch))):
            for machine in MACHINES:
                row = dict.fromkeys(COLUMNS) | {name: getattr(case, name) for name in COLUMNS[:4]}
                row["machine"] = machine
                try:
                    if case.entry is None:
                        raise UserError(MISSING)
                    row |= columns_of(measure(case.entry, case.given, case.expected, machine)) | {"note": ""}
                except UserError as problem:
                    row["note"] = str(problem)
                yield row


def mlps(folder: Path) -> Iterator[Case]:
    """Yield the MLP in every form; each must give the class that its reference gives."""
    spec, windows = draw_windows(SHAPES["wisdm"])
    bundle = save_network(folder / "mlp", "mlp-small", spec, windows)
    chosen = windows[:COUNT]
    named = "wisdm", "mlp-small", network_cost(bundle.model).params
    for integers, contender in ((True, "stillmotion-int8"), (False, "stillmotion-float32")):
        export = export_c(bundle, folder / contender, int8=integers, name="net")
        given = counts_of(export, chosen)
        classes = export.program.run(given).argmax(1).astype(np.int32)
        yield Case(*named, contender, whole_window(export), given, classes)
    dense = [layer.get_weights() for layer in bundle.model.layers if layer.name.startswith(("dense", "logits"))]
    arrays: dict[str, NDArray[Any]] = {}
    # The normaliser becomes part of the first layer, as ours does it.
    mean, std = (np.tile(each((0, 1)), spec.window)[:, None] for each in (windows.mean, windows.std))
    for number, (weights, bias) in enumerate(dense):
        first = number == 0
        arrays[f"weights{number}"] = weights / std if first else weights
        arrays[f"bias{number}"] = bias - (weights * mean / std).sum(0) if first else bias
    entry = emlearn_code("mlp", arrays, folder / "emlearn-mlp", windows[0].size)
    yield Case(*named, "emlearn-float32", entry, chosen, classes)


def whole_window(export: CExport) -> Entry:
    """Return the call that answers a whole window."""
    call, kind = ("predict_i16", "int8_t") if export.integers else ("predict", "float")
    macro = export.name.upper()
    return Entry(
        sources=(export.folder / f"{export.name}.c",),
        header=f"{export.name}.h",
        call=f"static {kind} logits[{macro}_CLASSES]; *(int32_t *)output = {export.name}_{call}(window, logits);",
        output=4,
    )


def forests(folder: Path) -> Iterator[Case]:
    """Yield the forest in both forms: ours must give the reference's logits, emlearn the class of them."""
    cut = cut_windows(SHAPES["spar"])
    labelled = np.flatnonzero(np.asarray(cut.labels) >= 0)[::4]
    windows, labels = np.ascontiguousarray(cut.values(labelled), np.float32), np.asarray(cut.labels, np.int64)[labelled]
    features = FeatureSet.of(cut.spec)
    table = compute_feature_table(windows, features)
    size = {"n_estimators": TREES, "max_depth": DEPTH}
    fitted = fit_classifier(
        "random-forest", table, labels, len(cut.spec.classes), features=features, hyperparameters=size
    )
    assert fitted.arrays is not None
    counts = fit_counts(cut.spec, windows, None)
    program = quantise_program(read_classifier(fitted.arrays, windows), windows, counts.scales)
    extract, forest = (step.block for step in program.steps)
    assert isinstance(forest, ForestInt)
    given = extract.run(counts.of(windows[:: len(windows) // COUNT][:COUNT]))
    logits = forest.run(given)
    named = "spar", "random-forest, features given", None
    yield Case(*named, "stillmotion-int16", own_code(forest, folder / "forest"), given, logits)
    arrays = {each.name: each.array for each in forest.constants} | {"features": np.int32(given.shape[1])}
    classes = logits.argmax(1).astype(np.int32)
    for vote in ("probabilities", "majority"):
        entry = emlearn_code(vote, arrays, folder / f"emlearn-{vote}", given.shape[1])
        yield Case(*named, f"emlearn-int16, {vote}", entry, given, classes)


def own_code(block: Block, folder: Path) -> Entry:
    """Write one block as C with a function that calls it."""
    folder.mkdir()
    head = f"void net(const {block.input.c_type} *x, {block.output.c_type} *y)"
    call = block.call("net", ["x"], "y", "scratch")
    parts = ["#include <stdint.h>\n", *read_support(block.support)]
    parts += [each.declare(f"net_{block.name}") for each in block.constants] + [block.function("net")]
    memory = f"static uint32_t scratch[{max(1, block.scratch_bytes // 4)}];"
    parts.append(f"{head}\n{{\n    {memory}\n    (void)scratch;\n    {call}\n}}\n")
    (folder / "net.c").write_text("\n".join(parts), encoding="utf-8")
    (folder / "net.h").write_text(f"#include <stdint.h>\n{head};\n", encoding="utf-8")
    output = np.dtype(block.output.dtype).itemsize * block.output.size
    return Entry((folder / "net.c",), "net.h", "net(window, output);", output)


def emlearn_code(model: str, arrays: Mapping[str, ArrayLike], folder: Path, size: int) -> Entry | None:
    """Write a model as C by emlearn; None where it is not installed."""
    python = interpreter(("emlearn",))
    if python is None:
        return None
    folder.mkdir()
    np.savez(folder / "arrays.npz", **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    settings = json.dumps({"model": model, "out": str(folder)})
    subprocess.run([python, SCRIPTS / "emlearn_code.py", folder / "arrays.npz", settings], check=True)
    call = f"*(int32_t *)output = net_predict(window, {size});"
    return Entry((folder / "net.c",), "net.h", call, 4, libraries=("m",))
