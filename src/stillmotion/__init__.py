"""stillmotion: a watch-sized model learns what a large one knows about human motion.

The rooms, front to back: ``signals``, ``windows``, ``networks``. What the ``still`` command does is a few plain
calls on them; ``load``, ``cut``, ``splits`` and ``audit`` are also here, for short.
"""

import importlib as _importlib
import os as _os
import sys as _sys
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Keras reads its backend once, at import; training needs JAX. A choice already made is left alone.
if "keras" not in _sys.modules:
    _os.environ.setdefault("KERAS_BACKEND", "jax")

if TYPE_CHECKING:
    from . import networks, signals, windows
    from .signals import inspect, load, resample
    from .windows import audit, cut, fit_statistics, splits

_ROOMS = ("signals", "windows", "networks")
_SHORT = {
    "load": "signals",
    "inspect": "signals",
    "resample": "signals",
    "cut": "windows",
    "splits": "windows",
    "audit": "windows",
    "fit_statistics": "windows",
}

__all__ = [
    "audit",
    "cut",
    "fit_statistics",
    "inspect",
    "load",
    "networks",
    "resample",
    "signals",
    "splits",
    "windows",
]


def __getattr__(name: str) -> object:
    # Rooms load when they are first used: `still --help` must not wait for them.
    if name in _ROOMS:
        return _importlib.import_module(f"{__name__}.{name}")
    if name in _SHORT:
        return getattr(_importlib.import_module(f"{__name__}.{_SHORT[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
