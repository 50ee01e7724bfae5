"""The Python environments that hold interpreters of LiteRT; `make test` makes them."""

from __future__ import annotations

import os

import pytest

from stillmotion.deploy.litert.running import PYTHON, find_python
from stillmotion.errors import UserError
from tests.conftest import ROOT, unavailable

PLACES = (".venv-tflite-micro", ".venv-tensorflow")


def use_interpreters(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Let ``run_litert`` find these interpreters, or end the test."""
    places = [str(ROOT / place / "bin" / "python") for place in PLACES if (ROOT / place).is_dir()]
    patch.setenv(PYTHON, os.pathsep.join(places))
    find_python.cache_clear()
    for name in names:
        try:
            find_python(name)
        except UserError as problem:
            unavailable(str(problem))
