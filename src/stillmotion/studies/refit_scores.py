"""Scores of refits: what validation subjects add when they are trained on too, after they have selected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..evaluation import Interval, compare_variants
from ..formatting import format_points, format_score
from .state import StudyState


@dataclass(frozen=True)
class RefitScore:
    """The score of a variant after a refit on training and validation subjects, on the test subjects.

    Args:
        variant: its name.
        macro_f1: of the refits, pooled over subjects, mean over seeds.
        without: of the same variant trained on training subjects alone.
        change: ``macro_f1`` minus ``without``.
    """

    variant: str
    macro_f1: Interval
    without: Interval
    change: Interval

    def __str__(self) -> str:
        return (
            f"{self.variant} refitted to training and validation subjects {format_score(self.macro_f1)}, before "
            f"{format_score(self.without)}: {format_points(self.change)}"
        )


def compare_refits(state: StudyState) -> list[RefitScore]:
    """Compare each variant's refits with its reported runs; nothing before both are evaluated on test subjects."""
    before, after = state.confusion("test"), state.confusion("test", refits=True)
    scores = []
    for name in () if before is None or after is None else after.variants:
        assert before is not None
        assert after is not None
        if name not in before.variants or after.subjects != before.subjects:
            continue
        counts = [each.counts[each.variants.index(name)] for each in (before, after)]
        if not all((each.sum((-2, -1)) > 0).all() for each in counts):
            continue  # A run of either is missing.
        compared = compare_variants(
            type(before)(
                variants=("without", "refit"),
                seeds=before.seeds,
                subjects=before.subjects,
                folds=before.folds,
                classes=before.classes,
                counts=np.stack(counts),
            ),
            against="without",
        )
        standings = {each.variant: each.macro_f1 for each in compared.standings}
        change = compared.comparisons[0].difference
        scores.append(RefitScore(name, standings["refit"], standings["without"], change))
    return scores
