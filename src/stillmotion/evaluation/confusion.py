"""Confusion matrices of every variant, seed and subject, the input of all statistics."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName, UserError
from .metrics import Counts, Floats
from .predictions import Predictions

#: Largest number of cells: 1 GB.
MOST_CELLS = 1 << 27


@dataclass(frozen=True, eq=False)
class ConfusionMatrices:
    """Confusion matrices by variant, seed and subject. Made by ``count_confusion``.

    Args:
        variants: their names.
        seeds: of the training runs; the same seeds are compared between variants.
        subjects: names of the test subjects.
        folds: (P,) the fold that each subject was tested in. Subjects of one fold share a model.
        classes: their names.
        counts: (V, S, P, C, C) confusion matrices, true class by predicted class. An all-zero matrix means that the
            run did not test the subject.
    """

    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    subjects: tuple[str, ...]
    folds: tuple[str, ...]
    classes: tuple[str, ...]
    counts: Counts | Floats

    def __post_init__(self) -> None:
        wanted = (len(self.variants), len(self.seeds), len(self.subjects), len(self.classes), len(self.classes))
        if self.counts.shape != wanted:
            raise UserError(
                f"Counts are {self.counts.shape}; variants, seeds, subjects and classes need {wanted} (V, S, P, C, C)."
            )
        if 0 in wanted:
            raise UserError(
                "There is nothing to score: confusion matrices need a variant, a seed, a subject and a class."
            )
        if len(self.folds) != len(self.subjects):
            raise UserError(
                f"There are {len(self.folds)} folds for {len(self.subjects)} subjects; give one per subject."
            )
        for what, names in (("variant", self.variants), ("seed", self.seeds), ("subject", self.subjects)):
            if len(set(names)) < len(names):
                twice = next(name for name, times in Counter(names).items() if times > 1)
                raise UserError(f"The confusion matrices name {what} {twice!r} twice.")
        if np.min(self.counts) < 0:
            raise UserError("Counts of a confusion matrix cannot be negative.")

    @property
    def tested(self) -> NDArray[np.bool_]:
        """(V, S, P) whether each run tested each subject."""
        return np.asarray(np.any(self.counts > 0, axis=(-2, -1)))

    def number(self, variant: str) -> int:
        """Return the index of a variant."""
        if variant not in self.variants:
            raise UnknownName("variant", variant, list(self.variants))
        return self.variants.index(variant)

    def basis(self, *variants: str) -> tuple[ConfusionMatrices, tuple[str, ...]]:
        """Restrict variants to the seeds and subjects that they have in common.

        A seed is kept if every variant tested, with that seed, all subjects that all variants tested at all. If there
        is no such seed, the common seeds are kept, with the subjects that all variants tested with each of them.

        Returns:
            The restricted confusion matrices, and sentences on what was left out.

        Raises:
            UserError: the variants have no seed and subject in common.
        """
        rows = [self.number(variant) for variant in variants]
        tested = self.tested[rows]
        started = tested.any(2).all(0)  # (S,) seeds of which every variant has a run
        subjects = tested[:, started].any(1).all(0)
        seeds = started & tested[:, :, subjects].all((0, 2))
        if not seeds.any():
            seeds = started
            subjects = tested[:, started].all((0, 1))
        if not seeds.any() or not subjects.any():
            if len(variants) == 1:
                raise UserError(f"{variants[0]} has tested no subject.")
            raise UserError(f"{' and '.join(variants)} have no subject in common that was tested with the same seed.")
        within = np.any(tested, axis=0)
        notes = []
        dropped = [str(self.seeds[at]) for at in np.flatnonzero(np.any(within, axis=1) & ~seeds)]
        if dropped:
            notes.append(f"Left out, incomplete for {_all(variants)}: {_few('seed', dropped)}.")
        dropped = [self.subjects[at] for at in np.flatnonzero(np.any(within, axis=0) & ~subjects)]
        if dropped:
            notes.append(f"Left out, not tested by {_all(variants)}: {_few('subject', dropped)}.")
        if not _same_windows(self.counts[rows][:, seeds][:, :, subjects]):
            notes.append(f"Windows per subject and class differ within {' and '.join(variants)}.")
        return self._select(rows, np.flatnonzero(seeds), np.flatnonzero(subjects)), tuple(notes)

    def _select(self, rows: Sequence[int], seeds: NDArray[np.int64], subjects: NDArray[np.int64]) -> ConfusionMatrices:
        return replace(
            self,
            variants=tuple(self.variants[at] for at in rows),
            seeds=tuple(self.seeds[at] for at in seeds),
            subjects=tuple(self.subjects[at] for at in subjects),
            folds=tuple(self.folds[at] for at in subjects),
            counts=self.counts[np.ix_(np.asarray(rows), seeds, subjects)],
        )


def count_confusion(predictions: Sequence[Predictions]) -> ConfusionMatrices:
    """Count predictions into confusion matrices of every variant, seed and subject.

    Subjects are in natural order (2 before 10). The windows of a subject tested in several folds are pooled, and the
    subject is resampled among those tested in the same folds.

    Args:
        predictions: one value per variant.

    Returns:
        The confusion matrices, with the names of their axes.

    Raises:
        UserError: there are no predictions, or variants have different classes.

    Example:
        >>> from stillmotion.evaluation import Predictions, count_confusion
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> matrices = count_confusion([predictions])
        >>> matrices.subjects, matrices.counts[0, 0, 1]
        (('ann', 'bob'), array([[0, 1],
               [0, 1]]))
    """
    if not predictions:
        raise UserError("There are no predictions to count.")
    predictions = [part.labelled() for part in predictions]
    variants = tuple(part.variant for part in predictions)
    classes = _classes(predictions)
    subjects, subject = _codes([part.subject for part in predictions])
    folds, fold = _codes([part.fold for part in predictions])
    seeds, seed = np.unique(np.concatenate([part.seed for part in predictions]), return_inverse=True)
    variant = np.repeat(np.arange(len(variants)), [len(part) for part in predictions])
    shape = (len(variants), len(seeds), len(subjects), len(classes), len(classes))
    if math.prod(shape) > MOST_CELLS:
        raise UserError(
            f"{len(variants)} variants with {len(seeds):,} seeds, {len(subjects):,} subjects and {len(classes):,} "
            f"classes make {math.prod(shape):,} counts, more than the {MOST_CELLS:,} allowed; compare fewer at a time."
        )
    cell = np.ravel_multi_index(
        (
            variant,
            seed,
            subject,
            np.concatenate([part.y for part in predictions]),
            np.concatenate([part.prediction for part in predictions]),
        ),
        shape,
    )
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    tested = np.zeros((len(subjects), len(folds)), np.bool_)
    tested[subject, fold] = True
    folds_of = tuple(" + ".join(folds[at] for at in np.flatnonzero(row)) for row in tested)
    return ConfusionMatrices(variants, tuple(int(s) for s in seeds), subjects, folds_of, classes, counts)


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Make a sorting key that puts ``p2`` before ``p10``."""
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name))


