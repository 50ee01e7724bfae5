"""Arithmetic without floating point, for many windows at once: what the C functions of the same names compute.

A number is a mantissa of 32 bits and an exponent: mantissa · 2^exponent.
"""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

#: log2(1 + f) / f as a polynomial of f, highest power first, times 2^16: a fit over 0 … 1, 1e-5 away at most.
TERMS = (-2319, 9726, -19996, 30797, -47220, 94548)


def bit_length(values: Any) -> Integers:
    """Return the number of bits of non-negative integers below 2^63."""
    values = np.asarray(values, np.int64)
    high = values >> 32
    # Halves of 32 bits are exact in float64.
    return np.asarray(np.where(high > 0, 32 + np.frexp(high)[1], np.frexp(values & 0xFFFFFFFF)[1]), np.int64)


def narrow(values: Integers) -> tuple[Integers, Integers]:
    """Drop low bits until 32 are enough; return mantissas and exponents."""
    exponent = np.maximum(bit_length(values) - 32, 0)
    return values >> exponent, exponent


def normalise(mantissa: Integers, exponent: Any) -> tuple[Integers, Integers]:
    """Shift left until the highest of 32 bits is 1; 0 stays."""
    shift = np.where(mantissa > 0, 32 - bit_length(mantissa), 0)
    return mantissa << shift, exponent - shift


def divide(a: Integers, b: Integers) -> Integers:
    """Divide normalised mantissas, of the second 16 bits; the quotient is that times 2^16."""
    return np.asarray(a // np.maximum(b >> 16, 1))


def round_root(values: Integers) -> Integers:
    """Return square roots of numbers below 2^32, rounded to the nearest, 65535 at most."""
    root = np.sqrt(values.astype(np.float64)).astype(np.int64)  # exact: float64 holds them
    return np.minimum(root + (values - root * root > root), 65535)


def spread(n: int, squares: Integers, sums: Integers) -> tuple[Integers, Integers]:
    """Return the standard deviation times n from sums of n values and of their squares."""
    square = squares * n - sums * sums
    # Two bits at a time, so that the root halves the exponent: to 31 or 32 bits.
    down = np.maximum(bit_length(square) - 31, 0) // 2
    mantissa = square >> (2 * down)
    up = np.where(square > 0, np.maximum(32 - bit_length(mantissa), 0) // 2, 0)
    return round_root(mantissa << (2 * up)), down - up


def log2_of_one_plus(f: Integers) -> Integers:
    """Return log2(1 + f / 2^31) · 2^25 for 0 ≤ f < 2^31."""
    part, slope = f >> 16, np.zeros_like(f)
    for term in TERMS:
        slope = ((slope * part + 16384) >> 15) + term
    return ((f >> 16) * slope + (((f & 0xFFFF) * (slope >> 1)) >> 15)) >> 6


def log2_of_sum(mantissa: Integers, exponent: Integers) -> Integers:
    """Return log2(1 + v) · 2^25 of v = mantissa · 2^(exponent - 31), normalised."""
    small = mantissa >> np.clip(-exponent, 0, 63)
    total = mantissa + (1 << np.clip(31 - exponent, 0, 62)) * (exponent <= 31)
    over = total >> 32
    large, whole = (total >> over) & 0x7FFFFFFF, exponent + over
    is_small = exponent < 0
    return np.where(is_small, 0, whole) * 2**25 + log2_of_one_plus(np.where(is_small, small, large))


def multiply_high(mantissa: Integers, factor: Any) -> Integers:
    """Return the product of 32 and 16 bits, less its lowest 16."""
    return np.asarray((mantissa * factor) >> 16)


def split_factor(value: float) -> tuple[int, int]:
    """Return a factor above 0 as 16 bits and an exponent: value ≈ bits · 2^exponent."""
    fraction, exponent = frexp(value)
    bits = round(fraction * 2**16)
    return (bits, exponent - 16) if bits < 2**16 else (2**15, exponent - 15)
