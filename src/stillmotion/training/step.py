"""One step of training of one replica, as a pure function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..methods import Batch
from ..methods.method import Shapes
from ..networks.heads import SMALLEST
from ..windows.augment import FEATURE_NOISE, MIXUP, ON_FEATURES, Mix, Places, add_feature_noise, augment, draw_mix
from .distillation import DistillationSetup
from .functional import OWN_LOSSES, Functional
from .layout import unite
from .optimiser import Moments, adam, scheduled_rate, sum_of_squares
from .recipe import Recipe
from .shared import Shared
from .teacher import log_pool

Array = Any
#: ``broken`` of a replica in which everything is finite.
SOUND = -1


class TrainState(NamedTuple):
    """The state of one replica between steps; a fleet holds these with a leading replica axis.

    ``weights`` are those of the student, of a co-trained teacher, and the auxiliary parameters: one vector, as are the
    moments and the average, or in the loop over steps the arrays of a layout. ``broken`` is the index of the first loss
    term that was not finite (the number of terms for the gradient), -1 while all are finite.
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


def divide_state(setup: DistillationSetup, learner: TrainState) -> TrainState:
    """Cut the vectors of a train state into the arrays of a loop."""
    step, first, second = learner.moments
    average = setup.student.layout.divide(learner.average) if learner.average.size else ()
    divide = setup.layout.divide
    moments = Moments(step, divide(first), divide(second))
    return learner._replace(weights=divide(learner.weights), moments=moments, average=average)


def unite_state(learner: TrainState) -> TrainState:
    """Join the arrays of a loop to the vectors of a train state; the inverse of ``divide_state``."""
    step, first, second = learner.moments
    moments = Moments(step, unite(first), unite(second))
    return learner._replace(weights=unite(learner.weights), moments=moments, average=unite(learner.average))


def take_step(
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
    """Take one step of one replica, its state in the arrays of the layout; return the new one and the loss terms."""
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
    described = described_by(setup, features)
    weights = targets @ member.class_weights
    targets = targets * (1 - hyperparameters["smoothing"]) + hyperparameters["smoothing"] / classes
    done = (member.first_step + number) / member.total
    batch = Batch(targets, weights, member.offset, done)
    if setup.live:
        fixed = live_taps(setup, shared, member.teacher, x, described)
    own = slice(len(student.layout.parts))
    theirs = slice(own.stop, own.stop + (0 if learning is None else len(learning.layout.parts)))

    def loss(arrays: tuple[Array, ...]) -> tuple[Array, tuple[Array, Any, Any]]:
        taps, state = student.apply(arrays[own], learner.state, x, described(student), training=True)
        losses = [taps.pop(OWN_LOSSES)] if student.has_losses else []
        teacher_taps, teacher_state = fixed, learner.teacher_state
        if learning is not None:
            weights = arrays[theirs]
            teacher_taps, teacher_state = learning.apply(weights, teacher_state, x, described(learning), training=True)
            losses += [teacher_taps.pop(OWN_LOSSES)] if learning.has_losses else []
        aux_params = setup.aux.named_parts(arrays[theirs.stop :])
        named = setup.method.objective(batch, taps, teacher_taps, hyperparameters, aux_params)
        named = {**named, OWN_LOSSES: sum(losses)} if losses else named
        terms = jnp.stack([named[name] for name in sorted(named)])
        return terms.sum(), (terms, state, teacher_state)

    gradient, (terms, state, teacher_state) = jax.grad(loss, has_aux=True)(learner.weights)
    squares = sum_of_squares(gradient)
    finite = jnp.append(jnp.isfinite(terms), jnp.isfinite(squares))
    active = (number < member.steps) & (learner.broken == SOUND)
    fault = jnp.where(finite.all(), SOUND, jnp.argmin(finite)).astype(jnp.int32)
    go = active & finite.all()
    rate = scheduled_rate(
        hyperparameters["learning_rate"],
        member.first_step + number,
        member.total,
        schedule=recipe.schedule,
        warmup=recipe.warmup,
    )
    decays = setup.layout.decays
    weights, moments = adam(learner.weights, gradient, learner.moments, squares, rate, hyperparameters, decays, go)
    if setup.method.classifier is not None:
        replaced = _with_classifier(setup, weights, [part[member.teacher] for part in shared.classifiers or ()])
        weights = _select(go, replaced, learner.weights)
    average = learner.average
    if average:
        # The decay starts low, so that the average does not remember the first weights for long.
        decay = jnp.minimum(hyperparameters["average"], (1 + moments.step) / (10 + moments.step))
        pairs = zip(average, weights[own], strict=True)
        average = _select(go, [decay * before + (1 - decay) * now for before, now in pairs], list(average))
    state, teacher_state = _select(
        go, (list(state), list(teacher_state)), (list(learner.state), list(learner.teacher_state))
    )
    broken = jnp.where(active, fault, learner.broken)
    return TrainState(weights, moments, tuple(average), state, teacher_state, broken), jnp.where(active, terms, 0.0)


def _select(go: Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda after, before: jnp.where(go, after, before), new, old)


def draw_step_mix(recipe: Recipe, member: ReplicaInputs, number: Array) -> Mix | None:
    """Return how ``mixup`` mixes the batch of a step of this epoch; None without ``mixup``."""
    if MIXUP not in recipe.augment:
        return None
    key = jax.random.fold_in(member.key, member.first_step + number)  # as in the step
    return draw_mix(key, recipe.augment, member.hyperparameters[MIXUP], member.order.shape[-1])


def described_by(setup: DistillationSetup, features: list[Array]) -> Callable[[Functional], list[Array]]:
    """Return what gives a network its features of a batch, from those of each set."""
    by_set = dict(zip(setup.feature_layers, features, strict=True))
    return lambda network: [by_set[layer.features] for layer, _ in network.described]


def live_taps(
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


def _with_classifier(
    setup: DistillationSetup, arrays: tuple[Array, ...], teacher: Sequence[Array]
) -> tuple[Array, ...]:
    """All trained numbers, the student's classifier replaced by what the method makes of the teacher's."""
    assert setup.method.classifier is not None
    assert setup.student.classifier is not None
    vector = unite(arrays)
    aux_params = setup.aux.named(vector[vector.shape[0] - setup.aux.size :])
    kernel, bias = teacher
    for place, values in zip(
        setup.student.classifier, setup.method.classifier(aux_params, (kernel, bias)), strict=True
    ):
        vector = vector.at[place].set(values.ravel())
    return setup.layout.divide(vector)
