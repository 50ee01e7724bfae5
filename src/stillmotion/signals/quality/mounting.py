"""Findings from comparing subjects: accelerometers with swapped or negated axes, sources in different units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from ..findings import Finding, list_names
from ..recording import Dataset
from .subject import SubjectRecordings

#: Ratio of median sizes that means mixed units: m/s² is 9.8 times g, and no placement comes near.
UNITS_APART = 5.0
#: Cosines of directions of gravity: others agree with each other, a subject disagrees with them, and after swapping or
#: negating axes agrees.
AGREE, DISAGREE, MENDED = 0.85, 0.5, 0.85
#: Fewer subjects than this say nothing about who is mounted differently.
FEWEST = 4
AXES = "xyz"


def find_mixed_units(dataset: Dataset) -> Iterator[Finding]:
    """Find accelerometers whose norm is several times larger in some files than in others."""
    for group, columns in _accelerometers(dataset):
        sizes: dict[str, float] = {}
        for recording in dataset.recordings:
            every = max(1, len(recording) // 1000)
            norms = np.linalg.norm(recording.samples[::every, columns].astype(np.float64), axis=1)
            size = float(np.median(norms))
            if np.isfinite(size):
                sizes.setdefault(recording.source, size)
        light, heavy = min(sizes.values(), default=1.0), max(sizes.values(), default=1.0)
        if not light > 0 or heavy <= UNITS_APART * light:
            continue
        middle = (light * heavy) ** 0.5
        heavy_sources = [source for source, size in sizes.items() if size > middle]
        light_sources = [source for source in sizes if source not in heavy_sources]
        fewer = len(heavy_sources) <= len(light_sources)
        deviating, size, other = (heavy_sources, heavy, light) if fewer else (light_sources, light, heavy)
        text = (
            f"{group} has a median norm of about {size:.3g} in {len(deviating)} of {len(sizes)} sources "
            f"({deviating[0]}{', …' if len(deviating) > 1 else ''}) and of {other:.3g} in the others: units are mixed"
        )
        owners = sorted({each.subject for each in dataset.recordings if each.source in deviating})
        subject = owners[0] if len(owners) == 1 else ""
        yield Finding("error", "mixed units", text, subject, deviating[0], group, len(deviating))


def find_odd_mountings(subjects: Sequence[SubjectRecordings]) -> Iterator[Finding]:
    """Find subjects whose gravity points along other axes than the others', as if axes were swapped or negated.

    Directions are compared class by class. A subject is reported if the others agree among themselves and swapping or
    negating axes makes the subject agree too.
    """
    if len(subjects) < FEWEST:
        return
    for group, columns in _accelerometers(subjects[0].dataset):
        directions = np.stack([_directions(each, columns) for each in subjects])  # (subjects, classes, axes)
        odd = []
        for number, subject in enumerate(subjects):
            others = np.delete(directions, number, axis=0)
            usual = _unit(_mean(others, 0))
            own = directions[number]
            shared = np.isfinite(own).all(axis=1) & np.isfinite(usual).all(axis=1)
            if not shared.any():
                continue
            agreement = np.nanmedian(_mean((others * usual).sum(axis=2)[:, shared], 1))
            cosine = _cosine(own[shared], usual[shared])
            if agreement < AGREE or cosine > DISAGREE:
                continue
            axes, mended = max(
                ((axes, _cosine(own[shared] @ matrix.T, usual[shared])) for axes, matrix in _turns()),
                key=lambda each: each[1],
            )
            if mended > MENDED:
                odd.append((subject, axes))
        # Half of the subjects are no exception: devices were worn in two ways.
        for subject, axes in odd if len(odd) <= len(subjects) // 4 else []:
            text = (
                f"gravity of {group} points elsewhere than for the {len(subjects) - 1} others, as if its axes were "
                f"({axes}): turned device, swapped or negated columns?"
            )
            yield subject.find("warning", "axes", text, column=group)
        if len(odd) > len(subjects) // 4:
            names = list_names(subject.name for subject, _ in odd)
            text = f"{group} was worn in different orientations: {len(odd)} of {len(subjects)} subjects ({names})"
            yield Finding("note", "axes", text, column=group, count=len(odd))


def _accelerometers(dataset: Dataset) -> Iterator[tuple[str, list[int]]]:
    for group in dataset.spec.groups:
        columns = [number for number, channel in enumerate(dataset.spec.channels) if channel.group == group]
        if len(columns) == 3 and dataset.spec.channels[columns[0]].sensor == "acc":
            yield group, columns


def _directions(subject: SubjectRecordings, columns: list[int]) -> NDArray[np.float64]:
    """Return the mean direction of an accelerometer in each class (classes, axes); NaN with too few samples."""
    classes = max(1, len(subject.dataset.spec.classes))
    values = subject.samples[:, columns].astype(np.float64)
    labels = np.maximum(subject.labels, 0) if not subject.dataset.spec.classes else subject.labels
    directions = np.full((classes, 3), np.nan)
    whole = ~subject.missing[:, columns].any(axis=1)
    for code in range(classes):
        own = values[(labels == code) & whole]
        if len(own) >= subject.dataset.spec.rate:
            directions[code] = np.clip(own, -1e6, 1e6).mean(axis=0)
    return _unit(directions)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(norms > 0, vectors / norms, np.nan))


def _mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the mean of the numbers along an axis; NaN where there is none."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=axis) / known.sum(axis=axis))


def _cosine(own: NDArray[np.float64], usual: NDArray[np.float64]) -> float:
    return float((own * usual).sum(axis=1).mean())


def _turns() -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield the ways of swapping and negating axes: fewest changes first, the identity last of all left out."""
    ways = []
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), list(order)] = signs
            moved = sum(a != b for a, b in enumerate(order)) + signs.count(-1)
            axes = ", ".join(("−" if sign < 0 else "") + AXES[at] for at, sign in zip(order, signs, strict=True))
            ways.append((moved, axes, matrix))
    for moved, axes, matrix in sorted(ways, key=lambda way: way[:2]):
        if moved:
            yield axes, matrix
