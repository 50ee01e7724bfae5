"""Decoders: fitted to durations, a grammar or what followed; saved; never moved by the future."""

import json
import math

import numpy as np
import pytest

from stillmotion.decoding import (
    Decoder,
    Grammar,
    count_transitions,
    fit_decoder,
    fit_temperature,
    order_windows,
    read_grammar,
    usual_durations,
)
from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import list_cards

from .by_hand import forward_loop

CLASSES = ("rest", "rise", "walk")
#: rest 4 and 2 windows, rise 1 and 1, walk 3 and 2; the last two windows are another sequence.
LABELS = [0, 0, 0, 0, 1, 2, 2, 2, -1, 0, 0, 1, 2, 2]
GAPS = [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1]
GRAMMAR = Grammar("stairs", {"rest": ("rise",), "rise": ("walk",), "walk": ("rest",)}, ("rise",))


def test_durations_are_mean_bouts_and_a_gap_a_null_or_a_start_ends_one():
    assert usual_durations(LABELS, 3, GAPS).tolist() == [3.0, 1.0, 2.5]
    assert usual_durations([0, 0, 0, 0], 2, [0, 1, 3, 1]).tolist() == [2.0, 2.0]


def test_transitions_are_counted_within_sequences_and_over_null():
    expected = np.zeros((3, 3), int)
    expected[0, 1], expected[1, 2], expected[2, 0] = 2, 1, 1
    assert count_transitions(LABELS, 3, GAPS).tolist() == expected.tolist()


def test_a_decoder_stays_as_long_as_an_activity_lasts_and_leaves_as_its_kind_says():
    stays = [1 - 1 / 3, 1 - 1 / 1.5, 1 - 1 / 2.5]  # a bout of one window counts as 1.5

    def rows(kind, **options):
        return np.exp(fit_decoder(kind, CLASSES, LABELS, gaps=GAPS, hop=1.0, **options).log_transition)

    duration, grammar = rows("duration"), rows("grammar", grammar=GRAMMAR)
    with pytest.warns(DataWarning, match="asked to do"):
        learned = rows("learned")
    for table in (duration, grammar, learned):
        assert np.diag(table).tolist() == pytest.approx(stays)
        assert table.sum(1).tolist() == pytest.approx([1, 1, 1])
    assert duration[0, 1] == pytest.approx(1 / 6)
    assert grammar[0, 1] == pytest.approx(1 / 3 * (0.999 + 0.0005))
    assert grammar[0, 2] == pytest.approx(1 / 3 * 0.0005)
    assert learned[0, 1] == pytest.approx(1 / 3 * 3 / 4)
    longer = rows("duration", stay=2.0)
    assert np.diag(longer).tolist() == pytest.approx([1 - 1 / 6, 1 - 1 / 2, 1 - 1 / 5])


def test_evidence_divides_by_temperature_limits_a_window_and_divides_priors_out():
    decoder = fit_decoder("duration", CLASSES, LABELS, gaps=GAPS, hop=1.0, temperature=2.0, prior=1.0, span=3.0)
    counts = [7, 3, 6]
    logits = [5.0, 1.0, -9.0]
    expected = [max((z - 5.0) / 2, -3.0) - math.log(k / 16) for z, k in zip(logits, counts, strict=True)]
    assert decoder.evidence([logits])[0].tolist() == pytest.approx(expected)
    # Log-probabilities differ from logits by a constant a window, which no answer depends on.
    several = np.random.default_rng(0).normal(0, 3, (9, 3))
    shifted = several - np.log(np.exp(several).sum(1, keepdims=True))
    np.testing.assert_allclose(decoder.decode(several).probabilities, decoder.decode(shifted).probabilities, atol=1e-12)


def test_none_answers_each_window_alone():
    logits = np.random.default_rng(1).normal(0, 4, (30, 3))
    alone = fit_decoder("none", CLASSES, LABELS, gaps=GAPS, hop=1.0, temperature=1.7)
    expected = np.exp(logits / 1.7) / np.exp(logits / 1.7).sum(1, keepdims=True)
    for lag in (0, 2, None):
        decoded = alone.with_lag(lag).decode(logits)
        np.testing.assert_allclose(decoded.probabilities, expected, atol=1e-9)
        assert decoded.labels.tolist() == logits.argmax(1).tolist()


