"""Heat maps of scores, each cell with its value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .figure import Marks

#: From dark to light; numbers stay readable on both ends, on a light and on a dark page.
MAP = "cividis"


def heat(
    panel: Axes,
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    mark: Marks,
    *,
    tips: Sequence[Sequence[str]],
    variants: Sequence[str] = (),
    low: float = 0.0,
    annotate: bool = True,
) -> None:
    """Draw (rows, columns) shares from ``low`` to 1 as a heat map; NaN leaves a cell empty.

    Args:
        panel: axes to draw on.
        values: shares.
        rows, columns: labels.
        mark: marks of the figure.
        tips: tooltip of each cell.
        variants: variant of each column, if it can be hidden.
        low: the share with the darkest colour.
        annotate: whether to write percent into the cells.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    shades = colormaps[MAP]
    for r in range(len(rows)):
        for c in range(len(columns)):
            value = values[r, c]
            if not np.isfinite(value):
                continue
            place = min(1.0, max(0.0, (value - low) / max(1e-9, 1 - low)))
            cell = panel.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor=shades(place), linewidth=0))
            mark(cell, variants[c] if variants else "", tips[r][c])
            if annotate and round(100 * value):
                ink = "#000000" if place > 0.55 else "#ffffff"
                text = panel.text(c, r, f"{100 * value:.0f}", ha="center", va="center", fontsize=8, color=ink)
                mark(text, variants[c] if variants else "")
    panel.set_xlim(-0.5, len(columns) - 0.5)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    panel.set_yticks(range(len(rows)), rows)
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)
