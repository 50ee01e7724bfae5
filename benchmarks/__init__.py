"""Performance claims, each measured against what a user would otherwise run.

``run(NAME)`` measures all contenders side by side in one process tree and returns rows with ratios; nothing here
is a test, because a loaded machine would make it fail.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from stillmotion.errors import UnknownName

#: Name to the module that measures it. A module has ``TITLE`` and ``rows(data=…, quick=…)``.
MODULES = {
    "signals": "benchmarks.signals",
    "networks": "benchmarks.networks",
    "training": "benchmarks.training",
    "methods": "benchmarks.methods",
    "statistics": "benchmarks.statistics",
}

Row = dict[str, Any]


def run(name: str, *, data: Path | None = None, quick: bool = False) -> tuple[str, list[Row]]:
    """Measure one part: its title and its rows."""
    if name not in MODULES:
        raise UnknownName("benchmark", name, list(MODULES))
    module = import_module(MODULES[name])
    return module.TITLE, module.rows(data=data, quick=quick)
