"""Networks of the tests are drawn by NumPy, and programs that see a patched function are compiled for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stillmotion.networks.draws import drawn_by_numpy
from stillmotion.training import functional, program


@pytest.fixture(autouse=True)
def quick_draws() -> Iterator[None]:
    """Keras compiles every draw of weights, which fleets draw again."""
    with drawn_by_numpy():
        yield


@pytest.fixture
def compile_anew() -> Iterator[Callable[[], None]]:
    """Nothing compiled before or in this test serves another; the function forgets what was compiled so far."""

    def forget() -> None:
        program._COMPILED.clear()
        functional._TWINS.clear()

    forget()
    yield forget
    forget()
