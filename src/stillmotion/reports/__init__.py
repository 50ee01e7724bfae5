"""Reports: the results of a study as tables, figures and one page.

A ``Table`` is columns over rows, rendered to the terminal, Markdown, CSV, LaTeX and HTML. Nothing is computed here that
a Python user could not have had from the rooms before it.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .figure import Figure
    from .live_view import LiveView
    from .report import write_report
    from .results import results_columns, results_table, show_results, to_latex, to_markdown, write_results
    from .table import Column, Table, tabulate

_PLACES = {
    "Column": "table",
    "Figure": "figure",
    "LiveView": "live_view",
    "Table": "table",
    "results_columns": "results",
    "results_table": "results",
    "show_results": "results",
    "tabulate": "table",
    "to_latex": "results",
    "to_markdown": "results",
    "write_report": "report",
    "write_results": "results",
}

__all__ = [
    "Column",
    "Figure",
    "LiveView",
    "Table",
    "results_columns",
    "results_table",
    "show_results",
    "tabulate",
    "to_latex",
    "to_markdown",
    "write_report",
    "write_results",
]


def __getattr__(name: str) -> object:
    # Imported on first use: tables of data sets need no network.
    if name in _PLACES:
        return getattr(_import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
