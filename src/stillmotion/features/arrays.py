"""Fitted feature classifiers as plain arrays: decision trees and linear ones, which NumPy alone evaluates.

The same arrays are saved in bundles and written out as C, so they hold all that a device computes after the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from .feature_set import FeatureSet

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
#: A leaf's feature and children.
LEAF = -1
#: Smallest probability whose logarithm is taken.
SMALLEST = 1e-12
#: Nodes that are visited at a time.
BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class TreeArrays:
    """Decision trees whose class probabilities are averaged: a random forest or extra trees.

    A window starts at the root of each tree; at an inner node it goes left if its feature is at most the threshold,
    and right otherwise. Its probabilities are the mean of the values of the leaves that it ends in, divided by their
    sum. Children stand after their parent, so that no path returns.

    Args:
        features: the features that the columns of a table are.
        roots: (trees,) int32 node of each tree's root.
        feature: (nodes,) int32 feature that a node compares, -1 for a leaf.
        threshold: (nodes,) float32, 0 for a leaf.
        left, right: (nodes,) int32 children, -1 for a leaf.
        value: (nodes, C) float32 probability of each class; with logit adjustment probabilities divided by the
            classes' shares of the training windows, whose sum is not 1.

    Raises:
        UserError: the arrays are not such trees.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import FeatureSet, TreeArrays
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
        >>> trees = TreeArrays(
        ...     features, roots=[0], feature=[1, -1, -1], threshold=[0.5, 0, 0], left=[1, -1, -1], right=[2, -1, -1],
        ...     value=[[0.5, 0.5], [1, 0], [0, 1]],
        ... )
        >>> table = np.zeros((2, 8), np.float32)
        >>> table[1, 1] = 0.6  # the standard deviation
        >>> trees.predict_proba(table)
        array([[1., 0.],
               [0., 1.]], dtype=float32)
    """

    features: FeatureSet
    roots: Integers
    feature: Integers
    threshold: Floats
    left: Integers
    right: Integers
    value: Floats

    def __post_init__(self) -> None:
        for name in ("roots", "feature", "left", "right"):
            _keep(self, name, np.int32, 1)
        _keep(self, "threshold", np.float32, 1)
        _keep(self, "value", np.float32, 2)
        nodes, children = len(self.feature), np.stack([self.left, self.right])
        if {len(self.threshold), len(self.left), len(self.right), len(self.value)} != {nodes}:
            raise UserError("The arrays of decision trees differ in their number of nodes; expected one row for each.")
        if not len(self.roots) or not ((self.roots >= 0) & (self.roots < nodes)).all():
            raise UserError(f"Decision trees need roots among their {nodes} nodes, at least one.")
        leaf = self.feature == LEAF
        if not (leaf | ((self.feature >= 0) & (self.feature < len(self.features.names)))).all():
            raise UserError(f"A node of a decision tree compares a feature outside 0 … {len(self.features.names) - 1}.")
        if not (leaf | ((children > np.arange(nodes)) & (children < nodes)).all(0)).all():
            raise UserError("A node of a decision tree has a child that is no later node, so a path may never end.")
        if np.bincount(np.concatenate([self.roots, *children[:, ~leaf]])).max() > 1:
            raise UserError("A node of a decision tree has two parents; expected trees.")
        if (self.value < 0).any() or not self.value[leaf].any(1).all():
            raise UserError("A leaf of a decision tree has a negative probability, or none above 0.")

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.value.shape[1])

    @cached_property
    def comparisons(self) -> int:
        """Most comparisons that a window takes: the longest path of each tree, added up."""
        node, tree, count = self.roots, np.arange(len(self.roots)), 0
        while len(node := node[inner := self.feature[node] != LEAF]):
            tree = tree[inner]
            count += len(np.unique(tree))
            node, tree = np.concatenate([self.left[node], self.right[node]]), np.tile(tree, 2)
        return count

    def predict_proba(self, table: ArrayLike) -> Floats:
        """Return the class probabilities (n, C) of features (n, F)."""
        mean = self._mean(_table(table, self.features))
        return np.asarray(mean / mean.sum(1, keepdims=True), np.float32)

    def predict_logits(self, table: ArrayLike) -> Floats:
        """Return logits (n, C) of features (n, F): logarithms of the mean values."""
        return np.asarray(np.log(np.maximum(self._mean(_table(table, self.features)), SMALLEST)), np.float32)

    def _mean(self, table: Floats) -> NDArray[np.float64]:
        """Return the mean of the leaves' values (n, C)."""
        leaf, own = self.feature == LEAF, np.arange(len(self.feature), dtype=np.int32)
        feature = np.where(leaf, 0, self.feature)
        left, right = np.where(leaf, own, self.left), np.where(leaf, own, self.right)
        mean = np.empty((len(table), self.classes))
        step = max(1, BLOCK // len(self.roots))
        for start in range(0, len(table), step):
            rows = table[start : start + step]
            # Pairs of a window and a tree; those that have reached a leaf are left out.
            node = np.tile(self.roots, len(rows))
            active = np.flatnonzero(~leaf[node])
            while len(active):
                at = node[active]
                goes_left = rows[active // len(self.roots), feature[at]] <= self.threshold[at]
                node[active] = np.where(goes_left, left[at], right[at])
                active = active[~leaf[node[active]]]
            values = self.value[node].reshape(len(rows), len(self.roots), self.classes)
            mean[start : start + step] = values.mean(1, dtype=np.float64)
        return mean


@dataclass(frozen=True, eq=False)
class LinearArrays:
    """A linear classifier on scaled features: logits are clip((x - location) / scale) @ weights + bias.

    Args:
        features: the features that the columns of a table are.
        weights: (F, C) float32.
        bias: (C,) float32.
        location, scale: (F,) float32, mean and standard deviation of each feature.
        clip: scaled features are clipped to ± this many standard deviations.

    Raises:
        UserError: the arrays do not fit each other.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import FeatureSet, LinearArrays
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
        >>> weights = np.zeros((8, 2), np.float32)
        >>> weights[0, 1] = 1.0
        >>> linear = LinearArrays(features, weights, bias=[0, -2], location=np.ones(8), scale=np.ones(8), clip=5.0)
        >>> linear.predict_logits(np.full((1, 8), 4.0))
        array([[0., 1.]], dtype=float32)
    """

    features: FeatureSet
    weights: Floats
    bias: Floats
    location: Floats
    scale: Floats
    clip: float

    def __post_init__(self) -> None:
        _keep(self, "weights", np.float32, 2)
        for name in ("bias", "location", "scale"):
            _keep(self, name, np.float32, 1)
        object.__setattr__(self, "clip", float(self.clip))
        count = len(self.features.names)
        wanted = ((count, len(self.bias)), (count,), (count,))
        actual = (self.weights.shape, self.location.shape, self.scale.shape)
        if actual != wanted:
            raise UserError(f"A linear classifier of {count} features needs arrays of shapes {wanted}, not {actual}.")
        if not (self.scale > 0).all() or not self.clip > 0:
            raise UserError("The scale and the clip of a linear classifier's features must be above 0.")

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.bias)

    def predict_proba(self, table: ArrayLike) -> Floats:
        """Return the class probabilities (n, C) of features (n, F)."""
        logits = self._logits(table)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)

    def predict_logits(self, table: ArrayLike) -> Floats:
        """Return logits (n, C) of features (n, F)."""
        return np.asarray(self._logits(table), np.float32)

    def scaled(self, table: ArrayLike) -> Floats:
        """Return the scaled features (n, F)."""
        centred = (_table(table, self.features) - self.location) / self.scale
        return np.asarray(np.clip(centred, -self.clip, self.clip), np.float32)

    def _logits(self, table: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(self.scaled(table).astype(np.float64) @ self.weights.astype(np.float64) + self.bias)


ClassifierArrays = TreeArrays | LinearArrays


def _keep(arrays: Any, name: str, dtype: Any, dimensions: int) -> None:
    """Keep a field as an array of a type, all of whose values are finite and fit the type."""
    given = np.asarray(getattr(arrays, name))
    whole = np.issubdtype(dtype, np.integer)
    if given.dtype.kind not in ("iu" if whole else "iuf") or given.ndim != dimensions:
        raise UserError(
            f"{name} of a classifier must be {'whole ' if whole else ''}numbers in {dimensions} dimension"
            f"{'s' if dimensions > 1 else ''}, not {given.dtype} in {given.ndim}."
        )
    with np.errstate(over="ignore"):
        kept = given.astype(dtype)
    if not np.isfinite(kept).all() or (whole and (kept != given).any()):
        raise UserError(f"{name} of a classifier holds a value that is NaN, infinite or too large.")
    object.__setattr__(arrays, name, kept)


def _table(table: ArrayLike, features: FeatureSet) -> Floats:
    values = np.asarray(table, np.float32)
    if values.ndim != 2 or values.shape[1] != len(features.names):
        raise UserError(f"The classifier takes features (n, {len(features.names)}), not {values.shape}.")
    return values
