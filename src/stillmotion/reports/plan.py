"""Show the plan of a study."""

from __future__ import annotations

from collections.abc import Sequence

from ..formatting import format_duration
from ..studies.estimate import Line, total
from .screen import console
from .table import Column, Table, make_count, make_text

COLUMNS: tuple[Column[Line], ...] = (
    make_text("phase", lambda line: line.phase),
    make_text("what", lambda line: line.what, "fleet"),
    make_text("variants", lambda line: ", ".join(line.variants)),
    make_count("runs", lambda line: line.runs),
    make_count("size", lambda line: line.size, "at a time"),
    make_count("steps", lambda line: line.steps),
    Column("seconds", lambda line: line.seconds, "time at most", format_duration),
)


def show_plan(lines: Sequence[Line]) -> None:
    """Print the fleets of a plan with the time they take."""
    out = console()
    out.print(Table("Plan", COLUMNS, lines).to_terminal())
    runs = sum(line.runs for line in lines)
    out.print(
        f"{runs:,} runs in {len(lines)} fleets: at most {format_duration(total(lines))} on this machine if no run "
        "stops early (estimated from a few steps of each kind)."
    )
