"""Unknown: thresholds keep a stated rate on validation subjects, and whole numbers reject what they say."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from stillmotion.decoding import (
    UNKNOWN,
    Decoder,
    IntegerDecoder,
    choose_numbers,
    find_threshold,
    fit_decoder,
    log_sum_table,
)
from stillmotion.errors import UserError

from .by_hand import integer_filter

CLASSES = ("rest", "walk", "run", "jump")
LABELS = np.repeat([0, 1, 0, 2, 1, 3, 0], [9, 7, 8, 4, 9, 3, 8])
THRESHOLDS = {"alone": 0.6, "0": 0.7, "2": 0.8, "offline": 0.9}


def windows(count=160, seed=0, noise=2.0):
    rng = np.random.default_rng(seed)
    truth = np.resize(LABELS, count)
    return truth, 3 * np.eye(4)[truth] + rng.normal(0, noise, (count, 4))


def decoder(**options):
    return fit_decoder("duration", CLASSES, LABELS, hop=1.0, thresholds=THRESHOLDS, **options)


@pytest.mark.parametrize("rate", [0.0, 0.07, 0.25, 0.5])
def test_a_threshold_is_the_highest_that_keeps_the_rate(rate):
    values = np.random.default_rng(1).random(100)
    threshold = find_threshold(values, rate)
    assert np.mean(values < threshold) <= rate
    higher = min(value for value in values if value > threshold)
    assert np.mean(values < higher) > rate


@pytest.mark.parametrize("kind", ["none", "duration"])
def test_thresholds_keep_the_rate_on_validation_subjects_with_every_delay(kind):
    truth, logits = windows()
    truth[20:40] = -1
    logits[20:40] = 0  # nothing is known of windows without a class: they must not count
    gaps = np.minimum(np.arange(160) % 80, 1)
    numbers = choose_numbers(
        kind, CLASSES, LABELS, logits=logits, truth=truth, delays=(1, None), validation_gaps=gaps, reject=0.1
    )
    expected = {"none": {"alone"}, "duration": {"alone", "0", "1", "offline"}}[kind]
    assert set(numbers.thresholds) == expected
    fitted = fit_decoder(kind, CLASSES, LABELS, hop=1.0, **asdict(numbers))
    known = truth >= 0
    cases = {"alone": fitted.alone()} | {
        name: fitted.with_lag(None if name == "offline" else int(name)) for name in expected - {"alone"}
    }
    for name, each in cases.items():
        assert each.delay == name
        assert each.decode(logits, gaps).rejected[known].sum() == 14  # of 140
    alone = fitted.alone().decode(logits)
    powers = np.exp(logits / numbers.temperature)
    assert np.allclose(alone.confidence, (powers / powers.sum(1, keepdims=True)).max(1), atol=1e-6)
    assert np.array_equal(alone.predictions, np.where(alone.rejected, -2, logits.argmax(1)))
    assert choose_numbers(kind, CLASSES, LABELS, logits=logits, truth=truth).thresholds == {}


def test_a_lag_without_a_threshold_has_that_of_the_nearest():
    assert [decoder().with_lag(lag).threshold for lag in (0, 2, 7, None)] == [0.7, 0.8, 0.8, 0.9]
    assert decoder().alone().threshold == 0.6
    assert fit_decoder("duration", CLASSES, LABELS, hop=1.0).threshold == 0


def log_sum_loop(values):
    """Log-sum of a row in units of 1/64 nat, by the table of the specification."""
    total = values[0]
    for value in values[1:]:
        apart = abs(total - value)
        total = max(total, value) + (math.floor(64 * math.log1p(math.exp(-apart / 64)) + 0.5) if apart < 311 else 0)
    return total


def test_whole_numbers_reject_by_the_log_sum_of_the_state():
    _, logits = windows(seed=3)
    integer = IntegerDecoder.of(decoder())
    assert integer.limit == math.floor(-64 * math.log(0.7) + 0.5)
    assert integer.limit_alone == math.floor(-64 * math.log(0.6) + 0.5)
    scores = integer.quantise_logits(logits)
    gaps = np.minimum(np.arange(160), 1)
    states, labels = integer_filter(scores, integer, gaps.tolist())
    expected = [
        -2 if log_sum_loop(state) > integer.limit else label
        for state, label in zip(np.asarray(states).tolist(), labels, strict=True)
    ]
    assert integer.decode(scores, gaps).tolist() == expected
    assert 5 < expected.count(UNKNOWN) < 80
    best = scores.max(1, keepdims=True)
    alone = [-2 if log_sum_loop(row) > integer.limit_alone else int(np.argmax(row)) for row in (scores - best).tolist()]
    assert integer.decode_alone(scores).tolist() == alone
    assert 5 < alone.count(UNKNOWN) < 120
    assert len(log_sum_table()) == 311


@pytest.mark.parametrize("lag", [0, 2])
def test_whole_numbers_reject_as_floats_unless_the_probability_is_close_to_the_threshold(lag):
    _, logits = windows(600, seed=4)
    floats = decoder(lag=lag)
    decoded = floats.decode(logits)
    integer = IntegerDecoder.of(floats)
    answers = integer.decode(integer.quantise_logits(logits))
    clear = np.abs(np.log(decoded.confidence / floats.threshold)) > 0.1
    assert clear.mean() > 0.8
    assert np.array_equal((answers == UNKNOWN)[clear], decoded.rejected[clear])


def test_thresholds_are_stored_and_decoders_without_them_still_open():
    values = json.loads(json.dumps(decoder().to_dict()))
    assert Decoder.from_dict(values).thresholds == THRESHOLDS
    del values["thresholds"]
    assert Decoder.from_dict(values).thresholds == {}


@pytest.mark.parametrize(
    ("thresholds", "says"),
    [
        ({"late": 0.5}, "alone, offline or a number of windows, not 'late'"),
        ({"0": 1.5}, "must be a probability, not 1.5"),
        ({"0": True}, "must be a probability, not True"),
        ([0.5], "must be numbers by delay"),
    ],
)
def test_wrong_thresholds_are_named(thresholds, says):
    with pytest.raises(UserError, match=says):
        Decoder.from_dict(decoder().to_dict() | {"thresholds": thresholds})


def test_a_class_called_unknown_and_a_rate_beyond_half_are_refused():
    with pytest.raises(UserError, match="no class can have this name"):
        fit_decoder("duration", ("rest", "unknown"), [0, 1], hop=1.0, thresholds={"0": 0.5})
    with pytest.raises(UserError, match="at least 0 and at most 0.5, not 0.6"):
        find_threshold([0.5], 0.6)
    with pytest.raises(UserError, match="No window has a known class"):
        find_threshold([], 0.1)
