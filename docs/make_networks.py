"""Write a page for every network into docs/networks (diagram, source, cost at published shapes), and an overview.

Run it after a network has been added or changed: ``python docs/make_networks.py [NAME …]``.
"""

from __future__ import annotations

import sys
from html import escape
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

from stillmotion.networks import (
    Network,
    build_network,
    get_network,
    list_networks,
    make_inference_model,
    network_cost,
    read_graph,
)
from stillmotion.networks import attention as cbam
from stillmotion.networks.graph import Graph, Node

FOLDER = Path(__file__).parent / "networks"
SHAPES = {
    (30, 45, 17): "Opportunity",
    (20, 3, 6): "WISDM v1.1",
    (50, 45, 7): "Shoaib, five positions",
    (128, 6, 5): "WHAR Arena's size comparison",
    (128, 6, 12): "HAPT",
}
#: Shape at which a network is drawn.
DRAWN = (128, 6, 12)

#: Operations that a diagram leaves out, and those that it adds to the box before.
HIDDEN = ("Identity", "Reshape", "Dropout", "Flatten", "Permute", "Transpose", "ConvertToTensor")
ATTACHED = ("BatchNormalization", "Activation", "ReLU")

ROW, BOX, LANE = 46, (196, 30), 224


def main() -> None:
    FOLDER.joinpath("figures").mkdir(parents=True, exist_ok=True)
    for entry in [get_network(name) for name in sys.argv[1:]] or list_networks():
        (FOLDER / "figures" / f"{entry.name}.svg").write_text(drawing(entry), encoding="utf-8")
        (FOLDER / f"{entry.name}.md").write_text(page(entry), encoding="utf-8")
    (FOLDER / "index.md").write_text(overview(), encoding="utf-8")


