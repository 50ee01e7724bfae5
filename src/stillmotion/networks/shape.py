"""The shape of a network's input and output: samples, channels, classes."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UserError
from ..signals import SignalSpec


@dataclass(frozen=True)
class Shape:
    """The size of a network's input and output.

    Args:
        window: samples in a window (T).
        channels: columns of the signal (D).
        classes: number of classes (C).
    """

    window: int
    channels: int
    classes: int

    def __post_init__(self) -> None:
        for what, value, least in (
            ("samples in a window", self.window, 1),
            ("channels", self.channels, 1),
            ("classes", self.classes, 2),
        ):
            if int(value) != value or value < least:
                raise UserError(f"A network needs at least {least} {what}, not {value}.")

    @classmethod
    def of(cls, shape: Shape | SignalSpec | tuple[int, int, int]) -> Shape:
        """Return the shape of a signal contract or of (T, D, C); return a ``Shape`` unchanged."""
        if isinstance(shape, SignalSpec):
            return cls(shape.window, len(shape.channels), len(shape.classes))
        return shape if isinstance(shape, Shape) else cls(*shape)

    def __str__(self) -> str:
        return f"({self.window}, {self.channels}, {self.classes})"

    def require_window(self, least: int, network: str, why: str) -> None:
        """Raise ``UserError`` when the window is shorter than ``least`` samples."""
        if self.window < least:
            raise UserError(
                f"A window of {self.window} samples is too short for {network}: {why}; use at least {least} samples."
            )
