"""What runs on the device: C code of a bundle's model, in float32 or int8, with its reference in NumPy.

Every block of the C code computes in NumPy what its C computes, bit for bit.
"""

from .fixed_features import FixedFeatures, choose_shifts, fixed_features

__all__ = ["FixedFeatures", "choose_shifts", "fixed_features"]
