"""stillmotion: a watch-sized model learns what a large one knows about human motion.

The rooms, front to back: ``signals``, ``windows``, ``networks``, ``evaluation``, ``methods``, ``training``,
``studies``. What the ``still`` command does is a few plain calls on them; ``load``, ``cut``, ``make_splits``,
``audit_splits``, ``fit`` and ``run_study`` are also here, for short.
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
    from . import bundles, evaluation, features, methods, networks, signals, studies, training, windows
    from .signals import from_arrays, inspect, load, resample
    from .studies import run_study
    from .training import fit
    from .windows import audit_splits, cut, fit_statistics, make_splits

_ROOMS = (
    "signals",
    "windows",
    "features",
    "networks",
    "methods",
    "evaluation",
    "training",
    "bundles",
    "studies",
)
_SHORT = {
    "load": "signals",
    "from_arrays": "signals",
    "inspect": "signals",
    "resample": "signals",
    "cut": "windows",
    "make_splits": "windows",
    "audit_splits": "windows",
    "fit_statistics": "windows",
    "fit": "training",
    "run_study": "studies",
}

__all__ = [
    "audit_splits",
    "bundles",
    "cut",
    "evaluation",
    "features",
    "fit",
    "fit_statistics",
    "from_arrays",
    "inspect",
    "load",
    "make_splits",
    "methods",
    "networks",
    "resample",
    "run_study",
    "signals",
    "studies",
    "training",
    "windows",
]


def __getattr__(name: str) -> object:
    # Rooms load when they are first used: `still --help` must not wait for them.
    if name in _ROOMS:
        return _importlib.import_module(f"{__name__}.{name}")
    if name in _SHORT:
        return getattr(_importlib.import_module(f"{__name__}.{_SHORT[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
