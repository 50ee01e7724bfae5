"""What a study ships: the recommended variant, fitted to all subjects that may be trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..evaluation import accuracy, macro_f1
from .baselines import Baseline
from .recommend import recommend
from .refit import refit_on_all
from .results import Results
from .runs import Run
from .state import StudyState

RULE = "median over the folds of what their validation subjects selected"


@dataclass(frozen=True)
class Shipment:
    """The runs of what ships, in the order in which they train.

    Args:
        variant: the recommended row that a bundle can hold.
        first: teachers of a teacher assistant.
        teachers: teachers of the model.
        run: the model.
    """

    variant: str
    first: tuple[Run, ...]
    teachers: tuple[Run, ...]
    run: Run

    def missing(self, state: StudyState) -> list[Run]:
        """Return the runs to train next; none if all have ended."""
        for runs in (self.first, self.teachers, (self.run,)):
            if missing := [run for run in runs if run.id not in state.ended]:
                return missing
        return []


def recommended_variant(state: StudyState, results: Results) -> str | None:
    """Return the recommended variant or baseline that a bundle can hold; None if nothing is recommended.

    Where what is recommended has no form for a bundle (gradient boosting, a classifier of one's own), it is the best of
    the others by the same rule.
    """
    able = [row for row in results.rows if row.kind != "teacher" and can_ship(state, row.variant)]
    # A model is shipped even where its recommendation is withheld, since its score says too little.
    row = recommend(able, budget=results.budget, withhold=False).row if results.compared else None
    return None if row is None else row.variant


def plan_shipment(state: StudyState, results: Results) -> Shipment | None:
    """Plan the runs that fit the recommended variant to all subjects.

    Args:
        state: of a study whose test set is evaluated.
        results: of this state.

    Returns:
        The runs; None if nothing is recommended.
    """
    variant = recommended_variant(state, results)
    trials = [trial for (name, _), trial in sorted(state.selected.items()) if name == variant]
    selected = [trial for trial in trials if trial is not None]
    if variant is None or not selected:
        return None
    runs = [run for (name, _), runs in sorted(state.reported.items()) if name == variant for run in runs]
    first, teachers, run = refit_on_all(state.planner, selected, runs, state.ended)
    return Shipment(variant, tuple(first), tuple(teachers), run)


def cross_validated_scores(state: StudyState, variant: str) -> list[dict[str, Any]]:
    """Return the scores of each test subject: of models that were not trained on the subject, means over seeds."""
    matrices = state.confusion("test")
    assert matrices is not None
    counts = matrices.counts[matrices.variants.index(variant)]  # (seeds, subjects, C, C)
    return [
        {
            "subject": subject,
            "windows": int(counts[0, number].sum()),
            "accuracy": float(accuracy(counts[:, number]).mean()),
            "macro_f1": float(macro_f1(counts[:, number], absent="skip").mean()),
        }
        for number, subject in enumerate(matrices.subjects)
    ]


def describe_shipment(state: StudyState, results: Results, shipment: Shipment) -> dict[str, Any]:
    """Return the provenance of what ships: what it was fitted to, what was chosen how, and its estimate."""
    index, run = state.index, shipment.run
    (row,) = (row for row in results.rows if row.variant == shipment.variant)
    rows, _ = state.planner.rows(run)
    subjects = len(set(index.subject_codes[rows].tolist()))
    score = row.macro_f1
    assert score is not None
    where = "on validation subjects" if results.budget is not None else "by scores of test subjects, which flatters it"
    return {
        "estimate": (
            f"Estimate: macro-F1 {score} % of {len(index.subjects_of('test'))} test subjects, each scored by models of "
            f"the same recipe that were not trained on that subject (folds: {len(index.folds)}, seeds: "
            f"{state.study.seeds}). This model itself was then fitted to all {subjects} subjects that may be trained "
            f"on, and is not scored."
        ),
        "fitted_to": f"all {subjects} subjects that may be trained on, {len(rows)} windows",
        "folds": len(index.folds),
        "recommended": where,
        "chosen": RULE,
        **({"epochs": run.stop} if run.kind == "network" else {}),
    }


def can_ship(state: StudyState, name: str) -> bool:
    """Return whether a bundle can hold a variant or baseline: networks, and classifiers that plain arrays hold."""
    system = state.study.systems[name]
    return not isinstance(system, Baseline) or system.has_arrays
