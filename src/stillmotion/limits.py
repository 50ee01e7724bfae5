"""What a number may be: one checker for what users give, in Python and in TOML."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UserError


@dataclass(frozen=True)
class Limits:
    """Ends of what a number may be; NaN and infinity are outside of all.

    Args:
        low, high: both included.
        above: ``low`` itself is outside.
        below: ``high`` itself is outside.
        zero: 0 is inside too, where it stands for what is not said.
    """

    low: float = 0.0
    high: float = float("inf")
    above: bool = False
    below: bool = False
    zero: bool = False

    def check(self, value: float, what: str) -> None:
        """Raise ``UserError``, which calls the number ``what``, unless ``value`` lies inside."""
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


#: Without an upper end.
POSITIVE = Limits()
#: A share of a whole, and one that is not the whole.
SHARE = Limits(0, 1)
PART = Limits(0, 1, below=True)
#: A factor of a loss term; published ones go up to some thousands.
FACTOR = Limits(0, 1e6)
#: Divides logits. Below, an answer is one class alone; above, all classes are alike.
TEMPERATURE = Limits(0.01, 1000)
#: What seeds a random number generator.
SEED = Limits(0, 2**32 - 1)
