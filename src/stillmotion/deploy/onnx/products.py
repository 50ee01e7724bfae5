"""Products of two tensors in ONNX, which repeats a tensor along axes of length 1 where the C does not."""

from __future__ import annotations

from ...networks.graph import Node
from ..arithmetic import float_tensor
from ..products import MatrixProduct
from ..reader import Reader
from .graph import GraphBuilder
from .layers import write_block


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
