"""Write a page for every method into docs/methods: formula, source, when to use it, hyperparameters, costs, results.

Run it after a method or its results have changed: ``python docs/make_methods.py [NAME …]``.
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
#: Samples, channels and classes of HAPT, at which auxiliary parameters are counted.
SHAPE = (128, 6, 12)
INDEX = """# Methods

Every distillation method has a page: its formula, source, hyperparameters and auxiliary parameters. The cost of a step
is its time relative to plain training, with the teacher's outputs cached, for several pairs of networks
([performance](../performance.md)).
"""
PAIRS = (("resnet-lstman", "mlp"), ("deepconvlstm-om", "deepconvlstm-lm"), ("cnn-har", "tinierhar"))
#: For methods that need attention: networks that can have it, and the attention that they get.
ATTENDED, ATTENTION = (("deepconvlstm-om", "deepconvlstm-lm"),), "channel:r=2,spatial:k=5,after=2"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for way in [get_method(name) for name in sys.argv[1:]] or METHODS.values():
        (FOLDER / f"{way.name}.md").write_text(page(way), encoding="utf-8")
    (FOLDER / "index.md").write_text(index(), encoding="utf-8")


def index() -> str:
    """Return the page that lists all methods."""
    parts = [INDEX.strip()]
    if method_results.studies():
        parts.append(
            "The last columns show the difference to `lm` in macro-F1 on HAPT's test subjects, in points with 95 % "
            "confidence intervals (for `lm` itself its macro-F1), for the student and teacher named."
        )
    return "\n\n".join([*parts, method_results.overview()]) + "\n"


def page(way: Method) -> str:
    """Return the page of a method."""
    file = import_module(f"stillmotion.methods.{way.name.replace('-', '_')}")
    summary, *rest = prose(file.__doc__).split("\n", 1)
    formula, *explained = prose(way.objective.__doc__).split("\n", 1)
    parts = [
        f"# {way.name}",
        f"{way.title[0].upper()}{way.title[1:]}. {summary}",
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
        *aux_params(way),
        *method_results.cost(way),
        *method_results.measured(way),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def prose(text: str | None) -> str:
    """Return a docstring as text for a page."""
    return re.sub(r"``(.+?)``", r"`\1`", cleandoc(text or ""))


def needs(way: Method) -> str:
    """Describe the taps, attention and teacher that a method needs."""
    taps = [f"student {listed(way.student_taps)}"]
    if way.teacher_taps:
        taps.append(f"teacher {listed(way.teacher_taps)}")
    text = f"Taps: {'; '.join(taps)}."
    if way.attention:
        text += f" Attention: {' and '.join(way.attention)}."
    if not way.teacher_taps:
        return f"{text} It needs no teacher."
    if way.trains_teacher:
        return f"{text} Both networks are trained in the same step, so the teacher must be a network."
    logits = way.teacher_taps == ("logits",)
    return f"{text} The teacher is fixed" + (
        "; a file with its scores is enough." if logits else " and must be a network."
    )


def listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def hyperparameters(way: Method) -> list[str]:
    """Return the table of hyperparameters."""
    if not way.hyperparameters:
        return []
    rows = ["| hyperparameter | default | searched |", "|---|--:|---|"]
    rows += [f"| `{name}` | {space.default:g} | {searched(space)} |" for name, space in way.hyperparameters.items()]
    return ["## Hyperparameters", "\n".join(rows)]


def searched(space: Range) -> str:
    if space.low == space.high:
        return "no"
    return f"{space.low:g} to {space.high:g}{', log scale' if space.log else ''}"


def options(way: Method) -> list[str]:
    """Return the options with their choices, the default first."""
    if not way.options:
        return []
    rows = [f"- `{name}`: {', '.join(f'`{choice}`' for choice in choices)}" for name, choices in way.options.items()]
    return ["## Options", "The first choice is the default.", "\n".join(rows)]


def aux_params(way: Method) -> list[str]:
    """Return the number of auxiliary parameters for a few pairs of networks."""
    rows = ["| teacher | student | auxiliary parameters |", "|---|---|--:|"]
    sizes = []
    for teacher, student in ATTENDED if way.attention else PAIRS:
        try:
            sizes.append(count_aux_params(way, teacher, student))
            rows.append(f"| {teacher} | {student} | {sizes[-1]:,} |")
        except UserError as problem:
            rows.append(f"| {teacher} | {student} | refused: {problem} |")
    text = "The method trains no auxiliary parameters."
    if any(sizes):
        text = f"At {SHAPE} (samples, channels, classes). They are trained with the student and not used at inference."
    table = "\n".join(rows) if any(sizes) or any("refused" in row for row in rows) else ""
    return ["## Auxiliary parameters", text, table]


def count_aux_params(way: Method, teacher: str, student: str) -> int:
    """Count the auxiliary parameters of a method for a pair of networks."""
    student_shapes = student_network(built_network(student, bool(way.attention)), way).tap_shapes
    teacher_shapes = (
        teacher_network(built_network(teacher, bool(way.attention)), way).tap_shapes if way.teacher_taps else {}
    )
    return sum(values.size for values in way.init_aux_params(student_shapes, teacher_shapes, 0).values())


@cache
def built_network(name: str, attended: bool) -> Any:
    """Build a network, with attention or without."""
    return build_network(name, SHAPE, **({"attention": ATTENTION} if attended else {}))


if __name__ == "__main__":
    main()
