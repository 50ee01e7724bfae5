"""Integer kernels against loops over single values, written from TensorFlow Lite's specification with Python's ints."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest

from stillmotion.deploy.arithmetic import fit_int8, requantise, split_factors
from stillmotion.deploy.blocks import Tensor
from stillmotion.deploy.convolution import Convolve
from stillmotion.deploy.geometry import Geometry
from stillmotion.deploy.merging import Concatenate, Merge
from stillmotion.deploy.pooling import Pool


def quantise_multiplier(real):
    """A factor as an integer of 31 bits and an exponent, as ``QuantizeMultiplier`` gives them."""
    exponent, fraction = 0, Fraction(real)
    while fraction >= 1:
        fraction, exponent = fraction / 2, exponent + 1
    while fraction < Fraction(1, 2):
        fraction, exponent = fraction * 2, exponent - 1
    whole = floor(fraction * 2**31 + Fraction(1, 2))
    return (whole // 2, exponent + 1) if whole == 2**31 else (whole, exponent)


def multiply_by_quantised_multiplier(value, multiplier, exponent):
    """``MultiplyByQuantizedMultiplier`` with two roundings: gemmlowp's doubling high product, then its shift."""
    value *= 2 ** max(exponent, 0)
    total = value * multiplier
    nudge = 2**30 if total >= 0 else 1 - 2**30
    high = abs(total + nudge) // 2**31 * (1 if total + nudge >= 0 else -1)  # C's division truncates
    right = max(-exponent, 0)
    remainder, threshold = high % 2**right, (2**right - 1) // 2 + (high < 0)
    return high // 2**right + (remainder > threshold)


def saturate(value, low=-128, high=127):
    return max(low, min(high, value))


def test_requantise_is_that_of_the_specification():
    random = np.random.default_rng(0)
    values = np.concatenate([random.integers(-(2**31) + 1, 2**31, 200), [0, 1, -1, 2**31 - 1, -(2**31) + 1]])
    for factor in [0.9999, 0.5, 0.25, 1 / 3, 1e-3, 3e-7, 2.0**-20]:
        (multiplier,), (shift,) = split_factors(factor)
        assert (multiplier, -shift) == quantise_multiplier(factor)
        expected = [multiply_by_quantised_multiplier(int(each), int(multiplier), -int(shift)) for each in values]
        assert requantise(values, multiplier, shift).tolist() == expected


GEOMETRIES = {
    "same, strided": ({"padding": "same", "strides": (2, 1)}, (7, 5), (3, 2), 6, 4, 1),
    "valid, dilated": ({"dilation": (2, 2)}, (9, 6), (3, 2), 2, 3, 1),
    "causal, in groups": ({"padding": "causal"}, (6, 1), (4, 1), 4, 6, 2),
    "depthwise": ({"padding": "same", "strides": (2, 2)}, (7, 4), (3, 3), 5, 5, 5),
    "depthwise, multiplied": ({"padding": "same"}, (6, 1), (3, 1), 2, 6, 2),
    "dense": ({}, (3, 1), (1, 1), 11, 7, 1),
}


