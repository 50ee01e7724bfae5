"""Describe in words how the students of a study are taught by fixed teachers."""

from __future__ import annotations

from ..formatting import format_list
from ..methods import get_method
from ..studies import StudyState
from ..studies.runs import Run

LIVE = "teachers run in every step, on the very windows that the student sees"
STORED = "teachers' outputs for unchanged windows, mixed as labels are"
ONCE = "teachers' outputs, computed once for each window"


def name_outputs(run: Run) -> str:
    """Return how a student gets the outputs of its fixed teachers; empty without one."""
    if not (run.teachers or run.scores) or get_method(run.method).trains_teacher:
        return ""
    return LIVE if run.live else STORED if run.stored else ONCE


def describe_teaching(state: StudyState) -> list[str]:
    """Return a phrase for each way in which students are taught."""
    taught: dict[str, list[str]] = {}
    for (name, _), runs in state.finals.items():
        words = name_outputs(runs[0]) if runs[0].kind == "network" else ""
        if words and name not in taught.setdefault(words, []):
            taught[words].append(name)
    return [f"{format_list(names)}: {words}" for words, names in taught.items()]
