"""A fleet that is stopped and resumed gives the same results."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.training import Recipe, Replica, Teacher
from stillmotion.training import fleet as fleet_module
from stillmotion.training import fleet_state as standing_module
from stillmotion.training.progress import Progress

from .small import CLASSES, TRAIN, VALIDATION, dense, fleet, normed, problem, same

QUIET = Progress(enabled=False)
#: Early stopping and slots that are filled again.
RECIPE = Recipe(batch=8, epochs=6, patience=2)
RUNS = [Replica(seed, TRAIN, VALIDATION, {"learning_rate": 10.0**-power}) for seed, power in enumerate((2, 3, 1, 2, 3))]


def make(folder=None, runs=RUNS, **options):
    options.setdefault("recipe", RECIPE)
    return fleet(normed(), runs, size=2, folder=folder, every=0.0, **options)


@pytest.fixture(scope="module")
def uninterrupted():
    outcomes = make().train(QUIET)
    assert len({outcome.epochs for outcome in outcomes}) > 1, "some must stop before others"
    return outcomes


@pytest.fixture(autouse=True)
def ctrl_c_is_not_ignored():
    """Also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class StopAfter:
    """A progress display at which the user presses Ctrl-C."""

    def __init__(self, epochs):
        self.left = epochs

    def __call__(self, epoch, *, last=False):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def all_same(outcomes, others):
    for one, other in zip(outcomes, others, strict=True):
        same(one, other)


def test_ctrl_c_saves_and_another_fleet_goes_on(tmp_path, uninterrupted):
    stops = 0
    for _ in range(50):
        ours = make(tmp_path)
        ours.every = 1e9  # Nothing but Ctrl-C saves after the start.
        try:
            outcomes = ours.train(StopAfter(3))
        except KeyboardInterrupt:
            stops += 1
            continue
        break
    assert stops >= 3
    all_same(outcomes, uninterrupted)
    # What is finished is not trained again.
    all_same(make(tmp_path).train(StopAfter(1)), uninterrupted)


def test_ctrl_c_at_any_line_of_an_epoch_loses_nothing_and_doubles_nothing(tmp_path, uninterrupted):
    ours = make(tmp_path)
    files = {fleet_module.__file__, standing_module.__file__}
    inside = {"_epoch", "_retire", "_refill", "_members", "_fresh", "copy"}
    lines = 0
    rng = np.random.default_rng(0)

    def tracer(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename not in files or frame.f_code.co_name not in inside:
            return None

        def line(frame, event, _):
            nonlocal lines
            if event == "line":
                lines -= 1
                if lines == 0:
                    raise KeyboardInterrupt
            return line

        return line

    stops = 0
    for _ in range(60):
        lines = int(rng.integers(1, 500))
        sys.settrace(tracer)
        try:
            outcomes = ours.train(QUIET)
            break
        except KeyboardInterrupt:
            stops += 1
        finally:
            sys.settrace(None)
    assert stops > 8
    all_same(outcomes, uninterrupted)


@pytest.mark.parametrize("damage", ["flip", "short", "empty"])
def test_a_damaged_checkpoint_warns_and_the_previous_one_is_used(tmp_path, uninterrupted, damage):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).train(StopAfter(4))
    path = tmp_path / "fleet.ckpt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flip": content, "short": content[:-100], "empty": b""}[damage])
    with pytest.warns(DataWarning, match="damaged .* the previous one is used"):
        outcomes = make(tmp_path).train(QUIET)
    all_same(outcomes, uninterrupted)


def test_two_damaged_checkpoints_mean_a_new_start(tmp_path, uninterrupted):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).train(StopAfter(4))
    for name in ("fleet.ckpt", "fleet.ckpt.before"):
        (tmp_path / name).write_bytes(b"")
    with pytest.warns(DataWarning) as caught:
        outcomes = make(tmp_path).train(QUIET)
    assert "training starts again" in str(caught[-1].message)
    all_same(outcomes, uninterrupted)


def test_a_fleet_goes_on_in_a_process_that_built_other_models_before(tmp_path, uninterrupted):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).train(StopAfter(2))
    for _ in range(3):
        normed()  # Keras counts its names up: conv1d_7, batch_normalization_12 …
    all_same(make(tmp_path).train(QUIET), uninterrupted)


def another(**changes):
    plan = {"seed": 0, "train": TRAIN, "validation": VALIDATION, "hyperparameters": {"learning_rate": 0.01}, **changes}
    return [Replica(**plan), *RUNS[1:]]


def test_a_checkpoint_of_another_plan_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).train(StopAfter(1))
    before = (tmp_path / "fleet.ckpt").read_bytes()
    windows, labels = problem()
    others = [
        {"runs": another(seed=9)},
        {"runs": another(train=TRAIN[::-1])},
        {"runs": another(validation=VALIDATION[:-1])},
        {"runs": another(hyperparameters={"learning_rate": 0.02})},
        {"runs": another(mean=np.ones(2, np.float32), std=np.ones(2, np.float32))},
        {"runs": RUNS[:4]},
        {"recipe": Recipe(batch=8, epochs=7, patience=2)},
        {"data": (windows * np.float32(1.01), labels)},
        {"data": (windows, (labels + 1) % CLASSES)},
        {"together": 2},
        {"own_weights": True},
    ]
    for change in others:
        with pytest.raises(
            UserError, match=r"fleet\.ckpt belongs to another plan .* name another folder, or remove it"
        ):
            make(tmp_path, **change).train(QUIET)
    assert (tmp_path / "fleet.ckpt").read_bytes() == before


def test_a_checkpoint_of_another_teacher_is_refused(tmp_path):
    _, labels = problem()
    logits = np.eye(CLASSES, dtype=np.float32)[labels]
    runs = [Replica(seed, TRAIN, VALIDATION) for seed in range(2)]

    def distil(scores):
        teachers = [Teacher(outputs={"logits": scores})]
        return fleet(dense(), runs, teaching="rb-kd", teachers=teachers, folder=tmp_path)

    distil(logits).train(QUIET)
    distil(logits.copy()).train(QUIET)
    with pytest.raises(UserError, match="another plan"):
        distil(2 * logits).train(QUIET)
