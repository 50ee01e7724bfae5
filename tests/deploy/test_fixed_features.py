"""Window features in integers: against float64, against exact integers, and the C bit for bit."""

from __future__ import annotations

from math import isqrt

import numpy as np
import pytest

import stillmotion as sm
from stillmotion.deploy import fixed_features
from stillmotion.deploy.fixed_numbers import (
    bit_length,
    divide,
    log2_of_one_plus,
    log2_of_sum,
    narrow,
    normalise,
    round_root,
    spread,
)
from stillmotion.deploy.fixed_spectrum import FixedSpectrum, find_peak
from stillmotion.errors import UserError
from stillmotion.features import FeatureScale, FeatureSet, fit_scale
from stillmotion.features.window_features import compute_feature_table
from tests.deploy.blocks_in_c import BlocksInC

NAMES = ("acc.x", "acc.y", "acc.z", "gyr.x", "gyr.y", "bar")
SENSORS = ("acc",) * 3 + ("gyr",) * 2 + ("bar",)
SHIFTS = (12, 12, 12, 9, 9, 4)
EVERYTHING = ("axes", "norms", "jerk", "time", "spectrum", "correlations")
#: Length, compression and type: every transform, every way out, and the shortest windows.
FORMS = (
    (128, True, "int8"),
    (128, False, "int16"),
    (100, True, "int8"),
    (75, True, "int16"),
    (75, False, "int8"),
    (4, True, "int8"),
    (3, False, "int8"),
)


def describe(window, groups=EVERYTHING, *, compressed=True):
    return FeatureSet(window, 50.0, NAMES, SENSORS, tuple(groups), compressed=compressed)


def move(window, count=40):
    """Counts of waves of several frequencies and sizes, over gravity, with noise."""
    random = np.random.default_rng(window)
    time = np.arange(window)[None, :, None] / 50.0
    draw = lambda low, high: random.uniform(low, high, (count, 1, len(NAMES)))  # noqa: E731
    waves = sum(draw(0, 0.7) * np.sin(2 * np.pi * draw(0.3, 9) * time + draw(0, 6)) for _ in range(3))
    values = (draw(-0.9, 0.9) + waves * draw(0.01, 1.0) + 0.02 * random.normal(size=waves.shape)) * [1, 1, 1, 9, 9, 200]
    return np.clip(np.rint(values * 2.0 ** np.array(SHIFTS)), -32768, 32767).astype(np.int16)


