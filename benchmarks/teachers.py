"""Time a training step whose teachers run in it against one without a teacher, and against one with stored outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .methods import SHAPE, compiled_epoch
from .paired import in_pairs

TITLE = (
    "A step with teachers in it over one of plain training, batch 128, mixup and feature noise (one replica, in turns)"
)

Row = dict[str, Any]

BATCH, STEPS = 128, 40
AUGMENT = {"mixup": 0.4, "feature-noise": 0.1}
#: Students and the teachers that run in their steps; none stands for stored outputs.
CONTESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("feature-net-s", ()),
    ("feature-net-s", ("feature-net-l",)),
    ("feature-net-s", ("feature-net-xl",) * 3),
    ("feature-net-s", ("feature-net-xl", "feature-net-xl", "hybrid-net-m")),
    ("hybrid-net-s", ("hybrid-net-m",)),
)


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return one row per student and teachers. Windows are random, so ``data`` is not read.

    Keys of a row: ``milliseconds`` of a step of ``kd``, ``plain`` of a step of ``lm``, ``ratio`` the median of the
    first over the second, ``low`` and ``high`` its quartiles, ``megabytes`` of the teachers' activations in a step, as
    the size of a fleet counts them.
    """
    contests = CONTESTS[:2] if quick else CONTESTS
    return [_row(student, teachers, 5 if quick else 9) for student, teachers in contests]


def _row(student: str, names: tuple[str, ...], repeats: int) -> Row:
    import stillmotion.training  # noqa: F401 - before any import of keras: it chooses the backend.
    from stillmotion.networks import build_network
    from stillmotion.training import Recipe, Teacher, join_teachers
    from stillmotion.training.functional import Functional
    from stillmotion.training.memory import replica_bytes

    recipe = Recipe(batch=BATCH, augment=tuple(AUGMENT))
    networks = [Functional(build_network(name, SHAPE, seed=n), ["logits"]) for n, name in enumerate(names)]
    members = [Teacher(network, *network.own()) for network in networks]
    if members:
        teacher = join_teachers(members) if len(members) > 1 else members[0]
    else:
        drawn = np.random.default_rng(0).normal(size=(STEPS * BATCH, SHAPE[2]))
        teacher = Teacher(outputs={"logits": drawn.astype(np.float32)})
    model = build_network(student, SHAPE)
    plain = compiled_epoch(model, "lm", STEPS, [], recipe, **AUGMENT)
    taught = compiled_epoch(model, "kd", STEPS, [teacher], recipe, **AUGMENT)
    pairs = np.array(in_pairs(taught, plain, repeats=repeats))
    milliseconds, alone = np.median(pairs, axis=0) / STEPS
    low, ratio, high = np.quantile(pairs[:, 0] / pairs[:, 1], [0.25, 0.5, 0.75])
    return {
        "student": student,
        "teachers": " + ".join(names) or "stored outputs",
        "milliseconds": float(milliseconds),
        "plain": float(alone),
        "ratio": float(ratio),
        "low": float(low),
        "high": float(high),
        "megabytes": replica_bytes([], BATCH, frozen=networks) / 1e6,
    }
