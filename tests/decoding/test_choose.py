"""Numbers of a decoder are chosen on validation subjects, and only where they gain enough."""

from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest

from stillmotion.decoding import DecoderNumbers, choose_numbers, fit_decoder, fit_temperature
from stillmotion.decoding.choose import PRIORS, STAYS, STRENGTHS
from stillmotion.errors import UserError

CLASSES = ("rest", "rise", "walk")
WINDOWS = 90


def bouts(seed, mean):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.tile([0, 1, 2, 1], 40), np.maximum(1, rng.poisson(mean, 160)))[:WINDOWS]
    return labels, 1.6 * np.eye(3)[labels] + rng.normal(0, 1.4, (WINDOWS, 3))


def score(decoder, delays, logits, truth):
    values = []
    for delay in delays:
        labels = decoder.with_lag(delay).decode(logits).labels
        f1 = [2 * np.sum((labels == c) & (truth == c)) / (np.sum(labels == c) + np.sum(truth == c)) for c in range(3)]
        values.append(np.mean(f1))
    return np.mean(values)


@pytest.mark.parametrize(("before", "now"), [(20, 2), pytest.param(6, 6, marks=pytest.mark.slow)])
def test_the_choice_is_the_best_of_all_settings_or_the_default_within_two_points(before, now):
    labels, (truth, logits), delays = bouts(0, before)[0], bouts(1, now), (0, None)
    temperature = fit_temperature(logits, truth)
    scores = {}
    for stay, strength, prior in product(STAYS, STRENGTHS, PRIORS):
        numbers = DecoderNumbers(stay, temperature * strength, prior)
        scores[numbers] = score(
            fit_decoder("duration", CLASSES, labels, hop=1.0, **asdict(numbers)), delays, logits, truth
        )
    default = DecoderNumbers(temperature=temperature)
    best = max(scores, key=lambda numbers: scores[numbers])
    expected = best if scores[best] > scores[default] + 0.02 else default
    chosen = choose_numbers("duration", CLASSES, labels, logits=logits, truth=truth, delays=delays)
    assert scores[chosen] == pytest.approx(scores[expected])
    assert (chosen == default) == (expected == default)


def test_usual_durations_that_validation_subjects_contradict_are_scaled():
    labels, (truth, logits) = bouts(0, 20)[0], bouts(1, 2)
    chosen = choose_numbers("duration", CLASSES, labels, logits=logits, truth=truth, delays=(0, None))
    assert chosen.stay == 0.5


def test_windows_alone_get_a_temperature_only_and_unlabelled_ones_are_not_scored():
    labels, (truth, logits) = bouts(0, 6)[0], bouts(1, 6)
    some = np.where(np.arange(WINDOWS) % 3 == 0, -1, truth)
    chosen = choose_numbers("none", CLASSES, labels, logits=logits, truth=some)
    assert chosen == replace(DecoderNumbers(), temperature=fit_temperature(logits[some >= 0], truth[some >= 0]))
    with pytest.raises(UserError, match="No window of the validation subjects has a class"):
        choose_numbers("duration", CLASSES, labels, logits=logits, truth=np.full(WINDOWS, -1))
