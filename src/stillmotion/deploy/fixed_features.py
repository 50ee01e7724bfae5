"""Window features without floating point: from raw counts of 16 bits to integers that a model takes.

Every sensor's counts have a step that is a power of two: value = count · 2^-shift. Statistics are exact sums of
integers; roots, quotients, the spectrum and the logarithm have their own functions in integers. The features leave
standardised by the model's means and standard deviations and clipped at ±5: as int8, 127 stands for 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..features.feature_set import ORDER, FeatureSet
from ..features.scale import LIMIT, FeatureScale
from .blocks import C_TYPES, Array, Block, Constant, Tensor
from .feature_code import FeatureCode, fill_templates, read_template
from .fixed_numbers import log2_of_sum, multiply_high, normalise, split_factor
from .fixed_spectrum import FixedSpectrum
from .fixed_statistics import NORM_BASE, compute_statistics
from .signal_counts import SHIFTS

#: Longest window whose sums fit their integers.
LONGEST = 4096
#: Folder of its C files.
FOLDER = "features_int"
#: What the clip is as an integer.
LIMITS = {"int8": 127, "int16": 32767}


@dataclass(frozen=True, eq=False, kw_only=True)
class FixedFeatures(Block):
    """Compute window features in integers; make it with ``fixed_features``.

    Args:
        features: which.
        shifts: of each channel: value = count · 2^-shift.
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
        kept, paired = self.code.kept, bool(self.features.pairs)
        needed = {"own_frame": True, "normalise": True, "log2_of_one_plus": self.features.compressed}
        needed |= {"round_root": bool(self.features.signals), "narrow": "energy" in kept or paired}
        needed |= {"spread": "std" in kept or paired, "divide": "peak_share" in kept or paired}
        return tuple(name for name, yes in needed.items() if yes)

    @cached_property
    def code(self) -> FeatureCode:
        """What the C consists of."""
        return FeatureCode(self.features)

    @cached_property
    def spectrum(self) -> FixedSpectrum:
        """The transform of this length."""
        return FixedSpectrum(self.features.window)

    @cached_property
    def units(self) -> dict[str, float]:
        """What 1 of each statistic's integers stands for, in the order of the C's table."""
        window, rate = self.features.window, self.features.rate
        units: dict[str, float] = {}
        if self.features.timed:
            units |= _time_units(self.code.in_time, window, rate, 1.0, "")
        if self.features.jerks:
            units |= _time_units(self.code.in_time, window - 1, rate, rate, "jerk.")
        if self.features.spectral:
            units |= {"peak_hz": rate / window, "peak_share": 1.0, "power": self.spectrum.unit}
        if self.features.pairs:
            units["correlation"] = 1.0
        return units

    @cached_property
    def unit_table(self) -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
        """Each unit as 16 bits · 2^(exponent - 16)."""
        mantissas, exponents = zip(*(split_factor(unit) for unit in self.units.values()), strict=True)
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
                slope, exponent = split_factor(each * log(2) * 2.0**-25 * 2**16)
                # A standard deviation so small is rounding: the steepest slope that fits.
                slope, exponent = (slope, exponent) if exponent < 0 else (0xFFFF, -1)
                shifts.append(min(-exponent, 31))
            else:
                slope, exponent = split_factor(each * 2**16)
                shifts.append(int(np.clip(-exponent, -128, 127)))
            slopes.append(slope)
        narrow_type = np.int16 if np.abs(offsets).max() < 2**15 else np.int32
        return np.array(slopes, np.uint16), np.array(shifts, np.int8), offsets.astype(narrow_type)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Streams, units, standardisation and the tables of the transform."""
        slope, shift, offset = self.standard
        unit, unit_exponent = self.unit_table
        arrays: dict[str, Array] = {"unit": unit, "unit_exponent": unit_exponent}
        arrays |= {"slope": slope, "shift": shift, "offset": offset}
        arrays |= self.code.arrays()
        if signals := self.features.signals:
            arrays["exponent"] = np.array([-self.shifts[stream.columns[0]] for stream in signals], np.int8)
        if self.features.spectral:
            arrays.update(self.spectrum.tables)
        return tuple(Constant(name, array) for name, array in arrays.items())

    def function(self, prefix: str) -> str:
        """Return the C of the statistics that the features have, and the function that calls them."""
        features, window, name, code = self.features, self.features.window, f"{prefix}_{self.name}", self.code
        unit = {statistic: place for place, statistic in enumerate(self.units)}
        values = {
            "P": name,
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
            "COLUMN": C_TYPES[np.dtype(code.column_type).name],
            "PLACE": C_TYPES[np.dtype(code.place_type).name],
            "WHEN_SORTED": code.when(*ORDER),
            "WHEN_CROSSING": code.when("zero_crossings"),
            "JERK": read_template(FOLDER, "difference") if features.jerks else "",
            "NEXT_PLACE": read_template(FOLDER, "next_place"),
            "SORT": read_template("features", "sort"),
            "SAMPLE": "int16_t",
            "TRANSFORM": read_template(FOLDER, "fft" if self.spectrum.is_fast else "dft"),
        }
        parts = ["begin", "put_compressed" if features.compressed else "put_linear"]
        parts += ["put_signed"] * bool(code.kept & {"mean", "min", "max", *ORDER}) + ["stream"] * bool(features.signals)
        base = f"{name}_stream[i + 1] - {name}_stream[i] > 1 ? {NORM_BASE} : 0"
        calls = {
            "time": f"{name}_time(b, {window}, {base}, &place, {name}_exponent[i]);",
            "spectrum": f"{name}_spectrum(b, &place, {name}_exponent[i]);",
            "jerk": f"{name}_time(b, {window - 1}, {base}, &place, {name}_exponent[i]);",
        }
        body = code.write_body(name, "int16_t", calls, lambda first: [f"place.unit = {unit[first]};"])
        return f"{fill_templates(FOLDER, [*parts, *code.parts], values, code.flags)}{self.head(prefix)}\n{body}"

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
        return np.asarray(np.clip(value, -limit, limit), self.output.dtype)


def fixed_features(
    features: FeatureSet,
    scale: FeatureScale,
    shifts: Sequence[int],
    *,
    name: str = "features",
    dtype: Literal["int8", "int16"] = "int8",
    clip: float = LIMIT,
) -> FixedFeatures:
    """Make the block that computes window features without floating point.

    Args:
        features: which, of windows of at most 4096 samples.
        scale: means and standard deviations of the model.
        shifts: of each channel: value = count · 2^-shift; the same within a sensor. See ``fit_counts``.
        name: of the block.
        dtype: of the features: as int8, 127 stands for ``clip``, as int16, 32767.
        clip: standardised features are limited to ± this.

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
        output=Tensor((len(features.names),), dtype, clip / LIMITS[dtype]),
        features=features,
        shifts=tuple(shifts),
        scale=scale,
    )


def _time_units(names: Iterable[str], samples: int, rate: float, factor: float, prefix: str) -> dict[str, float]:
    """Units of these statistics in time of so many samples, of a signal that is the integers' times a factor."""
    whole = {"mean": 1 / samples, "std": 1 / samples, "min": 1.0, "max": 1.0, "median": 0.25, "iqr": 0.25}
    units = {name: unit * factor for name, unit in whole.items()}
    units |= {"energy": factor**2 / samples, "zero_crossings": rate / (samples - 1)}
    return {f"{prefix}{name}": units[name] for name in names}
