"""Window features inside a model: computed, standardised and clipped as one block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import UserError
from ..features.feature_set import FeatureSet
from ..features.scale import LIMIT, FeatureScale
from ..features.window_features import compute_feature_table
from ..networks.graph import Node
from .arithmetic import float_tensor
from .blocks import Array, Block, Tensor
from .fixed_features import fixed_features
from .float_block import FloatBlock
from .program import SIGNAL
from .reader import Reader


@dataclass(frozen=True, eq=False, kw_only=True)
class Describe(FloatBlock):
    """Compute the features of a window in float32, standardised and clipped.

    Args:
        features: which.
        scale: means and standard deviations of the model.
    """

    features: FeatureSet
    scale: FeatureScale

    def function(self, prefix: str) -> str:
        """Refuse: features have a C form in integers alone."""
        raise UserError("Window features have a C form in integers alone; export with --int8.")

    def run(self, *x: Array) -> Array:
        """Compute the features as the study did."""
        return self.scale.apply(compute_feature_table(x[0].reshape(len(x[0]), *self.input.shape), self.features))

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the features of raw counts in integers."""
        scales = np.broadcast_to(np.asarray(inputs[0].scale), (len(self.features.channels),))
        shifts = [round(-np.log2(scale)) for scale in scales]
        return replace(fixed_features(self.features, self.scale, shifts, name=self.name), inputs=inputs)


def add_features(reader: Reader, node: Node, described: dict[str, Any], limits: tuple[float, float]) -> str:
    """Add the block of window features that a node clips.

    Args:
        reader: of the model.
        node: the clip.
        described: the layer's features, and mean and std of the normaliser behind it.
        limits: of the clip.
    """
    if "mean" not in described or limits != (-LIMIT, LIMIT):
        reader.refuse(node, f"window features are standardised by Normalization and clipped at ±{LIMIT:g}, in C")
    features = FeatureSet.from_dict(described["features"])
    scale = FeatureScale(described["mean"].astype(np.float32), described["std"].astype(np.float32))
    shape = (features.window, len(features.channels))
    block = Describe(
        name=reader.name("features"),
        inputs=(float_tensor(shape),),
        output=float_tensor(node.shape),
        features=features,
        scale=scale,
    )
    return reader.add(block, SIGNAL)
