"""A study's folder as a report: a page, figures, tables."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from ..errors import UserError
from ..files import atomic_write
from ..studies import ProtocolGap, read_study_state
from .evidence import Evidence
from .figure import Figure
from .figures import DRAWN
from .page import page
from .papers import for_markdown, latex

#: Bytes of a page that still opens on a phone.
LARGEST = 4_000_000
#: In ``figures/``: the figures that the last report made, a name a line.
MADE = ".made"


def write_report(
    folder: str | Path,
    *,
    data: str | Path | None = None,
    published: bool = False,
    beside: ProtocolGap | None = None,
) -> Path:
    """Write ``report.html``, ``figures/`` and ``tables/`` into a study's folder; nothing is trained.

    Args:
        folder: of the study, finished or not.
        data: the folder that holds recordings.
        published: show the sources' published figures beside the study's.
        beside: the same study under another protocol, to be shown beside it (``read_protocol_gap``).

    Returns:
        The page.
    """
    folder = Path(folder)
    record = read_study_state(folder, data=data)
    try:
        return _write(Evidence(record, published, beside), folder)
    except (sqlite3.DatabaseError, json.JSONDecodeError) as problem:
        raise UserError(f"{record.store.path} is damaged ({problem}); restore it from a copy.") from problem
    finally:
        record.store.close()


def _write(evidence: Evidence, folder: Path) -> Path:
    drawn: dict[str, list[tuple[Figure, str]]] = {}
    for section, draw in DRAWN:
        for figure in draw(evidence):
            drawn.setdefault(section, []).append((figure, figure.save(folder / "figures")))
    _sweep(folder / "figures", [figure.name for figures in drawn.values() for figure, _ in figures])
    text = page(evidence, drawn)
    if len(text.encode()) > LARGEST:
        # A study with very many variants: the drawings stay whole in figures/, the page keeps its words and numbers.
        drawn["teaching"] = []
        text = page(evidence, drawn)
    tables = folder / "tables"
    atomic_write(tables / "results.tex", latex(evidence))
    atomic_write(tables / "results.md", for_markdown(evidence))
    path = folder / "report.html"
    atomic_write(path, text)
    return path


def _sweep(folder: Path, names: list[str]) -> None:
    """Remove figures that an earlier report made and this one did not; what others put there stays."""
    listing = folder / MADE
    before = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    for name in set(before) - set(names):
        if name and Path(name).name == name:
            for end in ("svg", "png", "csv"):
                (folder / f"{name}.{end}").unlink(missing_ok=True)
    atomic_write(listing, "".join(f"{name}\n" for name in names))