def overview() -> str:
    """Return the page that lists all networks with their cost at one shape."""
    window, channels, classes = DRAWN
    lines = [
        "# Networks",
        "",
        "Every network has a page with its source, its cost at published shapes, its taps and a diagram.",
        "`still cost NAME` counts any shape layer by layer, `sm.networks.build_network` builds a network, and",
        "`sm.networks.register_network` adds your own. Any network can be student or teacher.",
        "",
        f"At {window} samples, {channels} channels and {classes} classes (HAPT):",
        "",
        "| network | what it is | parameters | FLOPs | weights at int8 | activations at int8 |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for entry in list_networks():
        cost = network_cost(build_network(entry, DRAWN))
        memory = f"{cost.weight_bytes_int8:,} B | {cost.activation_bytes_int8:,} B"
        lines.append(
            f"| [`{entry.name}`]({entry.name}.md) | {entry.title} | {cost.params:,} | {cost.flops:,} | {memory} |"
        )
    return "\n".join([*lines, ""])


def page(entry: Network) -> str:
    """Return the page of a network."""
    options = ", ".join(f"`{option}`" for option in entry.options) or "none"
    return "\n".join(
        [
            f"# {entry.name}",
            "",
            f"{entry.title}.",
            "",
            f"Source: {entry.source}.",
            "",
            cleandoc(import_module(builder_module(entry)).__doc__ or "").replace("``", "`"),
            "",
            "## Cost",
            "",
            "T samples, D channels, C classes. FLOPs count everything but the normaliser; Agac & Incel count",
            "convolutions only.",
            "",
            *costs(entry),
            "",
            f"Taps: {', '.join(f'`{tap}`' for tap in entry.taps)}. Options: {options}.",
            "",
            *attention(entry),
            "## Diagram",
            "",
            f"At {DRAWN}; reshapes, dropout and auxiliary classifiers are left out. Shapes are those of the results.",
            "",
            f"![Diagram of {entry.name}](figures/{entry.name}.svg)",
            "",
        ]
    )


def attention(entry: Network) -> list[str]:
    """Describe the network's attention, and where it differs from published code."""
    if "attention" not in entry.options:
        return []
    return ["## Attention", "", cleandoc(cbam.__doc__ or "").replace("``", "`"), ""]


def builder_module(entry: Network) -> str:
    build = getattr(entry.build, "func", entry.build)
    return str(build.__module__)


def costs(entry: Network) -> list[str]:
    """Return the table of costs, with published parameter counts."""
    columns = "parameters | published | FLOPs | FLOPs of convolutions | weights at int8 | activations at int8"
    rows = [f"| T, D, C | data | {columns} |", "|---|---|--:|--:|--:|--:|--:|--:|"]
    for shape, data in SHAPES.items():
        if shape[0] < entry.least_window:
            continue
        cost = network_cost(build_network(entry, shape))
        published = f"{entry.published[shape]:,}" if shape in entry.published else "–"
        counts = f"{cost.params:,} | {published} | {cost.flops:,} | {cost.flops_convolutions:,}"
        memory = f"{cost.weight_bytes_int8:,} B | {cost.activation_bytes_int8:,} B"
        rows.append(f"| {', '.join(map(str, shape))} | {data} | {counts} | {memory} |")
    return rows


def drawing(entry: Network) -> str:
    """Draw the network's graph as an SVG: boxes in rows by depth, one lane per branch."""
    boxes, inputs = simplified(read_graph(make_inference_model(build_network(entry, DRAWN))))
    row: dict[str, int] = {}
    lane: dict[str, int] = {}
    for name in boxes:
        row[name] = 1 + max((row[source] for source in inputs[name]), default=-1)
        taken = {lane[other] for other in lane if row[other] == row[name]}
        wanted = lane[inputs[name][0]] if inputs[name] else 0
        lane[name] = next(place for place in (wanted, *range(len(boxes))) if place not in taken)
    width, height = LANE * (1 + max(lane.values())) + 16, ROW * (1 + max(row.values())) + 8
    corner = {name: (8 + LANE * lane[name], 8 + ROW * row[name]) for name in boxes}
    arrows = [arrow(corner[source], corner[name]) for name in boxes for source in inputs[name]]
    shapes = [box(*corner[name], *text) for name, text in boxes.items()]
    style = (
        "text{font:12px sans-serif;text-anchor:middle;fill:#222}.small{font-size:10px;fill:#555}"
        "rect{fill:#eef3f8;stroke:#5b7a99;rx:5}path{fill:none;stroke:#5b7a99}"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<title>{escape(entry.name)}</title><style>{style}</style><rect width="100%" height="100%" '
        'style="fill:white;stroke:none"/><defs><marker id="tip" markerWidth="7" markerHeight="7" refX="6" refY="3.5" '
        'orient="auto"><path d="M0,0L7,3.5L0,7z" style="fill:#5b7a99;stroke:none"/></marker></defs>'
    )
    return "\n".join([head, *arrows, *shapes, "</svg>", ""])


def simplified(whole: Graph) -> tuple[dict[str, tuple[str, str]], dict[str, list[str]]]:
    """Return boxes (operation, shape of the result) and the inputs of each, without operations that do nothing."""
    stands_for: dict[str, str] = {}
    boxes: dict[str, tuple[str, str]] = {}
    inputs: dict[str, list[str]] = {}
    for node in whole.nodes:
        sources = [stands_for[source.split(":")[0]] for source in node.inputs]
        first = sources[0] if sources else ""
        attach = node.op in ATTACHED and first in boxes and sum(first in read for read in inputs.values()) == 0
        if node.op in HIDDEN or attach:
            stands_for[node.name] = first
        if attach:
            added = {"BatchNormalization": "norm", "ReLU": "relu"}.get(node.op) or node.attributes["activation"]
            boxes[first] = (f"{boxes[first][0]} · {added}", size(node))
        elif node.op not in HIDDEN:
            stands_for[node.name] = node.name
            boxes[node.name] = (label(node), size(node))
            inputs[node.name] = list(dict.fromkeys(sources))
    return boxes, inputs


def label(node: Node) -> str:
    """Describe a node in a few words."""
    settings = node.attributes
    parts = [{"InputLayer": "signal", "Normalization": "normaliser"}.get(node.op, node.op)]
    if node.op == "Bidirectional":
        parts = [f"{settings['layer']} both ways"]
    parts += [str(settings[key]) for key in ("filters", "units") if key in settings]
    if "kernel_size" in settings or "pool_size" in settings:
        sides = settings.get("kernel_size", settings.get("pool_size"))
        parts.append("×".join(map(str, sides if isinstance(sides, (list, tuple)) else [sides])))
    strides = settings.get("strides", 1)
    strides = strides if isinstance(strides, (list, tuple)) else [strides]
    if max(strides) > 1:
        parts.append(f"/{max(strides)}")
    if settings.get("activation") not in (None, "linear") and node.op not in ("LSTM", "GRU", "Bidirectional"):
        parts.append(str(settings["activation"]))
    return " ".join(parts)


def size(node: Node) -> str:
    return " × ".join(map(str, node.shape))


def box(x: int, y: int, text: str, small: str) -> str:
    middle = x + BOX[0] // 2
    return (
        f'<rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}"/>'
        f'<text x="{middle}" y="{y + 13}">{escape(text)}</text>'
        f'<text class="small" x="{middle}" y="{y + 25}">{escape(small)}</text>'
    )


def arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Draw an arrow from box to box; one that skips rows goes around them on the right."""
    half = BOX[0] // 2
    top = f"{end[0] + half},{end[1] - 2}"
    if end[1] - start[1] == ROW or start[0] != end[0]:
        return f'<path marker-end="url(#tip)" d="M{start[0] + half},{start[1] + BOX[1]}L{top}"/>'
    side = start[0] + BOX[0]
    bend = side + 22
    low = end[1] + BOX[1] // 2
    path = f"M{side},{start[1] + 15}C{bend},{start[1] + 15} {bend},{start[1] + 30} {bend},{start[1] + 40}"
    return (
        f'<path marker-end="url(#tip)" d="{path}L{bend},{low - 25}C{bend},{low - 10} {bend},{low} {side + 2},{low}"/>'
    )


if __name__ == "__main__":
    main()
