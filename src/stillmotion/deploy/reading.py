"""Read a Keras model as a program of float32 blocks."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from ..networks import make_inference_model, read_graph
from . import layer_rules, recurrent_rules
from .program import Program
from .reader import AS_C, Reader, Rule

#: The files of rules: importing them fills the reader's table.
RULES = (layer_rules, recurrent_rules)


def read_program(model: keras.Model, *, more: Mapping[str, Rule] | None = None, form: str = AS_C) -> Program:
    """Read a built model as a program.

    Args:
        model: from raw windows to logits.
        more: rules that replace those of the C, or add to them.
        form: how refusals name what is written.

    Returns:
        The program.

    Raises:
        UserError: a layer has no such form; the message names it and says what to use instead.

    Example:
        >>> import numpy as np
        >>> from stillmotion.deploy import read_program
        >>> from stillmotion.networks import build_network
        >>> program = read_program(build_network("motion-net-xs", (50, 3, 4)))
        >>> program.run(np.zeros((2, 50, 3), "float32")).shape
        (2, 4)
    """
    return Reader(read_graph(make_inference_model(model)), more=more, form=form).read()
