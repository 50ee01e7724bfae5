"""Every method's loss terms and slopes are finite on answers and features that no formula was written for.

Values in float32, as in training. Those of the default run are a sample; ``make test-slow`` runs all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import numpy as np
import pytest

from stillmotion.methods import METHODS, Batch, Method, find_taps

Taps = dict[str, np.ndarray]
Change = Callable[[Taps, Taps, np.ndarray], tuple[Taps, Taps, np.ndarray]]

#: Shapes of taps as views give them, but for the classes.
STUDENT = {"stage1": (4, 2), "stage2": (1, 3), "embedding": (5,), "channel_attention_2": (3,)}
STUDENT |= {"spatial_attention_2": (4, 2, 1)}
TEACHER = {**STUDENT, "stage2": (3, 4), "embedding": (6,), "channel_attention_2": (5,)}


def of_logits(change: Callable[[np.ndarray], np.ndarray], *, student: bool = True, teacher: bool = True) -> Change:
    def changed(mine: Taps, theirs: Taps, labels: np.ndarray) -> tuple[Taps, Taps, np.ndarray]:
        mine = {**mine, "logits": change(mine["logits"])} if student else mine
        return mine, {**theirs, "logits": change(theirs["logits"])} if teacher else theirs, labels

    return changed


def of_features(change: Callable[[np.ndarray], np.ndarray], *, student: bool = True, teacher: bool = True) -> Change:
    def changed(mine: Taps, theirs: Taps, labels: np.ndarray) -> tuple[Taps, Taps, np.ndarray]:
        mine, theirs = (
            {name: np.float32(change(x)) if wanted and name != "logits" else x for name, x in taps.items()}
            for taps, wanted in ((mine, student), (theirs, teacher))
        )
        return mine, theirs, labels

    return changed


def alike(mine: Taps, theirs: Taps, labels: np.ndarray) -> tuple[Taps, Taps, np.ndarray]:
    same = {name: x if x.shape != mine[name].shape else mine[name] for name, x in theirs.items()}
    return mine, same, labels


def sure(z: np.ndarray) -> np.ndarray:
    return np.float32(200 * np.eye(z.shape[1])[np.arange(len(z)) % z.shape[1]])


def huge(z: np.ndarray) -> np.ndarray:
    return np.float32(1e4 * np.sign(z))


def half(x: np.ndarray) -> np.ndarray:
    """The largest and the smallest numbers of float16, signs kept."""
    return np.sign(x) * np.where(np.arange(x.size).reshape(x.shape) % 2, 65504.0, 6e-8)


#: What is done to a batch: (student's taps, teacher's, labels) → the same, changed.
ATTACKS: dict[str, Change] = {
    "as drawn": lambda mine, theirs, labels: (mine, theirs, labels),
    "teacher without doubt": of_logits(sure, student=False),
    "student without doubt": of_logits(sure, teacher=False),
    "both without doubt, and of two minds": lambda mine, theirs, labels: (
        {**mine, "logits": sure(mine["logits"])},
        {**theirs, "logits": sure(theirs["logits"])[::-1]},
        labels,
    ),
    "equal logits": of_logits(np.zeros_like),
    "equal logits of the teacher": of_logits(np.zeros_like, student=False),
    "logits of 10,000": of_logits(huge),
    "logits of 10,000 of the student": of_logits(huge, teacher=False),
    "windows of one class": lambda mine, theirs, labels: (mine, theirs, np.eye(len(labels[0]))[[0] * len(labels)]),
    "labels of equal shares": lambda mine, theirs, labels: (mine, theirs, np.full_like(labels, 1 / len(labels[0]))),
    "constant features": of_features(np.ones_like),
    "zero features": of_features(np.zeros_like),
    "zero features of the student": of_features(np.zeros_like, teacher=False),
    "zero features of the teacher": of_features(np.zeros_like, student=False),
    "windows that are one point": of_features(lambda x: np.repeat(x[:1], len(x), axis=0)),
    "opposite windows": of_features(lambda x: np.stack([sign * x[0] for sign in [1, -1] * len(x)][: len(x)])),
    "features of 10,000": of_features(lambda x: 1e4 * x),
    "features at the ends of float16": of_features(half),
    "features below what float32 can square": of_features(lambda x: 1e-30 * x),
    "student and teacher alike": alike,
}
#: (windows, classes): of each another program, so all attacks on the first and these on the others.
SIZES = {
    (4, 3): tuple(ATTACKS),
    (1, 3): ("as drawn", "equal logits", "zero features"),
    (4, 2): ("as drawn", "logits of 10,000"),
}
#: At the ends of float32 rounding decides, so programs are compiled as a user's are, and not quickly as in other tests.
AS_USERS = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True}
#: Those with objectives of their own.
DISTINCT = {way.objective: name for name, way in reversed(METHODS.items())}


@cache
def program(name: str, size: int, classes: int) -> Any:
    """Terms and slopes of a method, compiled once for a size of batch, and what is trained beside the networks."""
    way = METHODS[name]
    shapes = [
        {tap: x.shape[1:] for tap, x in taps.items()} for taps in batch(way, size, classes, ATTACKS["as drawn"])[:2]
    ]
    hyperparameters = way.resolve({})

    @partial(jax.jit, compiler_options=AS_USERS)
    @partial(jax.value_and_grad, has_aux=True)
    def run(learning: Any, teacher: Any, labels: Any) -> Any:
        student, aux, *moved = learning
        given = Batch(labels, np.ones(size, np.float32), np.zeros(classes, np.float32), np.float32(0.05))
        terms = way.objective(given, student, moved[0] if moved else teacher, hyperparameters, aux)
        return sum(terms.values()), terms

    return run, way.init_aux_params(*shapes, 3)


def batch(way: Method, size: int, classes: int, change: Change) -> tuple[Taps, Taps, np.ndarray]:
    """Taps of both networks after the method's view, and labels."""
    rng = np.random.default_rng(size + classes)
    student, teacher = (
        {tap: rng.normal(size=(size, *shape)).astype(np.float32) for tap, shape in shapes.items()}
        for shapes in ({"logits": (classes,), **STUDENT}, {"logits": (classes,), **TEACHER})
    )
    student, teacher, labels = change(student, teacher, np.eye(classes)[rng.integers(0, classes, size)])
    viewed = []
    for taps, wanted in ((student, way.student_taps), (teacher, way.teacher_taps)):
        names = find_taps(("logits", *wanted), list(taps), method=way.name, network="a network")
        kept = {name: taps[name] for name in names}
        viewed.append(dict(way.view(kept)) if way.view and wanted else kept)
    return viewed[0], viewed[1], np.float32(labels)


#: Methods of the default run: a norm of directions, and a standard deviation.
SAMPLE = ("at", "ls-kd")
CASES = [
    pytest.param(name, *size, attacked, marks=[] if name in SAMPLE and size == (4, 3) else [pytest.mark.slow])
    for name in DISTINCT.values()
    for size, attacks in SIZES.items()
    for attacked in attacks
]


@pytest.mark.parametrize(("name", "size", "classes", "attacked"), CASES)
def test_no_input_makes_a_loss_or_a_slope_infinite(name: str, size: int, classes: int, attacked: str) -> None:
    way = METHODS[name]
    student, teacher, labels = batch(way, size, classes, ATTACKS[attacked])
    run, aux = program(name, size, classes)
    (_, terms), slopes = run([student, aux, *([teacher] if way.trains_teacher else [])], teacher, labels)
    for term, value in terms.items():
        assert np.isfinite(value), f"{term} is {value}"
    for slope in jax.tree.leaves(slopes):
        assert np.isfinite(slope).all()
