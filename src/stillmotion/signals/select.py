"""Selection of sensors, by names such as ``wrist.acc,wrist.gyr``, and of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from unicodedata import normalize

import numpy as np

from ..errors import UnknownName, UserError
from .recording import NULL, Dataset
from .spec import Channel, SignalSpec

SIDES = ("left", "right")


def select_sensors(dataset: Dataset, sensors: str | Sequence[str]) -> Dataset:
    """Keep some sensors only, in the given order.

    Args:
        dataset: recordings.
        sensors: names separated by commas, or a sequence of names. A name may be a channel (``wrist.acc.x``),
            a sensor unit (``wrist.acc``), a position (``wrist``) or a sensor at every position (``acc``). ``wrist``
            stands for both ``left-wrist`` and ``right-wrist``.

    Returns:
        The same recordings with fewer channels.

    Raises:
        UnknownName: no channel has such a name.

    Example:
        >>> from stillmotion.signals import select_sensors
        >>> from stillmotion.signals.simulated import generate
        >>> select_sensors(generate(subjects=1, minutes=1), "wrist.gyr,waist.acc.z").spec.channel_names
        ('wrist.gyr.x', 'wrist.gyr.y', 'wrist.gyr.z', 'waist.acc.z')
    """
    columns = find_columns(dataset.spec, sensors)
    spec = replace(dataset.spec, channels=tuple(dataset.spec.channels[column] for column in columns))
    if columns == list(range(len(dataset.spec.channels))):
        return dataset
    # One gather over the shared store; the recordings become views of it.
    samples = np.ascontiguousarray(dataset.samples[:, columns])
    return replace(dataset, spec=spec, samples=samples, fingerprint="")


def find_columns(spec: SignalSpec, sensors: str | Sequence[str]) -> list[int]:
    """Return the columns that sensor names stand for, each once."""
    names = [name.strip() for name in (sensors.split(",") if isinstance(sensors, str) else sensors)]
    names = [name for name in names if name]
    if not names:
        raise UserError("No sensor was named; a selection looks like wrist.acc,wrist.gyr.")
    columns: list[int] = []
    for name in names:
        matches = [
            number
            for number, channel in enumerate(spec.channels)
            if name in (channel.name, channel.group, channel.position, channel.sensor, *_without_side(channel))
        ]
        if not matches:
            positions = [channel.position for channel in spec.channels if channel.position]
            raise UnknownName("sensor", name, list(dict.fromkeys([*spec.groups, *positions])))
        columns += [number for number in matches if number not in columns]
    return columns


def _without_side(channel: Channel) -> tuple[str, ...]:
    """Return a channel's names without left or right: channel, sensor unit, position."""
    side, _, bare = channel.position.partition("-")
    if side not in SIDES or not bare:
        return ()
    either = replace(channel, position=bare)
    return either.name, either.group, bare


def merge_classes(dataset: Dataset, merge: Mapping[str, Sequence[str]]) -> Dataset:
    """Gather classes under new names.

    Args:
        dataset: recordings.
        merge: new name to the classes that it gathers; ``*`` stands for all that nothing else names.

    Returns:
        The same recordings with fewer classes, in the order of their first members.

    Raises:
        UnknownName: a class has no such name.

    Example:
        >>> from stillmotion.signals import merge_classes
        >>> from stillmotion.signals.simulated import generate
        >>> merge = {"still": ["sitting", "standing", "lying"], "other": ["*"]}
        >>> merge_classes(generate(subjects=3, minutes=2), merge).spec.classes
        ('other', 'still')
    """
    names = dataset.spec.classes
    target: dict[str, str] = {}
    for new, members in merge.items():
        for member in (members,) if isinstance(members, str) else members:
            if member != "*" and member not in names:
                raise UnknownName("class", member, [*names, "*"])
            target[member] = new
    rest = target.pop("*", None)
    merged = [target.get(name, name if rest is None or name in merge else rest) for name in names]
    kept = list(dict.fromkeys(merged))
    number_of = np.array([*(kept.index(name) for name in merged), NULL], np.int16)  # NULL is -1 and indexes the last
    spec = replace(dataset.spec, classes=tuple(kept))
    raw = None if dataset.raw is None else merge_classes(dataset.raw, merge)
    return replace(dataset, spec=spec, labels=number_of[dataset.labels], fingerprint="", raw=raw)


def select_classes(dataset: Dataset, classes: Sequence[str] | None = None) -> Dataset:
    """Keep some classes only; samples of the others get the label -1 (no class).

    Args:
        dataset: recordings.
        classes: names to keep, in their new order; by default the classes that occur (for a folder that holds part
            of a data set).

    Returns:
        The same recordings with other labels.

    Raises:
        UnknownName: a class has no such name.

    Example:
        >>> from stillmotion.signals import select_classes
        >>> from stillmotion.signals.simulated import generate
        >>> data = select_classes(generate(subjects=3, minutes=2), ["sitting", "standing"])
        >>> data.spec.classes, set(data.labels.tolist()) <= {-1, 0, 1}
        (('sitting', 'standing'), True)
    """
    names = dataset.spec.classes
    if classes is None:
        present = np.unique(dataset.labels)
        kept = present[present != NULL].tolist()
    else:
        classes = [normalize("NFC", name) for name in classes]
        for name in classes:
            if name not in names:
                raise UnknownName("class", name, list(names))
        kept = [names.index(name) for name in dict.fromkeys(classes)]
    if not kept:
        raise UserError(f"{dataset.name} has no labelled sample.")
    if kept == list(range(len(names))):
        return dataset
    # One entry more than there are classes: NULL is -1 and indexes the last.
    number_of = np.full(len(names) + 1, NULL, np.int16)
    number_of[kept] = np.arange(len(kept))
    spec = replace(dataset.spec, classes=tuple(names[number] for number in kept))
    return replace(dataset, spec=spec, labels=number_of[dataset.labels], fingerprint="")
