"""What a network in the list is, and how each one begins and ends."""

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
        title: what it is, in a few words.
        source: where it comes from.
        build: takes a ``Shape`` and the options by name, returns a ``keras.Model``.
        options: names that ``build_network`` takes beside the shape.
        taps: names of the outputs that methods may ask for, at default options.
        published: parameter counts stated by its source, by shape.
        least_window: shortest window that it can take, in samples.
    """

    name: str
    title: str
    source: str
    build: Callable[..., keras.Model]
    options: tuple[str, ...] = ()
    taps: tuple[str, ...] = ("logits", "embedding")
    published: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    least_window: int = 1


def begin(shape: Shape) -> tuple[Tensor, Tensor]:
    """The input (T, D) and, on top of it, the normaliser."""
    inputs = keras.Input((shape.window, shape.channels), name="signal")
    return inputs, Normaliser(axis=-1, name=NORMALISER)(inputs)


def tap(x: Tensor, name: str) -> Tensor:
    """Give ``x`` a name that methods can ask for and that survives saving: a layer that passes it on."""
    return layers.Identity(name=name)(x)


def finish(inputs: Tensor, x: Tensor, shape: Shape, name: str) -> keras.Model:
    """The classifier on the embedding, and the model."""
    logits = layers.Dense(shape.classes, name="logits")(x)
    return keras.Model(inputs, logits, name=name.replace("-", "_"))
