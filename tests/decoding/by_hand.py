"""Decoders a second time: every path enumerated, and loops over windows; nothing is taken from the package."""

import itertools
import math

import numpy as np


def paths_of(evidence, transition, start):
    """Every path of a short sequence with its probability, up to one factor."""
    n, classes = evidence.shape
    for path in itertools.product(range(classes), repeat=n):
        weight = start[path[0]] * math.exp(evidence[0, path[0]])
        for t in range(1, n):
            weight *= transition[path[t - 1], path[t]] * math.exp(evidence[t, path[t]])
        yield path, weight


def posteriors(evidence, transition, start):
    """(n, C) probability of each class, given all windows, by enumeration."""
    table = np.zeros_like(evidence)
    for path, weight in paths_of(evidence, transition, start):
        for t, label in enumerate(path):
            table[t, label] += weight
    return table / table.sum(1, keepdims=True)


def lagged(evidence, transition, start, lag):
    """(n, C) probability of the class of each window, given those up to ``lag`` after it: a prefix is enumerated."""
    return np.stack([posteriors(evidence[: t + lag + 1], transition, start)[t] for t in range(len(evidence))])


def best_path(evidence, transition, start):
    """The most probable path, the first of equals."""
    return max(paths_of(evidence, transition, start), key=lambda item: item[1])


def forward_loop(evidence, transition, start, gaps):
    """The forward filter of one sequence, window by window, stepping through each gap."""
    states = []
    for t, gap in enumerate(gaps):
        if gap == 0:
            state = list(start)
        else:
            for _ in range(gap):
                state = [sum(state[i] * transition[i][j] for i in range(len(start))) for j in range(len(start))]
        state = [state[j] * math.exp(evidence[t][j]) for j in range(len(start))]
        total = sum(state)
        state = [value / total for value in state]
        states.append(state)
    return np.array(states)


def backward_loop(evidence, transition, start, gaps):
    """Forward-backward over sequences, window by window, with scaled sums."""
    forward = forward_loop(evidence, transition, start, gaps)
    n, classes = evidence.shape
    later = np.ones((n, classes))
    for t in range(n - 2, -1, -1):
        if gaps[t + 1] == 0:
            continue
        beta = [math.exp(evidence[t + 1][j]) * later[t + 1][j] for j in range(classes)]
        for _ in range(gaps[t + 1]):
            beta = [sum(transition[i][j] * beta[j] for j in range(classes)) for i in range(classes)]
        later[t] = np.array(beta) / max(beta)
    both = forward * later
    return both / both.sum(1, keepdims=True)


def viterbi_loop(evidence, log_transition, log_start):
    """Viterbi over one sequence without gaps."""
    n, classes = evidence.shape
    best, came = [[log_start[j] + evidence[0][j] for j in range(classes)]], []
    for t in range(1, n):
        row, back = [], []
        for j in range(classes):
            values = [best[-1][i] + log_transition[i][j] for i in range(classes)]
            back.append(int(np.argmax(values)))
            row.append(max(values) + evidence[t][j])
        best.append(row)
        came.append(back)
    path = [int(np.argmax(best[-1]))]
    for back in reversed(came):
        path.append(back[path[-1]])
    return path[::-1]


def integer_filter(scores, decoder, gaps):
    """The integer forward filter as the page specifies it, in Python's own whole numbers; labels without a lag."""
    table = [math.floor(64 * math.log(1 + math.exp(-d / 64)) + 0.5) for d in range(311)]
    transition, start, prior = decoder.transition.tolist(), decoder.start.tolist(), decoder.prior.tolist()
    classes, states, labels = len(start), [], []

    def add(a, b):
        apart = abs(a - b)
        return max(a, b) + (table[apart] if apart < 311 else 0)

    def lower(values):
        top = max(values)
        return [max(value - top, -16384) for value in values]

    for window, gap in zip(scores.tolist(), gaps, strict=True):
        top = max(window)
        evidence = [max(window[c] - top, -decoder.span) - prior[c] for c in range(classes)]
        if gap == 0 or gap > decoder.longest_gap + 1:
            state = start
        else:
            for _ in range(gap):
                after = []
                for j in range(classes):
                    total = state[0] + transition[0][j]
                    for i in range(1, classes):
                        total = add(total, state[i] + transition[i][j])
                    after.append(total)
                state = lower(after)
        state = lower([state[c] + evidence[c] for c in range(classes)])
        states.append(state)
        labels.append(state.index(max(state)))
    return np.array(states), labels