def padding_before(length, taps, stride, gap, padding):
    span = gap * (taps - 1)
    if padding == "same":
        return max(0, (-(-length // stride) - 1) * stride + span + 1 - length) // 2
    return span if padding == "causal" else 0


@pytest.mark.parametrize("which", GEOMETRIES)
@pytest.mark.parametrize("relu6", [False, True])
def test_a_convolution_is_that_of_the_specification(which, relu6):
    options, size, kernel_size, channels, filters, groups = GEOMETRIES[which]
    random = np.random.default_rng(3)
    geometry = Geometry.of(size, kernel_size, **options)
    kernel = random.normal(size=(*kernel_size, channels // groups, filters)) * random.uniform(0.1, 3, filters)
    limits = {"low": 0.0, "high": 6.0} if relu6 else {}
    block = Convolve(
        name="conv",
        inputs=(Tensor((*size, channels), "float32"),),
        output=Tensor((*geometry.positions, filters), "float32"),
        geometry=geometry,
        kernel=kernel,
        bias=random.normal(size=filters),
        groups=groups,
        **limits,
    )
    given = Tensor((*size, channels), "int8", 0.037, 13)
    integers = block.quantise((given,), -5.0, 7.0)
    x = random.integers(-128, 128, (2, *size, channels))
    scale_out, zero_out = integers.output.step, integers.output.zero_point
    low, high = (zero_out, saturate(round(6 / scale_out) + zero_out)) if relu6 else (-128, 127)
    strides, dilation = options.get("strides", (1, 1)), options.get("dilation", (1, 1))
    before = [
        padding_before(size[axis], kernel_size[axis], strides[axis], dilation[axis], options.get("padding", "valid"))
        if axis == 0 or options.get("padding") != "causal"
        else 0
        for axis in (0, 1)
    ]
    expected = np.empty((2, *geometry.positions, filters), int)
    for n, row, column, f in product(range(2), *map(range, geometry.positions), range(filters)):
        largest = np.abs(kernel[..., f]).max()
        scale = largest / 127
        total = round(block.bias[f] / (0.037 * scale))
        for r, c, k in product(*map(range, kernel.shape[:3])):
            y, z = row * strides[0] + r * dilation[0] - before[0], column * strides[1] + c * dilation[1] - before[1]
            if 0 <= y < size[0] and 0 <= z < size[1]:
                channel = f // (filters // groups) * (channels // groups) + k
                total += (int(x[n, y, z, channel]) - 13) * round(kernel[r, c, k, f] / scale)
        value = multiply_by_quantised_multiplier(total, *quantise_multiplier(0.037 * scale / scale_out))
        expected[n, row, column, f] = saturate(value + zero_out, low, high)
    assert np.array_equal(integers.run(x.astype(np.int8)), expected)


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_a_pooling_is_that_of_the_specification(mode):
    geometry = Geometry.of((7, 5), (3, 2), strides=(2, 2), padding="same")
    shape = (*geometry.positions, 3)
    block = Pool(
        name="pool",
        inputs=(Tensor((7, 5, 3), "float32"),),
        output=Tensor(shape, "float32"),
        geometry=geometry,
        channels=3,
        mode=mode,
    )
    integers = block.quantise((Tensor((7, 5, 3), "int8", 0.1, -7),), 0.0, 1.0)
    assert (integers.output.step, integers.output.zero_point) == (0.1, -7)
    x = np.random.default_rng(1).integers(-128, 128, (2, 7, 5, 3))
    expected = np.empty((2, *shape), int)
    for n, row, column, channel in product(range(2), *map(range, shape)):
        covered = [
            int(x[n, y, z, channel])
            for y in range(2 * row - 1, 2 * row + 2)
            for z in range(2 * column, 2 * column + 2)
            if 0 <= y < 7 and 0 <= z < 5
        ]
        total, count = sum(covered), len(covered)
        half = count // 2 if total > 0 else -(count // 2)
        mean = abs(total + half) // count * (1 if total + half >= 0 else -1)
        expected[n, row, column, channel] = max(covered) if mode == "max" else mean
    assert np.array_equal(integers.run(x.astype(np.int8)), expected)


@pytest.mark.parametrize("operator", ["add", "multiply"])
def test_a_sum_and_a_product_are_those_of_the_specification(operator):
    shapes = ((4, 3, 2), (4, 1, 2))
    block = Merge(
        name="merge",
        inputs=tuple(Tensor(shape, "float32") for shape in shapes),
        output=Tensor(shapes[0], "float32"),
        operator=operator,
    )
    given = (Tensor(shapes[0], "int8", 0.03, 5), Tensor(shapes[1], "int8", 0.11, -60))
    integers = block.quantise(given, -3.0, 9.0)
    random = np.random.default_rng(2)
    a, b = (random.integers(-128, 128, (3, *shape)) for shape in shapes)
    out = integers.output
    twice = 2 * 0.11
    expected = np.empty(a.shape, int)
    for place in np.ndindex(a.shape):
        first, second = int(a[place]) - 5, int(b[place[0], place[1], 0, place[3]]) + 60
        if operator == "multiply":
            value = multiply_by_quantised_multiplier(first * second, *quantise_multiplier(0.03 * 0.11 / out.step))
        else:
            terms = (
                multiply_by_quantised_multiplier(each << 20, *quantise_multiplier(scale / twice))
                for each, scale in ((first, 0.03), (second, 0.11))
            )
            value = multiply_by_quantised_multiplier(sum(terms), *quantise_multiplier(twice / (2**20 * out.step)))
        expected[place] = saturate(value + out.zero_point)
    assert np.array_equal(integers.run(a.astype(np.int8), b.astype(np.int8)), expected)


def test_a_concatenation_keeps_values_within_half_a_step():
    given = (Tensor((2, 3), "int8", 0.01, 20), Tensor((2, 2), "int8", 0.04, -128))
    block = Concatenate(
        name="both",
        inputs=tuple(Tensor(each.shape, "float32") for each in given),
        output=Tensor((2, 5), "float32"),
        axis=1,
    )
    integers = block.quantise(given, -1.5, 10.3)
    random = np.random.default_rng(4)
    parts = [random.integers(-128, 128, (9, *each.shape)).astype(np.int8) for each in given]
    real = np.concatenate([each.dequantise(part) for each, part in zip(given, parts, strict=True)], axis=2)
    error = np.abs(integers.output.dequantise(integers.run(*parts)) - real)
    assert error.max() <= integers.output.step * 0.501


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.5, 2.0), (-4.0, -1.0), (0.0, 0.0)])
def test_a_range_holds_zero_exactly_and_both_of_its_ends(low, high):
    tensor = fit_int8((1,), low, high)
    assert -128 <= tensor.zero_point <= 127
    ends = tensor.dequantise(np.array([-128, 127]))
    assert ends[0] <= min(low, 0) + tensor.step
    assert ends[1] >= max(high, 0) - tensor.step
