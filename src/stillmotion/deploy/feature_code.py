"""What the C of window features has in common, in float32 and in integers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..features.compute import count_bins
from ..features.feature_set import ORDER, SPECTRUM, TIME, FeatureSet, Stream, jerk_of

#: Most statistics of a stream that one integer says to be kept or not.
MOST = 32
#: A line of a C file that is written if one of the flags before the bar is set.
ON_CONDITION = re.compile(r"^@([\w,]+)\|(.*\n)", re.MULTILINE)


@dataclass(frozen=True)
class FeatureCode:
    """What the C of a feature set consists of.

    A set is *even* if all of its streams have the same statistics: each goes one step behind that of the stream before
    it. In any other, a table has a bit for every statistic of a stream, and another one the places of those that are
    kept, in the order in which they are computed.

    Args:
        features: the description.

    Raises:
        UserError: a stream has too many statistics for a table.
    """

    features: FeatureSet

    def __post_init__(self) -> None:
        if not self.is_even and len(self.in_time) + len(self.in_frequency) > MOST:
            raise UserError(
                f"C for features with {len(self.features.bands)} frequency bands cannot drop features of single "
                f"streams; use at most {MOST - len(TIME) - len(SPECTRUM)} bands, or drop them of all streams."
            )

    @cached_property
    def kept(self) -> set[str]:
        """The statistics of any stream or derivative."""
        features = self.features
        return {name for stream in (*features.streams, *features.jerks) for name in features.statistics_of(stream)}

    @cached_property
    def in_time(self) -> tuple[str, ...]:
        """The statistics in time that are computed, in their order."""
        return tuple(name for name in TIME if name in self.kept)

    @cached_property
    def in_frequency(self) -> tuple[str, ...]:
        """The statistics of the spectrum that are computed, in their order: all bands, then the peak's."""
        if not self.features.spectral:
            return ()
        powers = (name for name in self.features.statistics if name.startswith("power_"))
        return (*powers, *(name for name in SPECTRUM if name in self.kept))

    @cached_property
    def is_even(self) -> bool:
        """Whether all streams have the same statistics, and so have the derivatives of all of them, or none has any."""
        features, in_time = self.features, {*self.in_time}
        spectrum = {name for name in features.statistics if name not in TIME} if features.spectral else set()
        streams = all({*features.statistics_of(stream)} == in_time | spectrum for stream in features.streams)
        jerks = all({*features.statistics_of(jerk)} == in_time for jerk in features.jerks)
        return streams and jerks and features.jerks in ((), tuple(map(jerk_of, features.streams)))

    @cached_property
    def flags(self) -> set[str]:
        """The conditions of lines in the C files: statistics that are kept, and ``even`` or ``table``."""
        return self.kept | {"even" if self.is_even else "table"}

    @property
    def column_type(self) -> Any:
        """The type of a number of a channel."""
        return np.uint8 if 3 * len(self.features.channels) < 256 else np.uint16

    @property
    def place_type(self) -> Any:
        """The type of a feature's place."""
        return np.uint8 if len(self.features.names) <= 256 else np.uint16

    @property
    def parts(self) -> list[str]:
        """The C files of the statistics, in their order."""
        time = ["order"] * bool(self.kept & {*ORDER}) + ["time"] if self.in_time else []
        return [*time, *["spectrum"] * bool(self.in_frequency), *["correlation"] * bool(self.features.pairs)]

    def when(self, *statistics: str) -> str:
        """Return the C condition that a stream has one of these statistics, empty where all have."""
        described = (*self.features.timed, *self.features.jerks)
        if all({*statistics} & {*self.features.statistics_of(stream)} for stream in described):
            return ""
        bits = sum(1 << bit for bit, name in enumerate(self.in_time) if name in statistics)
        return f"if (place->kept & {bits}u) "

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the columns of every stream, of every pair, the last bin of every band, and what streams keep."""
        features, kind, arrays = self.features, self.column_type, {}
        if signals := features.signals:
            arrays["stream"] = np.cumsum([0, *(len(stream.columns) for stream in signals)]).astype(kind)
            arrays["column"] = np.array([column for stream in signals for column in stream.columns], kind)
        if features.spectral:
            arrays["band"] = np.cumsum(count_bins(features, features.window)).astype(np.uint16)
        if features.pairs:
            arrays["pair"] = np.array(features.pairs, kind).ravel()
        return arrays if self.is_even else arrays | self._table()

    def _table(self) -> dict[str, NDArray[Any]]:
        """Return a bit for each statistic of a stream and of its derivative, and the places of those that are kept."""
        features = self.features
        computed = (*self.in_time, *self.in_frequency)
        place = {name: at for at, name in enumerate(features.names)}
        bits = np.uint8 if len(computed) <= 8 else np.uint16 if len(computed) <= 16 else np.uint32
        arrays: dict[str, NDArray[Any]] = {}
        order: list[int] = []

        def keep(name: str, streams: Iterable[Stream], kind: Any) -> None:
            masks = []
            for stream in streams:
                own = [each for each in computed if each in features.statistics_of(stream)]
                order.extend(place[f"{stream.name}.{each}"] for each in own)
                masks.append(sum(1 << computed.index(each) for each in own))
            arrays[name] = np.array(masks, kind)

        if features.streams:
            keep("kept", features.signals, bits)
        order += [place[features.name_correlation(pair)] for pair in features.pairs]
        if features.jerks:
            keep("jerk_kept", map(jerk_of, features.signals), np.uint8)
        return arrays | {"at": np.array(order, self.place_type)}

    def write_body(self, name: str, kind: str, calls: Mapping[str, str], start: Callable[[str], list[str]]) -> str:
        """Write the body of the function that computes all features of a window.

        Args:
            name: prefix of the functions.
            kind: C type of a stream's samples.
            calls: C statements of ``time``, ``spectrum`` and ``jerk`` of stream i, whose samples are in ``b``.
            start: statements before the statistics of a group, by its first statistic's name.
        """
        features, even = self.features, self.is_even
        streams, pairs, window = len(features.signals), len(features.pairs), features.window
        behind_streams = (len(self.in_time) + len(self.in_frequency)) * len(features.streams) if even else 0
        lines = [f"{kind} *b = ({kind} *)scratch;", f"{name}_place place;", "int i;", "place.y = y;", "(void)b;"]
        lines += [] if even else [f"place.at = {name}_at;"]

        def each_stream(body: list[str]) -> None:
            lines.extend([f"for (i = 0; i < {streams}; ++i) {{", *(f"    {line}" for line in body), "}"])

        def keep(first: int, count: int, own: Sequence[Stream], body: list[str]) -> list[str]:
            """Put statements under the condition that the stream has one of ``count`` statistics from the first."""
            if even:
                return body
            body = [f"place.bit = {1 << first}u;", *body]
            if len(own) == streams:
                return body
            return [f"if (place.kept & {((1 << count) - 1) << first}u) {{", *(f"    {line}" for line in body), "}"]

        body = []
        if features.timed:
            statements = [*start(self.in_time[0]), f"{name}_read(x, b, i, {window}, 0);", calls["time"]]
            body += keep(0, len(self.in_time), features.timed, statements)
        if features.spectral:
            statements = [f"{name}_read(x, b, i, {window}, 0);", calls["spectrum"]]
            body += keep(len(self.in_time), len(self.in_frequency), features.spectral, statements)
        if body:
            lines += [f"place.step = {streams};"] if even else []
            each_stream(["place.index = i;" if even else f"place.kept = {name}_kept[i];", *body])
        if pairs:
            lines += [f"place.index = {behind_streams};", "place.step = 1;"] if even else ["place.kept = 1;"]
            lines += [*start("correlation"), f"for (i = 0; i < {2 * pairs}; i += 2) {{"]
            lines += [] if even else ["    place.bit = 1;"]
            lines += [f"    {name}_correlation(x, {name}_pair[i], {name}_pair[i + 1], &place);", "}"]
        if features.jerks:
            lines += [f"place.step = {streams};"] if even else []
            first = f"place.index = {behind_streams + pairs} + i;" if even else f"place.kept = {name}_jerk_kept[i];"
            statements = [
                *start(f"jerk.{self.in_time[0]}"),
                f"{name}_read(x, b, i, {window - 1}, 1);",
                calls["jerk"],
            ]
            each_stream([first, *keep(0, len(self.in_time), features.jerks, statements)])
        return "{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def fill_templates(folder: str, names: Iterable[str], values: Mapping[str, Any], flags: Collection[str] = ()) -> str:
    """Return C files of a folder with ``$NAME`` replaced, also in what replaces them.

    Args:
        folder: of the files.
        names: of the files.
        values: what replaces the names.
        flags: lines that begin with ``@A,B|`` are written if A or B is among these.
    """
    source = "".join(read_template(folder, name) for name in names)
    while "$" in source:
        source = Template(source).substitute(values)
    return ON_CONDITION.sub(lambda line: line[2] if {*line[1].split(",")} & {*flags} else "", source)


@cache
def read_template(folder: str, name: str) -> str:
    """Return a C file of a folder as it is."""
    return (files(__package__) / "c" / folder / f"{name}.c").read_text(encoding="utf-8")
