"""Window features without floating point: from raw counts of 16 bits to integers that a model takes.

Every sensor's counts have a step that is a power of two: value = count · 2^-shift. Statistics are exact sums of
integers; roots, quotients, the spectrum and the logarithm have their own functions in integers. The features leave
standardised by the model's means and standard deviations and clipped at ±5: as int8, 127 stands for 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from math import floor, frexp, log, log2
from string import Template
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..features.compute import make_spectrum_tables
from ..features.feature_set import TIME, FeatureSet
from ..features.scale import LIMIT, FeatureScale
from .blocks import Array, Block, Constant, Tensor
from .fixed_numbers import log2_of_sum, multiply_high, normalise
from .fixed_spectrum import FixedSpectrum
from .fixed_statistics import NORM_BASE, compute_statistics

#: Longest window whose sums fit their integers.
LONGEST = 4096
#: Finest and coarsest step of a sensor: 2^-24 and 2^8.
SHIFTS = range(-8, 25)
#: What 5 standard deviations are.
LIMITS = {"int8": 127, "int16": 32767}


@dataclass(frozen=True, eq=False, kw_only=True)
class FixedFeatures(Block):
    """Compute window features in integers; make it with ``fixed_features``.

    Args:
        features: which.
        shifts: of each stream: value = count · 2^-shift.
        scale: means and standard deviations of the model.
    """

    features: FeatureSet
    shifts: tuple[int, ...]
    scale: FeatureScale

    @property
    def scratch_bytes(self) -> int:
        """One stream of 16 bits."""
        return -(-2 * self.features.window // 4) * 4

    @property
    def support(self) -> tuple[str, ...]:
        """C functions of numbers in integers."""
        needed = {"normalise": True, "log2_of_one_plus": self.features.compressed}
        needed |= {"round_root": True, "narrow": self._timed or self._paired, "spread": self._timed or self._paired}
        needed |= {"divide": self._spectral or self._paired}
        return tuple(name for name, yes in needed.items() if yes)

    @property
    def _timed(self) -> bool:
        return bool(self.features.streams) and "time" in self.features.groups

    @property
    def _spectral(self) -> bool:
        return bool(self.features.streams) and "spectrum" in self.features.groups

    @property
    def _paired(self) -> bool:
        return bool(self.features.pairs)

    @cached_property
    def spectrum(self) -> FixedSpectrum:
        """The transform of this length."""
        return FixedSpectrum(self.features.window)

    @cached_property
    def units(self) -> dict[str, float]:
        """What 1 of each statistic's integers stands for, in the order of the C's table."""
        window, rate = self.features.window, self.features.rate
        units: dict[str, float] = {}
        if self._timed:
            units |= _time_units(window, rate, 1.0, "")
        if self.features.jerks:
            units |= _time_units(window - 1, rate, rate, "jerk.")
        if self._spectral:
            units |= {"peak_hz": rate / window, "peak_share": 1.0, "power": self.spectrum.unit}
        if self._paired:
            units["correlation"] = 1.0
        return units

    @cached_property
    def unit_table(self) -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
        """Each unit as 16 bits · 2^(exponent - 16)."""
        mantissas, exponents = zip(*(_mantissa(unit) for unit in self.units.values()), strict=True)
        return np.array(mantissas, np.uint16), np.array([each + 16 for each in exponents], np.int8)

    @cached_property
    def fraction(self) -> int:
        """Bits below one step of the output, before it is rounded."""
        return 4 if self.output.dtype == "int8" else 1

    @cached_property
    def standard(self) -> tuple[NDArray[np.uint16], NDArray[np.int8], NDArray[np.int32]]:
        """Slope, shift and offset of each feature's standardisation."""
        steps = 2.0**self.fraction / self.output.step / np.asarray(self.scale.std, np.float64)
        offsets = np.clip(np.round(np.asarray(self.scale.mean, np.float64) * steps), -(2**29), 2**29)
        slopes, shifts = [], []
        for each in steps:
            if self.features.compressed:
                # The logarithm comes as log2 · 2^25 and the product loses 16 bits.
                slope, exponent = _mantissa(each * log(2) * 2.0**-25 * 2**16)
                # A standard deviation so small is rounding: the steepest slope that fits.
                slope, exponent = (slope, exponent) if exponent < 0 else (0xFFFF, -1)
                slopes.append(slope), shifts.append(min(-exponent, 31))
            else:
                slope, exponent = _mantissa(each * 2**16)
                slopes.append(slope), shifts.append(int(np.clip(-exponent, -128, 127)))
        narrow_type = np.int16 if np.abs(offsets).max() < 2**15 else np.int32
        return np.array(slopes, np.uint16), np.array(shifts, np.int8), offsets.astype(narrow_type)

    @cached_property
    def bands(self) -> NDArray[np.uint16]:
        """The last bin of each band."""
        counts = make_spectrum_tables(self.features, self.features.window)["bands"].sum(0)
        return np.cumsum(counts).astype(np.uint16)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Streams, units, standardisation and the tables of the transform."""
        streams = self.features.streams
        column_type = np.uint8 if len(self.features.channels) < 256 else np.uint16
        slope, shift, offset = self.standard
        unit, unit_exponent = self.unit_table
        arrays = {"unit": unit, "unit_exponent": unit_exponent, "slope": slope, "shift": shift, "offset": offset}
        if streams and (self._timed or self._spectral):
            arrays["stream"] = np.cumsum([0, *(len(stream.columns) for stream in streams)]).astype(column_type)
            arrays["column"] = np.array([column for stream in streams for column in stream.columns], column_type)
            arrays["exponent"] = np.array([-shift for shift in self.shifts], np.int8)
        if self._spectral:
            arrays |= {"band": self.bands, **self.spectrum.tables}
        if self._paired:
            arrays["pair"] = np.array(self.features.pairs, column_type).ravel()
        return tuple(Constant(name, array) for name, array in arrays.items())

    def function(self, prefix: str) -> str:
        """Return the C of the statistics that the features have, and the function that calls them."""
        features, window = self.features, self.features.window
        streams, pairs = len(features.streams), len(features.pairs)
        unit = {name: place for place, name in enumerate(self.units)}
        values = {
            "P": f"{prefix}_{self.name}",
            "OUT": self.output.c_type,
            "T": window,
            "N": window // 2,
            "D": len(features.channels),
            "HALF": 1 << (self.fraction - 1),
            "FRACTION": self.fraction,
            "LIMIT": LIMITS[self.output.dtype],
            "BITS": self.spectrum.sample_bits,
            "TURN": self.spectrum.table_bits,
            "HALFWAY": (window - 1) // 2,
            "BANDS": len(features.bands),
            "POWER": unit.get("power", 0),
            "CORRELATION": unit.get("correlation", 0),
            "COLUMN": "uint8_t" if len(features.channels) < 256 else "uint16_t",
            "JERK": _template("difference") if features.jerks else "",
        }
        parts = ["begin", "put_compressed" if features.compressed else "put_linear"]
        body = []
        name = values["P"]
        if self._timed or self._spectral:
            parts.append("stream")
        base = f"{name}_stream[i + 1] - {name}_stream[i] > 1 ? {NORM_BASE} : 0"
        if self._timed:
            parts.append("time")
            body += [
                f"{name}_read(x, b, i, {window}, 0);",
                f"{name}_time(b, {window}, {base}, &place, {name}_exponent[i]);",
            ]
        if self._spectral:
            parts += ["spectrum"]
            values["TRANSFORM"] = _template("fft" if self.spectrum.is_fast else "dft")
            body += [f"{name}_read(x, b, i, {window}, 0);", f"{name}_spectrum(b, &place, {name}_exponent[i]);"]
        if self._paired:
            parts.append("correlation")
        lines = ["int16_t *b = (int16_t *)scratch;", f"{name}_place place;", "int i;", "place.y = y;"]
        lines += [] if self._timed or self._spectral else ["(void)b;"]
        statistics = 8 * self._timed + (2 + len(features.bands)) * self._spectral
        if body:
            lines += [f"place.step = {streams};", f"for (i = 0; i < {streams}; ++i) {{", "    place.index = i;"]
            lines += ["    place.unit = 0;", *(f"    {line}" for line in body), "}"]
        if self._paired:
            lines += [f"place.index = {statistics * streams};", "place.step = 1;"]
            lines += [f"place.unit = {unit['correlation']};", f"for (i = 0; i < {2 * pairs}; i += 2) {{"]
            lines += [f"    {name}_correlation(x, {name}_pair[i], {name}_pair[i + 1], &place);", "}"]
        if features.jerks:
            lines += [f"place.step = {streams};", f"for (i = 0; i < {streams}; ++i) {{"]
            lines += [
                f"    place.index = {statistics * streams + pairs} + i;",
                f"    place.unit = {unit['jerk.mean']};",
            ]
            lines += [f"    {name}_read(x, b, i, {window - 1}, 1);"]
            lines += [f"    {name}_time(b, {window - 1}, {base}, &place, {name}_exponent[i]);", "}"]
        source = "".join(_template(part) for part in parts)
        while "$" in source:
            source = Template(source).substitute(values)
        return source + self.head(prefix) + "\n{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"

    def run(self, *x: Array) -> Array:
        """Compute the integers of windows (n, T, D)."""
        features, (units, exponents), (slope, shift, offset) = self.features, self.unit_table, self.standard
        mantissa, exponent, names = compute_statistics(x[0], features, self.shifts, self.spectrum)
        unit = np.array([list(self.units).index(name) for name in names])
        size, exponent = normalise(np.abs(mantissa), exponent)
        size, exponent = normalise(multiply_high(size, units.astype(np.int64)[unit]), exponent + exponents[unit])
        slope, shift = slope.astype(np.int64), shift.astype(np.int64)
        if features.compressed:
            value = np.where(size > 0, log2_of_sum(size, exponent + 31), 0)
            value = multiply_high(np.where(mantissa < 0, -value, value), slope) >> shift
        else:
            size, down = multiply_high(size, slope), shift - exponent
            shifted = np.where(down < 2, 0x3FFFFFFF, size >> np.clip(down, 0, 63))
            value = np.where(size > 0, np.where(mantissa < 0, -shifted, shifted), 0)
        value = (value - offset + (1 << (self.fraction - 1))) >> self.fraction
        limit = LIMITS[self.output.dtype]
        return np.clip(value, -limit, limit).astype(self.output.dtype)


def fixed_features(
    features: FeatureSet,
    scale: FeatureScale,
    shifts: Sequence[int],
    *,
    name: str = "features",
    dtype: Literal["int8", "int16"] = "int8",
) -> FixedFeatures:
    """Make the block that computes window features without floating point.

    Args:
        features: which, of windows of at most 4096 samples.
        scale: means and standard deviations of the model.
        shifts: of each channel: value = count · 2^-shift; the same within a sensor. See ``choose_shifts``.
        name: of the block.
        dtype: of the features: as int8, 127 stands for 5 standard deviations, as int16, 32767.

    Returns:
        The block.

    Raises:
        UserError: the window is too long, or the shifts do not fit the channels.

    Example:
        >>> import numpy as np
        >>> from stillmotion.deploy import fixed_features
        >>> from stillmotion.features import FeatureScale, FeatureSet
        >>> features = FeatureSet(50, 25.0, ("acc.x",), ("acc",), groups=("time",))
        >>> scale = FeatureScale(np.zeros(8, np.float32), np.ones(8, np.float32))
        >>> block = fixed_features(features, scale, shifts=[12])
        >>> block.run(np.full((1, 50, 1), 4096, np.int16))[0] * block.output.step  # the mean of a constant 1
        array([0.98425197, 0.        , 0.98425197, 0.98425197, 0.98425197,
               0.        , 0.98425197, 0.        ])
    """
    if features.window > LONGEST:
        raise UserError(
            f"Features in integers are of windows of at most {LONGEST} samples, not {features.window}: shorten the "
            f"window or lower the rate."
        )
    if len(shifts) != len(features.channels):
        raise UserError(f"{len(features.channels)} channels have {len(shifts)} shifts; expected one per channel.")
    if outside := [each for each in shifts if each not in SHIFTS]:
        raise UserError(f"A shift must be from {SHIFTS[0]} to {SHIFTS[-1]}, not {outside[0]}.")
    for sensor in dict.fromkeys(features.sensors):
        own = {shifts[column] for column in features.columns_of(sensor)}
        if len(own) > 1:
            raise UserError(f"The channels of {sensor} have shifts {sorted(own)}; a sensor's axes need the same.")
    return FixedFeatures(
        name=name,
        inputs=(Tensor((features.window, len(features.channels)), "int16", tuple(2.0**-each for each in shifts)),),
        output=Tensor((len(features.names),), dtype, LIMIT / LIMITS[dtype]),
        features=features,
        shifts=tuple(shifts[stream.columns[0]] for stream in features.streams),
        scale=scale,
    )


def choose_shifts(windows: ArrayLike, features: FeatureSet, *, headroom: float = 2.0) -> tuple[int, ...]:
    """Choose the finest steps of the channels in which windows fit 16 bits.

    Args:
        windows: (n, T, D) of training subjects, in the signal's units.
        features: names the sensor of each channel.
        headroom: how many times the largest value must fit.

    Returns:
        The shift of each channel: value = count · 2^-shift.

    Example:
        >>> import numpy as np
        >>> from stillmotion.deploy import choose_shifts
        >>> from stillmotion.features import FeatureSet
        >>> features = FeatureSet(2, 50.0, ("acc.x", "acc.y"), ("acc", "acc"))
        >>> choose_shifts(np.array([[[1.0, -1.9], [0.5, 1.0]]]), features)
        (13, 13)
    """
    largest = np.abs(np.asarray(windows)).max((0, 1))
    shifts = []
    for sensor in features.sensors:
        peak = float(max(largest[column] for column in features.columns_of(sensor))) * headroom
        finest = floor(log2(NORM_BASE / peak)) if peak > 0 else SHIFTS[-1]
        shifts.append(min(max(finest, SHIFTS[0]), SHIFTS[-1]))
    return tuple(shifts)


def _time_units(samples: int, rate: float, factor: float, prefix: str) -> dict[str, float]:
    """Units of the statistics in time of so many samples, of a signal that is the integers' times a factor."""
    whole = {"mean": 1 / samples, "std": 1 / samples, "min": 1.0, "max": 1.0, "median": 0.25, "iqr": 0.25}
    units = {name: unit * factor for name, unit in whole.items()}
    units |= {"energy": factor**2 / samples, "zero_crossings": rate / (samples - 1)}
    return {f"{prefix}{name}": units[name] for name in TIME}


def _mantissa(value: float) -> tuple[int, int]:
    """Return 16 bits and an exponent: value ≈ bits · 2^exponent."""
    fraction, exponent = frexp(value)
    bits = round(fraction * 2**16)
    return (bits, exponent - 16) if bits < 2**16 else (2**15, exponent - 15)


@cache
def _template(name: str) -> str:
    return (files(__package__) / "c" / "features" / f"{name}.c").read_text(encoding="utf-8")
