"""A fleet's epochs, or its whole training against its bare epochs."""

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
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders.user_models import USER_MODELS, user_model
from stillmotion.networks import build_network
from stillmotion.training import Fleet, Recipe, Replica, Teacher
from stillmotion.training.checkpoint import remove
from stillmotion.training.functional import Functional
from stillmotion.training.progress import Progress
from stillmotion.training.teacher import predict_taps

Answer = dict[str, float]


def main() -> None:
    """Run, as the arguments say."""
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
) -> Callable[[], Answer]:
    """Epochs as a fleet runs them, orders of windows drawn on the way; a teacher answers once, before."""
    kept: Answer = {}
    teachers = []
    if settings["task"] == "distil":
        network = Functional(build_network(settings["teacher_name"], tuple(settings["shape"])), ["logits"])
        weights, state = network.own()
        start = time.perf_counter()
        logits = predict_taps(Teacher(network, weights, state), windows, ["logits"])["logits"]
        # With its compilation: paid once per teacher and fold, not per epoch.
        kept["once"] = time.perf_counter() - start
        # Nobody has trained this teacher; a fleet would refuse it for that.
        logits[np.arange(len(labels)), labels] += 10 * np.abs(logits).max()
        teachers = [Teacher(outputs={"logits": logits})]
    fleet = _fleet(settings, windows, labels, len(windows), teachers=teachers)
    return lambda: {"seconds": _bare(fleet, 1), **kept}


def _whole(
    settings: dict[str, Any], windows: NDArray[np.float32], labels: NDArray[np.int64], folder: Path
) -> Callable[[], Answer]:
    """``Fleet.train`` with all that belongs to it, and right after it the same number of bare epochs."""
    fleet = _fleet(settings, windows, labels, settings["training"], folder=folder)
    assert fleet.path is not None
    path = fleet.path

    def turn() -> Answer:
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
    own = (
        user_model(settings["name"], shape)
        if settings["name"] in USER_MODELS
        else build_network(settings["name"], shape)
    )
    return Fleet(
        own,
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
    """Seconds of so many epochs of training alone: no validation, no bookkeeping, no checkpoint."""
    standing = fleet._begin()
    here = jnp.arange(fleet.size, dtype=jnp.int32), jnp.asarray(fleet.size)
    learners = jax.block_until_ready(standing.learners)
    start = time.perf_counter()
    for _ in range(epochs):
        learners, sums = fleet.program.epoch(learners, fleet._members(standing.slots), fleet.shared, *here)
    jax.block_until_ready((learners, sums))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
