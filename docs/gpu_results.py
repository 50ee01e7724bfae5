"""The tables of fleets on a GPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.gpu import find_knee
from stillmotion.formatting import MISSING

Row = dict[str, Any]


def gpu(rows: list[Row], shapes: dict[str, str]) -> str:
    """Write the times by replicas, what changes them, and the published grid."""
    (device,) = (row for row in rows if row["task"] == "device")
    trained = [row for row in rows if row["task"] == "train" and "milliseconds" in row]
    ours = [row for row in trained if row["contender"] == "stillmotion"]
    head = f"{device['device']} ({device['kind']}), JAX {device['jax']}, Python {device['python']}."
    parts = (head, curves(rows, ours, shapes), changes(ours), agreement(rows, ours), grid(rows))
    return "\n\n".join(filter(None, parts))


def is_plain(row: Row, ours: list[Row]) -> bool:
    """Tell whether all replicas of a fleet share each product, as compiled by default."""
    alike = row["precision"] == ours[0]["precision"] and not row["autotuned"]
    return bool(alike and row["together"] == row["replicas"])


def curves(rows: list[Row], ours: list[Row], shapes: dict[str, str]) -> str:
    """Write the table of milliseconds by replicas, one column for each network, then PyTorch."""
    networks = list(dict.fromkeys((row["shape"], row["network"]) for row in ours))
    plain = {each: [row for row in ours if place(row) == each and is_plain(row, ours)] for each in networks}
    heads = [f"`{network}`, {shapes[shape]}" for shape, network in networks]
    lines = [f"| replicas | {' | '.join(heads)} |", f"|--:|{'--:|' * len(heads)}"]
    for count in sorted({row["replicas"] for each in plain.values() for row in each}):
        by_network = [next((row for row in each if row["replicas"] == count), None) for each in plain.values()]
        lines.append(f"| {count} | {' | '.join(milliseconds(row) for row in by_network)} |")
    knees = [str(find_knee(each) or MISSING) for each in plain.values()]
    lines.append(f"| knee (80 % of the most models and steps per second) | {' | '.join(knees)} |")
    for contender, title in (("pytorch", "PyTorch, step by step"), ("pytorch-graph", "PyTorch, CUDA graph")):
        theirs = {place(row): row for row in rows if row.get("contender") == contender}
        if theirs:
            lines.append(f"| {title} | {' | '.join(milliseconds(theirs.get(each)) for each in networks)} |")
    return "\n".join(lines)


def changes(ours: list[Row]) -> str:
    """Write the table of fleets that share products by fewer, in another precision, or with kernels tried out."""
    lines = ["| fleet | network | ms | ms of the program alone | compiled in, s |", "|---|---|--:|--:|--:|"]
    others = [row for row in ours if not is_plain(row, ours)]
    compared = {(*place(row), row["replicas"]) for row in others}
    shown = [row for row in ours if (*place(row), row["replicas"]) in compared]
    for row in sorted(shown, key=lambda row: (-row["replicas"], *place(row), -row["together"], row["autotuned"])):
        products = f"{row['replicas']} replicas, products of {row['together']}, precision `{row['precision']}`"
        times = (f"{row['milliseconds']:.3g}", f"{row['program']:.3g}", f"{row['compilation']:.0f}")
        tuned = ", kernels tried out" if row["autotuned"] else ""
        lines.append(f"| {products}{tuned} | `{row['network']}` | {' | '.join(times)} |")
    return "\n".join(lines) if shown else ""


def agreement(rows: list[Row], ours: list[Row]) -> str:
    """Write how far the gradient of a first step is from the processor's."""
    parts = [
        f"{100 * row['gradient']:.2g} % (`{row['network']}`, precision `{row.get('precision', ours[0]['precision'])}`)"
        for row in rows
        if row["task"] == "agreement" and "gradient" in row
    ]
    return f"The gradient of a first step differs from the processor's by {' and '.join(parts)}."


def grid(rows: list[Row]) -> str:
    """Write the table of the fleets of the published grid that were measured, and of the whole grid, if any."""
    parts = [row for row in rows if row["task"] == "grid"]
    if not parts:
        return ""
    lines = ["| published grid, `rb-kd-att` | replicas | ms | epoch, s | compiled in, s |", "|---|--:|--:|--:|--:|"]
    for row in (row for row in parts if "epoch" in row):
        times = (f"{row['milliseconds']:.3g}", f"{row['epoch']:.2f}", f"{row['compilation']:.0f}")
        lines.append(f"| `{row['network']}` | {row['replicas']} | {' | '.join(times)} |")
    whole = [row for row in parts if "hours" in row]
    if whole:
        times = [f"{row['hours']:.2g} hours at {row['epochs']} epochs" for row in whole]
        count, compilation, note = (whole[0][name] for name in ("replicas", "hours_of_compilation", "note"))
        lines.append("")
        lines.append(
            f"All {count:,} models: {' or '.join(times)}, of which {compilation:.2f} hours are compilation ({note})."
        )
    return "\n".join(lines)


def place(row: Row) -> tuple[str, str]:
    """Return the shape and the network of a row."""
    return row.get("shape", ""), row.get("network", "")


def milliseconds(row: Row | None) -> str:
    """Format the time of a row, or say that it failed."""
    if row is None:
        return MISSING
    return f"{row['milliseconds']:.3g}" if "milliseconds" in row else "failed"
