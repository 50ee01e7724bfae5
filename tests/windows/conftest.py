"""Small data sets of random motion for the tests of windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from stillmotion.signals.recording import Dataset, Recording
from stillmotion.signals.spec import Channel, SignalSpec

CHANNELS = tuple(Channel("acc", axis, "g", "wrist") for axis in "xyz")


def make_spec(window: int = 40, hop: int = 20, classes: str = "abc", **more: object) -> SignalSpec:
    return SignalSpec(50.0, CHANNELS, tuple(classes), window, hop, **more)  # type: ignore[arg-type]


def make_subjects(
    lengths: Sequence[Sequence[int]],
    *,
    spec: SignalSpec | None = None,
    labels: Callable[[int, int, int], np.ndarray] | None = None,
    seed: int = 0,
    name: str = "few",
    **more: object,
) -> Dataset:
    """Make one subject per list of recording lengths; labels(subject, recording, length), all classes by default."""
    spec = spec or make_spec()
    rng = np.random.default_rng(seed)
    recordings = []
    for subject, of_subject in enumerate(lengths):
        for number, length in enumerate(of_subject):
            if labels is None:
                label = np.arange(length) * len(spec.classes) // length
            else:
                label = labels(subject, number, length)
            recordings.append(
                Recording(
                    subject=str(subject + 1),
                    session=f"day {number}",
                    samples=rng.standard_normal((length, len(spec.channels)), dtype=np.float32),
                    labels=np.asarray(label).astype(np.int16),
                    source=f"p{subject + 1}r{number}",
                )
            )
    return Dataset.of(name, spec, recordings, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def subjects() -> Callable[..., Dataset]:
    return make_subjects


@pytest.fixture(scope="session")
def signal_spec() -> Callable[..., SignalSpec]:
    return make_spec
