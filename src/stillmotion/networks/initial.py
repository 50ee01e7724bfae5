"""Draw initial weights from a seed and each variable's place in the model.

Keras draws at construction from Python's global random state, so its weights depend on what ran before. Here a
variable's values depend only on the seed, its layer's name and its own name: a network with attention starts from the
same convolutions as one without, and a fleet draws the weights of any replica without building a model again.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .draws import draw


def initialise(model: keras.Model, seed: int) -> None:
    """Set every weight of ``model`` to its initial value under ``seed``; statistics of the data are kept.

    Args:
        model: any built ``keras.Model``.
        seed: any whole number.

    Raises:
        UserError: the initialiser of a weight cannot be found; the message names the weight.

    Example:
        >>> import numpy as np
        >>> from stillmotion.networks import build_network, initialise
        >>> model = build_network("mlp-small", (50, 3, 4), seed=0)
        >>> other = build_network("mlp-small", (50, 3, 4), seed=1)
        >>> initialise(model, seed=1)
        >>> all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))
        True
    """
    for variable, value in zip(model.variables, draw_initial_weights(model, seed), strict=True):
        variable.assign(value)


def draw_initial_weights(model: keras.Model, seed: int) -> list[NDArray[Any]]:
    """Draw the initial value of each of ``model.variables`` under ``seed``; the model itself is not changed.

    Args:
        model: any built ``keras.Model``; frozen layers keep their values. A user's own layer must keep the initialiser
            of a weight in an attribute named after it, as Keras' layers do (``kernel_initializer`` for ``kernel``).
        seed: any whole number.

    Returns:
        The values, in the order of the variables.

    Raises:
        UserError: the initialiser of a weight cannot be found; the message names the weight.

    Example:
        >>> from stillmotion.networks import build_network, draw_initial_weights
        >>> model = build_network("mlp-small", (50, 3, 4))
        >>> len(draw_initial_weights(model, seed=3)) == len(model.variables)
        True
    """
    values = {id(variable): value for layer, name in _named(model) for variable, value in _draw(layer, name, seed)}
    return [values.get(id(variable), np.asarray(variable)) for variable in model.variables]


def _named(model: keras.Model) -> Iterator[tuple[Any, str]]:
    """Yield every layer with its path in the model, by names that do not depend on models built before.

    A name that Keras numbered (``dense_7``) becomes the layer's rank among its kind (``dense#0``).
    """

    def walk(parent: Any, path: str) -> Iterator[tuple[Any, str]]:
        seen: Counter[str] = Counter()
        for layer in parent._layers:
            kind = _snake(type(layer).__name__)
            name = layer.name
            if re.fullmatch(rf"{kind}(_\d+)?", name):
                name = f"{kind}#{seen[kind]}"
                seen[kind] += 1
            yield layer, path + name
            yield from walk(layer, f"{path}{name}/")

    yield model, "model"
    yield from walk(model, "")


def _draw(layer: Any, path: str, seed: int) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Draw new values for the variables that ``layer`` itself holds."""
    variables = (*layer._trainable_variables, *layer._non_trainable_variables) if layer.trainable else ()
    for variable in variables:
        initialiser = _initialiser(layer, variable.name)
        if initialiser is None:
            if variable.trainable:
                raise UserError(
                    f"Cannot draw the weight {variable.name!r} of layer {layer.name!r}: keep its initialiser in "
                    f"the attribute {variable.name}_initializer of {type(layer).__name__}."
                )
            continue
        value = draw(initialiser, tuple(variable.shape), variable.dtype, _derived(seed, path, variable.name))
        if variable.name == "bias" and getattr(layer, "unit_forget_bias", False):
            units = len(value) // 4
            value[units : 2 * units] = 1
        yield variable, value
    for rank, generator in enumerate(layer._seed_generators):
        state = np.asarray([_derived(seed, path, f"seed#{rank}"), 0])
        yield generator.state, state.astype(np.asarray(generator.state).dtype)


def _initialiser(layer: Any, name: str) -> Any:
    """Return the initialiser of a weight from the attribute where Keras' layers keep it, or None."""
    attributes: tuple[str, ...] = (f"{name}_initializer", f"{name.removesuffix('_kernel')}_initializer")
    if isinstance(layer, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)) and name == "kernel":
        attributes = ("depthwise_initializer",)
    initialisers = (getattr(layer, attribute, None) for attribute in attributes)
    return next((initialiser for initialiser in initialisers if initialiser is not None), None)


def _derived(seed: int, *place: str) -> int:
    digest = hashlib.blake2b("/".join((str(int(seed)), *place)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def _snake(name: str) -> str:
    """Return the name that Keras gives an unnamed layer of class ``name``."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
