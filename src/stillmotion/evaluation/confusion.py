"""Confusion counts of every variant, seed and subject: all that the statistics work on."""

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

#: So many cells fill 1 GB.
MOST_CELLS = 1 << 27


@dataclass(frozen=True, eq=False)
class ConfusionMatrices:
    """Who was tested by what, and what came out.

    Args:
        variants: names, one each.
        seeds: of the training runs; a seed stands for the same one in every variant.
        subjects: names of those tested.
        folds: (P,) the fold that each subject was tested in. Those of one fold share a model.
        classes: names.
        counts: (V, S, P, C, C) confusion counts, true class by predicted class. A subject whose table holds nothing
            was not tested by that run.
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
                f"Counts are {self.counts.shape}; variants, seeds, subjects and classes make {wanted} (V, S, P, C, C)."
            )
        if 0 in wanted:
            raise UserError("There is nothing to score: a tally needs a variant, a seed, a subject and a class.")
        if len(self.folds) != len(self.subjects):
            raise UserError(f"{len(self.folds)} folds are named for {len(self.subjects)} subjects.")
        for what, names in (("variant", self.variants), ("seed", self.seeds), ("subject", self.subjects)):
            if len(set(names)) < len(names):
                twice = next(name for name, times in Counter(names).items() if times > 1)
                raise UserError(f"A tally names {what} {twice!r} twice.")
        if np.min(self.counts) < 0:
            raise UserError("Confusion counts cannot be negative.")

    @property
    def tested(self) -> NDArray[np.bool_]:
        """(V, S, P) whether a run tested a subject."""
        return np.asarray(np.any(self.counts > 0, axis=(-2, -1)))

    def number(self, variant: str) -> int:
        """Which variant has this name."""
        if variant not in self.variants:
            raise UnknownName("variant", variant, list(self.variants))
        return self.variants.index(variant)

    def basis(self, *variants: str) -> tuple[ConfusionMatrices, tuple[str, ...]]:
        """These variants on what they have in common, and what was left out for it, in words.

        A seed counts when every one of the variants tested, with it, everybody whom they all tested at all; when no
        seed is that whole, subjects are those whom all of them tested with every common seed.
        """
        rows = [self.number(variant) for variant in variants]
        tested = self.tested[rows]
        started = tested.any(2).all(0)  # (S,) seeds that every variant has something of
        subjects = tested[:, started].any(1).all(0)
        seeds = started & tested[:, :, subjects].all((0, 2))
        if not seeds.any():
            seeds = started
            subjects = tested[:, started].all((0, 1))
        if not seeds.any() or not subjects.any():
            if len(variants) == 1:
                raise UserError(f"{variants[0]} has tested nobody.")
            raise UserError(f"{' and '.join(variants)} have no subject in common who was tested with the same seed.")
        within = np.any(tested, axis=0)
        said = []
        gone = [str(self.seeds[at]) for at in np.flatnonzero(np.any(within, axis=1) & ~seeds)]
        if gone:
            said.append(f"Left out, not whole for {_all(variants)}: {_few('seed', gone)}.")
        gone = [self.subjects[at] for at in np.flatnonzero(np.any(within, axis=0) & ~subjects)]
        if gone:
            said.append(f"Left out, not tested by {_all(variants)}: {_few('subject', gone)}.")
        if not _same_windows(self.counts[rows][:, seeds][:, :, subjects]):
            said.append(f"Windows per subject and class differ within {' and '.join(variants)}.")
        return self._part(rows, np.flatnonzero(seeds), np.flatnonzero(subjects)), tuple(said)

    def _part(self, rows: Sequence[int], seeds: NDArray[np.int64], subjects: NDArray[np.int64]) -> ConfusionMatrices:
        return replace(
            self,
            variants=tuple(self.variants[at] for at in rows),
            seeds=tuple(self.seeds[at] for at in seeds),
            subjects=tuple(self.subjects[at] for at in subjects),
            folds=tuple(self.folds[at] for at in subjects),
            counts=self.counts[np.ix_(np.asarray(rows), seeds, subjects)],
        )


def count_confusion(predictions: Sequence[Predictions]) -> ConfusionMatrices:
    """Count predictions into confusion counts of every variant, seed and subject.

    Subjects keep their natural order (2 before 10). One who was tested in several folds (as under ``published``) has
    all of his counts pooled, and is drawn among those who were tested in the same ones.

    Args:
        predictions: one value a variant.

    Returns:
        The counts, with the names of their axes.

    Raises:
        UserError: there are none, or variants tell other classes apart.

    Example:
        >>> from stillmotion.evaluation import Predictions, count_confusion
        >>> predictions = Predictions.of(
        ...     "lm", subject=["ann", "ann", "bob", "bob"], fold=0, seed=0, y=[0, 1, 0, 1], prediction=[0, 1, 1, 1]
        ... )
        >>> counted = count_confusion([predictions])
        >>> counted.subjects, counted.counts[0, 0, 1]
        (('ann', 'bob'), array([[0, 1],
               [0, 1]]))
    """
    if not predictions:
        raise UserError("There are no predictions to count.")
    variants = tuple(one.variant for one in predictions)
    classes = _classes(predictions)
    subjects, subject = _codes([one.subject for one in predictions])
    folds, fold = _codes([one.fold for one in predictions])
    seeds, seed = np.unique(np.concatenate([one.seed for one in predictions]), return_inverse=True)
    variant = np.repeat(np.arange(len(variants)), [len(one) for one in predictions])
    shape = (len(variants), len(seeds), len(subjects), len(classes), len(classes))
    if math.prod(shape) > MOST_CELLS:
        raise UserError(
            f"{len(variants)} variants with {len(seeds):,} seeds, {len(subjects):,} subjects and {len(classes):,} "
            f"classes make {math.prod(shape):,} confusion counts, {MOST_CELLS:,} may be; compare fewer at a time."
        )
    cell = np.ravel_multi_index(
        (
            variant,
            seed,
            subject,
            np.concatenate([one.y for one in predictions]),
            np.concatenate([one.prediction for one in predictions]),
        ),
        shape,
    )
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    met = np.zeros((len(subjects), len(folds)), np.bool_)
    met[subject, fold] = True
    own = tuple(" + ".join(folds[at] for at in np.flatnonzero(row)) for row in met)
    return ConfusionMatrices(variants, tuple(int(s) for s in seeds), subjects, own, classes, counts)


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Sorts ``p2`` before ``p10``."""
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name))


