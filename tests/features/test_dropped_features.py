"""Feature sets without some of their features: the same values, less work, and what can be named."""

from __future__ import annotations

import json

import jax
import keras
import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, WindowFeatures, extract_array_features, feature_cost, parse_selection
from stillmotion.features.window_features import compute_feature_table

NAMES = ("w.acc.x", "w.acc.y", "w.acc.z", "w.gyr.x", "w.gyr.y", "w.gyr.z", "pulse")
SENSORS = ("w.acc",) * 3 + ("w.gyr",) * 3 + ("pulse",)
EVERY = ("axes", "norms", "jerk", "time", "spectrum", "correlations")
WHOLE = FeatureSet(20, 25.0, NAMES, SENSORS, EVERY)
#: Whole streams, parts of them, single features, and everything of a kind.
DROPPED = (
    ("w.gyr.norm",),
    ("w.acc.x.order", "w.gyr.norm.spectrum", "w.acc.correlations", "w.acc.jerk.norm"),
    ("*.time", "w.acc.y.jerk"),
    ("*.spectrum", "*.jerk*", "w.acc.x.mean", "w.acc.x.std", "w.acc.x.zero_crossings", "pulse.order"),
    ("*.order", "*.zero_crossings", "*.peak_hz", "w.gyr.x.power_0_1_hz"),
    ("w.acc.x~w.acc.y.correlation", "*.power_*", "pulse"),
)


@pytest.fixture(scope="module")
def values():
    values = np.random.default_rng(0).normal(0.3, 1.0, (12, 20, 7)).astype(np.float32)
    values[0] = values[0, 0]
    return values


@pytest.mark.parametrize("dropped", DROPPED)
def test_what_is_kept_is_as_it_was(values, dropped):
    options = {"rate": 25.0, "sensors": SENSORS, "names": NAMES, "groups": EVERY}
    whole = extract_array_features(values, **options)
    some = extract_array_features(values, **options, dropped=dropped)
    kept = [place for place, name in enumerate(whole.names) if name in some.names]
    assert 0 < len(kept) < len(whole.names)
    assert some.names == tuple(whole.names[place] for place in kept)
    np.testing.assert_array_equal(some.values, whole.values[:, kept])
    compressed = WHOLE.without(*dropped)
    assert compressed.names == some.names


def test_the_layer_equals_numpy_and_opens_again(values, tmp_path):
    features = WHOLE.without(*DROPPED[1], "*.zero_crossings")
    layer = WindowFeatures(features, name="described")
    model = keras.Sequential([keras.Input((20, 7)), layer])
    expected = compute_feature_table(values, features)
    found = np.asarray(jax.jit(layer)(values))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    config = json.loads(json.dumps(model.get_config()))
    (again,) = keras.Sequential.from_config(config).layers
    assert again.features == features
    assert again.features.dropped == (*DROPPED[1], "*.zero_crossings")


def test_nothing_of_a_dropped_stream_is_computed(values, monkeypatch):
    """The spectrum is a product of matrices and the order a sort: both see the streams that need them alone."""
    sorted_streams, transformed = [], []
    sort, matmul = np.sort, np.matmul
    monkeypatch.setattr(np, "sort", lambda x, axis: (sorted_streams.append(x.shape[1]), sort(x, axis=axis))[1])
    monkeypatch.setattr(np, "matmul", lambda x, y: (transformed.append(x.shape[1]), matmul(x, y))[1])
    only = [name for name in WHOLE.names if name not in ("w.acc.x.median", "w.gyr.norm.peak_hz", "w.gyr.norm.mean")]
    compute_feature_table(values, WHOLE.without(*only))
    assert sorted_streams == [1]
    assert set(transformed) == {1}


def test_units_are_streams_their_parts_correlations_and_features():
    units = WHOLE.units
    assert units["w.acc.norm.order"] == ("w.acc.norm.median", "w.acc.norm.iqr")
    assert units["w.gyr.y.spectrum"][:2] == ("w.gyr.y.peak_hz", "w.gyr.y.peak_share")
    assert len(units["w.gyr.y.spectrum"]) == 2 + 6
    assert len(units["w.acc.x"]) == 8 + 8
    assert len(units["w.acc.jerk.norm"]) == 8
    assert units["w.gyr.correlations"] == tuple(f"w.gyr.{a}~w.gyr.{b}.correlation" for a, b in ("xy", "xz", "yz"))
    assert set(WHOLE.names) <= set(units)
    assert {name for own in units.values() for name in own} == set(WHOLE.names)


def operations(features):
    counted = feature_cost(features)
    return counted.multiply_adds, counted.elementary


def less(*dropped):
    whole, rest = operations(WHOLE), operations(WHOLE.without(*dropped))
    return whole[0] - rest[0], whole[1] - rest[1]


