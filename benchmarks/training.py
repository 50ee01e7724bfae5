"""Time a training step against Keras' ``fit``, a PyTorch loop and a distilling ``train_step``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from stillmotion.errors import UnknownName

from .contest import Contender, Timing, in_turns, interpreter
from .same_network import describe_network

TITLE = "Training, milliseconds per model and step (ratio: over ours with one replica), all in turns"

Row = dict[str, Any]

BATCH = 64
SHAPES = {
    "wisdm": (20, 3, 6),
    "opportunity": (30, 45, 17),
    "shoaib": (50, 45, 7),
    "hapt": (128, 6, 12),
    "user-model": (100, 6, 6),
}
#: Filters and units of the networks that Keras' ``fit`` trains.
SIZES = {"deepconvlstm-lm": (4, 8), "deepconvlstm-om": (64, 128)}
TEACHER = "deepconvlstm-om"
#: Script of a contender, and the libraries that its interpreter must have.
SCRIPTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "stillmotion": ("ours.py", ("stillmotion", "jax", "keras")),
    "keras-fit": ("keras_fit.py", ("tensorflow", "keras")),
    "keras-fit-jax": ("keras_fit.py", ("jax", "keras", "stillmotion")),
    "pytorch": ("pytorch_loop.py", ("torch",)),
    "keras-train-step": ("keras_fit.py", ("tensorflow", "keras")),
}


@dataclass(frozen=True)
class Entry:
    """One contender in a contest: number of replicas, and the goal of its ratio to ours."""

    contender: str
    replicas: int = 1
    goal: str = "–"


@dataclass(frozen=True)
class Contest:
    """Contenders with the same task. An epoch has ``steps`` steps; the first entry is ours with one replica."""

    shape: str
    network: str
    task: str
    steps: int
    entries: tuple[Entry, ...]


def _plain(keras_goal: str, torch_goal: str, *, fleet: bool = True) -> tuple[Entry, ...]:
    ours = (Entry("stillmotion"), *([Entry("stillmotion", 16)] if fleet else []))
    return (*ours, Entry("keras-fit", goal=keras_goal), Entry("pytorch", goal=torch_goal))


def _distil(goal: str) -> tuple[Entry, ...]:
    return (Entry("stillmotion"), Entry("stillmotion", 16), Entry("keras-train-step", goal=goal))


def _user(network: str) -> Contest:
    """Return a contest of a user's model against Keras on the same backend; 45 steps are 2,880 windows."""
    entries = (Entry("stillmotion"), Entry("keras-fit-jax", goal="≥ 1×"))
    return Contest("user-model", network, "train", 45, entries)


def _hapt(network: str, steps: int, goal: str, *, fleet: bool) -> Contest:
    """Return a contest at 128 × 6 with 12 classes. Features are computed before, by both contenders."""
    ours = (Entry("stillmotion"), *([Entry("stillmotion", 8)] if fleet else []))
    return Contest("hapt", network, "train", steps, (*ours, Entry("pytorch", goal=goal)))


LM, OM = "deepconvlstm-lm", "deepconvlstm-om"
CONTESTS = (
    Contest("wisdm", LM, "train", 300, _plain("≥ 6×; 16: ≥ 9×", "≥ 5×")),
    Contest("wisdm", LM, "distil", 200, _distil("≥ 15×")),
    Contest("opportunity", LM, "train", 24, _plain("≥ 2×", "≥ 2×")),
    Contest("opportunity", LM, "distil", 16, _distil("≥ 10×")),
    Contest("shoaib", LM, "train", 16, _plain("≥ 2×", "≥ 2×")),
    Contest("shoaib", LM, "distil", 8, _distil("≥ 10×")),
    Contest("opportunity", OM, "train", 4, _plain("–", "≥ 1×", fleet=False)),
    _hapt("motion-net-s", 48, "≥ 3×", fleet=True),
    _hapt("tinierhar", 24, "≥ 3×", fleet=True),
    _hapt("mlp", 96, "≥ 3×", fleet=True),
    _hapt(LM, 64, "≥ 3×", fleet=True),
    _hapt("feature-net-s", 400, "≥ 3×", fleet=True),
    _hapt("motion-net-l", 16, "≥ 2×", fleet=True),
    _hapt("cnn-har", 12, "≥ 2×", fleet=True),
    _hapt(OM, 4, "≥ 1×", fleet=False),
    _hapt("resnet-lstman", 3, "≥ 1×", fleet=False),
    *map(_user, ("two-conv1d-64", "two-conv1d-8", "lstm-32", "conv3d-8")),
)
#: A whole training against its bare epochs.
WHOLE = Contest("wisdm", LM, "run", 0, ())
#: Contests of ``--quick``: the published student at the smallest shape.
QUICK = CONTESTS[:1]


def rows(*, data: Path | None = None, quick: bool = False, only: Sequence[str] = ()) -> list[Row]:
    """Return the rows of all contests, then the overhead of validation, bookkeeping and checkpoints in a run.

    Windows are random in the published shapes, so ``data`` is not read; ``only`` names contests as ``SHAPE/NETWORK`` or
    ``SHAPE/NETWORK/TASK``, with ``*`` for any. Contenders run where their libraries are: in
    this interpreter, or in those that ``STILLMOTION_BENCH_PYTHON`` lists. Keys of a row: ``ratio`` is a contender's
    milliseconds over ours with one replica, ``ratio_16`` over ours with 16; ``note`` holds the one-time cost of a
    teacher's outputs (milliseconds per step, compilation included), missing libraries, or the time of bare epochs.
    """
    turns = 3 if quick else 5
    chosen = [contest for contest in (QUICK if quick and not only else CONTESTS) if _wanted(contest, only)]
    run = not only or _wanted(WHOLE, only)
    if not chosen and not run:
        names = sorted({f"{contest.shape}/{contest.network}" for contest in CONTESTS})
        raise UnknownName("contest", " ".join(only), names)
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
        rows = [row for contest in chosen for row in _contest_rows(contest, turns, Path(scratch))]
        return [*rows, _whole_run(2 if quick else 5, Path(scratch))] if run else rows


