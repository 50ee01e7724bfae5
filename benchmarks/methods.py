"""Time a training step of every method against plain training of the same student, in the same kind of fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stillmotion.methods import METHODS, Method

from .paired import in_pairs

TITLE = "A step of every method over one of plain training, batch 64, teachers' taps cached (one replica, in turns)"

Row = dict[str, Any]
Kind = Literal["logits", "features", "mutual"]

BATCH = 64
#: Samples, channels and classes of HAPT.
SHAPE = (128, 6, 12)
#: Largest ratio of a step to that of ``lm``; for a mutual method, to the steps of ``lm`` for both networks.
GOALS: dict[Kind, float] = {"logits": 1.15, "features": 1.5, "mutual": 1.2}


#: Methods with the objective of kd.
SAME_AS_KD = ("rb-kd", "takd")


@dataclass(frozen=True)
class Pair:
    """A student and its teacher; an epoch has ``steps`` steps and takes about a third of a second."""

    student: str
    teacher: str
    steps: int
    attention: str | None = None

    @property
    def methods(self) -> list[Method]:
        """Methods to measure on this pair: with attention those that need it, otherwise the others."""
        taught = [way for way in METHODS.values() if way.teacher_taps and way.name not in SAME_AS_KD]
        return [way for way in taught if bool(way.attention) == (self.attention is not None)]


#: A small student, a larger one, and one whose own step is so short that any overhead shows.
PAIRS = (
    Pair("tinierhar", "resnet-lstman", 12),
    Pair("cnn-har", "deepconvlstm-om", 6),
    Pair("mlp", "resnet-lstman", 40),
    Pair("deepconvlstm-lm", "deepconvlstm-om", 24, attention="channel:r=2,spatial:k=5,after=2"),
)
#: Steps of an epoch in which a large teacher is trained too.
MUTUAL_STEPS = 2


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return one row per pair and method; ``lm`` against itself shows the noise of the measurement.

    Windows and the teacher's cached taps are random, so ``data`` is not read. Keys of a row: ``milliseconds`` of a step
    of the method, ``plain`` of a step of ``lm`` (mutual: of both networks), ``ratio`` the median of the first over the
    second, ``low`` and ``high`` its quartiles, ``met`` whether it meets the goal. A pair that a method cannot compare
    has a ``note`` and no timings.
    """
    return [row for pair in (PAIRS[:1] if quick else PAIRS) for row in _pair(pair, 5 if quick else 9)]


def kind(way: Method) -> Kind:
    """Return the kind of a method: it uses logits only, features, or trains both networks."""
    if way.trains_teacher:
        return "mutual"
    return "logits" if way.teacher_taps == ("logits",) else "features"


def _pair(pair: Pair, repeats: int) -> list[Row]:
    import stillmotion.training  # noqa: F401 - before any import of keras: it chooses the backend.
    from stillmotion.errors import UserError
    from stillmotion.networks import build_network

    options = {} if pair.attention is None else {"attention": pair.attention}
    student, teacher = (build_network(name, SHAPE, seed=1, **options) for name in (pair.student, pair.teacher))
    plain = _epoch(student, METHODS["lm"], pair.steps)
    mutual = any(way.trains_teacher for way in pair.methods)
    alone = [_epoch(network, METHODS["lm"], MUTUAL_STEPS) for network in (student, teacher)] if mutual else []

    rows = []
    for way in (METHODS["lm"], *pair.methods):
        steps = MUTUAL_STEPS if way.trains_teacher else pair.steps
        row: Row = {"student": pair.student, "teacher": pair.teacher, "method": way.name}
        try:
            taught = _epoch(student, way, steps, teacher)
        except UserError as problem:
            rows.append({**row, "note": f"refused: {problem}"})
            continue
        against = (lambda: [epoch() for epoch in alone]) if way.trains_teacher else plain
        # A step that takes seconds needs fewer turns.
        pairs = np.array(in_pairs(taught, against, repeats=repeats // 2 + 1 if way.trains_teacher else repeats))
        rows.append({**row, **_measured(way, pairs, steps)})
    return rows


def _measured(way: Method, pairs: Any, steps: int) -> Row:
    milliseconds, plain = np.median(pairs, axis=0) / steps
    low, ratio, high = np.quantile(pairs[:, 0] / pairs[:, 1], [0.25, 0.5, 0.75])
    row = {"milliseconds": milliseconds, "plain": plain, "ratio": ratio, "low": low, "high": high}
    row = {name: float(value) for name, value in row.items()}
    if not way.teacher_taps:
        return {**row, "kind": "the same again", "goal": "–"}
    goal = GOALS[kind(way)]
    return {**row, "kind": kind(way), "goal": f"≤ {goal:g}×", "met": "yes" if ratio <= goal else "no"}


def _epoch(student: Any, way: Method, steps: int, teacher: Any = None) -> Callable[[], object]:
    """Return a function that runs a fleet's compiled epoch with the taps of a teacher cached, or trained with it."""
    from stillmotion.training import Recipe, Teacher
    from stillmotion.training.distillation import teacher_network

    random, teachers = np.random.default_rng(0), []
    if way.teacher_taps:
        network = teacher_network(teacher, way)
        drawn = {
            name: random.normal(size=(steps * BATCH, *shape)).astype(np.float32)
            for name, shape in network.tap_shapes.items()
        }
        weights, state = network.own()
        if way.trains_teacher:
            teachers = [Teacher(network, weights, state)]
        else:
            teachers = [Teacher(outputs=drawn, classifier=network.classifier_of(weights))]
    return compiled_epoch(student, way, steps, teachers, Recipe(batch=BATCH))


def compiled_epoch(
    student: Any, way: Method | str, steps: int, teachers: Sequence[Any], recipe: Any, **strengths: float
) -> Callable[[], object]:
    """Return a function that runs the compiled epoch of a fleet of one, always from the same weights, to its end.

    Args:
        student: the network.
        way: the method.
        steps: of the epoch; its windows are drawn at random.
        teachers: the teacher, or none.
        recipe: of the training.
        strengths: of the recipe's augmentation.
    """
    import jax
    import jax.numpy as jnp

    from stillmotion.training import Fleet, Replica

    random = np.random.default_rng(0)
    count = steps * recipe.batch
    windows = random.normal(size=(count, *SHAPE[:2])).astype(np.float32)
    labels = random.integers(0, SHAPE[2], count)
    replica = Replica(0, np.arange(count), np.arange(recipe.batch), strengths)
    fleet = Fleet(student, way, [replica], windows, labels, classes=SHAPE[2], recipe=recipe, teachers=teachers, size=1)
    standing = fleet._begin(judge=False)
    learners, members = jax.device_put((standing.learners, fleet._members(standing.slots)))
    slots, alive = jnp.arange(1, dtype=jnp.int32), jnp.asarray(1)
    return lambda: jax.block_until_ready(fleet.program.epoch(learners, members, fleet.shared, slots, alive))
