"""One file per way of teaching.

A method names the taps it needs and the numbers it has; its objective is a pure function that returns named loss
terms. It knows nothing of loops, data or files.
"""

from ..errors import UnknownName
from .lm import LM
from .lm_att import LM_ATT
from .method import Batch, Method, Number, find_taps
from .rab_kd import RAB_KD
from .rb_kd import RB_KD
from .rb_kd_att import RB_KD_ATT

METHODS = {method.name: method for method in (LM, LM_ATT, RB_KD, RB_KD_ATT, RAB_KD)}


def method(name: str | Method, **options: str) -> Method:
    """A method by name (or as it is), with options such as ``project="teacher"``."""
    if not isinstance(name, Method):
        if name not in METHODS:
            raise UnknownName("method", name, list(METHODS))
        name = METHODS[name]
    return name.choose(options)


__all__ = ["METHODS", "Batch", "Method", "Number", "find_taps", "method"]
