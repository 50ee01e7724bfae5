"""The normaliser: the first layer of every network, so that every export contains it.

Window features are computed from the raw signal and have a normaliser of their own.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from ..errors import UserError
from ..features.feature_layer import WindowFeatures
from ..features.scale import fit_scale
from ..features.window_features import compute_feature_table
from .layers import saved_as

NORMALISER, FEATURE_NORMALISER = "normaliser", "feature_normaliser"


@saved_as(keras.layers.Normalization)
class Normaliser(keras.layers.Normalization):
    """``keras.layers.Normalization`` over the last axis that reads its statistics at every call.

    Keras' own layer turns them into constants when it is built or adapted, so a ``stateless_call`` cannot replace them;
    here a fleet can hold the statistics of one fold per replica. Saved as the plain layer.
    """

    def call(self, inputs: Any) -> Any:
        """Return (inputs − mean) / standard deviation, by the current statistics."""
        if self.input_mean is not None:
            return super().call(inputs)
        inputs = ops.cast(inputs, self.compute_dtype)
        mean = ops.cast(ops.reshape(self.adapt_mean, self._broadcast_shape), self.compute_dtype)
        variance = ops.cast(ops.reshape(self.adapt_variance, self._broadcast_shape), self.compute_dtype)
        return (inputs - mean) / ops.maximum(ops.sqrt(variance), keras.backend.epsilon())


def set_statistics(model: keras.Model, mean: ArrayLike, std: ArrayLike) -> None:
    """Set the statistics of a network's normaliser: mean and standard deviation of each channel.

    Args:
        model: a network whose first layer is a normaliser (new networks have mean 0, standard deviation 1).
        mean: (channels,) of the training subjects, in the signal's units.
        std: (channels,) of the training subjects, each above 0.

    Raises:
        UserError: the model has no normaliser, or the statistics do not fit it.

    Example:
        >>> import numpy as np
        >>> from stillmotion.networks import build_network, set_statistics
        >>> model = build_network("mlp-small", (50, 3, 4))
        >>> set_statistics(model, mean=[0, 0, 1], std=[1, 1, 2])
        >>> normalised = model.layers[1](np.full((1, 50, 3), 5.0))
        >>> np.asarray(normalised)[0, 0]
        array([5., 5., 2.], dtype=float32)
    """
    layer = get_normaliser(model)
    mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    for what, values in (("mean", mean), ("std", std)):
        if values.shape != tuple(layer.adapt_mean.shape):
            expected = tuple(layer.adapt_mean.shape)
            raise UserError(f"The normaliser of {model.name!r} needs a {what} of shape {expected}, not {values.shape}.")
        if not np.isfinite(values).all():
            raise UserError(f"The {what} of channel {int(np.argmin(np.isfinite(values)))} is not a finite number.")
    if (std <= 0).any():
        constant = int(np.argmin(std))
        raise UserError(f"Channel {constant} never changes (std {std[constant]:g}); leave it out of the signal.")
    layer.adapt_mean.assign(mean)
    layer.adapt_variance.assign(std**2)
    layer.finalize_state()


def set_feature_statistics(model: keras.Model, windows: ArrayLike) -> None:
    """Set the statistics of window features' normalisers to those of the training subjects' windows.

    Args:
        model: any network; nothing is set in one without window features.
        windows: (n, T, D) the training windows, in the signal's units.

    Raises:
        UserError: there is no window, or a feature is not finite.

    Example:
        >>> import numpy as np
        >>> from stillmotion.networks import build_network, set_feature_statistics, with_taps
        >>> model = build_network("feature-net-s", (50, 3, 4))
        >>> windows = np.random.default_rng(0).normal(size=(20, 50, 3)).astype("float32")
        >>> set_feature_statistics(model, windows)
        >>> features = np.asarray(with_taps(model, ["features"])(windows)["features"])
        >>> bool(abs(features.mean(0)).max() < 0.1)
        True
    """
    for source, layer in feature_normalisers(model):
        scale = fit_scale(compute_feature_table(windows, source.features))
        layer.adapt_mean.assign(scale.mean)
        layer.adapt_variance.assign(scale.std**2)
        layer.finalize_state()


def find_statistics(model: keras.Model) -> tuple[int, int]:
    """Find the positions of the normaliser's mean and variance in ``model.non_trainable_variables``.

    A fleet puts ``mean`` and ``std**2`` of a replica's fold there.

    Args:
        model: a network whose first layer is a normaliser.

    Returns:
        The positions of mean and variance.

    Raises:
        UserError: the model has no normaliser.

    Example:
        >>> from stillmotion.networks import build_network, find_statistics
        >>> find_statistics(build_network("mlp-small", (50, 3, 4)))
        (0, 1)
    """
    layer = get_normaliser(model)
    ids = [id(variable) for variable in model.non_trainable_variables]
    return ids.index(id(layer.adapt_mean)), ids.index(id(layer.adapt_variance))


def get_normaliser(model: keras.Model) -> keras.layers.Normalization:
    """Return the normaliser of a network; raise ``UserError`` when it has none."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None and _source(layer) is None:
            return layer
    raise UserError(f"{model.name!r} has no normaliser: put keras.layers.Normalization(axis=-1) right after its input.")


def has_normaliser(model: keras.Model) -> bool:
    """Tell whether a network normalises the signal; one of window features alone does not."""
    try:
        get_normaliser(model)
    except UserError:
        return False
    return True


def feature_normalisers(model: keras.Model) -> list[tuple[WindowFeatures, keras.layers.Normalization]]:
    """Return the normalisers of window features, each with the layer that computes them."""
    pairs = ((_source(layer), layer) for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    return [(source, layer) for source, layer in pairs if source is not None]


def _source(layer: keras.layers.Normalization) -> WindowFeatures | None:
    """Return the layer of window features that a normaliser reads, or None."""
    for node in layer._inbound_nodes:
        for tensor in node.input_tensors:
            if isinstance(tensor._keras_history.operation, WindowFeatures):
                return tensor._keras_history.operation
    return None
