"""Run a fleet's epochs, or its whole training and its bare epochs."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders.user_models import USER_MODELS, user_model
from stillmotion.networks import build_network
from stillmotion.training import Fleet, Recipe, Replica, Teacher
from stillmotion.training.checkpoint import remove
from stillmotion.training.functional import Functional
from stillmotion.training.progress import Progress
from stillmotion.training.teacher import predict_taps

Timing = dict[str, float]


def main() -> None:
    """Run the task of the arguments."""
    settings = json.loads(sys.argv[2])
    with np.load(sys.argv[1]) as data:
        windows, labels = data["windows"], data["labels"]
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as folder:
        turn = (_whole if settings["task"] == "run" else _epochs)(settings, windows, labels, Path(folder))
        print(json.dumps(turn()), flush=True)
        while sys.stdin.readline():
            print(json.dumps(turn()), flush=True)


def _epochs(
    settings: dict[str, Any], windows: NDArray[np.float32], labels: NDArray[np.int64], folder: Path
) -> Callable[[], Timing]:
    """Return a function that runs a fleet's epoch, order of windows included; a teacher's logits are cached."""
    once: Timing = {}
    teachers = []
    if settings["task"] == "distil":
        network = Functional(build_network(settings["teacher_name"], tuple(settings["shape"])), ["logits"])
        weights, state = network.own()
        start = time.perf_counter()
        logits = predict_taps(Teacher(network, weights, state), windows, ["logits"])["logits"]
        # Compilation included: paid once per teacher and fold, not per epoch.
        once["once"] = time.perf_counter() - start
        # This teacher is not trained; without a shift towards the labels a fleet would raise UselessTeacher.
        logits[np.arange(len(labels)), labels] += 10 * np.abs(logits).max()
        teachers = [Teacher(outputs={"logits": logits})]
    fleet = _fleet(settings, windows, labels, len(windows), teachers=teachers)
    return lambda: {"seconds": _bare(fleet, 1), **once}


def _whole(
    settings: dict[str, Any], windows: NDArray[np.float32], labels: NDArray[np.int64], folder: Path
) -> Callable[[], Timing]:
    """Return a function that runs ``Fleet.train``, and then the same number of bare epochs."""
    fleet = _fleet(settings, windows, labels, settings["training"], folder=folder)
    assert fleet.path is not None
    path = fleet.path

    def turn() -> Timing:
        remove(path)
        start = time.perf_counter()
        fleet.train(Progress(enabled=False))
        return {"seconds": time.perf_counter() - start, "bare": _bare(fleet, settings["epochs"])}

    return turn


def _fleet(
    settings: dict[str, Any],
    windows: NDArray[np.float32],
    labels: NDArray[np.int64],
    training: int,
    *,
    teachers: list[Teacher] | None = None,
    folder: Path | None = None,
) -> Fleet:
    shape, count = tuple(settings["shape"]), settings["replicas"]
    chosen = np.arange(training, len(windows)) if training < len(windows) else np.arange(min(256, training))
    epochs = settings.get("epochs", 1000)
    student = (
        user_model(settings["name"], shape)
        if settings["name"] in USER_MODELS
        else build_network(settings["name"], shape)
    )
    return Fleet(
        student,
        "rb-kd" if teachers else "lm",
        [Replica(seed, np.arange(training), chosen) for seed in range(count)],
        windows,
        labels,
        classes=shape[2],
        recipe=Recipe(batch=settings["batch"], epochs=epochs, patience=epochs),
        teachers=teachers or [],
        size=count,
        folder=folder,
    )


def _bare(fleet: Fleet, epochs: int) -> float:
    """Time a number of bare epochs, without validation, bookkeeping and checkpoints, in seconds."""
    fleet_state = fleet._begin()
    jax.block_until_ready(fleet_state.learners)
    start = time.perf_counter()
    for _ in range(epochs):
        fleet_state.learners, sums = fleet._train(fleet_state)
    jax.block_until_ready((fleet_state.learners, sums))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
