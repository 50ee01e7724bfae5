"""Measure fleets on a GPU: replicas 1 to 512, the knee of the curve, the published grid, PyTorch on the same card.

``python -m benchmarks.gpu --seconds 300 --out results/bench/gpu.json`` prints each row when it is measured and writes
all rows so far; what is most informative comes first, and what does not fit into the seconds is left out. Keys of a
row:

- ``shape``, ``network``, ``task``, ``contender``, ``replicas``, ``together`` (replicas that share one product),
  ``precision`` of products, read from the program (``highest``: float32; ``default``: what XLA chooses on this
  device), ``autotuned``, whether the compiler tries out kernels, which takes long and is off for all others;
- ``milliseconds`` per model and step, orders of windows drawn on the host included, and ``program``, without them;
- ``megabytes`` of the compiled epoch (arguments, results, intermediate arrays); seconds of ``beginning`` (first weights
  of all replicas) and of ``compilation``, side by side with others;
- task ``agreement``: ``gradient``, the relative difference of a step's gradient to that of this machine's processor;
- task ``grid``: seconds of an epoch of a fleet and of its compilation; ``hours`` of the 3,780 models of the published
  grid at ``epochs`` epochs each, extrapolated from the fleets that were measured.

On a machine without a GPU it runs on the processor, which is only good for trying it out (``--replicas``, ``--steps``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from .contest import Contender, in_turns, interpreter
from .same_network import describe_network

TITLE = "Fleets on this device, milliseconds per model and step"

Row = dict[str, Any]
#: Windows and labels of each shape.
Drawn = dict[str, tuple[Any, Any]]

BATCH, TURNS = 64, 3
SHAPES = {"wisdm": (20, 3, 6), "hapt": (128, 6, 12)}
LM, MM, MOTION = ("wisdm", "deepconvlstm-lm"), ("wisdm", "deepconvlstm-mm"), ("hapt", "motion-net-s")
FIRST, REST = (1, 16, 64, 256, 512), (2, 4, 8, 32, 128)
STEPS = 100
#: Of the 60 configurations of attention in the published grid, those that are measured, one of each kind; each is a
#: fleet of 63 replicas. WISDM v1.1 has about 54,900 windows, of which 72 % train and 13 % validate.
CONFIGURATIONS = ("channel:r=4,spatial:k=5,after=2", "channel:r=2,after=1", "spatial:k=7,after=4")
FLEETS, TEMPERATURES, ALPHAS = 60, (1, 2, 4, 6, 8, 10, 15), tuple(n / 10 for n in range(1, 10))
TRAINING, VALIDATION = 39_700, 7_000
#: Epochs of a run: all that the paper allows, and a hundred, since early stopping ends runs before.
EPOCHS = (300, 100)
#: The compiler's option, 0 (kernels are not tried out) to 4.
AUTOTUNE = "xla_gpu_autotune_level"
#: Seconds that a measurement needs to begin.
RESERVE = 8


@dataclass(frozen=True)
class Point:
    """A fleet to measure."""

    shape: str
    network: str
    replicas: int
    together: int
    autotuned: bool = False

    @property
    def row(self) -> Row:
        """The columns that say what is measured."""
        return {"task": "train", "contender": "stillmotion", **self.__dict__}


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return all rows; ``quick`` with few replicas and steps. Windows are random, so ``data`` is not read."""
    return list(measure(Clock(3600), *(((1, 2), 4) if quick else (FIRST + REST, STEPS)), grid=not quick))


