"""Check before training that the networks of a study fit its methods."""

from __future__ import annotations

import keras

from ..errors import UserError
from ..methods import Method, find_taps, get_method
from ..networks import get_network, list_taps
from ..networks.registry import get_shared_network
from .plan import Planner
from .runs import Run
from .search import next_trials


def require_feasible(planner: Planner) -> None:
    """Raise ``UserError`` for a variant whose networks lack taps or attention that its method needs."""
    models: dict[tuple[str, str, str, bool], keras.Model] = {}
    for name, variant in planner.study.all_variants.items():
        trial = next_trials(planner.study, name, 0)[0]
        method = get_method(variant.method, **variant.options)
        student = planner.run(trial)
        _require(
            planner,
            models,
            name,
            method,
            student,
            ("logits", *method.student_taps),
            attended="student" in method.attention,
        )
        if planner.index.scores and method.teacher_taps not in ((), ("logits",)) and variant.teacher != "self":
            raise UserError(
                f"{name} needs {', '.join(method.teacher_taps)} of its teacher, but {planner.study.scores} holds only "
                f"scores: leave {name} out, or use a teacher network."
            )
        for run in planner.teachers(variant, 0, trial.attention):
            if run.kind == "features":
                continue
            attended = "teacher" in method.attention
            _require(planner, models, name, method, run, ("logits", *method.teacher_taps), attended=attended)


def _require(
    planner: Planner,
    models: dict[tuple[str, str, str, bool], keras.Model],
    name: str,
    method: Method,
    run: Run,
    taps: tuple[str, ...],
    *,
    attended: bool,
) -> None:
    key = run.architecture
    if run.attention and "attention" not in get_network(run.network).options:
        raise UserError(
            f"{name} needs attention, which {run.network} does not support: leave {name} out, or use another network."
        )
    if key not in models:
        models[key] = get_shared_network(run.network, planner.index.spec_of(run), **run.options_of_network)
    wanted = (*taps, *(("*_attention_*",) if attended else ()))
    find_taps(wanted, list_taps(models[key]), method=f"{name} ({method.name})", network=run.network)
