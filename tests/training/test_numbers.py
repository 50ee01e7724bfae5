"""Each replica's hyperparameters have the effect of an update by hand in NumPy."""

from __future__ import annotations

from dataclasses import fields

import jax
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from stillmotion.errors import UnknownName, UserError
from stillmotion.networks import draw_initial_weights
from stillmotion.training import Recipe, Replica, Teacher
from stillmotion.training.progress import Progress
from stillmotion.windows.augment import Axes, augment

from . import by_hand
from .small import CLASSES, TRAIN, VALIDATION, fleet, linear, problem

ADAM = {"learning_rate": 0.01, "weight_decay": 0.0, "clip": 0.0, "average": 0.0, "smoothing": 0.0}
EYE = np.eye(CLASSES)


def settings(hyperparameters, **more):
    known = {field.name for field in fields(by_hand.Settings)}
    return by_hand.Settings(**{name: value for name, value in hyperparameters.items() if name in known}, **more)


def check(ours, outcomes, *, epochs=1, change=None, more=None, **options):
    """Every outcome is what the by-hand loop comes to on the same batches; returns the by-hand weights."""
    windows, labels = problem()
    expected = []
    for number, (run, outcome) in enumerate(zip(ours.replicas, outcomes, strict=True)):
        assert outcome.status == "done"
        assert outcome.best_epoch == epochs, "only then are the weights of all steps kept"
        kernel, bias = draw_initial_weights(ours.student.model, run.seed)
        length = -(-len(run.train) // ours.recipe.batch)
        rows = [row for epoch in range(epochs) for row in ours.tables.order(run, epoch)[:length]]
        batches = [(windows[row], EYE[labels[row]]) for row in rows]
        if change:
            batches = [change(run, step, *batch) for step, batch in enumerate(batches)]
        extra = {name: value[number] for name, value in (more or {}).items()}
        teacher = options.get("teacher")
        answers = None if teacher is None else [teacher[row] for row in rows]
        chosen = settings({**ADAM, **run.hyperparameters}, **options.get("settings", {}))
        weights = by_hand.train(kernel, bias, batches, chosen, teacher=answers, **extra)
        expected.append(np.concatenate([weights[0].ravel(), weights[1]]))
        np.testing.assert_allclose(outcome.weights, expected[-1], rtol=0, atol=1e-5, err_msg=str(run.hyperparameters))
    return expected


def differ_in_one(hyperparameters, others):
    return [Replica(4, TRAIN, VALIDATION, hyperparameters)] + [
        Replica(4, TRAIN, VALIDATION, {**hyperparameters, name: value}) for name, value in others
    ]


def run(runs, **options):
    ours = fleet(linear(), runs, **options)
    return ours, ours.train(Progress(enabled=False))


def all_differ_from_the_first(outcomes, *, least=1e-3):
    first = outcomes[0].weights
    assert min(np.abs(outcome.weights - first).max() for outcome in outcomes[1:]) > least


def test_one_number_of_the_optimiser_alone_makes_the_difference_it_must():
    others = [("learning_rate", 0.003), ("weight_decay", 0.5), ("clip", 0.05), ("average", 0.9), ("smoothing", 0.2)]
    ours, outcomes = run(differ_in_one(ADAM, others))
    check(ours, outcomes)
    all_differ_from_the_first(outcomes)


def test_one_number_of_distillation_alone_makes_the_difference_it_must():
    _, labels = problem()
    logits = (3 * EYE[labels] + np.random.default_rng(0).normal(size=(len(labels), CLASSES))).astype(np.float32)
    hyperparameters = {**ADAM, "alpha": 0.3, "temperature": 2.0, "square": 1.0}
    others = [("alpha", 0.8), ("temperature", 6.0), ("square", 0.0), ("learning_rate", 0.003)]
    options = {"teaching": "rb-kd", "teachers": [Teacher(outputs={"logits": logits})]}
    ours, outcomes = run(differ_in_one(hyperparameters, others), **options)
    check(ours, outcomes, teacher=logits.astype(np.float64))
    all_differ_from_the_first(outcomes)


def test_alpha_1_is_plain_training():
    _, labels = problem()
    logits = (3 * EYE[labels]).astype(np.float32)
    hyperparameters = {**ADAM, "alpha": 1.0, "temperature": 2.0}
    options = {"teaching": "rb-kd", "teachers": [Teacher(outputs={"logits": logits})]}
    # Five replicas as above: one compiled program for both.
    ours, outcomes = run([Replica(seed, TRAIN, VALIDATION, hyperparameters) for seed in range(5)], **options)
    check(ours, outcomes)


def test_a_cosine_after_a_warm_up_is_the_rate_of_each_step():
    recipe = Recipe(batch=8, epochs=2, schedule="cosine", warmup=0.25)
    runs = [Replica(seed, TRAIN, VALIDATION, ADAM) for seed in range(30)]
    ours, outcomes = run(runs, recipe=recipe)
    both = [number for number, outcome in enumerate(outcomes) if outcome.best_epoch == 2]
    assert both, "some run must get better in its second epoch, to be compared after all 20 steps"
    ours.replicas = [runs[number] for number in both]
    schedule = {"total": 20, "cosine": True, "warmup": 0.25}
    check(ours, [outcomes[number] for number in both], epochs=2, settings=schedule)


@pytest.mark.parametrize("imbalance", ["weights", "sqrt-weights", "logit-adjustment"])
def test_imbalance_is_met_as_the_formulas_say(imbalance):
    _, labels = problem()
    lacking = TRAIN[labels[TRAIN] != 2]
    runs = [Replica(seed, rows, VALIDATION, ADAM) for seed in (1, 2, 3) for rows in (TRAIN, lacking)]
    ours, outcomes = run(runs, recipe=Recipe(batch=8, epochs=1, imbalance=imbalance))
    weights, offsets = [], []
    for one in runs:
        mine = labels[one.train]
        counts = np.bincount(mine, minlength=CLASSES)
        balanced = np.zeros(CLASSES)
        balanced[np.unique(mine)] = compute_class_weight("balanced", classes=np.unique(mine), y=mine)
        if imbalance == "sqrt-weights":
            balanced = np.sqrt(balanced) / np.sqrt(balanced)[mine].mean()
        weights.append(np.ones(CLASSES) if imbalance == "logit-adjustment" else balanced)
        prior = np.where(counts > 0, counts, 0.5) / len(mine)
        offsets.append(np.log(prior) if imbalance == "logit-adjustment" else np.zeros(CLASSES))
    check(ours, outcomes, more={"class_weights": weights, "offset": offsets})


def test_class_weights_weigh_the_term_of_the_teacher_too_unless_that_is_switched_off():
    _, labels = problem()
    rows = TRAIN[(labels[TRAIN] != 2) | (np.arange(len(TRAIN)) % 3 == 0)]
    logits = (3 * EYE[labels] + np.random.default_rng(0).normal(size=(len(labels), CLASSES))).astype(np.float32)
    runs = [Replica(4, rows, VALIDATION, {**ADAM, "alpha": 0.3, "weighted": each}) for each in (1.0, 0.0)]
    options = {"teaching": "kd", "teachers": [Teacher(outputs={"logits": logits})]}
    ours, outcomes = run(runs, recipe=Recipe(batch=8, epochs=1, imbalance="weights"), **options)
    balanced = compute_class_weight("balanced", classes=np.arange(CLASSES), y=labels[rows])
    assert balanced.max() > 1.5
    default = {"temperature": 4.0}
    check(ours, outcomes, teacher=logits.astype(np.float64), more={"class_weights": [balanced] * 2}, settings=default)
    all_differ_from_the_first(outcomes)


def test_each_strength_of_augmentation_acts_in_its_own_replica_alone():
    kinds = ("jitter", "scaling", "rotation", "magnitude-warp", "time-warp", "channel-dropout", "mirror", "mixup")
    strengths = (0.3, 0.3, 0.5, 0.4, 0.5, 0.4, 0.5, 0.5)
    # A place with one sensor of three axes: two channels and the first again do for that.
    places = ((Axes((0, 1, 0), axial=True),),)
    off = dict.fromkeys(kinds, 0.0)
    runs = differ_in_one({**ADAM, **off}, list(zip(kinds, strengths, strict=True)))
    ours, outcomes = run(runs, recipe=Recipe(batch=8, epochs=1, augment=kinds), places=places)
    # Mixing windows is compiled for long, and off in all but the last replica: that one need only differ.
    plain = tuple(kind for kind in kinds if kind != "mixup")
    seen = jax.jit(
        lambda key, step, x, y, hyperparameters: augment(
            jax.random.fold_in(key, step), x, y, plain, hyperparameters, places
        )
    )

    def change(one, step, x, y):
        changed = seen(
            jax.random.key(one.seed), step, x, y.astype(np.float32), {k: one.hyperparameters[k] for k in plain}
        )
        return tuple(np.asarray(part) for part in changed)

    ours.replicas = runs[:-1]
    check(ours, outcomes[:-1], change=change)
    all_differ_from_the_first(outcomes)
    ours.replicas = runs[:1]
    check(ours, outcomes[:1])  # With all of them off, windows stay as they are.


def test_numbers_that_nobody_knows_or_that_are_none_are_refused():
    with pytest.raises(UnknownName, match="Unknown hyperparameter 'learning_rat'. Did you mean 'learning_rate'?"):
        fleet(linear(), [Replica(0, TRAIN, VALIDATION, {"learning_rat": 0.1})])
    with pytest.raises(UserError, match="weight_decay must be a finite number of 0 or more, not nan"):
        fleet(linear(), [Replica(0, TRAIN, VALIDATION, {"weight_decay": float("nan")})])
    with pytest.raises(UserError, match="learning_rate must be a finite number of 0 or more, not -1"):
        fleet(linear(), [Replica(0, TRAIN, VALIDATION, {"learning_rate": -1.0})])
    # A kind of augmentation that the recipe does not name has no strength to be set.
    with pytest.raises(UnknownName, match="jitter"):
        fleet(linear(), [Replica(0, TRAIN, VALIDATION, {"jitter": 0.1})])