def test_the_causal_decoder_is_the_forward_filter_of_its_numbers_and_restarts_after_a_long_gap():
    decoder = fit_decoder("grammar", CLASSES, LABELS, gaps=GAPS, hop=1.0, grammar=GRAMMAR, longest_gap=2)
    logits = np.random.default_rng(2).normal(0, 3, (40, 3))
    gaps = np.ones(40, int)
    gaps[[0, 10, 20, 30]] = [0, 3, 4, 0]  # two windows are missing before 10, three before 20
    chain = np.exp(decoder.log_transition), np.exp(decoder.log_start)
    restarted = np.where(gaps == 4, 0, gaps)
    expected = forward_loop(decoder.evidence(logits), *chain, restarted)
    decoded = decoder.decode(logits, gaps)
    np.testing.assert_allclose(decoded.probabilities, expected, atol=1e-9)
    assert decoded.labels.tolist() == expected.argmax(1).tolist()


@pytest.mark.parametrize(("lag", "moved"), [(0, 0), (2, 2)])
def test_the_future_beyond_the_lag_never_changes_an_answer(lag, moved):
    decoder = fit_decoder("duration", CLASSES, LABELS, gaps=GAPS, hop=1.0, lag=lag)
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (60, 3))
    for end in (1, 2, 3, 20, 41, 58):
        changed = np.concatenate([logits[:end], rng.normal(0, 9, (60 - end, 3))])
        kept = max(end - moved, 0)
        whole, cut = decoder.decode(logits), decoder.decode(changed)
        assert np.array_equal(whole.probabilities[:kept], cut.probabilities[:kept])
        assert np.array_equal(whole.labels[:kept], cut.labels[:kept])


def test_the_offline_path_obeys_a_grammar_that_single_windows_break():
    logits = np.array([[4.0, 0, 0]] * 4 + [[0.0, 0, 4.0]] * 4)
    decoder = fit_decoder("grammar", CLASSES, LABELS, gaps=GAPS, hop=1.0, grammar=GRAMMAR, lag=None, prior=0)
    labels = decoder.decode(logits).labels
    assert set(zip(labels[:-1].tolist(), labels[1:].tolist(), strict=True)) == {(0, 0), (0, 1), (1, 2), (2, 2)}


def test_a_temperature_is_the_best_of_a_fine_grid():
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 4, 300)
    logits = 6 * (np.eye(4)[labels] + rng.normal(0, 0.7, (300, 4)))

    def loss(temperature):
        scaled = logits / temperature
        return np.mean(np.log(np.exp(scaled).sum(1)) - scaled[np.arange(300), labels])

    grid = np.exp(np.linspace(math.log(0.5), math.log(20), 800))
    assert fit_temperature(logits, labels) == pytest.approx(grid[np.argmin([loss(t) for t in grid])], rel=5e-3)
    with pytest.raises(UserError, match="class of each window"):
        fit_temperature(logits, labels + 1)


def test_a_decoder_saved_as_json_is_the_same():
    decoder = fit_decoder("grammar", CLASSES, LABELS, gaps=GAPS, hop=1.28, grammar=GRAMMAR, lag=None, temperature=1.3)
    again = Decoder.from_dict(json.loads(json.dumps(decoder.to_dict())))
    assert again.to_dict() == decoder.to_dict()
    logits = np.random.default_rng(7).normal(0, 3, (20, 3))
    assert np.array_equal(again.decode(logits).probabilities, decoder.decode(logits).probabilities)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "markov"}, "Unknown kind of decoder 'markov'"),
        ({"log_start": [0.0, 0.0, 0.0]}, "must sum to 1"),
        ({"log_start": [0.0, None, 0.0]}, "must be finite numbers"),
        ({"log_start": [0.0, "half", 0.0]}, "numbers only"),
        ({"log_prior": [[1.0, 2.0, 3.0]]}, "must be finite numbers"),
        ({"log_prior": [1.0, float("nan"), 3.0]}, "must be finite numbers"),
        ({"log_transition": [[0.0], [0.0, 1.0]]}, "rows of equal length"),
        ({"temperature": 0}, "temperature of a decoder must lie above 0"),
        ({"temperature": "1"}, "temperature of a decoder must be a number"),
        ({"lag": -1}, "lag of a decoder must lie between 0"),
        ({"lag": 1.5}, "lag of a decoder must be a whole number"),
        ({"longest_gap": None}, "longest_gap of a decoder must be a whole number"),
        ({"classes": "abc"}, "list of names"),
        ({"extra": 1}, "unknown or missing: extra"),
    ],
)
def test_a_wrong_value_of_a_saved_decoder_is_named(change, says):
    values = fit_decoder("duration", CLASSES, LABELS, gaps=GAPS, hop=1.0).to_dict()
    with pytest.raises(UserError, match=says):
        Decoder.from_dict(values | change)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "markov"}, "Unknown kind"),
        ({"kind": "grammar"}, "needs a grammar"),
        ({"kind": "grammar", "grammar": Grammar("odd", {"rest": ("swim",)})}, "Unknown class in grammar odd 'swim'"),
        ({"labels": [0, 3]}, "labels from 0 to 2"),
        ({"labels": [-1]}, "at least one"),
        ({"stay": 0.0}, "above 0"),
    ],
)
def test_what_a_decoder_cannot_be_fitted_to_is_named(options, says):
    with pytest.raises(UserError, match=says):
        fit_decoder(**{"kind": "duration", "classes": CLASSES, "labels": [0, 1, 2], "hop": 1.0} | options)


