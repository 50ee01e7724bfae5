"""Fixed teachers: who may teach, and their outputs computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..networks.heads import as_logits
from ..networks.taps import LOGITS
from .functional import Functional, State, Vector
from .recipe import Replica

Array = Any


class UselessTeacher(UserError):
    """A teacher that has nothing to teach."""


@dataclass(frozen=True, eq=False)
class Teacher:
    """A teacher: a network with weights (and the state they go with), or outputs that were computed elsewhere.

    Args:
        network: the model as a function, with the taps that the method wants; None for outputs from elsewhere.
        weights, state: of the network.
        outputs: tap name to (windows, …), for a teacher without a network (``logits`` at least; where their rows are
            probabilities, their logarithm is taken).
        classifier: kernel (F, C) and bias (C,) of the dense layer that made the logits in ``outputs`` of the embedding,
            for methods that hand it on.
        name: what to call it in messages.
    """

    network: Functional | None = None
    weights: Vector | None = None
    state: State | None = None
    outputs: dict[str, NDArray[np.float32]] | None = None
    classifier: tuple[Vector, Vector] | None = None
    name: str = "the teacher"

    @property
    def handed_on(self) -> tuple[Vector, Vector] | None:
        """Kernel and bias of its classifier, where it has one."""
        if self.network is None or self.weights is None:
            return self.classifier
        return self.network.classifier_of(self.weights)


def check_teachers(
    teachers: Sequence[Teacher], replicas: Sequence[Replica], windows: NDArray[Any], classes: int, *, method: str
) -> None:
    """Raise ``UserError`` unless every replica has a teacher, and teachers fit the windows (N, T, D) and classes."""
    if not teachers:
        raise UserError(f"{method} needs a teacher; name one.")
    for number, replica in enumerate(replicas):
        if not 0 <= replica.teacher < len(teachers):
            raise UserError(
                f"Replica {replica.name or number} names teacher {replica.teacher}; they are 0 … {len(teachers) - 1}."
            )
    for teacher in teachers:
        logits = (teacher.outputs or {}).get("logits")
        if teacher.network is not None:
            assert teacher.weights is not None
            teacher.network.require_fit(windows.shape[1:], classes)
            teacher.network.require_logits(teacher.weights, teacher.state or [], windows)
        elif logits is not None and logits.shape[1:] != (classes,):
            raise UserError(f"{teacher.name} gives outputs {logits.shape[1:]}, and there are {classes} classes.")


def predict_taps(teacher: Teacher, windows: Array, taps: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """A teacher's taps for all windows, computed once, in its inference mode.

    Args:
        teacher: who.
        windows: (N, T, D).
        taps: which outputs are wanted.
    """
    if teacher.network is not None:
        assert teacher.weights is not None
        assert teacher.state is not None
        given = teacher.network.answers(teacher.weights, teacher.state, windows)
    else:
        # Scores from elsewhere may be probabilities; a network's logits are taken before its softmax.
        given = {
            tap: as_logits(values) if LOGITS.fullmatch(tap) else values
            for tap, values in (teacher.outputs or {}).items()
        }
    for tap in taps:
        if tap not in given:
            raise UserError(f"{teacher.name} has no {tap!r}; it gives {', '.join(given) or 'nothing'}.")
        if len(given[tap]) != len(windows):
            raise UserError(f"{teacher.name} gives {tap} for {len(given[tap])} windows where there are {len(windows)}.")
    return {tap: np.asarray(given[tap], np.float32) for tap in taps}


def require_able(logits: ArrayLike, labels: ArrayLike, *, name: str = "the teacher") -> float:
    """Accuracy of a teacher on windows that it was not trained on; refuse one that has nothing to teach.

    Args:
        logits: (n, C) its answers.
        labels: (n,) the truth.

    A teacher is refused when an answer is not a finite number, when it gives every window the same answer, or when it
    is no better than always naming the majority class.
    """
    values, truth = np.asarray(logits, np.float64), np.asarray(labels)
    require_finite(values, name=name)
    if np.ptp(values, axis=0).max() < 1e-6:
        raise UselessTeacher(f"{name} gives the same answer to all {len(values)} windows: it cannot teach.")
    right = float((values.argmax(1) == truth).mean())
    majority = float(np.bincount(truth).max() / len(truth))
    if right <= majority:
        raise UselessTeacher(
            f"{name} is right in {100 * right:.1f} % of {len(truth)} validation windows, the majority class alone in "
            f"{100 * majority:.1f} %: it has nothing to teach; train it longer or name another."
        )
    return right


def require_finite(logits: ArrayLike, *, name: str = "the teacher") -> None:
    """Refuse a teacher with an answer (n, C) that is not a finite number."""
    bad = ~np.isfinite(np.asarray(logits)).all(1)
    if bad.any():
        raise UselessTeacher(f"{name} gives no finite number for {bad.sum()} of {len(bad)} windows: it cannot teach.")
