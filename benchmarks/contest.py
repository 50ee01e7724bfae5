"""Contenders: processes that run timed epochs in turns, each warmed up before its first timed epoch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

#: ``seconds`` of an epoch, and what else a script prints.
Timing = dict[str, Any]

#: Interpreters in which the contenders' libraries are searched, in order; by default the current one.
PYTHON = "STILLMOTION_BENCH_PYTHON"
SCRIPTS = Path(__file__).parent / "contenders"
#: Seconds between two turns, so that threads of the previous contender go idle.
PAUSE = 0.3


@cache
def interpreter(libraries: tuple[str, ...]) -> str | None:
    """Return the first interpreter that has all of these libraries, or None."""
    probe = f"import sys; from importlib.util import find_spec; sys.exit(not all(map(find_spec, {libraries!r})))"
    for candidate in (*filter(None, os.environ.get(PYTHON, "").split(os.pathsep)), sys.executable):
        if subprocess.run([candidate, "-c", probe], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


class Contender:
    """A script that runs in its own process, started with this object.

    Args:
        python: the interpreter.
        script: file name of the script.
        data: ``.npz`` file with the windows.
        settings: values that fit JSON.
    """

    def __init__(self, python: str, script: str, data: Path, settings: dict[str, Any]) -> None:
        self.script = script
        self.errors = data.with_name(f"{script}-{time.monotonic_ns()}.err")
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [python, str(SCRIPTS / script), str(data), json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.first = self._read_timing()

    def turn(self) -> Timing:
        """Run one epoch."""
        time.sleep(PAUSE)
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read_timing()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read_timing(self) -> Timing:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                timing: Timing = json.loads(line)
                return timing
        last = self.errors.read_text(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"The contender {self.script} ended early: {''.join(last) or 'no error message'}")


def in_turns(contenders: Sequence[Contender], turns: int) -> list[list[Timing]]:
    """Run epochs of all contenders in turns, A B C A B C …; return the timings of each."""
    rounds = [[contender.turn() for contender in contenders] for _ in range(turns)]
    return [list(timings) for timings in zip(*rounds, strict=True)]
