"""Diagrams of what is distilled at which layer, derived from the objective of each variant's method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from ...methods import IncompatibleNetworks, TracedTerm, get_method, trace_terms
from ...networks import read_graph
from ...studies import Variant
from ...studies.ensembles import teacher_kinds
from ...studies.teachers import shared_model_of
from ...training.distillation import student_network, teacher_network
from ..evidence import Evidence
from ..figure import Figure, Marks, Value
from ..palette import COLOURS, INK, QUIET
from ..teaching import name_outputs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

STUDENT, TEACHER, LABELS = (COLOURS[name][0] for name in ("series-1", "teacher-0", "series-3"))
#: Layers that are drawn, with their labels.
DRAWN = {"Conv2D": "conv", "Conv1D": "conv", "SeparableConv1D": "conv", "LSTM": "LSTM", "GRU": "GRU", "Dense": "dense"}
#: Centres of the columns (teacher layers, loss terms, student layers) and half the width of a box.
LEFT, MIDDLE, RIGHT, HALF = 1.5, 5.0, 8.5, 1.4
#: A loss term, its sources, and the student taps that it compares with these sources.
Bundle = tuple[TracedTerm, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Stack:
    """The layers of a network from input to output, equal neighbours merged.

    Args:
        title: text above the column.
        boxes: text of each box.
        places: number of the box that each layer belongs to, by the name of the layer.
    """

    title: str
    boxes: tuple[str, ...]
    places: Mapping[str, int]


def diagrams(evidence: Evidence) -> list[Figure]:
    """Draw a figure for each variant that has been trained."""
    variants = evidence.record.study.all_variants
    trained = [row.variant for row in evidence.rows if row.kind != "teacher" and row.variant in evidence.first_runs]
    return [_diagram(evidence, name, variants[name]) for name in trained]


def _diagram(evidence: Evidence, name: str, variant: Variant) -> Figure:
    run, index = evidence.first_runs[name], evidence.record.index
    method, model = get_method(variant.method, **variant.options), shared_model_of(run, index)
    student, teacher = _stack(model, f"student: {run.network}"), None
    shapes, taught = student_network(model, method).tap_shapes, {}
    if variant.teacher != "none":
        members = evidence.record.planner.teachers(variant, run.fold, run.attention)
        network = next((member for member in members if member.kind == "network"), None)
        if network is not None:
            title = (
                "the same network, trained before" if variant.teacher == "self" else " + ".join(teacher_kinds(members))
            )
            several = f" (mean of {len(members)})" if len(members) > 1 else ""
            model = shared_model_of(network, index)
            teacher = _stack(model, f"teacher: {title}{several}")
            taught = teacher_network(model, method).tap_shapes if method.teacher_taps else {}
        else:
            title = " + ".join(dict.fromkeys(member.method for member in members)) or "a file of scores"
            teacher = Stack(f"teacher: {title}", ("logits",), {})
            taught = {"logits": shapes["logits"]}
    given = {number: value for number, value in run.hyperparameters.items() if number in method.hyperparameters}
    terms, note = [], ""
    try:
        terms = [term for term in trace_terms(method, shapes, taught, method.resolve(given)) if term.arrows]
    except IncompatibleNetworks as problem:
        note = str(problem)
    if method.classifier is not None:
        note = "After every step the classifier of the student is overwritten with that of the teacher."
    rows: list[dict[str, Value]] = [
        {
            "variant": name,
            "from": source,
            "to": target,
            "term": term.name,
            "kind": term.kind,
            "projected": "yes" if term.projected else "no",
            "hyperparameters": _values_text(term.hyperparameters),
        }
        for term in terms
        for source, target in term.arrows
    ]
    bundles = _bundles(terms)
    attention = run.attention.replace(",", ", ").replace(";", "; ")
    sentences = [
        f"Student {run.network}: {', then '.join(student.boxes)}{f'; attention: {attention}' if attention else ''}",
        *([teacher.title] if teacher else []),
        *([name_outputs(run)] if name_outputs(run) else []),
        *(_in_words(bundle) for bundle in bundles),
    ]

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = sheet.subplots()
        panel.set_axis_off()
        _draw(panel, student, teacher, bundles)

    return Figure(
        f"diagram-{name}",
        f"{name}: {variant.title or method.title}",
        " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences),
        rows,
        draw,
        (5.0, 1.1 + 0.42 * _tallest(student, teacher, bundles)),
        note,
    )


def _stack(model: object, title: str) -> Stack:
    """Collect the layers with weights and the attention blocks of a network."""
    layers: list[tuple[str, int]] = []
    places: dict[str, int] = {}
    for node in read_graph(model).nodes:
        if node.name.startswith(("channel_attention", "spatial_attention", "sensor_attention")):
            layers.append((node.name.replace("_", " "), 1))
        elif node.op in DRAWN and not node.name.startswith(("channel_", "spatial_", "sensor_")):
            text = f"{DRAWN[node.op]} {node.shape[-1]}"
            if layers and layers[-1][0] == text:
                layers[-1] = (text, layers[-1][1] + 1)
            else:
                layers.append((text, 1))
        places[node.name] = max(len(layers) - 1, 0)
    boxes = [text if count == 1 else f"{count} × {text}" for text, count in layers]
    return Stack(title, (*boxes[:-1], f"{boxes[-1]} = logits") if boxes else ("logits",), places)


def _bundles(terms: Sequence[TracedTerm]) -> list[Bundle]:
    """List loss terms with their sources and targets; a term is repeated if its targets have different sources."""
    bundles: list[Bundle] = []
    for term in terms:
        sources: dict[str, tuple[str, ...]] = {}
        for source, target in term.arrows:
            sources[target] = (*sources.get(target, ()), source)
        for alike in dict.fromkeys(sources.values()):
            targets = tuple(target for target, every in sources.items() if every == alike)
            bundles.append((term, alike, targets))
    return bundles


def _in_words(bundle: Bundle) -> str:
    term, *ends = bundle
    sources, targets = (" and ".join(place.replace("/", "'s ") for place in places) for places in ends)
    values = f" ({_values_text(term.hyperparameters)})" if term.hyperparameters else ""
    return f"{term.kind}{', projected' if term.projected else ''}{values}: from {sources} to {targets}"


def _values_text(hyperparameters: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in hyperparameters.items())


def _tallest(student: Stack, teacher: Stack | None, bundles: Sequence[Bundle]) -> int:
    """Count the rows of the tallest column; the text of a term needs more than one."""
    return max(_rows(student, teacher), round(1.3 * len(bundles)))


def _rows(student: Stack, teacher: Stack | None) -> int:
    """Count the rows of boxes; the labels are below the teacher."""
    return max(len(student.boxes), 1 + (len(teacher.boxes) if teacher else 0))


def _draw(panel: Axes, student: Stack, teacher: Stack | None, bundles: Sequence[Bundle]) -> None:
    tallest, rows = _tallest(student, teacher, bundles), _rows(student, teacher)
    panel.set_xlim(0, 10)
    panel.set_ylim(tallest - 0.4, -1.1)
    # Logits are at the bottom; all boxes are centred vertically.
    floor = (tallest + rows) / 2
    if any("labels" in sources for _, sources, _ in bundles):
        _box(panel, "labels", LEFT, floor - 1, LABELS)
    ends = {"labels": (LEFT + HALF, floor - 1)}
    columns = [("student", student, RIGHT, STUDENT, floor)]
    columns += [("teacher", teacher, LEFT, TEACHER, floor - 1)] if teacher else []
    for role, stack, x, colour, bottom in columns:
        top = bottom - len(stack.boxes)
        panel.text(x, top - 0.55, stack.title, ha="center", fontsize=9, fontweight="bold", color=colour)
        for number, text in enumerate(stack.boxes):
            _box(panel, text, x, top + number, colour)
            if number:
                panel.plot([x, x], [top + number - 0.68, top + number - 0.32], color=QUIET, linewidth=1)
        near = x + HALF if role == "teacher" else x - HALF
        ends |= {f"{role}/{tap}": (near, top + place) for tap, place in stack.places.items()}
        ends[f"{role}/logits"] = (near, bottom - 1)

    def height(bundle: Bundle) -> float:
        _, sources, targets = bundle
        return sum(ends[place][1] for place in (*sources, *targets)) / len((*sources, *targets))

    for number, (term, sources, targets) in enumerate(sorted(bundles, key=height)):
        y = (number + 0.5) * tallest / len(bundles) - 0.5
        colour = LABELS if sources == ("labels",) else TEACHER
        words = wrap(f"{term.kind}{', projected' if term.projected else ''}", 26)
        words += wrap(_values_text(term.hyperparameters), 28)
        panel.text(MIDDLE, y, "\n".join(words), ha="center", va="center", fontsize=7, color=colour, linespacing=1.0)
        for places, style in ((sources, "-"), (targets, "-|>")):
            for end in dict.fromkeys(ends[place] for place in places):
                edge = (MIDDLE + (HALF if end[0] > MIDDLE else -HALF), y)
                # Arrows point at the student.
                panel.annotate("", end, edge, arrowprops={"arrowstyle": style, "color": colour, "linewidth": 1})


def _box(panel: Axes, text: str, x: float, y: float, colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    panel.add_patch(
        FancyBboxPatch(
            (x - HALF, y - 0.3),
            2 * HALF,
            0.6,
            boxstyle="round,pad=0.02,rounding_size=0.12",
            facecolor="none",
            edgecolor=colour,
            linewidth=1.2,
            linestyle="--" if "attention" in text else "-",
        )
    )
    panel.text(x, y, text, ha="center", va="center", fontsize=8.5, color=INK)
