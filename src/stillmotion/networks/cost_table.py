"""Format a cost as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..names import make_visible
from .cost import Cost

if TYPE_CHECKING:
    from rich.console import RenderableType


def format_cost(cost: Cost, *, title: str = "") -> RenderableType:
    """Format a cost as a table of the layers that have weights or operations, with totals below.

    Args:
        cost: see ``network_cost``.
        title: title of the table; the network's name by default.

    Returns:
        A Rich table.

    Example:
        >>> from rich.console import Console
        >>> from stillmotion.networks import format_cost, named_network_cost
        >>> with (console := Console(width=100)).capture() as capture:
        ...     console.print(format_cost(named_network_cost("mlp-small", (50, 3, 4))))
        >>> "multiply-adds" in capture.get()
        True
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    # As Text objects, in which the console reads no markup.
    table = Table(title=Text(make_visible(title or cost.network)), title_justify="left")
    for heading in ("layer", "type", "output"):
        table.add_column(heading)
    for heading in ("params", "multiply-adds", "FLOPs", "FLOPs of convolutions"):
        table.add_column(heading, justify="right")
    for layer in cost.layers:
        if layer.params or layer.flops:
            shape = " × ".join(map(str, layer.shape))
            values = (layer.params, layer.multiply_adds, layer.flops, layer.flops_convolutions)
            table.add_row(Text(make_visible(layer.name)), layer.kind, shape, *(f"{value:,}" for value in values))
    table.add_section()
    totals = (cost.params, cost.multiply_adds, cost.flops, cost.flops_convolutions)
    table.add_row("all", "", "", *(f"{value:,}" for value in totals), style="bold")
    summary = Table.grid(padding=(0, 2))
    for label, value in _summary(cost):
        summary.add_row(label, value)
    return Group(table, summary)


def _summary(cost: Cost) -> list[tuple[str, str]]:
    rows = [
        ("weights", f"{cost.weight_bytes:,} B at float32, {cost.weight_bytes_int8:,} B at int8"),
        ("activations at most", f"{cost.activation_bytes:,} B at float32, {cost.activation_bytes_int8:,} B at int8"),
        ("normaliser of the signal, in none of these", f"{cost.normaliser_flops:,} FLOPs"),
    ]
    if cost.auxiliary_params:
        extra = f"{cost.auxiliary_params:,} params, {cost.auxiliary_flops:,} FLOPs"
        rows.append(("in training only", extra))
    return rows
