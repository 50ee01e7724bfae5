"""Dropped features on a device: C equals NumPy bit for bit, and what is dropped is not in the C."""

from __future__ import annotations

import numpy as np
import pytest

from stillmotion.deploy import fixed_features, float_features, read_program
from stillmotion.deploy.feature_code import FeatureCode
from stillmotion.deploy.onnx import run_onnx
from stillmotion.deploy.onnx.export import write_program
from stillmotion.errors import UserError
from stillmotion.features import FeatureScale, FeatureSet, fit_scale
from stillmotion.features.window_features import compute_feature_table
from stillmotion.networks import build_network, set_feature_statistics
from tests.deploy.blocks_in_c import BlocksInC
from tests.deploy.nets import SPEC, draw_windows
from tests.deploy.test_fixed_features import EVERYTHING, NAMES, SENSORS, SHIFTS, extremes, move

#: Whole streams, derivatives without their signals, parts of streams, statistics of all, and single features.
DROPPED = {
    "norms_gone": ("*.norm",),
    "streams_gone": ("acc.x", "gyr.y", "bar", "gyr.x.jerk"),
    "parts": ("acc.x.order", "acc.norm.spectrum", "gyr.y.time", "acc.y.jerk", "gyr.jerk.norm.order"),
    "no_jerk": ("*.jerk*", "acc.z.order", "bar.spectrum", "acc.x~acc.y.correlation"),
    "only_jerk": ("*.time", "*.spectrum"),
    "even": ("*.order", "*.energy", "*.mean"),
    "no_peak": ("*.peak_hz", "*.peak_share", "*.min", "bar.std"),
    "peak_alone": ("*.power_*", "*.time", "*.jerk*", "acc.correlations", "acc.y.peak_share"),
    "share": ("*.peak_hz", "acc.z.power_0_1_hz", "*.zero_crossings", "acc.x.std", "gyr.x.energy"),
    "order_alone": (
        "*.spectrum",
        "*.correlation*",
        "*.m[aei][xan]*",
        "*.std",
        "*.energy",
        "*.zero_crossings",
        "bar.iqr",
    ),
    "energy_alone": ("*.spectrum", "*.m*", "*.iqr", "*.std", "*.zero_crossings", "*.correlation*", "bar.jerk"),
    "ends": ("*.spectrum", "*.order", "*.mean", "*.std", "*.energy", "*.zero_crossings", "acc.y.min"),
    "pairs": ("*.time", "*.spectrum", "*.jerk*", "acc.x~*"),
}


def describe(name, window, *, compressed=True):
    return FeatureSet(window, 50.0, NAMES, SENSORS, EVERYTHING, compressed, dropped=DROPPED[name])


def scale_of(features, values):
    fitted = fit_scale(compute_feature_table(values, features))
    return FeatureScale(fitted.mean, np.maximum(fitted.std, 1e-3).astype(np.float32))


def draw_drops(count):
    """Sets of which each feature, each stream's part and each stream is dropped by chance."""
    random = np.random.default_rng(5)
    whole = FeatureSet(24, 50.0, NAMES, SENSORS, EVERYTHING)
    units = list(whole.units)
    return [
        whole.without(*(unit for unit in units if random.random() < share)) for share in np.linspace(0.02, 0.6, count)
    ]


def both_blocks(features, name, counts):
    values = counts * 2.0 ** -np.array(SHIFTS)
    scale = scale_of(features, values)
    return [
        float_features(features, scale, name=name, clip=5.0),
        fixed_features(features, scale, SHIFTS, name=f"i_{name}"),
    ]


