"""The description of window features: which signals are described, by which numbers, under which names.

The description is plain data. ``compute.py`` evaluates it with NumPy or with ``keras.ops``, ``cost.py`` counts
its operations, and it is stored in the configuration of the Keras layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations, pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import UnknownName, UserError

if TYPE_CHECKING:
    from ..signals import SignalSpec

#: Edges of the frequency bands in Hz: sway, gait and its harmonics, shaking. The last band has no upper edge; bands
#: that begin above half the rate do not exist.
EDGES = (0.0, 1.0, 2.0, 3.5, 5.0, 10.0)
#: Statistics in time, and of the spectrum before the power of each band.
TIME = ("mean", "std", "min", "max", "median", "iqr", "energy", "zero_crossings")
SPECTRUM = ("peak_hz", "peak_share")
#: What can be switched: ``axes`` and ``norms`` are signals to describe (each channel; the norm of each sensor's
#: vector), ``jerk`` adds the derivatives of these; ``time``, ``spectrum`` and ``correlations`` are what describes them.
GROUPS = ("axes", "norms", "jerk", "time", "spectrum", "correlations")
#: The standard features.
STANDARD = ("axes", "norms", "time", "spectrum", "correlations")
#: Features that do not change when a sensor is turned on the body.
ORIENTATION_FREE = ("norms", "jerk", "time", "spectrum")


@dataclass(frozen=True)
class Stream:
    """A signal that statistics describe: one channel, or the norm of the vector of several.

    Args:
        name: of the channel, or of the sensor with ``norm``.
        columns: one column of the window, or those of the vector.
    """

    name: str
    columns: tuple[int, ...]

    @property
    def is_norm(self) -> bool:
        """Whether it is the norm of several channels."""
        return len(self.columns) > 1


@dataclass(frozen=True)
class FeatureSet:
    """Describe the features of a window.

    Args:
        window: samples in a window, at least 2 (3 with ``jerk``).
        rate: sampling rate in Hz.
        channels: names of the channels.
        sensors: sensor of each channel; the channels of one sensor form a vector.
        groups: see ``GROUPS``; a sensor of one channel is described with or without ``axes``.
        compressed: whether each feature passes through sign(x) · log(1 + \\|x\\|).
        edges: lower edges of the frequency bands in Hz, rising from 0.

    Raises:
        UserError: the window is too short, a value is impossible, or no feature is left.

    Example:
        >>> from stillmotion.features import FeatureSet
        >>> features = FeatureSet(50, 25.0, ("acc.x", "acc.y", "acc.z"), ("acc",) * 3, groups=("norms", "time"))
        >>> features.names[:3], len(features.names)
        (('acc.norm.mean', 'acc.norm.std', 'acc.norm.min'), 8)
    """

    window: int
    rate: float
    channels: tuple[str, ...]
    sensors: tuple[str, ...]
    groups: tuple[str, ...] = STANDARD
    compressed: bool = False
    edges: tuple[float, ...] = EDGES

    def __post_init__(self) -> None:
        least = 3 if "jerk" in self.groups else 2
        for group in self.groups:
            if group not in GROUPS:
                raise UnknownName("feature group", group, list(GROUPS))
        if self.window < least:
            raise UserError(
                f"Features need windows of {'three' if least == 3 else 'two'} samples or more, not {self.window}"
                f"{' (jerk takes one)' if least == 3 else ''}."
            )
        if not (self.rate > 0 and isfinite(self.rate)):
            raise UserError(f"A sampling rate must be above 0 Hz, not {self.rate}.")
        if not self.channels or len(self.sensors) != len(self.channels):
            raise UserError(
                f"{len(self.channels)} channels have {len(self.sensors)} sensors; expected one per channel, at least 1."
            )
        if self.edges[:1] != (0.0,) or any(low >= high for low, high in pairwise(self.edges)):
            raise UserError(f"Edges of frequency bands must rise from 0 Hz, not {self.edges}.")
        if not self.names:
            raise UserError(
                f"The groups {', '.join(self.groups) or 'none'} leave no feature of {', '.join(self.channels)}: add "
                f"axes or norms, and time or spectrum."
            )

    @classmethod
    def of(cls, spec: SignalSpec, *, groups: Sequence[str] = STANDARD, compressed: bool = False) -> FeatureSet:
        """Describe the features of a signal contract's windows.

        Args:
            spec: the contract.
            groups: see ``GROUPS``.
            compressed: whether features pass through sign(x) · log(1 + \\|x\\|).

        Returns:
            The description.

        Example:
            >>> import stillmotion as sm
            >>> spec = sm.load("simulated", sensors="wrist.acc").spec
            >>> from stillmotion.features import FeatureSet
            >>> FeatureSet.of(spec, groups=["norms", "spectrum"]).names[:2]
            ('wrist.acc.norm.peak_hz', 'wrist.acc.norm.peak_share')
        """
        sensors = tuple(channel.group for channel in spec.channels)
        return cls(spec.window, spec.rate, spec.channel_names, sensors, tuple(groups), compressed)

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The signals that are described: channels, then norms."""
        members = {sensor: self.columns_of(sensor) for sensor in dict.fromkeys(self.sensors)}
        channels = [
            Stream(name, (column,))
            for column, name in enumerate(self.channels)
            if "axes" in self.groups or len(members[self.sensors[column]]) == 1
        ]
        norms = [Stream(f"{sensor}.norm", columns) for sensor, columns in members.items() if len(columns) > 1]
        return (*channels, *(norms if "norms" in self.groups else ()))

    @cached_property
    def jerks(self) -> tuple[Stream, ...]:
        """The derivatives that are described: of each channel, and the norm of each sensor's vector of derivatives.

        They have one sample less. Their statistics are those in time: a derivative's spectrum is that of its signal
        times the square of the frequency.
        """
        if "jerk" not in self.groups or "time" not in self.groups:
            return ()
        renamed = (stream.name.removesuffix(".norm") if stream.is_norm else stream.name for stream in self.streams)
        ends = (".jerk.norm" if stream.is_norm else ".jerk" for stream in self.streams)
        return tuple(
            Stream(f"{name}{end}", stream.columns)
            for name, end, stream in zip(renamed, ends, self.streams, strict=True)
        )

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Columns of every two channels of one sensor, for their correlation."""
        if "correlations" not in self.groups:
            return ()
        sensors = dict.fromkeys(self.sensors)
        return tuple(pair for sensor in sensors for pair in combinations(self.columns_of(sensor), 2))

    @cached_property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Frequency bands in Hz, above the first edge up to and with the second."""
        return tuple((low, high) for low, high in pairwise((*self.edges, float("inf"))) if low < self.rate / 2)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, statistic by statistic."""
        statistics = [*(TIME if "time" in self.groups else ())]
        if "spectrum" in self.groups:
            statistics += [*SPECTRUM, *(f"power_{low:g}_{high:g}_hz" for low, high in self.bands)]
        described = [f"{stream.name}.{name}" for name in statistics for stream in self.streams]
        correlated = [f"{self.channels[a]}~{self.channels[b]}.correlation" for a, b in self.pairs]
        return (*described, *correlated, *(f"{stream.name}.{name}" for name in TIME for stream in self.jerks))

    def columns_of(self, sensor: str) -> tuple[int, ...]:
        """Return the columns of a sensor's channels."""
        return tuple(column for column, name in enumerate(self.sensors) if name == sensor)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FeatureSet:
        """Make a description from ``to_dict``'s values."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)
