"""Decode windows as they come: a decoder that keeps what it needs of the windows so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .decoder import Decoded, Decoder
from .filters import filter_forward, smooth_lag


class DecoderStream:
    """Decode windows in a row part by part; all parts together give what ``Decoder.decode`` gives of the whole.

    Args:
        decoder: causal, or with a fixed lag.

    Raises:
        UserError: the decoder is offline: it needs the whole recording.

    Example:
        >>> from stillmotion.decoding import DecoderStream, fit_decoder
        >>> decoder = fit_decoder("duration", ("rest", "walk"), [0] * 8 + [1] * 8, hop=1.0, lag=1)
        >>> stream = DecoderStream(decoder)
        >>> stream.push([[2.0, 0.0]]).labels, stream.push([[0.0, 0.5], [2.0, 0.0]]).labels, stream.finish().labels
        (array([], dtype=int64), array([0, 0]), array([0]))
    """

    def __init__(self, decoder: Decoder) -> None:
        if decoder.lag is None:
            raise UserError("An offline decoder cannot decode a stream: it needs the whole recording; give it a lag.")
        self.decoder, self._lag = decoder, decoder.lag
        self.reset()

    def reset(self) -> None:
        """Forget all windows: the next one begins a sequence."""
        #: Evidence of the windows that wait, and the log-probability of the first one's class before its evidence.
        self._waiting = np.zeros((0, len(self.decoder.classes)))
        self._start = self.decoder.log_start

    def push(self, logits: ArrayLike) -> Decoded:
        """Take the logits (n, C) of the next windows; return the answers for those that have waited long enough."""
        self._waiting = np.concatenate([self._waiting, self.decoder.evidence(logits)])
        return self._answer(len(self._waiting) - self._lag)

    def finish(self) -> Decoded:
        """Return the answers for the windows that wait, as at the end of a recording, and begin a new sequence."""
        decoded = self._answer(len(self._waiting))
        self.reset()
        return decoded

    def _answer(self, count: int) -> Decoded:
        probabilities = self._waiting[:0]
        if count > 0:
            matrix = self.decoder.log_transition
            probabilities = smooth_lag(self._waiting, matrix, self._start, self._lag)[:count]
            last = filter_forward(self._waiting[:count], matrix, self._start)[-1:]
            with np.errstate(divide="ignore"):
                self._start = np.log(last @ np.exp(matrix))[0]
            self._waiting = self._waiting[count:]
        return Decoded(np.asarray(probabilities.argmax(-1), np.int64), probabilities, self.decoder.threshold)
