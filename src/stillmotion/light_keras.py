"""Import Keras without the parts that nobody asked for.

Keras imports Matplotlib for two functions of ``keras.visualization``, scikit-learn for ``keras.wrappers`` and a second
copy of its own names: two thirds of the time that its import takes. Here these parts are imported when an attribute of
them is read, so that nobody who uses them notices.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

#: Modules that are imported on first use; ``requests`` belongs to a callback, ``RemoteMonitor``.
LATE = (
    "keras._tf_keras",
    "keras.applications",
    "keras.src.applications",
    "keras.src.visualization",
    "keras.src.wrappers",
    "keras.visualization",
    "keras.wrappers",
    "requests",
)


class LateModule(ModuleType):
    """A stand-in for a module, which imports it when an attribute is read."""

    def __getattr__(self, name: str) -> Any:
        # The import system asks modules for these; only a package's submodules need the package itself.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._module(), name)

    def __dir__(self) -> list[str]:
        return dir(self._module())

    def _module(self) -> ModuleType:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


class LightKerasFinder:
    """Finds Keras where Python would, and imports it with stand-ins for its late parts."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Return the place of Keras; None for every other module, and where Keras is no plain file."""
        spec: ModuleSpec | None = PathFinder.find_spec(name, path, target) if name == "keras" else None
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        spec.loader = _LightLoader(spec.loader.name, spec.loader.path)
        return spec


class _LightLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _stand_ins():
            super().exec_module(module)


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Put stand-ins where modules are looked up; what a stand-in was imported into keeps it."""
    added = {name: LateModule(name) for name in LATE if name not in sys.modules}
    sys.modules.update(added)
    try:
        yield
    finally:
        for name, module in added.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
