"""The list of networks: look one up by name, build one for a signal."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras

from ..errors import UnknownName, UserError
from ..signals import SignalSpec
from .draws import drawn_by_numpy
from .initial import initialise
from .network import Network
from .shape import Shape


def list_networks() -> tuple[Network, ...]:
    """List all networks, in the order of the documentation.

    Returns:
        The networks, each with name, source, options and taps.

    Example:
        >>> from stillmotion.networks import list_networks
        >>> [network.name for network in list_networks()][:2]
        ['deepconvlstm-lm', 'deepconvlstm-mm']
    """
    return tuple(_by_name().values())


def get_network(name: str | Network) -> Network:
    """Look up a network by name.

    Args:
        name: see ``list_networks``; a ``Network`` is returned unchanged.

    Returns:
        The network.

    Raises:
        UnknownName: no network has this name.

    Example:
        >>> from stillmotion.networks import get_network
        >>> get_network("mlp-small").taps
        ('logits', 'embedding', 'stage1', 'stage2')
    """
    if isinstance(name, Network):
        return name
    if name not in _by_name():
        raise UnknownName("network", name, list(_by_name()))
    return _by_name()[name]


def build_network(
    name: str | Network, shape: Shape | SignalSpec | tuple[int, int, int], *, seed: int = 0, **options: Any
) -> keras.Model:
    """Build a network with initial weights drawn by ``seed``.

    Args:
        name: see ``list_networks``.
        shape: a signal contract, or (samples, channels, classes).
        seed: any whole number; the same seed gives the same weights, independent of what was built before.
        options: the network's options (such as ``attention`` and ``recurrence``); any other is an error.

    Returns:
        A ``keras.Model`` from raw windows (T, D) to logits (C,), normalisation included.

    Raises:
        UserError: the name is unknown, the window is too short, or the network has no such option.

    Example:
        >>> from stillmotion.networks import build_network
        >>> model = build_network("deepconvlstm-lm", (50, 3, 4), seed=1, attention="channel:r=4,after=2")
        >>> model.input_shape, model.output_shape
        ((None, 50, 3), (None, 4))
    """
    entry = get_network(name)
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
    from . import cnn_har, deepconvlstm, feature_net, hybrid_net, mlp, motion_net, resnet_lstman, tinierhar, tinyhar

    files = (deepconvlstm, resnet_lstman, mlp, tinierhar, tinyhar, cnn_har, motion_net, feature_net, hybrid_net)
    return {entry.name: entry for file in files for entry in file.NETWORKS}
