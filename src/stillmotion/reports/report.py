"""Write the report of a study: a page, figures and tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..files import atomic_write, name_write_errors
from ..studies import ProtocolGap, Results, read_study_state
from .evidence import Evidence
from .figure import Figure
from .page import SECTIONS, page
from .published import PROTOCOL, published_for, published_table
from .results import to_latex, to_markdown

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

    Raises:
        UserError: the folder holds no study, or the report cannot be written.

    Example:
        After the example of ``run_study``:

        >>> from stillmotion.reports import write_report
        >>> page = write_report("tiny", "shown")
        >>> sorted(path.name for path in page.parent.iterdir())
        ['figures', 'report.html', 'tables']
    """
    target = Path(folder if out is None else out)
    with read_study_state(folder) as state, name_write_errors(target):
        return _write(Evidence(state, published, beside), target)


def _write(evidence: Evidence, folder: Path) -> Path:
    drawn: dict[str, list[tuple[Figure, str]]] = {}
    for section in SECTIONS:
        figures = [figure for draw in section.figures for figure in draw(evidence)]
        drawn[section.name] = [(figure, figure.save(folder / "figures")) for figure in figures]
    _remove_old_figures(folder / "figures", [figure.name for figures in drawn.values() for figure, _ in figures])
    text = page(evidence, drawn)
    if len(text.encode()) > LARGEST:
        # With very many variants the diagrams are left out of the page; they are in figures/.
        drawn["teaching"] = []
        text = page(evidence, drawn)
    tables, results = folder / "tables", replace(evidence.results, rows=evidence.rows)
    atomic_write(tables / "results.tex", to_latex(results))
    atomic_write(tables / "results.md", _markdown(results, published=evidence.published))
    path = folder / "report.html"
    atomic_write(path, text)
    return path


def _markdown(results: Results, *, published: bool) -> str:
    """Return the table in Markdown; with ``published``, the published tables and their protocol below it."""
    lines = [to_markdown(results)]
    if published:
        lines += [f"Published (Agac & Incel): {PROTOCOL}.", ""]
        for table in map(published_table, published_for(results.data)):
            lines += [f"### {table.title}", "", table.to_markdown()]
    return "\n".join(lines)


def _remove_old_figures(folder: Path, names: list[str]) -> None:
    """Remove figures of an earlier report that this one lacks; other files stay."""
    listing = folder / LISTING
    before = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    for name in set(before) - set(names):
        if name and Path(name).name == name:
            for end in ("svg", "png", "csv"):
                (folder / f"{name}.{end}").unlink(missing_ok=True)
    atomic_write(listing, "".join(f"{name}\n" for name in names))
