"""The compiled programs of a fleet: one epoch of training, one evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..methods.registry import BUILT_IN
from ..networks.convolution_forms import USUAL, WITHOUT_XLA, noted_forms
from ..windows.augment import Mix, Places
from .device import compile_function
from .distillation import DistillationSetup
from .recipe import Recipe
from .rows import put_row, put_rows, take_row, take_rows
from .shared import Shared
from .step import (
    ReplicaInputs,
    TrainState,
    described_by,
    divide_state,
    draw_step_mix,
    take_step,
    term_names,
    unite_state,
)

Array = Any


@dataclass(frozen=True)
class Program:
    """Functions over replicas, each one compiled program.

    Args:
        epoch: (train states, inputs, shared, slots, alive) → (train states, sums of loss terms over the epoch's steps).
        evaluate: (train states, indices of windows (R, n, B) padded with -1, shared, slots, alive) → confusion
            matrices (R, C, C) of the windows whose logits are finite.
        terms: names of the loss terms, in the order of the sums.
        forms: the forms of the networks' convolutions forward, known once an epoch has been compiled.
    """

    epoch: Callable[[TrainState, ReplicaInputs, Shared, Array, Array], tuple[TrainState, Array]]
    evaluate: Callable[[TrainState, Array, Shared, Array, Array], Array]
    terms: tuple[str, ...]
    forms: set[str] = field(default_factory=set)


def compile_program(
    setup: DistillationSetup,
    recipe: Recipe,
    *,
    classes: int,
    places: Places = (),
    together: int = 1,
) -> Program:
    """Compile the programs of a fleet.

    An epoch of all replicas is one program.

    Args:
        setup: method, student and teachers.
        recipe: settings of the training.
        classes: number of classes.
        places: channels of each sensor position, for rotations.
        together: number of replicas that share one matrix product: on a processor one (a batched product of small
            matrices is slow there), on an accelerator all.

    Returns:
        The compiled functions.
    """
    key = _key(setup, recipe, classes, places, together)
    if key is None:
        return _compile(setup, recipe, classes, places, together)
    with _COMPILED_LOCK:
        if key not in _COMPILED:
            while len(_COMPILED) >= MOST:
                del _COMPILED[next(iter(_COMPILED))]
            # A kept program must not keep the outputs of teachers.
            cached = {name: np.zeros((0, 0, *values.shape[2:]), np.float32) for name, values in setup.cached.items()}
            kept = replace(setup, teachers=(), cached=cached)
            _COMPILED[key] = _compile(kept, recipe, classes, places, together)
        return _COMPILED[key]


#: Programs of the last fleets, for others of the same networks and method.
_COMPILED: dict[tuple[Any, ...], Program] = {}
_COMPILED_LOCK = Lock()
MOST = 16


def _key(
    setup: DistillationSetup, recipe: Recipe, classes: int, places: Places, together: int
) -> tuple[Any, ...] | None:
    """Return what a program depends on besides its arguments; None where a network or an objective could change."""
    method = setup.method
    networks = [network.twin for network in setup.networks]
    if method.name not in BUILT_IN or None in networks:
        return None
    functions = (method.objective, method.view, method.classifier, method.aux_params)
    shapes = (*setup.aux.shapes.items(), *sorted(setup.teacher_shapes.items()))
    axes = tuple(map(tuple, places))
    settings = (tuple(recipe.augment), recipe.schedule, recipe.warmup, classes, axes, together)
    return (*networks, method.name, *functions, *sorted(method.chosen.items()), *shapes, *settings)


def _compile(setup: DistillationSetup, recipe: Recipe, classes: int, places: Places, together: int) -> Program:
    student = setup.student

    def epoch_of(learner: TrainState, member: ReplicaInputs, shared: Shared) -> tuple[TrainState, Array]:
        def body(carry: TrainState, row: tuple[Array, Array, Mix | None]) -> tuple[TrainState, Array]:
            with noted_forms(noted):
                return take_step(setup, recipe, classes, places, carry, *row, member, shared)

        numbers = jnp.arange(member.order.shape[0])
        # Drawn for all steps at once: step by step, the draws took longer than the step of a small network.
        mixes = jax.vmap(partial(draw_step_mix, recipe, member))(numbers)
        learner, terms = jax.lax.scan(body, divide_state(setup, learner), (numbers, member.order, mixes))
        return unite_state(learner), terms.sum(0)

    def counted(counts: Array, weights: Sequence[Array], state: list[Array], row: Array, shared: Shared) -> Array:
        at = jnp.maximum(row, 0)
        x, described = shared.windows[at], described_by(setup, [values[at] for values in shared.features])
        taps, _ = student.apply(weights, state, x, described(student), training=False)
        guess = jnp.argmax(taps["logits"], axis=-1)
        true = shared.labels[at]
        answered = (row >= 0) & jnp.isfinite(taps["logits"]).all(-1)
        return counts.at[true, guess].add(answered.astype(jnp.int32))

    def judged(learner: TrainState) -> tuple[Array, ...]:
        weights = learner.average if learner.average.size else learner.weights
        return student.layout.divide(weights[: student.size])

    def counts_of(learner: TrainState, order: Array, shared: Shared) -> Array:
        weights = judged(learner)

        def body(counts: Array, row: Array) -> tuple[Array, None]:
            return counted(counts, weights, learner.state, row, shared), None

        return jax.lax.scan(body, jnp.zeros((classes, classes), jnp.int32), order)[0]

    terms = term_names(setup, classes)
    noted: set[str] = set()
    # With an axis of replicas XLA's convolution becomes a grouped one, which is slow.
    forms = USUAL if together == 1 else WITHOUT_XLA

    def with_sums(learners: TrainState) -> tuple[TrainState, Array]:
        return learners, jnp.zeros((learners.weights.shape[0], len(terms)))

    def no_counts(learners: TrainState) -> Array:
        return jnp.zeros((learners.weights.shape[0], classes, classes), jnp.int32)

    return Program(
        epoch=compile_function(_over_groups(epoch_of, together, with_sums), forms=forms),
        evaluate=compile_function(_over_groups(counts_of, together, no_counts), forms=forms),
        terms=terms,
        forms=noted,
    )


@jax.jit
def keys(seeds: Array) -> Array:
    """Return a random key for each seed (R,)."""
    return jax.vmap(jax.random.key)(seeds)


def _over_groups(work: Callable[..., Any], together: int, begin: Callable[[TrainState], Any]) -> Callable[..., Any]:
    """Run ``work`` for the active slots, ``together`` at a time; slots that are not active keep what ``begin`` gives.

    The number of groups is an argument of the program: from the next epoch on a finished replica takes no time, and
    nothing is compiled again. ``slots`` are slot numbers (R,), active ones first, padded with R.
    """

    def run(learners: TrainState, inputs: Any, shared: Shared, slots: Array, alive: Array) -> Any:
        def group(number: Array, results: Any) -> Any:
            if together == 1:
                at = slots[number]
                return put_row(results, at, work(*take_row((learners, inputs), at), shared))
            many = jax.lax.dynamic_slice(slots, (number * together,), (together,))
            done = jax.vmap(work, in_axes=(0, 0, None))(*take_rows((learners, inputs), many), shared)
            return put_rows(results, many, done)

        return jax.lax.fori_loop(0, -(-alive // together), group, begin(learners))

    return run