def extremes(window):
    """Windows at the ends of 16 bits."""
    random = np.random.default_rng(1)
    shape = window, len(NAMES)
    low, high = np.full(shape, -32768), np.full(shape, 32767)
    alternating = np.where((np.arange(window) % 2)[:, None], low, high)
    spike, step = np.zeros(shape), np.where(np.arange(window)[:, None] < window // 2, low, high)
    spike[window // 2] = 32767
    one = np.zeros(shape)
    one[-1] = 1
    noise = random.integers(-32768, 32768, (4, *shape))
    mixed = np.where(np.arange(len(NAMES)) % 2, high, random.integers(-3, 3, shape))
    return np.stack([low, high, np.zeros(shape), alternating, -spike, spike, step, one, mixed, *noise]).astype(np.int16)


def block_of(features, counts, dtype="int8", name="features"):
    values = counts * 2.0 ** -np.array(SHIFTS)
    table = compute_feature_table(values, features)
    fitted = fit_scale(table)
    # Integers of 16 bits resolve no smaller deviation.
    scale = FeatureScale(fitted.mean, np.maximum(fitted.std, 1e-3).astype(np.float32))
    return fixed_features(features, scale, SHIFTS, name=name, dtype=dtype), scale.apply(table)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("window", [128, 100, 75])
def test_features_in_integers_are_those_of_float64_within_hundredths_of_a_standard_deviation(window, compressed):
    features, counts = describe(window, compressed=compressed), move(window)
    block, wanted = block_of(features, counts, "int16")
    found = block.run(counts) * block.output.step
    names = np.array(features.names)
    error = np.abs(found - wanted)
    # Decisions: norms are rounded to counts before they are compared with their mean, and two peaks may be as high.
    decided = np.array([name.endswith(("norm.zero_crossings", "peak_hz")) for name in names])
    worst = error[:, ~decided].max(0)
    assert worst.max() < 0.03, names[~decided][worst.argmax()]
    assert (error[:, decided] < 0.2).mean() > 0.97
    assert np.median(error) < 0.001
    assert block.run(counts).dtype == np.int16


def test_int8_features_are_the_int16_ones_rounded():
    features, counts = describe(128), move(128)
    (coarse, _), (fine, _) = block_of(features, counts), block_of(features, counts, "int16")
    apart = coarse.run(counts) * coarse.output.step - fine.run(counts) * fine.output.step
    assert coarse.output.step == 5 / 127
    assert np.abs(apart).max() <= 0.51 * coarse.output.step + 1e-3


def test_c_equals_numpy_bit_for_bit_also_at_the_ends_of_sixteen_bits(tmp_path):
    cases = []
    for window, compressed, dtype in FORMS:
        counts, name = move(window), f"f{window}_{compressed}_{dtype}".lower()
        cases.append((block_of(describe(window, compressed=compressed), counts, dtype, name)[0], counts))
    for groups in (["axes", "time"], ["norms", "spectrum"], ["axes", "correlations"], ["norms", "time", "jerk"]):
        counts = move(30)
        cases.append((block_of(describe(30, groups), counts, name="_".join(groups))[0], counts))
    compiled = BlocksInC(tmp_path, [block for block, _ in cases])
    for block, counts in cases:
        every = np.concatenate([counts, extremes(counts.shape[1])])
        np.testing.assert_array_equal(compiled.run(block, every), block.run(every), err_msg=block.name)


def test_constant_signals_have_no_spread_spectrum_or_correlation():
    features = describe(64, compressed=False)
    count = len(features.names)
    scale = FeatureScale(np.zeros(count, np.float32), np.ones(count, np.float32))
    block = fixed_features(features, scale, SHIFTS, dtype="int16")
    window = np.tile(np.array([4096, -2048, 0, 512, 0, 16], np.int16), (1, 64, 1))
    found = dict(zip(features.names, block.run(window)[0] * block.output.step, strict=True))
    assert found["acc.x.mean"] == pytest.approx(1.0, abs=2e-4)
    assert found["acc.y.median"] == pytest.approx(-0.5, abs=2e-4)
    assert found["acc.norm.max"] == pytest.approx(1.25**0.5, abs=5e-4)
    still = ("std", "iqr", "zero_crossings", "peak_hz", "peak_share", "correlation", "0_1_hz")
    assert {value for name, value in found.items() if name.endswith(still)} == {0.0}


def test_unused_groups_cost_nothing():
    counts = move(128)
    sources = {
        groups: block_of(describe(128, groups), counts)[0] for groups in (("axes", "time"), ("axes", "spectrum"))
    }
    timed, spectral = (each.function("p") for each in sources.values())
    assert "_sort" in timed
    assert "_sort" not in spectral
    assert "_transform" in spectral
    assert "_transform" not in timed
    assert not {"sines", "band", "pair"} & {each.name for each in sources["axes", "time"].constants}
    assert sources["axes", "time"].scratch_bytes == 2 * 128


def test_numbers_in_integers_are_exact_or_close():
    random = np.random.default_rng(0)
    values = np.unique(random.integers(0, 2**62, 500) >> random.integers(0, 62, 500))
    assert bit_length(values).tolist() == [int(each).bit_length() for each in values]
    small = values[values < 2**32]
    # The nearest integer to the root: its distance to both neighbours by exact arithmetic.
    wanted = [min(isqrt(int(v)) + (int(v) - isqrt(int(v)) ** 2 > isqrt(int(v))), 65535) for v in small]
    assert round_root(small).tolist() == wanted
    mantissa, exponent = narrow(values)
    assert ((mantissa < 2**32) & (mantissa == values >> exponent)).all()
    a, up = normalise(small[small > 0], 0)
    assert ((a >= 2**31) & (a < 2**32)).all()
    np.testing.assert_array_equal(a >> -up, small[small > 0])
    np.testing.assert_allclose(divide(a, a[::-1]) / 2**16, a / a[::-1], rtol=1e-4)
    samples = random.integers(-500, 500, (50, 90))
    root, power = spread(90, (samples**2).sum(1), samples.sum(1))
    np.testing.assert_allclose(root * 2.0**power / 90, samples.std(1), rtol=2e-5)
    f = random.integers(0, 2**31, 2000) >> random.integers(0, 31, 2000)
    np.testing.assert_allclose(log2_of_one_plus(f) / 2**25, np.log2(1 + f / 2**31), rtol=5e-5, atol=4e-8)
    exponents = np.arange(-40, 45)
    powers = log2_of_sum(np.full(len(exponents), 3 << 30), exponents) / 2**25
    np.testing.assert_allclose(powers, np.log2(1 + 1.5 * 2.0**exponents), rtol=5e-5, atol=4e-8)


@pytest.mark.parametrize("window", [256, 128, 8, 4, 2, 100, 75, 1000])
def test_the_spectrum_is_that_of_numpy(window):
    samples = np.random.default_rng(0).integers(-3000, 3000, (5, window))
    spectrum = FixedSpectrum(window)
    centred, shift = spectrum.centre(samples)
    found = spectrum.powers(centred) * spectrum.unit * 4.0 ** -shift[:, None]
    power = np.abs(np.fft.rfft(samples, axis=1)[:, 1:]) ** 2 / window**2
    power[:, : (window - 1) // 2] *= 2
    assert np.abs(found - power).max() < 2e-3 * power.max()
    np.testing.assert_allclose(found.sum(1), samples.var(1), rtol=2e-3)


def test_the_peak_is_the_first_of_equals():
    powers = np.array([[5, 1000, 1003, 7], [0, 0, 0, 0], [1, 2, 3, 4]])
    peak, best = find_peak(powers)
    assert (peak.tolist(), best.tolist()) == ([2, 0, 4], [1000, 0, 4])


def test_what_does_not_fit_is_refused_in_a_sentence():
    features = describe(20)
    scale = FeatureScale(np.zeros(len(features.names), np.float32), np.ones(len(features.names), np.float32))
    with pytest.raises(UserError, match="6 channels have 2 shifts"):
        fixed_features(features, scale, [1, 2])
    with pytest.raises(UserError, match=r"channels of acc have shifts \[11, 12\]"):
        fixed_features(features, scale, [11, 12, 12, 9, 9, 4])
    with pytest.raises(UserError, match="from -8 to 24, not 25"):
        fixed_features(features, scale, [25, 25, 25, 9, 9, 4])
    with pytest.raises(UserError, match="at most 4096 samples, not 5000"):
        fixed_features(describe(5000), scale, SHIFTS)


@pytest.mark.real
@pytest.mark.slow
def test_on_real_windows_c_is_equal_and_errors_are_hundredths_of_a_standard_deviation(real, tmp_path):
    data = sm.load("hapt", data=real("hapt"))
    windows = sm.cut(data, spec=data.spec.with_window(128, 64))
    values = windows.values()[::10].astype(np.float32)
    assert len(values) > 1000
    features = FeatureSet.of(windows.spec, groups=EVERYTHING, compressed=True)
    shifts = np.array([12] * 3 + [11] * 3)
    counts = np.clip(np.rint(values * 2.0**shifts), -32768, 32767).astype(np.int16)
    table = compute_feature_table(values, features)
    scale = fit_scale(table)
    block = fixed_features(features, scale, shifts.tolist())
    found = block.run(counts)
    np.testing.assert_array_equal(BlocksInC(tmp_path, [block]).run(block, counts), found)
    error = np.abs(found * block.output.step - scale.apply(table))
    assert np.median(error) < 0.02
    assert np.quantile(error, 0.99) < 0.1
