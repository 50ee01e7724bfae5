"""Early stopping, best weights, and slots that become free."""

from __future__ import annotations

from collections import Counter

import jax
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from stillmotion.errors import UserError
from stillmotion.methods import METHODS, Method, Range
from stillmotion.methods.losses import cross_entropy
from stillmotion.training import Recipe, Replica, Teacher
from stillmotion.training.distillation import teacher_network

from .small import CLASSES, TRAIN, VALIDATION, dense, fleet, problem, same, train, with_weights

PATIENCE, EPOCHS = 2, 9
RATES = (0.03, 0.001, 0.1, 0.01, 0.0003)
RUNS = [Replica(seed, TRAIN[: 80 - 16 * (seed % 2)], VALIDATION, {"learning_rate": r}) for seed, r in enumerate(RATES)]


def rule(scores):
    """(best epoch, epochs) as one counts them on one's fingers, epochs from 1."""
    best, at = -1.0, 0
    for epoch, score in enumerate(scores, 1):
        if score > best:
            best, at = score, epoch
        if epoch - at == PATIENCE:
            return at, epoch
    return at, len(scores)


@pytest.fixture(scope="module")
def outcomes():
    return train(dense(), RUNS, recipe=Recipe(batch=8, epochs=EPOCHS, patience=PATIENCE))


def test_each_replica_stops_by_its_own_patience(outcomes):
    for outcome in outcomes:
        scores = [row["validation"] for row in outcome.history]
        assert (outcome.best_epoch, outcome.epochs) == rule(scores)
        assert len(scores) == outcome.epochs <= EPOCHS
        assert outcome.epochs == EPOCHS or outcome.epochs == outcome.best_epoch + PATIENCE
        assert outcome.best == max(scores)
    assert len({outcome.epochs for outcome in outcomes}) > 1


@pytest.mark.parametrize("select", ["macro-f1", "accuracy"])
def test_the_weights_kept_are_those_that_made_the_best_score(outcomes, select):
    windows, labels = problem()
    if select == "accuracy":
        outcomes = train(dense(), RUNS, recipe=Recipe(8, EPOCHS, PATIENCE, select=select))
    for outcome in outcomes:
        guess = with_weights(dense(), outcome).predict(windows[VALIDATION], verbose=0).argmax(1)
        truth = labels[VALIDATION]
        if select == "macro-f1":
            score = f1_score(truth, guess, labels=range(CLASSES), average="macro", zero_division=0)
        else:
            score = accuracy_score(truth, guess)
        assert outcome.best == pytest.approx(score, abs=1e-9)


def test_a_class_that_validation_lacks_counts_0():
    windows, labels = problem()
    rows = VALIDATION[labels[VALIDATION] != 2]
    outcomes = train(dense(), [Replica(r.seed, r.train, rows, r.hyperparameters) for r in RUNS], recipe=Recipe(8, 3, 3))
    for outcome in outcomes:
        guess = with_weights(dense(), outcome).predict(windows[rows], verbose=0).argmax(1)
        score = f1_score(labels[rows], guess, labels=range(CLASSES), average="macro", zero_division=0)
        assert outcome.best == pytest.approx(score, abs=1e-9)


def test_a_replica_that_is_told_when_to_stop_needs_no_validation_and_trains_as_far_as_one_that_chose():
    """The schedule is that of the whole recipe: at the same epoch the weights are the same."""
    recipe = Recipe(batch=8, epochs=EPOCHS, patience=PATIENCE, schedule="cosine")
    chosen = train(dense(), RUNS, recipe=recipe)
    again = [
        Replica(r.seed, r.train, VALIDATION[:0], r.hyperparameters, stop=outcome.best_epoch)
        for r, outcome in zip(RUNS, chosen, strict=True)
    ]
    for one, other in zip(chosen, train(dense(), again, recipe=recipe, size=2), strict=True):
        assert (other.status, other.best_epoch, other.epochs) == ("done", one.best_epoch, one.best_epoch)
        np.testing.assert_allclose(other.weights, one.weights, rtol=0, atol=1e-5)
    assert len({outcome.best_epoch for outcome in chosen}) > 1
    with pytest.raises(UserError, match="has no validation windows"):
        train(dense(), [Replica(0, TRAIN, VALIDATION[:0])])


