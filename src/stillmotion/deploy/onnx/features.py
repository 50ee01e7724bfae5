"""How window features and what is fitted on them become ONNX nodes.

Features are computed in float64, as NumPy does: a tree's threshold may lie beside a value, and a decision that float32
rounds otherwise would be another leaf. What follows them is float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from onnx import TensorProto

from ...features.arrays import LEAF, SMALLEST, TreeArrays
from ...features.compute import MARGIN, PEAK_MARGIN, make_spectrum_tables
from ...features.feature_set import ORDER, TIME, FeatureSet, Stream
from ..blocks import Array
from ..float_features import FloatFeatures
from ..forest import Forest
from .graph import GraphBuilder
from .layers import write_block

#: Domain of ONNX's operators of classical machine learning.
ML = "ai.onnx.ml"


class _Doubles:
    """Operations of float64 on signals (n, streams, time)."""

    def __init__(self, graph: GraphBuilder) -> None:
        self.graph = graph

    def number(self, values: object) -> str:
        return self.graph.constant(values, np.float64)

    def do(self, op: str, *inputs: str) -> str:
        return self.graph.add(op, *inputs)

    def over(self, op: str, x: str, axis: int, *, keep: bool = False) -> str:
        """Reduce an axis."""
        return self.graph.add(f"Reduce{op}", x, self.graph.whole(axis), keepdims=int(keep))

    def take(self, x: str, places: Sequence[int], axis: int) -> str:
        return self.graph.add("Gather", x, self.graph.constant(list(places), np.int64), axis=axis)

    def at(self, x: str, place: int) -> str:
        """Return one sample of each stream: (n, streams)."""
        return self.graph.add("Gather", x, self.graph.constant(place, np.int64), axis=2)

    def cut(self, x: str, first: int, last: int) -> str:
        """Return the samples from ``first`` up to ``last``."""
        return self.graph.add("Slice", x, self.graph.whole(first), self.graph.whole(last), self.graph.whole(2))

    def last_axis(self, x: str) -> str:
        """Add an axis of time: (n, streams) to (n, streams, 1)."""
        return self.graph.add("Unsqueeze", x, self.graph.whole(2))

    def to_double(self, x: str) -> str:
        return self.graph.add("Cast", x, to=TensorProto.DOUBLE)

    def root(self, x: str) -> str:
        return self.do("Sqrt", self.do("Max", x, self.number(0.0)))

    def ratio(self, over: str, under: str, defined: str) -> str:
        """Return a quotient where it is defined, 0 elsewhere."""
        safe = self.do("Where", defined, under, self.number(1.0))
        return self.do("Where", defined, self.do("Div", over, safe), self.number(0.0))


@write_block.register
def _features(block: FloatFeatures, graph: GraphBuilder, x: str) -> str:
    own, features = _Doubles(graph), block.features
    signal = own.to_double(graph.add("Transpose", graph.shaped(x, block.input.shape), perm=[0, 2, 1]))
    parts: list[str] = []
    names: list[str] = []

    def add(streams: Sequence[Stream], statistics: Sequence[str], values: list[str]) -> None:
        parts.extend(values)
        names.extend(f"{stream.name}.{name}" for name in statistics for stream in streams)

    @cache
    def select_once(signal: str, streams: tuple[Stream, ...]) -> str:
        return _select(own, signal, streams)

    def add_in_time(signal: str, streams: Sequence[Stream], length: int) -> None:
        for some, statistics in features.group_in_time(streams):
            add(some, statistics, _in_time(own, select_once(signal, tuple(some)), length, features.rate, statistics))

    add_in_time(signal, features.timed, features.window)
    if spectral := features.spectral:
        statistics = [name for name in features.statistics if name not in TIME]
        add(spectral, statistics, _in_frequency(own, select_once(signal, spectral), features))
    if features.pairs:
        parts.append(_correlations(own, signal, features.pairs))
        names += map(features.name_correlation, features.pairs)
    if features.jerks:
        later, earlier = own.cut(signal, 1, features.window), own.cut(signal, 0, features.window - 1)
        jerk = own.do("Mul", own.do("Sub", later, earlier), own.number(features.rate))
        add_in_time(jerk, features.jerks, features.window - 1)
    values = graph.add("Concat", *parts, axis=1)
    if tuple(names) != features.names:
        values = own.take(values, [names.index(name) for name in features.names], 1)
    values = _compress(own, values) if features.compressed else values
    values = graph.add("Cast", values, to=TensorProto.FLOAT)
    if block.scale is None:
        return values
    centred = graph.add("Sub", values, graph.constant(block.scale.mean))
    return graph.clip(graph.add("Div", centred, graph.constant(block.scale.std)), -block.clip, block.clip)


def _select(own: _Doubles, signal: str, streams: Sequence[Stream]) -> str:
    channels = [stream.columns[0] for stream in streams if not stream.is_norm]
    parts = [own.take(signal, channels, 1)] if channels else []
    for stream in streams:
        if stream.is_norm:
            vector = own.take(signal, stream.columns, 1)
            parts.append(own.root(own.over("Sum", own.do("Mul", vector, vector), 1, keep=True)))
    return own.graph.add("Concat", *parts, axis=1)


def _centre(own: _Doubles, x: str) -> tuple[str, str, str, str]:
    """Return the centred signal, its mean, the margin of a comparison with it, and whether the signal varies."""
    first = own.at(x, 0)
    shifted = own.do("Sub", x, own.last_axis(first))
    rest = own.over("Mean", shifted, 2)
    low, high = own.over("Min", x, 2), own.over("Max", x, 2)
    margin = own.do("Mul", own.do("Max", own.do("Abs", low), own.do("Abs", high)), own.number(MARGIN))
    varies = own.do("Greater", own.do("Sub", high, low), margin)
    return own.do("Sub", shifted, own.last_axis(rest)), own.do("Add", first, rest), margin, varies


def _in_time(own: _Doubles, x: str, length: int, rate: float, statistics: Sequence[str]) -> list[str]:
    """Return statistics in time, each (n, streams)."""
    centred, mean, margin, _ = _centre(own, x)
    values = {"mean": mean}
    if "std" in statistics:
        values["std"] = own.do("Sqrt", own.over("Mean", own.do("Mul", centred, centred), 2))
    if {*ORDER} & {*statistics}:
        ordered, _ = own.graph.add_many("TopK", [x, own.graph.whole(length)], 2, axis=2, largest=0, sorted=1)
        values |= {"min": own.at(ordered, 0), "max": own.at(ordered, length - 1)}
        first, values["median"], third = (_quantile(own, ordered, length - 1, quarters) for quarters in (1, 2, 3))
        values["iqr"] = own.do("Sub", third, first)
    else:
        values |= {"min": own.over("Min", x, 2), "max": own.over("Max", x, 2)}
    if "energy" in statistics:
        values["energy"] = own.over("Mean", own.do("Mul", x, x), 2)
    if "zero_crossings" in statistics:
        above = own.do("GreaterOrEqual", centred, own.do("Neg", own.last_axis(margin)))
        changed = own.do("Xor", own.cut(above, 1, length), own.cut(above, 0, length - 1))
        crossed = own.over("Sum", own.to_double(changed), 2)
        values["zero_crossings"] = own.do("Mul", crossed, own.number(rate / (length - 1)))
    return [values[name] for name in statistics]


def _quantile(own: _Doubles, ordered: str, last: int, quarters: int) -> str:
    below, part = divmod(quarters * last, 4)
    low = own.at(ordered, below)
    if not part:
        return low
    rise = own.do("Sub", own.at(ordered, below + 1), low)
    return own.do("Add", low, own.do("Mul", rise, own.number(part / 4)))


def _in_frequency(own: _Doubles, x: str, features: FeatureSet) -> list[str]:
    """Return frequency and share of the peak and the power of each band, each (n, streams)."""
    length = features.window
    centred, _, _, varies = _centre(own, x)
    tables = make_spectrum_tables(features, length)
    folded = zip(_fold(own, centred, length), ("cosines", "sines"), strict=True)
    parts = [own.do("MatMul", part, own.number(tables[name])) for part, name in folded]
    squares = own.do("Add", *(own.do("Mul", part, part) for part in parts))
    power = own.do("Mul", squares, own.number(tables["weights"]))
    power = own.do("Where", own.last_axis(varies), power, own.number(0.0))
    total, largest = own.over("Sum", power, 2), own.over("Max", power, 2, keep=True)
    near = own.do("GreaterOrEqual", power, own.do("Mul", largest, own.number(1 - PEAK_MARGIN)))
    place = own.graph.add("ArgMax", own.to_double(near), axis=2, keepdims=1)
    peak = own.graph.add("Squeeze", own.graph.add("GatherElements", power, place, axis=2), own.graph.whole(2))
    hertz = own.graph.add("Gather", own.number(tables["hertz"]), own.graph.add("Squeeze", place, own.graph.whole(2)))
    bands = own.do("MatMul", power, own.number(tables["bands"]))
    return [
        own.do("Where", varies, hertz, own.number(0.0)),
        own.ratio(peak, total, own.do("Greater", total, own.number(0.0))),
        *(own.at(bands, band) for band in range(len(features.bands))),
    ]


def _fold(own: _Doubles, x: str, length: int) -> tuple[str, str]:
    """Add and subtract the samples t and T - t: cosines are even in time, sines odd, so that half the tables do."""
    half, cut = (length - 1) // 2, own.graph.whole
    early = own.cut(x, 1, half + 1)
    late = own.graph.add("Slice", x, cut(length - 1), cut(length - 1 - half), cut(2), cut(-1))
    even = [own.cut(x, 0, 1), own.do("Add", early, late)]
    if length % 2 == 0:
        even.append(own.cut(x, length // 2, length // 2 + 1))
    return own.graph.add("Concat", *even, axis=2), own.do("Sub", early, late)


def _correlations(own: _Doubles, signal: str, pairs: Sequence[tuple[int, int]]) -> str:
    centred, _, _, varies = _centre(own, signal)
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    std = own.do("Sqrt", own.over("Mean", own.do("Mul", centred, centred), 2))
    size = own.do("Mul", own.take(std, first, 1), own.take(std, second, 1))
    defined = own.do("And", own.take(varies, first, 1), own.take(varies, second, 1))
    defined = own.do("And", defined, own.do("Greater", size, own.number(0.0)))
    product = own.over("Mean", own.do("Mul", own.take(centred, first, 1), own.take(centred, second, 1)), 2)
    return own.ratio(product, size, defined)


def _compress(own: _Doubles, values: str) -> str:
    """Add sign(x) · log(1 + |x|), exact for small x too: ONNX has no log1p."""
    size = own.do("Abs", values)
    total = own.do("Add", size, own.number(1.0))
    kept = own.do("Sub", total, own.number(1.0))
    some = own.do("Greater", kept, own.number(0.0))
    safe = own.do("Where", some, kept, own.number(1.0))
    logarithm = own.do("Where", some, own.do("Mul", own.do("Log", total), own.do("Div", size, safe)), size)
    return own.do("Where", own.do("Less", values, own.number(0.0)), own.do("Neg", logarithm), logarithm)


@write_block.register
def _forest(block: Forest, graph: GraphBuilder, x: str) -> str:
    arrays = block.trees
    tree = _trees_of(arrays)
    kept = np.flatnonzero(tree >= 0)
    kept = kept[np.argsort(tree[kept], kind="stable")]  # tree by tree, each root before its children
    leaf = arrays.feature[kept] == LEAF
    leaves = kept[leaf]
    classes = arrays.classes
    mean = graph.add(
        "TreeEnsembleRegressor",
        graph.shaped(x, block.input.shape),
        domain=ML,
        nodes_treeids=tree[kept].tolist(),
        nodes_nodeids=kept.tolist(),
        nodes_featureids=np.maximum(arrays.feature[kept], 0).tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_values=arrays.threshold[kept].tolist(),
        nodes_truenodeids=np.maximum(arrays.left[kept], 0).tolist(),
        nodes_falsenodeids=np.maximum(arrays.right[kept], 0).tolist(),
        target_treeids=np.repeat(tree[leaves], classes).tolist(),
        target_nodeids=np.repeat(leaves, classes).tolist(),
        target_ids=np.tile(np.arange(classes), len(leaves)).tolist(),
        target_weights=arrays.value[leaves].ravel().tolist(),
        n_targets=classes,
        aggregate_function="AVERAGE",
        post_transform="NONE",
    )
    return graph.add("Log", graph.add("Max", mean, graph.constant(SMALLEST)))


def _trees_of(arrays: TreeArrays) -> Array:
    """Return the tree of each node, -1 for nodes that no tree reaches."""
    tree = np.full(len(arrays.feature), -1)
    level = arrays.roots
    tree[level] = np.arange(len(level))
    while len(level := level[arrays.feature[level] != LEAF]):
        children = np.stack([arrays.left[level], arrays.right[level]])
        tree[children] = tree[level]
        level = children.ravel()
    return tree
