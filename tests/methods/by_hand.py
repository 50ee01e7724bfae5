"""Compare objectives with loops in double precision: values of all terms, and gradients along random directions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial
from typing import Any

import jax
import numpy as np

from stillmotion.methods import Batch, get_method

Tree = dict[str, np.ndarray]
Loops = Callable[[Batch, Tree, Tree, dict[str, float], Tree], dict[str, float]]
#: More windows than classes, and fewer: each would hide another wrong axis.
SHAPES = [(5, 3), (3, 6)]


def labels(batch: int, classes: int, *, seed: int = 3, done: float = 1.0, hard: bool = True) -> Batch:
    rng = np.random.default_rng(seed)
    targets = np.eye(classes)[rng.integers(0, classes, batch)] if hard else rng.dirichlet(np.ones(classes), batch)
    return Batch(targets, rng.uniform(0.5, 2, batch), rng.normal(size=classes), np.float64(done))


def drawn(seed: int, batch: int, **shapes: tuple[int, ...]) -> Tree:
    """Taps of these shapes, drawn."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 1.5, (batch, *shape)) for name, shape in shapes.items()}


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - np.max(z))
    return e / e.sum()


def kl(p: np.ndarray, q: np.ndarray) -> float:
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def cross_entropy(batch: Batch, z: np.ndarray) -> float:
    total = 0.0
    for b in range(len(z)):
        total -= batch.weights[b] * sum(batch.targets[b] * np.log(softmax(z[b] + batch.offset)))
    return total / len(z)


def linear(x: np.ndarray, aux_params: Tree, name: str) -> np.ndarray:
    """One row through a projector."""
    kernel, bias = aux_params[f"{name}/kernel"], aux_params[f"{name}/bias"]
    return np.array([sum(x[i] * kernel[i, o] for i in range(len(x))) + bias[o] for o in range(len(bias))])


def stretches(x: np.ndarray, length: int) -> np.ndarray:
    """(moments, features) with fewer moments: the mean of what lies in each stretch, by fine sampling."""
    fine = np.repeat(x, length, axis=0)  # Every moment in ``length`` parts, so that stretches end between parts.
    return np.stack([part.mean(0) for part in np.split(fine, length)])


def resized(x: np.ndarray, length: int) -> np.ndarray:
    if length <= len(x):
        return stretches(x, length)
    places = np.linspace(0, len(x) - 1, length)
    return np.stack([np.interp(places, np.arange(len(x)), column) for column in x.T], axis=1)


def extras_of(name: str, student: Tree, teacher: Tree, **options: str) -> Tree:
    """What the method draws for these taps, biases moved off 0."""
    shapes = [{tap: values.shape[1:] for tap, values in taps.items()} for taps in (student, teacher)]
    made = get_method(name, **options).init_aux_params(*shapes, 5)
    rng = np.random.default_rng(1)
    return {tap: values.astype(np.float64) + 0.1 * rng.normal(size=values.shape) for tap, values in made.items()}


@cache
def _program(name: str, mutual: bool, **options: str) -> Any:
    way = get_method(name, **options)

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def run(moving: Any, still: Any, batch: Any, settings: Tree, chosen: Tree) -> Any:
        terms = way.objective(Batch(*batch), moving[0], moving[1] if mutual else still, settings, moving[-1])
        return sum(chosen.get(term, 0.0) * value for term, value in terms.items()), terms

    return run


def evaluate(
    name: str,
    student: Tree,
    teacher: Tree,
    aux_params: Tree,
    *,
    batch: Batch,
    hyperparameters: dict[str, float],
    chosen: Collection[str],
    mutual: bool = False,
    **options: str,
) -> tuple[Tree, list[Tree]]:
    """All terms in float32, and the slopes of the sum of the chosen ones: in student, teacher (if mutual), extras.

    Compiled once for a method and a shape, whatever the hyperparameters and the terms.
    """
    way = get_method(name, **options)
    moving = [student, teacher, aux_params] if mutual else [student, aux_params]
    given = (moving, {} if mutual else teacher, tuple(batch), way.resolve(hyperparameters))
    weights = {term: float(term in chosen) for term in way.terms}
    single = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), (*given, weights))
    (_, terms), slopes = _program(name, mutual, **options)(*single)
    return terms, slopes


def check(
    name: str,
    loops: Loops,
    student: Tree,
    teacher: Tree,
    *,
    batch: Batch,
    hyperparameters: dict[str, float] | None = None,
    within: float = 2e-4,
    mutual: Callable[..., float] | None = None,
    **options: str,
) -> dict[str, float]:
    """The terms and their gradient are those of the loops; the terms.

    ``mutual`` is, for methods that train both, what the gradient descends: the loops' sum with targets held still.
    """
    settings = get_method(name, **options).resolve(hyperparameters or {})
    aux_params = extras_of(name, student, teacher, **options)
    expected = loops(batch, student, teacher, settings, aux_params)
    given = {"batch": batch, "hyperparameters": settings, "chosen": expected, "mutual": mutual is not None, **options}
    terms, slopes = evaluate(name, student, teacher, aux_params, **given)
    moving = [student, teacher, aux_params] if mutual else [student, aux_params]
    assert set(terms) == set(expected)
    for term, value in expected.items():
        np.testing.assert_allclose(float(terms[term]), value, rtol=within, atol=within / 10, err_msg=term)

    def total(*trees: Tree) -> float:
        if mutual:
            return mutual(batch, trees, (student, teacher, aux_params), settings)
        return sum(loops(batch, trees[0], teacher, settings, trees[1]).values())

    rng = np.random.default_rng(9)
    for tree in range(len(moving)):
        for tap, values in moving[tree].items():
            way_out = rng.normal(size=values.shape)
            step = 1e-5 * way_out
            up, down = (
                [{**part, tap: values + sign * step} if at == tree else part for at, part in enumerate(moving)]
                for sign in (1, -1)
            )
            slope = (total(*up) - total(*down)) / 2e-5
            found = float(np.sum(np.asarray(slopes[tree][tap], np.float64) * way_out))
            np.testing.assert_allclose(found, slope, rtol=20 * within, atol=5 * within, err_msg=f"{tree} {tap}")
    return {term: float(value) for term, value in terms.items()}
