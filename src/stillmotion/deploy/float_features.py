"""Window features in float32, made of single operations in a fixed order: C and NumPy agree bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2

import numpy as np

from ..errors import UserError
from ..features.compute import make_spectrum_tables
from ..features.feature_set import ORDER, TIME, FeatureSet, Stream
from ..features.scale import LIMIT, FeatureScale
from .arithmetic import LARGEST, Floats, clamp, float_tensor, log1p_f32, sqrt_f32
from .blocks import C_TYPES, Array, Block, Constant, Tensor, format_number
from .feature_code import FeatureCode, fill_templates, read_template
from .fixed_features import fixed_features
from .float_block import FloatBlock

FOLDER = "features_f32"
F = np.float32
#: Margin of a comparison with the mean, as in ``features/compute.py``; and of the peak.
MARGIN, PEAK = F(2.0**-21), F(1.00001)


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatFeatures(FloatBlock):
    """Compute window features in float32; make it with ``float_features``.

    Args:
        features: which.
        scale: means and standard deviations that standardise them; none where they are not.
        clip: standardised features are limited to ± this.
    """

    features: FeatureSet
    scale: FeatureScale | None
    clip: float

    @cached_property
    def code(self) -> FeatureCode:
        """What the C consists of."""
        return FeatureCode(self.features)

    @property
    def raw(self) -> bool:
        """Whether the features leave as they are."""
        return self.scale is None

    @property
    def scratch_bytes(self) -> int:
        """One stream."""
        return 4 * self.features.window

    @property
    def support(self) -> tuple[str, ...]:
        """C functions of float32."""
        needed = {"sqrt_f32": True, "log1p_f32": self.features.compressed, "clamp_f32": not self.raw}
        return tuple(name for name, yes in needed.items() if yes)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Streams, standardisation and the tables of the transform."""
        arrays: dict[str, Array] = self.code.arrays()
        if self.scale is not None:
            arrays |= {"mean": self.scale.mean.astype(F), "factor": (F(1) / self.scale.std).astype(F)}
        if self.features.spectral:
            arrays["cosines"], arrays["sines"] = self._tables()
        return tuple(Constant(name, array) for name, array in arrays.items())

    def _tables(self) -> tuple[Floats, Floats]:
        """Cosines of half a turn, and its sines."""
        angles = 2 * np.pi / self.features.window * np.arange(self.features.window // 2 + 1)
        return np.cos(angles).astype(F), np.sin(angles).astype(F)

    def function(self, prefix: str) -> str:
        """Return the C of the statistics that the features have, and the function that calls them."""
        features, window, name, code = self.features, self.features.window, f"{prefix}_{self.name}", self.code
        scale = read_template(FOLDER, "compress") if features.compressed else ""
        scale += "" if self.raw else read_template(FOLDER, "standardise")
        # Of sorted samples the ends are known.
        sorted_all = bool(code.kept & {*ORDER}) and not code.when(*ORDER)
        values = {
            "P": name,
            "T": window,
            "D": len(features.channels),
            "COUNT": format_number(float(window)),
            "RATE": format_number(features.rate),
            "CLIP": format_number(self.clip),
            "HALFWAY": (window - 1) // 2,
            "BANDS": len(features.bands),
            "HERTZ": format_number(features.rate / window),
            "SINGLE": format_number(1 / window**2),
            "DOUBLE": format_number(2 / window**2),
            "COLUMN": C_TYPES[np.dtype(code.column_type).name],
            "PLACE": C_TYPES[np.dtype(code.place_type).name],
            "INDEX": "place->index" if code.is_even else "index",
            "LOW": "b[0]" if sorted_all else "low",
            "HIGH": "b[n - 1]" if sorted_all else "high",
            "WHEN_SORTED": code.when(*ORDER),
            "JERK": read_template(FOLDER, "difference") if features.jerks else "",
            "SORT": read_template("features", "sort"),
            "SAMPLE": "float",
            "SCALE": scale,
        }
        flags = code.flags | ({"ends"} if code.kept & {"min", "max"} and not sorted_all else set())
        centred = code.in_frequency or features.pairs or code.kept & {"mean", "std", "zero_crossings"}
        parts = ["begin", *["stream"] * bool(features.signals), *["centre"] * bool(centred), *code.parts]
        calls = {
            "time": f"{name}_time(b, {window}, &place);",
            "spectrum": f"{name}_spectrum(b, &place);",
            "jerk": f"{name}_time(b, {window - 1}, &place);",
        }
        source = fill_templates(FOLDER, parts, values, flags)
        return f"{source}{self.head(prefix)}\n{code.write_body(name, 'float', calls, lambda first: [])}"

    def run(self, *x: Array) -> Array:
        """Compute the features of windows (n, T, D)."""
        signal, features = np.asarray(x[0], F).transpose(0, 2, 1), self.features
        found: dict[str, Floats] = {}

        def keep(streams: Sequence[Stream], statistics: Mapping[str, Floats]) -> None:
            found.update(
                (f"{stream.name}.{name}", values[:, place])
                for name, values in statistics.items()
                for place, stream in enumerate(streams)
            )

        if features.timed:
            keep(features.timed, self._in_time(_read(signal, features.timed)))
        if features.spectral:
            keep(features.spectral, self._in_frequency(_read(signal, features.spectral)))
        if features.pairs:
            found.update(
                zip(map(features.name_correlation, features.pairs), _correlate(signal, features).T, strict=True)
            )
        if features.jerks:
            jerk = (signal[:, :, 1:] - signal[:, :, :-1]) * F(features.rate)
            keep(features.jerks, self._in_time(_read(jerk, features.jerks)))
        values = np.stack([found[name] for name in features.names], axis=1)
        if features.compressed:
            values = np.where(values < 0, -log1p_f32(np.abs(values)), log1p_f32(np.abs(values)))
        if self.scale is not None:
            factor = (F(1) / self.scale.std).astype(F)
            values = clamp((values - self.scale.mean.astype(F)) * factor, -self.clip, self.clip)
        return np.asarray(values, F)

    def quantise(self, inputs: tuple[Tensor, ...], low: float, high: float) -> Block:
        """Return the features in integers, from raw counts to standardised int8."""
        if self.scale is None:
            raise UserError(
                f"{self.name}: features in integers are standardised by the training subjects' mean and standard "
                f"deviation; put a Normalization layer and ops.clip behind the WindowFeatures."
            )
        given = np.broadcast_to(np.asarray(inputs[0].scale), len(self.features.channels))
        shifts = [round(-log2(step)) for step in given]
        return fixed_features(self.features, self.scale, shifts, name=self.name, clip=min(self.clip, LIMIT))

    def _in_time(self, x: Floats) -> dict[str, Floats]:
        """Compute statistics in time (n, S, T)."""
        length = x.shape[2]
        first, rest, margin, _ = _centre(x)
        centred = (x - first[..., None]) - rest[..., None]
        above = centred >= -margin[..., None]
        crossings = (above[:, :, 1:] != above[:, :, :-1]).sum(2).astype(F)
        ordered = np.sort(x, axis=2)
        lower, median, upper = (_quantile(ordered, quarters) for quarters in (1, 2, 3))
        return {
            "mean": first + rest,
            "std": sqrt_f32(_sum(centred * centred) / F(length)),
            "min": ordered[:, :, 0],
            "max": ordered[:, :, -1],
            "median": median,
            "iqr": upper - lower,
            "energy": _sum(x * x) / F(length),
            "zero_crossings": crossings * (F(self.features.rate) / F(length - 1)),
        }

    def _in_frequency(self, x: Floats) -> dict[str, Floats]:
        """Compute peak, share and bands (n, S, T)."""
        window, half = self.features.window, (self.features.window - 1) // 2
        first, rest, _, varies = _centre(x)
        centred = (x - first[..., None]) - rest[..., None]
        bins = np.arange(1, window // 2 + 1)
        cosines, sines = self._tables()
        real = np.repeat(centred[:, :, :1], len(bins), axis=2)
        imaginary = np.zeros_like(real)
        for time in range(1, half + 1):
            angle = time * bins % window
            early = angle <= window // 2
            place = np.where(early, angle, window - angle)
            low, high = centred[:, :, time, None], centred[:, :, window - time, None]
            real = real + (low + high) * cosines[place]
            product = (low - high) * sines[place]
            imaginary = np.where(early, imaginary + product, imaginary - product)
        if window % 2 == 0:
            middle = centred[:, :, window // 2, None]
            real = np.where(bins % 2, real - middle, real + middle)
        power = (real * real + imaginary * imaginary) * np.where(2 * bins == window, F(1 / window**2), F(2 / window**2))
        power = np.where(varies[..., None], power, F(0))
        best, peak = np.zeros(power.shape[:2], F), np.zeros(power.shape[:2], F)
        for number in bins:
            larger = power[:, :, number - 1] > best * PEAK
            best, peak = np.where(larger, power[:, :, number - 1], best), np.where(larger, F(number), peak)
        members = make_spectrum_tables(self.features, window)["bands"].astype(bool)
        bands = [_sum(power[:, :, own]) if own.any() else np.zeros_like(best) for own in members.T]
        total = _sum(np.stack(bands, axis=2))
        share = np.where(total > 0, best / np.where(total > 0, total, F(1)), F(0))
        names = (name for name in self.features.statistics if name not in TIME)
        return dict(zip(names, (peak * F(self.features.rate / window), share, *bands), strict=True))


def float_features(
    features: FeatureSet, scale: FeatureScale | None = None, *, name: str = "features", clip: float = LARGEST
) -> FloatFeatures:
    """Make the block that computes window features in float32.

    Args:
        features: which.
        scale: means and standard deviations that standardise them; none to leave them as they are.
        name: of the block.
        clip: standardised features are limited to ± this.

    Returns:
        The block.

    Example:
        >>> import numpy as np
        >>> from stillmotion.deploy import float_features
        >>> from stillmotion.features import FeatureScale, FeatureSet
        >>> features = FeatureSet(50, 25.0, ("acc.x",), ("acc",), groups=("time",))
        >>> scale = FeatureScale(np.zeros(8, np.float32), np.ones(8, np.float32))
        >>> float_features(features, scale).run(np.full((1, 50, 1), 1.5, np.float32))[0, :3]
        array([1.5, 0. , 1.5], dtype=float32)
    """
    return FloatFeatures(
        name=name,
        inputs=(float_tensor((features.window, len(features.channels))),),
        output=float_tensor((len(features.names),)),
        features=features,
        scale=scale,
        clip=clip,
    )


def _sum(x: Floats) -> Floats:
    """Add along the last axis in its order, as a loop does."""
    return np.asarray(np.add.accumulate(x, axis=-1, dtype=F)[..., -1])


def _read(signal: Floats, streams: Sequence[Stream]) -> Floats:
    """Return streams of a signal (n, D, T)."""
    parts = []
    for stream in streams:
        squares = np.zeros_like(signal[:, 0])
        for column in stream.columns:
            squares = squares + signal[:, column] * signal[:, column]
        parts.append(sqrt_f32(squares) if stream.is_norm else signal[:, stream.columns[0]])
    return np.stack(parts, axis=1)


def _centre(x: Floats) -> tuple[Floats, Floats, Floats, Array]:
    """Return the first sample, the mean less it, the margin of comparisons, and whether the signal varies."""
    first, low, high = x[..., 0], x.min(-1), x.max(-1)
    rest = _sum(x - first[..., None]) / F(x.shape[-1])
    margin = np.maximum(-low, high) * MARGIN
    return first, rest, margin, high - low > margin


def _quantile(ordered: Floats, quarters: int) -> Floats:
    at = quarters * (ordered.shape[2] - 1)
    low = ordered[:, :, at >> 2]
    return low + (ordered[:, :, (at >> 2) + 1] - low) * F((at & 3) / 4) if at & 3 else low


def _correlate(signal: Floats, features: FeatureSet) -> Floats:
    """Compute the correlations of pairs of channels (n, D, T)."""
    first, rest, _, varies = _centre(signal)
    centred = (signal - first[..., None]) - rest[..., None]
    count = F(signal.shape[2])
    deviation = sqrt_f32(_sum(centred * centred) / count)
    a, b = (list(columns) for columns in zip(*features.pairs, strict=True))
    size = deviation[:, a] * deviation[:, b]
    defined = varies[:, a] & varies[:, b] & (size > 0)
    product = _sum(centred[:, a] * centred[:, b]) / count
    return np.asarray(np.where(defined, product / np.where(defined, size, F(1)), F(0)), F)
