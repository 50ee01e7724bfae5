"""ONNX: a bundle's model from raw windows to logits, written from the same blocks as the C and run back.

Window features and normalisation are part of the graph, LSTM and GRU are ONNX's own operators; the decoder of windows
in a row is a second small model.
"""

from .export import OnnxExport, export_onnx
from .run import OnnxDecoder, run_onnx, time_onnx

__all__ = ["OnnxDecoder", "OnnxExport", "export_onnx", "run_onnx", "time_onnx"]
