"""The card of the simulated subjects: channels, classes and limits of the model."""

from __future__ import annotations

from ..card import Card
from ..spec import Channel, SignalSpec

RATE = 50.0  #: Hz
VERSION = 1  #: part of every fingerprint; increase it if the simulated data changes

CLASSES = (
    "walking",
    "upstairs",
    "downstairs",
    "jogging",
    "sitting",
    "standing",
    "lying",
    "typing",
    "drinking",
    "eating",
    "brushing-teeth",
    "clapping",
)

CHANNELS = tuple(
    Channel(sensor=sensor, axis=axis, unit=unit, position=position)
    for position in ("wrist", "waist", "pocket")
    for sensor, unit in (("acc", "g"), ("gyr", "rad/s"))
    for axis in "xyz"
)

CARD = Card(
    name="simulated",
    title="Simulated subjects: wrist, waist and pocket",
    authors="the stillmotion authors",
    year=2026,
    citation="Simulated subjects, a rigid-body model of wrist, waist and pocket motion, part of stillmotion.",
    licence="Apache-2.0",
    url="docs/datasets/simulated.md",
    subjects=24,
    placement="one unit each at the wrist of the active hand, at the waist and in a trouser pocket",
    spec=SignalSpec(rate=RATE, channels=CHANNELS, classes=CLASSES, window=128, hop=64),
    layout=(),
    quirks=(
        "Every sample comes from a model; a result on these data is a result about the model, not about people.",
        "Edges of labels are off by 0.2 to 0.5 s, as if a subject set them with a button.",
        "A quarter of the time has no class (-1): changes of posture, pauses, movements of no class.",
        "Sitting and standing contain short hand movements that look like the beginning of drinking or eating.",
        "Some subjects wear the watch on the left, some turned by half a turn; the pocket unit lies in four ways.",
        "Acceleration is clipped at ±4 g, angular velocity at ±1000 deg/s.",
    ),
)
