"""Softmax regression trained in NumPy, every formula written out: the reference for fleets of ``small.linear``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Settings:
    """The numbers of one run, as the papers write them."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip: float = 0.0
    average: float = 0.0
    smoothing: float = 0.0
    alpha: float = 1.0
    temperature: float = 1.0
    square: float = 1.0
    weighted: float = 1.0
    total: int = 0
    cosine: bool = False
    warmup: float = 0.0


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rate(settings: Settings, step: int) -> float:
    """Learning rate at ``step`` (0, 1, …): a ramp over the first share, a half cosine over the rest."""
    value, ramp = settings.learning_rate, settings.warmup * settings.total
    if settings.cosine:
        value *= (1 + np.cos(np.pi * max(step - ramp, 0) / (settings.total - ramp))) / 2
    return value * min((step + 1) / ramp, 1) if ramp > 0 else value


def gradient(
    kernel: np.ndarray,
    bias: np.ndarray,
    x: np.ndarray,
    targets: np.ndarray,
    settings: Settings,
    weights: np.ndarray,
    offset: np.ndarray,
    teacher: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Of α·CE + (1−α)·T²·KL, each window by its weight, as a mean over the batch, in the kernel and the bias."""
    z = x @ kernel + bias
    by_logits = settings.alpha * weights[:, None] * (softmax(z + offset) - targets)
    if teacher is not None:
        t = settings.temperature
        # d KL / dz = (softmax(z/T) − softmax(teacher/T)) / T
        softened = (softmax(z / t) - softmax(teacher / t)) / t
        factors = weights[:, None] if settings.weighted else 1
        by_logits = by_logits + (1 - settings.alpha) * (t**2 if settings.square else 1) * factors * softened
    by_logits = by_logits / len(x)
    return x.T @ by_logits, by_logits.sum(0)


def train(
    kernel: np.ndarray,
    bias: np.ndarray,
    batches: list[tuple[np.ndarray, np.ndarray]],
    settings: Settings,
    *,
    class_weights: np.ndarray | None = None,
    offset: np.ndarray | None = None,
    teacher: list[np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias after (windows (B, T, D), targets (B, C)) in turn; their moving averages where there is one."""
    weights = [kernel.astype(np.float64), bias.astype(np.float64)]
    classes = len(bias)
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    averages = [w.copy() for w in weights]
    for step, (x, targets) in enumerate(batches):
        factors = targets @ (np.ones(classes) if class_weights is None else class_weights)
        smooth = targets * (1 - settings.smoothing) + settings.smoothing / classes
        gradients = gradient(
            weights[0],
            weights[1],
            x.reshape(len(x), -1).astype(np.float64),
            smooth,
            settings,
            factors,
            np.zeros(classes) if offset is None else offset,
            None if teacher is None else teacher[step],
        )
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        if settings.clip and norm > settings.clip:
            gradients = tuple(g * settings.clip / norm for g in gradients)
        now = rate(settings, step)
        for n, g in enumerate(gradients):
            first[n] = 0.9 * first[n] + 0.1 * g
            second[n] = 0.999 * second[n] + 0.001 * g**2
            correction = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            decay = settings.weight_decay * weights[n] if n == 0 else 0.0  # Kernels only.
            weights[n] = weights[n] - now * correction * first[n] / (np.sqrt(second[n]) + 1e-7) - now * decay
        share = min(settings.average, (2 + step) / (11 + step))
        averages = [share * a + (1 - share) * w for a, w in zip(averages, weights, strict=True)]
    return (averages[0], averages[1]) if settings.average else (weights[0], weights[1])
