"""Initial weights per seed: drawn again for every variable from the seed and the variable's place in the model.

Keras draws at construction from Python's global random state, so weights would depend on whatever ran before. Here a
variable's values depend on the seed, its layer's name and its own name alone: a network with attention starts from the
same convolutions as the one without, and a fleet draws any replica's weights without building a model again.
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
    """Give every weight of ``model`` the value it has under ``seed`` (statistics of the data are left alone).

    Args:
        model: any built ``keras.Model``.
        seed: any whole number.

    Raises:
        UserError: a layer's weight keeps no initialiser; the error names it.

    Example:
        >>> import numpy as np
        >>> from stillmotion.networks import build_network, initialise
        >>> model = build_network("mlp-small", (50, 3, 4), seed=0)
        >>> other = build_network("mlp-small", (50, 3, 4), seed=1)
        >>> initialise(model, seed=1)
        >>> all(np.array_equal(mine, theirs) for mine, theirs in zip(model.get_weights(), other.get_weights()))
        True
    """
    for variable, value in zip(model.variables, draw_initial_weights(model, seed), strict=True):
        variable.assign(value)


def draw_initial_weights(model: keras.Model, seed: int) -> list[NDArray[Any]]:
    """Draw the initial value of each of ``model.variables`` under ``seed``; the model itself is not changed.

    Args:
        model: any built ``keras.Model``; frozen layers keep what they have. A layer with weights of its own making must
            keep their initialiser in an attribute named after the weight, as Keras' layers do (``kernel_initializer``
            for ``kernel``).
        seed: any whole number.

    Returns:
        The values, in the order of the variables.

    Raises:
        UserError: a layer's weight keeps no initialiser; the error names it.

    Example:
        >>> from stillmotion.networks import build_network, draw_initial_weights
        >>> model = build_network("mlp-small", (50, 3, 4))
        >>> len(draw_initial_weights(model, seed=3)) == len(model.variables)
        True
    """
    values = {id(variable): value for layer, name in _named(model) for variable, value in _draw(layer, name, seed)}
    return [values.get(id(variable), np.asarray(variable)) for variable in model.variables]


def _named(model: keras.Model) -> Iterator[tuple[Any, str]]:
    """Every layer with its place in the model, by names that do not depend on what was built before.

    A name that Keras counted (``dense_7``) becomes the layer's rank among its kind (``dense#0``).
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
    """New values for the variables that ``layer`` itself holds."""
    variables = (*layer._trainable_variables, *layer._non_trainable_variables) if layer.trainable else ()
    for variable in variables:
        initialiser = _initialiser(layer, variable.name)
        if initialiser is None:
            if variable.trainable:
                raise UserError(
                    f"Cannot draw the weight {variable.name!r} of layer {layer.name!r} anew: keep its initialiser in "
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
    """The initialiser of a weight, where Keras' layers keep it."""
    attributes: tuple[str, ...] = (f"{name}_initializer", f"{name.removesuffix('_kernel')}_initializer")
    if isinstance(layer, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)) and name == "kernel":
        attributes = ("depthwise_initializer",)
    return next((getattr(layer, each) for each in attributes if getattr(layer, each, None) is not None), None)


def _derived(seed: int, *place: str) -> int:
    digest = hashlib.blake2b("/".join((str(int(seed)), *place)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def _snake(name: str) -> str:
    """The name Keras gives an unnamed layer of class ``name``."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
