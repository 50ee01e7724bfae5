"""A comparison for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from ..evaluation import ComparedVariants, Comparison, Interval, Rank, VariantScore
from .screen import console, styled

COLOURS = {"better": "green", "worse": "red"}


def show_compared(found: ComparedVariants, calibration: Mapping[str, float | None]) -> None:
    """Scores of every variant, then differences with verdicts, then what the figures rest on.

    Args:
        found: what ``compare`` gave.
        calibration: expected calibration error of each variant, None where it is unknown.
    """
    out = console()
    places = {rank.variant: rank for rank in found.ranks}
    out.print(_standings(found, places, calibration))
    if found.comparisons:
        out.print(_differences(found))
        points = f"{100 * found.comparisons[0].margin:g}"
        out.print(
            f"Endpoint: {found.endpoint}. Family of the max-statistic correction: {len(found.family)} against "
            f"{found.against} ({', '.join(found.family)}). Margin of non-inferiority: {points} points.",
            highlight=False,
        )
        smallest = max((one.flips.smallest for one in found.comparisons if one.flips), default=None)
        if smallest is not None:
            out.print(f"Smallest p that these subjects and patterns allow: {smallest:.2g}.", highlight=False)
    else:
        out.print("One variant: nothing to compare it with.")
    for name, note in _notes(found):
        out.print(styled("yellow", name, f" {note}"))


def show_events(events: Mapping[str, Mapping[str, float | None]]) -> None:
    """Event scores of the variants whose windows have a time; nothing where there are none."""
    if not events:
        return
    table = Table(title="As events, overlapping by half")
    table.add_column("variant")
    for heading in ("segment F1", "onset delay s", "missed %", "false changes an hour", "hours"):
        table.add_column(heading, justify="right")
    for name, scores in events.items():
        values = (
            (scores["segment_f1"], 100),
            (scores["onset_delay_s"], 1),
            (scores["missed"], 100),
            (scores["false_transitions_per_hour"], 1),
            (scores["hours"], 1),
        )
        table.add_row(name, *("–" if value is None else f"{scale * value:.1f}" for value, scale in values))
    console().print(table)


def _standings(found: ComparedVariants, places: Mapping[str, Rank], calibration: Mapping[str, float | None]) -> Table:
    table = Table(title="Scores, pooled over subjects, averaged over seeds")
    table.add_column("variant")
    for heading in ("rank", "macro-F1", "weighted F1", "accuracy", "balanced", "kappa", "ECE", "subjects", "seeds"):
        table.add_column(heading, justify="right")
    for one in found.standings:
        error = calibration.get(one.variant)
        table.add_row(
            one.variant,
            _rank(places.get(one.variant)),
            _interval(one.macro_f1),
            *(f"{100 * value:.1f}" for value in (one.weighted_f1, one.accuracy, one.balanced_accuracy)),
            f"{one.kappa:.3f}",
            "–" if error is None else f"{100 * error:.1f}",
            str(one.subjects),
            str(one.seeds),
        )
    return table


def _differences(found: ComparedVariants) -> Table:
    table = Table(title=f"Macro-F1 in points against {found.against}")
    table.add_column("variant")
    for heading in ("difference", "p subjects", "p adjusted", "p folds", "effect", "gain"):
        table.add_column(heading, justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("not inferior")
    for one in found.comparisons:
        table.add_row(
            one.variant,
            _interval(one.difference, sign="+"),
            *_values(one),
            "–" if one.effect is None else f"{one.effect:+.2f}",
            f"{100 * one.gaining:.0f} %",
            styled(COLOURS.get(one.verdict.split()[0], "yellow"), one.verdict),
            "–" if one.not_inferior is None else "yes" if one.not_inferior else "not shown",
        )
    return table


def _values(one: Comparison) -> tuple[str, str, str]:
    return (
        "–" if one.flips is None else f"{one.flips.p:.2g}",
        "–" if one.p_adjusted is None else f"{one.p_adjusted:.2g}",
        "–" if one.folds_t is None else f"{one.folds_t.p:.2g}",
    )


def _interval(value: Interval, sign: str = "") -> str:
    return value.in_percent(sign)


def _rank(place: Rank | None) -> str:
    if place is None:
        return "–"
    return f"{place.rank:g}" if place.low is None else f"{place.rank:g} ({place.low}–{place.high})"


def _notes(found: ComparedVariants) -> list[tuple[str, str]]:
    """Every note once, with those it is about."""
    about: dict[str, list[str]] = {}
    each: tuple[VariantScore | Comparison, ...] = found.comparisons or found.standings
    for one in each:
        for note in one.notes:
            about.setdefault(note, []).append(one.variant)
    named = [("All:" if len(names) == len(each) > 1 else f"{', '.join(names)}:", note) for note, names in about.items()]
    return [*named, *(("All:", note) for note in found.notes)]
