"""One file from an address, going on where an earlier trial was stopped."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ...errors import UserError
from ...files import atomic_write, name_write_errors

BLOCK = 1 << 20
SECONDS = 60.0
#: Trials in a row that bring nothing new before it is given up.
TRIES = 3
#: Takes bytes there and bytes in all (0: not known).
Progress = Callable[[int, int], None]


def download(url: str, to: Path, *, progress: Progress | None = None) -> Path:
    """Bring ``url`` to the file ``to``, going on from what an earlier trial left if the server's file is still the
    same.

    Args:
        url: http or https.
        to: the file, which appears when it is whole.
        progress: told after every block.
    """
    with name_write_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
    part, note = to.with_name(to.name + ".part"), to.with_name(to.name + ".part.json")
    idle = 0
    while True:
        before = _size(part)
        try:
            whole = _go_on(url, part, note, progress)
        except urllib.error.HTTPError as reason:
            raise UserError(
                f"{url} answers {reason.code} ({reason.reason}); download it by hand and name the file with --from."
            ) from reason
        except (OSError, http.client.HTTPException) as reason:
            whole, why = False, str(getattr(reason, "reason", reason)) or type(reason).__name__
        else:
            why = "the connection ended early"
        if whole:
            part.replace(to)
            note.unlink(missing_ok=True)
            return to
        idle = 0 if _size(part) > before else idle + 1
        if idle >= TRIES:
            kept = f"; {_size(part):,} bytes are kept, and the next trial goes on from there" if _size(part) else ""
            raise UserError(
                f"{url} cannot be had ({why}){kept}. Without a network, download it elsewhere and name the file with "
                f"--from."
            )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _go_on(url: str, part: Path, note: Path, progress: Progress | None) -> bool:
    """One try; whether the file is whole now."""
    request = urllib.request.Request(url, headers={"User-Agent": "stillmotion"})
    have, mark = _size(part), _mark(note)
    if have and mark:
        # The server sends the rest if its file is still that one, else all of it.
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", mark)
    try:
        answer = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as reason:
        if reason.code == 416 and have:  # nothing is left to send: begin anew, which is right in either case
            part.unlink()
            return False
        raise
    with answer:
        goes_on = answer.status == 206
        start = have if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else 0
        found = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        # A weak mark says "much the same", which is no ground to go on.
        mark = "" if found.startswith("W/") else found
        atomic_write(note, json.dumps({"url": url, "mark": mark}))
        with name_write_errors(part):
            file = part.open("ab" if goes_on else "wb", buffering=0)
        with file:
            while block := answer.read(BLOCK):
                rest = memoryview(block)
                with name_write_errors(part):
                    while rest:
                        rest = rest[file.write(rest) :]
                start += len(block)
                if progress is not None:
                    progress(start, total)
    return total in (0, start)


def _mark(note: Path) -> str:
    try:
        return str(json.loads(note.read_text())["mark"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
