"""Small made-up data sets for the tests of this room."""

from __future__ import annotations

import numpy as np

from stillmotion.signals import Channel, Dataset, Recording, SignalSpec

SPEC = SignalSpec(
    rate=50.0,
    channels=(
        *(Channel("acc", axis, "g", "wrist") for axis in "xyz"),
        *(Channel("gyr", axis, "rad/s", "wrist") for axis in "xyz"),
    ),
    classes=("walk", "sit"),
    window=50,
    hop=25,
)


def recording(subject="1", length=500, *, seed=0, times=None, session="1", source="", labels=None):
    """Standing about: gravity on z with noise, slow turns, both classes in halves."""
    random = np.random.default_rng([seed, length])
    samples = random.normal(0, 0.05, (length, 6)).astype(np.float32)
    samples[:, 2] += 1
    if labels is None:
        labels = np.repeat([0, 1], [length // 2, length - length // 2])
    return Recording(subject, session, samples, np.asarray(labels, np.int16), times, source)


def dataset(*recordings, spec=SPEC, **more):
    return Dataset.of("made-up", spec, recordings or [recording(str(n), seed=n) for n in range(4)], **more)