def test_the_cost_of_what_is_dropped_by_hand():
    """T = 20 samples, K = 10 bins at 1.25, 2.5 … 12.5 Hz, h = 9, a merge sort of 20 · 5 − 32 + 1 = 69 comparisons."""
    # Without their order, both quantiles are gone and the ends take 2 · 19 comparisons.
    assert less("w.acc.x.order") == (3, 69 + 4 - 38)
    assert less("w.acc.x.median") == (1, 1)
    assert less("w.acc.x.zero_crossings") == (0, 2 * 20)
    assert less("w.acc.x.energy") == (20, 1)
    # The correlations of this axis need its deviation; the pulse has none, and margins stay for the spectrum.
    assert less("w.acc.x.std") == (0, 0)
    assert less("pulse.std") == (20, 2)
    # Transform, squares; folding, weights, peak, frequency, share; bands of 1, 1, 2, 2 bins and 0, with 10 Hz: 4 … 2.
    bins = [sum(low < 1.25 * k <= high for k in range(1, 11)) for low, high in WHOLE.bands]
    spectrum = 10 * (11 + 9) + 20, 18 + 10 + 20 + 1 + 10 + sum(max(0, count - 1) for count in bins)
    assert less("pulse.spectrum") == (spectrum[0], spectrum[1] + 2)  # and whether it varies
    assert less("pulse.peak_hz", "pulse.peak_share") == (0, 20 + 1 + 10)
    # A norm's spectrum, statistics in time, squares and roots.
    timed = 3 + 20 + 20, 3 * 20 + 1 + 4 + 2 + 2 + 69 + 4 + 1 + 40
    assert less("w.acc.norm") == (60 + timed[0] + spectrum[0], 20 + timed[1] + spectrum[1])
    assert less("w.acc.correlations")[0] == 3 * 20
    # One of three derivatives of axes: the norm of the derivatives needs all.
    assert less("w.acc.x.jerk") == (3 + 19 + 19, 3 * 19 + 1 + 4 + 2 + (19 * 5 - 31) + 4 + 1 + 38)
    assert less("w.acc*.jerk*") != less("w.acc.jerk.norm")
    assert feature_cost(WHOLE.without("*.spectrum")).tables == 0
    assert feature_cost(
        FeatureSet(20, 25.0, ("a",), ("a",), ("time",)).without("a.order", "*_crossings")
    ) == feature_cost(
        FeatureSet(20, 25.0, ("a",), ("a",), ("time",), dropped=("a.median", "a.iqr", "a.zero_crossings"))
    )


def test_every_unit_costs_something_or_nothing_but_never_less_than_nothing():
    for unit in WHOLE.units:
        products, others = less(unit)
        assert products >= 0
        assert 2 * products + others >= 0, unit
    assert 2 * less("w.acc.norm.spectrum")[0] > 10 * sum(less("w.acc.norm.order"))


def test_a_selection_is_a_text_and_plain_values():
    features = FeatureSet(20, 25.0, NAMES, SENSORS).without("w.gyr.norm", "*.energy")
    assert features.selection == "axes,norms,time,spectrum,correlations,-w.gyr.norm,-*.energy"
    groups, dropped = parse_selection(features.selection)
    assert FeatureSet(20, 25.0, NAMES, SENSORS, groups, dropped=dropped) == features
    assert parse_selection(" -*.energy , ") == (("axes", "norms", "time", "spectrum", "correlations"), ("*.energy",))
    assert FeatureSet.from_dict(json.loads(json.dumps(features.to_dict()))) == features
    assert "dropped" not in WHOLE.to_dict()  # as files of sets without a selection always were
    assert features != FeatureSet(20, 25.0, NAMES, SENSORS)


def test_features_of_one_name_could_not_be_told_apart_and_are_refused():
    with pytest.raises(UserError, match="Two features are called acc.norm.mean; give each channel a name of its own"):
        FeatureSet(20, 25.0, ("acc.x", "acc.norm"), ("acc", "acc"))


@pytest.mark.parametrize(
    ("dropped", "says"),
    [
        (["w.acc.norn"], r"Unknown unit of features 'w.acc.norn'. Did you mean 'w.acc.norm'\? Valid: w.acc.x, w.acc.x"),
        (["w.acc.x.power"], "A single feature, such as w.acc.x.mean, is one too"),
        (["*.jerk"], r"Unknown unit of features '\*.jerk'"),
        (["*"], "All 150 features of the groups axes, .* are dropped; keep at least one"),
    ],
)
def test_what_cannot_be_dropped_is_one_sentence(dropped, says):
    features = FeatureSet(20, 25.0, NAMES, SENSORS)
    with pytest.raises(UserError, match=says):
        features.without(*dropped)
