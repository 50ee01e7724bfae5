"""Programs are compiled once for all tests of this folder; no tests share a fleet's folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import stillmotion.training  # Before any import of keras: it chooses the backend.


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fleets of one shape share what XLA made of them."""
    import jax

    assert stillmotion.training
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
