"""Random convolutions with a ridge head, after MiniRocket (Dempster, Schmidt & Webb, KDD 2021, arXiv 2012.08791).

84 fixed kernels of nine weights, six of -1 and three of 2, run at several dilations over sums of randomly chosen
channels; a feature is the share of a window's samples at which the result exceeds a bias, which is a quantile of the
results of a training window. Unlike the paper's, the number of features follows from the window's length, the edges are
always padded, and the head is a closed-form ridge whose scores become logits by one factor. It reads the signal itself,
and takes too much memory for a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import log2

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: Weights of a kernel, how many of them are 2, and all choices of these.
LENGTH, HIGH = 9, 3
KERNELS = np.array(
    [[2.0 if at in high else -1.0 for at in range(LENGTH)] for high in combinations(range(LENGTH), HIGH)]
)
#: Biases of each kernel at each dilation.
BIASES = 5
#: Windows whose results are held at a time.
BLOCK = 64
#: Factors from ridge scores to logits that are tried.
FACTORS = np.logspace(-1, 2, 40)


@dataclass(frozen=True, eq=False)
class RandomConvolutions:
    """The features of fitted random convolutions.

    Args:
        location, scale: (D,) mean and standard deviation of each channel.
        channels: (dilations, D, 84) 1 where a kernel reads a channel at a dilation.
        dilations: samples between two weights.
        biases: (dilations, BIASES, 84).
    """

    location: Floats
    scale: Floats
    channels: Floats
    dilations: tuple[int, ...]
    biases: Floats

    def transform(self, windows: Floats) -> Floats:
        """Return the features (n, F) of windows (n, T, D)."""
        parts = []
        for start in range(0, len(windows), BLOCK):
            block = (windows[start : start + BLOCK] - self.location) / self.scale
            shares = [
                (_convolve(block, channels, dilation)[:, None] > biases[None, :, None]).mean(2, dtype=np.float32)
                for channels, dilation, biases in zip(self.channels, self.dilations, self.biases, strict=True)
            ]
            parts.append(np.stack(shares, axis=1).reshape(len(block), -1))
        return np.concatenate(parts) if parts else np.zeros((0, self.biases.size), np.float32)


def fit_random_convolutions(windows: Floats, *, seed: int) -> RandomConvolutions:
    """Draw the channels of each kernel, and take biases from training windows.

    Args:
        windows: (n, T, D) training windows.
        seed: of channels, and of the windows that biases are quantiles of.

    Returns:
        The features.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features.random_convolutions import fit_random_convolutions
        >>> windows = np.random.default_rng(0).normal(size=(20, 50, 3)).astype(np.float32)
        >>> fit_random_convolutions(windows, seed=0).transform(windows).shape
        (20, 1260)
    """
    random = np.random.default_rng(seed)
    _, length, count = windows.shape
    location, scale = windows.mean((0, 1), np.float64), windows.std((0, 1), np.float64)
    scale[scale == 0] = 1.0
    # As far as a kernel spans the window.
    dilations = tuple(2**power for power in range(int(log2(max(1, (length - 1) / (LENGTH - 1)))) + 1))
    channels = np.zeros((len(dilations), count, len(KERNELS)), np.float32)
    biases = np.zeros((len(dilations), BIASES, len(KERNELS)), np.float32)
    for number, dilation in enumerate(dilations):
        for kernel in range(len(KERNELS)):
            chosen = random.choice(count, random.integers(1, count + 1), replace=False)
            channels[number, chosen, kernel] = 1.0
        drawn = windows[random.integers(0, len(windows), len(KERNELS))]
        block = ((drawn - location) / scale).astype(np.float32)
        # Each kernel takes its biases from a window of its own.
        own = np.concatenate(
            [
                _convolve(block[start : start + BLOCK], channels[number], dilation)
                for start in range(0, len(block), BLOCK)
            ]
        )[np.arange(len(KERNELS)), :, np.arange(len(KERNELS))]
        levels = (np.arange(BIASES) + random.uniform(size=BIASES)) / BIASES
        biases[number] = np.quantile(own, levels, axis=1)
    return RandomConvolutions(location.astype(np.float32), scale.astype(np.float32), channels, dilations, biases)


@dataclass(frozen=True, eq=False)
class RidgeHead:
    """A fitted ridge regression to ±1 for each class.

    Args:
        location, scale: (F,) of the features.
        weights: (F, C).
        bias: (C,).
        factor: from its scores to logits.
    """

    location: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    factor: float

    def predict_logits(self, table: Floats) -> Floats:
        """Return logits (n, C) of features (n, F)."""
        scores = (table - self.location) / self.scale @ self.weights + self.bias
        return np.asarray(self.factor * scores, np.float32)


def fit_ridge(table: Floats, labels: NDArray[np.int64], classes: int, *, alpha: float, weights: Floats) -> RidgeHead:
    """Fit a ridge regression to ±1 for each class, and the factor that makes its scores logits.

    The factor is the one with the least cross-entropy of leave-one-out predictions, which a ridge regression has in
    closed form.

    Args:
        table: (n, F).
        labels: (n,).
        classes: number of classes.
        alpha: strength of the penalty.
        weights: (n,) weight of each window.

    Returns:
        The head.
    """
    total = weights.sum()
    location = weights @ table / total
    scale = np.sqrt(weights @ np.square(table - location) / total)
    scale[scale < 1e-6] = 1.0
    root = np.sqrt(weights)[:, None]
    design = root * ((table - location) / scale)
    targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
    bias = weights @ targets / total
    inverse = np.linalg.inv(design.T @ design + alpha * np.eye(design.shape[1]))
    solution = inverse @ (design.T @ (root * (targets - bias)))
    scores = design @ solution / root + bias
    leverage = np.einsum("nf,fg,ng->n", design, inverse, design, optimize=True)[:, None] + root**2 / total
    left_out = targets - (targets - scores) / np.maximum(1 - leverage, 1e-6)
    losses = [_cross_entropy(factor * left_out, labels, weights) for factor in FACTORS]
    return RidgeHead(location, scale, solution, bias, float(FACTORS[int(np.argmin(losses))]))


def _convolve(windows: Floats, channels: Floats, dilation: int) -> Floats:
    """Return what all kernels give at one dilation: (n, T, D) to (n, T, 84)."""
    summed = windows @ channels
    length, reach = windows.shape[1], LENGTH // 2 * dilation
    padded = np.pad(summed, ((0, 0), (reach, reach), (0, 0)))
    result = np.zeros_like(summed)
    for at, weights in enumerate(KERNELS.T.astype(np.float32)):
        result += weights * padded[:, at * dilation : at * dilation + length]
    return result


def _cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.int64], weights: Floats) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    own = shifted[np.arange(len(labels)), labels] - np.log(np.exp(shifted).sum(1))
    return float(-(weights @ own))
