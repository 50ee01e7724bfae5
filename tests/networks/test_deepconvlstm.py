"""DeepConvLSTM against published parameters, published FLOPs and full FLOPs counted by hand."""

import keras
import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.networks import build_network, get_network, named_network_cost, network_cost

#: Agac & Incel's tables: parameters, and FLOPs in thousands.
PUBLISHED = {
    (30, 45, 17): {"lm": (9_037, 450.00), "mm": (23_657, 1_677.60), "om": (816_337, 100_512.00)},
    (20, 3, 6): {"lm": (1_770, 13.92), "mm": (6_574, 50.88), "om": (393_030, 2_987.52)},
    (50, 45, 7): {"lm": (7_987, 932.40), "mm": (26_687, 3_506.40), "om": (1_414_087, 211_910.40)},
}
#: The same with the multiply-adds of LSTM and Dense added, as the project's reference states them, rounded.
WITH_RECURRENCE = {
    (30, 45, 17): {"lm": (692.6e3, 50), "mm": (2.62e6, 5e3), "om": (159.7e6, 5e4)},
    (20, 3, 6): {"lm": (21.9e3, 50), "mm": (82.2e3, 50), "om": (4.96e6, 5e3)},
    (50, 45, 7): {"lm": (1398.2e3, 50), "mm": (5.36e6, 5e3), "om": (330.0e6, 5e4)},
}


@pytest.mark.parametrize("shape", PUBLISHED, ids=str)
@pytest.mark.parametrize("size", ["lm", "mm", "om"])
def test_published_parameters_and_flops_to_the_digit(size, shape, built):
    model = built(f"deepconvlstm-{size}", shape)
    counted = network_cost(model)
    params, kiloflops = PUBLISHED[shape][size]
    assert counted.params == params == get_network(f"deepconvlstm-{size}").published[shape]
    assert counted.flops_convolutions == round(kiloflops * 1000)
    assert sum(int(weight.value.size) for weight in model.trainable_variables) == params
    recurrent = sum(layer.multiply_adds for layer in counted.layers if layer.kind in ("LSTM", "Dense"))
    stated, rounding = WITH_RECURRENCE[shape][size]
    assert counted.flops_convolutions + 2 * recurrent == pytest.approx(stated, abs=rounding)


@pytest.mark.parametrize("shape", [(17, 1, 2), (40, 6, 4)])
@pytest.mark.parametrize(("size", "f", "u"), [("lm", 4, 8), ("mm", 8, 16)])
def test_parameters_follow_the_closed_formula(size, f, u, shape):
    T, D, C = shape
    convolutions = 6 * f + 3 * (5 * f**2 + f)
    lstms = 4 * u * ((T - 16) * f + u + 1) + 4 * u * (2 * u + 1)
    assert named_network_cost(f"deepconvlstm-{size}", shape).params == convolutions + lstms + D * u * C + C


def test_full_flops_of_lm_on_wisdm_by_hand():
    """T 20, D 3, f 4, u 8, C 6: two per multiply-add, one per bias, activation and element-wise operation."""
    by_hand = {
        # time steps × sensors × filters × (2 × 5 taps × input filters, bias, ReLU)
        "conv1": 16 * 3 * 4 * (2 * 5 * 1 + 1 + 1),  # 2,304
        "conv2": 12 * 3 * 4 * (2 * 5 * 4 + 1 + 1),  # 6,048
        "conv3": 8 * 3 * 4 * (2 * 5 * 4 + 1 + 1),  # 4,032
        "conv4": 4 * 3 * 4 * (2 * 5 * 4 + 1 + 1),  # 2,016
        # 3 steps × 8 units × (4 gates × (2 × (inputs + state) + bias), 5 activations, 4 products or sums)
        "lstm1": 3 * 8 * (4 * (2 * (16 + 8) + 1) + 5 + 4),  # 4,920
        "lstm2": 3 * 8 * (4 * (2 * (8 + 8) + 1) + 5 + 4),  # 3,384
        "logits": 6 * (2 * 24 + 1),  # 294
    }
    counted = named_network_cost("deepconvlstm-lm", (20, 3, 6))
    assert {layer.name: layer.flops for layer in counted.layers if layer.flops} == by_hand
    assert counted.flops == sum(by_hand.values()) == 22_998
    assert counted.normaliser_flops == 2 * 20 * 3


def test_recurrence_over_channels_and_over_time(built):
    channels, time = built("deepconvlstm-lm"), build_network("deepconvlstm-lm", (32, 3, 5), recurrence="time")
    assert channels.get_layer("sequence").output.shape == (None, 3, 16 * 4)
    assert time.get_layer("sequence").output.shape == (None, 16, 3 * 4)
    assert channels.get_layer("embedding").output.shape == (None, 3 * 8)
    assert time.get_layer("embedding").output.shape == (None, 8)


def test_recurrence_over_channels_reads_one_sensor_a_step(built):
    """The sequence's step d holds all moments and filters of sensor d, moments first."""
    layers = [built("deepconvlstm-lm").get_layer(name) for name in ("stage4", "sequence")]
    features = np.arange(2 * 16 * 3 * 4, dtype=np.float32).reshape(2, 16, 3, 4)
    sequence = keras.Model(*(layer.output for layer in layers))(features)
    np.testing.assert_array_equal(sequence[:, 1], features[:, :, 1].reshape(2, -1))


def test_a_window_too_short_is_one_sentence():
    with pytest.raises(UserError, match=r"A window of 16 samples is too short for deepconvlstm-mm.*at least 17"):
        build_network("deepconvlstm-mm", (16, 3, 6))


def test_an_unknown_recurrence_names_the_valid_ones():
    with pytest.raises(UserError, match="Unknown recurrence 'space'.*channels, time"):
        build_network("deepconvlstm-lm", (20, 3, 6), recurrence="space")
