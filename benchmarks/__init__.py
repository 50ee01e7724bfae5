"""Benchmarks: each performance claim, measured against the usual alternative.

``run(NAME)`` measures all contenders in turns in one process tree and returns rows with ratios. Nothing here is a test,
because a loaded machine would make it fail.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

#: Name of a benchmark to its module. A module has ``TITLE`` and ``rows(data=…, quick=…)``.
MODULES = {
    "signals": "benchmarks.signals",
    "networks": "benchmarks.networks",
    "training": "benchmarks.training",
    "gpu": "benchmarks.gpu",
    "memory": "benchmarks.memory",
    "methods": "benchmarks.methods",
    "teachers": "benchmarks.teachers",
    "statistics": "benchmarks.statistics",
    "device": "benchmarks.device",
    "host": "benchmarks.host",
}

Row = dict[str, Any]


def run(name: str, *, data: Path | None = None, quick: bool = False) -> tuple[str, list[Row]]:
    """Run a benchmark; return its title and its rows."""
    from stillmotion.errors import UnknownName  # Here, because contenders run where this package is not installed.

    if name not in MODULES:
        raise UnknownName("benchmark", name, list(MODULES))
    module = import_module(MODULES[name])
    return module.TITLE, module.rows(data=data, quick=quick)
