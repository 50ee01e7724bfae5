"""Decision trees on window features: in float32, and in integers with thresholds of 8 or 16 bits.

Nodes with children lie tree by tree, a parent before its children, in arrays: a feature (8 bits), a threshold, two
children (8 bits each where trees are small, else 16). Leaves share rows of class probabilities, in integers of 8 bits
each, and equal rows are stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, log

import numpy as np

from ..features.arrays import LEAF, SMALLEST, TreeArrays
from ..features.compute import compress
from ..features.scale import FeatureScale
from .arithmetic import log_f32
from .blocks import C_TYPES, Array, Block, Constant, Tensor, format_number
from .feature_code import fill_templates
from .fixed_numbers import log2_of_one_plus, multiply_high, normalise, split_factor
from .float_block import FloatBlock

FOLDER = "forest"
#: Logits in integers: steps of 1/64, so that 256 of them hold probabilities down to 2 % of the largest.
STEP = 1 / 64
#: Endings of the names of features that take few values.
STEPPED = ("zero_crossings", "peak_hz")
F = np.float32


@dataclass(frozen=True, eq=False)
class Nodes:
    """Trees as C stores them.

    Args:
        first: (trees + 1,) number of each tree's first node.
        feature, threshold: of each node.
        left, right: children, counted from the tree's first node; below 0 the leaf with row -1 - child.
        row: (rows, C) values of leaves.
    """

    first: Array
    feature: Array
    threshold: Array
    left: Array
    right: Array
    row: Array

    @classmethod
    def of(cls, trees: TreeArrays, threshold: Array, values: Array) -> Nodes:
        """Lay trees out, with thresholds and values (nodes, C) in the type of the device."""
        leaf = trees.feature == LEAF
        row, place = np.unique(values[leaf], axis=0, return_inverse=True)
        rows = np.zeros(len(leaf), np.int64)
        rows[leaf] = -1 - place.ravel()
        order, first = _order(trees, leaf)
        count = np.diff(first)
        number = np.zeros(len(leaf), np.int64)
        inner = ~leaf[order]
        number[order[inner]] = (np.arange(len(order)) - np.repeat(first[:-1], count))[inner]
        # A tree that is one leaf becomes a node whose children both are that leaf.
        children = [
            np.where(leaf[order], rows[order], np.where(leaf[child[order]], rows[child[order]], number[child[order]]))
            for child in (trees.left, trees.right)
        ]
        least, most = min(part.min() for part in children), max(part.max() for part in children)
        kind = next(each for each in (np.int8, np.int16, np.int32) if np.iinfo(each).min <= min(least, -1 - most))
        features = np.maximum(trees.feature[order], 0)
        return cls(
            first.astype(np.uint16 if first[-1] < 2**16 else np.uint32),
            features.astype(np.uint8 if features.max() < 256 else np.uint16),
            threshold[order],
            children[0].astype(kind),
            children[1].astype(kind),
            row,
        )

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The arrays in C."""
        arrays = {"first": self.first, "feature": self.feature, "threshold": self.threshold}
        arrays |= {"left": self.left, "right": self.right, "row": self.row}
        return tuple(Constant(name, array) for name, array in arrays.items())

    def rows_of(self, table: Array) -> Array:
        """Return the number of the row that each tree gives each window: (n, F) to (n, trees)."""
        first = self.first[:-1].astype(np.int64)
        node = np.zeros((len(table), len(first)), np.int64)
        window = np.arange(len(table))[:, None]
        while (inner := node >= 0).any():
            at = np.where(inner, node, 0) + first
            goes_left = table[window, self.feature[at]] <= self.threshold[at]
            node = np.where(inner, np.where(goes_left, self.left[at], self.right[at]), node)
        return -1 - node

    def code(self, name: str, given: str, total: str) -> dict[str, object]:
        """Return what the C templates need."""
        return {
            "P": name,
            "IN": given,
            "SUM": total,
            "VALUE": C_TYPES[self.row.dtype.name],
            "CLASSES": self.row.shape[1],
            "TREES": len(self.first) - 1,
        }


