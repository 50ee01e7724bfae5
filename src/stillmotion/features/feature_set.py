"""The description of window features: which signals are described, by which numbers, under which names.

The description is plain data. ``compute.py`` evaluates it with NumPy or with ``keras.ops``, ``cost.py`` counts
its operations, and it is stored in the configuration of the Keras layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
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
#: Statistics in time that need the samples in order.
ORDER = ("median", "iqr")
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
        dropped: what of the groups is left out: names in ``units``, or patterns such as ``*.energy``.

    Raises:
        UserError: the window is too short, a value is impossible, a unit is unknown, or no feature is left.

    Example:
        >>> from stillmotion.features import FeatureSet
        >>> features = FeatureSet(50, 25.0, ("acc.x", "acc.y", "acc.z"), ("acc",) * 3, groups=("norms", "time"))
        >>> features.names[:3], len(features.names)
        (('acc.norm.mean', 'acc.norm.std', 'acc.norm.min'), 8)
        >>> features.without("acc.norm.order", "*.zero_crossings").names[1:]
        ('acc.norm.std', 'acc.norm.min', 'acc.norm.max', 'acc.norm.energy')
    """

    window: int
    rate: float
    channels: tuple[str, ...]
    sensors: tuple[str, ...]
    groups: tuple[str, ...] = STANDARD
    compressed: bool = False
    edges: tuple[float, ...] = EDGES
    dropped: tuple[str, ...] = ()

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
        if len(set(self._every)) < len(self._every):
            twice = next(name for place, name in enumerate(self._every) if name in self._every[:place])
            raise UserError(f"Two features are called {twice}; give each channel a name of its own.")
        if not self.names:
            if self.dropped and self._every:
                raise UserError(
                    f"All {len(self._every)} features of the groups {', '.join(self.groups)} are dropped; keep at "
                    f"least one."
                )
            raise UserError(
                f"The groups {', '.join(self.groups) or 'none'} leave no feature of {', '.join(self.channels)}: add "
                f"axes or norms, and time or spectrum."
            )

    @classmethod
    def of(
        cls,
        spec: SignalSpec,
        *,
        groups: Sequence[str] = STANDARD,
        compressed: bool = False,
        dropped: Sequence[str] = (),
    ) -> FeatureSet:
        """Describe the features of a signal contract's windows.

        Args:
            spec: the contract.
            groups: see ``GROUPS``.
            compressed: whether features pass through sign(x) · log(1 + \\|x\\|).
            dropped: units that are left out, see ``units``.

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
        return cls(
            spec.window, spec.rate, spec.channel_names, sensors, tuple(groups), compressed, dropped=tuple(dropped)
        )

    def without(self, *units: str) -> FeatureSet:
        """Return the description without some more units, see ``units``."""
        return replace(self, dropped=(*self.dropped, *units))

    def with_only(self, names: Iterable[str]) -> FeatureSet:
        """Return the description of these features of the groups alone, with few names for what is dropped."""
        gone, units = {*self._every} - {*names}, []
        left = {*gone}
        for unit, own in self.units.items():
            if left & {*own} and gone.issuperset(own):
                units.append(unit)
                left -= {*own}
        return replace(self, dropped=tuple(units))

    @property
    def selection(self) -> str:
        """The groups, and the dropped units behind a minus: the option ``features`` of networks."""
        return ",".join([*self.groups, *(f"-{unit}" for unit in self.dropped)])

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The signals that have statistics: channels, then norms."""
        return tuple(stream for stream in self._signals if self.statistics_of(stream))

    @cached_property
    def timed(self) -> tuple[Stream, ...]:
        """The streams that have statistics in time."""
        return tuple(stream for stream in self.streams if self.statistics_of(stream)[0] in TIME)

    @cached_property
    def spectral(self) -> tuple[Stream, ...]:
        """The streams that have statistics of the spectrum."""
        return tuple(stream for stream in self.streams if self.statistics_of(stream)[-1] not in TIME)

    @cached_property
    def jerks(self) -> tuple[Stream, ...]:
        """The derivatives that are described: of each channel, and the norm of each sensor's vector of derivatives.

        They have one sample less. Their statistics are those in time: a derivative's spectrum is that of its signal
        times the square of the frequency.
        """
        return tuple(jerk for jerk in map(jerk_of, self._signals) if self.statistics_of(jerk))

    @cached_property
    def signals(self) -> tuple[Stream, ...]:
        """The signals of which statistics are kept, their own or those of their derivatives."""
        kept = {stream.name for stream in (*self.streams, *self.jerks)}
        return tuple(stream for stream in self._signals if kept & {stream.name, jerk_of(stream).name})

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Columns of every two channels of one sensor, for their correlation."""
        return tuple(pair for pair in self._pairs if self.name_correlation(pair) not in self._gone)

    @cached_property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Frequency bands in Hz, above the first edge up to and with the second."""
        return tuple((low, high) for low, high in pairwise((*self.edges, float("inf"))) if low < self.rate / 2)

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """The statistics of the groups: in time, then of the spectrum."""
        powers = [f"power_{low:g}_{high:g}_hz" for low, high in self.bands]
        groups = {"time": TIME, "spectrum": (*SPECTRUM, *powers)}
        return tuple(name for group, names in groups.items() if group in self.groups for name in names)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, statistic by statistic."""
        return tuple(name for name in self._every if name not in self._gone)

    @cached_property
    def units(self) -> dict[str, tuple[str, ...]]:
        """What can be dropped of the groups, by name, with its features.

        ``STREAM`` is all of a stream or a derivative, ``STREAM.time`` and ``STREAM.spectrum`` its groups,
        ``STREAM.order`` what needs its samples in order, ``SENSOR.correlations`` those of a sensor; then each feature.
        """
        units: dict[str, list[str]] = {}
        for stream in (*self._signals, *self._derivatives):
            derived = stream in self._derivatives
            for statistic in self.statistics:
                timed, name = statistic in TIME, f"{stream.name}.{statistic}"
                if derived and not timed:
                    continue
                parts = {"": True, ".time": timed and not derived, ".spectrum": not timed, ".order": statistic in ORDER}
                for part in (part for part, yes in parts.items() if yes):
                    units.setdefault(f"{stream.name}{part}", []).append(name)
        for pair in self._pairs:
            units.setdefault(f"{self.sensors[pair[0]]}.correlations", []).append(self.name_correlation(pair))
        return {name: tuple(own) for name, own in units.items()} | {name: (name,) for name in self._every}

    def statistics_of(self, stream: Stream) -> tuple[str, ...]:
        """Return the statistics of a stream, or of a derivative."""
        return self._statistics.get(stream.name, ())

    def group_in_time(self, streams: Sequence[Stream]) -> list[tuple[list[Stream], list[str]]]:
        """Return streams that are sorted, and others, each with the statistics in time that any of them has."""
        groups = []
        for is_sorted in (True, False):
            own = [each for each in streams if is_sorted == bool(set(ORDER) & set(self.statistics_of(each)))]
            if own:
                kept = {name for stream in own for name in self.statistics_of(stream)}
                groups.append((own, [name for name in TIME if name in kept]))
        return groups

    def name_correlation(self, pair: tuple[int, int]) -> str:
        """Return the name of the correlation of two columns."""
        return f"{self.channels[pair[0]]}~{self.channels[pair[1]]}.correlation"

    def columns_of(self, sensor: str) -> tuple[int, ...]:
        """Return the columns of a sensor's channels."""
        return tuple(column for column, name in enumerate(self.sensors) if name == sensor)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; ``dropped`` only if something is, as it was before it could be."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return values if self.dropped else {key: value for key, value in values.items() if key != "dropped"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FeatureSet:
        """Make a description from ``to_dict``'s values."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)

    @cached_property
    def _signals(self) -> tuple[Stream, ...]:
        """The signals of the groups: channels, then norms."""
        members = {sensor: self.columns_of(sensor) for sensor in dict.fromkeys(self.sensors)}
        channels = [
            Stream(name, (column,))
            for column, name in enumerate(self.channels)
            if "axes" in self.groups or len(members[self.sensors[column]]) == 1
        ]
        norms = [Stream(f"{sensor}.norm", columns) for sensor, columns in members.items() if len(columns) > 1]
        return (*channels, *(norms if "norms" in self.groups else ()))

    @cached_property
    def _derivatives(self) -> tuple[Stream, ...]:
        """The derivatives of the groups."""
        return tuple(map(jerk_of, self._signals)) if {"jerk", "time"} <= {*self.groups} else ()

    @cached_property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs of columns of the groups."""
        sensors = dict.fromkeys(self.sensors) if "correlations" in self.groups else ()
        return tuple(pair for sensor in sensors for pair in combinations(self.columns_of(sensor), 2))

    @cached_property
    def _every(self) -> tuple[str, ...]:
        """Names of the features of the groups, dropped ones too."""
        described = [f"{stream.name}.{name}" for name in self.statistics for stream in self._signals]
        correlated = [self.name_correlation(pair) for pair in self._pairs]
        return (*described, *correlated, *(f"{jerk.name}.{name}" for name in TIME for jerk in self._derivatives))

    @cached_property
    def _gone(self) -> frozenset[str]:
        """Names of the dropped features."""
        gone: set[str] = set()
        for name in self.dropped:
            matching = [name] if name in self.units else [unit for unit in self.units if fnmatchcase(unit, name)]
            if not matching:
                whole = [unit for unit in self.units if unit not in self._every]
                raise UnknownName(
                    "unit of features", name, whole, f"A single feature, such as {self._every[0]}, is one too."
                )
            gone.update(feature for unit in matching for feature in self.units[unit])
        return frozenset(gone)

    @cached_property
    def _statistics(self) -> dict[str, tuple[str, ...]]:
        """The statistics that are kept, by the name of their stream."""
        kept = set(self.names)
        of = {
            stream.name: tuple(name for name in self.statistics if f"{stream.name}.{name}" in kept)
            for stream in (*self._signals, *self._derivatives)
        }
        return {name: own for name, own in of.items() if own}


def jerk_of(stream: Stream) -> Stream:
    """Return the derivative of a channel, or the norm of the derivatives of a vector."""
    name = f"{stream.name.removesuffix('.norm')}.jerk.norm" if stream.is_norm else f"{stream.name}.jerk"
    return Stream(name, stream.columns)


def parse_selection(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read a selection such as ``axes,norms,time,-wrist.acc.x.order``.

    Args:
        text: groups, and behind a minus what is dropped of them, separated by commas; without a group, of the standard
            features.

    Returns:
        The groups and what is dropped.

    Example:
        >>> from stillmotion.features import parse_selection
        >>> parse_selection("norms,time,-*.energy")
        (('norms', 'time'), ('*.energy',))
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    groups = tuple(part for part in parts if not part.startswith("-"))
    return groups or STANDARD, tuple(part[1:].strip() for part in parts if part.startswith("-"))
