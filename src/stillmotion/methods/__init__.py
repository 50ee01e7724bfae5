"""Distillation methods, one file each.

A method names the taps and hyperparameters that it needs; its objective is a pure function that returns named loss
terms. It knows nothing of training loops, data or files. Files of this folder are found by themselves;
``register_method`` adds one of your own.
"""

from .arrows import TracedTerm, trace_terms
from .code import method_code
from .method import Batch, IncompatibleNetworks, Method, Range, find_taps
from .registry import METHODS, get_method, register_method

__all__ = [
    "METHODS",
    "Batch",
    "IncompatibleNetworks",
    "Method",
    "Range",
    "TracedTerm",
    "find_taps",
    "get_method",
    "method_code",
    "register_method",
    "trace_terms",
]
