"""The spectrum of window features without floating point.

Windows of a power of two pass through a Fourier transform of T / 2 complex numbers of 16 bits, in place, halved at
every stage; others through products with a table, whose bits are chosen so that no sum leaves 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .blocks import Array
from .fixed_numbers import Integers, bit_length

#: Bits of centred samples before the fast transform: the modulus of two stays below 2^15.
FAST_BITS = 14
#: A bin is the peak when its power is above the peak's before it by more than 1 part in 2^8.
PEAK_SHIFT = 8


@dataclass(frozen=True)
class FixedSpectrum:
    """Transform windows of one length.

    Args:
        window: samples T.
    """

    window: int

    @property
    def is_fast(self) -> bool:
        """Whether T is a power of two."""
        return self.window >= 4 and self.window & (self.window - 1) == 0

    @cached_property
    def table_bits(self) -> int:
        """Bits of the cosines of products with a table."""
        return min((31 - self.window.bit_length()) // 2, 14)

    @property
    def sample_bits(self) -> int:
        """Bits of the centred samples."""
        return FAST_BITS if self.is_fast else min(31 - self.window.bit_length() - self.table_bits, 13)

    @property
    def unit(self) -> float:
        """One-sided power of a bin is unit · power · (step of a sample)² / 2^(2 · shift)."""
        if self.is_fast:
            return 1 / (8 * self.window**2)
        return 2.0 ** (31 - 2 * self.table_bits) / self.window**4

    @cached_property
    def tables(self) -> dict[str, Array]:
        """Constants in C, by name."""
        turn = 2 * np.pi / self.window
        if self.is_fast:
            sines = np.round(2**15 * np.sin(turn * np.arange(self.window // 4 + 1)))
            return {"sines": sines.astype(np.uint16)}
        angles = turn * np.arange(self.window)
        return {
            "cosines": np.round(2**self.table_bits * np.cos(angles)).astype(np.int16),
            "sines": np.round(2**self.table_bits * np.sin(angles)).astype(np.int16),
        }

    def centre(self, samples: Integers) -> tuple[Integers, Integers]:
        """Centre (…, T) samples, times T and a power of two; return them and the powers."""
        centred = self.window * samples - samples.sum(-1, keepdims=True)
        largest = np.abs(centred).max(-1)
        shift = np.where(largest > 0, self.sample_bits - bit_length(largest), 0)
        up, down = np.maximum(shift, 0)[..., None], np.maximum(-shift, 0)[..., None]
        return (((centred << up) + (1 << down >> 1)) >> down).astype(np.int64), shift

    def powers(self, centred: Integers) -> Integers:
        """Return the power of the bins 1 … T // 2: (…, T) to (…, T // 2)."""
        return self._fast(centred) if self.is_fast else self._folded(centred)

    def _fast(self, centred: Integers) -> Integers:
        count = self.window // 2
        sine = self.tables["sines"].astype(np.int64)
        sine, cosine = np.concatenate([sine, sine[-2::-1]]), np.concatenate([sine[::-1], -sine[1:]])
        order = np.array([int(f"{i:b}".zfill(count.bit_length() - 1)[::-1], 2) for i in range(count)])
        re, im = centred[..., 0::2][..., order].copy(), centred[..., 1::2][..., order].copy()
        half = 1
        while half < count:
            angle = np.arange(half) * (count // half)
            c, s = cosine[angle], sine[angle]
            blocks = (*centred.shape[:-1], count // (2 * half), 2, half)
            re, im = re.reshape(blocks), im.reshape(blocks)
            first_re, first_im, last_re, last_im = re[..., 0, :], im[..., 0, :], re[..., 1, :], im[..., 1, :]
            turned_re = (c * last_re + s * last_im + 16384) >> 15
            turned_im = (c * last_im - s * last_re + 16384) >> 15
            re = np.stack([(first_re + turned_re + 1) >> 1, (first_re - turned_re + 1) >> 1], axis=-2)
            im = np.stack([(first_im + turned_im + 1) >> 1, (first_im - turned_im + 1) >> 1], axis=-2)
            half *= 2
        re, im = re.reshape(*centred.shape[:-1], count), im.reshape(*centred.shape[:-1], count)
        bins = np.arange(1, count)
        c, s = cosine[bins], sine[bins]
        p_re, p_im, q_re, q_im = re[..., bins], im[..., bins], re[..., count - bins], im[..., count - bins]
        odd, even = p_im + q_im, q_re - p_re
        real = p_re + q_re + ((c * odd + s * even) >> 15)
        imaginary = p_im - q_im + ((c * even - s * odd) >> 15)
        last = (re - im)[..., :1]
        return np.concatenate([real**2 + imaginary**2, 2 * last**2], axis=-1) & 0xFFFFFFFF

    def _folded(self, centred: Integers) -> Integers:
        window, half = self.window, (self.window - 1) // 2
        cosines, sines = (self.tables[name].astype(np.int64) for name in ("cosines", "sines"))
        later = centred[..., 1:]
        mirrored = later[..., ::-1]
        bins = np.arange(1, window // 2 + 1)
        angles = np.outer(np.arange(1, half + 1), bins) % window
        turn = 1 << self.table_bits
        real = centred[..., :1] * turn + (later + mirrored)[..., :half] @ cosines[angles]
        imaginary = (later - mirrored)[..., :half] @ sines[angles]
        if window % 2 == 0:
            real = real + centred[..., window // 2, None] * np.where(bins % 2, -turn, turn)
        power = ((real + 16384) >> 15) ** 2 + ((imaginary + 16384) >> 15) ** 2
        return np.where(2 * bins == window, power >> 1, power)


def find_peak(powers: Integers) -> tuple[Integers, Integers]:
    """Return the bin (from 1; 0 for none) and the power of the peak: (…, K) to (…)."""
    best = np.zeros(powers.shape[:-1], np.int64)
    peak = np.zeros_like(best)
    for number in range(powers.shape[-1]):
        larger = powers[..., number] > best + (best >> PEAK_SHIFT)
        best, peak = np.where(larger, powers[..., number], best), np.where(larger, number + 1, peak)
    return peak, best
