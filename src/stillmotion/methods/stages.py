"""Pair the stages of two networks, front to back, each as a short sequence of features.

A stage over time, sensors and filters is averaged over sensors; time is averaged to at most ``TIME_STEPS`` moments; a
dense stage is one moment, and the steps of a recurrence over sensors are kept. So a teacher's taps for all windows fit
into memory, and networks of any two kinds can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .alignment import resize
from .method import Array, IncompatibleNetworks, Shapes, Taps

#: Most moments of a stage: six a second in a window of 2.56 s, more than the step rate of a gait.
TIME_STEPS = 16


def to_sequence(x: Array) -> Array:
    """Return a stage (B, …) as a sequence (B, moments, features)."""
    if len(x.shape) == 2:
        return x[:, None, :]
    while len(x.shape) > 3:
        x = x.mean(-2)
    return resize(x, min(x.shape[1], TIME_STEPS))


def is_stage(name: str) -> bool:
    """Tell whether a tap is a stage."""
    return re.fullmatch(r"stage_?\d+", name) is not None


def list_stages(taps: Iterable[str]) -> list[str]:
    """List the names of the stages among taps, front to back."""
    return sorted(filter(is_stage, taps), key=lambda name: int(re.sub(r"\D", "", name)))


def condense(taps: Taps) -> dict[str, Array]:
    """Turn every stage into a sequence; keep all other taps. The view of most methods."""
    return {name: to_sequence(x) if is_stage(name) else x for name, x in taps.items()}


def averaged(taps: Taps) -> dict[str, Array]:
    """Average every stage to one moment. The view of methods that ignore the course in time."""
    return {
        name: x.reshape(x.shape[0], -1, x.shape[-1]).mean(1, keepdims=True) if is_stage(name) else x
        for name, x in taps.items()
    }


def middle(taps: Taps) -> dict[str, Array]:
    """Keep the middle one of the stages. The view of methods that use one hidden layer."""
    stages = list_stages(taps)
    kept = stages[(len(stages) - 1) // 2]
    return {name: x for name, x in condense(taps).items() if name == kept or not is_stage(name)}


def stage_pairs(student: Mapping[str, object], teacher: Mapping[str, object]) -> list[tuple[str, str]]:
    """Pair stages (student, teacher) front to back, the last with the last.

    Of m pairs, pair k takes stage ⌈k n / m⌉ of a network with n stages.
    """
    mine, theirs = list_stages(student), list_stages(teacher)
    count = min(len(mine), len(theirs))
    return [(_kth(mine, k, count), _kth(theirs, k, count)) for k in range(1, count + 1)]


def paired(student: Array, teacher: Array) -> tuple[Array, Array]:
    """Resize two sequences to the length of the shorter one."""
    length = min(student.shape[1], teacher.shape[1])
    return resize(student, length), resize(teacher, length)


def require_time_steps(student: Shapes, teacher: Shapes, *, method: str) -> None:
    """Raise ``IncompatibleNetworks`` where no pair of stages has more than one moment."""
    if all(min(student[mine][0], teacher[theirs][0]) < 2 for mine, theirs in stage_pairs(student, teacher)):
        dense = "student" if all(student[mine][0] < 2 for mine, _ in stage_pairs(student, teacher)) else "teacher"
        raise IncompatibleNetworks(
            f"{method} compares courses over time, and the {dense}'s paired stages have none: take another."
        )


def _kth(names: list[str], k: int, count: int) -> str:
    return names[-(-k * len(names) // count) - 1]
