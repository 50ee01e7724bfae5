"""Predicted bouts over true ones, under the signal of one test recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...bundles import RecordingPredictions, merge_bouts
from ...decoding import ALONE, UNKNOWN, UNKNOWN_NAME
from ...studies.sequences import decode_run, hop_of, sequence_rows
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import COLOURS, QUIET, RULE, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

LINES = [COLOURS[f"series-{number}"][0] for number in range(1, 7)]
#: Label of a window without a class.
NULL = -1
#: Seconds between ticks, and most of them.
STEPS, MOST_TICKS = (5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400), 8


def bouts(evidence: Evidence) -> list[Figure]:
    """Draw one figure; none without windows in a row of test subjects."""
    state, rows = evidence.record, evidence.results.sequences
    index, outline = state.index, state.index.outline
    if not rows or outline is None:
        return []
    shown = evidence.results.recommended
    names = [row.variant for row in rows]
    name = shown if shown in names else names[0]
    run = state.reported[name, 0][0]
    decoded = decode_run(state, run, "test")
    numbers = sequence_rows(index, 0, "test")
    here = np.flatnonzero(index.recording[numbers] == outline.recording)
    here = here[np.argsort(index.seconds[numbers[here]])]
    windows = numbers[here]
    merged = {"true": _merge(evidence, windows, index.labels[windows])}
    # Alone, the delay of bundles, the longest.
    for delay in dict.fromkeys([*list(decoded)[:2], list(decoded)[-1]]):
        merged[delay] = _merge(evidence, windows, decoded[delay].predictions[here])
    truth, predicted = merged["true"], {delay: each for delay, each in merged.items() if delay != "true"}
    unsure = any((each.labels == UNKNOWN).any() for each in predicted.values())
    present = sorted({int(label) for each in merged.values() for label in each.labels if label >= 0})
    places = {label: place for place, label in enumerate([*present, *([UNKNOWN] if unsure else [])])}
    activities = [index.spec.classes[label] for label in present] + ([UNKNOWN_NAME] if unsure else [])
    subject = index.subject_names[windows[0]]
    shade = colours(evidence.rows)[name]
    channels = [index.spec.channels[number] for number in outline.channels]

    def draw(sheet: Sheet, mark: Marks) -> None:
        from matplotlib.ticker import MultipleLocator

        panels = sheet.subplots(len(predicted) + 1, 1, sharex=True, height_ratios=[1.2] + [1.5] * len(predicted))
        top, *others = panels
        edges = np.linspace(0, outline.seconds, len(outline.low))
        for number, channel in enumerate(channels):
            colour = LINES[number % len(LINES)]
            area = bare(top).fill_between(
                edges, outline.low[:, number], outline.high[:, number], color=colour, linewidth=0.5, alpha=0.8
            )
            mark(area, "", channel.name)
        top.set_title(f"{channels[0].group}, {channels[0].unit or 'unit not known'}: subject {subject}")
        for panel, (delay, each) in zip(others, predicted.items(), strict=True):
            bare(panel, grid="x")
            panel.set_title(f"{name}, {_describe(delay)}, over the true bouts (grey)")
            _bars(panel, truth, places, mark, 0.9, RULE, "true")
            _bars(panel, each, places, mark, 0.4, shade, "predicted")
            panel.set_yticks(range(len(activities)), activities, fontsize=7)
            panel.set_ylim(len(activities) - 0.4, -0.6)
        for panel in panels:
            for begin, end in _spans(truth):
                panel.axvspan(begin, end, facecolor="none", edgecolor=QUIET, hatch="////", linewidth=0, alpha=0.35)
        others[-1].set_xlim(0, outline.seconds)
        step = next((each for each in STEPS if outline.seconds / each <= MOST_TICKS), STEPS[-1])
        others[-1].xaxis.set_major_locator(MultipleLocator(step))
        others[-1].xaxis.set_major_formatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02d}")
        others[-1].set_xlabel("minutes:seconds; hatched: no label")

    table: list[dict[str, Value]] = [
        {
            "bouts": kind,
            "activity": _name(int(label), index.spec.classes),
            "start_s": round(float(begin), 3),
            "end_s": round(float(end), 3),
        }
        for kind, each in merged.items()
        for label, begin, end in zip(each.labels, each.start, each.end, strict=True)
    ]
    counted = {kind: int((each.labels >= 0).sum()) for kind, each in merged.items()}
    sentences = ", ".join(f"{count} {_describe(kind) if kind != 'true' else 'true'}" for kind, count in counted.items())
    return [
        Figure(
            "bouts",
            f"Bouts of one test recording, predicted by {name}",
            f"Signal above; below it a row for each activity with the true bouts and the predicted ones. Bouts: "
            f"{sentences}.",
            table,
            draw,
            (6.4, 1.6 + len(predicted) * (0.7 + 0.15 * len(activities))),
            "Of the first fold's test recordings the one with most activities, the first of equals; no prediction "
            "plays a part in this choice. A window stands for the hop in its middle.",
        )
    ]


def _merge(evidence: Evidence, windows: NDArray[np.int64], labels: NDArray[np.int64]) -> RecordingPredictions:
    index = evidence.record.index
    start = index.seconds[windows]
    return merge_bouts(
        RecordingPredictions(
            classes=index.spec.classes,
            source=index.recording[windows].astype(np.str_),
            subject=index.subject_names[windows],
            stretch=index.recording[windows].astype(np.int64),
            start=start,
            end=start + index.spec.seconds,
            labels=labels,
            probabilities=np.zeros((len(windows), len(index.spec.classes))),
        ),
        hop_of(index),
    )


def _bars(
    panel: Axes,
    each: RecordingPredictions,
    places: dict[int, int],
    mark: Marks,
    height: float,
    colour: str,
    kind: str,
) -> None:
    """Draw a bar for each bout in the row of its activity."""
    for label, begin, end in zip(each.labels.tolist(), each.start.tolist(), each.end.tolist(), strict=True):
        if label != NULL:
            (bar,) = panel.barh(places[label], end - begin, height, begin, color=colour, linewidth=0)
            mark(bar, "", f"{kind}: {_name(label, each.classes)}, {begin:.1f} to {end:.1f} s")


def _spans(truth: RecordingPredictions) -> list[tuple[float, float]]:
    """Return the stretches without a label."""
    null = truth.labels == NULL
    return list(zip(truth.start[null].tolist(), truth.end[null].tolist(), strict=True))


def _name(label: int, classes: tuple[str, ...]) -> str:
    return {NULL: "", UNKNOWN: UNKNOWN_NAME}.get(label) or (classes[label] if label >= 0 else "")


def _describe(delay: str) -> str:
    return {ALONE: "window alone", "0": "causal", "offline": "offline"}.get(delay, f"{delay} windows late")