def _codes(columns: Sequence[NDArray[np.str_]]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names in natural order, and the number of each row's name. Arrow's hashing, since sorting a million is slow."""
    import pyarrow as pa

    coded = pa.chunked_array([pa.array(column, pa.string()) for column in columns]).combine_chunks()
    coded = coded.dictionary_encode()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda at: natural(names[at]))
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    return tuple(names[at] for at in order), place[coded.indices.to_numpy()]


def _classes(predictions: Sequence[Predictions]) -> tuple[str, ...]:
    """The class names all agree on; a file without names has numbers, and may have met fewer of them."""
    most = max(predictions, key=lambda one: (one.named, len(one.classes)))
    for one in predictions:
        if one.named and one.classes != most.classes:
            raise UserError(
                f"{most.variant} tells {', '.join(most.classes)} apart, {one.variant} {', '.join(one.classes)}; "
                "variants are compared on the same classes."
            )
        if len(one.classes) > len(most.classes):
            raise UserError(f"{one.variant} has {len(one.classes)} classes, {most.variant} {len(most.classes)}.")
        if one.scores is not None and one.scores.shape[1] != len(most.classes):
            raise UserError(
                f"{one.variant} has scores of {one.scores.shape[1]} classes, {most.variant} has {len(most.classes)}."
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
