"""Features of windows against plain loops, NumPy and SciPy."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
from scipy import signal, stats

import stillmotion as sm
from stillmotion.errors import UserError
from stillmotion.features import extract_array_features, extract_features

RATE = 25.0
NAMES = ("w.acc.x", "w.acc.y", "w.acc.z", "w.gyr.x")
GROUPS = ("w.acc", "w.acc", "w.acc", "w.gyr")


@pytest.fixture(params=[50, 51])
def found(request):
    values = np.random.default_rng(0).normal(0.3, 1.0, (7, request.param, 4)).astype(np.float32)
    features = extract_array_features(values, rate=RATE, sensors=GROUPS, names=NAMES)
    assert features.values.dtype == np.float32
    assert len(set(features.names)) == len(features.names) == features.values.shape[1]
    return values.astype(np.float64), {name: features.values[:, at] for at, name in enumerate(features.names)}


def channels(window):
    for at, name in enumerate(NAMES):
        yield name, window[:, at]
    yield "w.acc.norm", np.array([np.linalg.norm(row[:3]) for row in window])


def test_statistics_in_time_are_those_of_numpy_and_scipy_one_channel_at_a_time(found):
    values, column = found
    for number, window in enumerate(values):
        for name, x in channels(window):
            centred = x - x.mean()
            crossings = sum((a >= 0) != (b >= 0) for a, b in pairwise(centred))
            wanted = {
                "mean": x.mean(),
                "std": x.std(),
                "min": x.min(),
                "max": x.max(),
                "median": np.median(x),
                "iqr": stats.iqr(x),
                "energy": sum(x * x) / len(x),
                "zero_crossings": crossings / ((len(x) - 1) / RATE),
            }
            for statistic, value in wanted.items():
                assert column[f"{name}.{statistic}"][number] == pytest.approx(value, rel=1e-5, abs=1e-6), (
                    name,
                    statistic,
                )


def test_the_spectrum_is_scipys_periodogram_and_its_bands_add_up_to_the_variance(found):
    values, column = found
    bands = [name.split(".power_")[1] for name in column if name.startswith("w.acc.x.power_")]
    assert bands == ["0_1_hz", "1_2_hz", "2_3.5_hz", "3.5_5_hz", "5_10_hz", "10_inf_hz"]
    for number, window in enumerate(values):
        for name, x in channels(window):
            hertz, power = signal.periodogram(x, RATE, scaling="spectrum", detrend="constant")
            assert column[f"{name}.peak_hz"][number] == pytest.approx(hertz[power.argmax()])
            assert column[f"{name}.peak_share"][number] == pytest.approx(power.max() / power.sum(), rel=1e-4)
            total = 0.0
            for band in bands:
                low, high = (float(edge) for edge in band.removesuffix("_hz").split("_"))
                within = sum(p for f, p in zip(hertz, power, strict=True) if low < f <= high)
                assert column[f"{name}.power_{band}"][number] == pytest.approx(within, rel=1e-4, abs=1e-7)
                total += column[f"{name}.power_{band}"][number]
            assert total == pytest.approx(x.var(), rel=1e-4)


def test_correlations_are_within_a_sensor_only(found):
    values, column = found
    pairs = [name for name in column if name.endswith(".correlation")]
    assert pairs == ["w.acc.x~w.acc.y.correlation", "w.acc.x~w.acc.z.correlation", "w.acc.y~w.acc.z.correlation"]
    for number, window in enumerate(values):
        for name, (a, b) in zip(pairs, ((0, 1), (0, 2), (1, 2)), strict=True):
            assert column[name][number] == pytest.approx(np.corrcoef(window[:, a], window[:, b])[0, 1], abs=1e-5)


def test_a_pure_tone_peaks_at_its_frequency():
    time = np.arange(100) / RATE
    tone = np.stack([np.sin(2 * np.pi * 2.0 * time), np.cos(2 * np.pi * 2.0 * time)], axis=1)[None]
    features = extract_array_features(tone, rate=RATE)
    column = dict(zip(features.names, features.values[0], strict=True))
    assert column["0.peak_hz"] == 2
    assert column["0.peak_share"] == pytest.approx(1)
    assert column["0.power_1_2_hz"] == pytest.approx(0.5, rel=1e-5)
    assert column["all.norm.std"] == pytest.approx(0, abs=1e-6)
    assert column["0~1.correlation"] == pytest.approx(0, abs=1e-6)


def test_a_constant_channel_has_no_crossing_no_peak_and_no_correlation():
    still = np.full((1, 30, 2), 0.1)
    still[0, :, 1] = np.arange(30)
    features = extract_array_features(still, rate=RATE)
    column = dict(zip(features.names, features.values[0], strict=True))
    for what in ("zero_crossings", "peak_hz", "peak_share", "std"):
        assert column[f"0.{what}"] == pytest.approx(0, abs=1e-12)
    assert column["0~1.correlation"] == 0


def test_bands_above_half_the_rate_do_not_exist():
    names = extract_array_features(np.zeros((1, 20, 1)), rate=8.0).names
    assert [name for name in names if "power" in name] == [
        "0.power_0_1_hz",
        "0.power_1_2_hz",
        "0.power_2_3.5_hz",
        "0.power_3.5_5_hz",
    ]


def test_blocks_change_nothing(monkeypatch):
    values = np.random.default_rng(1).normal(size=(23, 16, 3))
    whole = extract_array_features(values, rate=RATE).values
    monkeypatch.setattr(
        sys.modules["stillmotion.features.window_features"], "BLOCK", 200
    )  # the function hides its module
    np.testing.assert_array_equal(extract_array_features(values, rate=RATE).values, whole)


@pytest.mark.usefixtures("simulated_once")
def test_windows_of_a_data_set_have_the_names_of_its_channels():
    windows = sm.cut(sm.load("simulated", sensors="wrist.acc,wrist.gyr"))
    index = np.arange(0, len(windows), 50)
    features = extract_features(windows, index)
    assert features.values.shape == (len(index), len(features.names))
    assert {"wrist.acc.x.mean", "wrist.gyr.norm.iqr", "wrist.acc.x~wrist.acc.y.correlation"} <= set(features.names)
    mean = windows.values(index)[:, :, 0].mean(1)
    np.testing.assert_allclose(features.values[:, features.names.index("wrist.acc.x.mean")], mean, rtol=1e-4, atol=1e-6)
    assert extract_features(windows, []).values.shape == (0, len(features.names))


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.zeros((2, 1, 3)), {}, r"two samples or more, not \(2, 1, 3\)"),
        (np.zeros((4, 3)), {}, r"not \(4, 3\)"),
        (np.zeros((1, 4, 3)), {"rate": 0}, "above 0 Hz"),
        (np.zeros((1, 4, 3)), {"names": ["a"]}, "3 channels have 1 names and 3 sensors"),
        (np.array([[[0.0], [1]], [[np.nan], [1]]]), {}, "Window 1 holds NaN or infinite values"),
    ],
)
def test_invalid_arrays_are_refused(values, options, message):
    with pytest.raises(UserError, match=message):
        extract_array_features(values, **{"rate": RATE, **options})
