"""Limits of numbers that users give, in Python and in TOML."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UserError


@dataclass(frozen=True)
class Limits:
    """Limits of a number; NaN and infinity are never allowed.

    Args:
        low, high: limits, both included.
        above: exclude ``low``.
        below: exclude ``high``.
        zero: allow 0 too, where it means "not set".
    """

    low: float = 0.0
    high: float = float("inf")
    above: bool = False
    below: bool = False
    zero: bool = False

    def check(self, value: float, what: str) -> None:
        """Raise ``UserError`` unless ``value`` is within the limits; ``what`` names the number in the message."""
        above = self.low < value if self.above else self.low <= value
        below = value < self.high if self.below or self.high == float("inf") else value <= self.high
        if not (above and below) and not (self.zero and value == 0):
            raise UserError(f"{what} must be {self}, not {value}.")

    def __str__(self) -> str:
        if self == Limits():
            return "a finite number of 0 or more"
        low = f"{'above' if self.above else 'at least'} {self.low:,.10g}"
        high = f"{'below' if self.below else 'at most'} {self.high:,.10g}"
        return f"{'0, or ' if self.zero else ''}{low} and {high}"


#: Without an upper limit.
POSITIVE = Limits()
#: A share from 0 to 1, with and without 1.
SHARE = Limits(0, 1)
PART = Limits(0, 1, below=True)
#: A factor of a loss term; published ones go up to some thousands.
FACTOR = Limits(0, 1e6)
#: Divisor of logits. Below, probabilities are one-hot; above, uniform.
TEMPERATURE = Limits(0.01, 1000)
#: Seed of a random number generator.
SEED = Limits(0, 2**32 - 1)
