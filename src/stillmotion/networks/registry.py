"""The list of networks: one lookup by name, one way to build."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras

from ..errors import UnknownName, UserError
from ..signals import SignalSpec
from .draws import drawn_by_numpy
from .entry import Network
from .initial import initialise
from .shape import Shape


def networks() -> tuple[Network, ...]:
    """Every network, in the order of the documentation."""
    return tuple(_by_name().values())


def network(name: str | Network) -> Network:
    """A network by name (or as it is)."""
    if isinstance(name, Network):
        return name
    if name not in _by_name():
        raise UnknownName("network", name, list(_by_name()))
    return _by_name()[name]


def build(
    name: str | Network, shape: Shape | SignalSpec | tuple[int, int, int], *, seed: int = 0, **options: Any
) -> keras.Model:
    """Build a network with the weights it has under ``seed``, whatever was built or drawn before.

    Args:
        name: see ``networks()``.
        shape: a signal contract, or (samples, channels, classes).
        seed: any whole number; the same seed gives the same weights.
        options: those the network takes (``attention``, ``recurrence``); any other is an error.
    """
    entry = network(name)
    for option in options:
        if option not in entry.options:
            takes = ", ".join(entry.options) or "none"
            raise UserError(f"{entry.name} takes no option {option!r} (options: {takes}).")
    with drawn_by_numpy():
        model = entry.build(Shape.of(shape), **options)
    initialise(model, seed)
    return model


@cache
def _by_name() -> dict[str, Network]:
    from . import cnn_har, deepconvlstm, mlp, motion_net, resnet_lstman, tinierhar, tinyhar

    files = (deepconvlstm, resnet_lstman, mlp, tinierhar, tinyhar, cnn_har, motion_net)
    return {entry.name: entry for file in files for entry in file.NETWORKS}
