"""The decoder in whole numbers equals its specification bit for bit, and the decoder in floats within its rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.decoding import IntegerDecoder, fit_decoder, log_sum, log_sum_table, read_grammar
from stillmotion.errors import UserError
from stillmotion.signals import list_cards

from .by_hand import integer_filter

CLASSES = list_cards()["hapt"].spec.classes


def hapt_decoder(**options):
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(0, 12, 150), rng.integers(1, 14, 150))
    return fit_decoder("grammar", CLASSES, labels, hop=1.28, grammar=read_grammar("hapt-postures"), **options)


def walk(windows, seed):
    """Logits of a model that is right most of the time, and gaps."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 12, windows), rng.integers(1, 9, windows))[:windows]
    gaps = np.ones(windows, int)
    gaps[rng.integers(0, windows, 4)] = [0, 2, 4, 12]
    gaps[0] = 0
    return 3 * np.eye(12)[labels] + rng.normal(0, 1.5, (windows, 12)), gaps


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(0, 9), st.sampled_from([0.3, 1.0, 2.7]))
def test_the_filter_is_its_specification_bit_for_bit(seed, longest, temperature):
    decoder = IntegerDecoder.of(hapt_decoder(longest_gap=longest, temperature=temperature))
    logits, gaps = walk(40, seed)
    scores = decoder.quantise_logits(logits)
    states, labels = integer_filter(scores, decoder, gaps.tolist())
    assert np.array_equal(decoder.filter(scores, gaps), states)
    assert decoder.decode(scores, gaps).tolist() == labels


@pytest.mark.parametrize("lag", [0, 1, 2, 4])
def test_whole_numbers_decide_as_floats_unless_two_classes_are_close(lag):
    decoder = hapt_decoder(lag=lag)
    logits, gaps = walk(600, 1)
    decoded = decoder.decode(logits, gaps)
    integer = IntegerDecoder.of(decoder)
    labels = integer.decode(integer.quantise_logits(logits), gaps)
    top = np.sort(np.log(decoded.probabilities), 1)
    close = top[:, -1] - top[:, -2] < 0.3
    assert close.mean() < 0.1
    assert np.array_equal(labels[~close], decoded.labels[~close])


def test_the_state_is_the_log_probability_of_the_float_filter_within_a_quarter_of_a_nat():
    decoder = hapt_decoder()
    logits, gaps = walk(400, 2)
    probabilities = decoder.decode(logits, gaps).probabilities
    integer = IntegerDecoder.of(decoder)
    states = integer.filter(integer.quantise_logits(logits), gaps) / 64
    logs = np.log(probabilities)
    likely = probabilities > 1e-3
    assert np.abs(states - (logs - logs.max(1, keepdims=True)))[likely].max() < 0.25


def test_a_lag_uses_exactly_that_many_windows_of_future():
    logits, gaps = walk(60, 3)
    changed = logits.copy()
    changed[40:] = np.random.default_rng(4).normal(0, 6, (20, 12))
    for lag in (0, 2):
        integer = IntegerDecoder.of(hapt_decoder(lag=lag))
        before, after = (integer.decode(integer.quantise_logits(each), gaps) for each in (logits, changed))
        assert np.array_equal(before[: 40 - lag], after[: 40 - lag])


def test_all_numbers_fit_their_types_however_extreme_the_logits():
    integer = IntegerDecoder.of(hapt_decoder(temperature=0.05))
    logits = np.random.default_rng(5).choice([-1e30, -300.0, 0.0, 1e30], (50, 12))
    scores = integer.quantise_logits(logits)
    states = integer.filter(scores)
    assert states.max(1).tolist() == [0] * 50
    assert states.min() >= -16384
    assert integer.transition.dtype == np.int16
    assert integer.constant_bytes == 2 * (144 + 12 + 12) + 311


def test_integer_logits_are_rescaled_as_floats_would_be():
    integer = IntegerDecoder.of(hapt_decoder(temperature=1.7))
    scale = 0.0377
    whole = np.arange(-128, 128, dtype=np.int8).reshape(-1, 4)
    multiplier = integer.multiplier(scale)
    rescaled = integer.rescale_logits(whole, multiplier)
    expected = [[(int(value) * multiplier + 32768) // 65536 for value in row] for row in whole]
    assert rescaled.tolist() == expected
    assert np.abs(rescaled - 64 / 1.7 * scale * whole).max() <= 0.51
    with pytest.raises(UserError, match="gives the multiplier 0"):
        integer.multiplier(1e-9)


def test_log_sums_are_within_half_a_unit_a_term():
    rng = np.random.default_rng(6)
    terms = rng.integers(-900, 900, (12, 500))
    exact = 64 * np.log(np.exp(terms / 64).sum(0))
    assert np.abs(log_sum(terms) - exact).max() <= 0.5 * 11
    assert log_sum_table()[[0, 310]].tolist() == [44, 1]


def test_what_has_no_integer_form_is_named():
    with pytest.raises(UserError, match="offline decoder has no integer form"):
        IntegerDecoder.of(hapt_decoder(lag=None))
    integer = IntegerDecoder.of(hapt_decoder())
    with pytest.raises(UserError, match="takes whole numbers"):
        integer.filter(np.zeros((3, 12)))
    with pytest.raises(UserError, match="takes whole numbers"):
        integer.filter(np.zeros((3, 11), int))
