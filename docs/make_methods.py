"""Writes a page for every method into docs/methods: formula, source, when to use it, numbers, costs and results.

Run it after a method was added or changed, or results were: ``python docs/make_methods.py [NAME …]``.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any

import method_results

import stillmotion.training  # noqa: F401 - before any import of keras: it chooses the backend.
from stillmotion.errors import UserError
from stillmotion.methods import METHODS, Method, Range, get_method
from stillmotion.networks import build_network
from stillmotion.training.distillation import student_network, teacher_network

FOLDER = Path(__file__).parent / "methods"
#: Samples, channels and classes of HAPT, at which extras are counted.
SHAPE = (128, 6, 12)
INDEX = """# Methods

Every way of teaching has a page: its formula, source, numbers and what it trains beside the student. The cost of a
step is its time over that of plain training, with the teacher's answers at hand, for several pairs of networks
([performance](../performance.md)).
"""
PAIRS = (("resnet-lstman", "mlp"), ("deepconvlstm-om", "deepconvlstm-lm"), ("cnn-har", "tinierhar"))
#: For methods that look for attention: the networks that can have it, and what they have.
ATTENDED, ATTENTION = (("deepconvlstm-om", "deepconvlstm-lm"),), "channel:r=2,spatial:k=5,after=2"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for way in [get_method(name) for name in sys.argv[1:]] or METHODS.values():
        (FOLDER / f"{way.name}.md").write_text(page(way), encoding="utf-8")
    (FOLDER / "index.md").write_text(index(), encoding="utf-8")


def index() -> str:
    """The page of all methods."""
    parts = [INDEX.strip()]
    if method_results.studies():
        parts.append(
            "The last columns are differences to `lm` in macro-F1 on HAPT's test subjects, in points with 95 % "
            "intervals (of `lm` itself its macro-F1), for the student and teacher they name."
        )
    return "\n\n".join([*parts, method_results.overview()]) + "\n"


def page(way: Method) -> str:
    """A method's page."""
    file = import_module(f"stillmotion.methods.{way.name.replace('-', '_')}")
    first, *rest = prose(file.__doc__).split("\n", 1)
    formula, *explained = prose(way.objective.__doc__).split("\n", 1)
    parts = [
        f"# {way.name}",
        f"{way.title[0].upper()}{way.title[1:]}. {first}",
        *(part.strip() for part in rest),
        "## Objective",
        f"```text\n{formula}\n```",
        *(part.strip() for part in explained),
        f"Source: {way.source}.",
        "## When to use it",
        way.when,
        "## What it needs",
        needs(way),
        *hyperparameters(way),
        *options(way),
        *beside(way),
        *method_results.cost(way),
        *method_results.measured(way),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def prose(text: str | None) -> str:
    """A docstring as text for a page."""
    return re.sub(r"``(.+?)``", r"`\1`", cleandoc(text or ""))


def needs(way: Method) -> str:
    """Which networks and taps."""
    taps = [f"of the student {listed(way.student_taps)}"]
    if way.teacher_taps:
        taps.append(f"of the teacher {listed(way.teacher_taps)}")
    text = f"Taps: {', '.join(taps)}."
    if way.attention:
        text += f" Attention: of the {' and the '.join(way.attention)}."
    if not way.teacher_taps:
        return f"{text} It needs no teacher."
    if way.trains_teacher:
        return f"{text} Both networks learn in the same step, so the teacher must be a network."
    logits = way.teacher_taps == ("logits",)
    return f"{text} The teacher is fixed" + (
        "; a file of its scores is enough." if logits else " and must be a network."
    )


def listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def hyperparameters(way: Method) -> list[str]:
    """The table of numbers."""
    if not way.hyperparameters:
        return []
    rows = ["| number | default | searched |", "|---|--:|---|"]
    rows += [f"| `{name}` | {number.default:g} | {searched(number)} |" for name, number in way.hyperparameters.items()]
    return ["## Numbers", "\n".join(rows)]


def searched(number: Range) -> str:
    if number.low == number.high:
        return "no"
    return f"{number.low:g} to {number.high:g}{', by factors' if number.log else ''}"


def options(way: Method) -> list[str]:
    """The choices, the default first."""
    if not way.options:
        return []
    rows = [f"- `{name}`: {', '.join(f'`{choice}`' for choice in choices)}" for name, choices in way.options.items()]
    return ["## Options", "The first choice is the default.", "\n".join(rows)]


def beside(way: Method) -> list[str]:
    """How many numbers are trained beside the networks, for a few pairs."""
    rows = ["| teacher | student | trained beside them |", "|---|---|--:|"]
    sizes = []
    for teacher, student in ATTENDED if way.attention else PAIRS:
        try:
            sizes.append(trained_beside(way, teacher, student))
            rows.append(f"| {teacher} | {student} | {sizes[-1]:,} |")
        except UserError as problem:
            rows.append(f"| {teacher} | {student} | refused: {problem} |")
    text = "Nothing is trained beside the networks."
    if any(sizes):
        text = f"At {SHAPE} (samples, channels, classes). What is trained beside the student stays behind at inference."
    table = "\n".join(rows) if any(sizes) or any("refused" in row for row in rows) else ""
    return ["## Trained beside", text, table]


def trained_beside(way: Method, teacher: str, student: str) -> int:
    """Numbers that are trained beside a student and its teacher."""
    mine = student_network(built(student, bool(way.attention)), way).tap_shapes
    theirs = teacher_network(built(teacher, bool(way.attention)), way).tap_shapes if way.teacher_taps else {}
    return sum(values.size for values in way.init_aux_params(mine, theirs, 0).values())


@cache
def built(name: str, attended: bool) -> Any:
    """A network, with attention or without."""
    return build_network(name, SHAPE, **({"attention": ATTENTION} if attended else {}))


if __name__ == "__main__":
    main()
