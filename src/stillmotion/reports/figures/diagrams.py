"""Who teaches what, at which layer: a drawing of every variant."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ...methods import method
from ...networks import graph, tap_names
from ...studies import Variant
from ...studies.teachers import model_of
from ..evidence import Evidence
from ..figure import Figure, Marks, Value
from ..palette import COLOURS, INK, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

STUDENT, TEACHER, LABELS = (COLOURS[name][0] for name in ("series-1", "teacher-0", "series-3"))
#: Layers that are drawn, and what they are called.
DRAWN = {"Conv2D": "conv", "Conv1D": "conv", "SeparableConv1D": "conv", "LSTM": "LSTM", "GRU": "GRU", "Dense": "dense"}


def diagrams(evidence: Evidence) -> list[Figure]:
    """A figure for each variant that has been trained."""
    found = []
    for line in evidence.lines:
        if line.role == "teacher" or line.name not in evidence.first_runs:
            continue
        variant = evidence.record.study.all_variants[line.name]
        found.append(_diagram(evidence, line.name, variant))
    return found


def _diagram(evidence: Evidence, name: str, variant: Variant) -> Figure:
    run = evidence.first_runs[name]
    ground, planner = evidence.record.ground, evidence.record.planner
    way = method(variant.method, **variant.options)
    student, mine = _stack(model_of(run, ground)), _attention(run.attention)
    members = planner.teachers(variant, run.fold, run.attention) if variant.teacher != "none" else ()
    teacher, title = [], ""
    if members:
        first = members[0]
        teacher = _stack(model_of(first, ground))
        title = "itself, trained before" if variant.teacher == "self" else first.network
        if len(members) > 1:
            title += f" (mean of {len(members)})"
    elif variant.teacher != "none":
        teacher, title = ["scores from a file"], "a file of scores"
    lessons: list[tuple[str, str, str]] = []
    if way.teacher_taps:
        taps = tap_names(model_of(run, ground))
        for wanted in way.student_taps:
            lessons += [(tap, *_lesson(tap, run.numbers)) for tap in taps if fnmatchcase(tap, wanted)]
        lessons = [lesson for lesson in lessons if lesson[2] != "0"]
    rows: list[dict[str, Value]] = [
        {"variant": name, "from": "labels", "to": "logits", "term": "cross-entropy", "weight": _weight(run.numbers)}
    ]
    rows += [
        {"variant": name, "from": title, "to": tap, "term": term, "weight": weight} for tap, term, weight in lessons
    ]
    said = "; ".join(f"{row['from']} teach {row['to']} by {row['term']} (weight {row['weight']})" for row in rows)

    def draw(sheet: Sheet, mark: Marks) -> None:
        panel = sheet.subplots()
        panel.set_axis_off()
        _draw(panel, run.network, student, title, teacher, lessons, _weight(run.numbers))

    return Figure(
        f"diagram-{name}",
        f"{name}: {variant.title or way.title}",
        f"Student {run.network}: {', then '.join(student)}{'; attention: ' + mine if mine else ''}. {said}.",
        rows,
        draw,
        (5.0, 0.6 + 0.42 * max(len(student), len(teacher)) + 0.5),
    )


def _stack(model: object) -> list[str]:
    """The layers that hold weights, those alike together, and attention where it sits."""
    found: list[str] = []
    counted: list[tuple[str, str]] = []
    for node in graph(model).nodes:
        if node.name.startswith(("channel_attention", "spatial_attention", "sensor_attention")):
            counted.append((node.name, ""))
        elif node.op in DRAWN and not node.name.startswith(("channel_", "spatial_", "sensor_")):
            counted.append((DRAWN[node.op], f" {node.shape[-1]}"))
    for what, size in counted:
        last = found[-1] if found else ""
        if last.partition(" × ")[2] == what + size:
            found[-1] = f"{int(last.partition(' × ')[0]) + 1} × {what}{size}"
        else:
            found.append(f"1 × {what}{size}" if size else what)
    found = [each.removeprefix("1 × ") for each in found]
    return [*found[:-1], f"{found[-1]} = logits"] if found else ["logits"]


def _attention(text: str) -> str:
    return text.replace(",", ", ").replace(";", "; ")


def _lesson(tap: str, numbers: object) -> tuple[str, str]:
    given = dict(numbers)  # type: ignore[call-overload]
    if tap == "logits":
        alpha = given.get("alpha")
        weight = f"{1 - alpha:.2g}" if alpha is not None else "method's own"
        heat = given.get("temperature")
        return f"answers at T = {heat:.3g}" if heat is not None else "answers", weight
    beta = given.get("beta")
    return "maps, squared gap", f"{beta:.3g}" if beta is not None else "method's own"


def _weight(numbers: object) -> str:
    alpha = dict(numbers).get("alpha")  # type: ignore[call-overload]
    return f"{alpha:.2g}" if alpha is not None else "1"


def _draw(
    panel: Axes,
    network: str,
    student: list[str],
    title: str,
    teacher: list[str],
    lessons: list[tuple[str, str, str]],
    weight: str,
) -> None:
    tallest = max(len(student), len(teacher))
    panel.set_xlim(0, 10)
    panel.set_ylim(tallest + 1.1, -0.9)
    left = 6.6 if teacher else 3.3
    heights = _boxes(panel, student, left, STUDENT, tallest, f"student: {network}")
    if teacher:
        own = _boxes(panel, teacher, 0.1, TEACHER, tallest, f"teacher: {title}")
        for tap, term, amount in lessons:
            # The teacher's map of the same kind; answers come from its last layer.
            kind = tap.rpartition("_")[0] or tap
            source = next((y for text, y in own if text.startswith(kind)), own[-1][1])
            target = next((y for text, y in heights if text.startswith(tap)), heights[-1][1])
            _arrow(panel, (3.35, source), (left - 0.02, target), f"{term}\n× {amount}", TEACHER)
    panel.annotate(
        f"labels × {weight}",
        (left + 1.6, heights[-1][1] + 0.34),
        (left + 1.6, tallest + 0.85),
        ha="center",
        fontsize=8.5,
        color=LABELS,
        arrowprops={"arrowstyle": "-|>", "color": LABELS, "linewidth": 1.3},
    )


def _boxes(
    panel: Axes, texts: list[str], left: float, colour: str, tallest: int, title: str
) -> list[tuple[str, float]]:
    from matplotlib.patches import FancyBboxPatch

    found = []
    top = tallest - len(texts)
    panel.text(left + 1.6, top - 0.55, title, ha="center", fontsize=9, fontweight="bold", color=colour)
    # Both end at the bottom, where answers are.
    for number, text in enumerate(texts):
        y = number + (tallest - len(texts))
        style = "--" if "attention" in text else "-"
        panel.add_patch(
            FancyBboxPatch(
                (left + 0.05, y - 0.3),
                3.15,
                0.6,
                boxstyle="round,pad=0.02,rounding_size=0.12",
                facecolor="none",
                edgecolor=colour,
                linewidth=1.2,
                linestyle=style,
            )
        )
        panel.text(left + 1.6, y, text.replace("_", " "), ha="center", va="center", fontsize=8.5, color=INK)
        if number:
            panel.annotate(
                "", (left + 1.6, y - 0.32), (left + 1.6, y - 0.68), arrowprops={"arrowstyle": "-", "color": QUIET}
            )
        found.append((text, float(y)))
    return found


def _arrow(panel: Axes, start: tuple[float, float], end: tuple[float, float], text: str, colour: str) -> None:
    panel.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.3})
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 0.07)
    panel.text(*middle, text, ha="center", va="bottom", fontsize=8.5, color=colour, linespacing=1.1)
