"""Size of each network: weights at float32 and int8, and activation memory for one window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...formatting import format_kib
from ..evidence import Evidence
from ..figure import Figure, Marks, bare
from ..palette import COLOURS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure as Sheet

KINDS = (
    ("weights, float32", "weight_bytes", COLOURS["series-1"][0]),
    ("weights, int8", "weight_bytes_int8", COLOURS["series-3"][0]),
    ("peak activations, float32", "activation_bytes", COLOURS["series-2"][0]),
)


def sizes(evidence: Evidence) -> list[Figure]:
    """Draw one figure; networks of equal size are drawn once."""
    alike: dict[tuple[int, int, int, int], list[str]] = {}
    for name, cost in evidence.costs.items():
        key = (cost.params, cost.weight_bytes, cost.weight_bytes_int8, cost.activation_bytes)
        alike.setdefault(key, []).append(name)
    if not alike:
        return []
    names = [_few(each) for each in alike.values()]

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = bare(sheet.subplots(), grid="x")
        for number, ((_, *values), name) in enumerate(zip(alike, names, strict=True)):
            for shift, value, (kind, _, colour) in zip((-0.26, 0, 0.26), values, KINDS, strict=True):
                (bar,) = panel.barh(number + shift, value / 1024, 0.24, color=colour, alpha=0.85)
                mark(bar, "", f"{name}: {kind} {format_kib(value)} KiB")
                panel.text(value / 1024, number + shift, f" {format_kib(value)}", va="center", fontsize=8)
        panel.set_xscale("log")
        panel.margins(x=0.18)
        panel.set_yticks(range(len(names)), names)
        panel.invert_yaxis()
        panel.set_xlabel("KiB, log scale")
        sheet.legend(*_legend(), loc="outside lower center", ncols=2)

    return [
        Figure(
            "sizes",
            "Weights and working memory",
            "Bars on a log scale: "
            + "; ".join(
                f"{name} {format_kib(key[1])} KiB at float32, {format_kib(key[2])} KiB at int8"
                for key, name in zip(alike, names, strict=True)
            )
            + ".",
            [
                {
                    "variant": name,
                    "network": cost.network,
                    "parameters": cost.params,
                    "weight_bytes": cost.weight_bytes,
                    "weight_bytes_int8": cost.weight_bytes_int8,
                    "activation_bytes": cost.activation_bytes,
                    "flops": cost.flops,
                    "flops_convolutions": cost.flops_convolutions,
                }
                for name, cost in evidence.costs.items()
            ],
            draw,
            (5.0, 1.5 + 0.62 * len(names)),
            "Computed from the network, not measured on a device.",
        )
    ]


def _few(names: list[str]) -> str:
    shown = "\n".join(names[:2])
    return shown + (f"\nand {len(names) - 2} more" if len(names) > 2 else "")


def _legend() -> tuple[list[Artist], list[str]]:
    from matplotlib.patches import Patch

    return [Patch(color=colour, alpha=0.85) for *_, colour in KINDS], [what for what, *_ in KINDS]
