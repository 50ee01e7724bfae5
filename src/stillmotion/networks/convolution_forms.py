"""Which convolutions of a program take which form, as sizes from which a form is used.

All forms give the same results to rounding. The sizes of ``USUAL`` are those at which the forms were equally fast on
two cores with AVX2; they do not follow the machine, so that results do not either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

NEVER = 1 << 30
BY_XLA, CHANNELS_FIRST, SLICES = "XLA's convolution", "channels first and batch last", "slices and a product"


@dataclass(frozen=True)
class ConvolutionForms:
    """Sizes from which a form is used.

    Args:
        few: most channels and filters with which a convolution is computed with channels first and the batch last.
        many: fewest channels of the values from which XLA's convolution is used, else slices and a product.
        many_for_kernel: the same for the gradient of the kernel.
    """

    few: int = 8
    many: int = 16
    many_for_kernel: int = 8

    def of(self, channels: int, filters: int) -> str:
        """Name the form of a convolution of several taps and without stride."""
        if max(channels, filters) <= self.few:
            return CHANNELS_FIRST
        return BY_XLA if channels >= self.many else SLICES


USUAL = ConvolutionForms()
#: The forms of a program that is compiled without the options under which XLA's convolution is fast.
WITHOUT_XLA = ConvolutionForms(many=NEVER, many_for_kernel=NEVER)

_forms: ContextVar[ConvolutionForms] = ContextVar("_forms", default=WITHOUT_XLA)
_noted: ContextVar[set[str] | None] = ContextVar("_noted", default=None)


@contextmanager
def using_forms(forms: ConvolutionForms) -> Iterator[None]:
    """Compute convolutions that are traced inside in these forms."""
    before = _forms.set(forms)
    try:
        yield
    finally:
        _forms.reset(before)


def current_forms() -> ConvolutionForms:
    """Return the forms of what is being traced."""
    return _forms.get()


@contextmanager
def noted_forms(noted: set[str]) -> Iterator[None]:
    """Add the forms of all convolutions that are traced inside to ``noted``, as ``taps, channels → filters: form``."""
    before = _noted.set(noted)
    try:
        yield
    finally:
        _noted.reset(before)


def note_form(kernel: Sequence[int], form: str) -> None:
    """Note the form of a convolution; ``kernel`` is the shape (*taps, channels, filters)."""
    if (noted := _noted.get()) is not None:
        *taps, channels, filters = kernel
        noted.add(f"{'×'.join(map(str, taps))}, {channels} → {filters}: {form}")
