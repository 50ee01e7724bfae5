"""Download one file, resuming an interrupted download."""

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
#: Attempts in a row without a new byte before the download fails.
ATTEMPTS = 3
#: Called with the bytes received and the total bytes (0: not known).
Progress = Callable[[int, int], None]


def download(url: str, to: Path, *, progress: Progress | None = None) -> Path:
    """Download ``url`` to the file ``to``; resume an earlier attempt if the server's file has not changed.

    Args:
        url: http or https.
        to: the file, created when the download is complete.
        progress: called after every block.
    """
    with name_write_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
    part, note = to.with_name(to.name + ".part"), to.with_name(to.name + ".part.json")
    idle = 0
    while True:
        before = _size(part)
        try:
            complete = _continue(url, part, note, progress)
        except urllib.error.HTTPError as reason:
            raise UserError(
                f"{url} returned HTTP {reason.code} ({reason.reason}); download it by hand and name the file "
                f"with --from."
            ) from reason
        except (OSError, http.client.HTTPException) as reason:
            complete, cause = False, str(getattr(reason, "reason", reason)) or type(reason).__name__
        else:
            cause = "the connection ended early"
        if complete:
            part.replace(to)
            note.unlink(missing_ok=True)
            return to
        idle = 0 if _size(part) > before else idle + 1
        if idle >= ATTEMPTS:
            kept = f"; {_size(part):,} bytes are kept, and the next attempt resumes from there" if _size(part) else ""
            raise UserError(
                f"{url} cannot be downloaded ({cause}){kept}. Without a network, download it elsewhere and name the "
                f"file with --from."
            )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _continue(url: str, part: Path, note: Path, progress: Progress | None) -> bool:
    """Make one attempt; return whether the file is complete."""
    request = urllib.request.Request(url, headers={"User-Agent": "stillmotion"})
    have, mark = _size(part), _mark(note)
    if have and mark:
        # The server sends the rest if its file is unchanged, else the whole file.
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", mark)
    try:
        response = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as reason:
        if reason.code == 416 and have:  # nothing is left to send: start again, which is right in either case
            part.unlink()
            return False
        raise
    with response:
        resumed = response.status == 206
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else 0
        etag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        # A weak ETag does not promise identical bytes, so a download cannot be resumed on it.
        mark = "" if etag.startswith("W/") else etag
        atomic_write(note, json.dumps({"url": url, "mark": mark}))
        with name_write_errors(part):
            file = part.open("ab" if resumed else "wb", buffering=0)
        with file:
            while block := response.read(BLOCK):
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