@pytest.mark.parametrize("live", [False, True])
def test_a_replica_without_validation_windows_learns_from_a_teacher(live):
    """Where it was selected the teacher was judged; without windows to judge it by it teaches."""
    network = teacher_network(dense(), METHODS["kd"])
    teacher = Teacher(network, *network.own(), name="network")
    if not live:
        teacher = Teacher(outputs={"logits": problem(seed=1)[0][:, 0, :1] * [1.0, 2.0, 3.0]}, name="outputs")
    (outcome,) = train(
        dense(),
        [Replica(0, TRAIN, VALIDATION[:0], stop=1)],
        teaching="kd",
        teachers=[teacher],
        live=live,
        recipe=Recipe(batch=8, epochs=2),
    )
    assert (outcome.status, outcome.epochs, outcome.best_epoch) == ("done", 1, 1)


class Watch:
    """A progress display that writes down who trains."""

    def __init__(self):
        self.seen = []

    def __call__(self, epoch, *, last=False):
        self.seen.append(epoch)


def test_who_waits_takes_the_next_free_slot_and_ends_as_if_all_had_fitted(outcomes):
    watch = Watch()
    few = fleet(dense(), RUNS, recipe=Recipe(batch=8, epochs=EPOCHS, patience=PATIENCE), size=2).train(watch)
    for one, other in zip(few, outcomes, strict=True):
        same(one, other, within=1e-5)
    # Two slots, filled in the plan's order: count on one's fingers how many rounds that takes.
    left, slots, rounds, alive = [outcome.epochs for outcome in outcomes], [], 0, []
    while left or slots:
        while left and len(slots) < 2:
            slots.append(left.pop(0))
        slots = [epochs - 1 for epochs in slots if epochs > 1]
        rounds += 1
        alive.append(min(2, len(slots) + len(left)))
    assert len(watch.seen) == rounds
    assert [epoch.alive for epoch in watch.seen] == alive
    assert watch.seen[-1].finished == 5
    assert [epoch.waiting for epoch in watch.seen][-1] == 0


def test_a_finished_replica_stops_costing():
    """Steps are counted where they are computed, inside the compiled program."""
    steps = []

    def counted(batch, student, teacher, hyperparameters, aux_params):
        jax.debug.callback(lambda who: steps.append(int(who)), hyperparameters["who"])
        return {"cross_entropy": cross_entropy(batch, student["logits"])}

    method = Method("counted", "counts its steps", "none", counted, hyperparameters={"who": Range(0, 0, 9)})
    runs = [Replica(r.seed, r.train, VALIDATION, {**r.hyperparameters, "who": number}) for number, r in enumerate(RUNS)]
    outcomes = train(dense(), runs, teaching=method, recipe=Recipe(batch=8, epochs=EPOCHS, patience=PATIENCE), size=2)
    jax.effects_barrier()
    assert len({outcome.epochs for outcome in outcomes}) > 1
    # The longest epoch has 10 steps; a shorter one is filled up.
    assert Counter(steps) == {number: 10 * outcome.epochs for number, outcome in enumerate(outcomes)}


def test_the_last_epoch_is_kept_where_the_recipe_says_so():
    kept = train(dense(), RUNS[:1], recipe=Recipe(batch=8, epochs=3, patience=1, keep="last"))[0]
    assert kept.best_epoch == kept.epochs == 3, "patience does not stop it"
    validation = [row["validation"] for row in kept.history]
    assert kept.best == validation[-1]
    before = train(dense(), RUNS[:1], recipe=Recipe(batch=8, epochs=2, patience=2, keep="last"))[0]
    assert not np.array_equal(kept.weights, before.weights)
