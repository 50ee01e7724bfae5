"""Read the arrays of a pickle without running anything that the pickle names.

A pickle is a program that calls whatever it names. Python's own reader with a list of allowed names is not safe either:
NumPy's functions turn bytes into pointers where a dtype hides that it holds objects, a large number to keep a value
under fills the memory, and a key of nested tuples overflows the stack. So the few instructions that plain arrays need
are followed here, names are only compared, and any other instruction or name is an error.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError

#: The largest file that is read, and the most bytes that its texts may become.
MOST_BYTES = 1 << 26
MOST_DIMENSIONS = 8
#: Instructions that push their argument, and those that push a constant.
ARGUMENTS = {
    *("BININT", "BININT1", "BININT2", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
#: Names that pickled arrays hold: each stands for an operation of this file.
ARRAY, RECONSTRUCT = "numpy.ndarray", "numpy.core.multiarray._reconstruct"
DTYPE, ENCODE = "numpy.dtype", "_codecs.encode"
#: Types of arrays: numbers, and objects.
NUMBERS, OBJECTS = re.compile(r"[iu][1248]|f[248]|b1"), "O8"


def read_pickled(path: Path) -> Any:
    """Read a ``.npy`` file whose one element is a pickled object of dicts, lists, texts, numbers and arrays.

    Args:
        path: the file.

    Returns:
        The object; its arrays are read-only, with the type, shape and order that were saved.

    Raises:
        UserError: the file is absent, damaged, or holds or names anything else; nothing of it is executed.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from stillmotion.signals.pickled import read_pickled
        >>> np.save("made.npy", {"x": np.arange(3), "names": ["a", "b"]}, allow_pickle=True)
        >>> read_pickled(Path("made.npy"))
        {'x': array([0, 1, 2]), 'names': ['a', 'b']}
    """
    if not path.is_file():
        raise UserError(f"{path} is not there; a file was expected.")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} were expected.")
    file = io.BytesIO(path.read_bytes())
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("it is not a .npy file of version 1.0")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if shape or dtype != np.dtype(object):
            raise ValueError(f"it holds an array of {dtype} with shape {shape}, not one object")
        whole = _open(_Machine().run(file), {})
        if not isinstance(whole, list) or len(whole) != 1:
            raise ValueError("it does not hold one object")
        return whole[0]
    # Of a damaged pickle any instruction may fail, on values of any kind.
    except Exception as reason:
        raise UserError(
            f"{path} cannot be read: {str(reason)[:200] or type(reason).__name__}. Expected a .npy file of one dict of "
            f"lists, texts and arrays; nothing in it was executed. Get the file again."
        ) from reason


@dataclass(frozen=True)
class _Name:
    """A name in a pickle."""

    full: str


class _Dtype:
    """A type of numbers that is being read: a code such as ``f8``, and the order of the bytes."""

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or not (code == OBJECTS or NUMBERS.fullmatch(code)):
            raise ValueError(f"it holds an array of type {str(code)[:20]!r}")
        self.code, self.order = code, "|"

    def build(self, state: Any) -> None:
        """Take the order of the bytes; fields and shapes of records are refused."""
        if not isinstance(state[1], str) or state[1] not in "|<>" or any(part is not None for part in state[2:5]):
            raise ValueError("it holds an array of records")
        self.order = state[1]


class _Array:
    """An array that is being read; ``values`` is a NumPy array or, of objects, a list."""

    values: Any

    def build(self, state: Any) -> None:
        """Take shape, type and content."""
        _, shape, dtype, by_columns, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or len(shape) > MOST_DIMENSIONS:
            raise ValueError("it holds an array without a type or a shape")
        if any(type(length) is not int or length < 0 for length in shape):
            raise ValueError("it holds an array whose shape is not of whole numbers")
        if dtype.code == OBJECTS:
            if type(content) is not list or len(content) != math.prod(shape) or len(shape) > 1:
                raise ValueError("it holds an array of objects that is not a list")
            self.values = content
        else:
            values = np.frombuffer(content, np.dtype(dtype.order + dtype.code))
            self.values = values.reshape(shape, order="F" if by_columns else "C")


class _Machine:
    """Follows the instructions of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.kept: dict[int, Any] = {}
        self.encoded = 0

    def run(self, file: io.BytesIO) -> Any:
        """Return the pickled object, with arrays as ``_Array``."""
        for instruction, argument, place in pickletools.genops(file):
            self.follow(instruction.name, argument, place)
        return self.stack[-1]

    def follow(self, name: str, argument: Any, place: int | None) -> None:
        """Follow one instruction."""
        stack = self.stack
        if name in ARGUMENTS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in TUPLES:
            stack.append(tuple(self.take(TUPLES[name])))
        elif name == "TUPLE":
            stack.append(tuple(self.take_marked()))
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.kept[len(self.kept) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.kept[argument])
        elif name in ("APPEND", "APPENDS"):
            parts = self.take(1) if name == "APPEND" else self.take_marked()
            _require(stack[-1], list).extend(parts)
        elif name in ("SETITEM", "SETITEMS"):
            parts = self.take(2) if name == "SETITEM" else self.take_marked()
            target = _require(stack[-1], dict)
            for key, value in zip(parts[::2], parts[1::2], strict=True):
                target[_require(key, str)] = value
        elif name == "GLOBAL":
            stack.append(_Name(argument.replace(" ", ".").replace("numpy._core.", "numpy.core.")))
        elif name == "STACK_GLOBAL":
            module, attribute = self.take(2)
            self.follow("GLOBAL", f"{_require(module, str)} {_require(attribute, str)}", place)
        elif name == "REDUCE":
            operation, arguments = self.take(2)
            stack.append(self.make(_require(operation, _Name).full, _require(arguments, tuple)))
        elif name == "BUILD":
            (state,) = self.take(1)
            if not isinstance(stack[-1], (_Array, _Dtype)):
                raise ValueError(f"byte {place} of its pickle changes {_describe(stack[-1])}")
            stack[-1].build(_require(state, tuple))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(f"byte {place} of its pickle is the instruction {name}, which plain arrays do not need")

    def make(self, operation: str, arguments: tuple[Any, ...]) -> Any:
        """Return what an operation makes; the names of all others are refused."""
        if operation == RECONSTRUCT and arguments[:1] == (_Name(ARRAY),):
            return _Array()
        if operation == DTYPE:
            return _Dtype(arguments[0])
        if operation == ENCODE and arguments[1] == "latin1":
            # Protocol 2 keeps bytes as text; one text may be made into bytes again and again.
            self.encoded += len(arguments[0])
            if self.encoded > MOST_BYTES:
                raise ValueError(f"its texts become more than {MOST_BYTES:,} bytes")
            return _require(arguments[0], str).encode("latin1")
        raise ValueError(f"its pickle calls {operation[:80]!r}, which plain arrays do not need")

    def take(self, count: int) -> list[Any]:
        """Take the last ``count`` values from the stack."""
        if len(self.stack) < count:
            raise ValueError("its pickle takes more values than there are")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def take_marked(self) -> list[Any]:
        """Take the values since the last mark from the stack."""
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken


def _describe(value: Any) -> str:
    return f"a value of type {type(value).__name__.strip('_').lower()}"


def _require(value: Any, kind: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"its pickle has {_describe(value)} where {kind.__name__.strip('_').lower()} was expected")
    return value


def _open(value: Any, opened: dict[int, Any]) -> Any:
    """Put the arrays in their places; a list or dict that holds itself, or any other value, is an error."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if id(value) in opened:
        if opened[id(value)] is value:
            raise ValueError("it holds a list or dict that holds itself")
        return opened[id(value)]
    opened[id(value)] = value  # until it is open
    result: Any
    if type(value) is _Array:
        result = value.values if isinstance(value.values, np.ndarray) else _open(value.values, opened)
    elif type(value) is list:
        result = [_open(part, opened) for part in value]
    elif type(value) is dict:
        result = {key: _open(part, opened) for key, part in value.items()}
    else:
        raise ValueError(f"it holds {_describe(value)} where a list, dict or array was expected")
    opened[id(value)] = result
    return result