def _wanted(contest: Contest, only: Sequence[str]) -> bool:
    """Tell whether a contest is named."""
    name = f"{contest.shape}/{contest.network}"
    return not only or any(fnmatch(name, each) or fnmatch(f"{name}/{contest.task}", each) for each in only)


def _contest_rows(contest: Contest, turns: int, scratch: Path) -> list[Row]:
    """Run a contest; return a row for each entry, including those whose libraries are missing."""
    data = _drawn(scratch, SHAPES[contest.shape], contest.steps * BATCH)
    described = data.with_name(f"{data.stem}-{contest.network}.npz")
    if any(entry.contender == "pytorch" for entry in contest.entries):
        with np.load(data) as file:
            arrays: dict[str, Any] = dict(file)
        arrays |= describe_network(contest.network, SHAPES[contest.shape], arrays["windows"])
        np.savez(described, **arrays)
    entries = {entry: interpreter(SCRIPTS[entry.contender][1]) for entry in contest.entries}
    running: dict[Entry, Contender] = {}
    try:
        for entry, python in entries.items():
            if python is not None:
                file_of = described if entry.contender == "pytorch" else data
                running[entry] = Contender(python, SCRIPTS[entry.contender][0], file_of, _settings(contest, entry))
        timings = dict(zip(running, in_turns(list(running.values()), turns), strict=True))
    finally:
        for contender in running.values():
            contender.close()
    milliseconds = {
        entry: [1000 * timing["seconds"] / contest.steps / entry.replicas for timing in of_entry]
        for entry, of_entry in timings.items()
    }
    chosen = {entry: contender.first.get("settings", "") for entry, contender in running.items()}
    return [
        _row(contest, entry, milliseconds, timings.get(entry, []))
        | ({"note": chosen[entry]} if chosen.get(entry) else {})
        for entry in contest.entries
    ]


def _row(contest: Contest, entry: Entry, milliseconds: dict[Entry, list[float]], timings: list[Timing]) -> Row:
    row: Row = {
        "shape": contest.shape,
        "network": contest.network,
        "task": contest.task,
        "contender": entry.contender,
        "replicas": entry.replicas,
        "milliseconds": None,
    }
    if entry not in milliseconds:
        return {**row, "goal": entry.goal, "note": f"not installed ({SCRIPTS[entry.contender][1][0]})"}
    row["milliseconds"] = median(milliseconds[entry])
    for replicas in (1, 8, 16):
        column = "ratio" if replicas == 1 else f"ratio_{replicas}"
        ours = milliseconds.get(Entry("stillmotion", replicas))
        if ours is not None:
            # The ratio of each round first: a slower machine affects all contenders of a round.
            row[column] = median(other / own for other, own in zip(milliseconds[entry], ours, strict=True))
    row["goal"] = entry.goal
    if "once" in timings[0]:
        row["note"] = f"+ {1000 * timings[0]['once'] / contest.steps:.3g} ms once"
    return row


def _whole_run(turns: int, scratch: Path) -> Row:
    """Time a whole training of 16 replicas of LM at WISDM's shape, with checkpoints, against its bare epochs."""
    training, validation, replicas, epochs = 8_000, 1_600, 16, 4
    steps = -(-training // BATCH)
    contest = replace(WHOLE, steps=steps)
    data = _drawn(scratch, SHAPES["wisdm"], training + validation)
    settings = {**_settings(contest, Entry("stillmotion", replicas)), "training": training, "epochs": epochs}
    contender = Contender(interpreter(SCRIPTS["stillmotion"][1]) or "", "ours.py", data, settings)
    try:
        (timings,) = in_turns([contender], turns)
    finally:
        contender.close()
    per_step = 1000 / steps / replicas / epochs
    bare = median(timing["bare"] for timing in timings) * per_step
    return {
        "shape": "wisdm",
        "network": LM,
        "task": "run",
        "contender": "stillmotion",
        "replicas": replicas,
        "milliseconds": median(timing["seconds"] for timing in timings) * per_step,
        "ratio": median(timing["seconds"] / timing["bare"] for timing in timings),
        "goal": "≤ 1.1× bare",
        "note": f"bare {bare:.3g} ms",
    }


def _settings(contest: Contest, entry: Entry) -> dict[str, Any]:
    return {
        "shape": SHAPES[contest.shape],
        "name": contest.network,
        "size": SIZES.get(contest.network),
        "backend": "jax" if entry.contender == "keras-fit-jax" else "tensorflow",
        "teacher_name": TEACHER,
        "teacher": SIZES[TEACHER],
        "task": contest.task,
        "batch": BATCH,
        "replicas": entry.replicas,
    }


def _drawn(scratch: Path, shape: tuple[int, int, int], count: int) -> Path:
    """Draw windows whose classes can be learnt: noise around one random window for each class."""
    length, channels, classes = shape
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, count)
    centres = random.normal(0, 0.5, (classes, length, channels))
    windows = (centres[labels] + random.normal(size=(count, length, channels))).astype(np.float32)
    path = scratch / f"windows-{length}-{channels}-{count}.npz"
    np.savez(path, windows=windows, labels=labels)
    return path
