"""Benchmarks: each performance claim, measured against the usual alternative.

``run(NAME)`` measures all contenders in turns in one process tree and returns rows with ratios. Nothing here is a test,
because a loaded machine would make it fail.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from inspect import signature
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


#: What rows that were measured together, in turns, have in common.
CONTEST = ("shape", "network", "task")


def run(name: str, *, data: Path | None = None, quick: bool = False, only: Sequence[str] = ()) -> tuple[str, list[Row]]:
    """Run a benchmark, or the contests of it that ``only`` names; return its title and its rows."""
    from stillmotion.errors import UnknownName, UserError  # Here: contenders run where this package is not installed.

    if name not in MODULES:
        raise UnknownName("benchmark", name, list(MODULES))
    module = import_module(MODULES[name])
    if not only:
        return module.TITLE, module.rows(data=data, quick=quick)
    if "only" not in signature(module.rows).parameters:
        raise UserError(f"The benchmark {name} has no contests to choose from: leave out --only.")
    return module.TITLE, module.rows(data=data, quick=quick, only=only)


def merge_rows(path: Path, name: str, rows: Sequence[Row]) -> None:
    """Write rows into a file of rows: those of a contest that was run again are replaced, where they stand."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    stored: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    for number, batch in enumerate((stored, rows)):
        again = {_contest(row) for row in batch} if number else set()
        groups |= {contest: [] for contest in again}
        for row in batch:
            groups.setdefault(_contest(row), []).append(row)
    merged = [row for group in groups.values() for row in group]
    text = json.dumps({"bench": name, "rows": merged}, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _contest(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in CONTEST)
