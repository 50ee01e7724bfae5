"""What `still live` shows in a terminal: the activity, its probability, the signal, and what went wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..bundles import Prediction
from ..signals import SignalSpec

#: Seconds of signal, characters of a signal and of a bar, and activities so far that are shown.
SECONDS, WIDE, BAR, SHOWN = 5.0, 40, 20, 5
LEVELS = "▁▂▃▄▅▆▇█"


class LiveView:
    """The view of a stream.

    Args:
        spec: the contract.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.reports import LiveView
        >>> view = LiveView(sm.load("simulated", sensors="wrist.acc").spec)
        >>> view.render("waiting for samples").renderables[0].plain
        '–'
    """

    def __init__(self, spec: SignalSpec) -> None:
        self.spec = spec
        self.answer: Prediction | None = None
        self.bouts: deque[tuple[float, float, str]] = deque(maxlen=SHOWN)
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=max(WIDE, round(SECONDS * spec.rate)))

    def take(self, samples: NDArray[np.float32], answers: Sequence[Prediction]) -> None:
        """Take samples (n, channels) and what was answered with them."""
        self._recent.extend(samples)
        for answer in answers:
            self.answer = answer
            if self.bouts and self.bouts[-1][2] == answer.label:
                self.bouts[-1] = (self.bouts[-1][0], answer.end, answer.label)
            else:
                self.bouts.append((answer.start, answer.end, answer.label))

    def render(self, status: str) -> Group:
        """Return what is shown now.

        Args:
            status: the last line.
        """
        label = "–" if self.answer is None else self.answer.label
        return Group(Text(label, style="bold"), self._bars(), self._signal(), *self._past(), Text(status, style="dim"))

    def _bars(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        chances = np.zeros(len(self.spec.classes)) if self.answer is None else self.answer.probabilities
        for name, chance in zip(self.spec.classes, chances.tolist(), strict=True):
            bar = "█" * round(BAR * chance)
            table.add_row(Text(name), Text(bar.ljust(BAR, "·")), Text(f"{chance:.0%}".rjust(4)))
        return table

    def _signal(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        for place, channel in enumerate(self.spec.channels):
            values = np.array([each[place] for each in self._recent])
            table.add_row(Text(channel.name), Text(_spark(values).ljust(WIDE)), Text(_last(values, channel.unit)))
        return table

    def _past(self) -> list[Text]:
        return [Text(f"{start:7.1f}–{end:.1f} s  {label}") for start, end, label in self.bouts]


def _spark(values: NDArray[np.float32]) -> str:
    """Draw values as blocks, the newest at the right."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ""
    places = np.linspace(0, len(values) - 1, min(WIDE, len(values))).round().astype(int)
    low, span = float(finite.min()), float(finite.max() - finite.min())
    marks = []
    for value in values[places].tolist():
        level = round((value - low) / span * (len(LEVELS) - 1)) if span and np.isfinite(value) else 0
        marks.append(LEVELS[level] if np.isfinite(value) else " ")
    return "".join(marks)


def _last(values: NDArray[np.float32], unit: str) -> str:
    return f"{values[-1]:+.3g} {unit}".rstrip() if len(values) else ""
