"""What a model said about windows of subjects it was tested on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..names import require_name

#: So many classes may be told apart: every subject has a confusion matrix of the square of it.
MOST_CLASSES = 1000
#: A window begins within so many seconds (30,000 years); sums of larger ones lose the hop.
LATEST = 1e12

Names = NDArray[np.str_]
Integers = NDArray[np.int64]


class RowFault(UserError):
    """A row that cannot be; ``row`` counts from 0."""

    def __init__(self, place: str, row: int, text: str) -> None:
        super().__init__(f"{place}, row {row + 1}: {text}")
        self.row = row
        self.text = text


@dataclass(frozen=True, eq=False)
class Predictions:
    """One row a window and run, of one variant. Made by ``Predictions.of`` or ``read_predictions``.

    Args:
        variant: what is compared: a method, a network.
        subject: (n,) whose window it is.
        fold: (n,) the fold that tested it; subjects of one fold share a model.
        seed: (n,) of the training run.
        y: (n,) true class, 0 to C - 1.
        prediction: (n,) class that was said.
        scores: (n, C) probabilities or logits of the classes, where they are known.
        classes: names, ``0`` … where there are none.
        recording: (n,) the continuous stretch that the window lies in.
        time: (n,) when it begins, in seconds within its recording.
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
        """Whether classes have names of their own."""
        return self.classes != numbers(len(self.classes))

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
        """From columns; one value stands for a whole column (``seed=0``).

        Args:
            variant: its name.
            subject: whose window each is, any names or numbers.
            fold: the fold that tested it.
            seed: of the run.
            y: true classes.
            scores: (n, C); the class with most is the prediction, the first of several.
            prediction: the classes said, where they are not those with most, or where there are no scores.
            classes: names.
            recording: names of continuous stretches, for event scores.
            time: in seconds within the recording.
        """
        true = np.atleast_1d(np.asarray(y)).astype(np.int64)
        if scores is None and prediction is None:
            raise UserError(f"{variant}: predictions need scores of the classes or the predicted class.")
        shares = None if scores is None else np.asarray(scores, np.float32)
        if shares is not None and (shares.ndim != 2 or len(shares) != len(true) or shares.shape[1] < 2):
            raise UserError(f"{variant}: scores are {shares.shape}; {len(true)} rows of two or more were expected.")
        said = said_by(shares) if prediction is None else np.asarray(prediction).astype(np.int64)
        columns = {"subject": subject, "fold": fold, "seed": seed, "prediction": said, "recording": recording}
        for name, column in {**columns, "time": time}.items():
            if column is not None and np.ndim(column) > 0 and np.shape(column) != true.shape:
                raise UserError(f"{variant}: {name} is {np.shape(column)}, y is {true.shape}; they must be one length.")
        return Predictions(
            variant=variant,
            subject=np.broadcast_to(np.asarray(subject).astype(np.str_), true.shape),
            fold=np.broadcast_to(np.asarray(fold).astype(np.str_), true.shape),
            seed=np.broadcast_to(np.asarray(seed).astype(np.int64), true.shape),
            y=true,
            prediction=np.broadcast_to(said, true.shape),
            scores=shares,
            classes=tuple(classes) if classes else numbers(count_classes(true, said, shares)),
            recording=None if recording is None else np.broadcast_to(np.asarray(recording).astype(np.str_), true.shape),
            time=None if time is None else np.asarray(time, np.float64),
        )

    def take(self, rows: ArrayLike) -> Predictions:
        """Some rows: numbers or a mask."""
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


def said_by(scores: NDArray[np.float32] | None) -> Integers:
    """The class with most, the first of several."""
    assert scores is not None
    return np.asarray(scores.argmax(1), np.int64)


def numbers(classes: int) -> tuple[str, ...]:
    """Names of classes that have none."""
    return tuple(map(str, range(classes)))


def count_classes(y: Integers, prediction: Integers, scores: NDArray[np.float32] | None) -> int:
    """How many classes there are: as many as scores, or up to the highest number met, but no more than may be.

    A row with a number beyond that is then named as one that cannot be.
    """
    if scores is not None:
        return int(scores.shape[1])
    return min(int(max(y.max(initial=0), prediction.max(initial=0), 1)) + 1, MOST_CLASSES)


def _first_fault(predictions: Predictions) -> tuple[int, str] | None:
    """The first row that cannot be, and what is wrong with it."""
    classes = len(predictions.classes)
    found: list[tuple[int, str]] = []
    for name, column in (("y", predictions.y), ("prediction", predictions.prediction)):
        bad = np.flatnonzero((column < 0) | (column >= classes))
        if len(bad):
            null = "; leave windows without a class out" if column[bad[0]] < 0 else ""
            found.append((int(bad[0]), f"{name} is {column[bad[0]]}; classes go from 0 to {classes - 1}{null}."))
    if predictions.scores is not None:
        bad = np.flatnonzero(~np.isfinite(predictions.scores).all(1))
        if len(bad):
            column_at = int(np.flatnonzero(~np.isfinite(predictions.scores[bad[0]]))[0])
            found.append((int(bad[0]), f"score_{column_at} is not a finite number."))
    if predictions.time is not None:
        bad = np.flatnonzero(~(np.abs(predictions.time) <= LATEST))
        if len(bad):
            value = predictions.time[bad[0]]
            what = f"{value:g} s, beyond ±{LATEST:g} s" if np.isfinite(value) else "not a finite number"
            found.append((int(bad[0]), f"time is {what}."))
    return min(found) if found else None
