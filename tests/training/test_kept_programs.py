"""A fleet whose programs were read from disk comes to the very bits of one that compiled them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pytest
from jax._src import compilation_cache

from stillmotion.compiled import ProgramStore

from .small import normed, replica, same, train


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether each program that a fleet asks for was on disk, with a cache of compiled programs as users have it."""
    asked: list[bool] = []
    get = ProgramStore.get

    def counted(self: ProgramStore, key: str) -> bytes | None:
        program = get(self, key)
        asked.append(program is not None)
        return program

    monkeypatch.setattr(ProgramStore, "get", counted)
    monkeypatch.setattr(compilation_cache, "get_file_cache", compilation_cache.get_file_cache)
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    compilation_cache.reset_cache()
    jax.config.update("jax_compilation_cache_dir", None)
    yield asked
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def test_a_program_from_disk_trains_to_the_same_bits(
    read: list[bool], compile_anew: Callable[[], None], own_cache: Path
) -> None:
    student = normed()

    def trained() -> object:
        compile_anew()
        jax.clear_caches()
        read.clear()
        (result,) = train(student, [replica(3, learning_rate=0.01)])
        return result

    fresh = trained()
    assert read
    assert not any(read[-2:])  # The two programs of a fleet: an epoch, an evaluation.
    kept = trained()
    assert len(read) > 1
    assert all(read)
    same(fresh, kept)
    for file in (own_cache / "compiled").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-1])
    again = trained()
    assert not any(read[-2:])
    same(fresh, again)
