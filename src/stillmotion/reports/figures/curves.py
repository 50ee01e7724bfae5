"""Learning curves: validation score and training loss by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...formatting import format_percent
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

Floats = NDArray[np.float64]


def curves(evidence: Evidence) -> list[Figure]:
    """Draw one figure, a line for each variant (mean of its runs); none before training."""
    histories = evidence.histories
    if not histories:
        return []
    shades = colours(evidence.rows)
    named = [row.variant for row in evidence.rows if row.variant in histories]
    terms = {name: sorted({term for row in histories[name][0] for term in row} - {"validation"}) for name in named}
    score = {name: _mean([[row["validation"] for row in run] for run in histories[name]]) for name in named}
    loss = {
        name: _mean([[sum(row.get(term, 0.0) for term in terms[name]) for row in run] for run in histories[name]])
        for name in named
    }

    def draw(sheet: Sheet, mark: Marks) -> None:
        upper, lower = sheet.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        for panel, values, scale in ((upper, score, 100.0), (lower, loss, 1.0)):
            bare(panel)
            for name in named:
                _lines(panel, name, values[name], scale, shades[name], mark)
        upper.set_ylabel("validation score, percent")
        lower.set_ylabel("training loss")
        lower.set_xlabel("epoch")
        handles, labels = upper.get_legend_handles_labels()
        sheet.legend(handles, labels, loc="outside lower center", ncols=2)

    rows: list[dict[str, Value]] = [
        {
            "variant": name,
            "epoch": epoch + 1,
            "runs": int(np.isfinite(score[name][:, epoch]).sum()),
            "validation": float(np.nanmean(score[name][:, epoch])),
            "validation_low": float(np.nanmin(score[name][:, epoch])),
            "validation_high": float(np.nanmax(score[name][:, epoch])),
            "loss": float(np.nanmean(loss[name][:, epoch])),
        }
        for name in named
        for epoch in range(score[name].shape[1])
    ]
    ends = "; ".join(
        f"{name} best {format_percent(np.nanmax(np.nanmean(score[name], axis=0)))} % after "
        f"{int(np.nanargmax(np.nanmean(score[name], axis=0))) + 1} epochs"
        for name in named
    )
    return [
        Figure(
            "curves",
            "Learning curves",
            f"Validation score above, training loss below, by epoch: {ends}.",
            rows,
            draw,
            (5.0, 4.4 + 0.1 * len(named)),
            "Mean of the runs still training, shaded from the lowest to the highest; losses of different "
            "methods have different terms and are not comparable.",
        )
    ]


def _mean(runs: list[list[float]]) -> Floats:
    """(runs, epochs) with NaN where a run had ended."""
    longest = max(map(len, runs))
    return np.array([[*run, *[np.nan] * (longest - len(run))] for run in runs], np.float64)


def _lines(panel: Axes, name: str, values: Floats, scale: float, colour: str, mark: Marks) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    mean = scale * np.nanmean(values, axis=0)
    if len(values) > 1:
        low, high = scale * np.nanmin(values, axis=0), scale * np.nanmax(values, axis=0)
        mark(panel.fill_between(epochs, low, high, color=colour, alpha=0.12, linewidth=0), name)
    (line,) = panel.plot(epochs, mean, color=colour, linewidth=1.6, label=name, marker="" if len(epochs) > 1 else "o")
    mark(line, name, f"{name}: {mean[-1]:.3g} after {len(epochs)} epochs, mean of {len(values)} runs")
