"""One file per way of teaching.

A method names the taps it needs and the numbers it has; its objective is a pure function that returns named loss
terms. It knows nothing of loops, data or files.
"""

from ..errors import UnknownName
from .lm import LM
from .method import Batch, Method, Number
from .rb_kd import RB_KD

METHODS = {method.name: method for method in (LM, RB_KD)}


def method(name: str | Method) -> Method:
    """A method by name (or as it is)."""
    if isinstance(name, Method):
        return name
    if name not in METHODS:
        raise UnknownName("method", name, list(METHODS))
    return METHODS[name]


__all__ = ["METHODS", "Batch", "Method", "Number", "method"]
