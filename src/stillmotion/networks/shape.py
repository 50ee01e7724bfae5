"""The shape of a network's input and output: samples, channels, classes, and what features must know of the signal."""

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
        rate: sampling rate in Hz, for window features.
        names: of the channels, for the names of features; by default ``0`` ….
        sensors: sensor of each channel, whose vector window features are computed from; by default every three channels
            in a row are one.
    """

    window: int
    channels: int
    classes: int
    rate: float = 50.0
    names: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, value, least in (
            ("samples in a window", self.window, 1),
            ("channels", self.channels, 1),
            ("classes", self.classes, 2),
        ):
            if int(value) != value or value < least:
                raise UserError(f"A network needs at least {least} {what}, not {value}.")
        columns = range(int(self.channels))
        defaults = {"names": (f"{n}" for n in columns), "sensors": (f"sensor{n // 3}" for n in columns)}
        for field, default in defaults.items():
            given = getattr(self, field) or tuple(default)
            if len(given) != self.channels:
                raise UserError(f"{self.channels} channels have {len(given)} {field}; expected one per channel.")
            object.__setattr__(self, field, given)

    @classmethod
    def of(cls, shape: Shape | SignalSpec | tuple[int, int, int]) -> Shape:
        """Return the shape of a signal contract or of (T, D, C); return a ``Shape`` unchanged.

        (T, D, C) has the default rate and sensors; networks without window features do not depend on them.
        """
        if isinstance(shape, SignalSpec):
            sensors = tuple(channel.group for channel in shape.channels)
            size = shape.window, len(shape.channels), len(shape.classes)
            return cls(*size, rate=shape.rate, names=shape.channel_names, sensors=sensors)
        return shape if isinstance(shape, Shape) else cls(*shape)

    def __str__(self) -> str:
        return f"({self.window}, {self.channels}, {self.classes})"

    def require_window(self, least: int, network: str, why: str) -> None:
        """Raise ``UserError`` when the window is shorter than ``least`` samples."""
        if self.window < least:
            raise UserError(
                f"A window of {self.window} samples is too short for {network}: {why}; use at least {least} samples."
            )