class Clock:
    """The seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()


def measure(clock: Clock, replicas: Sequence[int], steps: int, *, grid: bool = True) -> Iterator[Row]:
    """Yield all rows, the most informative first."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --{AUTOTUNE}=0"  # read when JAX starts
    import stillmotion.training  # noqa: F401 - before any import of keras: it chooses the backend.

    random = np.random.default_rng(0)
    drawn = {name: _draw(random, shape, steps * BATCH) for name, shape in SHAPES.items()}
    yield _device()
    first = [number for number in FIRST if number in replicas] or list(replicas)
    rest = [number for number in replicas if number not in first]
    most = max(replicas)
    split = [number for number in (16, 64, 128, 256) if number < most] or [max(1, most // 2)]
    many = max(first[:-1] or first)
    waves = [
        [Point(*where, count, count) for count in first for where in (LM, MOTION)],
        [Point(*LM, most, together) for together in split]
        + [Point(*where, many, many, autotuned=True) for where in (LM, MOTION)],
        [Point(*MM, count, count) for count in first],
        [Point(*where, count, count) for where in (LM, MOTION, MM) for count in rest],
    ]
    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as folder, ThreadPoolExecutor(16) as pool:
        others = [*_start_pytorch(pool, Path(folder), drawn)]
        try:
            late: list[Prepared] = []
            yield from _fleets(clock, pool, waves[0], drawn, late)
            for shape, network, contender, future in others:
                yield _pytorch_row(clock, shape, network, contender, future, steps)
            yield from (_agreement(*where, drawn) for where in (LM, MOTION) if clock.left > 2 * RESERVE)
            if grid:
                yield from _grid(clock, random)
            for wave in waves[1:]:
                yield from _fleets(clock, pool, wave, drawn, late)
            yield from _measured(clock, late)
        finally:
            for *_, future in others:
                if future.done() and not future.exception():
                    future.result().close()


def _draw(random: np.random.Generator, shape: tuple[int, int, int], count: int) -> tuple[Any, Any]:
    """Draw windows whose classes can be learnt."""
    length, channels, classes = shape
    labels = random.integers(0, classes, count)
    centres = random.normal(0, 0.5, (classes, length, channels))
    return (centres[labels] + random.normal(size=(count, length, channels))).astype(np.float32), labels


def _device() -> Row:
    import jax

    device = jax.devices()[0]
    return {"task": "device", "device": device.device_kind, "jax": jax.__version__, "python": sys.version.split()[0]}


# Fleets.


class Prepared:
    """A fleet whose epoch is being compiled."""

    def __init__(self, point: Point, drawn: Drawn, pool: ThreadPoolExecutor) -> None:
        start = time.perf_counter()
        self.point = point
        self.fleet = _fleet(point, *drawn[point.shape])
        self.state = self.fleet._begin(judge=False)
        self.beginning = time.perf_counter() - start
        self.slots = self.fleet.threads.slots(self.state.alive)
        members = self.fleet._members(self.state.slots)
        lowered = self.fleet.program.epoch.lower(self.state.learners, members, self.fleet.shared, *self.slots)
        self.precision = read_precision(lowered.as_text())
        self.steps = int(members.steps[0])
        tuned = {AUTOTUNE: 4} if point.autotuned else None
        self.compiled: Future[tuple[Any, float]] = pool.submit(_timed, lambda: lowered.compile(tuned))

    def measure(self) -> Row:
        """Time whole epochs after one that warms up."""
        import jax

        program, compilation = self.compiled.result()
        learners, taken, alone = self.state.learners, [], []
        for _ in range(1 + TURNS):
            start = time.perf_counter()
            members = jax.block_until_ready(self.fleet._members(self.state.slots))
            middle = time.perf_counter()
            learners, sums = jax.block_until_ready(program(learners, members, self.fleet.shared, *self.slots))
            end = time.perf_counter()
            taken.append(end - start)
            alone.append(end - middle)
        assert np.isfinite(np.asarray(sums)).all()
        scale = 1000 / self.steps / self.point.replicas
        memory = program.memory_analysis()
        parts = (memory.argument_size_in_bytes, memory.output_size_in_bytes, memory.temp_size_in_bytes)
        return {
            **self.point.row,
            "precision": self.precision,
            "milliseconds": scale * median(taken[1:]),
            "program": scale * median(alone[1:]),
            "megabytes": (sum(parts) - memory.alias_size_in_bytes) / 1e6,
            "beginning": self.beginning,
            "compilation": compilation,
        }


def read_precision(program: str) -> str:
    """Return the precision of the products of a lowered program: ``highest`` if none is left to XLA's choice."""
    return "default" if "precision = [DEFAULT" in program else "highest"


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _fleet(point: Point, windows: Any, labels: Any) -> Any:
    from stillmotion.networks import build_network
    from stillmotion.training import Fleet, Recipe, Replica

    rows = np.arange(len(windows))
    return Fleet(
        build_network(point.network, SHAPES[point.shape]),
        "lm",
        [Replica(seed, rows, rows[:256]) for seed in range(point.replicas)],
        windows,
        labels,
        classes=SHAPES[point.shape][2],
        recipe=Recipe(batch=BATCH, epochs=1000, patience=1000),
        size=point.replicas,
        together=point.together,
    )


def _fleets(
    clock: Clock, pool: ThreadPoolExecutor, points: Sequence[Point], drawn: Drawn, late: list[Prepared]
) -> Iterator[Row]:
    """Compile the fleets of a wave side by side, then measure one after the other; yield a row each.

    Programs that take too long to compile are left for the end, in ``late``.
    """
    prepared = []
    for point in points:
        if clock.left < 3 * RESERVE:
            break
        try:
            prepared.append(Prepared(point, drawn, pool))
        except Exception as problem:
            yield _failed(point.row, problem)
    wait([each.compiled for each in prepared], timeout=max(RESERVE, clock.left / 3))
    late += [each for each in prepared if not each.compiled.done()]
    yield from _measured(clock, [each for each in prepared if each not in late])


def _measured(clock: Clock, prepared: Sequence[Prepared]) -> Iterator[Row]:
    """Measure fleets whose programs are compiled."""
    for each in prepared:
        if clock.left > RESERVE and each.compiled.done():
            try:
                yield each.measure()
            except Exception as problem:
                yield _failed(each.point.row, problem)


def _failed(row: Row, problem: Exception) -> Row:
    """Return a row that says what went wrong: a point that does not run must not end the others."""
    return {**row, "note": f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"}


def _agreement(shape: str, network: str, drawn: Drawn) -> Row:
    """Compare the gradient of a first step on this device with that on the processor."""
    import jax

    row: Row = {"shape": shape, "network": network, "task": "agreement", "contender": "stillmotion", "replicas": 1}
    try:
        windows, labels = drawn[shape]
        fleet = _fleet(Point(shape, network, 1, 1), windows[:BATCH], labels[:BATCH])
        state = fleet._begin(judge=False)
        arguments = (state.learners, fleet._members(state.slots), fleet.shared, *fleet.threads.slots(state.alive))
        row["precision"] = read_precision(fleet.program.epoch.lower(*arguments).as_text())
        gradients = []
        for device in (jax.devices()[0], jax.devices("cpu")[0]):
            learners, _ = fleet.program.epoch(*jax.device_put(arguments, device))
            gradients.append(np.asarray(learners.moments.first, np.float64))
        here, there = gradients
        return {**row, "gradient": float(np.linalg.norm(here - there) / np.linalg.norm(there))}
    except Exception as problem:
        return _failed(row, problem)


# PyTorch.


def _start_pytorch(pool: ThreadPoolExecutor, folder: Path, drawn: Drawn) -> Iterator[tuple[Any, ...]]:
    """Start PyTorch's loops on the same device while our programs compile."""
    import jax

    python, on_gpu = interpreter(("torch",)), jax.default_backend() != "cpu"
    if python is None:
        return
    for (shape, network), graph in product((LM, MOTION), (False, True) if on_gpu else (False,)):
        windows, labels = drawn[shape]
        file = folder / f"{shape}-{network}.npz"
        if not file.exists():
            arrays: dict[str, Any] = describe_network(network, SHAPES[shape], windows)
            np.savez(file, windows=windows, labels=labels, **arrays)
        settings = {"name": network, "shape": SHAPES[shape], "batch": BATCH, "graph": graph}
        settings |= {"device": "cuda" if on_gpu else "cpu"}
        name = "pytorch-graph" if graph else "pytorch"
        yield shape, network, name, pool.submit(Contender, python, "pytorch_loop.py", file, settings)


def _pytorch_row(clock: Clock, shape: str, network: str, contender: str, future: Any, steps: int) -> Row:
    row = {"shape": shape, "network": network, "task": "train", "contender": contender, "replicas": 1}
    try:
        loop = future.result(timeout=max(1.0, clock.left - RESERVE))
        (timings,) = in_turns([loop], TURNS)
        return {**row, "milliseconds": 1000 * median(timing["seconds"] for timing in timings) / steps}
    except Exception as problem:
        return _failed(row, problem)


# The published grid.


def _grid(clock: Clock, random: np.random.Generator) -> Iterator[Row]:
    """Train fleets of the published grid for an epoch each, validation included; then state the whole grid."""
    measured: list[Row] = []
    windows, labels = _draw(random, SHAPES["wisdm"], TRAINING + VALIDATION)
    logits = (random.normal(size=(len(labels), 6)) + 3 * np.eye(6)[labels]).astype(np.float32)
    for attention in CONFIGURATIONS:
        if clock.left < 5 * RESERVE:
            break
        row = {"shape": "wisdm", "network": f"{LM[1]} {attention}", "task": "grid", "contender": "stillmotion"}
        try:
            measured.append({**row, **_grid_fleet(attention, windows, labels, logits)})
        except Exception as problem:
            yield _failed(row, problem)
            continue
        yield measured[-1]
    for epochs in EPOCHS if measured else ():
        epoch, compilation = (float(np.mean([row[name] for row in measured])) for name in ("epoch", "compilation"))
        yield {
            "shape": "wisdm",
            "network": LM[1],
            "task": "grid",
            "contender": "stillmotion",
            "replicas": FLEETS * len(TEMPERATURES) * len(ALPHAS),
            "epochs": epochs,
            "hours": FLEETS * (compilation + epochs * epoch) / 3600,
            "hours_of_compilation": FLEETS * compilation / 3600,
            "note": f"extrapolated from {len(measured)} of {FLEETS} fleets",
        }


def _grid_fleet(attention: str, windows: Any, labels: Any, logits: Any) -> Row:
    from stillmotion.networks import build_network
    from stillmotion.training import Fleet, Recipe, Replica, Teacher

    training, validation = np.arange(TRAINING), np.arange(TRAINING, TRAINING + VALIDATION)
    replicas = [
        Replica(42, training, validation, {"temperature": temperature, "alpha": alpha})
        for temperature, alpha in product(TEMPERATURES, ALPHAS)
    ]
    fleet = Fleet(
        build_network(LM[1], SHAPES["wisdm"], attention=attention),
        "rb-kd-att",
        replicas,
        windows,
        labels,
        classes=6,
        recipe=Recipe(batch=BATCH, epochs=300, select="accuracy"),
        teachers=[Teacher(outputs={"logits": logits})],
        size=len(replicas),
    )
    first, *others = (sum(parts) for parts in fleet.measured(1))
    steps = -(-TRAINING // BATCH)
    return {
        "replicas": len(replicas),
        "together": fleet.together,
        "epoch": median(others),
        "compilation": first - median(others),
        "milliseconds": 1000 * median(others) / steps / len(replicas),
    }


def find_knee(measured: Sequence[Row], share: float = 0.8) -> int | None:
    """Return the fewest replicas that train at ``share`` of the greatest number of models and steps per second."""
    times = {row["replicas"]: row["milliseconds"] for row in measured if row.get("milliseconds")}
    least = min(times.values(), default=0.0)
    return min((count for count, taken in times.items() if least >= share * taken), default=None)


def main() -> None:
    """Measure and write the rows after each one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="JSON file, which is replaced")
    parser.add_argument("--seconds", type=float, default=300, help="begin no measurement that would end later")
    parser.add_argument("--replicas", type=int, nargs="+", default=[*FIRST, *REST])
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of an epoch")
    parser.add_argument("--no-grid", action="store_true", help="leave the published grid out")
    options = parser.parse_args()
    clock = Clock(options.seconds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    kept: list[Row] = []
    for row in measure(clock, options.replicas, options.steps, grid=not options.no_grid):
        kept.append({**row, "at": round(options.seconds - clock.left, 1)})
        print(json.dumps(kept[-1], ensure_ascii=False), flush=True)
        unfinished = options.out.with_suffix(".part")
        unfinished.write_text(json.dumps({"bench": "gpu", "rows": kept}, indent=2, ensure_ascii=False) + "\n")
        unfinished.replace(options.out)


if __name__ == "__main__":
    main()
