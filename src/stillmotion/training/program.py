"""The compiled programs of a fleet: one epoch of training, one evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..methods import Batch
from ..methods.method import Shapes
from ..methods.registry import BUILT_IN
from ..networks.heads import SMALLEST
from ..windows.augment import FEATURE_NOISE, MIXUP, ON_FEATURES, Mix, Places, add_feature_noise, augment, draw_mix
from .device import in_full_precision
from .distillation import DistillationSetup
from .functional import OWN_LOSSES, Functional
from .optimiser import Moments, adam, scheduled_rate
from .recipe import Recipe
from .rows import put_row, take_row
from .shared import Shared
from .teacher import log_pool

Array = Any
#: ``broken`` of a replica in which everything is finite.
SOUND = -1


class TrainState(NamedTuple):
    """The state of one replica between steps; a fleet holds these with a leading replica axis.

    ``weights`` are those of the student, of a co-trained teacher, and the auxiliary parameters; ``broken`` is the index
    of the first loss term that was not finite (the number of terms for the gradient), -1 while all are finite.
    """

    weights: Array
    moments: Moments
    average: Array
    state: list[Array]
    teacher_state: list[Array]
    broken: Array


class ReplicaInputs(NamedTuple):
    """The inputs of one replica's epoch; a fleet holds these with a leading replica axis.

    ``order`` (steps, B) holds indices of windows, ``steps`` the number of steps to use, ``first_step`` the steps done
    before, ``total`` all steps of the run; ``hyperparameters`` are by name; ``class_weights`` and ``offset`` are (C,);
    ``teacher`` is the index of the teacher.
    """

    order: Array
    steps: Array
    first_step: Array
    total: Array
    key: Array
    hyperparameters: dict[str, Array]
    class_weights: Array
    offset: Array
    teacher: Array


@dataclass(frozen=True)
class Program:
    """Functions over replicas: each one compiled program, or a loop over compiled steps (see ``compile_program``).

    Args:
        epoch: (train states, inputs, shared, slots, alive) → (train states, sums of loss terms over the epoch's steps).
        evaluate: (train states, indices of windows (R, n, B) padded with -1, shared, slots, alive) → confusion
            matrices (R, C, C) of the windows whose logits are finite.
        terms: names of the loss terms, in the order of the sums.
    """

    epoch: Callable[[TrainState, ReplicaInputs, Shared, Array, Array], tuple[TrainState, Array]]
    evaluate: Callable[[TrainState, Array, Shared, Array, Array], Array]
    terms: tuple[str, ...]


def compile_program(
    setup: DistillationSetup, recipe: Recipe, *, classes: int, places: Places = (), together: int = 1
) -> Program:
    """Compile the programs of a fleet.

    An epoch of all replicas is one program, unless a network has convolutions that are fast only outside a compiled
    loop (``DistillationSetup.kept_convolutions``): then each step of each replica is one program.

    Args:
        setup: method, student and teachers.
        recipe: settings of the training.
        classes: number of classes.
        places: channels of each sensor position, for rotations.
        together: number of replicas that share one matrix product. On a CPU, replicas of tiny networks run faster one
            after the other (a batched product of small matrices is slow there), on an accelerator all together.

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
            _COMPILED[key] = _compile(replace(setup, teachers=(), cached=cached), recipe, classes, places, together)
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
    step = in_full_precision(partial(_step, setup, recipe, classes, places))

    def epoch_of(learner: TrainState, member: ReplicaInputs, shared: Shared) -> tuple[TrainState, Array]:
        def body(carry: TrainState, row: tuple[Array, Array, Mix | None]) -> tuple[TrainState, Array]:
            return step(carry, *row, member, shared)

        numbers = jnp.arange(member.order.shape[0])
        # Drawn for all steps at once: step by step, the draws took longer than the step of a small network.
        mixes = jax.vmap(partial(_draw_mix, recipe, member))(numbers)
        learner, terms = jax.lax.scan(body, learner, (numbers, member.order, mixes))
        return learner, terms.sum(0)

    @in_full_precision
    def counted(counts: Array, learner: TrainState, row: Array, shared: Shared) -> Array:
        weights = learner.average if learner.average.size else learner.weights
        at = jnp.maximum(row, 0)
        x, described = shared.windows[at], _described(setup, [values[at] for values in shared.features])
        taps, _ = student.apply(weights[: student.size], learner.state, x, described(student), training=False)
        guess = jnp.argmax(taps["logits"], axis=-1)
        true = shared.labels[at]
        answered = (row >= 0) & jnp.isfinite(taps["logits"]).all(-1)
        return counts.at[true, guess].add(answered.astype(jnp.int32))

    def counts_of(learner: TrainState, order: Array, shared: Shared) -> Array:
        def body(counts: Array, row: Array) -> tuple[Array, None]:
            return counted(counts, learner, row, shared), None

        return jax.lax.scan(body, jnp.zeros((classes, classes), jnp.int32), order)[0]

    terms = term_names(setup, classes)

    def with_sums(learners: TrainState) -> tuple[TrainState, Array]:
        return learners, jnp.zeros((learners.weights.shape[0], len(terms)))

    def no_counts(learners: TrainState) -> Array:
        return jnp.zeros((learners.weights.shape[0], classes, classes), jnp.int32)

    if setup.kept_convolutions:
        return Program(*_step_by_step(step, partial(_draw_mix, recipe), counted, len(terms), classes), terms=terms)
    return Program(
        epoch=jax.jit(_over_groups(epoch_of, together, with_sums)),
        evaluate=jax.jit(_over_groups(counts_of, together, no_counts)),
        terms=terms,
    )


def _step_by_step(
    step: Callable[..., tuple[TrainState, Array]],
    draw: Callable[[ReplicaInputs, Array], Mix | None],
    counted: Callable[..., Array],
    terms: int,
    classes: int,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return epoch and evaluation as loops over compiled steps, one replica after the other."""

    @jax.jit
    def one_step(
        learner: TrainState, sums: Array, number: Array, member: ReplicaInputs, shared: Shared
    ) -> tuple[TrainState, Array]:
        learner, values = step(learner, number, member.order[number], draw(member, number), member, shared)
        return learner, sums + values

    one_batch = jax.jit(lambda counts, learner, order, at, shared: counted(counts, learner, order[at], shared))
    taken, put = jax.jit(take_row), jax.jit(put_row)

    def epoch(
        learners: TrainState, members: ReplicaInputs, shared: Shared, slots: Array, alive: Array
    ) -> tuple[TrainState, Array]:
        sums = jnp.zeros((learners.weights.shape[0], terms))
        for at in slots[: int(alive)]:
            learner, member = taken((learners, members), at)
            total = jnp.zeros(terms)
            for number in range(int(member.steps)):
                learner, total = one_step(learner, total, number, member, shared)
            learners, sums = put((learners, sums), at, (learner, total))
        return learners, sums

    def evaluate(learners: TrainState, orders: Array, shared: Shared, slots: Array, alive: Array) -> Array:
        counts = jnp.zeros((learners.weights.shape[0], classes, classes), jnp.int32)
        for at in slots[: int(alive)]:
            learner, order = taken((learners, orders), at)
            own = jnp.zeros((classes, classes), jnp.int32)
            for number in range(order.shape[0]):
                own = one_batch(own, learner, order, number, shared)
            counts = put(counts, at, own)
        return counts

    return epoch, evaluate


@jax.jit
def keys(seeds: Array) -> Array:
    """Return a random key for each seed (R,)."""
    return jax.vmap(jax.random.key)(seeds)


def _over_groups(work: Callable[..., Any], together: int, begin: Callable[[TrainState], Any]) -> Callable[..., Any]:
    """Run ``work`` for the active slots, ``together`` at a time; slots that are not active keep what ``begin`` gives.

    The number of groups is an argument of the program: from the next epoch on a finished replica takes no time, and
    nothing is compiled again. ``slots`` are slot numbers (R,), active ones first, padded with R.
    """

    def run(learners: TrainState, told: Any, shared: Shared, slots: Array, alive: Array) -> Any:
        def group(number: Array, results: Any) -> Any:
            if together == 1:
                at = slots[number]
                return put_row(results, at, work(*take_row((learners, told), at), shared))
            many = jax.lax.dynamic_slice(slots, (number * together,), (together,))
            done = jax.vmap(work, in_axes=(0, 0, None))(
                *jax.tree.map(lambda leaf: leaf.at[many].get(mode="clip"), (learners, told)), shared
            )
            return jax.tree.map(lambda whole, part: whole.at[many].set(part, mode="drop"), results, done)

        return jax.lax.fori_loop(0, -(-alive // together), group, begin(learners))

    return run


def term_names(setup: DistillationSetup, classes: int) -> tuple[str, ...]:
    """Return the names of a method's loss terms, by tracing its objective without computing it."""

    def trace() -> dict[str, Array]:
        def taps(shapes: Shapes) -> dict[str, Array]:
            return {name: jnp.zeros((2, *shape)) for name, shape in shapes.items()}

        batch = Batch(jnp.zeros((2, classes)), jnp.ones(2), jnp.zeros(classes))
        hyperparameters = {name: jnp.asarray(number.default) for name, number in setup.method.hyperparameters.items()}
        aux_params = {name: jnp.zeros(shape) for name, shape in setup.aux.shapes.items()}
        student, teacher = taps(setup.student.tap_shapes), taps(setup.teacher_shapes)
        return setup.method.objective(batch, student, teacher, hyperparameters, aux_params)

    networks = (setup.student, setup.trained_teacher)
    own = {OWN_LOSSES for network in networks if network is not None and network.has_losses}
    return tuple(sorted({*jax.eval_shape(trace), *own}))


def _step(
    setup: DistillationSetup,
    recipe: Recipe,
    classes: int,
    places: Places,
    learner: TrainState,
    number: Array,
    rows: Array,
    mix: Mix | None,
    member: ReplicaInputs,
    shared: Shared,
) -> tuple[TrainState, Array]:
    """Take one step of one replica; return the new train state and the loss terms."""
    student, learning = setup.student, setup.trained_teacher
    hyperparameters = member.hyperparameters
    labels = shared.labels[rows]
    x = shared.windows[rows]  # (B, T, D)
    features = [values[rows] for values in shared.features]
    targets = jax.nn.one_hot(labels, classes)
    fixed: dict[str, Array] = {name: taps[member.teacher, rows] for name, taps in shared.taps.items()}
    if recipe.augment:
        key = jax.random.fold_in(member.key, member.first_step + number)
        if mix is not None:
            features = [mix(each) for each in features]
            # Outputs for single windows are mixed as their labels are.
            fixed = {name: jnp.log(jnp.maximum(mix(jax.nn.softmax(z)), SMALLEST)) for name, z in fixed.items()}
        x, targets = augment(key, x, targets, recipe.augment, hyperparameters, places, mix)
        if not set(recipe.augment) <= set(ON_FEATURES):
            features = [layer(x) for layer in setup.feature_layers.values()]
        if FEATURE_NOISE in recipe.augment:
            features = add_feature_noise(key, features, recipe.augment, hyperparameters[FEATURE_NOISE])
    described = _described(setup, features)
    weights = targets @ member.class_weights
    targets = targets * (1 - hyperparameters["smoothing"]) + hyperparameters["smoothing"] / classes
    done = (member.first_step + number) / member.total
    batch = Batch(targets, weights, member.offset, done)
    if setup.live:
        fixed = _live_taps(setup, shared, member.teacher, x, described)
    after_student = student.size
    after_teacher = after_student + (0 if learning is None else learning.size)

    def loss(vector: Array) -> tuple[Array, tuple[Array, Any, Any]]:
        taps, state = student.apply(vector[:after_student], learner.state, x, described(student), training=True)
        losses = [taps.pop(OWN_LOSSES)] if student.has_losses else []
        answers, teacher_state = fixed, learner.teacher_state
        if learning is not None:
            own = vector[after_student:after_teacher]
            answers, teacher_state = learning.apply(own, learner.teacher_state, x, described(learning), training=True)
            losses += [answers.pop(OWN_LOSSES)] if learning.has_losses else []
        named = setup.method.objective(batch, taps, answers, hyperparameters, setup.aux.named(vector[after_teacher:]))
        named = {**named, OWN_LOSSES: sum(losses)} if losses else named
        terms = jnp.stack([named[name] for name in sorted(named)])
        return terms.sum(), (terms, state, teacher_state)

    gradient, (terms, state, teacher_state) = jax.grad(loss, has_aux=True)(learner.weights)
    rate = scheduled_rate(
        hyperparameters["learning_rate"],
        member.first_step + number,
        member.total,
        schedule=recipe.schedule,
        warmup=recipe.warmup,
    )
    vector, moments = adam(learner.weights, gradient, learner.moments, rate, hyperparameters, jnp.asarray(setup.decays))
    if setup.method.classifier is not None:
        vector = _with_classifier(setup, vector, [part[member.teacher] for part in shared.classifiers or ()])
    finite = jnp.append(jnp.isfinite(terms), jnp.isfinite(jnp.sum(gradient)))
    active = (number < member.steps) & (learner.broken == SOUND)
    fault = jnp.where(finite.all(), SOUND, jnp.argmin(finite)).astype(jnp.int32)
    go = active & finite.all()
    average = learner.average
    if average.size:
        # The decay starts low, so that the average does not remember the first weights for long.
        decay = jnp.minimum(hyperparameters["average"], (1 + moments.step) / (10 + moments.step))
        average = jnp.where(go, decay * average + (1 - decay) * vector[: student.size], average)
    kept = jax.tree.map(
        lambda new, old: jnp.where(go, new, old),
        (vector, moments, list(state), list(teacher_state)),
        (learner.weights, learner.moments, list(learner.state), list(learner.teacher_state)),
    )
    broken = jnp.where(active, fault, learner.broken)
    return TrainState(kept[0], kept[1], average, kept[2], kept[3], broken), jnp.where(active, terms, 0.0)


def _draw_mix(recipe: Recipe, member: ReplicaInputs, number: Array) -> Mix | None:
    """Return how ``mixup`` mixes the batch of a step of this epoch; None without ``mixup``."""
    if MIXUP not in recipe.augment:
        return None
    key = jax.random.fold_in(member.key, member.first_step + number)  # as in the step
    return draw_mix(key, recipe.augment, member.hyperparameters[MIXUP], member.order.shape[-1])


def _described(setup: DistillationSetup, features: list[Array]) -> Callable[[Functional], list[Array]]:
    """Return what gives a network its features of a batch, from those of each set."""
    by_set = dict(zip(setup.feature_layers, features, strict=True))
    return lambda network: [by_set[layer.features] for layer, _ in network.described]


def _live_taps(
    setup: DistillationSetup, shared: Shared, teacher: Array, x: Array, described: Callable[[Functional], list[Array]]
) -> dict[str, Array]:
    """Return the taps of a fixed teacher for the very batch that the student sees, in inference mode."""
    every = []
    for network, weights, state in zip(setup.live, shared.teacher_weights, shared.teacher_state, strict=True):
        own = [leaf[teacher] for leaf in state]
        taps, _ = network.apply(weights[teacher], own, x, described(network), training=False)
        every.append(jax.lax.stop_gradient(taps))
    if len(every) == 1:
        return every[0]
    assert shared.shares is not None
    return {"logits": log_pool([taps["logits"] for taps in every], shared.shares[teacher])}


def _with_classifier(setup: DistillationSetup, vector: Array, teacher: list[Array]) -> Array:
    """All trained numbers, the student's classifier replaced by what the method makes of the teacher's."""
    assert setup.method.classifier is not None
    assert setup.student.classifier is not None
    aux_params = setup.aux.named(vector[vector.shape[0] - setup.aux.size :])
    kernel, bias = teacher
    for place, values in zip(
        setup.student.classifier, setup.method.classifier(aux_params, (kernel, bias)), strict=True
    ):
        vector = vector.at[place].set(values.ravel())
    return vector
