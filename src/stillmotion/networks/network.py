"""The entry of a network in the list, and the layers that all networks begin and end with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers

from .normaliser import NORMALISER, Normaliser
from .shape import Shape

Tensor = Any


@dataclass(frozen=True)
class Network:
    """A network that can be looked up by name.

    Args:
        name: lower-case, with hyphens.
        title: a description in a few words.
        source: the paper, or another origin.
        build: takes a ``Shape`` and the options by name, returns a ``keras.Model``.
        options: names of the options of ``build``.
        taps: names of its taps, at default options.
        published: parameter counts given by the source, by shape.
        least_window: shortest window that it takes, in samples.
        own: whether it is the user's own.
        fingerprint: of an own network that was rebuilt from its configuration, as it was before; else empty.
    """

    name: str
    title: str
    source: str
    build: Callable[..., keras.Model]
    options: tuple[str, ...] = ()
    taps: tuple[str, ...] = ("logits", "embedding")
    published: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    least_window: int = 1
    own: bool = False
    fingerprint: str = ""


def begin(shape: Shape) -> tuple[Tensor, Tensor]:
    """Return the input (T, D) and the output of the normaliser on it."""
    inputs = keras.Input((shape.window, shape.channels), name="signal")
    return inputs, Normaliser(axis=-1, name=NORMALISER)(inputs)


def tap(x: Tensor, name: str) -> Tensor:
    """Name ``x`` as a tap by an identity layer, whose name survives saving."""
    return layers.Identity(name=name)(x)


def finish(inputs: Tensor, x: Tensor, shape: Shape, name: str) -> keras.Model:
    """Add the classifier to the embedding and return the model."""
    logits = layers.Dense(shape.classes, name="logits")(x)
    return keras.Model(inputs, logits, name=name.replace("-", "_"))
