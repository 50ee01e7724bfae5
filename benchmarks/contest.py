"""Processes that take turns: each built and warmed up before the first timed epoch."""

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

Answer = dict[str, float]

#: Interpreters to look for contenders' libraries in, one after the other; this one by default.
PYTHON = "STILLMOTION_BENCH_PYTHON"
SCRIPTS = Path(__file__).parent / "contenders"
#: Seconds between two turns, in which the threads of the one before go to sleep.
PAUSE = 0.3


@cache
def interpreter(libraries: tuple[str, ...]) -> str | None:
    """The first interpreter that has all of these libraries, or None."""
    look = f"import sys; from importlib.util import find_spec; sys.exit(not all(map(find_spec, {libraries!r})))"
    for candidate in (*filter(None, os.environ.get(PYTHON, "").split(os.pathsep)), sys.executable):
        if subprocess.run([candidate, "-c", look], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


class Contender:
    """A script in a process of its own, started when this is made.

    Args:
        python: the interpreter.
        script: its file name.
        data: ``.npz`` with the windows.
        settings: ready for JSON.
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
        self.first = self._answer()

    def turn(self) -> Answer:
        """One epoch."""
        time.sleep(PAUSE)
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answer(self) -> Answer:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                answer: Answer = json.loads(line)
                return answer
        last = self.errors.read_text(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"The contender {self.script} ended early: {''.join(last) or 'it said nothing'}")


def in_turns(contenders: Sequence[Contender], turns: int) -> list[list[Answer]]:
    """Epochs of all of them, A B C A B C …; the answers of each."""
    rounds = [[contender.turn() for contender in contenders] for _ in range(turns)]
    return [list(answers) for answers in zip(*rounds, strict=True)]
