"""Smooth random paths: through given poses, along cycles of varying length, and slow drift."""

from __future__ import annotations

import numpy as np

from .rotation import Array


def pass_poses(t: Array, times: Array, poses: Array) -> Array:
    """Interpolate ``poses`` (M, K) at ``times`` (M,) with minimum jerk, at rest in each pose: (K, N) at times ``t``.

    Between two poses every joint follows 10u³ − 15u⁴ + 6u⁵ (Flash & Hogan, J. Neuroscience 5, 1985), the
    course of unhurried human movement. Before the first and after the last pose the path is constant.
    """
    i = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 2)
    u = np.clip((t - times[i]) / (times[i + 1] - times[i]), 0.0, 1.0)
    s = u * u * u * (10 + u * (6 * u - 15))
    counts = np.bincount(i, minlength=len(times) - 1)
    path: Array = np.repeat(np.diff(poses, axis=0).T, counts, axis=1)
    path *= s
    path += np.repeat(poses[:-1].T, counts, axis=1)
    return path


def draw_phase(rng: np.random.Generator, n: int, dt: float, rate: float, jitter: float) -> Array:
    """Draw the phase (n,), in cycles, of a movement at about ``rate`` Hz whose cycles differ in length by ``jitter``.

    The cycles' logarithmic durations follow a first-order autoregression (0.6), and the rate is
    interpolated between cycles, so that the phase has a continuous first derivative.
    """
    count = int(n * dt * rate * 1.5) + 4
    rates = rate * np.exp(jitter * draw_correlated(rng, count, 0.6))
    t = np.arange(n) * dt
    phase: Array = float(rng.random()) + np.cumsum(np.interp(t, np.arange(count) / rate, rates)) * dt
    return phase


def draw_correlated(rng: np.random.Generator, count: int, memory: float) -> Array:
    """Draw first-order autoregressive noise (count,) of unit variance with coefficient ``memory``."""
    from scipy.signal import lfilter

    noise = rng.standard_normal(count)
    noise[1:] *= np.sqrt(1 - memory**2)
    correlated: Array = lfilter([1.0], [1.0, -memory], noise)
    return correlated


def draw_drift(rng: np.random.Generator, n: int, dt: float, size: Array, every: float) -> Array:
    """Draw slow unrest (K, n): a path through random poses of standard deviation ``size`` (K,), ``every`` s apart."""
    count = int(n * dt / every) + 3
    times = (np.arange(count) - rng.random()) * every
    return pass_poses(np.arange(n) * dt, times, rng.standard_normal((count, len(size))) * size)


def draw_bursts(
    rng: np.random.Generator, n: int, dt: float, on: tuple[float, float], off: tuple[float, float]
) -> Array:
    """Draw an envelope (n,) between 0 and 1: active for ``on`` s, pausing for ``off`` s, each drawn from a range."""
    count = int(n * dt / (on[0] + off[0])) + 2
    spans = np.stack([rng.uniform(*on, count), rng.uniform(*off, count)], axis=1).ravel()
    edges = np.cumsum(spans) - spans[0] * rng.random()
    level = np.tile([0.0, 1.0], count)
    ramp = 0.08
    times = np.stack([edges - ramp, edges + ramp], axis=1).ravel()
    values = np.stack([1.0 - level, level], axis=1).ravel()
    envelope: Array = np.interp(np.arange(n) * dt, times, values)
    return envelope
