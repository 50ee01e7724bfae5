"""The Keras layer of window features, so that a saved model takes raw windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import keras
from keras import ops

from ..compiled import keep_compiled_programs
from ..errors import UserError
from .compute import compute_features
from .feature_set import FeatureSet

Tensor = Any


@keras.saving.register_keras_serializable(package="stillmotion")
class WindowFeatures(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Compute the features of raw windows: (batch, time, channels) to (batch, features).

    Made of ``keras.ops``, so it runs on every backend and in float32 equals ``extract_features``. It has no weights.
    Gradients flow through all features but two, which are steps: zero crossings and the frequency of the peak. A saved
    model that holds it opens in plain Keras after ``import stillmotion.features.feature_layer``.

    Args:
        features: the description, or its ``to_dict``.
        kwargs: of every Keras layer, such as ``name``.

    Example:
        >>> import keras
        >>> from stillmotion.features import FeatureSet, WindowFeatures
        >>> features = FeatureSet(50, 25.0, ("acc.x", "acc.y", "acc.z"), ("acc",) * 3, compressed=True)
        >>> model = keras.Sequential([keras.Input((50, 3)), WindowFeatures(features), keras.layers.Dense(4)])
        >>> model.layers[0].output.shape, model.output_shape
        ((None, 67), (None, 4))
    """

    def __init__(self, features: FeatureSet | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = features if isinstance(features, FeatureSet) else FeatureSet.from_dict(features)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the shape of the windows; there is nothing to build."""
        expected = (self.features.window, len(self.features.channels))
        if tuple(input_shape[1:]) != expected:
            raise UserError(f"The features are of windows {expected} (time, channels), not {tuple(input_shape[1:])}.")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the features (batch, features) of windows (batch, time, channels)."""
        compute = _compiled(self.features) if keras.backend.backend() == "jax" else partial(_compute, self.features)
        return ops.cast(compute(ops.cast(inputs, "float32")), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (batch, features)."""
        return (input_shape[0], len(self.features.names))

    def get_config(self) -> dict[str, Any]:
        """Return the configuration: the description as plain values."""
        return {**super().get_config(), "features": self.features.to_dict()}


def _compute(features: FeatureSet, windows: Tensor) -> Tensor:
    return compute_features(ops, ops.transpose(windows, (0, 2, 1)), features, dtype="float32")


@cache
def _compiled(features: FeatureSet) -> Callable[[Tensor], Tensor]:
    """Return the computation as one program: called eagerly, JAX would compile its hundred operations one by one."""
    import jax

    keep_compiled_programs()
    compiled: Callable[[Tensor], Tensor] = jax.jit(partial(_compute, features))
    return compiled