def test_c_equals_numpy_bit_for_bit_and_both_the_whole_set(tmp_path):
    cases = [(describe(name, 32, compressed=at % 2 == 0), name) for at, name in enumerate(DROPPED)]
    cases += [(describe("parts", 25), "odd"), (describe("share", 25, compressed=False), "odd_share")]
    cases += [(features, f"drawn{number}") for number, features in enumerate(draw_drops(6))]
    blocks = [each for features, name in cases for each in both_blocks(features, name, move(features.window))]
    assert {each.code.is_even for each in blocks} == {True, False}
    compiled = BlocksInC(tmp_path, blocks)
    for plain, integers in zip(blocks[::2], blocks[1::2], strict=True):
        features, counts = plain.features, move(plain.features.window)
        every = np.concatenate([counts, extremes(features.window)])
        values = (every * 2.0 ** -np.array(SHIFTS)).astype(np.float32)
        np.testing.assert_array_equal(compiled.run(plain, values), plain.run(values), err_msg=plain.name)
        np.testing.assert_array_equal(compiled.run(integers, every), integers.run(every), err_msg=integers.name)
        wanted = plain.scale.apply(compute_feature_table(values[: len(counts)], features))
        np.testing.assert_allclose(plain.run(values)[: len(counts)], wanted, atol=2e-3, err_msg=plain.name)
        # What is kept are the columns of the whole set's integers.
        whole = FeatureSet(features.window, 50.0, NAMES, SENSORS, EVERYTHING, features.compressed)
        columns = [whole.names.index(name) for name in features.names]
        scale = scale_of(whole, counts * 2.0 ** -np.array(SHIFTS))
        of_whole = fixed_features(whole, scale, SHIFTS).run(every)
        np.testing.assert_array_equal(integers.run(every), of_whole[:, columns], err_msg=integers.name)


@pytest.mark.parametrize("place", [0, 1])
def test_what_is_dropped_is_not_in_the_c(place):
    def parts_of(name):
        block = both_blocks(describe(name, 32), "b", move(32))[place]
        return block.function("p"), {each.name for each in block.constants}, block.support

    source, constants, _ = parts_of("only_jerk")
    assert "_spectrum" not in source
    assert not {"sines", "cosines", "band"} & constants
    assert "_sort" in source
    source, constants, _ = parts_of("peak_alone")
    assert not {"_time", "_sort", "_correlation(const"} & set(source.split("("))
    assert {"kept", "at"} <= constants
    source, constants, _ = parts_of("pairs")
    assert not {"stream", "column", "kept"} & constants
    assert "_read" not in source
    source, constants, _ = parts_of("even")
    assert not {"kept", "at"} & constants  # the same of every stream: no table
    assert "_sort" not in source
    assert "energy" not in source
    if place:
        assert "divide" not in parts_of("energy_alone")[2]
        assert "spread" not in parts_of("energy_alone")[2]


def test_a_stream_without_order_is_not_sorted():
    source = both_blocks(describe("parts", 32), "b", move(32))[1].function("p")
    assert "if (place->kept & " in source
    code = FeatureCode(describe("parts", 32))
    assert code.when("median", "iqr") == f"if (place->kept & {16 + 32}u) "
    assert FeatureCode(describe("even", 32)).when("std") == ""


def test_a_network_that_drops_features_becomes_a_program_and_onnx(tmp_path):
    windows = draw_windows(60)
    selection = (
        "axes,norms,jerk,time,spectrum,correlations,-wrist.acc.x.order,-wrist.gyr.norm.spectrum,-wrist.acc.jerk.*"
    )
    model = build_network("feature-net-xs", SPEC, features=selection)
    set_feature_statistics(model, windows)
    program = read_program(model)
    wanted = model.predict(windows, verbose=0)
    np.testing.assert_allclose(program.run(windows), wanted, atol=2e-4)
    (tmp_path / "net.onnx").write_bytes(write_program(program).SerializeToString())
    np.testing.assert_allclose(run_onnx(tmp_path / "net.onnx", windows), wanted, atol=2e-4)


def test_more_bands_than_a_table_has_bits_are_refused_where_streams_differ():
    edges = tuple(float(edge) for edge in range(25))
    features = FeatureSet(100, 60.0, ("a", "b"), ("a", "b"), edges=edges)
    assert FeatureCode(features).is_even
    assert FeatureCode(features.without("*.order")).is_even
    with pytest.raises(UserError, match="25 frequency bands cannot drop features of single streams; use at most 22"):
        FeatureCode(features.without("a.order"))
