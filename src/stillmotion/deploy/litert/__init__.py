"""LiteRT (TensorFlow Lite) files, written without TensorFlow from the blocks that the C is written from.

In int8 they are an independent check of our integers: an interpreter with TensorFlow Lite's reference arithmetic must
compute the same ones.
"""

from .export import LiteRtExport, export_litert, write_litert
from .running import run_litert

__all__ = ["LiteRtExport", "export_litert", "run_litert", "write_litert"]
