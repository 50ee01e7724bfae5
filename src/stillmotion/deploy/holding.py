"""Which forms can hold a model, and why the others cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..features.arrays import ClassifierArrays, LinearArrays, TreeArrays
from .classifier import read_classifier
from .litert.export import write_litert
from .onnx.export import read_more, write_program
from .program import Program, quantise_program
from .reader import AS_C
from .reading import read_program

#: The layer at the beginning of a refusal.
LAYER = re.compile(r"^\S+ (?:\((\w+)\) )?")
#: A form is made of a program in float32 and one in integers; ``web`` is the C.
Form = Callable[["_Programs"], object]


class _Programs:
    """The programs of a model, read when a form asks for them."""

    def __init__(self, model: keras.Model | ClassifierArrays, windows: NDArray[np.float32]) -> None:
        self.model, self.windows = model, windows

    def read(self, form: str, **more: object) -> Program:
        if isinstance(self.model, (TreeArrays, LinearArrays)):
            return read_classifier(self.model, self.windows)
        return read_program(self.model, form=form, **more)  # type: ignore[arg-type]

    def quantised(self, form: str) -> Program:
        return quantise_program(self.read(form), self.windows, (2.0**-12,) * self.windows.shape[2])


FORMS: Mapping[str, Form] = {
    "C and web page, float32": lambda given: given.read(AS_C),
    "C and web page, int8": lambda given: given.quantised(AS_C),
    "LiteRT, float32": lambda given: write_litert(given.read("as a LiteRT file"), ""),
    "LiteRT, int8": lambda given: write_litert(given.quantised("as a LiteRT file"), ""),
    "ONNX, float32": lambda given: write_program(given.read("in ONNX", more=read_more())),
}


def find_refusals(model: keras.Model | ClassifierArrays) -> dict[str, str]:
    """Find why forms cannot hold a model.

    Args:
        model: a network, or the arrays of a feature classifier.

    Returns:
        By form (``C and web page, float32`` …) the reason; empty where it can hold the model.

    Example:
        >>> from stillmotion.deploy import find_refusals
        >>> from stillmotion.networks import build_network
        >>> refusals = find_refusals(build_network("gru-4", (50, 3, 4)))
        >>> refusals["ONNX, float32"], refusals["C and web page, int8"]
        ('', '')
    """
    if isinstance(model, (TreeArrays, LinearArrays)):
        shape = model.features.window, len(model.features.channels)
    else:
        shape = tuple(model.input_shape[1:])
    windows = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    given, refusals = _Programs(model, windows), {}
    for form, write in FORMS.items():
        try:
            write(given)
            refusals[form] = ""
        except UserError as problem:
            refusals[form] = str(problem)
    return refusals


def write_holdings(models: Mapping[str, keras.Model | ClassifierArrays]) -> str:
    """Write a Markdown table of what each form can hold, with the reasons for what it cannot below.

    Args:
        models: by name.
    """
    reasons: dict[str, int] = {}
    lines = [f"| model | {' | '.join(FORMS)} |", f"|---|{'---|' * len(FORMS)}"]
    for name, model in models.items():
        cells = []
        for refusal in find_refusals(model).values():
            # Without the layer's name, which counts layers that were built before.
            reason = LAYER.sub(lambda match: f"{match[1] or 'It'} ", refusal)
            number = reasons.setdefault(reason, len(reasons) + 1) if reason else 0
            cells.append(f"no ({number})" if number else "yes")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {reason}" for reason, number in reasons.items()), ""])
