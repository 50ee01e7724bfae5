"""The decoder in whole numbers: a forward filter that C repeats bit for bit.

The specification is the page "Decoding" of the guides; ``IntegerDecoder`` is its reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from .decoder import Decoder
from .sequences import Integers, check_gaps
from .unknown import ALONE, UNKNOWN, pick_threshold

#: Whole numbers in one nat: scores, transitions and state are logarithms in units of 1/64 nat.
UNITS = 64
#: Lowest logarithm; all fit int16, and the sum of two fits int32 with room to spare.
LOWEST = -16384
#: Largest quantised logit by magnitude, so that differences fit int32.
LARGEST = 1 << 24
#: Fraction bits of the multiplier of integer logits.
SHIFT = 16
#: Longest gap that is stepped over, in windows.
LONGEST_GAP = 255


def log_sum_table() -> NDArray[np.uint8]:
    """Return the table of ``log(1 + exp(−d))`` for differences d = 0, 1, … in units of 1/64 nat.

    Returns:
        (311,) values in the same units; beyond them the value rounds to 0.

    Example:
        >>> from stillmotion.decoding import log_sum_table
        >>> log_sum_table()[[0, 1, 2, 64, 310]]
        array([44, 44, 43, 20,  1], dtype=uint8)
    """
    values = np.floor(UNITS * np.log1p(np.exp(-np.arange(4096) / UNITS)) + 0.5)
    return np.trim_zeros(values, "b").astype(np.uint8)


TABLE = log_sum_table()


@dataclass(frozen=True, eq=False)
class IntegerDecoder:
    """A decoder in whole numbers; all logarithms are int16 in units of 1/64 nat.

    Args:
        transition: (C, C) int16, after the class of a row the class of a column.
        start: (C,) int16.
        prior: (C,) int16, subtracted from the evidence.
        span: lowest evidence before the prior is subtracted is ``−span``.
        logit_scale: float32 factor of float logits, 64 / temperature.
        lag: windows of future that an answer waits for, 0 for none.
        longest_gap: longest gap in windows without evidence over which the chain goes on.
        chained: whether windows are put in a row; otherwise each is answered by itself.
        limit: largest ``log_sum`` of a state whose highest value is 0 with which a window is answered; None for all.
        limit_alone: the same of the evidence of a window by itself, before the prior is subtracted.
    """

    transition: NDArray[np.int16]
    start: NDArray[np.int16]
    prior: NDArray[np.int16]
    span: int
    logit_scale: np.float32
    lag: int = 0
    longest_gap: int = 0
    chained: bool = True
    limit: int | None = None
    limit_alone: int | None = None

    @classmethod
    def of(cls, decoder: Decoder) -> IntegerDecoder:
        """Round a decoder to whole numbers.

        Args:
            decoder: causal, or with a fixed lag.

        Returns:
            The integer decoder.

        Raises:
            UserError: the decoder is offline: it needs the whole recording.

        Example:
            >>> from stillmotion.decoding import IntegerDecoder, fit_decoder
            >>> decoder = fit_decoder("duration", ("rest", "walk"), [0] * 8 + [1] * 8, hop=1.0)
            >>> IntegerDecoder.of(decoder).transition
            array([[  -9, -133],
                   [-133,   -9]], dtype=int16)
        """
        if decoder.lag is None:
            raise UserError("An offline decoder has no integer form: it needs the whole recording; give it a lag.")
        return cls(
            transition=_round(decoder.log_transition),
            start=_round(decoder.log_start),
            prior=_round(np.clip(decoder.log_prior - decoder.log_prior.max(), LOWEST / UNITS, 0)),
            span=int(min(math.floor(UNITS * decoder.span + 0.5), -LOWEST)),
            logit_scale=np.float32(UNITS / decoder.temperature),
            lag=decoder.lag,
            longest_gap=min(decoder.longest_gap, LONGEST_GAP),
            chained=decoder.kind != "none",
            limit=_limit(decoder.threshold),
            limit_alone=_limit(pick_threshold(decoder.thresholds, ALONE)),
        )

    @property
    def constant_bytes(self) -> int:
        """Bytes of the constants on a device: transitions, start, prior and the table."""
        return self.transition.nbytes + self.start.nbytes + self.prior.nbytes + TABLE.nbytes

    def quantise_logits(self, logits: ArrayLike) -> NDArray[np.int32]:
        """Quantise float logits: one float32 product each, rounded half to even (C: ``lrintf``)."""
        scaled = np.asarray(logits, np.float32) * self.logit_scale
        return np.asarray(np.rint(np.clip(scaled, -LARGEST, LARGEST)), np.int32)

    def multiplier(self, scale: float) -> int:
        """Return the multiplier of integer logits that are multiples of ``scale``, with 16 fraction bits."""
        value = math.floor(float(self.logit_scale) * scale * (1 << SHIFT) + 0.5)
        if not 0 < value < 1 << 31:
            raise UserError(f"The scale {scale:g} of integer logits gives the multiplier {value}, not 1 to 2^31 − 1.")
        return value

    def rescale_logits(self, logits: ArrayLike, multiplier: int) -> NDArray[np.int32]:
        """Rescale integer logits: ``(logit · multiplier + 2^15) >> 16`` in int64 (the shift rounds down)."""
        product = np.asarray(logits, np.int64) * multiplier + (1 << (SHIFT - 1))
        return np.asarray(np.clip(product >> SHIFT, -LARGEST, LARGEST), np.int32)

    def evidence(self, scores: ArrayLike) -> NDArray[np.int32]:
        """Return the evidence (…, C) of quantised logits: ``max(score − max score, −span) − prior``."""
        values = np.asarray(scores, np.int32)
        return np.asarray(np.maximum(values - values.max(-1, keepdims=True), -self.span) - self.prior, np.int32)

    def filter(self, scores: ArrayLike, gaps: ArrayLike | None = None) -> NDArray[np.int32]:
        """Filter forward: the state after each window.

        Args:
            scores: (n, C) quantised logits.
            gaps: (n,) hops since the window before, 0 at a start.

        Returns:
            (n, C) log-probabilities in units of 1/64 nat, the highest of each window 0.
        """
        evidence, hops = self._checked(scores, gaps)
        states = np.empty_like(evidence)
        for at, gap in enumerate(hops.tolist()):
            states[at] = self._step(states[at - 1], evidence[at], gap)
        return states

    def decode(self, scores: ArrayLike, gaps: ArrayLike | None = None) -> Integers:
        """Decode windows in a row, with the lag.

        Args:
            scores: (n, C) quantised logits.
            gaps: (n,) hops since the window before, 0 at a start.

        Returns:
            (n,) classes, the first of equals; ``UNKNOWN`` (-2) where none is probable enough.
        """
        evidence, hops = self._checked(scores, gaps)
        states = self.filter(scores, hops)
        labels = np.empty(len(states), np.int64)
        for at in range(len(states)):
            last = at
            while last < min(at + self.lag, len(states) - 1) and hops[last + 1] != 0:
                last += 1
            future = np.zeros(len(self.start), np.int32)
            for later in range(last, at, -1):
                future = self._look_back(evidence[later] + future, int(hops[later]))
            joint = _normalise(states[at] + future)
            labels[at] = joint.argmax()
            if self.limit is not None and log_sum(joint) > self.limit:
                labels[at] = UNKNOWN
        return labels

    def decode_alone(self, scores: ArrayLike) -> Integers:
        """Answer each window by itself.

        Args:
            scores: (n, C) quantised logits.

        Returns:
            (n,) classes, the first of equals; ``UNKNOWN`` (-2) where none is probable enough.
        """
        evidence = self.evidence(scores) + self.prior
        labels = np.asarray(evidence.argmax(-1), np.int64)
        if self.limit_alone is None:
            return labels
        return np.where(log_sum(evidence.T) > self.limit_alone, UNKNOWN, labels)

    def _step(self, state: NDArray[np.int32], evidence: NDArray[np.int32], gap: int) -> NDArray[np.int32]:
        if gap == 0:
            joint = self.start + evidence
        else:
            for _ in range(gap):
                state = _normalise(log_sum(state[:, None] + self.transition))
            joint = state + evidence
        return _normalise(joint)

    def _look_back(self, later: NDArray[np.int32], gap: int) -> NDArray[np.int32]:
        for _ in range(gap):
            later = _normalise(log_sum((self.transition + _normalise(later)).T))
        return later

    def _checked(self, scores: ArrayLike, gaps: ArrayLike | None) -> tuple[NDArray[np.int32], Integers]:
        values = np.asarray(scores)
        if values.ndim != 2 or values.shape[1] != len(self.start) or values.dtype.kind not in "iu":
            raise UserError(
                f"The integer decoder takes whole numbers (windows, {len(self.start)}), not {values.dtype} "
                f"{values.shape}."
            )
        hops = check_gaps(gaps, len(values))
        return self.evidence(values), np.where(hops > self.longest_gap + 1, 0, hops)


def log_sum(terms: ArrayLike) -> NDArray[np.int32]:
    """Add up along the first axis in the logarithm: terms in order, one table look-up each.

    Args:
        terms: (I, …) logarithms in units of 1/64 nat.

    Returns:
        Their log-sum (…) in the same units.

    Example:
        >>> from stillmotion.decoding import log_sum
        >>> log_sum([0, 0]), log_sum([0, -640])  # 64 · log 2 = 44.4
        (array(44, dtype=int32), array(0, dtype=int32))
    """
    values = np.asarray(terms, np.int32)
    total = values[0]
    for term in values[1:]:
        apart = np.minimum(np.abs(total - term), len(TABLE))
        total = np.maximum(total, term) + _PADDED[apart]
    return np.asarray(total, np.int32)


_PADDED = np.append(TABLE, 0).astype(np.int32)


def _limit(threshold: float) -> int | None:
    """Return the largest log-sum of a state whose highest value is 0: that value has the threshold's probability."""
    if threshold <= 0:
        return None
    return min(math.floor(-UNITS * math.log(threshold) + 0.5), -LOWEST)


def _normalise(values: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.asarray(np.maximum(values - values.max(), LOWEST), np.int32)


def _round(values: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.asarray(np.maximum(np.floor(UNITS * values + 0.5), LOWEST), np.int16)
