"""Read from a network where its int8 form rounds, for training that takes this into account."""

from __future__ import annotations

import keras
import numpy as np

from ..networks import make_inference_model, read_graph
from ..networks.quantisation_plan import STATE, Grid, QuantisationPlan
from .blocks import Block, Tensor
from .elementwise import ACTIVATIONS, Map
from .float_features import FloatFeatures
from .merging import Concatenate
from .moving import Move
from .pooling import Pool
from .program import SIGNAL, Program, quantise_program
from .reader import Reader
from .recurrent import Recur
from .softmax import Softmax

#: Windows on which a network is quantised to learn whether it can be.
PROBES = 4


def plan_quantisation(model: keras.Model) -> QuantisationPlan:
    """Read where the int8 form of a network rounds, for ``fit`` and ``Fleet``.

    Args:
        model: built, from raw windows to logits.

    Returns:
        The plan; it holds for any weights.

    Raises:
        UserError: a layer has no int8 form; the message names it and says what to use instead.

    Example:
        >>> from stillmotion.deploy import plan_quantisation
        >>> from stillmotion.networks import build_network
        >>> plan = plan_quantisation(build_network("gru-4", (50, 3, 4)))
        >>> plan.measured
        ('normaliser', 'logits')
    """
    reader = Reader(read_graph(make_inference_model(model)))
    program = reader.read()
    integers = _quantise(program)
    # A block's results are those of the last node that is part of it; a recurrence rounds inside.
    nodes: dict[str, str] = {}
    for node in reader.graph.nodes:
        nodes.setdefault(reader.at[node.name], node.name)
    recurrent = {step.output for step in program.steps if isinstance(step.block, Recur)}
    nodes |= {tensor: node for tensor, node in reader.owner.items() if tensor not in recurrent}
    grids: dict[str, Grid] = {}
    places: dict[str, Grid] = {}
    for step in program.steps:
        given = [grids[name] for name in step.inputs if name != SIGNAL]
        grid = _grid(step.block, integers.tensors[step.output], given, nodes.get(step.output, ""))
        grids[step.output] = grid
        if step.output in nodes and not _is_rounded(step.block, grid, given):
            places[nodes[step.output]] = grid
    return QuantisationPlan(tuple(places.items()))


def _grid(block: Block, output: Tensor, given: list[Grid], node: str) -> Grid:
    """Return the integers of a block's results; those of a part of a node have no name."""
    if isinstance(block, Move) or (isinstance(block, Pool) and block.mode != "sum"):
        return given[0]
    if isinstance(block, Concatenate) and len(set(given)) == 1:
        return given[0]
    if isinstance(block, Recur):
        return Grid("state", node) if block.cell == "fastgrnn" else STATE
    known = isinstance(block, Map) and ACTIVATIONS[block.activation].output is not None
    if known or isinstance(block, FloatFeatures):
        return Grid("fixed", scale=output.step, zero_point=output.zero_point)
    return Grid("shares" if isinstance(block, Softmax) else "range", node)


def _is_rounded(block: Block, grid: Grid, given: list[Grid]) -> bool:
    """Tell whether a block's results need no rounding; a mean does."""
    if isinstance(block, Recur):
        return grid == STATE
    return grid in given and not (isinstance(block, Pool) and block.mode == "mean")


def _quantise(program: Program) -> Program:
    """Quantise a program by drawn windows; raise ``UserError`` where a block has no int8 form."""
    windows = np.random.default_rng(0).normal(size=(PROBES, *program.signal.shape)).astype(np.float32)
    return quantise_program(program, windows, (2.0**-12,) * program.signal.shape[-1])
