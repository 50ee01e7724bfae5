"""Programs that JAX has compiled, kept on disk for the next process.

Compiling the programs of a small fleet takes 5 to 20 seconds, reading them a few tenths. They lie in the cache folder,
in a folder of their own for each kind of processor and version of JAX: code for other processors may end the process.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import sys
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from .errors import UserError
from .files import atomic_write, cache_root

#: Version of the layout; files of another version are not read.
FORMAT = 2
#: Bytes that are kept, of all processors and versions together; what was not used for longest goes first. A file counts
#: as ``LEAST`` at least: thousands of small ones would make the folder slow.
MOST, LEAST = 256 << 20, 50_000
#: Where Linux describes the processors, and the lines that decide which code runs and which XLA writes.
PROCESSORS = Path("/proc/cpuinfo")
PROCESSOR = ("vendor_id", "cpu family", "model", "flags", "CPU implementer", "CPU part", "Features")


class ProgramStore:
    """Compiled programs in a folder, each with its checksum; a folder that fails costs a compilation, never the run.

    This is a ``CacheInterface`` of JAX, whose own trusts every file, leaves half a file where a process was killed, and
    warns in each later run.

    Args:
        folder: folder of the programs of this machine; its parent holds those of others.
        most: bytes that the parent may hold.
    """

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self.folder, self.most = folder, most
        self._path = folder  # JAX logs it.
        self._lock = Lock()
        self._unchecked = most  # Other processes may have filled the folder.

    def get(self, key: str) -> bytes | None:
        """Return a program; None if it is absent or damaged, and a damaged one is removed."""
        path = self._file(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, program = content[:32], content[32:]
        if hashlib.sha256(program).digest() != digest:
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return program

    def put(self, key: str, program: bytes) -> None:
        """Keep a program."""
        with suppress(UserError, OSError):
            # The checksum finds a program that a power failure cut short.
            atomic_write(self._file(key), hashlib.sha256(program).digest() + program, synced=False)
        with self._lock:
            self._unchecked += max(len(program), LEAST)
            if self._unchecked > self.most // 16:
                remove_oldest(self.folder.parent, self.most)
                self._unchecked = 0

    def _file(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        # A writer looks for drafts of killed processes in the folder: among thousands of programs for 6 ms.
        return self.folder / name[:2] / name


def keep_compiled_programs() -> None:
    """Let JAX read compiled programs from the cache folder and write them there; a second call does nothing.

    Nothing is kept where JAX has a cache already (``JAX_COMPILATION_CACHE_DIR``), where its cache is switched off
    (``JAX_ENABLE_COMPILATION_CACHE=0``), or where the folder cannot be written.
    """
    if "jax" not in sys.modules:  # Keras computes with another library.
        return
    import jax

    config: Any = jax.config
    if config.jax_compilation_cache_dir or not config.jax_enable_compilation_cache:
        return
    # JAX has no public place for another store than its own: where it is no longer here, nothing is kept.
    with suppress(OSError, RuntimeError, ImportError, AttributeError):
        from jax._src import compilation_cache

        theirs = compilation_cache.get_file_cache
        folder = cache_root() / "compiled" / machine_kind()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return

        def get_file_cache(path: str) -> Any:
            return (ProgramStore(folder), path) if path == str(folder) else theirs(path)

        compilation_cache.get_file_cache = get_file_cache
        config.update("jax_compilation_cache_dir", str(folder))
        # By default JAX keeps what took a second; the many small programs before the first step take one together.
        config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        # A program that this machine refuses is compiled, and replaced.
        warnings.filterwarnings("ignore", message="Error reading persistent compilation cache entry")


def machine_kind() -> str:
    """Return a name for the programs of this machine: of its processor, number of cores, system and version of JAX."""
    lines: set[str] = set()
    with suppress(OSError):
        for line in PROCESSORS.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in PROCESSOR:
                lines.add(f"{name.strip()}:{' '.join(sorted(value.split()))}")
    # XLA divides work among the cores that a process may use.
    system = (sys.platform, platform.machine(), platform.processor(), count_processors())
    about = (FORMAT, version("jax"), version("jaxlib"), *system)
    digest = hashlib.sha256(repr((about, sorted(lines))).encode()).hexdigest()
    return f"jax-{version('jax')}-{digest[:16]}"


def count_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def remove_oldest(root: Path, most: int) -> None:
    """Where files weigh more than ``most``, remove those not used for longest until three quarters are left."""
    files = []
    for path in root.rglob("*"):
        with suppress(OSError):
            about = path.lstat()
            if not stat.S_ISDIR(about.st_mode):
                files.append((about.st_mtime_ns, max(about.st_size, LEAST), path))
    left = sum(weight for _, weight, _ in files)
    if left <= most:
        return
    for _, weight, path in sorted(files):
        if left <= most * 3 // 4:
            return
        with suppress(OSError):
            path.unlink()
        left -= weight
