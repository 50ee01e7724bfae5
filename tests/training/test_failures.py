"""Each failure is reported in one sentence and does not affect other replicas."""

from __future__ import annotations

import errno
import os

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.methods import Method, Range
from stillmotion.methods.losses import cross_entropy
from stillmotion.networks.layers import Conv1D
from stillmotion.training import Fleet, Recipe, Replica, memory
from stillmotion.training.functional import Functional
from stillmotion.training.memory import SHARE, choose_size, replica_bytes
from stillmotion.training.progress import Progress

from .small import TRAIN, VALIDATION, dense, fleet, linear, problem, same, train

RECIPE = Recipe(batch=8, epochs=3)
QUIET = Progress(enabled=False)


def three(**hyperparameters):
    """Three runs; the one in the middle has numbers of its own."""
    return [Replica(seed, TRAIN, VALIDATION, hyperparameters if seed == 1 else {}) for seed in range(3)]


def neighbours_are_untouched(outcomes, sane):
    for number in (0, 2):
        assert outcomes[number].status == "done"
        same(outcomes[number], sane[number])


def test_a_rate_that_explodes_ends_that_replica_alone():
    sane, outcomes = train(dense(), three(), recipe=RECIPE), train(dense(), three(learning_rate=1e30), recipe=RECIPE)
    neighbours_are_untouched(outcomes, sane)
    lost = outcomes[1]
    assert (lost.status, lost.epochs, lost.best_epoch) == ("failed", 1, 0)
    assert lost.reason == "cross_entropy was not a finite number in epoch 1"
    assert np.isfinite(lost.weights).all()
    assert sane[1].status == "done"


def test_the_epoch_and_the_part_at_fault_are_named():
    """One step an epoch; a decay so strong that weights leave the numbers' range in the second."""
    runs = [Replica(seed, TRAIN, VALIDATION, {"weight_decay": 1e30} if seed == 1 else {}) for seed in range(3)]
    recipe = Recipe(batch=80, epochs=2)
    sane = train(linear(), three(), recipe=recipe)
    outcomes = train(linear(), runs, recipe=recipe)
    neighbours_are_untouched(outcomes, sane)
    lost = outcomes[1]
    assert (lost.status, lost.epochs, lost.best_epoch) == ("failed", 2, 1)
    assert lost.reason == "an answer to the validation windows was not a finite number in epoch 2"
    assert np.isfinite(lost.weights).all()


def odd(batch, student, teacher, hyperparameters, aux_params):
    logits = student["logits"]
    return {
        "cross_entropy": cross_entropy(batch, logits),
        # Infinite where ``far`` is 1; its gradient is no number where ``room`` is 0, while its value is 0.
        "a_far_one": jnp.where(hyperparameters["far"] > 0, jnp.inf, 0.0),
        "rooted": jnp.sqrt(hyperparameters["room"] + 0 * jnp.sum(logits) ** 2),
    }


ODD = Method(
    "odd", "a method that breaks", "none", odd, hyperparameters={"far": Range(0, 0, 1), "room": Range(1, 0, 1)}
)


@pytest.mark.parametrize(("number", "part"), [({"far": 1.0}, "a_far_one"), ({"room": 0.0}, "the gradient")])
def test_the_loss_term_at_fault_is_named(number, part):
    sane = train(linear(), three(), teaching=ODD)
    outcomes = train(linear(), three(**number), teaching=ODD)
    neighbours_are_untouched(outcomes, sane)
    assert outcomes[1].reason == f"{part} was not a finite number in epoch 1"


def test_the_slot_of_a_lost_replica_is_taken_by_the_next():
    runs = [*three(learning_rate=1e30), Replica(3, TRAIN, VALIDATION)]
    outcomes = train(dense(), runs, recipe=RECIPE, size=3)
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "done", "done"]
    sane = train(dense(), [*three(), runs[3]], recipe=RECIPE, size=3)
    neighbours_are_untouched(outcomes, sane)
    same(outcomes[3], sane[3])


def test_a_full_disk_in_the_middle_of_training_loses_nothing_that_is_saved(tmp_path, monkeypatch):
    sane = train(dense(), three(), recipe=RECIPE)
    ours = fleet(dense(), three(), recipe=RECIPE, folder=tmp_path, every=0.0)
    calls = []

    def fsync(number, real=os.fsync):
        calls.append(number)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UserError, match=r"fleet\.ckpt cannot be written \(No space left on device\)"):
        ours.train(QUIET)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fleet.ckpt", "fleet.ckpt.before"]
    for one, other in zip(ours.train(QUIET), sane, strict=True):
        same(one, other)


