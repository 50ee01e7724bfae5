"""Arithmetic that C and NumPy share: float32 functions made of single operations, and the integers of TensorFlow Lite.

Float: ``exp`` is a polynomial after Cephes; no result depends on a mathematics library. Integers: a real factor below 1
is a 31-bit multiplier and a right shift; ``requantise`` rounds as TensorFlow Lite's reference kernels do, first in the
doubling high product, then in the shift.
"""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .blocks import Array, DType, Tensor

Floats = NDArray[np.float32]
#: The largest float32, which stands for "no limit" in a clamp.
LARGEST = float(np.finfo(np.float32).max)
#: Beyond this, ``exp`` would leave the range of float32.
EXP_LIMIT = 87.0
LOG2_E, LN2_HIGH, LN2_LOW = 1.44269504, 0.693359375, -2.12194440e-4
LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)


def exp_f32(x: Floats) -> Floats:
    """Return e to the power of x, x limited to ±87 (NaN to -87)."""
    f = np.float32
    x = np.where(x > f(-EXP_LIMIT), x, f(-EXP_LIMIT))
    x = np.where(x > f(EXP_LIMIT), f(EXP_LIMIT), x)
    n = x * f(LOG2_E)
    k = np.where(n < 0, n - f(0.5), n + f(0.5)).astype(np.int32)
    r = x - k.astype(np.float32) * f(LN2_HIGH)
    r = r - k.astype(np.float32) * f(LN2_LOW)
    p = np.full_like(r, f(EXP[0]))
    for coefficient in EXP[1:]:
        p = p * r + f(coefficient)
    p = p * (r * r) + r
    return np.asarray((p + f(1)) * ((k + 127) << 23).astype(np.int32).view(np.float32))


def sigmoid_f32(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return np.asarray(np.float32(1) / (np.float32(1) + exp_f32(-x)))


def tanh_f32(x: Floats) -> Floats:
    """Return 1 - 2 / (exp(2x) + 1)."""
    f = np.float32
    return np.asarray(f(1) - f(2) / (exp_f32(x * f(2)) + f(1)))


def sqrt_f32(x: Floats) -> Floats:
    """Return square roots by Newton's method, 0 for x ≤ 0."""
    f, positive = np.float32, np.where(x > 0, x, np.float32(1)).astype(np.float32)
    root = ((positive.view(np.int32) >> 1) + 0x1FBD1DF5).astype(np.int32).view(np.float32)
    for _ in range(4):
        root = np.asarray(f(0.5) * (root + positive / root), np.float32)
    return np.asarray(np.where(x > 0, root, f(0)))


def log_f32(x: Floats) -> Floats:
    """Return the natural logarithm of normal x > 0."""
    f = np.float32
    bits = np.asarray(x, np.float32).view(np.int32).astype(np.int64) + 0x4AFB0D
    exponent = ((bits >> 23) - 127).astype(np.float32)
    x = ((bits & 0x7FFFFF) + 0x3F3504F3).astype(np.int32).view(np.float32) - f(1)
    square, y = x * x, np.full_like(x, f(LOG[0]))
    for coefficient in LOG[1:]:
        y = y * x + f(coefficient)
    y = y * x * square
    y = y + exponent * f(LN2_LOW)
    y = y - f(0.5) * square
    return np.asarray(x + y + exponent * f(LN2_HIGH))


def log1p_f32(x: Floats) -> Floats:
    """Return log(1 + x) of x ≥ 0."""
    total = np.float32(1) + x
    lost = total - np.float32(1)
    return np.asarray(np.where(lost > 0, log_f32(total) * (x / np.where(lost > 0, lost, np.float32(1))), x))


def clamp(x: Array, low: float, high: float) -> Array:
    """Limit values as the C does: a NaN stays."""
    return np.where(x < x.dtype.type(low), x.dtype.type(low), np.where(x > x.dtype.type(high), x.dtype.type(high), x))


def split_factors(factors: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Return the multipliers and right shifts of positive real factors: factor = multiplier · 2^(−31 − shift).

    A shift is negative for factors from 1. Factors below 2^−32 become 0.
    """
    multipliers, shifts = [], []
    for factor in np.ravel(np.asarray(factors, np.float64)):
        fraction, exponent = frexp(factor)
        multiplier = int(np.floor(fraction * 2**31 + 0.5))
        if multiplier == 2**31:
            multiplier, exponent = multiplier // 2, exponent + 1
        if exponent < -31:
            multiplier, exponent = 0, 0
        multipliers.append(multiplier)
        shifts.append(-exponent)
    return np.array(multipliers, np.int32), np.array(shifts, np.int8)


def requantise(values: Array, multiplier: ArrayLike, shift: ArrayLike) -> NDArray[np.int64]:
    """Multiply integers by multiplier · 2^(−31 − shift), rounding twice; shifts from 0."""
    high = (np.asarray(values, np.int64) * np.asarray(multiplier, np.int64) + (1 << 30)) >> 31
    shift = np.asarray(shift, np.int64)
    mask = (np.int64(1) << shift) - 1
    return np.asarray((high >> shift) + ((high & mask) > (mask >> 1) + (high < 0)))


def fit_int8(shape: tuple[int, ...], low: float, high: float, *, least: float = 0.0) -> Tensor:
    """Return the int8 tensor whose range holds low, high and 0; its scale is a float32, as LiteRT files keep it.

    Args:
        shape: of the tensor.
        low, high: range of the real values.
        least: smallest scale; below it, steps would be finer than those of the sum that is rounded to them.
    """
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = float(np.float32(max((high - low) / 255, least, 1e-9)))
    zero_point = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    return Tensor(shape, "int8", scale, zero_point)


def to_int8(values: Array) -> NDArray[np.int8]:
    """Saturate integers to int8."""
    return np.clip(values, -128, 127).astype(np.int8)


def quantise(values: ArrayLike, tensor: Tensor) -> NDArray[Any]:
    """Return the integers of a tensor that stand for real values, rounded and saturated."""
    limits = np.iinfo(tensor.dtype)
    steps = np.rint(np.asarray(values, np.float64) / np.asarray(tensor.scale)) + tensor.zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(tensor.dtype))


def activation_limits(tensor: Tensor, low: float, high: float) -> tuple[int, int]:
    """Return the integers of a tensor between which an activation clamps."""
    below = -128 if low <= -LARGEST else int(np.clip(np.rint(low / tensor.step) + tensor.zero_point, -128, 127))
    above = 127 if high >= LARGEST else int(np.clip(np.rint(high / tensor.step) + tensor.zero_point, -128, 127))
    return below, above


def float_tensor(shape: tuple[int, ...]) -> Tensor:
    """Return a float32 tensor."""
    dtype: DType = "float32"
    return Tensor(shape, dtype)
