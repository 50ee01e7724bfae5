"""CBAM against NumPy code written from the formulas, and the placement of attention."""

import keras
import numpy as np
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.networks import Attention, add_cbam, add_sensor_attention, build_network, parse_attention, with_taps


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def shared_mlp(pooled, weights):
    hidden_kernel, hidden_bias, kernel, bias = weights
    return sum(np.maximum(values @ hidden_kernel + hidden_bias, 0) @ kernel + bias for values in pooled)


def channel_map(x, weights):
    """σ(MLP(mean) + MLP(max)), pooled over time and sensors."""
    return sigmoid(shared_mlp([x.mean((1, 2)), x.max((1, 2))], weights))


def spatial_map(x, kernel):
    """σ(k×k convolution of [mean; max over filters]), zeros outside."""
    pooled = np.stack([x.mean(-1), x.max(-1)], -1)
    side = len(kernel)
    padded = np.pad(pooled, ((0, 0), (side // 2, side // 2), (side // 2, side // 2), (0, 0)))
    out = np.zeros(x.shape[:3])
    for t in range(x.shape[1]):
        for d in range(x.shape[2]):
            out[:, t, d] = (padded[:, t : t + side, d : d + side] * kernel[..., 0]).sum((1, 2, 3))
    return sigmoid(out)[..., None]


def randomised(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return {variable.path: np.asarray(variable, np.float64) for variable in model.trainable_variables}


FEATURES = np.random.default_rng(5).normal(size=(3, 9, 4, 8))


@pytest.mark.parametrize("reduction", [2, 8])
@pytest.mark.parametrize("side", [3, 7])
@pytest.mark.parametrize("which", ["channel", "spatial", "both"])
def test_cbam_equals_the_formulas(which, reduction, side):
    inputs = keras.Input(FEATURES.shape[1:])
    chosen = {
        "channel": reduction if which != "spatial" else None,
        "spatial": side if which != "channel" else None,
    }
    model = keras.Model(inputs, add_cbam(inputs, **chosen, name="2"))
    weights = randomised(model)
    names = [f"{kind}_attention_2" for kind, value in chosen.items() if value]
    found = with_taps(model, names)(FEATURES.astype(np.float32))
    x = FEATURES
    if chosen["channel"]:
        mlp = [weights[f"channel_{part}_2/{what}"] for part in ("hidden", "output") for what in ("kernel", "bias")]
        assert mlp[0].shape == (8, 8 // reduction)
        expected = channel_map(x, mlp)
        np.testing.assert_allclose(found["channel_attention_2"], expected, atol=1e-5)
        x = x * expected[:, None, None]
    if chosen["spatial"]:
        expected = spatial_map(x, weights["spatial_attention_2/kernel"])
        assert "spatial_attention_2/bias" not in weights
        np.testing.assert_allclose(found["spatial_attention_2"], expected, atol=1e-5)
        x = x * expected
    np.testing.assert_allclose(model(FEATURES.astype(np.float32)), x, atol=1e-5)


def test_cbam_on_a_map_without_sensors():
    inputs = keras.Input((9, 8))
    model = keras.Model(inputs, add_cbam(inputs, channel=4, spatial=3, name="1"))
    weights = randomised(model)
    x = FEATURES[:, :, 0]
    mlp = [weights[f"channel_{part}_1/{what}"] for part in ("hidden", "output") for what in ("kernel", "bias")]
    x = x * sigmoid(shared_mlp([x.mean(1), x.max(1)], mlp))[:, None]
    pooled = np.pad(np.stack([x.mean(-1), x.max(-1)], -1), ((0, 0), (1, 1), (0, 0)))
    kernel = weights["spatial_attention_1/kernel"][..., 0]
    scores = np.stack([(pooled[:, t : t + 3] * kernel).sum((1, 2)) for t in range(9)], 1)
    np.testing.assert_allclose(model(FEATURES[:, :, 0].astype(np.float32)), x * sigmoid(scores)[..., None], atol=1e-5)


def test_sensor_attention_weighs_sensors():
    inputs = keras.Input(FEATURES.shape[1:])
    model = keras.Model(inputs, add_sensor_attention(inputs, reduction=2, name="1"))
    weights = randomised(model)
    mlp = [weights[f"sensor_{part}_1/{what}"] for part in ("hidden", "output") for what in ("kernel", "bias")]
    expected = sigmoid(shared_mlp([FEATURES.mean((1, 3)), FEATURES.max((1, 3))], mlp))
    assert expected.shape == (3, 4)
    np.testing.assert_allclose(model(FEATURES.astype(np.float32)), FEATURES * expected[:, None, :, None], atol=1e-5)


def test_attention_after_chosen_convolutions_leaves_the_rest_as_it_was(built):
    plain = built("deepconvlstm-lm")
    text = "channel:r=2,spatial:k=3,after=2; sensor:r=3,after=1+4"
    attended = build_network("deepconvlstm-lm", (32, 3, 5), seed=3, attention=text)
    maps = [layer.name for layer in attended.layers if "_attention_" in layer.name]
    assert maps == ["sensor_attention_1", "channel_attention_2", "spatial_attention_2", "sensor_attention_4"]
    shapes = {name: tuple(attended.get_layer(name).output.shape[1:]) for name in maps}
    assert shapes["channel_attention_2"] == (4,)
    assert shapes["spatial_attention_2"] == (24, 3, 1)
    assert shapes["sensor_attention_1"] == (3,)
    for name in ("conv1", "conv4", "lstm2", "logits"):
        for mine, theirs in zip(attended.get_layer(name).weights, plain.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("channel:r=4,spatial:k=7,after=2", (Attention((2,), channel=4, spatial=7),)),
        ("channel,after=1+3", (Attention((1, 3), channel=4),)),
        (" spatial:k=3 , after = 4 ; sensor,after=1", (Attention((4,), spatial=3), Attention((1,), sensor=2))),
        ("none", ()),
        (None, ()),
    ],
)
def test_attention_is_read_from_text(text, blocks):
    assert parse_attention(text) == blocks
    assert parse_attention(";".join(map(str, blocks))) == blocks


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("channel:k=4,after=2", "Cannot read 'channel:k=4'"),
        ("chanel,after=2", "Cannot read 'chanel'"),
        ("channel:r=4", "does not say after which convolution"),
        ("after=2", "no attention in it"),
        ("channel,channel:r=2,after=1", "says channel twice"),
        ("channel,after=5", "no convolution 5 .*after=1 to after=4"),
        ("channel,after=1;spatial,after=1+2", "convolution 1 .*twice"),
        ("spatial:k=4,after=1", "odd number of positions.*not 4"),
        ("channel:r=0,after=1", "reduction must be a whole number from 1, not 0"),
    ],
)
def test_bad_attention_is_one_sentence(text, says):
    with pytest.raises(UserError, match=says) as caught:
        build_network("deepconvlstm-lm", (20, 3, 6), attention=text)
    assert "\n" not in str(caught.value)


def test_a_reduction_larger_than_the_filters_keeps_one_hidden_unit_and_says_so():
    with pytest.warns(DataWarning, match="reduction 8 exceeds 4 filters; one hidden unit kept"):
        model = build_network("deepconvlstm-lm", (20, 3, 6), attention="channel:r=8,after=1")
    assert model.get_layer("channel_hidden_1").units == 1
