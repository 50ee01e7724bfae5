"""`still demo`: what the rooms so far do, on people who do not exist."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from ..signals import NULL, Dataset, inspect, load
from ..signals.recording import Floats
from ..windows import audit, cut, fit_statistics, splits
from .screen import console, show_audit, show_quality


def tour(out: Path) -> Path:
    """Show the data, its quality, an honest and a leaky split, and draw a figure; returns the figure's path."""
    screen = console()
    screen.rule("The people")
    data = load()
    seconds = len(data.samples) / data.spec.rate
    screen.print(
        f"{len(data.subjects)} simulated people, {seconds / 60:.0f} minutes at {data.spec.rate:g} Hz, "
        f"{len(data.spec.channels)} channels ({', '.join(data.spec.groups)}), {len(data.spec.classes)} classes."
    )
    screen.rule("Their recordings")
    show_quality(inspect(data))
    windows = cut(data)
    for title, protocol in (("An honest split", "subjects:4"), ("The split that most papers use", "published")):
        screen.rule(title)
        made = splits(windows, protocol)
        statistics = [fit_statistics(windows, fold.train) for fold in made.folds]
        show_audit(audit(windows, made, statistics=statistics))
    screen.rule("A figure")
    path = draw_activities(data, out / "activities.svg")
    screen.print(f"One window of each class, first person: {path} (and .png)")
    return path


def draw_activities(dataset: Dataset, path: Path, *, subject: str | None = None) -> Path:
    """Draw four seconds of every class, one column a sensor unit, as SVG and PNG.

    Args:
        dataset: evenly timed recordings.
        path: where the SVG goes; the PNG lies beside it.
        subject: whose; the first person who has the class, by default.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    spec, span = dataset.spec, round(4 * dataset.spec.rate)
    groups = spec.groups
    names = [name for number, name in enumerate(spec.classes) if _example(dataset, number, span, subject) is not None]
    figure = Figure(figsize=(2.6 * len(groups), 1.15 * len(names) + 0.6), layout="constrained")
    panels = figure.subplots(len(names), len(groups), squeeze=False, sharex=True, sharey="col")
    for number, (row, name) in enumerate(zip(panels, names, strict=True)):
        samples = _example(dataset, spec.classes.index(name), span, subject)
        assert samples is not None
        for panel, group in zip(row, groups, strict=True):
            columns = [number for number, channel in enumerate(spec.channels) if channel.group == group]
            panel.plot(np.arange(len(samples)) / spec.rate, samples[:, columns], linewidth=0.8)
            panel.tick_params(labelsize=6)
            if number == 0:
                unit = spec.channels[columns[0]].unit
                panel.set_title(f"{group} ({unit})" if unit else group, fontsize=8)
        row[0].set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    for panel in panels[-1]:
        panel.set_xlabel("seconds", fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Fixed salt and no date: the same data gives the same file.
    with mpl.rc_context({"svg.hashsalt": "stillmotion"}):
        figure.savefig(path, metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=110)
    return path


def _example(dataset: Dataset, label: int, span: int, subject: str | None) -> Floats | None:
    """The middle of the longest stretch of a class, ``span`` samples of it (context around it if it is shorter)."""
    best: tuple[int, Floats] | None = None
    for recording in dataset.recordings:
        if (subject is not None and recording.subject != subject) or len(recording) < span:
            continue
        edges = np.flatnonzero(np.diff(recording.labels, prepend=NULL - 1, append=NULL - 1))
        runs = [(b - a, a, b) for a, b in pairwise(edges) if recording.labels[a] == label]
        if not runs:
            continue
        length, first, stop = max(runs)
        if best is None or length > best[0]:
            begin = int(np.clip((first + stop - span) // 2, 0, len(recording) - span))
            best = (int(length), recording.samples[begin : begin + span])
        if best is not None and subject is None:
            break
    return None if best is None else best[1]
