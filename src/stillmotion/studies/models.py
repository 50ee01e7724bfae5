"""The bundles of a study: one of each variant from the first fold, and ``best``, which is what ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bundles import Bundle
from ..bundles.calibration import spread_rows
from ..evaluation import accuracy, macro_f1
from ..features import unpack_arrays
from ..methods import get_method
from .collapsed import MAJORITY, has_collapsed
from .data import StudyData
from .ensembles import share_equally, weigh_kinds
from .jobs import fit_arrays
from .predict import load_model
from .results import Results
from .runs import Run
from .sequences import decoder_of
from .shipping import Shipment, can_ship, cross_validated_scores, describe_shipment, recommended_variant
from .state import StudyState

#: Windows whose answers a bundle holds.
GOLDEN = 8


@dataclass(frozen=True)
class SavedModel:
    """A model to save.

    Args:
        variant: its name.
        run: that trained it.
        scores: rows of scores by subject.
        about: provenance besides that of the run.
    """

    variant: str
    run: Run
    scores: list[dict[str, Any]]
    about: Mapping[str, Any]


def choose_models(state: StudyState, results: Results, shipment: Shipment | None) -> dict[str, SavedModel]:
    """Choose the models of a study's bundles, by name of the bundle.

    A variant's is the run of the first fold that scores best on its validation subjects, and ``best`` what ships;
    without a shipment it is the recommended variant's model of the first fold.

    Args:
        state: of a study whose test set is evaluated.
        results: of this state.
        shipment: the runs that were fitted to all subjects, if the study ships.
    """
    models = {}
    for (name, fold), runs in state.reported.items():
        if fold == 0 and runs and can_ship(state, name):
            # One that predicts a single class comes last, whatever it scores.
            run = max(runs, key=lambda each: (not has_collapsed(state, each), state.ended[each.id].validation))
            about = {"fold": run.fold, "chosen": "on validation subjects"}
            models[name] = SavedModel(name, run, _scores_of_run(state, run), about)
    variant = recommended_variant(state, results)
    if shipment is not None and state.is_done(shipment.run):
        scores = cross_validated_scores(state, shipment.variant)
        about = describe_shipment(state, results, shipment)
        models["best"] = SavedModel(shipment.variant, shipment.run, scores, about)
    elif variant in models and (variant == MAJORITY or not has_collapsed(state, models[variant].run)):
        models["best"] = models[variant]
    return models


def save_model(path: Path, model: SavedModel, state: StudyState, data: StudyData) -> None:
    """Save the bundle of a model, with windows of its subjects as golden ones.

    A feature classifier of a fold is fitted again, since only its predictions are kept.
    """
    study, run = state.study, model.run
    train, _ = state.planner.rows(run)
    content: Any
    if run.kind == "network":
        content = load_model(state, run)
    elif run.refit:
        content = unpack_arrays(
            state.store.packed_classifier(run.id), f"the model of {model.variant} in {state.folder}"
        )
    else:
        content = fit_arrays(run, data, train)
    provenance = {
        "study": study.name,
        "variant": model.variant,
        "run": run.id,
        "data": {"name": study.data.name, "fingerprint": state.index.fingerprint},
        "protocol": study.split.protocol,
        "method": run.method,
        "hyperparameters": dict(run.hyperparameters),
        "seed": run.seed,
        **({"quantise": run.quantise} if run.quantise else {}),
        **_taught_by(state, run),
        **model.about,
    }
    chosen = [each for (name, _), runs in state.reported.items() if name == model.variant for each in runs]
    decoder = decoder_of(state, run, chosen=chosen if run.refit else ()) if study.decoding else None
    Bundle.save(
        path,
        content,
        state.index.spec,
        scores=model.scores,
        provenance=provenance,
        decoder=decoder,
        calibration=data.windows.values(spread_rows(train)),
        golden=data.windows.values(spread_rows(train, GOLDEN)),
        replace=True,
    )


def _taught_by(state: StudyState, run: Run) -> dict[str, Any]:
    """Return the teachers of a run with their weights, and whether they ran in its steps."""
    if not run.teachers:
        return {"teacher": str(state.study.scores)} if run.scores else {}
    members = [state.planner.teacher(name) for name in run.teachers]
    shares = state.shares(members) if run.weighting else share_equally(members)
    assert shares is not None
    outputs = "live" if run.live else "co-trained" if get_method(run.method).trains_teacher else "stored"
    return {"teachers": weigh_kinds(members, shares), "teacher_runs": len(members), "outputs": outputs}


def _scores_of_run(state: StudyState, run: Run) -> list[dict[str, Any]]:
    counts = state.counts([run], "test")
    assert counts is not None
    return [
        {
            "subject": subject,
            "windows": int(matrix.sum()),
            "accuracy": float(accuracy(matrix)),
            "macro_f1": float(macro_f1(matrix, absent="skip")),
        }
        for subject, matrix in zip(state.index.subjects, counts, strict=True)
        if matrix.any()
    ]