def test_the_grammar_of_hapt_names_its_classes_and_leads_through_transitions(tmp_path):
    classes = list_cards()["hapt"].spec.classes
    grammar = read_grammar("hapt-postures")
    allowed = grammar.allowed(classes)
    assert set(grammar.names) == set(classes)
    # A wearer who lies comes to walk in two steps at least.
    lying, walking = classes.index("LAYING"), classes.index("WALKING")
    assert not allowed[lying, walking]
    assert (allowed.astype(int) @ allowed)[lying, walking]
    # Every activity can be reached from every other.
    assert (np.linalg.matrix_power(np.eye(12, dtype=int) + allowed, 11) > 0).all()
    own = tmp_path / "own.toml"
    own.write_text('transitions = ["rise"]\n[follows]\nrest = ["rise"]\nrise = ["walk", "rest"]\n')
    assert read_grammar(own).allowed(CLASSES).astype(int).tolist() == [[0, 1, 0], [1, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("follows = 3", "must have a table"),
        ('[follows]\nrest = "rise"', "list of classes"),
        ("[follows]\nrest = []", "nothing can follow rest"),
        ("[follow]", "Unknown key in grammar"),
        ("[follows", "is not TOML"),
    ],
)
def test_a_damaged_grammar_is_named(tmp_path, text, says):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        read_grammar(path)


def test_a_grammar_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_grammar(tmp_path / "none.toml")
    with pytest.raises(UserError, match=r"Valid: hapt-postures"):
        read_grammar("postures")


def test_windows_are_ordered_by_recording_and_time_and_gaps_are_hops():
    time = [0.0, 2.56, 1.28, 0.0, 1.28 * 5]
    order, gaps = order_windows([3, 3, 3, 1, 3], time, 1.28)
    assert order.tolist() == [3, 0, 2, 1, 4]
    assert gaps.tolist() == [0, 0, 1, 1, 3]
    with pytest.raises(UserError, match="less than a hop"):
        order_windows([1, 1], [0.0, 0.1], 1.0)
    with pytest.raises(UserError, match="whole number of hops"):
        order_windows([1, 1], [0.0, 1.5], 1.0)
    with pytest.raises(UserError, match="longer than 0"):
        order_windows([1, 1], [0.0, 1.5], 0.0)


def test_another_hop_keeps_durations_lag_and_gaps_in_seconds():
    follows = {"a": ("b",), "b": ("a", "c"), "c": ("b",)}
    labels = np.repeat([0, 1, 2, 1, 0], [20, 6, 9, 8, 15])
    decoder = fit_decoder(
        "grammar", ("a", "b", "c"), labels, hop=1.28, grammar=Grammar("own", follows), lag=2, longest_gap=4,
        temperature=1.5, thresholds={"alone": 0.5, "0": 0.6, "2": 0.7, "offline": 0.8},
    )  # fmt: skip
    half = decoder.with_hop(0.64)
    before, after = np.exp(decoder.log_transition), np.exp(half.log_transition)
    for number in range(3):
        dwell = [hop / (1 - table[number, number]) for hop, table in ((1.28, before), (0.64, after))]
        assert dwell[0] == pytest.approx(dwell[1])
        others = [table[number] / (1 - table[number, number]) for table in (before, after)]
        np.testing.assert_allclose(np.delete(others[0], number), np.delete(others[1], number))
    assert (half.lag, half.longest_gap, half.hop) == (4, 8, 0.64)
    assert half.temperature == pytest.approx(1.5 * 2**0.5)
    assert half.thresholds == {"alone": 0.5, "0": 0.6, "4": 0.7, "offline": 0.8}
    assert (half.threshold, decoder.with_lag(None).with_hop(0.64).lag) == (0.7, None)
    np.testing.assert_allclose(half.with_hop(1.28).log_transition, decoder.log_transition, atol=1e-9)
    with pytest.raises(UserError, match="longer than 0 s"):
        decoder.with_hop(0)
