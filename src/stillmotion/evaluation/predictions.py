"""Predictions of a variant for windows of test subjects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..names import require_name

#: Most classes; every subject has a confusion matrix of its square.
MOST_CLASSES = 1000
#: Largest time in seconds (30,000 years); floats beyond it are too coarse for the hop.
LATEST = 1e12

Names = NDArray[np.str_]
Integers = NDArray[np.int64]


class RowFault(UserError):
    """An invalid row; ``row`` counts from 0."""

    def __init__(self, place: str, row: int, text: str) -> None:
        super().__init__(f"{place}, row {row + 1}: {text}")
        self.row = row
        self.text = text


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one variant, one row per window and run. Made by ``Predictions.of`` or ``read_predictions``.

    Args:
        variant: its name; variants are compared, such as methods or networks.
        subject: (n,) subject of each window.
        fold: (n,) the fold that tested it; subjects of one fold share a model.
        seed: (n,) of the training run.
        y: (n,) true class, 0 to C - 1; with recording and time also -1: a window without a class, which is part of its
            sequence but not scored.
        prediction: (n,) predicted class.
        scores: (n, C) probabilities or logits of the classes, if known.
        classes: names, by default ``0`` ….
        recording: (n,) the recording of each window, if known.
        time: (n,) start of each window, in seconds within its recording, if known.
    """

    variant: str
    subject: Names
    fold: Names
    seed: Integers
    y: Integers
    prediction: Integers
    scores: NDArray[np.float32] | None
    classes: tuple[str, ...]
    recording: Names | None = None
    time: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        require_name(self.variant, "variant")
        for name in self.classes:
            require_name(name, "class")
        if (fault := _first_fault(self)) is not None:
            raise RowFault(self.variant, *fault)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def named(self) -> bool:
        """Whether the classes have names rather than numbers."""
        return self.classes != number_classes(len(self.classes))

    @staticmethod
    def of(
        variant: str,
        *,
        subject: ArrayLike,
        fold: ArrayLike,
        seed: ArrayLike,
        y: ArrayLike,
        scores: ArrayLike | None = None,
        prediction: ArrayLike | None = None,
        classes: tuple[str, ...] | list[str] | None = None,
        recording: ArrayLike | None = None,
        time: ArrayLike | None = None,
    ) -> Predictions:
        """Make predictions from columns; a single value fills its column (``seed=0``).

        Args:
            variant: its name.
            subject: subject of each window, any names or numbers.
            fold: the fold that tested it.
            seed: of the run.
            y: true classes.
            scores: (n, C) probabilities or logits; the class with the highest is the prediction, the first of equals.
            prediction: predicted classes, if there are no scores or the decision is not the highest score.
            classes: names.
            recording: names of recordings, for event scores.
            time: start of each window, in seconds within its recording.

        Returns:
            The predictions.

        Raises:
            UserError: columns differ in length, a row is invalid, or there are neither scores nor predictions.
        """
        true = np.atleast_1d(np.asarray(y)).astype(np.int64)
        if scores is None and prediction is None:
            raise UserError(f"{variant}: predictions need scores or predicted classes.")
        class_scores = None if scores is None else np.asarray(scores, np.float32)
        if class_scores is not None and (
            class_scores.ndim != 2 or len(class_scores) != len(true) or class_scores.shape[1] < 2
        ):
            raise UserError(f"{variant}: scores are {class_scores.shape}; expected {len(true)} rows of two or more.")
        predicted = predict_classes(class_scores) if prediction is None else np.asarray(prediction).astype(np.int64)
        columns = {"subject": subject, "fold": fold, "seed": seed, "prediction": predicted, "recording": recording}
        for name, column in {**columns, "time": time}.items():
            if column is not None and np.ndim(column) > 0 and np.shape(column) != true.shape:
                raise UserError(
                    f"{variant}: {name} is {np.shape(column)}, y is {true.shape}; they must have one length."
                )
        return Predictions(
            variant=variant,
            subject=np.broadcast_to(np.asarray(subject).astype(np.str_), true.shape),
            fold=np.broadcast_to(np.asarray(fold).astype(np.str_), true.shape),
            seed=np.broadcast_to(np.asarray(seed).astype(np.int64), true.shape),
            y=true,
            prediction=np.broadcast_to(predicted, true.shape),
            scores=class_scores,
            classes=tuple(classes) if classes else number_classes(count_classes(true, predicted, class_scores)),
            recording=None if recording is None else np.broadcast_to(np.asarray(recording).astype(np.str_), true.shape),
            time=None if time is None else np.asarray(time, np.float64),
        )

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) whether each window has a class."""
        return self.y >= 0

    def labelled(self) -> Predictions:
        """Return the windows that have a class, which are scored."""
        return self if self.scored.all() else self.take(self.scored)

    def take(self, rows: ArrayLike) -> Predictions:
        """Select rows by numbers or a mask."""
        chosen = np.asarray(rows)

        return replace(
            self,
            subject=self.subject[chosen],
            fold=self.fold[chosen],
            seed=self.seed[chosen],
            y=self.y[chosen],
            prediction=self.prediction[chosen],
            scores=None if self.scores is None else self.scores[chosen],
            recording=None if self.recording is None else self.recording[chosen],
            time=None if self.time is None else self.time[chosen],
        )


def predict_classes(scores: NDArray[np.float32] | None) -> Integers:
    """Predict the class with the highest score, the first of equals."""
    assert scores is not None
    return np.asarray(scores.argmax(1), np.int64)


def number_classes(classes: int) -> tuple[str, ...]:
    """Name classes by their numbers."""
    return tuple(map(str, range(classes)))


def count_classes(y: Integers, prediction: Integers, scores: NDArray[np.float32] | None) -> int:
    """Count the classes: the number of scores, else up to the highest label, but at most ``MOST_CLASSES``.

    A row with a higher label is then reported as invalid.
    """
    if scores is not None:
        return int(scores.shape[1])
    return min(int(max(y.max(initial=0), prediction.max(initial=0), 1)) + 1, MOST_CLASSES)


def _first_fault(predictions: Predictions) -> tuple[int, str] | None:
    """Find the first invalid row, and describe its fault."""
    classes = len(predictions.classes)
    faults: list[tuple[int, str]] = []
    in_sequence = predictions.recording is not None and predictions.time is not None
    for name, column in (("y", predictions.y), ("prediction", predictions.prediction)):
        lowest = -1 if in_sequence and name == "y" else 0
        bad = np.flatnonzero((column < lowest) | (column >= classes))
        if len(bad):
            null = "; leave out windows without a class" if column[bad[0]] < 0 else ""
            faults.append((int(bad[0]), f"{name} is {column[bad[0]]}; classes go from 0 to {classes - 1}{null}."))
    if predictions.scores is not None:
        bad = np.flatnonzero(~np.isfinite(predictions.scores).all(1))
        if len(bad):
            column_at = int(np.flatnonzero(~np.isfinite(predictions.scores[bad[0]]))[0])
            faults.append((int(bad[0]), f"score_{column_at} is not a finite number."))
    if predictions.time is not None:
        bad = np.flatnonzero(~(np.abs(predictions.time) <= LATEST))
        if len(bad):
            value = predictions.time[bad[0]]
            what = f"{value:g} s, beyond ±{LATEST:g} s" if np.isfinite(value) else "not a finite number"
            faults.append((int(bad[0]), f"time is {what}."))
    return min(faults) if faults else None
