"""The list of networks: look one up by name, build one for a signal."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import keras

from ..errors import UnknownName, UserError
from ..signals import SignalSpec
from .draws import drawn_by_numpy
from .initial import initialise
from .network import Network
from .own import Builder, make_network
from .shape import Shape


def list_networks() -> tuple[Network, ...]:
    """List all networks: built-in ones by file, then the user's own.

    Returns:
        The networks, each with name, source, options and taps.

    Example:
        >>> from stillmotion.networks import list_networks
        >>> [network.name for network in list_networks()][:2]
        ['cnn-har', 'deepconvlstm-lm']
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


def get_shared_network(
    name: str | Network, shape: Shape | SignalSpec | tuple[int, int, int], **options: Any
) -> keras.Model:
    """Return a network for what depends on its layers alone, such as its cost: one object for all who ask.

    Nobody may change it. A network of the user's own is built anew each time, since its function may have changed.

    Args:
        name: see ``list_networks``.
        shape: a signal contract, or (samples, channels, classes).
        options: see ``build_network``.

    Returns:
        A ``keras.Model`` with any initial weights.
    """
    entry = get_network(name)
    if entry.own:
        return build_network(entry, shape, **options)
    return _build_once(entry.name, Shape.of(shape), tuple(sorted(options.items())))


@lru_cache(maxsize=64)
def _build_once(name: str, shape: Shape, options: tuple[tuple[str, Any], ...]) -> keras.Model:
    return build_network(name, shape, **dict(options))


def register_network(given: keras.Model | Builder | Network, name: str = "") -> str:
    """Add a network of one's own to the list, so that studies can name it.

    Args:
        given: a functional or sequential ``keras.Model``, or a function from a ``Shape`` to one; see ``make_network``.
        name: by default the model's or the function's.

    Returns:
        The name. An own network of the same name is replaced.

    Raises:
        UserError: it is no network, or a built-in network has this name.

    Example:
        >>> import keras
        >>> from stillmotion.networks import build_network, register_network
        >>> def tiny(shape):
        ...     inputs = keras.Input((shape.window, shape.channels))
        ...     return keras.Model(inputs, keras.layers.Dense(shape.classes)(keras.layers.Flatten()(inputs)))
        >>> register_network(tiny)
        'tiny'
        >>> build_network("tiny", (50, 3, 4)).output_shape
        (None, 4)
    """
    network = make_network(given, name)
    if given is _built_in().get(network.name):
        return network.name
    if network.name in _built_in():
        raise UserError(f"{network.name} is a built-in network; give yours another name with name=.")
    _OWN[network.name] = network
    return network.name


#: Networks of the user's own, by name.
_OWN: dict[str, Network] = {}


def _by_name() -> dict[str, Network]:
    return {**_built_in(), **_OWN}


@cache
def _built_in() -> dict[str, Network]:
    """Collect the networks from the files of this folder."""
    from . import __path__

    names = sorted(each.name for each in iter_modules(__path__))
    files = [import_module(f"{__package__}.{name}") for name in names]
    return {entry.name: entry for file in files for entry in getattr(file, "NETWORKS", ())}
