"""The part of the LiteRT file format (TensorFlow Lite's, version 3) that is written here.

A table is its fields by their numbers in ``schema.fbs``. The type of a number, NumPy's, is that of its field. Numbers
of operators, options and fields are those that the generated Python modules of the format hold.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError

Value = Any
#: A table: a NumPy scalar, an array, a text, bytes, a table or a list of tables by the number of its field.
Table = dict[int, Value]
VERSION, IDENTIFIER = 3, b"TFL3"
#: Interpreters read constants where they lie in the file.
ALIGNMENT = 16

#: Numbers of types of tensors.
TYPES = {"float32": 0, "int32": 2, "int64": 4, "int16": 7, "int8": 9}
#: Numbers of operators, and of the table of options of each (0: it has none here).
OPERATORS = {
    "ADD": (0, 11),
    "AVERAGE_POOL_2D": (1, 5),
    "CAST": (53, 37),
    "CONCATENATION": (2, 10),
    "CONV_2D": (3, 1),
    "DEPTHWISE_CONV_2D": (4, 2),
    "ELU": (111, 0),
    "GATHER": (36, 23),
    "HARD_SWISH": (117, 0),
    "LEAKY_RELU": (98, 75),
    "LOGISTIC": (14, 0),
    "MAXIMUM": (55, 39),
    "MAX_POOL_2D": (17, 5),
    "MINIMUM": (57, 39),
    "MUL": (18, 21),
    "PAD": (34, 22),
    "QUANTIZE": (114, 89),
    "RESHAPE": (22, 17),
    "SOFTMAX": (25, 9),
    "SUB": (41, 28),
    "TANH": (28, 0),
    "TRANSPOSE": (39, 26),
}
PADDINGS = {"same": 0, "valid": 1}
#: Numbers of the limits that are part of an operator.
ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}


def pack_model(model: Table) -> bytes:
    """Return the bytes of a file.

    Args:
        model: the table at its root.

    Raises:
        UserError: the package ``flatbuffers`` is not installed.
    """
    try:
        flatbuffers = import_module("flatbuffers")
    except ImportError as problem:
        raise UserError(
            f"A LiteRT file is written by the package flatbuffers ({problem}); pip install 'stillmotion[litert]'."
        ) from problem
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(_pack_table(builder, model), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _pack_table(builder: Any, table: Table) -> int:
    """Write a table, what it refers to first, and return where it lies."""
    scalars = {field: value for field, value in table.items() if isinstance(value, np.generic)}
    offsets = {field: _pack(builder, value) for field, value in table.items() if field not in scalars}
    builder.StartObject(max(table, default=-1) + 1)
    for field, value in scalars.items():
        kind = value.dtype.name.removesuffix("_").capitalize()
        # Without a default it is always written: defaults of the format need not be known.
        getattr(builder, f"Prepend{kind}Slot")(field, value.item(), None)
    for field, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    return int(builder.EndObject())


def _pack(builder: Any, value: Value) -> int:
    if isinstance(value, dict):
        return _pack_table(builder, value)
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, bytes):
        builder.StartVector(1, len(value), ALIGNMENT)
        builder.head = builder.head - len(value)
        builder.Bytes[builder.head : builder.head + len(value)] = value
        return int(builder.EndVector())
    if isinstance(value, np.ndarray):
        return int(builder.CreateNumpyVector(value))
    offsets = [_pack_table(builder, table) for table in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def integers(values: Any) -> NDArray[np.int32]:
    """Return numbers as a vector of 32-bit integers."""
    return np.asarray(values, np.int32).ravel()
