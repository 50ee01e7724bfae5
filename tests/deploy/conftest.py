"""Programs of small and real networks, in float32 and int8, compiled once for all tests."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from stillmotion.deploy.header import Target
from stillmotion.deploy.program import Program, quantise_program
from stillmotion.deploy.reading import read_program
from stillmotion.deploy.signal_counts import Counts, fit_counts
from stillmotion.deploy.writer import write_c
from stillmotion.networks import build_network
from tests.deploy.compiling import Compiled
from tests.deploy.nets import SMALL, SPEC, build, draw_weights, draw_windows

#: Real networks, with their options, that every run compiles; and those that only the slow tests do.
REAL = {
    "deepconvlstm-lm": {},
    "deepconvlstm-lm-cbam": {"attention": "channel:r=2,spatial:k=3,sensor:r=2,after=2"},
    "motion-net-xs": {},
    "gru-4": {},
    "fastgrnn-8": {},
    "feature-net-s": {},
}
MORE = ("motion-net-s", "motion-net-m", "gru-8", "hybrid-net-s", "hybrid-net-m", "tinierhar", "cnn-har", "mlp-small")


@dataclass(frozen=True, eq=False)
class Case:
    """A network with its programs.

    Args:
        name: of the network.
        model: the network.
        exact: its program in float32.
        integers: its program in integers.
        windows: float32 windows, which are exact counts.
        counts: how they become raw counts.
    """

    name: str
    model: keras.Model
    exact: Program
    integers: Program
    windows: np.ndarray
    counts: Counts


def make_case(name: str, model: keras.Model, windows: np.ndarray, spec=SPEC) -> Case:
    """Read and quantise a network."""
    counts, exact = fit_counts(spec, windows), read_program(model)
    return Case(name, model, exact, quantise_program(exact, windows, counts.scales), windows, counts)


def sources(cases, spec=SPEC):
    """Return the C of both forms of every case, as ``Compiled`` takes it."""
    for case in cases:
        for program, suffix in ((case.exact, "f"), (case.integers, "q")):
            target = Target(f"{case.name}_{suffix}", program, spec, case.counts, [], {})
            yield target.name, suffix == "q", write_c(target).files


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    windows = draw_windows(20)
    made = {builder.__name__: make_case(builder.__name__, build(builder), windows) for builder in SMALL}
    for name, options in REAL.items():
        model = build_network(name.removesuffix("-cbam"), SPEC, **options)
        draw_weights(model)
        key = name.replace("-", "_")
        made[key] = make_case(key, model, windows)
    return made


@pytest.fixture(scope="session")
def compiled(cases, tmp_path_factory) -> Compiled:
    return Compiled(tmp_path_factory.mktemp("c"), list(sources(cases.values())), "-O0")
