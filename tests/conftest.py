"""Fixtures that every room's tests share: recordings, simulated and real, and a cache of the tests' own."""

from __future__ import annotations

import gc
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from filelock import FileLock

import stillmotion  # noqa: F401  Before any import of keras: it chooses the backend.
from stillmotion.signals import Dataset, SignalSpec
from stillmotion.signals.select import select_sensors
from stillmotion.signals.simulated import generate

if TYPE_CHECKING:
    from tests.browser import Browser

ROOT = Path(__file__).parents[1]
#: Real recordings lie beside the project, with a script that writes one in its publisher's layout.
RECORDINGS = Path(os.environ.get("STILLMOTION_REAL", ROOT.parent / "shared" / "data"))


def unavailable(reason: str) -> NoReturn:
    """Skip a test whose tool or data this machine lacks; where ``CI=true`` nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: this test must run)")
    pytest.skip(reason)


#: What tests compile is read by the workers of this run and the next, and what a process that a test starts compiles by
#: the other such processes of the run: they may be killed, and JAX's own store keeps half a file then.
COMPILED = {
    "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",  # Its folder would be part of a program's key.
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


#: Tests compile much and compute little: without these XLA takes six times as long.
QUICK_COMPILATION = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_parallel_codegen_split_count=1",
    "--xla_cpu_use_fusion_emitters=false",
)


def pytest_configure(config: pytest.Config) -> None:
    """Say how JAX compiles and where it keeps that, before the workers start and before anything is compiled.

    The slow tests train for minutes, and are compiled as users' programs are.
    """
    # Processes that tests start read what the first has compiled of the package: half a second each.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if not hasattr(config, "workerinput"):
        if config.option.markexpr == "not slow":
            os.environ["XLA_FLAGS"] = " ".join([*os.environ.get("XLA_FLAGS", "").split(), *QUICK_COMPILATION])
        if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
            os.environ.update(COMPILED | {"JAX_COMPILATION_CACHE_DIR": _folder_of_run(config, "compiled")})
            if hasattr(config, "cache"):  # Not with -p no:cacheprovider.
                os.environ["STILLMOTION_TEST_PROGRAMS"] = str(config.cache.mkdir("compiled"))
        # Also of what no test owns: fixtures of a session, modules while they are imported.
        os.environ["STILLMOTION_CACHE"] = os.environ["STILLMOTION_TEST_CACHE"] = _folder_of_run(config, "recordings")
        if config.getoption("numprocesses", None):
            # A worker for each core: threads of BLAS and scikit-learn would wait for those of the other worker.
            os.environ.update({name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        _keep_programs()
        # Tests kill processes, but cut no power: waiting for the disk at every file shows nothing.
        os.fsync = lambda file: None


def _folder_of_run(config: pytest.Config, name: str) -> str:
    folder = tempfile.mkdtemp(prefix=f"stillmotion-{name}-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


def _keep_programs() -> None:
    """Let this process keep its programs, also where a conftest imported JAX before the environment was set."""
    import jax
    from jax._src import compilation_cache

    from stillmotion.compiled import ProgramStore, machine_kind

    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    if programs := os.environ.get("STILLMOTION_TEST_PROGRAMS"):
        store = ProgramStore(Path(programs) / machine_kind(), 2 << 30)
        compilation_cache.get_file_cache = lambda path: (store, path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle the tests where ``STILLMOTION_SHUFFLE`` names a seed: no test may depend on another one's turn."""
    if seed := os.environ.get("STILLMOTION_SHUFFLE"):
        items.sort(key=lambda item: item.nodeid)
        random.Random(seed).shuffle(items)


def pytest_collection_finish() -> None:
    """Collect garbage more rarely: what was imported stays anyway, and tracing leaves little garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache or data folder; those of real recordings convert each set once."""
    real = request.node.get_closest_marker("real") is not None
    folder = Path(os.environ["STILLMOTION_TEST_CACHE"]) if real else tmp_path / "cache"
    monkeypatch.setenv("STILLMOTION_CACHE", str(folder))
    monkeypatch.delenv("STILLMOTION_DATA", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)  # No output depends on the width of this terminal.
    return folder


@pytest.fixture(scope="session")
def _simulated() -> Dataset:
    data = generate()
    data.samples.flags.writeable = data.labels.flags.writeable = False
    return data


@pytest.fixture(scope="session")
def wrist() -> SignalSpec:
    """The contract of the acceleration at the simulated wrist."""
    return select_sensors(generate(subjects=1, minutes=1.0), "wrist.acc").spec


@pytest.fixture
def simulated_once(_simulated: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """``load("simulated")`` returns the same data set each time, instead of simulating it for two seconds."""

    def once(**options: Any) -> Dataset:
        return generate(**options) if options else _simulated

    monkeypatch.setattr("stillmotion.signals.simulated.generate", once)
    return _simulated


@pytest.fixture
def forget_own() -> Iterator[None]:
    """Networks, methods and classifiers that a test registers are gone after it."""
    with forgotten():
        yield


@contextmanager
def forgotten() -> Iterator[None]:
    """Networks, methods and classifiers that are registered within the context are gone after it."""
    from stillmotion.features import registered
    from stillmotion.methods import METHODS
    from stillmotion.networks import registry

    methods = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(methods)
    registry._OWN.clear()
    registered._OWN.clear()


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds ``hapt/`` of six simulated subjects."""
    from tests.publishers.write import write_hapt

    root = tmp_path_factory.mktemp("recordings")
    write_hapt(root / "hapt", subjects=6, minutes=2)
    return root


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Folder that holds ``NAME/`` in its publisher's layout; skips without recordings, fails so in CI."""
    script, out = RECORDINGS / "unpack.py", ROOT / ".real"
    if not script.is_file():
        unavailable(f"the real recordings are not at {RECORDINGS}; set STILLMOTION_REAL")

    def folder(name: str) -> Path:
        out.mkdir(exist_ok=True)
        with FileLock(out / f"{name}.lock"):
            if not (out / f"{name}.whole").exists():
                subprocess.run([sys.executable, script, name, out / name], check=True)
                (out / f"{name}.whole").touch()
        return out

    return folder


@pytest.fixture(scope="session")
def recordings_folder() -> Path:
    """Where the real recordings' own columns lie, the source that loaders are compared with."""
    if not RECORDINGS.is_dir():
        unavailable(f"the real recordings are not at {RECORDINGS}; set STILLMOTION_REAL")
    return RECORDINGS


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless browser, started once."""
    from tests.browser import Browser

    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