def test_a_folder_that_cannot_be_written_is_known_before_the_first_step(tmp_path, monkeypatch):
    ours = fleet(dense(), three(), recipe=RECIPE, folder=tmp_path / "runs")
    monkeypatch.setattr(ours, "_epoch", lambda standing: pytest.fail("a step was made"))

    def fails(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(UserError, match=r"runs/fleet\.ckpt cannot be written \(Permission denied\)"):
        ours.train(QUIET)
    monkeypatch.undo()
    assert list((tmp_path / "runs").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/fleet\.ckpt cannot be read \(Not a directory\)"):
        fleet(dense(), three(), recipe=RECIPE, folder=tmp_path / "file").train(QUIET)


def test_a_fleet_larger_than_memory_is_refused_with_the_size_that_fits():
    sized = {"per_replica": 10_000_000, "shared": 100_000_000, "free": 1_000_000_000}
    # 60 % of 1 GB less 0.1 GB of windows hold 50 of 10 MB.
    assert choose_size(50, 100, **sized) == 50
    assert choose_size(50, 7, **sized) == 7
    with pytest.raises(UserError, match=r"A fleet of 51 needs 0\.6 GB, but 1\.0 GB .* at most 50 fit"):
        choose_size(51, 100, **sized)
    with pytest.raises(UserError, match="must be at least 1, not 0"):
        choose_size(0, 100, **sized)
    with pytest.raises(UserError, match=r"One replica needs 10 MB and the windows 100 MB, but only 160 MB"):
        choose_size(None, 100, **{**sized, "free": 160_000_000})
    with pytest.raises(UserError, match=r"One replica needs 10 MB and the windows 100 MB, but only 1 MB"):
        choose_size(None, 100, **{**sized, "free": 1_000_000})
    assert choose_size(None, 100, **{**sized, "free": 190_000_000}) == 1
    assert 1 <= choose_size(None, 5, **sized) <= 5


def test_memory_is_asked_for_before_anything_is_compiled(monkeypatch):
    one = replica_bytes([Functional(dense(), ["logits"])], 8)
    shared = problem()[0].nbytes
    for room, message in ((2.9, "A fleet of 3 needs .* at most 2 fit"), (0.9, "make the batch smaller")):
        monkeypatch.setattr(memory, "free_bytes", lambda room=room: round((room * one + shared) / 0.6))
        with pytest.raises(UserError, match=message):
            fleet(dense(), three(), size=3)
    monkeypatch.setattr(memory, "free_bytes", lambda: round((2.9 * one + shared) / 0.6))
    assert fleet(dense(), three()).size == 2


def test_plans_that_cannot_be_trained_are_refused():
    windows, labels = problem()
    good = Replica(0, TRAIN, VALIDATION, name="fold 3")
    spoilt = windows.copy()
    spoilt[5, 2, 1] = np.nan
    holes = labels.copy()
    holes[90] = -1
    none = np.arange(0)
    cases = [
        ([], {}, "at least one replica"),
        ([good], {"data": (spoilt, labels)}, "NaN or infinite values"),
        ([good], {"data": (windows, holes)}, "fold 3 has validation windows with labels outside 0 … "),
        ([good], {"data": (windows, labels[:-1])}, "with a label each"),
        ([good], {"data": (windows[:, :4], labels)}, r"dense takes windows \(8, 2\), but these are \(4, 2\)"),
        ([Replica(0, none, VALIDATION)], {}, "Replica 0 has no training windows"),
        ([good, Replica(0, TRAIN, none)], {}, "Replica 1 has no validation windows"),
        ([Replica(0, TRAIN + 100, VALIDATION)], {}, "has training windows outside 0 … 119"),
        ([Replica(-1, TRAIN, VALIDATION)], {}, "has seed -1"),
        ([good], {"teaching": "rb-kd"}, "rb-kd needs a teacher"),
        ([good], {"teaching": "rb-kdd"}, "Did you mean 'rb-kd'"),
        ([good], {"recipe": Recipe(augment=("jiter",))}, "Did you mean 'jitter'"),
    ]
    for runs, options, message in cases:
        with pytest.raises(UserError, match=message):
            fleet(dense(), runs, **options)
    with pytest.raises(UserError, match=r"dense gives outputs \(3,\), but there are 4 classes"):
        Fleet(dense(), "lm", [good], windows, labels, classes=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 0}, "batch must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"warmup": 1.0}, "warmup must be at least 0 and below 1"),
        ({"select": "f1"}, "Unknown select 'f1'"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"imbalance": "weight"}, "Did you mean 'weights'"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        Recipe(**change)


def test_a_fleet_that_is_let_in_by_its_estimate_fits_into_the_free_memory_and_half_of_it_would_not_do():
    """A fleet may fill ``SHARE`` of what is free by its estimate; what it takes beyond that is what the rest is for."""
    inputs = keras.Input((64, 6))
    x = Conv1D(16, 5, activation="relu")(inputs)
    x = Conv1D(16, 5, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(4, name="logits")(keras.layers.GlobalAveragePooling1D()(x)))
    windows = np.random.default_rng(0).normal(size=(64, 64, 6)).astype(np.float32)
    recipe = Recipe(batch=32, epochs=1)
    runs = [Replica(seed, np.arange(48), np.arange(48, 64)) for seed in range(8)]
    ours = Fleet(model, "lm", runs, windows, np.arange(64) % 4, classes=4, recipe=recipe, size=8, together=8)
    begun = ours._begin()
    inputs = (ours._members(begun.slots), ours.shared, jnp.arange(8), jnp.asarray(8))
    taken = ours.program.epoch.lower(begun.learners, *inputs).compile().memory_analysis()
    whole = taken.temp_size_in_bytes + taken.argument_size_in_bytes + taken.output_size_in_bytes
    stated = 8 * replica_bytes(ours.setup.networks, recipe.batch) + windows.nbytes
    assert stated / 2 < whole < stated / SHARE, f"XLA takes {whole / stated:.2f} times the estimate"
