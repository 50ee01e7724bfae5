"""Warm-up: how long after it is switched on a recogniser answers as if it had always been on.

A network begins every window anew, recurrent ones too, so a window by itself is answered as ever once it is full. What
remembers is the decoder: its first answers lack the windows before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..decoding import order_windows
from ..decoding.sequences import restart_at
from ..errors import UserError
from ..signals.recording import Dataset
from ..windows import cut
from .bundle import Bundle
from .recordings import fit_recordings

#: Windows between two starts, and windows after each in which answers are compared.
EVERY, HORIZON = 7, 120
#: Windows that a recording needs before a start, so that there is something to miss.
BEFORE = 10


@dataclass(frozen=True, eq=False)
class WarmUp:
    """Windows after which the answers of a recogniser that starts late stay those of one that was always on.

    Args:
        windows: (starts,) of each start; 0 where its first answer is right and stays so.
        window, hop: samples of the contract.
        rate: samples in a second.
        lag: windows of future that every answer waits for.
    """

    windows: NDArray[np.int64]
    window: int
    hop: int
    rate: float
    lag: int

    def samples(self, share: float = 0.5) -> int:
        """Return the samples after which this share of the starts answers as if it had always been on."""
        wrong = int(np.quantile(self.windows, share, method="inverted_cdf"))
        return self.window + (wrong + self.lag) * self.hop

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: samples and seconds until half, 95 % and all of the starts are right."""
        shares = {"half": 0.5, "most": 0.95, "all": 1.0}
        samples = {name: self.samples(share) for name, share in shares.items()}
        return {
            "starts": len(self.windows),
            "at_once": float(np.mean(self.windows == 0)),
            "samples": samples,
            "seconds": {name: count / self.rate for name, count in samples.items()},
        }


def measure_warm_up(bundle: Bundle, dataset: Dataset, *, resampled: bool = False) -> WarmUp:
    """Measure the warm-up of a bundle on recordings, by starting it in the middle of them.

    From every seventh window on, the decoder begins anew, and its answers are compared with those of the whole
    recording for 120 windows.

    Args:
        bundle: with a decoder or without.
        dataset: recordings, labelled or not.
        resampled: whether recordings of another rate are resampled.

    Returns:
        The warm-up of each start.

    Raises:
        UserError: the recordings do not fit, are too short, or the decoder is offline: it never answers early.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle, measure_warm_up
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=1, minutes=2)
        >>> bundle = Bundle.save("best", sm.networks.build_network("mlp-small", data.spec, seed=0), data.spec)
        >>> measure_warm_up(bundle, data).samples(1.0)  # without a decoder: one window
        128
    """
    spec, decoder = bundle.spec, bundle.decoder
    if decoder is not None and decoder.lag is None:
        raise UserError(f"The decoder of {bundle.path} is offline and waits for the end of a recording; give it a lag.")
    windows = cut(fit_recordings(dataset, spec, resampled=resampled), null="keep", missing="drop")
    seconds = (windows.starts - windows.recording_start[windows.recording]) / spec.rate
    order, gaps = order_windows(windows.recording, seconds, spec.hop / spec.rate)
    begins = np.flatnonzero(restart_at(gaps, 0 if decoder is None else decoder.longest_gap) == 0)
    ends = np.append(begins[1:], len(gaps))
    starts = [
        (at, min(at + HORIZON, end))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        for at in range(begin + BEFORE, end - BEFORE, EVERY)
    ]
    if not starts:
        raise UserError(f"{dataset.name} has no recording of more than {2 * BEFORE} windows in a row; give more.")
    late = np.zeros(len(starts), np.int64)
    if decoder is not None:
        logits = bundle.logits(windows.values(order), windows.spec)
        whole = decoder.decode(logits, gaps).predictions
        rows = np.concatenate([np.arange(*each) for each in starts])
        lengths = np.array([end - at for at, end in starts])
        firsts = np.append(0, np.cumsum(lengths)[:-1])
        again = gaps[rows]
        again[firsts] = 0
        wrong = decoder.decode(logits[rows], again).predictions != whole[rows]
        # The end of a horizon lacks the future that a lag waits for: it is not compared.
        place = np.arange(len(rows)) - np.repeat(firsts, lengths)
        wrong &= place < np.repeat(lengths - (decoder.lag or 0), lengths)
        late = np.maximum.reduceat(np.where(wrong, place + 1, 0), firsts)
    return WarmUp(late, spec.window, spec.hop, spec.rate, 0 if decoder is None else int(decoder.lag or 0))
