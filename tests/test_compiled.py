"""Compiled programs are kept for the next process: for this machine alone, whole, bounded, and without a word."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from jax._src import compilation_cache

from stillmotion import compiled
from stillmotion.compiled import ProgramStore, keep_compiled_programs, machine_kind, remove_oldest

from .damage import full_disk

#: A process that computes something; it prints how many programs it read from the folder, and the bits of the result.
PROCESS = """
import sys, numpy as np, jax
from stillmotion import compiled
get, read = compiled.ProgramStore.get, []
def counted(self, key):
    program = get(self, key)
    read.append(program is not None)
    return program
compiled.ProgramStore.get = counted
compiled.keep_compiled_programs()
x = np.random.default_rng(0).normal(size=(60, 60)).astype(np.float32)
y = jax.jit(lambda x: jax.lax.scan(lambda c, _: (jax.numpy.tanh(c @ x), c.sum(0)), x, None, length=3)[0])(x)
z = jax.jit(lambda y: jax.numpy.sort(y, axis=0).sum(1))(y)
print(sum(read), len(read), np.asarray(z).tobytes().hex())
"""
SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_enable_compilation_cache",
    "jax_persistent_cache_min_compile_time_secs",
)


def programs(folder: Path) -> list[Path]:
    """The files below a folder, drafts included."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(cache: Path) -> list[str]:
    """What a process prints, which must say nothing else, warnings included."""
    names = {"JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["STILLMOTION_CACHE"] = str(cache)
    command = [sys.executable, "-W", "error", "-c", PROCESS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def without_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """JAX as in a process that names no cache of compiled programs."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    monkeypatch.setattr(compilation_cache, "get_file_cache", compilation_cache.get_file_cache)
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_next_process_reads_what_one_compiled_and_compiles_what_was_damaged(tmp_path: Path) -> None:
    read, asked, fresh = run(tmp_path)
    assert read == "0"
    files = programs(tmp_path / "compiled" / machine_kind())
    assert len(files) == int(asked) >= 2
    assert run(tmp_path) == [asked, asked, fresh]

    whole = [file.read_bytes() for file in files]
    nonsense = b"no program"
    files[0].write_bytes(whole[0][: len(whole[0]) // 2])
    files[1].write_bytes(hashlib.sha256(nonsense).digest() + nonsense)  # Whole, but nothing that JAX can run.
    assert run(tmp_path) == [str(len(files) - 1), asked, fresh]
    assert run(tmp_path) == [asked, asked, fresh]  # Both were written anew.


def test_a_program_cut_or_changed_anywhere_is_gone(tmp_path: Path) -> None:
    store, program = ProgramStore(tmp_path / "kind"), bytes(range(256)) * 10
    assert store.get("key") is None
    store.put("key", program)
    (file,) = programs(tmp_path / "kind")
    whole = file.read_bytes()
    for damaged in (b"", whole[:10], whole[:32], whole[:-1], whole + b"x", *(flipped(whole, at) for at in (0, 40, -1))):
        file.write_bytes(damaged)
        assert store.get("key") is None
        assert not file.exists()
        store.put("key", program)
        assert store.get("key") == program
    assert store.get("other") is None


def flipped(content: bytes, at: int) -> bytes:
    """The same bytes, with one bit changed."""
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def test_a_disk_that_is_full_and_a_folder_that_is_gone_cost_nothing_but_the_program(tmp_path: Path) -> None:
    store = ProgramStore(tmp_path / "kind")
    with full_disk(1000):
        store.put("key", b"x" * 5000)
    assert store.get("key") is None
    assert programs(tmp_path / "kind") == []
    (tmp_path / "file").touch()
    below = ProgramStore(tmp_path / "file" / "kind")
    below.put("key", b"program")
    assert below.get("key") is None


def test_what_was_not_used_for_longest_goes_first_whichever_machine_wrote_it(tmp_path: Path) -> None:
    here, there = ProgramStore(tmp_path / "here"), ProgramStore(tmp_path / "there")
    for number in range(10):
        (here, there)[number % 2].put(str(number), b"x" * 100_000)
        os.utime((here, there)[number % 2]._file(str(number)), (number, number))
    assert here.get("0") is not None  # Used now: the youngest.
    remove_oldest(tmp_path, 1_100_000)
    assert len(programs(tmp_path)) == 10  # Ten files of 100,032 bytes are within the limit.
    remove_oldest(tmp_path, 900_000)
    left = [number for number in range(10) if (here, there)[number % 2].get(str(number)) is not None]
    assert left == [0, 5, 6, 7, 8, 9]


def test_small_programs_are_bounded_in_number(tmp_path: Path) -> None:
    store = ProgramStore(tmp_path / "kind", 32 * compiled.LEAST)
    for number in range(60):
        store.put(str(number), b"small")
        assert len(programs(store.folder)) <= 32 + 3  # Counted anew after a sixteenth of the limit.
    assert store.get("59") == b"small"


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("flags\t\t: fpu sse2 avx2", "flags\t\t: fpu sse2"),
        ("model\t\t: 1", "model\t\t: 17"),
        ("Features\t: fp asimd sve", "Features\t: fp asimd"),
    ],
)
def test_another_processor_has_a_folder_of_its_own(
    line: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "PROCESSORS", tmp_path / "cpuinfo")

    def kind(*lines: str) -> str:
        (tmp_path / "cpuinfo").write_text("\n".join(lines))
        return machine_kind()

    assert kind(line) != kind(other)
    assert kind("cpu MHz\t\t: 2400.1", line) == kind("cpu MHz\t\t: 3100.7", line)


def test_a_cache_of_the_user_is_left_alone(tmp_path: Path, without_cache: None) -> None:
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "theirs"))
    keep_compiled_programs()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "theirs")
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_enable_compilation_cache", False)
    keep_compiled_programs()
    assert jax.config.jax_compilation_cache_dir is None


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_cache: None) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STILLMOTION_CACHE", str(tmp_path / "file" / "cache"))
    keep_compiled_programs()
    assert jax.config.jax_compilation_cache_dir is None
