"""Colours: one for each variant, the same in every figure, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..studies import Row

#: Colours by name of the style property: on a light page (and on paper), on a dark page.
COLOURS: Mapping[str, tuple[str, str]] = {
    "ink": ("#1b1f24", "#e8eaed"),
    "quiet": ("#5b6470", "#a3acb8"),
    "rule": ("#d5dae0", "#3a424d"),
    "paper": ("#fefefe", "#14181d"),
    "series-0": ("#3b4450", "#c5cdd8"),
    "series-1": ("#0b6fb8", "#5cb3ee"),
    "series-2": ("#a8560a", "#f0a04b"),
    "series-3": ("#0a7d5e", "#46c9a3"),
    "series-4": ("#9b3f8f", "#dd92d3"),
    "series-5": ("#b3261e", "#ff8a80"),
    "series-6": ("#6a6f00", "#c9cf4a"),
    "control-0": ("#6d7680", "#98a2ae"),
    "control-1": ("#838b95", "#838d99"),
    "control-2": ("#7b6d60", "#ab9c8d"),
    "baseline-0": ("#0b6a77", "#4fc3d4"),
    "baseline-1": ("#7a5c00", "#d8b04a"),
    "baseline-2": ("#5e6b4f", "#a9b895"),
    "teacher-0": ("#5a3fa0", "#b39ef0"),
    "teacher-1": ("#8463c9", "#957fd6"),
}
INK, QUIET, RULE, PAPER = (COLOURS[name][0] for name in ("ink", "quiet", "rule", "paper"))
MARKERS = {"reference": "o", "variant": "o", "control": "s", "baseline": "^", "teacher": "D"}


def colours(rows: Sequence[Row]) -> dict[str, str]:
    """Return the colour of each variant and teacher on a light page."""
    shades: dict[str, str] = {}
    used: dict[str, int] = {}
    for row in rows:
        kind = {"reference": "series", "variant": "series"}.get(row.kind, row.kind)
        if row.kind == "reference":
            shades[row.variant] = COLOURS["series-0"][0]
            continue
        family = [name for name in COLOURS if name.startswith(f"{kind}-") and name != "series-0"]
        number = used.get(kind, 0)
        used[kind] = number + 1
        shades[row.variant] = COLOURS[family[number % len(family)]][0]
    return shades


def style_sheet() -> str:
    """Return the colours as style properties, for light and dark pages."""
    light, dark = (";".join(f"--{name}:{pair[scheme]}" for name, pair in COLOURS.items()) for scheme in (0, 1))
    return (
        f":root{{{light};color-scheme:light dark}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )
