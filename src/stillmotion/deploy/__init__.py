"""What runs on the device: C code of a bundle's model, in float32 or int8, with its reference in NumPy.

Every block of the C code computes in NumPy what its C computes, bit for bit.
"""

from .classifier import read_classifier
from .export import CExport, export_c, read_calibration
from .fixed_features import FixedFeatures, fixed_features
from .float_features import FloatFeatures, float_features
from .forms import FormScore, compare_forms
from .holding import find_refusals
from .host import find_compiler, run_on_host
from .litert import LiteRtExport, export_litert
from .memory_plan import plan_memory
from .onnx import OnnxDecoder, OnnxExport, export_onnx, run_onnx
from .quantisation_plan import plan_quantisation
from .reading import read_program
from .signal_counts import fit_counts
from .verify import Check, verify_bundle

__all__ = [
    "CExport",
    "Check",
    "FixedFeatures",
    "FloatFeatures",
    "FormScore",
    "LiteRtExport",
    "OnnxDecoder",
    "OnnxExport",
    "compare_forms",
    "export_c",
    "export_litert",
    "export_onnx",
    "find_compiler",
    "find_refusals",
    "fit_counts",
    "fixed_features",
    "float_features",
    "plan_memory",
    "plan_quantisation",
    "read_calibration",
    "read_classifier",
    "read_program",
    "run_on_host",
    "run_onnx",
    "verify_bundle",
]
