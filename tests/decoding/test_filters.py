"""Filters equal an enumeration of all paths on short sequences, and plain loops on long ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stillmotion.decoding import filter_forward, find_path, smooth, smooth_lag
from stillmotion.errors import UserError

from .by_hand import backward_loop, best_path, forward_loop, lagged, posteriors, viterbi_loop


@st.composite
def chains(draw):
    """Evidence, transitions and a start of a short sequence; some transitions are impossible."""
    classes, windows = draw(st.integers(2, 4)), draw(st.integers(1, 5))
    weights = draw(arrays(np.float64, (classes, classes), elements=st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0])))
    weights += 0.1 * np.eye(classes)
    start = draw(arrays(np.float64, (classes,), elements=st.floats(0.01, 1)))
    evidence = draw(arrays(np.float64, (windows, classes), elements=st.floats(-8, 8)))
    return evidence, weights / weights.sum(1, keepdims=True), start / start.sum()


def logs(transition, start):
    with np.errstate(divide="ignore"):
        return np.log(transition), np.log(start)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(chains(), st.integers(0, 5))
def test_every_filter_equals_the_enumeration_of_all_paths(chain, lag):
    evidence, transition, start = chain
    given_logs = logs(transition, start)
    np.testing.assert_allclose(filter_forward(evidence, *given_logs), lagged(evidence, transition, start, 0), atol=1e-9)
    np.testing.assert_allclose(
        smooth_lag(evidence, *given_logs, lag), lagged(evidence, transition, start, lag), atol=1e-9
    )
    np.testing.assert_allclose(smooth(evidence, *given_logs), posteriors(evidence, transition, start), atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(chains())
def test_the_path_is_as_probable_as_the_best_of_all(chain):
    evidence, transition, start = chain
    path = find_path(evidence, *logs(transition, start))
    weight = start[path[0]] * np.exp(evidence[0, path[0]])
    for t in range(1, len(path)):
        weight *= transition[path[t - 1], path[t]] * np.exp(evidence[t, path[t]])
    assert weight == pytest.approx(best_path(evidence, transition, start)[1], rel=1e-9)


def long_chain(classes=5):
    rng = np.random.default_rng(3)
    transition = rng.dirichlet(np.full(classes, 0.3), classes) * 0.5 + 0.5 * np.eye(classes)
    transition = 0.999 * transition + 0.001 / classes
    gaps = np.ones(400, int)
    gaps[[0, 37, 38, 250]] = 0  # a sequence of one window among them
    gaps[[5, 100, 300]] = [2, 7, 3]
    return rng.normal(0, 3, (400, classes)), transition, rng.dirichlet(np.ones(classes)), gaps


def test_long_sequences_with_gaps_equal_loops_over_their_windows():
    evidence, transition, start, gaps = long_chain()
    given_logs = logs(transition, start)
    forward = filter_forward(evidence, *given_logs, gaps)
    np.testing.assert_allclose(forward, forward_loop(evidence, transition, start, gaps), atol=1e-9)
    both = backward_loop(evidence, transition, start, gaps)
    np.testing.assert_allclose(smooth(evidence, *given_logs, gaps), both, atol=1e-9)
    np.testing.assert_allclose(smooth_lag(evidence, *given_logs, 400, gaps), both, atol=1e-9)
    for begin, end in ((0, 37), (37, 38), (38, 250), (250, 400)):
        whole = np.where(gaps[begin:end] > 1, 1, gaps[begin:end])
        path = find_path(evidence[begin:end], *given_logs, whole)
        assert path.tolist() == viterbi_loop(evidence[begin:end], *given_logs)
        together = find_path(evidence, *given_logs, np.minimum(gaps, 1))[begin:end]
        assert path.tolist() == together.tolist()


def test_over_a_gap_the_path_uses_the_transitions_of_all_its_steps():
    transition = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.1, 0.0, 0.9]])
    evidence = np.array([[9.0, 0, 0], [0, 0, 0]])
    start = np.full(3, 1 / 3)
    assert find_path(evidence, *logs(transition, start), [0, 1]).tolist() == [0, 1]
    assert find_path(evidence, *logs(transition, start), [0, 2]).tolist() == [0, 2]


def test_several_settings_decode_at_once_as_one_by_one():
    evidence, transition, start, gaps = long_chain()
    evidence, gaps = evidence[:120], gaps[:120]
    matrices = np.stack(
        [transition, np.full_like(transition, 1 / 5), transition.T / transition.T.sum(1, keepdims=True)]
    )
    several = np.stack([evidence, 0.5 * evidence, 2 * evidence])
    for decode in (filter_forward, smooth, find_path):
        together = decode(several, np.log(matrices), np.log(start), gaps)
        for each, matrix, result in zip(several, matrices, together, strict=True):
            np.testing.assert_allclose(result, decode(each, np.log(matrix), np.log(start), gaps), atol=1e-12)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_an_answer_uses_exactly_as_many_windows_of_future_as_its_lag(lag):
    evidence, transition, start, gaps = long_chain()
    given_logs, at = logs(transition, start), 60
    before = smooth_lag(evidence, *given_logs, lag, gaps)
    changed = evidence.copy()
    changed[at:] = np.random.default_rng(4).normal(0, 9, changed[at:].shape)
    after = smooth_lag(changed, *given_logs, lag, gaps)
    assert np.array_equal(before[: at - lag], after[: at - lag])
    assert (np.abs(before[at - lag : at] - after[at - lag : at]).max(1) > 1e-6).all()


def test_evidence_thousands_of_nats_apart_stays_finite():
    transition, start = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0.5, 0.5])
    evidence = np.array([[0, -4000.0], [-4000.0, 0], [0, -4000.0]])
    for decode in (filter_forward, smooth):
        assert decode(evidence, *logs(transition, start)).argmax(1).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("evidence", "gaps", "says"),
    [
        (np.zeros((3, 3)), None, "needs evidence"),
        (np.full((3, 2), np.nan), None, "not finite"),
        (np.zeros((3, 2)), [0, 1], "whole numbers of 0 or more and begin with 0"),
        (np.zeros((3, 2)), [1, 1, 1], "begin with 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(evidence, gaps, says):
    with pytest.raises(UserError, match=says):
        smooth(evidence, np.log(np.full((2, 2), 0.5)), np.log([0.5, 0.5]), gaps)
    with pytest.raises(UserError, match="lag must be 0"):
        smooth_lag(np.zeros((3, 2)), np.log(np.full((2, 2), 0.5)), np.log([0.5, 0.5]), -1)
