"""stillmotion: train small human-activity recognisers with knowledge distillation.

Subpackages: ``signals``, ``windows``, ``features``, ``networks``, ``methods``, ``evaluation``, ``training``,
``decoding``, ``bundles``, ``deploy``, ``studies`` and ``reports``. The ``still`` command calls their functions;
``load``, ``cut``, ``make_splits``, ``audit_splits``, ``fit``, ``run_study`` and some others can be imported from here.
"""

import importlib as _importlib
import os as _os
import sys as _sys
from typing import TYPE_CHECKING

from .light_keras import LightKerasFinder as _LightKerasFinder

__version__ = "0.1.0"

# Keras reads its backend once, at import; training needs JAX. A backend that is already set is kept.
if "keras" not in _sys.modules:
    _os.environ.setdefault("KERAS_BACKEND", "jax")
    _sys.meta_path.insert(0, _LightKerasFinder())

if TYPE_CHECKING:
    from . import (
        bundles,
        decoding,
        deploy,
        evaluation,
        features,
        methods,
        networks,
        reports,
        signals,
        studies,
        training,
        windows,
    )
    from .bundles import Recogniser, adapt
    from .signals import from_arrays, from_frame, inspect, load, resample
    from .studies import run_study
    from .training import fit, select_features
    from .windows import audit_splits, cut, fit_statistics, make_splits

_SUBPACKAGES = (
    "signals",
    "windows",
    "features",
    "networks",
    "methods",
    "evaluation",
    "training",
    "decoding",
    "bundles",
    "deploy",
    "studies",
    "reports",
)
_SHORTCUTS = {
    "load": "signals",
    "from_arrays": "signals",
    "from_frame": "signals",
    "inspect": "signals",
    "resample": "signals",
    "cut": "windows",
    "make_splits": "windows",
    "audit_splits": "windows",
    "fit_statistics": "windows",
    "adapt": "bundles",
    "fit": "training",
    "select_features": "training",
    "run_study": "studies",
    "Recogniser": "bundles",
}

__all__ = [
    "Recogniser",
    "adapt",
    "audit_splits",
    "bundles",
    "cut",
    "decoding",
    "deploy",
    "evaluation",
    "features",
    "fit",
    "fit_statistics",
    "from_arrays",
    "from_frame",
    "inspect",
    "load",
    "make_splits",
    "methods",
    "networks",
    "reports",
    "resample",
    "run_study",
    "select_features",
    "signals",
    "studies",
    "training",
    "windows",
]


def __getattr__(name: str) -> object:
    # Subpackages are imported on first use, so that `still --help` is fast.
    if name in _SUBPACKAGES:
        return _importlib.import_module(f"{__name__}.{name}")
    if name in _SHORTCUTS:
        return getattr(_importlib.import_module(f"{__name__}.{_SHORTCUTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
