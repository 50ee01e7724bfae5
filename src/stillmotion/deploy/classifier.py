"""Feature classifiers as programs: decision trees and linear classifiers on window features."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import log2
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ..features.arrays import ClassifierArrays, TreeArrays
from ..features.scale import FeatureScale, fit_scale
from ..features.window_features import compute_feature_table
from .arithmetic import float_tensor
from .blocks import Block, Tensor
from .convolution import Convolve
from .fixed_features import fixed_features
from .float_features import FloatFeatures, float_features
from .forest import Forest
from .geometry import Geometry
from .program import SIGNAL, Program, Step

#: Standard deviations at which the features of trees are clipped: a split may lie far out.
CLIP = 8.0
#: Smallest standard deviation by which they are divided: 16 bits resolve no smaller one.
FINEST = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class TreeFeatures(FloatFeatures):
    """Features for trees: as they are in float32, compressed and standardised in integers, whose order is the same.

    Args:
        integers: means and standard deviations of the compressed features.
        dtype: of the integers.
    """

    integers: FeatureScale
    dtype: Literal["int8", "int16"]

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the compressed features in integers."""
        given = np.broadcast_to(np.asarray(inputs[0].scale), len(self.features.channels))
        shifts = [round(-log2(step)) for step in given]
        features = replace(self.features, compressed=True)
        return fixed_features(features, self.integers, shifts, name=self.name, dtype=self.dtype, clip=CLIP)


def read_classifier(
    arrays: ClassifierArrays, windows: ArrayLike | None = None, *, thresholds: Literal["int8", "int16"] = "int16"
) -> Program:
    """Read a feature classifier as a program.

    Args:
        arrays: decision trees or a linear classifier.
        windows: (n, time, channels) of training subjects, which the integers of trees' features are fitted to; without
            them trees are of float32 alone.
        thresholds: type of trees' thresholds in integers: 8 bits take fewer bytes, 16 agree better.

    Returns:
        The program.

    Raises:
        UserError: there is no window, or a feature is not finite.

    Example:
        >>> import numpy as np
        >>> from stillmotion.deploy import read_classifier
        >>> from stillmotion.features import FeatureSet, LinearArrays
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
        >>> weights = np.zeros((8, 2), np.float32)
        >>> weights[0, 1] = 1.0
        >>> linear = LinearArrays(features, weights, bias=[0, -2], location=np.ones(8), scale=np.ones(8), clip=5.0)
        >>> read_classifier(linear).run(np.full((1, 50, 1), 4.0))
        array([[0., 1.]], dtype=float32)
    """
    features, classes = arrays.features, arrays.classes
    signal = float_tensor((features.window, len(features.channels)))
    given, output = float_tensor((len(features.names),)), float_tensor((classes,))
    first: FloatFeatures
    last: Block
    if isinstance(arrays, TreeArrays):
        first, scale = float_features(features), None
        if windows is not None:
            scale = fit_scale(compute_feature_table(windows, replace(features, compressed=True)))
            scale = FeatureScale(scale.mean, np.maximum(scale.std, FINEST).astype(np.float32))
            parts = {each.name: getattr(first, each.name) for each in fields(first)}
            first = TreeFeatures(**parts, integers=scale, dtype=thresholds)
        last = Forest(name="forest", inputs=(given,), output=output, trees=arrays, scale=scale)
    else:
        first = float_features(features, FeatureScale(arrays.location, arrays.scale), clip=arrays.clip)
        last = Convolve(
            name="logits",
            inputs=(given,),
            output=output,
            geometry=Geometry.of((1, 1), (1, 1)),
            kernel=arrays.weights.astype(np.float64)[None, None],
            bias=arrays.bias.astype(np.float64),
        )
    return Program((Step(first, (SIGNAL,)), Step(last, (first.name,))), signal, last.name)
