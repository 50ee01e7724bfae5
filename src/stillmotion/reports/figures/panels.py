"""Panels of this study and of the published tables of Agac & Incel, side by side in one figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..evidence import Evidence
from ..figure import Value
from ..published import Published, PublishedSet, published_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

Values = Mapping[str, Value]


@dataclass(frozen=True)
class Panel:
    """The rows of one data set, from this study (``source`` is here) or published.

    Args:
        title: above it.
        rows: values of its variants.
        reference: the values of the reference, in words.
    """

    title: str
    rows: Sequence[Values]
    reference: str = ""


def collect_panels(
    evidence: Evidence,
    own: Iterable[Values],
    published: Callable[[PublishedSet], Iterable[Values]],
    *,
    reference: str = "",
    describe: Callable[[PublishedSet], str] = lambda each: "",
) -> list[Panel]:
    """Return the panel of this study and, if asked for, those of the published tables.

    Args:
        evidence: data of the report.
        own: values of this study.
        published: values of a published table.
        reference: the values of this study's reference, in words.
        describe: the same of a published table.
    """
    results = evidence.results
    rows = [{"set": results.data, "source": "here", **row} for row in own]
    panels = [Panel(f"{results.data}, {results.protocol} (here)", rows, reference)]
    for each in published_for(results.data) if evidence.published else ():
        rows = [{"set": each.title, "source": "published", **row} for row in published(each)]
        panels.append(Panel(f"{each.title} (published, leaky)", rows, describe(each)))
    return panels


def stack_panels(sheet: Sheet, panels: Sequence[Panel], heights: Sequence[float] | None = None) -> list[Axes]:
    """Return axes one below the other."""
    return list(sheet.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0])


def own_scores(evidence: Evidence, *kinds: str) -> list[Values]:
    """Return scores and costs of the networks of these kinds."""
    return [
        {
            "variant": row.variant,
            "f1": row.macro_f1.score,
            "accuracy": row.accuracy,
            "params": row.parameters,
            "flops_convolutions": evidence.costs[row.variant].flops_convolutions,
        }
        for row in evidence.networks
        if row.macro_f1 and row.kind in kinds
    ]


def published_scores(rows: Iterable[Published]) -> list[Values]:
    """Return scores and costs of published rows."""
    return [
        {
            "variant": row.variant,
            "f1": row.f1 / 100,
            "accuracy": row.accuracy / 100,
            "params": row.params,
            "flops_convolutions": round(1000 * row.kflops),
        }
        for row in rows
    ]


def own_name(row: Values) -> str:
    """Return the variant that hides the marks of a row; none for published rows."""
    return str(row["variant"]) if row["source"] == "here" else ""


def number_of(row: Values, key: str) -> float:
    """Return a value as a number, 0 where it is missing."""
    return float(row.get(key) or 0)
