"""What the C of window features has in common, in float32 and in integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..features.compute import make_spectrum_tables
from ..features.feature_set import FeatureSet


def is_timed(features: FeatureSet) -> bool:
    """Whether streams have statistics in time."""
    return bool(features.streams) and "time" in features.groups


def is_spectral(features: FeatureSet) -> bool:
    """Whether streams have a spectrum."""
    return bool(features.streams) and "spectrum" in features.groups


def column_type(features: FeatureSet) -> Any:
    """Return the type of a number of a channel."""
    return np.uint8 if 3 * len(features.channels) < 256 else np.uint16


def stream_arrays(features: FeatureSet) -> dict[str, NDArray[Any]]:
    """Return the columns of every stream, of every pair, and the last bin of every band."""
    kind, arrays = column_type(features), {}
    if is_timed(features) or is_spectral(features):
        arrays["stream"] = np.cumsum([0, *(len(stream.columns) for stream in features.streams)]).astype(kind)
        arrays["column"] = np.array([column for stream in features.streams for column in stream.columns], kind)
    if is_spectral(features):
        counts = make_spectrum_tables(features, features.window)["bands"].sum(0)
        arrays["band"] = np.cumsum(counts).astype(np.uint16)
    if features.pairs:
        arrays["pair"] = np.array(features.pairs, kind).ravel()
    return arrays


def fill_templates(folder: str, names: Iterable[str], values: Mapping[str, Any]) -> str:
    """Return C files of a folder with ``$NAME`` replaced, also in what replaces them."""
    source = "".join(read_template(folder, name) for name in names)
    while "$" in source:
        source = Template(source).substitute(values)
    return source


@cache
def read_template(folder: str, name: str) -> str:
    """Return a C file of a folder as it is."""
    return (files(__package__) / "c" / folder / f"{name}.c").read_text(encoding="utf-8")


def write_body(
    features: FeatureSet, name: str, kind: str, calls: Mapping[str, str], start: Callable[[str], list[str]]
) -> str:
    """Write the body of the function that computes all features of a window.

    Args:
        features: which.
        name: prefix of the functions.
        kind: C type of a stream's samples.
        calls: C statements of ``time``, ``spectrum`` and ``jerk`` of stream i, whose samples are in ``b``.
        start: statements before the statistics of a group, by its first statistic's name.
    """
    streams, pairs, window = len(features.streams), len(features.pairs), features.window
    statistics = 8 * is_timed(features) + (2 + len(features.bands)) * is_spectral(features)
    lines = [f"{kind} *b = ({kind} *)scratch;", f"{name}_place place;", "int i;", "place.y = y;", "(void)b;"]
    body = []
    if is_timed(features):
        body += [*start("mean"), f"{name}_read(x, b, i, {window}, 0);", calls["time"]]
    if is_spectral(features):
        body += [f"{name}_read(x, b, i, {window}, 0);", calls["spectrum"]]
    if body:
        lines += [f"place.step = {streams};", f"for (i = 0; i < {streams}; ++i) {{", "    place.index = i;"]
        lines += [*(f"    {line}" for line in body), "}"]
    if pairs:
        lines += [f"place.index = {statistics * streams};", "place.step = 1;", *start("correlation")]
        lines += [f"for (i = 0; i < {2 * pairs}; i += 2) {{"]
        lines += [f"    {name}_correlation(x, {name}_pair[i], {name}_pair[i + 1], &place);", "}"]
    if features.jerks:
        lines += [f"place.step = {streams};", f"for (i = 0; i < {streams}; ++i) {{"]
        lines += [
            f"    place.index = {statistics * streams + pairs} + i;",
            *(f"    {each}" for each in start("jerk.mean")),
        ]
        lines += [f"    {name}_read(x, b, i, {window - 1}, 1);", f"    {calls['jerk']}", "}"]
    return "{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
