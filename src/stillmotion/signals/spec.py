"""The signal contract: rate, channels, classes and windows, checked from the data set to the device."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from ..errors import ContractError, UserError
from ..names import require_name, require_text

LabelPolicy = Literal["majority", "first", "all-equal"]

#: Known units of each sensor. An empty unit means "not known" and is never converted.
UNITS: dict[str, tuple[str, ...]] = {
    "acc": ("g", "m/s2"),
    "gyr": ("rad/s", "deg/s"),
    "mag": ("uT", "gauss"),
}


@dataclass(frozen=True)
class Channel:
    """Describe one column of a signal: position on the body, sensor, axis, unit.

    ``position`` and ``unit`` are empty if they are not known.
    """

    sensor: str
    axis: str
    unit: str = ""
    position: str = ""

    @property
    def name(self) -> str:
        """Dotted name such as ``wrist.acc.x`` (``acc.x`` without a position)."""
        return ".".join(part for part in (self.position, self.sensor, self.axis) if part)

    @property
    def group(self) -> str:
        """Name of the sensor unit that this axis belongs to, such as ``wrist.acc``."""
        return ".".join(part for part in (self.position, self.sensor) if part)

    @classmethod
    def of(cls, name: str) -> Channel:
        """Make a channel from its dotted name; the unit stays unknown.

        Args:
            name: ``wrist.acc.x`` (position, sensor, axis), ``acc.x`` or, for a sensor without axes, ``chest.pulse`` or
                ``pulse``. Of two parts, the last is an axis if it is one letter or a number.

        Raises:
            UserError: a part is empty.

        Example:
            >>> from stillmotion.signals import Channel
            >>> Channel.of("wrist.acc.x")
            Channel(sensor='acc', axis='x', unit='', position='wrist')
        """
        parts = name.split(".")
        if not all(parts):
            raise UserError(f"{name!r} is not a channel name; expected a name such as wrist.acc.x, acc.x or pulse.")
        has_axis = len(parts) > 2 or (len(parts) == 2 and (len(parts[1]) == 1 or parts[1].isdigit()))
        axis = parts.pop() if has_axis else ""
        return cls(sensor=parts.pop(), axis=axis, position=".".join(parts))


@dataclass(frozen=True)
class SignalSpec:
    """Describe a signal: sampling rate, channels, classes, windows and their labels.

    Args:
        rate: sampling rate in Hz.
        channels: the columns, in order.
        classes: class names; a label is an index into them, -1 means "no class" (null).
        window: length of a window in samples.
        hop: distance between the starts of consecutive windows in samples.
        label_policy: how a window gets its label: ``majority`` (at least ``label_share`` of its samples),
            ``first`` (the label of its first sample, as Agac & Incel do) or ``all-equal`` (only
            windows whose samples share one label).
        label_share: smallest share of a window's samples that makes a majority, 0 to 1.
    """

    rate: float
    channels: tuple[Channel, ...]
    classes: tuple[str, ...]
    window: int
    hop: int
    label_policy: LabelPolicy = "majority"
    label_share: float = 0.5

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise UserError(f"A sampling rate must be above 0 Hz, not {self.rate}.")
        if not self.channels:
            raise UserError("A signal needs at least one channel.")
        if self.window < 1 or self.hop < 1:
            raise UserError(f"Window and hop must be at least 1 sample, not {self.window} and {self.hop}.")
        if self.label_policy not in get_args(LabelPolicy):
            valid = ", ".join(get_args(LabelPolicy))
            raise UserError(f"Unknown label policy {self.label_policy!r}. Valid: {valid}.")
        if not 0 <= self.label_share <= 1:
            raise UserError(f"label_share must lie between 0 and 1, not {self.label_share}.")
        for what, names in (("channel", self.channel_names), ("class", self.classes)):
            for name in names:
                require_name(name, what)
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise UserError(f"Duplicate {what} name in the signal: {', '.join(twice)}.")
        for channel in self.channels:
            require_text(channel.unit, f"unit of {channel.name}")

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Dotted names of the channels, in order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the sensor units (``wrist.acc``), in order, each once."""
        return tuple(dict.fromkeys(channel.group for channel in self.channels))

    @property
    def seconds(self) -> float:
        """Length of a window in seconds."""
        return self.window / self.rate

    def describe_window(self) -> str:
        """Return window and hop in seconds and samples."""
        return f"{describe_length(self.window, self.rate)}, hop {describe_length(self.hop, self.rate)}"

    def with_window(self, window: int, hop: int | None = None) -> SignalSpec:
        """Return the same signal with another window; the hop keeps its share of the window unless given."""
        hop = max(1, round(window * self.hop / self.window)) if hop is None else hop
        return replace(self, window=window, hop=hop)

    def require_fit(self, received: SignalSpec, *, this: str = "contract", other: str = "data") -> None:
        """Raise ``ContractError`` with both values unless ``received`` fits this contract.

        Rate (within 1 %), channel names in order, units, window and class names must agree. An unknown unit
        fits only an unknown unit; units are never guessed.
        """
        differences = []
        if abs(received.rate - self.rate) > 0.01 * self.rate:
            differences.append(f"rate {self.rate:g} Hz against {received.rate:g} Hz")
        if received.channel_names != self.channel_names:
            differences.append(
                f"channels [{', '.join(self.channel_names)}] against [{', '.join(received.channel_names)}]"
            )
        else:
            for wanted, given in zip(self.channels, received.channels, strict=True):
                if wanted.unit != given.unit:
                    unknown = "unknown unit"
                    differences.append(f"{wanted.name} in {wanted.unit or unknown} against {given.unit or unknown}")
        if received.window != self.window:
            differences.append(f"window {self.window} against {received.window} samples")
        if received.classes != self.classes:
            differences.append(f"classes [{', '.join(self.classes)}] against [{', '.join(received.classes)}]")
        if differences:
            raise ContractError(
                f"The {other} does not fit the {this} ({this} against {other}): {'; '.join(differences)}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SignalSpec:
        """Make a contract from ``to_dict``'s values; a wrong key or value raises ``UserError``."""
        known = set(cls.__dataclass_fields__)
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserError(
                f"Unknown key in a signal contract: {', '.join(unknown)}. Valid: {', '.join(sorted(known))}."
            )
        missing = sorted({"rate", "channels", "classes", "window", "hop"} - set(values))
        if missing:
            raise UserError(f"A signal contract lacks {', '.join(missing)}.")
        for key, value in values.items():
            valid, wanted = _TYPES[key]
            if not valid(value):
                raise UserError(f"{key} in a signal contract must be {wanted}, not {_describe(value)}.")
        channels = tuple(Channel(**channel) for channel in values["channels"])
        return cls(**{**values, "channels": channels, "classes": tuple(values["classes"])})


def describe_length(samples: int, rate: float) -> str:
    """Return a length in seconds and in samples, such as ``2.56 s (128 samples)``."""
    return f"{samples / rate:.3g} s ({samples:,} sample{'' if samples == 1 else 's'})"


def read_length(value: str | int, rate: float, what: str = "window") -> int:
    """Return a length in samples.

    Args:
        value: samples, or text with a unit: ``128``, ``2s``, ``500ms``.
        rate: in Hz.
        what: name of the value for the message.

    Returns:
        The number of samples.

    Raises:
        UserError: it is neither, or not above 0.

    Example:
        >>> from stillmotion.signals import read_length
        >>> read_length("2.56s", 50), read_length("500ms", 100), read_length("128", 50)
        (128, 50, 128)
    """
    match = _LENGTH.fullmatch(str(value))
    unit = match[2] if match else ""
    if not match or (not unit and not match[1].isdigit()) or float(match[1]) <= 0:
        raise UserError(f"{what} must be a number of samples or seconds above 0, such as 128 or 2.56s, not {value!r}.")
    seconds = float(match[1]) * {"s": 1.0, "ms": 1e-3, "": 0.0}[unit]
    return max(1, round(seconds * rate)) if unit else int(match[1])


_LENGTH = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(s|ms|)\s*")


def _describe(value: Any) -> str:
    return f"{value!r:.40}" if isinstance(value, (str, float, int)) else f"a {type(value).__name__}"


def _is_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _is_channels(value: Any) -> bool:
    keys, needed = {"sensor", "axis", "unit", "position"}, {"sensor", "axis"}
    return isinstance(value, (list, tuple)) and all(
        isinstance(item, Mapping)
        and needed <= set(item) <= keys
        and all(isinstance(text, str) for text in item.values())
        for item in value
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value)


#: For each key of a contract: the check of its value, and the expected value in words.
_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "rate": (_is_number, "a number of Hz"),
    "channels": (_is_channels, "a list of channels, each with sensor, axis, unit and position as text"),
    "classes": (_is_texts, "a list of names"),
    "window": (_is_whole, "a whole number of samples"),
    "hop": (_is_whole, "a whole number of samples"),
    "label_policy": (lambda value: isinstance(value, str), "text"),
    "label_share": (_is_number, "a number"),
}
