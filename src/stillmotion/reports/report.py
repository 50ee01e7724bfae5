"""Write the report of a study: a page, figures and tables."""

from __future__ import annotations

from pathlib import Path

from ..files import atomic_write, name_write_errors
from ..studies import ProtocolGap, read_study_state
from .evidence import Evidence
from .figure import Figure
from .figures import DRAWN
from .page import page
from .papers import for_markdown, latex

#: Largest page in bytes that still opens on a phone.
LARGEST = 4_000_000
#: File in ``figures/`` that lists the figures of the last report, a name per line.
LISTING = ".made"


def write_report(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    published: bool = False,
    beside: ProtocolGap | None = None,
) -> Path:
    """Write ``report.html``, ``figures/`` and ``tables/``; nothing is trained, and no recordings are needed.

    Args:
        folder: of the study, finished or not; with ``out`` nothing in it changes.
        out: where the report goes, by default the study's folder.
        published: show the published results of Agac & Incel too.
        beside: a comparison with the same study under another protocol (``read_protocol_gap``).

    Returns:
        Path of the page.
    """
    target = Path(folder if out is None else out)
    with read_study_state(folder) as state, name_write_errors(target):
        return _write(Evidence(state, published, beside), target)


def _write(evidence: Evidence, folder: Path) -> Path:
    drawn: dict[str, list[tuple[Figure, str]]] = {}
    for section, draw in DRAWN:
        for figure in draw(evidence):
            drawn.setdefault(section, []).append((figure, figure.save(folder / "figures")))
    _remove_old_figures(folder / "figures", [figure.name for figures in drawn.values() for figure, _ in figures])
    text = page(evidence, drawn)
    if len(text.encode()) > LARGEST:
        # With very many variants the diagrams are left out of the page; they are in figures/.
        drawn["teaching"] = []
        text = page(evidence, drawn)
    tables = folder / "tables"
    atomic_write(tables / "results.tex", latex(evidence))
    atomic_write(tables / "results.md", for_markdown(evidence))
    path = folder / "report.html"
    atomic_write(path, text)
    return path


def _remove_old_figures(folder: Path, names: list[str]) -> None:
    """Remove figures of an earlier report that this one lacks; other files stay."""
    listing = folder / LISTING
    before = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    for name in set(before) - set(names):
        if name and Path(name).name == name:
            for end in ("svg", "png", "csv"):
                (folder / f"{name}.{end}").unlink(missing_ok=True)
    atomic_write(listing, "".join(f"{name}\n" for name in names))