def _codes(columns: Sequence[NDArray[np.str_]]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Encode names: the distinct ones in natural order, and each row's index among them."""
    import pyarrow as pa

    # By Arrow's hashing, since sorting a million rows is slow.
    coded = pa.chunked_array([pa.array(column, pa.string()) for column in columns]).combine_chunks()
    coded = coded.dictionary_encode()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda at: natural(names[at]))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return tuple(names[at] for at in order), rank[coded.indices.to_numpy()]


def _classes(predictions: Sequence[Predictions]) -> tuple[str, ...]:
    """Return the common class names; predictions without class names are numbered, and may lack the highest ones."""
    most = max(predictions, key=lambda part: (part.named, len(part.classes)))
    for part in predictions:
        if part.named and part.classes != most.classes:
            raise UserError(
                f"{most.variant} has the classes {', '.join(most.classes)}, {part.variant} {', '.join(part.classes)}; "
                "only variants with the same classes can be compared."
            )
        if len(part.classes) > len(most.classes):
            raise UserError(f"{part.variant} has {len(part.classes)} classes, {most.variant} {len(most.classes)}.")
        if part.scores is not None and part.scores.shape[1] != len(most.classes):
            raise UserError(
                f"{part.variant} has scores of {part.scores.shape[1]} classes, {most.variant} has {len(most.classes)}."
            )
    return most.classes


def _same_windows(counts: Counts | Floats) -> bool:
    true = counts.sum(-1)
    return bool((true == true[:1, :1]).all())


def _all(variants: Sequence[str]) -> str:
    return variants[0] if len(variants) == 1 else f"all of {', '.join(variants)}"


def _few(what: str, names: Sequence[str], most: int = 5) -> str:
    plural = what if len(names) == 1 else {"subject": "subjects"}.get(what, what + "s")
    return f"{plural} {', '.join(names[:most])}" + (f" and {len(names) - most} more" if len(names) > most else "")