def _order(trees: TreeArrays, leaf: Array) -> tuple[Array, Array]:
    """Return the nodes that are stored, tree by tree and level by level, and the place of each tree's first."""
    order, first = [], [0]
    for root in trees.roots:
        level, nodes = np.array([root]), [int(root)]
        while len(level := level[~leaf[level]]):
            level = np.stack([trees.left[level], trees.right[level]], axis=1).ravel()
            nodes += level[~leaf[level]].tolist()
        order += nodes
        first.append(len(order))
    return np.array(order, np.int64), np.array(first, np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Forest(FloatBlock):
    """Compute the logits of decision trees in float32; make it with ``read_classifier``.

    Args:
        trees: the classifier.
        scale: means and standard deviations of the compressed features, which integers are standardised by; None
            where there are no integers.
    """

    trees: TreeArrays
    scale: FeatureScale | None

    @cached_property
    def nodes(self) -> Nodes:
        """The trees in float32."""
        return Nodes.of(self.trees, self.trees.threshold, self.trees.value)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The trees."""
        return self.nodes.constants

    @property
    def support(self) -> tuple[str, ...]:
        """The logarithm."""
        return ("log_f32",)

    def function(self, prefix: str) -> str:
        """Walk, then take logarithms."""
        values = self.nodes.code(f"{prefix}_{self.name}", "float", "float")
        values |= {"HEAD": self.head(prefix), "COUNT": format_number(float(len(self.trees.roots)))}
        return fill_templates(FOLDER, ("walk", "logarithm_f32"), values | {"SMALLEST": format_number(SMALLEST)})

    def run(self, *x: Array) -> Array:
        """Compute the logits of features (n, F)."""
        rows = self.nodes.row[self.nodes.rows_of(x[0])]
        mean = np.add.accumulate(rows, axis=1, dtype=F)[:, -1] / F(len(self.trees.roots))
        return np.asarray(log_f32(np.where(mean > F(SMALLEST), mean, F(SMALLEST))))

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the trees with thresholds in the integers of the features."""
        assert self.scale is not None  # The features before it would have refused.
        given = inputs[0]
        inner = self.trees.feature != LEAF
        feature = np.maximum(self.trees.feature, 0)
        real = self.trees.threshold.astype(np.float64)
        real = real if self.trees.features.compressed else compress(np, real)
        standard = (real - self.scale.mean[feature]) / self.scale.std[feature] / given.step
        limits = np.iinfo(given.dtype)
        # An integer stands for the values up to half a step above it. Of features that take few values a threshold may
        # be one, which goes left and is rounded as they are.
        stepped = np.array([name.endswith(STEPPED) for name in self.trees.features.names])[feature]
        standard = np.where(stepped, np.rint(standard) + (given.dtype == "int16"), np.rint(standard - 0.5))
        threshold = np.where(inner, np.clip(standard, limits.min, limits.max), 0)
        largest = float(self.trees.value[~inner].max())
        values = np.rint(self.trees.value / largest * 255).clip(0, 255).astype(np.uint8)
        return ForestInt(
            name=self.name,
            inputs=(given,),
            output=Tensor(self.output.shape, "int8", STEP, 127 - ceil(high / STEP)),
            nodes=Nodes.of(self.trees, threshold.astype(given.dtype), values),
            unit=largest / 255 / len(self.trees.roots),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ForestInt(Block):
    """Compute the logits of decision trees in integers.

    Args:
        nodes: the trees.
        unit: probability that 1 of a sum of rows stands for.
    """

    nodes: Nodes
    unit: float

    @property
    def scratch_bytes(self) -> int:
        """A sum of each class."""
        return 4 * self.output.size

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The trees."""
        return self.nodes.constants

    @property
    def support(self) -> tuple[str, ...]:
        """The logarithm."""
        return ("normalise", "log2_of_one_plus")

    @cached_property
    def _line(self) -> tuple[int, int, int]:
        """Slope, shift and offset that make log2 · 2^25 sixteenths of a step."""
        slope, exponent = split_factor(16 / self.output.step * log(2) * 2.0**-25 * 2**16)
        return slope, -exponent, round(-16 * (log(self.unit) / self.output.step + self.output.zero_point))

    def function(self, prefix: str) -> str:
        """Walk, then take logarithms."""
        slope, shift, offset = self._line
        values = self.nodes.code(f"{prefix}_{self.name}", self.input.c_type, "int32_t")
        values |= {"HEAD": self.head(prefix), "SLOPE": slope, "SHIFT": shift, "OFFSET": offset}
        return fill_templates(FOLDER, ("walk", "logarithm_int"), values)

    def run(self, *x: Array) -> Array:
        """Compute the logits of features (n, F)."""
        total = self.nodes.row[self.nodes.rows_of(x[0])].sum(1, dtype=np.int64)
        mantissa, exponent = normalise(np.maximum(total, 1), 31)
        slope, shift, offset = self._line
        value = (exponent << 25) + log2_of_one_plus(mantissa & 0x7FFFFFFF)
        value = ((multiply_high(value, slope) >> shift) - offset + 8) >> 4
        return np.asarray(np.clip(value, -128, 127), np.int8)
