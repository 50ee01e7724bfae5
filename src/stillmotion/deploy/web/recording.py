"""The recording that a page replays until another one is dropped on it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bundles import Bundle
from ...bundles.calibration import spread_rows
from ...bundles.recordings import fit_recordings
from ...errors import UserError
from ...signals import Dataset
from ..signal_counts import fit_counts

#: Calibration windows, and seconds of a recording, that a page holds.
WINDOWS, SECONDS = 24, 90.0


@dataclass(frozen=True, eq=False)
class Replay:
    """A recording in a page, in counts that stand for its values exactly.

    Args:
        counts: (n, channels) int16.
        shifts: of each channel: value = count · 2^-shift.
        source: a sentence that says where it comes from.
    """

    counts: NDArray[np.int16]
    shifts: tuple[int, ...]
    source: str

    @property
    def samples(self) -> NDArray[np.float32]:
        """(n, channels) in the contract's units."""
        return (self.counts * 2.0 ** -np.asarray(self.shifts, float)).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for the page."""
        counts = base64.b64encode(self.counts.astype("<i2").tobytes()).decode()
        return {"counts": counts, "shifts": list(self.shifts), "source": self.source}


def choose_replay(bundle: Bundle, recording: Dataset | None = None) -> Replay:
    """Choose the recording that a page replays.

    Args:
        bundle: whose contract it fits.
        recording: a data set, whose first recording that is long enough is taken; by default calibration windows of
            the bundle, without them its golden ones.
    """
    spec = bundle.spec
    if recording is not None:
        dataset = fit_recordings(recording, spec, resampled=True)
        whole = next((each.samples for each in dataset.recordings if len(each.samples) >= spec.window), None)
        if whole is None:
            raise UserError(f"{dataset.name} has no recording as long as a window of {spec.window} samples.")
        samples = whole[: round(SECONDS * spec.rate)]
        source = f"{len(samples) / spec.rate:.0f} s of {dataset.name}."
    elif bundle.calibration is not None:
        windows = bundle.calibration[spread_rows(np.arange(len(bundle.calibration)), WINDOWS)]
        # Windows of one activity in a row, so that those between two of them are of it too.
        order = np.argsort(bundle.logits(windows, spec).argmax(1), kind="stable")
        samples = windows[order].reshape(-1, windows.shape[2])
        source = f"{len(windows)} windows of training subjects, in the order of what the model says."
    else:
        windows = bundle.golden[0]
        samples = windows.reshape(-1, windows.shape[2])
        source = f"{len(windows)} golden windows of the bundle, which may be random numbers."
    held = np.nan_to_num(np.asarray(samples, np.float32))
    counts = fit_counts(spec, held[None])
    return Replay(counts.of(held), counts.shifts, source)
