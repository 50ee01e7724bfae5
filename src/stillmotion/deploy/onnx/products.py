"""Products of two tensors, which ONNX has and the C has not: attention between channels or states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ...errors import UserError
from ...networks.graph import Node
from ..arithmetic import float_tensor
from ..blocks import Array, Block, Tensor
from ..float_block import FloatBlock
from ..reader import Reader
from .graph import GraphBuilder
from .layers import write_block


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixProduct(FloatBlock):
    """Multiply the matrices in the last two axes of two tensors."""

    def run(self, *x: Array) -> Array:
        """Compute all products at once."""
        a, b = (each.reshape(len(each), *tensor.shape) for each, tensor in zip(x, self.inputs, strict=True))
        return np.asarray(a @ b)

    def function(self, prefix: str) -> str:
        """Refuse: there is no C of it."""
        return self._refuse()

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Refuse: there are no integers of it."""
        return self._refuse()

    def _refuse(self) -> NoReturn:
        raise UserError(f"{self.name} (Matmul) has no form in C.")


def read_product(reader: Reader, node: Node) -> str:
    """Read ``keras.ops.matmul`` of two tensors with equal numbers of axes."""
    if len(node.inputs) != 2 or len({len(shape) for shape in node.input_shapes}) > 1 or len(node.shape) < 2:
        reader.refuse(node, "use products of two tensors with equal numbers of axes")
    block = MatrixProduct(
        name=reader.name(node.name),
        inputs=tuple(map(float_tensor, node.input_shapes)),
        output=float_tensor(node.shape),
    )
    return reader.add(block, *(reader.at[name] for name in node.inputs))


@write_block.register
def _product(block: MatrixProduct, graph: GraphBuilder, *inputs: str) -> str:
    a, b = (graph.shaped(name, each.shape) for name, each in zip(inputs, block.inputs, strict=True))
    return graph.add("MatMul", a, b)
