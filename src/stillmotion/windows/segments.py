"""Make each labelled segment a recording of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..errors import UserError
from ..signals.recording import NULL, Dataset, Recording


def split_segments(dataset: Dataset) -> Dataset:
    """Split recordings into their labelled segments: the longest stretches of samples of one class.

    Samples without a class are left out. With ``cut(…, last="drop")`` this gives the windows of WHAR Arena's protocol:
    each has one class, and starts at a multiple of the hop after its segment's first sample. Split before resampling,
    so that no sample outside a segment enters it.

    Args:
        dataset: recordings as they were read.

    Returns:
        The segments, in order, each with its place in the source.

    Raises:
        UserError: no sample has a class, or the recordings were resampled.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.signals.simulated import generate
        >>> from stillmotion.windows import split_segments
        >>> segments = split_segments(generate(subjects=1, minutes=1))
        >>> [(len(part), segments.spec.classes[part.labels[0]]) for part in segments.recordings][:2]
        [(595, 'brushing-teeth'), (689, 'downstairs')]
    """
    if dataset.raw is not None:
        raise UserError(f"{dataset.name}: the recordings were resampled; split them into segments before that.")
    segments = [segment for recording in dataset.recordings for segment in _segments(recording)]
    if not segments:
        raise UserError(f"{dataset.name}: no sample has a class, so there are no labelled segments.")
    return dataset.rebuilt(segments)


def _segments(recording: Recording) -> Iterator[Recording]:
    labels = recording.labels
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    for start, end in pairwise(edges):
        if labels[start] != NULL:
            yield replace(
                recording,
                samples=recording.samples[start:end],
                labels=labels[start:end],
                times=None if recording.times is None else recording.times[start:end],
                offset=recording.offset + start,
            )
