"""Open an exported page in a headless browser and read what its model gives there."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ...errors import UserError
from ..latency import TimedLogits

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
)
#: Seconds that a page may take.
PATIENCE = 60
#: Where a page writes the logits of its golden windows: in base64, a row a window.
LOGITS = re.compile(r'id="golden" data-windows="(\d+)" data-logits="([^"]*)"')


def find_browser() -> str:
    """Return the browser that STILLMOTION_CHROMIUM names, or Chromium or Chrome; raise ``UserError`` without one."""
    named = os.environ.get("STILLMOTION_CHROMIUM")
    for name in (named,) if named else PROGRAMS:
        if found := shutil.which(name):
            return found
    raise UserError("A page runs in Chromium, which is not here; install it, such as: apt-get install chromium")


def run_page(page: Path) -> TimedLogits:
    """Open a page and return the logits of its golden windows (n, classes), float32, computed by its WebAssembly.

    Raises:
        UserError: there is no browser, or the page does not run its model.
    """
    flags = [*FLAGS, *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="stillmotion-page-") as profile:
        line = [browser, *flags, f"--user-data-dir={profile}", "--dump-dom", page.resolve().as_uri()]
        try:
            shown = subprocess.run(line, capture_output=True, timeout=PATIENCE, check=False).stdout.decode()
        except subprocess.TimeoutExpired:
            raise UserError(f"{browser} did not answer for {page} within {PATIENCE} s; try again.") from None
    if not (held := LOGITS.search(shown)):
        raise UserError(f"{page} did not run its model in {browser}; open it there to see why.")
    logits = np.frombuffer(base64.b64decode(held[2]), "<f4").reshape(int(held[1]), -1)
    return TimedLogits(logits.astype(np.float32), np.zeros(0))
