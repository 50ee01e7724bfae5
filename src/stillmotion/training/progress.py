"""Show the progress of a fleet on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Epoch:
    """Progress of a fleet after an epoch."""

    number: int
    alive: int
    waiting: int
    finished: int
    failed: int
    terms: Mapping[str, float]
    best: float
    seconds: float
    left: float | None


@dataclass
class Progress:
    """Print progress: one line that a terminal overwrites, or plain lines elsewhere.

    Args:
        enabled: whether anything is printed.
        every: seconds between two updates (20 times as long where standard error is not a terminal).
    """

    enabled: bool = True
    every: float = 0.5
    _last: float = field(default=0.0, init=False)
    _width: int = field(default=0, init=False)

    def __call__(self, epoch: Epoch, *, last: bool = False) -> None:
        """Show an epoch, unless the last update was too recent; the last epoch is always shown."""
        terminal = sys.stderr.isatty()
        pause = self.every if terminal else 20 * self.every
        if not self.enabled or (not last and time.monotonic() - self._last < pause):
            return
        self._last = time.monotonic()
        terms = ", ".join(f"{name} {value:.3f}" for name, value in epoch.terms.items())
        text = (
            f"epoch {epoch.number}: {epoch.alive} training, {epoch.waiting} waiting, {epoch.finished} done"
            f"{f', {epoch.failed} failed' if epoch.failed else ''} | {terms} | best validation {epoch.best:.3f} | "
            f"{_clock(epoch.seconds)}{'' if epoch.left is None else f', at most {_clock(epoch.left)} left'}"
        )
        if terminal:
            print("\r" + text.ljust(self._width), end="\n" if last else "", file=sys.stderr, flush=True)
            self._width = len(text)
        else:
            print(text, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
