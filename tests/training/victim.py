"""A process that starts runs for others to kill.

For each number of epochs and folder on its input it forks a run that trains there and goes on from what it finds,
telling its number, each epoch, and how it went. Everything is imported once, in the process that forks: a start takes a
second, not six.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import numpy as np

from stillmotion.errors import DataWarning
from stillmotion.training import Recipe, Replica

from .small import TRAIN, VALIDATION, dense, fleet

RUNS = [Replica(seed, TRAIN, VALIDATION, {"learning_rate": 1e-4, "average": 0.9}) for seed in range(3)]


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def train(epochs: int, folder: Path) -> None:
    """Train to the end, and write down what came of it."""
    warnings.simplefilter("error", DataWarning)  # A checkpoint that a kill has damaged must not be.
    recipe = Recipe(batch=8, epochs=epochs, patience=epochs)
    ours = fleet(dense(), RUNS, recipe=recipe, size=2, folder=folder, every=0.0)
    outcomes = ours.train(lambda epoch, *, last: say("epoch"))  # type: ignore[arg-type]
    parts = {
        f"{outcome.replica}/{name}": np.asarray(value)
        for outcome in outcomes
        for name, value in (
            ("weights", outcome.weights),
            ("best epoch", outcome.best_epoch),
            ("history", [list(row.values()) for row in outcome.history]),
        )
    }
    np.savez(folder / "end.npz", **parts)


if __name__ == "__main__":
    os.fsync = lambda file: None  # Runs are killed, but no power is cut.
    for line in sys.stdin:
        epochs, place = line.split(maxsplit=1)
        if (run := os.fork()) == 0:
            code = 1
            try:
                train(int(epochs), Path(place.strip()))
                code = 0
            finally:
                os._exit(code)
        say(f"run {run}")
        say(f"gone {os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])}")
