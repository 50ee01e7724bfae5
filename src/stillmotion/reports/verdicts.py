"""Print the comparison of variants to the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from ..evaluation import ComparedVariants, Comparison, Interval, Rank, VariantScore
from .screen import console, styled

COLOURS = {"better": "green", "worse": "red"}


def show_compared(compared: ComparedVariants, calibration: Mapping[str, float | None]) -> None:
    """Print scores, then differences with verdicts, then notes.

    Args:
        compared: result of ``compare_variants``.
        calibration: expected calibration error of each variant, None where it is unknown.
    """
    out = console()
    ranks = {rank.variant: rank for rank in compared.ranks}
    out.print(_scores(compared, ranks, calibration))
    if compared.comparisons:
        out.print(_differences(compared))
        points = f"{100 * compared.comparisons[0].margin:g}"
        out.print(
            f"Endpoint: {compared.endpoint}. Max-statistic correction over {len(compared.family)} comparisons with "
            f"{compared.against} ({', '.join(compared.family)}). Non-inferiority margin: {points} points.",
            highlight=False,
        )
        smallest = max((each.flips.smallest for each in compared.comparisons if each.flips), default=None)
        if smallest is not None:
            out.print(f"Smallest p possible with these subjects: {smallest:.2g}.", highlight=False)
    else:
        out.print("Only one variant: nothing to compare.")
    for name, note in _notes(compared):
        out.print(styled("yellow", name, f" {note}"))


def show_events(events: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print event scores of the variants whose windows have a time, if there are any."""
    if not events:
        return
    table = Table(title="Event scores (matched by an overlap of one half)")
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


def _scores(compared: ComparedVariants, ranks: Mapping[str, Rank], calibration: Mapping[str, float | None]) -> Table:
    table = Table(title="Scores, pooled over subjects, averaged over seeds")
    table.add_column("variant")
    for heading in ("rank", "macro-F1", "weighted F1", "accuracy", "balanced", "kappa", "ECE", "subjects", "seeds"):
        table.add_column(heading, justify="right")
    for each in compared.standings:
        error = calibration.get(each.variant)
        table.add_row(
            each.variant,
            _rank(ranks.get(each.variant)),
            _interval(each.macro_f1),
            *(f"{100 * value:.1f}" for value in (each.weighted_f1, each.accuracy, each.balanced_accuracy)),
            f"{each.kappa:.3f}",
            "–" if error is None else f"{100 * error:.1f}",
            str(each.subjects),
            str(each.seeds),
        )
    return table


def _differences(compared: ComparedVariants) -> Table:
    table = Table(title=f"Macro-F1 in points against {compared.against}")
    table.add_column("variant")
    for heading in ("difference", "p subjects", "p adjusted", "p folds", "effect", "gain"):
        table.add_column(heading, justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("not inferior")
    for each in compared.comparisons:
        table.add_row(
            each.variant,
            _interval(each.difference, sign="+"),
            *_values(each),
            "–" if each.effect is None else f"{each.effect:+.2f}",
            f"{100 * each.gaining:.0f} %",
            styled(COLOURS.get(each.verdict.split()[0], "yellow"), each.verdict),
            "–" if each.not_inferior is None else "yes" if each.not_inferior else "not shown",
        )
    return table


def _values(each: Comparison) -> tuple[str, str, str]:
    return (
        "–" if each.flips is None else f"{each.flips.p:.2g}",
        "–" if each.p_adjusted is None else f"{each.p_adjusted:.2g}",
        "–" if each.folds_t is None else f"{each.folds_t.p:.2g}",
    )


def _interval(value: Interval, sign: str = "") -> str:
    return value.in_percent(sign)


def _rank(place: Rank | None) -> str:
    if place is None:
        return "–"
    return f"{place.rank:g}" if place.low is None else f"{place.rank:g} ({place.low}–{place.high})"


def _notes(compared: ComparedVariants) -> list[tuple[str, str]]:
    """Return every note once, with the variants that it is about."""
    about: dict[str, list[str]] = {}
    scored: tuple[VariantScore | Comparison, ...] = compared.comparisons or compared.standings
    for each in scored:
        for note in each.notes:
            about.setdefault(note, []).append(each.variant)
    named = [
        ("All:" if len(names) == len(scored) > 1 else f"{', '.join(names)}:", note) for note, names in about.items()
    ]
    return [*named, *(("All:", note) for note in compared.notes)]
