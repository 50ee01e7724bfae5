"""Read samples from lines of text, as a serial port or a pipe delivers them: noise and cut-off lines included."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ContractError, UserError
from ..signals import SignalSpec

#: Lines in a row that are no samples, after which the input is none.
PATIENCE = 200
#: Names of a column with the clock, in seconds.
CLOCKS = ("time", "t", "seconds", "timestamp")
_APART = re.compile(r"[,;\s]+")


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample from a line.

    Args:
        values: (channels,) in the contract's order; NaN where the line was no sample.
        time: in seconds, None where lines have no clock.
    """

    values: NDArray[np.float32]
    time: float | None = None


class SampleLines:
    """Turn lines into samples of a contract.

    A line holds a number for each channel, in the contract's order, separated by commas, semicolons, tabs or blanks. A
    first line that names columns sets another order; with a column ``time`` (in seconds) samples have a clock. A line
    that is no sample is counted; without a clock it stands for one sample that was lost, if one came before.

    Args:
        spec: the contract.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles.sample_lines import SampleLines
        >>> lines = SampleLines(sm.load("simulated", sensors="wrist.acc").spec)
        >>> lines.read("time,wrist.acc.y,wrist.acc.x,wrist.acc.z")
        >>> sample = lines.read("0.02,2,1,3")
        >>> sample.values, sample.time
        (array([1., 2., 3.], dtype=float32), 0.02)
        >>> lines.read("0.04,2,1,") is None, lines.lost
        (True, 1)
    """

    def __init__(self, spec: SignalSpec) -> None:
        self.spec = spec
        self.count = self.lost = 0
        self._columns = list(range(len(spec.channels)))
        self._clock: int | None = None
        self._width = len(spec.channels)
        self._in_a_row = 0

    def read(self, line: str) -> Sample | None:
        """Return the sample of a line; None of a heading, of an empty line, and of one that is no sample
        with a clock or before the first sample.

        Raises:
            ContractError: the heading lacks a channel.
            UserError: no line of the last 200 was a sample.
        """
        text = line.strip().strip("\x00").strip()
        if not text:
            return None
        cells = _APART.split(text.strip(",;"))
        if self.count == self.lost == 0 and self._take_heading(cells):
            return None
        self.count += 1
        try:
            numbers = [float(cell) for cell in cells]
        except ValueError:
            numbers = []
        clocked = self._clock is None or (len(numbers) == self._width and np.isfinite(numbers[self._clock]))
        if len(numbers) != self._width or not clocked:
            return self._lose(text)
        self._in_a_row = 0
        with np.errstate(over="ignore"):
            values = np.array([numbers[column] for column in self._columns], np.float64).astype(np.float32)
        return Sample(values, None if self._clock is None else numbers[self._clock])

    def _take_heading(self, cells: list[str]) -> bool:
        """Take a line that names channels as the heading."""
        names = [cell.strip("\"'\ufeff") for cell in cells]
        wanted = self.spec.channel_names
        if not set(names) & set(wanted):
            return False
        if missing := [name for name in wanted if name not in names]:
            raise ContractError(f"The heading lacks {', '.join(missing)}; it names {', '.join(names)}.")
        self._columns = [names.index(name) for name in wanted]
        self._clock = next((names.index(name) for name in CLOCKS if name in names), None)
        self._width = len(names)
        return True

    def _lose(self, text: str) -> Sample | None:
        self.lost += 1
        self._in_a_row += 1
        if self._in_a_row >= PATIENCE:
            raise UserError(
                f"{PATIENCE} lines in a row are no samples, the last being {text[:60]!r}; expected {self._width} "
                f"numbers a line ({', '.join(self.spec.channel_names)}), or a first line that names the columns."
            )
        if self._clock is not None or self.lost == self.count:
            return None
        return Sample(np.full(len(self.spec.channels), np.nan, np.float32))
